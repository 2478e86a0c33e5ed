"""What `ConvertTo-Json` of PowerShell makes of what is too deep: texts, which say nothing of what stood there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from router.coverage.expected.manifest import ExpectedExport
from router.coverage.verdicts import CoverageState
from router.domain.coverage import Rung
from tests.coverage.builders import (
    HUB,
    SUBSCRIPTION,
    Json,
    automation,
    connector,
    expecting,
    judged,
    managed_cluster,
    offering,
    only,
    resource,
    suppression_rule,
    verdict,
)

EXPORT = expecting(Rung.EXPORT, export=ExpectedExport(alerts=HUB))
UNKNOWN = CoverageState.UNKNOWN


def cut(value: Any, depth: int) -> Any:
    """A value as PowerShell writes it: what is deeper is a text."""
    if not isinstance(value, dict | list):
        return value
    if depth < 0:
        return f"@{{{'; '.join(f'{name}=' for name in value)}}}" if isinstance(value, dict) else "System.Object[]"
    if isinstance(value, list):
        return [cut(one, depth - 1) for one in value]
    return {name: cut(one, depth - 1) for name, one in value.items()}


def documents() -> dict[str, tuple[Json, str, Rung]]:
    """Documents that cover something, each with what and on which rung."""
    rules = [[only("0", operator="NotEquals")]]
    return {
        "export": (automation(rule_sets=rules), SUBSCRIPTION, Rung.EXPORT),
        "suppression": (suppression_rule(), SUBSCRIPTION, Rung.SUPPRESSION),
        "connector": (connector(*map(offering, _OFFERINGS)), "shop", Rung.PLAN),
        "cluster": (managed_cluster(), "payments", Rung.INTEGRATION),
    }


_OFFERINGS = ("DefenderForServersAws", "DefenderForContainersAws", "DefenderForDatabasesAws")


@pytest.mark.parametrize("name", documents())
@pytest.mark.parametrize("depth", range(1, 9))
def test_what_was_cut_is_unknown_and_never_a_gap_or_covered_by_less(name: str, depth: int) -> None:
    """At any depth: what remains proves either all of it or nothing."""
    document, workload, rung = documents()[name]
    whole = json.loads(json.dumps([document]))
    shortened = cut(whole, depth)
    result = judged(shortened, manifest=EXPORT if rung is Rung.EXPORT else expecting(rung))
    states = {found.state for one, at, found in result.assessed.verdicts() if (one.name, at) == (workload, rung)}
    assert states <= {CoverageState.COVERED if shortened == whole else UNKNOWN}


@pytest.mark.parametrize("sets", ["@{rules=}", [None], [{"rules": "@{x=}"}], 3, {"rules": "System.Object[]"}])
def test_rules_that_cannot_be_read_let_nothing_pass_for_certain(sets: object) -> None:
    """Nothing there sends everything; one alone is a list of one."""
    exported = automation(sources=[{"eventSource": "Alerts", "ruleSets": sets}])
    assert verdict(judged([exported], manifest=EXPORT), SUBSCRIPTION, Rung.EXPORT).state is UNKNOWN
    alone = automation(sources=[{"eventSource": "Alerts", "ruleSets": {"rules": [only("High")]}}])
    assert verdict(judged([alone], manifest=EXPORT), SUBSCRIPTION, Rung.EXPORT).state is CoverageState.GAP


def test_a_rule_whose_scope_was_cut_is_not_to_be_switched_off() -> None:
    """It may be narrow."""
    rule = suppression_rule(suppressionAlertsScope="@{allOf=System.Object[]}")
    found = verdict(judged([rule]), SUBSCRIPTION, Rung.SUPPRESSION)
    assert found.state is UNKNOWN
    assert "Disabled" not in (found.remedy or "")


def test_properties_that_were_cut_say_nothing_of_a_cluster() -> None:
    """Its profile may ask for the sensor."""
    id = managed_cluster()["id"]
    row = {**resource(str(id), "Microsoft.ContainerService/managedClusters"), "properties": "@{securityProfile=}"}
    assert verdict(judged([row]), "payments", Rung.INTEGRATION).state is UNKNOWN
