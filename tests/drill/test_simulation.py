"""What Azure is asked, what its answers mean, and which alerts are a drill's, without a network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain.conversation import Asking, HttpAnswer, HttpRequest
from router.domain.errors import Unavailable
from router.domain.notices import RecordEntry
from router.drill.simulation import (
    MOST_PAGES,
    ListedAlert,
    NotDone,
    alerts_in,
    dismiss,
    find_location,
    list_alerts,
    raise_samples,
)
from router.drill.subjects import DrillSubject, may_be_of, samples_of
from router.rulebook import load_catalogue
from tests.stack.defender import samples_of_bundle

BASE, SUBSCRIPTION = "https://management.azure.com", "d87e1b60-4a2c-4f93-b1d7-05c3e8a2f330"
BEGAN = datetime(2026, 11, 26, 12, tzinfo=UTC)
DRILL = samples_of(SUBSCRIPTION, "VirtualMachines")
SECURITY = f"{BASE}/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Security"


def an_answer(status: int = 200, body: object = None, **headers: str) -> HttpAnswer:
    """An answer of Azure's."""
    written = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpAnswer(status=status, headers=written, body=json.dumps(body).encode() if body is not None else b"")


def run[T](asking: Asking[T], *answers: HttpAnswer | Unavailable) -> tuple[T, Sequence[HttpRequest]]:
    """What comes of a question with these answers, and what was asked; every answer must be wanted."""
    asked = [next(asking)]
    for number, answer in enumerate(answers, 1):
        try:
            asked.append(asking.throw(answer) if isinstance(answer, Unavailable) else asking.send(answer))
        except StopIteration as end:
            assert number == len(answers)
            return end.value, asked
    raise AssertionError("it asks on")


def test_samples_are_ordered_where_defender_keeps_the_subscriptions_data() -> None:
    """The order names the bundle."""
    location, _ = run(find_location(BASE, SUBSCRIPTION), an_answer(body={"value": [{"name": "centralus"}]}))
    assert location == "centralus"
    found, (asked,) = run(raise_samples(BASE, SUBSCRIPTION, "centralus", "KeyVaults"), an_answer(202))
    assert found is None
    assert (asked.method, asked.url) == (
        "POST",
        f"{SECURITY}/locations/centralus/alerts/default/simulate?api-version=2022-01-01",
    )
    assert json.loads(asked.body) == {"properties": {"kind": "Bundles", "bundles": ["KeyVaults"]}}


@pytest.mark.parametrize("written", ["https://elsewhere.example/7", "http://management.azure.com/7", "//x.example/7"])
def test_nothing_is_asked_of_another_host_whatever_an_answer_points_to(written: str) -> None:
    """A token would go there."""
    page = {"value": [], "nextLink": written if "//" in written[:8] else f"https:{written}"}
    listed, asked = run(list_alerts(BASE, SUBSCRIPTION, "centralus"), an_answer(body=page))
    assert isinstance(listed, NotDone)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            an_answer(403, {"error": {"code": "AuthorizationFailed", "message": "no\nright"}}),
            "403 (AuthorizationFailed: no right); the drill needs a role",
        ),
        (an_answer(429), "Azure answered 429"),
        (an_answer(500, ["garbage"]), "Azure answered 500"),
        (Unavailable("no answer within 30 s"), "simulate: no answer within 30 s"),
    ],
)
def test_an_order_that_is_refused_says_why(answer: HttpAnswer | Unavailable, words: str) -> None:
    """In one line, with Azure's own words."""
    found, _ = run(raise_samples(BASE, SUBSCRIPTION, "centralus", "DNS"), answer)
    assert isinstance(found, NotDone)
    assert words in found.why
    assert "\n" not in found.why
    # What was refused was not done; where Azure has trouble of its own, or nothing came, nobody knows.
    assert found.is_certain is (isinstance(answer, HttpAnswer) and answer.status < 500)


def test_a_list_is_read_page_by_page_to_its_end() -> None:
    """What is no alert is left out."""
    alert = {"id": "/subscriptions/x/alerts/1", "name": "1", "properties": {"alertDisplayName": "[SAMPLE ALERT] x"}}
    pages = [{"value": [alert], "nextLink": f"{SECURITY}/alerts?page=2"}, {"value": [7, alert | {"name": "2"}]}]
    found, asked = run(list_alerts(BASE, SUBSCRIPTION, "centralus"), *(an_answer(body=page) for page in pages))
    assert not isinstance(found, NotDone)
    assert ([one.name for one in found], len(asked)) == (["1", "2"], 2)


def test_a_list_without_an_end_is_not_taken_for_a_whole_one() -> None:
    """The drill could not tell its samples from those on later pages."""
    page = an_answer(body={"value": [], "nextLink": f"{SECURITY}/alerts?page=2"})
    found, asked = run(list_alerts(BASE, SUBSCRIPTION, "centralus"), *[page] * MOST_PAGES)
    assert found == NotDone(f"Defender's list of alerts: has more than {MOST_PAGES} pages")
    assert len(asked) == MOST_PAGES


@pytest.mark.parametrize("body", [None, [], {"value": "x"}, {"value": []}, {"value": [{"name": 7}]}])
def test_a_subscription_of_which_defender_keeps_nothing_is_said(body: object) -> None:
    """No plan was ever on there, or the answer is garbage."""
    assert isinstance(run(find_location(BASE, SUBSCRIPTION), an_answer(body=body))[0], NotDone)


def test_an_alert_is_dismissed_by_its_own_path_and_else_as_one_of_the_subscription() -> None:
    """Defender lists samples in a resource group that nobody has."""
    path = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/Sample-RG/providers/Microsoft.Security/locations/we/alerts/9"
    alert = ListedAlert("9_a", path, "t", "VirtualMachines", "T", is_sample=True, is_over=False)
    found, asked = run(dismiss(BASE, SUBSCRIPTION, "we", alert), an_answer(404), an_answer(204))
    assert found is None
    assert [one.url.partition("?")[0] for one in asked] == [
        f"{BASE}{path.removesuffix('9')}9_a/dismiss",
        f"{SECURITY}/locations/we/alerts/9_a/dismiss",
    ]
    refused, _ = run(dismiss(BASE, SUBSCRIPTION, "we", alert), an_answer(404), an_answer(403))
    assert isinstance(refused, NotDone)
    assert "dismiss 9_a: Azure answered 403" in refused.why
    at_once, asked = run(dismiss(BASE, SUBSCRIPTION, "we", alert), an_answer(403))
    assert isinstance(at_once, NotDone)
    assert "Security Admin" in at_once.why
    assert len(asked) == 1


def listed(bundle: str = "VirtualMachines", **properties: object) -> ListedAlert:
    """A sample as Defender lists it."""
    body: dict[str, Any] = samples_of_bundle(bundle, SUBSCRIPTION, BEGAN)[0].listed("Active")
    body["properties"] |= properties
    (alert,) = alerts_in({"value": [body]})
    return alert


@pytest.mark.parametrize(
    ("alert", "subject", "is_own"),
    [
        (listed(), DRILL, True),
        (listed(alertType="VM_X", alertDisplayName="Something real"), DRILL, False),
        (listed("KeyVaults"), DRILL, False),
        (
            listed(),
            DrillSubject(plan="VirtualMachines", subscription=SUBSCRIPTION, machine="/subscriptions/x/vm"),
            False,
        ),
    ],
)
def test_only_samples_of_the_plan_are_dismissed(alert: ListedAlert, subject: DrillSubject, is_own: bool) -> None:
    """A real alert never is."""
    assert alert.is_of(subject, load_catalogue()) is is_own


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda some: st.lists(some, max_size=3)
)


@given(JSON)
def test_any_answer_is_read_without_an_error(page: object) -> None:
    """What is no alert is left out."""
    assert list(alerts_in({"value": page})) == []
    assert list(alerts_in({"value": [{"id": page, "name": page, "properties": page}]})) == []
    assert list(alerts_in({"value": [{"id": "/a", "properties": {"resourceIdentifiers": page}}]})) == []


def an_entry(**more: object) -> RecordEntry:
    """The decision on a sample of the drill."""
    resource = (
        f"/SUBSCRIPTIONS/{SUBSCRIPTION}/RESOURCEGROUPS/Sample-RG/providers/Microsoft.Compute/virtualMachines/Sample-VM"
    )
    fields: dict[str, Any] = {
        **{name: None for name in RecordEntry.__dataclass_fields__ if name not in ("steps", "shadowed_by")},
        **dict.fromkeys(("tactics", "techniques", "routes", "destinations"), ()),
        "key": "cwpp:0:1:7",
        "at": BEGAN.isoformat(),
        "stream": "cwpp",
        "kind": "alert",
        "type": "SIMULATED_VM_X",
        "id": "A-1",
        "plan": "VirtualMachines",
        "sample": True,
        "resource": resource,
    }
    return RecordEntry(**fields | more)


ZEROS = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/Sample-RG/providers/x/y/Sample-VM"
CLUSTER = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/aks-pay"
)
A_CLUSTER = DrillSubject(plan="Containers", cluster="aks-pay")
ITS_ID = DrillSubject(plan="Containers", subscription=SUBSCRIPTION, cluster=CLUSTER)


@pytest.mark.parametrize(
    ("subject", "entry", "is_own"),
    [
        (DRILL, an_entry(), True),
        (DRILL, an_entry(sample=False), False),
        (DRILL, an_entry(plan="KeyVaults"), False),
        (DRILL, an_entry(resource="/subscriptions/another/resourceGroups/rg"), False),
        (DRILL, an_entry(resource=ZEROS), True),
        (A_CLUSTER, an_entry(sample=False, plan="Containers", resource=CLUSTER), True),
        (A_CLUSTER, an_entry(sample=False, plan=None, type="K8S_X", resource=CLUSTER.upper()), True),
        (A_CLUSTER, an_entry(sample=False, plan="Containers", resource=f"{CLUSTER}-2"), False),
        (A_CLUSTER, an_entry(sample=True, plan="Containers", resource=CLUSTER), False),
        (A_CLUSTER, an_entry(sample=False, resource=CLUSTER), False),
        (ITS_ID, an_entry(sample=False, plan="Containers", resource=CLUSTER.upper()), True),
        (ITS_ID, an_entry(sample=False, plan="Containers", resource=f"{CLUSTER}/x"), False),
        (replace(A_CLUSTER, cluster="rg"), an_entry(sample=False, plan="Containers", resource=CLUSTER), False),
        (replace(A_CLUSTER, cluster="providers"), an_entry(sample=False, plan="Containers", resource=CLUSTER), False),
        (
            replace(A_CLUSTER, subscription=SUBSCRIPTION),
            an_entry(sample=False, plan="Containers", resource=CLUSTER),
            True,
        ),
        (
            replace(A_CLUSTER, subscription="5b0c5a3e-8d6a-4a53-9f3c-1d2b7a2c0e11"),
            an_entry(sample=False, plan="Containers", resource=CLUSTER),
            False,
        ),
        (
            A_CLUSTER,
            an_entry(sample=False, plan="Containers", resource="arn:aws:eks:eu-west-1:123456789012:cluster/aks-pay"),
            True,
        ),
    ],
)
def test_an_alert_that_fits_may_be_the_drills(subject: DrillSubject, entry: RecordEntry, is_own: bool) -> None:
    """By its plan and resource; a sample without a subscription is one of any."""
    assert may_be_of(entry, subject) is is_own
    assert may_be_of(replace(entry, key=f"{'a' * 64}:3"), subject) is False


def test_a_sample_that_defender_lists_is_the_drills_if_a_hub_brought_it() -> None:
    """Whatever else it says."""
    assert may_be_of(an_entry(plan=None, resource=None), DRILL, {"a-1"})
    assert not may_be_of(an_entry(sample=False), DRILL, {"a-1"})
    assert not may_be_of(an_entry(key=f"{'a' * 64}:3"), DRILL, {"a-1"})
