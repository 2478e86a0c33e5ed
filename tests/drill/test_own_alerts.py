"""Which alerts are a drill's: only those are followed, and only those are dismissed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain.notices import RecordEntry
from router.drill.listed import ListedAlert, alerts_in, own_alerts
from router.drill.subjects import DrillSubject, is_of_drill, samples_of
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
    ("subject", "entry", "listed", "is_own"),
    [
        (DRILL, an_entry(), (), True),
        (DRILL, an_entry(sample=False), (), False),
        (DRILL, an_entry(stream="cspm"), (), False),
        (DRILL, an_entry(plan="KeyVaults"), (), False),
        (DRILL, an_entry(resource="/subscriptions/another/resourceGroups/rg"), (), False),
        (DRILL, an_entry(resource=ZEROS), (), True),
        (DRILL, an_entry(resource=ZEROS), ("b-2",), False),
        (DRILL, an_entry(resource=ZEROS), ("a-1",), True),
        (DRILL, an_entry(plan=None, resource=None), ("a-1",), True),
        (DRILL, an_entry(sample=False), ("a-1",), False),
        (A_CLUSTER, an_entry(sample=False, plan="Containers", resource=CLUSTER), (), True),
        (A_CLUSTER, an_entry(sample=False, plan=None, type="K8S_X", resource=CLUSTER.upper()), (), True),
        (A_CLUSTER, an_entry(sample=False, plan="Containers", resource=f"{CLUSTER}-2"), (), False),
        (A_CLUSTER, an_entry(sample=True, plan="Containers", resource=CLUSTER), (), False),
        (A_CLUSTER, an_entry(sample=False, resource=CLUSTER), (), False),
        (ITS_ID, an_entry(sample=False, plan="Containers", resource=CLUSTER.upper()), (), True),
        (ITS_ID, an_entry(sample=False, plan="Containers", resource=f"{CLUSTER}/x"), (), False),
    ],
)
def test_a_decision_is_about_an_alert_of_the_drill_if_it_fits_or_defender_lists_it(
    subject: DrillSubject, entry: RecordEntry, listed: tuple[str, ...], is_own: bool
) -> None:
    """A sample without a subscription is one of any, unless Defender's list says whose it is."""
    assert is_of_drill(entry, subject, listed) is is_own


def test_the_samples_of_the_double_are_json() -> None:
    """As they are exported."""
    (sample,) = samples_of_bundle("KeyVaults", SUBSCRIPTION, BEGAN)
    assert json.loads(sample.exported())["SystemAlertId"] == sample.id
