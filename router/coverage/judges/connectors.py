"""AWS accounts and GCP projects, by what their connectors say, and the clusters of EKS and GKE in them. Pure.

An offering that a connector does not have is a plan that is off. Servers, containers and databases protect; Defender CSPM and
the foundational one are posture. A cluster there has no subscription, so that no plan of a subscription says anything of it.
https://learn.microsoft.com/azure/templates/microsoft.security/securityconnectors,
https://learn.microsoft.com/azure/defender-for-cloud/defender-for-containers-troubleshoot,
https://docs.aws.amazon.com/eks/latest/userguide/control-plane-logs.html
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from router.coverage.facts import CoverageCase, Facts
from router.coverage.fields import find, find_text, find_truth, worst_truth
from router.coverage.kubernetes.asks import ASK_CLUSTER
from router.coverage.plans.table import find_lacking, plan_named
from router.coverage.readers.clusters import CloudClusterFact, ConnectorFact, environment_subject
from router.coverage.remedies import ASK_CONNECTORS, ask_resource, command_line
from router.coverage.verdicts import CoverageEvidence, Verdict, covered, gap, not_coverable, unknown
from router.domain.coverage import WorkloadKind
from router.domain.resources import parse_resource_id

_SENSOR_SWITCH = ("enableDefenderAgentAutoProvisioning",)
"""The switch of an offering for containers by which a connector brings the sensor to clusters."""

_CONTAINER_OFFERINGS = ("DefenderForContainersAws", "DefenderForContainersGcp")
"""The offerings that protect clusters, one for each cloud."""

type _Body = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _Offerings:
    """What the documents of the connectors of one account or project say together.

    Several documents of one connector: the worst one counts. Several connectors: it is enough that one of them has an offering.
    But a connector in any subscription may call itself one account's, so one of each subscription must have it, and say so.
    """

    documents: Sequence[ConnectorFact]

    @classmethod
    def about(cls, facts: Facts, environment: str) -> _Offerings:
        """Those of an account or a project, which `environment_subject` names."""
        return cls(facts.about(ConnectorFact, environment))

    @property
    def ask(self) -> str | None:
        """The line that asks each connector by itself for what a list of them left out."""
        return "\n".join(map(ask_resource, dict.fromkeys(one.connector for one in self.documents))) or None

    def by_subscription(self) -> Mapping[str | None, list[Mapping[str, list[_Body]]]]:
        """For each connector that says them the offerings that all its documents have, each with what they say of it."""
        found: dict[str | None, list[Mapping[str, list[_Body]]]] = {}
        for connector in dict.fromkeys(one.connector for one in self.documents):
            of_one = (one.offerings for one in self.documents if one.connector == connector)
            some = found.setdefault(parse_resource_id(connector).subscription, [])
            if said := [one for one in of_one if one is not None]:
                some += [{name: [one[name] for one in said] for name in said[0] if all(name in one for one in said)}]
        return found

    @property
    def are_known(self) -> bool:
        """Whether the connectors of each subscription say what they offer."""
        return bool(self.documents) and all(self.by_subscription().values())

    def lacks(self, name: str) -> bool:
        """Whether the connectors of a subscription say what they offer, and none of them has that."""
        return any(some and not any(name in one for one in some) for some in self.by_subscription().values())

    def names(self) -> list[str]:
        """The types of the offerings that are on, in lower case."""
        every = dict.fromkeys(name for some in self.by_subscription().values() for one in some for name in one)
        return [name for name in every if not self.lacks(name)]

    def values(self, name: str, *path: str) -> list[list[list[object]]]:
        """For each subscription what the documents of each of its connectors say at a path of one offering."""
        subscriptions = self.by_subscription().values()
        return [[[find(body, *path) for body in one[name]] for one in some if name in one] for some in subscriptions]

    def is_on(self, name: str, *switch: str) -> bool | None:
        """Whether a switch of an offering is on; None where the documents of a subscription do not say it."""
        said = [{worst_truth(map(find_truth, one)) for one in some} - {None} for some in self.values(name, *switch)]
        if {False} in said:
            return False
        return True if said and all(said) else None

    def sub_plans(self, name: str) -> list[str]:
        """The sub-plans of an offering on which a connector's documents agree, as P2; "" where a subscription has none."""
        found: set[str] = set()
        for some in self.values(name, "subPlan"):
            answers = [set(map(_sub_plan, one)) - {""} for one in some]
            found |= set().union(*(one for one in answers if len(one) == 1)) or {""}
        return sorted(found)

    def shows(self, name: str, *switch: str) -> Iterator[CoverageEvidence]:
        """The evidence of a switch."""
        for one in self.documents:
            if (on := find_truth((one.offerings or {}).get(name), *switch)) is not None:
                yield one.source.shows(f"properties.offerings[{name}].{'.'.join(switch)}", on)

    def shows_types(self) -> list[CoverageEvidence]:
        """The evidence of which offerings there are."""
        field = "properties.offerings[].offeringType"
        said = [(one.source, one.offerings) for one in self.documents if one.offerings is not None]
        return [source.shows(field, ", ".join(offerings)) for source, offerings in said]


def _connector_ask(facts: Facts) -> str | None:
    """The line that asks for every connector; None where it was answered, and all of them are of others."""
    is_answered = any(one.offerings is not None for one in facts.every(ConnectorFact))
    return None if is_answered else ASK_CONNECTORS


def _sub_plan(written: object) -> str:
    """The sub-plan, which some versions of the API wrap; empty where none is written."""
    return (find_text(written) or find_text(written, "type") or "").upper()


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


def judge_connector_plans(case: CoverageCase) -> Verdict | None:
    """Covered where the connector has each offering that is expected, with the sub-plan that is expected."""
    offerings = _Offerings.about(case.facts, environment_subject(case.workload.kind, case.workload.subject))
    expected = _expected(case, offerings)
    evidence = offerings.shows_types()
    remarks = _remarks(case, offerings, expected)
    if off := [name for name in expected if offerings.lacks(name.lower())]:
        return gap(f"{', '.join(off)} {_are(off)} off", *evidence, remarks=(*remarks, _TURN_ON))
    needed = {name: wanted for name, wanted in expected.items() if wanted is not None}
    weak = [
        f"{name} is {' and '.join(sub_plans)}, where {wanted} is expected"
        for name, wanted in needed.items()
        if (sub_plans := [*filter(None, offerings.sub_plans(name.lower()))])
        and not all(_includes(one, wanted) for one in sub_plans)
    ]
    if weak:
        return gap("; ".join(weak), *evidence, remarks=(*remarks, _TURN_ON))
    if not offerings.are_known:
        return unknown("no document says which plans its connector has", *evidence, remedy=ASK_CONNECTORS)
    if silent := [name for name in needed if "" in offerings.sub_plans(name.lower())]:
        reason = f"no document says which sub-plan of {', '.join(silent)} it is, or they contradict each other"
        return unknown(reason, *evidence, remedy=ASK_CONNECTORS, remarks=remarks)
    idle = [name for name in _protecting(case) if name not in expected and name.lower() not in offerings.names()]
    limit = f"{', '.join(idle)} {_are(idle)} off, and not among the plans of coverage.yaml"
    return covered(
        f"{', '.join(expected)} {_are(expected)} on", *evidence, remarks=remarks, limits=(limit,) if idle else ()
    )


def _includes(sub_plan: str, wanted: str) -> bool:
    """Whether a sub-plan has all that the one has that is expected: only servers have some."""
    return find_lacking(plan_named("VirtualMachines"), sub_plan, wanted) == ()


def _protecting(case: CoverageCase) -> list[str]:
    return [f"{name}{_CLOUDS[case.workload.kind]}" for name in _PROTECTION]


def _expected(case: CoverageCase, offerings: _Offerings) -> Mapping[str, str | None]:
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


def _remarks(case: CoverageCase, offerings: _Offerings, expected: Mapping[str, str | None]) -> tuple[str, ...]:
    posture = [f"{name}{_CLOUDS[case.workload.kind]}" for name in _POSTURE]
    off = [name for name in posture if name not in expected and name.lower() not in offerings.names()]
    excluded = dict.fromkeys(name for one in offerings.documents for name in one.excluded)
    return (
        *((f"{', '.join(off)} {_are(off)} off, which is posture",) if off else ()),
        *((f"its organization leaves out {', '.join(excluded)}",) if excluded else ()),
    )


def _are(names: Collection[str]) -> str:
    return "are" if len(names) > 1 else "is"


_SWITCHES: Mapping[str, Mapping[tuple[str, ...], str]] = {
    "defenderforservers": {("mdeAutoProvisioning", "enabled"): "no machine gets Defender for Endpoint"},
    "defenderforcontainers": {
        _SENSOR_SWITCH: "no cluster gets the sensor",
        ("enableAuditLogsAutoProvisioning",): "no alert of a control plane can come",
    },
}
"""By the offering without its cloud: what must be on, and what does not happen where it is off."""


def judge_connector_switches(case: CoverageCase) -> Verdict | None:
    """Covered where each switch of the plans that are on is known to be on; None where no plan that has one is on."""
    offerings = _Offerings.about(case.facts, environment_subject(case.workload.kind, case.workload.subject))
    switches = [
        (".".join(path), purpose, offerings.is_on(name, *path), list(offerings.shows(name, *path)))
        for name in offerings.names()
        for path, purpose in _SWITCHES.get(name[:-3], {}).items()
        if path != _SENSOR_SWITCH or not _is_by_helm(offerings, name)
    ]
    remarks = tuple(_switch_remarks(offerings))
    if off := [one for one in switches if one[2] is False]:
        reason = "; ".join(f"{path} is off: {purpose}" for path, purpose, *_ in off)
        return gap(reason, *(one for *_, shown in off for one in shown), remarks=remarks)
    if not offerings.are_known:
        return unknown("no document says what its connector brings", remedy=offerings.ask, remarks=remarks)
    if not switches:
        return None
    every = [one for *_, shown in switches for one in shown]
    if silent := [path for path, _, is_on, _ in switches if is_on is None]:
        reason = f"no document says whether {' and '.join(silent)} {_are(silent)} on"
        return unknown(reason, *every, remedy=offerings.ask, remarks=remarks)
    return covered("its plans bring sensors and logs", *every, remarks=remarks)


def _is_by_helm(offerings: _Offerings, name: str) -> bool:
    methods = [
        find_text(one) or "" for some in offerings.values(name, "installationMethod") for said in some for one in said
    ]
    return {one.lower() for one in methods} == {"helm"}


def _switch_remarks(offerings: _Offerings) -> Iterator[str]:
    for name in offerings.names():
        if name[:-3] == "defenderforservers" and offerings.is_on(name, "arcAutoProvisioning", "enabled") is False:
            yield "the connector does not deploy Azure Arc on machines, so somebody else must"
        if name[:-3] == "defenderforcontainers" and _is_by_helm(offerings, name):
            yield "the sensor comes by Helm, so each cluster must be looked at"
        tags = offerings.values(name, "vmScanners", "configuration", "exclusionTags")
        said = [one for some in tags for of_one in some for one in of_one if isinstance(one, Mapping)]
        skipped = dict.fromkeys(str(tag) for one in said for tag in one)
        if skipped:
            yield f"agentless scans of {name} skip machines with the tags {', '.join(skipped)}"


def judge_plan_of_cloud_cluster(facts: Facts, cluster: CloudClusterFact) -> Verdict:
    """Covered where the connector has the offering."""
    offerings = _Offerings.about(facts, cluster.environment)
    evidence = offerings.shows_types()
    if all(map(offerings.lacks, _OFFERINGS)):
        return gap("the connector has no plan for containers", *evidence)
    if not offerings.are_known:
        reason = "no document says which plans the connector of its account or project has"
        return unknown(reason, *evidence, remedy=ASK_CONNECTORS)
    on = next(name for name in _CONTAINER_OFFERINGS if name.lower() in offerings.names())
    return covered(f"{on} is on", *evidence)


_NEEDED = ("audit", "authenticator")
_OFFERINGS = tuple(name.lower() for name in _CONTAINER_OFFERINGS)


def judge_cloud_cluster(
    case: CoverageCase, said: Sequence[CloudClusterFact], *, reasons: Sequence[str], has_sensor: bool
) -> Verdict:
    """Covered where the control plane is logged and something brings the sensor; `reasons` say why nothing may."""
    is_eks = case.workload.subject.startswith("arn:")
    logged = {one.logged for one in said if one.logged is not None}
    missing = [log for log in _NEEDED if any(log not in some for some in logged)]
    evidence = [one.source.shows("cluster.logging.clusterLogging", ", ".join(sorted(one.logged or ()))) for one in said]
    if is_eks and missing:
        reason = f"its control plane writes no {' and no '.join(missing)} log, so no alert of it can come"
        return gap("; ".join([reason, *reasons]), *evidence, remedy=_log(case, said[0]))
    if is_eks and not logged:
        return unknown("no document says which logs its control plane writes", remedy=_describe(case, said[0]))
    autopilot = next((one for one in said if one.is_autopilot), None)
    if autopilot is not None and not has_sensor:
        return not_coverable("GKE Autopilot takes no sensor", autopilot.source.shows("autopilot.enabled", True))
    shown = evidence if is_eks else []
    if has_sensor:
        return covered("the sensor is in the cluster", *shown)
    return _by_connector(case, said, reasons)


def _by_connector(case: CoverageCase, said: Sequence[CloudClusterFact], reasons: Sequence[str]) -> Verdict:
    offerings = _Offerings.about(case.facts, said[0].environment)
    names = [name for name in offerings.names() if name in _OFFERINGS]
    answers = [offerings.is_on(name, *_SENSOR_SWITCH) for name in names]
    evidence = [one for name in names for one in offerings.shows(name, *_SENSOR_SWITCH)]
    if True in answers:
        return covered("the connector brings the sensor", *evidence)
    if False in answers:
        reason = "the connector does not bring the sensor, and none is seen in the cluster"
        return gap("; ".join([reason, *reasons]), *evidence)
    if not offerings.are_known:
        ask = _connector_ask(case.facts) or offerings.ask
        others = "" if ask else ", and the connectors that were given are of others"
        reason = "; ".join([f"no document says what brings it the sensor{others}", *reasons])
        # Where the connectors were asked, the cluster itself may show a sensor that came by Helm.
        return unknown(reason, remedy=ask or ASK_CLUSTER)
    if not names:
        why = "the connector has no plan for containers, and no document says what else brings it the sensor"
        return unknown("; ".join([why, *reasons]), *offerings.shows_types(), remedy=ASK_CLUSTER)
    why = "the connector does not say whether it brings the sensor"
    return unknown("; ".join([why, *reasons]), *offerings.shows_types(), remedy=offerings.ask)


def _describe(case: CoverageCase, said: CloudClusterFact) -> str:
    name = (case.workload.id or "").rpartition("/")[2]
    return command_line("aws", "eks", "describe-cluster", "--region", said.region, "--name", name, "--output", "json")


def _log(case: CoverageCase, said: CloudClusterFact) -> str:
    name = (case.workload.id or "").rpartition("/")[2]
    logging = json.dumps({"clusterLogging": [{"types": list(_NEEDED), "enabled": True}]})
    return command_line(
        "aws", "eks", "update-cluster-config", "--region", said.region, "--name", name, "--logging", logging
    )
