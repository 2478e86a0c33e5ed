"""What Azure is asked, what its answers mean, and which alerts are a drill's, without a network."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.coverage.drill.azure import MOST_PAGES, Defender, alerts_in
from router.coverage.drill.subjects import DrillSubject, may_belong_to, sample_drill
from router.coverage.drill.verdict import ListedAlert, NotDone
from router.domain.conversation import HttpAnswer, HttpRequest
from router.domain.errors import Unavailable
from router.domain.notices import RecordEntry
from tests.drill.drilling import CLUSTER, SUBSCRIPTION
from tests.samples import SAMPLES
from tests.stack.defender import Sample, samples_of_bundle
from tests.store.builders import an_entry

BASE = "https://management.azure.com"
ALERTS = SAMPLES / "azure-rest-api-specs" / "stable" / "2022-01-01" / "examples" / "Alerts"
DRILL = sample_drill(SUBSCRIPTION, "VirtualMachines")
SECURITY = f"{BASE}/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Security"
LOCATION = {"value": [{"name": "centralus"}]}

type Answer = tuple[int, object] | Unavailable


def ask[T](
    question: Callable[[Defender], Awaitable[T]], *answers: Answer, place: object = LOCATION
) -> tuple[T | NotDone, list[HttpRequest]]:
    """Return what comes of a question with these answers, and what was asked after the place; every answer must be wanted."""
    asked, left = list[HttpRequest](), [(200, place), *answers]

    async def send(request: HttpRequest) -> HttpAnswer:
        asked.append(request)
        answer = left.pop(0)
        if isinstance(answer, Unavailable):
            raise answer
        return HttpAnswer(status=answer[0], headers={}, body=json.dumps(answer[1]).encode())

    async def run() -> T | NotDone:
        defender = Defender(BASE, SUBSCRIPTION, send)
        try:
            defender._alerts = await defender._find_location()
            return await question(defender)
        except NotDone as fault:
            return fault

    found = asyncio.run(run())
    assert left == []
    return found, asked[1:]


def test_samples_are_ordered_where_defender_keeps_the_subscriptions_data_and_no_other_host_is_asked() -> None:
    """The order names the bundle. A token would go where an answer points to."""
    found, (asked,) = ask(lambda defender: defender.raise_samples("KeyVaults"), (202, None))
    assert found is None
    url = f"{SECURITY}/locations/centralus/alerts/default/simulate?api-version=2022-01-01"
    assert (asked.method, asked.url) == ("POST", url)
    assert json.loads(asked.body) == {"properties": {"kind": "Bundles", "bundles": ["KeyVaults"]}}
    for next in ("https://elsewhere.example/7", "http://management.azure.com/7", "https://[x/7"):
        listed, all_asked = ask(Defender.list_alerts, (200, {"value": [], "nextLink": next}))
        assert isinstance(listed, NotDone)
        assert len(all_asked) == 1


def test_a_list_is_read_page_by_page_to_its_end() -> None:
    """What is no alert is left out; one without an end is not whole. A subscription of which Defender keeps nothing is said."""
    alert = {"id": "/subscriptions/x/alerts/1", "name": "1", "properties": {"alertDisplayName": "[SAMPLE ALERT] x"}}
    more = {"nextLink": f"{SECURITY}/alerts?page=2"}
    last = {"value": [7, alert | {"name": "2"}, alert | {"id": "x"}]}
    found, asked = ask(Defender.list_alerts, (200, {"value": [alert]} | more), (200, last))
    assert not isinstance(found, NotDone)
    assert ([one.name for one in found], len(asked)) == (["1", "2"], 2)
    found, _ = ask(Defender.list_alerts, *[(200, {"value": []} | more)] * MOST_PAGES)
    assert isinstance(found, NotDone)
    assert found.why == f"Defender's list of alerts: has more than {MOST_PAGES} pages"
    places: list[object] = [None, [], {"value": "x"}, {"value": []}, {"value": [{"name": []}]}]
    assert all(isinstance(ask(Defender.list_alerts, place=place)[0], NotDone) for place in places)


def test_what_is_refused_says_why_in_one_line() -> None:
    """With Azure's own words; nothing is certain if Azure has trouble of its own. A sample's group may not be there."""
    refusal = {"error": {"code": "AuthorizationFailed", "message": "no\nright"}}
    answers: list[tuple[Answer, str, bool]] = [
        ((403, refusal), "403 (AuthorizationFailed: no right); the drill needs a role", True),
        ((429, None), "Azure answered 429", True),
        ((500, ["garbage"]), "Azure answered 500", False),
        (Unavailable("no answer within 30 s"), "simulate: no answer within 30 s", False),
    ]
    for answer, words, is_certain in answers:
        found, _ = ask(lambda defender: defender.raise_samples("DNS"), answer)
        assert isinstance(found, NotDone)
        assert words in found.why
        assert ("\n" in found.why, found.is_certain) == (False, is_certain)
    path = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/Sample-RG/providers/Microsoft.Security/locations/we/alerts/9"
    alert = ListedAlert("9_a", path, "t", "VirtualMachines", "T", is_sample=True, is_over=False)
    refused, asked = ask(lambda defender: defender.dismiss([alert]), (404, None), (204, None))
    assert refused == []
    assert [one.url.partition("?")[0] for one in asked] == [
        f"{BASE}{path.removesuffix('9')}9_a/dismiss",
        f"{SECURITY}/locations/centralus/alerts/9_a/dismiss",
    ]
    dismissals: list[list[Answer]] = [[(404, None), (403, None)], [(403, None)]]
    for several in dismissals:
        refused, _ = ask(lambda defender: defender.dismiss([alert]), *several)
        assert not isinstance(refused, NotDone)
        assert "dismiss 9_a: Azure answered 403" in refused[0]
        assert "Security Admin" in refused[0]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda some: st.lists(some, max_size=3)
)


@given(JSON)
def test_any_answer_is_read_without_an_error(page: object) -> None:
    """What is no alert is left out."""
    assert list(alerts_in({"value": page})) == []
    assert list(alerts_in({"value": [{"id": page, "name": page, "properties": page}]})) == []
    assert list(alerts_in({"value": [{"id": "/a", "properties": {"resourceIdentifiers": page}}]})) == []


VM = f"/SUBSCRIPTIONS/{SUBSCRIPTION}/RESOURCEGROUPS/Sample-RG/providers/x/y/Sample-VM"
MADE_UP = {"type": "SIMULATED_VM_X", "id": "A-1", "plan": "VirtualMachines", "sample": True, "resource": VM}
a_sample_entry = partial(an_entry, "cwpp:0:1:7", **MADE_UP)
"""The decision on a sample of the drill."""


def of_cluster(resource: str = CLUSTER, **more: object) -> RecordEntry:
    """The decision on a real alert of a cluster."""
    return a_sample_entry(**{"sample": False, "plan": "Containers", "resource": resource, **more})


ZEROS = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/Sample-RG/providers/x/y/Sample-VM"
A_CLUSTER = DrillSubject(plan="Containers", cluster="aks-pay")
ITS_ID = DrillSubject(plan="Containers", subscription=SUBSCRIPTION, cluster=CLUSTER)


MACHINE = replace(DRILL, bundle=None, machine="/A/VM/")
OWN: list[tuple[DrillSubject, RecordEntry, bool]] = [
    (DRILL, a_sample_entry(), True),
    (DRILL, a_sample_entry(sample=False), False),
    (DRILL, a_sample_entry(plan="KeyVaults"), False),
    (DRILL, a_sample_entry(resource="/subscriptions/another/resourceGroups/rg"), False),
    (DRILL, a_sample_entry(resource=ZEROS), True),
    (A_CLUSTER, of_cluster(), True),
    (A_CLUSTER, of_cluster(CLUSTER.upper(), plan=None, type="K8S_X"), True),
    (A_CLUSTER, of_cluster(f"{CLUSTER}-2"), False),
    (A_CLUSTER, of_cluster(sample=True), False),
    (A_CLUSTER, of_cluster(plan="VirtualMachines"), False),
    (ITS_ID, of_cluster(CLUSTER.upper()), True),
    (ITS_ID, of_cluster(f"{CLUSTER}/x"), False),
    (replace(A_CLUSTER, cluster="rg"), of_cluster(), False),
    (replace(A_CLUSTER, cluster="providers"), of_cluster(), False),
    (replace(A_CLUSTER, subscription=SUBSCRIPTION), of_cluster(), True),
    (replace(A_CLUSTER, subscription="5b0c5a3e-8d6a-4a53-9f3c-1d2b7a2c0e11"), of_cluster(), False),
    (A_CLUSTER, of_cluster("arn:aws:eks:eu-west-1:123456789012:cluster/aks-pay"), True),
    (MACHINE, of_cluster("/a/vm"), True),
    (MACHINE, of_cluster("/a/vm2"), False),
]


def test_an_alert_that_fits_may_be_the_drills() -> None:
    """By its plan and resource, if a hub brought it; a sample without a subscription is one of any.

    A sample that Defender lists is the drill's whatever else it says.
    """
    for subject, entry, is_own in OWN:
        assert may_belong_to(entry, subject) is is_own, (subject, entry)
        assert may_belong_to(replace(entry, key=f"{'a' * 64}:3"), subject, {"a-1"}) is False
    assert may_belong_to(a_sample_entry(plan=None, resource=None), DRILL, {"a-1"})
    assert not may_belong_to(a_sample_entry(sample=False), DRILL, {"a-1"})


def a_sample() -> Sample:
    """A sample of the double."""
    return samples_of_bundle("VirtualMachines", SUBSCRIPTION, datetime.now(UTC))[0]


def kinds_of(body: Mapping[str, Any]) -> dict[str, type]:
    """The names in an object, with the types of what they name; nothing of what is null."""
    return {name: type(value) for name, value in body.items() if value is not None}


@pytest.mark.shared
def test_what_the_double_lists_has_the_shape_of_microsofts_example() -> None:
    """Every name and every type of it stands there, too."""
    (file,) = ALERTS.glob("GetAlertSubscriptionLocation*.json")
    body = json.loads(file.read_text())["responses"]["200"]["body"]
    ours = a_sample().listed("Active")
    properties: Any = ours["properties"]
    assert kinds_of(ours).items() <= kinds_of(body).items()
    assert kinds_of(properties).items() <= kinds_of(body["properties"]).items()
    assert properties["status"] == body["properties"]["status"]
