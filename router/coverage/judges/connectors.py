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

from router.coverage.facts import CoverageCase, Facts
from router.coverage.fields import find, find_text, find_truth, worst_truth
from router.coverage.kubernetes.commands import ASK_CLUSTER
from router.coverage.plans.table import find_lacking, plan_named
from router.coverage.readers.clusters import CloudClusterFact, ConnectorFact, environment_subject
from router.coverage.remedies import ASK_CONNECTORS, ask_resource, command_line
from router.coverage.verdicts import CoverageEvidence, Verdict, covered, gap, not_coverable, unknown
from router.domain.coverage import WorkloadKind
from router.domain.resources import parse_resource_id

_SENSOR_SWITCH = ("enableDefenderAgentAutoProvisioning",)
"""The switch of an offering for containers by which a connector brings the sensor to clusters."""

type _Body = Mapping[str, object]


class _Offerings:
    """What the documents of the connectors of one account or project, which `environment_subject` names, say together.

    Several documents of one connector: the worst one counts. Several connectors: it is enough that one of them has an offering.
    But a connector in any subscription may call itself one account's, so one of each subscription must have it, and say so.
    """

    def __init__(self, facts: Facts, environment: str) -> None:
        self.documents = facts.about(ConnectorFact, environment)
        # For each connector that says them the offerings that all its documents have, each with what they say of it.
        by_subscription: dict[str | None, list[Mapping[str, list[_Body]]]] = {}
        for connector in dict.fromkeys(one.connector for one in self.documents):
            some = by_subscription.setdefault(parse_resource_id(connector).subscription, [])
            answers = [one.offerings for one in self.documents if one.connector == connector]
            if known := [one for one in answers if one is not None]:
                some += [{name: [one[name] for one in known] for name in known[0] if all(name in one for one in known)}]
        self._subscriptions = list(by_subscription.values())
        self.are_known = bool(self._subscriptions) and all(self._subscriptions)
        every = dict.fromkeys(name for some in self._subscriptions for one in some for name in one)
        self.names = [name for name in every if not self.lacks(name)]
        """The types of the offerings that are on, in lower case."""

    @property
    def ask(self) -> str | None:
        """The line that asks each connector by itself for what a list of them left out."""
        return "\n".join(map(ask_resource, dict.fromkeys(one.connector for one in self.documents))) or None

    def lacks(self, name: str) -> bool:
        """Whether the connectors of a subscription say what they offer, and none of them has that."""
        return any(some and not any(name in one for one in some) for some in self._subscriptions)

    def values(self, name: str, *path: str) -> list[list[list[object]]]:
        """For each subscription what the documents of each of its connectors say at a path of one offering."""
        return [
            [[find(body, *path) for body in one[name]] for one in some if name in one] for some in self._subscriptions
        ]

    def is_on(self, name: str, *switch: str) -> bool | None:
        """Whether a switch of an offering is on; None where the documents of a subscription do not say it."""
        answers = [{worst_truth(map(find_truth, one)) for one in some} - {None} for some in self.values(name, *switch)]
        return False if {False} in answers else True if answers and all(answers) else None

    def sub_plans(self, name: str) -> list[str]:
        """The sub-plans of an offering on which a connector's documents agree, as P2; "" where a subscription has none."""
        found: set[str] = set()
        for some in self.values(name, "subPlan"):
            # Some versions of the API wrap it.
            answers = [{(find_text(it) or find_text(it, "type") or "").upper() for it in one} - {""} for one in some]
            found |= set().union(*(one for one in answers if len(one) == 1)) or {""}
        return sorted(found)

    def is_by_helm(self, name: str) -> bool:
        """Whether its sensor comes by Helm, so that the connector does not bring it."""
        methods = [one for some in self.values(name, "installationMethod") for answers in some for one in answers]
        return {(find_text(one) or "").lower() for one in methods} == {"helm"}

    def shows(self, name: str, *switch: str) -> Iterator[CoverageEvidence]:
        """The evidence of a switch."""
        for one in self.documents:
            if (on := find_truth((one.offerings or {}).get(name), *switch)) is not None:
                yield one.source.shows(f"properties.offerings[{name}].{'.'.join(switch)}", on)

    def shows_types(self) -> list[CoverageEvidence]:
        """The evidence of which offerings there are."""
        field = "properties.offerings[].offeringType"
        known = [(one.source, one.offerings) for one in self.documents if one.offerings is not None]
        return [source.shows(field, ", ".join(offerings)) for source, offerings in known]


_PROTECTION = ("DefenderForServers", "DefenderForContainers", "DefenderForDatabases")
_FOUNDATIONAL = "CspmMonitor"
_POSTURE = ("DefenderCspm", _FOUNDATIONAL)
_CONTAINER_OFFERINGS = ("DefenderForContainersAws", "DefenderForContainersGcp")
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
    offerings = _Offerings(case.facts, environment_subject(case.workload.kind, case.workload.subject))
    expected = _expected(case, offerings)
    evidence = offerings.shows_types()
    remarks = _remarks(case, offerings, expected)
    if off := [name for name in expected if offerings.lacks(name.lower())]:
        return gap(f"{', '.join(off)} {_verb_for(off)} off", *evidence, remarks=(*remarks, _TURN_ON))
    needed = {name: wanted for name, wanted in expected.items() if wanted is not None}
    sub_plans = {name: offerings.sub_plans(name.lower()) for name in needed}
    # Only servers have sub-plans of which one includes another.
    servers = plan_named("VirtualMachines")
    weak = [
        f"{name} is {' and '.join(filter(None, sub_plans[name]))}, where {wanted} is expected"
        for name, wanted in needed.items()
        if not all(find_lacking(servers, one, wanted) == () for one in sub_plans[name] if one)
    ]
    if weak:
        return gap("; ".join(weak), *evidence, remarks=(*remarks, _TURN_ON))
    if not offerings.are_known:
        return unknown("no document says which plans its connector has", *evidence, remedy=ASK_CONNECTORS)
    if silent := [name for name in needed if "" in sub_plans[name]]:
        reason = f"no document says which sub-plan of {', '.join(silent)} it is, or they contradict each other"
        return unknown(reason, *evidence, remedy=ASK_CONNECTORS, remarks=remarks)
    protecting = [f"{name}{_CLOUDS[case.workload.kind]}" for name in _PROTECTION]
    idle = [name for name in protecting if name not in expected and name.lower() not in offerings.names]
    limit = f"{', '.join(idle)} {_verb_for(idle)} off, and not among the plans of coverage.yaml"
    return covered(
        f"{', '.join(expected)} {_verb_for(expected)} on", *evidence, remarks=remarks, limits=(limit,) if idle else ()
    )


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
    protecting = [f"{name}{cloud}" for name in _PROTECTION]
    on = [name for name in protecting if name.lower() in offerings.names]
    expected = expected or dict.fromkeys(on or protecting)
    if case.manifest.expects_posture:
        expected.setdefault(f"{_FOUNDATIONAL}{cloud}", None)
    return expected


def _remarks(case: CoverageCase, offerings: _Offerings, expected: Mapping[str, str | None]) -> tuple[str, ...]:
    posture = [f"{name}{_CLOUDS[case.workload.kind]}" for name in _POSTURE]
    off = [name for name in posture if name not in expected and name.lower() not in offerings.names]
    excluded = dict.fromkeys(name for one in offerings.documents for name in one.excluded)
    return (
        *((f"{', '.join(off)} {_verb_for(off)} off, which is posture",) if off else ()),
        *((f"its organization leaves out {', '.join(excluded)}",) if excluded else ()),
    )


def _verb_for(names: Collection[str]) -> str:
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
    offerings = _Offerings(case.facts, environment_subject(case.workload.kind, case.workload.subject))
    switches = [
        (".".join(path), purpose, offerings.is_on(name, *path), list(offerings.shows(name, *path)))
        for name in offerings.names
        for path, purpose in _SWITCHES.get(name[:-3], {}).items()
        if path != _SENSOR_SWITCH or not offerings.is_by_helm(name)
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
        reason = f"no document says whether {' and '.join(silent)} {_verb_for(silent)} on"
        return unknown(reason, *every, remedy=offerings.ask, remarks=remarks)
    return covered("its plans bring sensors and logs", *every, remarks=remarks)


def _switch_remarks(offerings: _Offerings) -> Iterator[str]:
    for name in offerings.names:
        if name[:-3] == "defenderforservers" and offerings.is_on(name, "arcAutoProvisioning", "enabled") is False:
            yield "the connector does not deploy Azure Arc on machines, so somebody else must"
        if name[:-3] == "defenderforcontainers" and offerings.is_by_helm(name):
            yield "the sensor comes by Helm, so each cluster must be looked at"
        tags = offerings.values(name, "vmScanners", "configuration", "exclusionTags")
        said = [one for some in tags for of_one in some for one in of_one if isinstance(one, Mapping)]
        skipped = dict.fromkeys(str(tag) for one in said for tag in one)
        if skipped:
            yield f"agentless scans of {name} skip machines with the tags {', '.join(skipped)}"


def judge_plan_of_cloud_cluster(facts: Facts, cluster: CloudClusterFact) -> Verdict:
    """Covered where the connector has the offering."""
    offerings = _Offerings(facts, cluster.environment)
    evidence = offerings.shows_types()
    if all(offerings.lacks(name.lower()) for name in _CONTAINER_OFFERINGS):
        return gap("the connector has no plan for containers", *evidence)
    if not offerings.are_known:
        reason = "no document says which plans the connector of its account or project has"
        return unknown(reason, *evidence, remedy=ASK_CONNECTORS)
    on = next(name for name in _CONTAINER_OFFERINGS if name.lower() in offerings.names)
    return covered(f"{on} is on", *evidence)


_NEEDED_LOGS = ("audit", "authenticator")


def judge_cloud_cluster(
    case: CoverageCase, said: Sequence[CloudClusterFact], sensor: Sequence[CoverageEvidence], reasons: Sequence[str]
) -> Verdict:
    """Covered where it is logged and `sensor` shows one, or something brings one; `reasons` say why nothing may."""
    is_eks = case.workload.subject.startswith("arn:")
    logged = {one.logged for one in said if one.logged is not None}
    missing = [log for log in _NEEDED_LOGS if any(log not in some for some in logged)]
    evidence = [one.source.shows("cluster.logging.clusterLogging", ", ".join(sorted(one.logged or ()))) for one in said]
    if is_eks and missing:
        logging = json.dumps({"clusterLogging": [{"types": list(_NEEDED_LOGS), "enabled": True}]})
        reason = f"its control plane writes no {' and no '.join(missing)} log, so no alert of it can come"
        return gap(
            "; ".join([reason, *reasons]),
            *evidence,
            remedy=_eks_command(case, said[0], "update-cluster-config", "--logging", logging),
        )
    if is_eks and not logged:
        ask = _eks_command(case, said[0], "describe-cluster", "--output", "json")
        return unknown("no document says which logs its control plane writes", remedy=ask)
    autopilot = next((one for one in said if one.is_autopilot), None)
    if autopilot is not None and not sensor:
        return not_coverable("GKE Autopilot takes no sensor", autopilot.source.shows("autopilot.enabled", True))
    if sensor:
        return covered("the sensor is in the cluster", *sensor, *(evidence if is_eks else ()))
    return _by_connector(case, said, reasons)


def _by_connector(case: CoverageCase, said: Sequence[CloudClusterFact], reasons: Sequence[str]) -> Verdict:
    offerings = _Offerings(case.facts, said[0].environment)
    names = [name.lower() for name in _CONTAINER_OFFERINGS if name.lower() in offerings.names]
    answers = [offerings.is_on(name, *_SENSOR_SWITCH) for name in names]
    evidence = [one for name in names for one in offerings.shows(name, *_SENSOR_SWITCH)]
    if True in answers:
        return covered("the connector brings the sensor", *evidence)
    if False in answers:
        reason = "the connector does not bring the sensor, and none is seen in the cluster"
        return gap("; ".join([reason, *reasons]), *evidence)
    if not offerings.are_known:
        # Where the connectors were asked, and are all of others, the cluster itself may show a sensor that came by Helm.
        is_asked = any(one.offerings is not None for one in case.facts.every(ConnectorFact))
        ask = offerings.ask if is_asked else ASK_CONNECTORS
        others = "" if ask else ", and the connectors that were given are of others"
        reason = "; ".join([f"no document says what brings it the sensor{others}", *reasons])
        return unknown(reason, remedy=ask or ASK_CLUSTER)
    if not names:
        why = "the connector has no plan for containers, and no document says what else brings it the sensor"
        return unknown("; ".join([why, *reasons]), *offerings.shows_types(), remedy=ASK_CLUSTER)
    why = "the connector does not say whether it brings the sensor"
    return unknown("; ".join([why, *reasons]), *offerings.shows_types(), remedy=offerings.ask)


def _eks_command(case: CoverageCase, said: CloudClusterFact, command: str, *words: str) -> str:
    return command_line("aws", "eks", command, "--region", said.region, "--name", case.id.rpartition("/")[2], *words)
