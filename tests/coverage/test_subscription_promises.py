"""The promises of the gate, over exports, suppression rules and alerts: less never covers, more of others changes nothing."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.coverage import CoverageState, Rung
from router.domain.coverage_manifest import ExpectedExport
from tests.coverage.builders import (
    CLUSTER,
    HUB,
    SUBSCRIPTION,
    alert,
    automation,
    expecting,
    judged,
    managed_cluster,
    nodes,
    only,
    pricing,
    suppression_rule,
)
from tests.examples import some_of

MANIFEST = expecting(Rung.SUPPRESSION, Rung.EXPORT, Rung.DETECTION, export=ExpectedExport(alerts=HUB))

AUTOMATIONS = st.builds(
    automation,
    hub=st.sampled_from([HUB, HUB, HUB, f"{HUB}-2", None]),
    isEnabled=st.sampled_from([True, True, True, False]),
    rule_sets=st.sampled_from([[], [[only("High")]], [[only("Low")], [only("i", operator="Contains")]]]),
)
RULES = st.builds(
    suppression_rule,
    expirationDateUTC=st.sampled_from(["2026-12-24T00:00:00Z", "2026-12-24T00:00:00Z", "2020-01-01T00:00:00Z", None]),
    state=st.sampled_from(["Enabled", "Disabled", "?"]),
)
ALERTS = st.builds(
    alert,
    st.sampled_from([CLUSTER, CLUSTER.upper(), f"{CLUSTER}-2"]),
    type=st.sampled_from(["K8S.NODE_EICAR", "K8S_X", "SIMULATED_K8S.NODE_EICAR"]),
)
PART = st.sets(st.sampled_from(["isEnabled", "scopes", "sources", "actions"]), max_size=2)


@st.composite
def worlds(draw: st.DrawFn) -> list[Any]:
    """Documents that say, each a part of it, what is so at one time: whole lists, pages, single answers, projections."""
    documents: list[Any] = []
    for name in draw(st.sets(st.sampled_from(["first", "second"]), max_size=2)):
        whole: Any = {**draw(AUTOMATIONS), "id": f"{automation(name)['id']}", "name": name}
        documents.append(whole)
        left = draw(PART)
        properties = {key: value for key, value in whole["properties"].items() if key not in left}
        documents.append([{**whole, "properties": properties}])
    rules = [
        {**draw(RULES), "id": suppression_rule(name)["id"], "name": name}
        for name in draw(st.sets(st.sampled_from(["noisy", "old"]), max_size=2))
    ]
    listed = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Security/alertsSuppressionRules"
    documents.append({"id": listed, "value": rules})
    documents += [{"value": [rule], "nextLink": "more"} for rule in rules if draw(st.booleans())]
    documents += [[one] for one in draw(st.lists(ALERTS, max_size=3))]
    documents += [[pricing("Containers")], managed_cluster()]
    return draw(st.permutations(documents))


def states(documents: list[Any]) -> dict[tuple[str, Rung], CoverageState]:
    """What is known of each workload on each rung."""
    found = judged(*documents, manifest=MANIFEST).assessed.verdicts()
    return {(workload.name, rung): verdict.state for workload, rung, verdict in found}


@given(worlds())
@settings(max_examples=some_of(150))
def test_removing_a_document_never_covers(documents: list[Any]) -> None:
    """What nobody asked is unknown."""
    before = states(documents)
    for number in range(len(documents)):
        after = states(documents[:number] + documents[number + 1 :])
        for key, state in after.items():
            assert state is not CoverageState.COVERED or before[key] is CoverageState.COVERED, (key, documents[number])


def test_every_rung_is_covered_in_some_world() -> None:
    """So that the promises above are about something."""
    found = states([[automation()], [suppression_rule()], [alert(CLUSTER, type="K8S.NODE_EICAR")], managed_cluster()])
    wanted = [(SUBSCRIPTION, Rung.EXPORT), (SUBSCRIPTION, Rung.SUPPRESSION), ("payments", Rung.DETECTION)]
    assert all(found[key] is CoverageState.COVERED for key in wanted)


UNRELATED: list[Any] = [
    {"hello": "world"},
    [],
    {"value": []},
    {"id": "/subscriptions/s/providers/Microsoft.Security/contacts", "value": []},
    [alert(f"{CLUSTER}-3", type="K8S.NODE_EICAR")],
    {"value": [{"id": "/x", "type": "Microsoft.Security/automation", "properties": {"isEnabled": False}}]},
]


@given(worlds(), st.sampled_from(UNRELATED))
@settings(max_examples=some_of(60))
def test_adding_an_unrelated_document_changes_nothing(documents: list[Any], other: Any) -> None:
    """Whatever it holds."""
    before = judged(*documents, manifest=MANIFEST).assessed
    assert judged(*documents, other, manifest=MANIFEST).assessed == before


JUNK: list[Any] = [
    None, True, 0, -1, 1.5, "", "x", "True", [], {}, [[]], [None], [{}], {"a": []}, "/subscriptions/", "/",
    "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "\x00", 10**30,
]  # fmt: skip


def spots(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where in a document something stands."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield (*path, key)
        yield from spots(one, (*path, key))


@given(st.data())
@settings(max_examples=some_of(300))
def test_no_document_makes_it_fail(data: st.DataObject) -> None:
    """Other tools and versions write other things; nobody vouches for any of them."""
    whole: Any = data.draw(
        st.sampled_from(
            [
                automation(rule_sets=[[only("High")]]),
                [suppression_rule()],
                [alert(CLUSTER, extendedProperties={"effectiveAzureResourceId": CLUSTER})],
                {"value": [automation(), suppression_rule(), alert(CLUSTER)]},
                *nodes(1),
            ]
        )
    )
    damaged: Any = json.loads(json.dumps(whole))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(list(spots(damaged)) or [()]))
        target = damaged
        for key in path[:-1]:
            target = target[key]
        if path:
            target[path[-1]] = copy.deepcopy(data.draw(st.sampled_from(JUNK)))
    judged(damaged, managed_cluster(), manifest=MANIFEST)
    judged(damaged, managed_cluster())
