"""Whether the plans of an AWS account or a GCP project are on, as its connector says.

An offering that a connector does not have is a plan that is off. Servers, containers and databases protect, and an account is
connected for those of them that it needs; Defender CSPM and the foundational one are posture. Which of them must be on the
manifest says, else one that protects.
https://learn.microsoft.com/azure/templates/microsoft.security/securityconnectors
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from router.coverage.case import CoverageCase
from router.coverage.connectors.offerings import ConnectorOfferings
from router.coverage.plans.table import find_lacking, plan_named
from router.coverage.readers.connectors import environment_subject
from router.coverage.remedies import ASK_CONNECTORS
from router.coverage.verdicts import Verdict, covered, gap, unknown
from router.domain.coverage import Rung, WorkloadKind

RUNG = Rung.PLAN
KINDS = (WorkloadKind.AWS_ACCOUNT, WorkloadKind.GCP_PROJECT)

_PROTECTION = ("DefenderForServers", "DefenderForContainers", "DefenderForDatabases")
_FOUNDATIONAL = "CspmMonitor"
_POSTURE = ("DefenderCspm", _FOUNDATIONAL)
_CLOUDS: Mapping[WorkloadKind, str] = {WorkloadKind.AWS_ACCOUNT: "Aws", WorkloadKind.GCP_PROJECT: "Gcp"}
_AS_IN_AZURE: Mapping[str, str] = {
    "virtualmachines": "DefenderForServers",
    "containers": "DefenderForContainers",
    "sqlservervirtualmachines": "DefenderForDatabases",
    "opensourcerelationaldatabases": "DefenderForDatabases",
    "cloudposture": "DefenderCspm",
    "foundationalcspm": _FOUNDATIONAL,
}
"""What a plan of a subscription is called in a connector. Other plans have no counterpart in another cloud."""

_TURN_ON = "a plan is turned on in Environment settings, which also makes its role in the other cloud; no one command does both"


def judge(case: CoverageCase) -> Verdict | None:
    """Covered where the connector has each offering that is expected, with the sub-plan that is expected."""
    offerings = ConnectorOfferings.about(case.facts, environment_subject(case.workload.kind, case.workload.subject))
    if not offerings.connectors:
        return unknown("no document says which plans its connector has", remedy=ASK_CONNECTORS)
    expected = _expected(case, offerings)
    evidence = offerings.shows_types()
    remarks = _remarks(case, offerings, expected)
    off = [name for name in expected if name.lower() not in offerings.names()]
    if off:
        return gap(f"{_listed(off)} {_are(off)} off", *evidence, remarks=(*remarks, _TURN_ON))
    needed = {name: wanted for name, wanted in expected.items() if wanted is not None}
    weak = [
        f"{name} is {' and '.join(sub_plans)}, where {wanted} is expected"
        for name, wanted in needed.items()
        if (sub_plans := offerings.sub_plans(name.lower())) and not all(_includes(one, wanted) for one in sub_plans)
    ]
    if weak:
        return gap("; ".join(weak), *evidence, remarks=(*remarks, _TURN_ON))
    if silent := [name for name in needed if not offerings.sub_plans(name.lower())]:
        reason = f"no document says which sub-plan of {_listed(silent)} it is, or they contradict each other"
        return unknown(reason, *evidence, remedy=ASK_CONNECTORS, remarks=remarks)
    idle = [name for name in _protecting(case) if name not in expected and name.lower() not in offerings.names()]
    limit = f"{_listed(idle)} {_are(idle)} off, and not among the plans of coverage.yaml"
    return covered(
        f"{_listed(expected)} {_are(expected)} on", *evidence, remarks=remarks, limits=(limit,) if idle else ()
    )


def _includes(sub_plan: str, wanted: str) -> bool:
    """Whether a sub-plan has all that the one has that is expected: only servers have some."""
    return find_lacking(plan_named("VirtualMachines"), sub_plan, wanted) == ()


def _protecting(case: CoverageCase) -> list[str]:
    return [f"{name}{_CLOUDS[case.workload.kind]}" for name in _PROTECTION]


def _expected(case: CoverageCase, offerings: ConnectorOfferings) -> Mapping[str, str | None]:
    """The offerings that are expected, each with its sub-plan: those that the manifest names.

    Else it is those that protect and are on, since no document says what an account has; where none is on, all of them.
    """
    cloud = _CLOUDS[case.workload.kind]
    by_name = {f"{name}{cloud}".lower(): f"{name}{cloud}" for name in (*_PROTECTION, *_POSTURE)}
    expected: dict[str, str | None] = {}
    for plan, sub_plan in case.expectation.plans.items():
        name = f"{_AS_IN_AZURE[plan.lower()]}{cloud}" if plan.lower() in _AS_IN_AZURE else by_name.get(plan.lower())
        if name is not None:
            expected[name] = sub_plan or expected.get(name)
    on = [name for name in _protecting(case) if name.lower() in offerings.names()]
    expected = expected or dict.fromkeys(on or _protecting(case))
    if case.manifest.expects_posture:
        expected.setdefault(f"{_FOUNDATIONAL}{cloud}", None)
    return expected


def _remarks(case: CoverageCase, offerings: ConnectorOfferings, expected: Mapping[str, str | None]) -> tuple[str, ...]:
    posture = [f"{name}{_CLOUDS[case.workload.kind]}" for name in _POSTURE]
    off = [name for name in posture if name not in expected and name.lower() not in offerings.names()]
    excluded = dict.fromkeys(name for one in offerings.connectors for name in one.excluded)
    return (
        *((f"{_listed(off)} {_are(off)} off, which is posture",) if off else ()),
        *((f"its organization leaves out {_listed(excluded)}",) if excluded else ()),
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _are(names: Collection[str]) -> str:
    return "are" if len(names) > 1 else "is"
