"""Which alerts are a drill's: only those are followed, and only those are dismissed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain.notices import RecordEntry
from router.drill.listed import ListedAlert, alerts_in, own_alerts
from router.drill.subjects import DrillSubject, ListedIds, find_doubt, find_time_made, may_be_of_drill, samples_of
from router.rulebook import load_catalogue
from tests.stack.defender import samples_of_bundle

SUBSCRIPTION = "d87e1b60-4a2c-4f93-b1d7-05c3e8a2f330"
BEGAN = datetime(2026, 11, 26, 12, tzinfo=UTC)
CATALOGUE = load_catalogue()
DRILL = samples_of(SUBSCRIPTION, "VirtualMachines")
MINUTE = timedelta(minutes=1)


def listed(at: datetime = BEGAN + MINUTE, bundle: str = "VirtualMachines", **properties: object) -> ListedAlert:
    """A sample as Defender lists it."""
    body: dict[str, Any] = samples_of_bundle(bundle, SUBSCRIPTION, at)[0].listed("Active")
    body["properties"] |= properties
    (alert,) = alerts_in({"value": [body]})
    return alert


REAL: dict[str, Any] = {"alertType": "VM_X", "alertDisplayName": "Something real"}


@pytest.mark.parametrize(
    ("alert", "before", "is_own"),
    [
        (listed(), frozenset(), True),
        (listed(), None, True),
        (listed(**REAL), frozenset(), False),
        (listed(bundle="KeyVaults"), frozenset(), False),
        (listed(BEGAN - 4 * MINUTE), frozenset(), True),
        (listed(BEGAN - 6 * MINUTE), frozenset(), False),
        (listed(BEGAN - MINUTE), None, False),
        (listed(timeGeneratedUtc=None, processingEndTimeUtc=None, startTimeUtc=None), frozenset(), True),
        (listed(timeGeneratedUtc=None, processingEndTimeUtc=None, startTimeUtc=None), None, False),
    ],
)
def test_only_new_samples_of_the_plan_are_dismissed(
    alert: ListedAlert, before: frozenset[str] | None, is_own: bool
) -> None:
    """Where nobody knows what was listed before, only what says that it was written since. A real alert never is."""
    assert (own_alerts([alert], DRILL, BEGAN, before, CATALOGUE) == [alert]) is is_own


def test_what_was_listed_before_is_none_of_the_drills() -> None:
    """Another drill of a moment ago is another's."""
    alert = listed()
    assert own_alerts([alert], DRILL, BEGAN, frozenset({alert.name}), CATALOGUE) == []


def test_a_drill_with_real_alerts_dismisses_nothing() -> None:
    """Whatever is listed."""
    subject = DrillSubject(plan="VirtualMachines", subscription=SUBSCRIPTION, machine="/subscriptions/x/vm")
    assert own_alerts([listed()], subject, BEGAN, frozenset(), CATALOGUE) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda some: st.lists(some, max_size=3)
)


@given(JSON | st.dictionaries(st.sampled_from(["value", "id", "properties", "x"]), JSON))
def test_whatever_azure_answers_reading_the_list_raises_nothing(page: object) -> None:
    """What is no alert is left out."""
    assert list(alerts_in(page)) == []
    assert list(alerts_in({"value": page})) == []
    assert list(alerts_in({"value": [{"id": page, "name": page, "properties": page}]})) == []


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
        (DRILL, an_entry(stream="cspm"), False),
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
def test_what_fits_may_be_the_drills(subject: DrillSubject, entry: RecordEntry, is_own: bool) -> None:
    """A sample without a subscription is one of any."""
    assert may_be_of_drill(entry, subject, ListedIds()) is is_own
    assert may_be_of_drill(entry, subject, ListedIds(frozenset({"b-2"}), are_all=True)) is is_own


def test_what_defender_lists_is_the_drills_whatever_else_it_says() -> None:
    """As long as it is a sample."""
    listed = ListedIds(frozenset({"a-1"}), are_all=True)
    assert may_be_of_drill(an_entry(plan=None, resource=None), DRILL, listed)
    assert not may_be_of_drill(an_entry(sample=False), DRILL, listed)


def made(minutes: float) -> str:
    """The id of a sample that was made so long after the drill began."""
    return samples_of_bundle("VirtualMachines", SUBSCRIPTION, BEGAN + minutes * MINUTE)[0].id


LISTED = ListedIds(frozenset({"a-1"}), are_all=True)


@pytest.mark.parametrize(
    ("entry", "listed", "doubt"),
    [
        (an_entry(), LISTED, None),
        (an_entry(), LISTED._replace(are_all=False), None),
        (an_entry(id="A-2"), LISTED, "Defender does not list it"),
        (an_entry(id=made(1)), LISTED, "Defender does not list it"),
        (an_entry(id=made(1)), ListedIds(are_all=True), "Defender does not list it"),
        (an_entry(id=made(1)), ListedIds(), None),
        (an_entry(id=made(-4)), ListedIds(), None),
        (an_entry(id=made(-6)), ListedIds(), "it was made before"),
        (an_entry(id=made(-60 * 24 * 40)), ListedIds(), "it was made before"),
        (an_entry(id="5b0c5a3e-8d6a-4a53-9f3c-1d2b7a2c0e11"), ListedIds(), "does not say when it was made"),
        (an_entry(id=None), ListedIds(), "does not say when it was made"),
        (
            an_entry(key=f"{'a' * 64}:3", source="export.json:3"),
            LISTED,
            "it came from export.json:3, and not by the hub",
        ),
    ],
)
def test_what_fits_and_may_be_anothers_is_not_counted(entry: RecordEntry, listed: ListedIds, doubt: str | None) -> None:
    """Another's sample, an old one that was sent again, and one out of a file fit as well."""
    found = find_doubt(entry, DRILL, listed, BEGAN)
    assert found is doubt if doubt is None else doubt in (found or "")


@given(st.text(max_size=30) | st.from_regex(r"\A\d{19}_.*", fullmatch=True))
def test_whatever_an_id_is_asking_it_for_its_time_raises_nothing(id: str) -> None:
    """The ids of other products are of other forms."""
    found = find_time_made(id)
    assert found is None or found.tzinfo is UTC


def test_the_samples_of_the_double_are_json() -> None:
    """As they are exported."""
    (sample,) = samples_of_bundle("KeyVaults", SUBSCRIPTION, BEGAN)
    assert json.loads(sample.exported())["SystemAlertId"] == sample.id
