"""Whether a cluster's sensor is there, and whether it runs, as the cluster itself says."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from router.coverage.kubernetes.asks import ASK_CLUSTER
from router.coverage.kubernetes.daemon_sets import SensorDaemonSet, SensorPart, version_remark
from router.coverage.kubernetes.faults import SensorFault, fault_sentence, find_fault, named, unclear
from router.coverage.kubernetes.mends import enable_sensor
from router.coverage.kubernetes.objects import Fleet, SensorObjects
from router.coverage.kubernetes.rollout import NodeFinding, NodeState, Rollout, judge_rollout
from router.coverage.verdicts import (
    CoverageEvidence,
    CoverageState,
    Verdict,
    covered,
    gap,
    not_coverable,
    unknown,
)


def _judge_sensors(objects: SensorObjects, now: datetime) -> list[tuple[str, Verdict]]:
    """The sensors of a cluster by namespace, and whether they run: first those that run, last those that are broken."""
    namespaces: dict[str, dict[SensorPart, list[Rollout]]] = defaultdict(lambda: defaultdict(list))
    for (namespace, _), versions in sorted(objects.daemon_sets.items()):
        rollout = judge_rollout(versions, objects)
        for part in sorted(rollout.daemon_set.parts):
            namespaces[namespace][part].append(rollout)
    found = [(namespace, _judge_parts(namespace, some, objects, now)) for namespace, some in namespaces.items()]
    order = (CoverageState.COVERED, CoverageState.UNKNOWN, CoverageState.GAP)
    return sorted(found, key=lambda one: order.index(one[1].state))


def _judge_parts(
    namespace: str, parts: Mapping[SensorPart, Sequence[Rollout]], objects: SensorObjects, now: datetime
) -> Verdict:
    faults = list(_faults(namespace, parts, objects))
    is_gap = any(one.state is CoverageState.GAP for one in faults)
    state = CoverageState.GAP if is_gap else CoverageState.UNKNOWN if faults else CoverageState.COVERED
    said = [one for one in faults if one.state is state]
    everything = [rollout for some in parts.values() for rollout in some]
    nodes = len(objects.fleet.coverable)
    where = "the one node that can have them" if nodes == 1 else f"all {nodes} nodes that can have them"
    return Verdict(
        state=state,
        reason=fault_sentence(said) or f"collector and publisher in {namespace} are ready on {where}",
        evidence=tuple(dict.fromkeys(_evidence(said, everything, objects.fleet))),
        remedy=next((one.remedy for one in said if one.remedy), None),
        remarks=tuple(dict.fromkeys(_remarks(namespace, state, everything, objects, now))),
        counts=_counts(namespace, parts, objects),
    )


def _evidence(said: Sequence[SensorFault], rollouts: Sequence[Rollout], fleet: Fleet) -> Iterator[CoverageEvidence]:
    """What a verdict rests on: what is at fault, else what every status says; and against how many nodes that is held."""
    for fault in said:
        yield from fault.evidence
    if not said:
        for rollout in rollouts:
            yield from rollout.daemon_set.evidence()
    for file in dict.fromkeys(one.source.file for versions in fleet.nodes.values() for one in versions):
        yield CoverageEvidence(
            file, "items", f"{len(fleet.nodes)} nodes, of which {len(fleet.coverable)} can have a sensor"
        )


def _faults(
    namespace: str, parts: Mapping[SensorPart, Sequence[Rollout]], objects: SensorObjects
) -> Iterator[SensorFault]:
    for part in SensorPart:
        if part in parts:
            yield from _find_faults(parts[part], objects)
        elif objects.is_namespace_listed(namespace):
            documents = ", ".join(one for one, listed in objects.listed.items() if namespace in listed)
            yield SensorFault(
                state=CoverageState.GAP,
                reason=f"no {part} of Defender is among the DaemonSets of {namespace} in {documents}",
                remedy=enable_sensor(objects.workload, objects.fleet.cloud),
            )
        else:
            yield unclear(f"nobody asked whether a {part} is in {namespace}")
    if not objects.fleet.nodes:
        yield unclear("nobody asked which nodes the cluster has")
    elif not objects.fleet.is_whole:
        yield unclear("the nodes that were given are no whole list of the cluster's")
    widest, fleet = objects.widest, objects.fleet
    if widest is not None and fleet.nodes and widest.many > len(fleet.nodes):
        reason = f"{widest.title} is to be on {widest.many} nodes, and the list of them has {len(fleet.nodes)}"
        yield unclear(reason, widest.source.shows("status.desiredNumberScheduled", widest.many))
    beyond = max((one.beyond for some in parts.values() for one in some), default=0)
    if objects.fleet.nodes and beyond:
        yield unclear(f"the sensor is to be on {beyond} more than the nodes in the list of them")


def _find_faults(rollouts: Sequence[Rollout], objects: SensorObjects) -> Iterator[SensorFault]:
    """What one part of a sensor lacks; where several DaemonSets are that part, on each node the best of them counts."""
    fleet = objects.fleet
    best = {name: _best(name, rollouts) for name in fleet.possible}
    bad = {name: best[name] for name in fleet.coverable if best[name][1].state is not NodeState.READY}
    for rollout in rollouts:
        lacking = {
            name: finding
            for name, (owner, finding) in bad.items()
            if owner is rollout and finding.state >= NodeState.SHORT
        }
        unsure = [(name, one) for name, (owner, one) in bad.items() if owner is rollout and name not in lacking]
        if lacking:
            yield find_fault(rollout, lacking, objects)
        for name, finding in unsure[:1]:
            where = f" (node {name} and {len(unsure) - 1} more)" if len(unsure) > 1 else f" (node {name})"
            reason = f"{rollout.daemon_set.title}: {finding.reason}{where}"
            yield unclear(reason, *rollout.daemon_set.evidence(), *finding.evidence)
    problems = [one for one in rollouts if one.problem is not None]
    if not fleet.is_whole and len(problems) == len(rollouts):
        yield find_fault(problems[0], {}, objects)


def _best(name: str, rollouts: Sequence[Rollout]) -> tuple[Rollout, NodeFinding]:
    found = [(one, one.findings[name]) for one in rollouts]
    return min(found, key=lambda pair: pair[1].state)


def _remarks(
    namespace: str, state: CoverageState, rollouts: Sequence[Rollout], objects: SensorObjects, now: datetime
) -> Iterator[str]:
    for rollout in rollouts:
        yield from rollout.remarks
        if rollout.daemon_set.doubt:
            yield f"{rollout.daemon_set.title} {rollout.daemon_set.doubt}"
        if rollout.daemon_set.version:
            yield version_remark(rollout.daemon_set.version, now)
    if any(one.daemon_set.is_managed for one in rollouts) and state is CoverageState.GAP:
        yield (
            f"AKS undoes a patch of the DaemonSets in {namespace} (addonmanager.kubernetes.io/mode: Reconcile); "
            "a change of the node pool lasts, and so does a sensor that Helm installs"
        )
    if state is CoverageState.COVERED and any(one.refuses_sensor for one in objects.levels.get(namespace, ())):
        level = next(one.enforced for one in objects.levels[namespace] if one.refuses_sensor)
        yield f"the namespace {namespace} enforces Pod Security {level}, which refuses pods of the sensor that are made anew"


def _counts(
    namespace: str, parts: Mapping[SensorPart, Sequence[Rollout]], objects: SensorObjects
) -> Mapping[CoverageState, int] | None:
    """How many nodes are in which state; a node that is not supported and where the sensor runs is covered all the same."""
    fleet = objects.fleet
    if not fleet.nodes:
        return None
    absent = NodeState.LACKING if objects.is_namespace_listed(namespace) else NodeState.UNCLEAR
    found = Counter(_judge_node(name, parts, fleet, absent) for name in fleet.nodes)
    # Where the status counts fewer pods than there are nodes, and nothing says on which they are, as many nodes are a gap.
    ready = [max(one.count(fleet.coverable) for one in some) for some in parts.values()]
    missing = max((len(fleet.coverable) - count for count in ready), default=0)
    if len(parts) == len(SensorPart) and found[CoverageState.GAP] > missing > 0:
        found[CoverageState.COVERED] += found[CoverageState.GAP] - missing
        found[CoverageState.GAP] = missing
    return {state: found[state] for state in CoverageState if found[state]}


def _judge_node(
    name: str, parts: Mapping[SensorPart, Sequence[Rollout]], fleet: Fleet, absent: NodeState
) -> CoverageState:
    """What is known of a node; `absent` is what that means on each node that a part has no DaemonSet."""
    if name not in fleet.possible:
        return CoverageState.NOT_COVERABLE
    worst = max(_best(name, parts[part])[1].state if part in parts else absent for part in SensorPart)
    if worst is NodeState.READY:
        return CoverageState.COVERED
    if name in fleet.uncoverable:
        return CoverageState.NOT_COVERABLE
    return CoverageState.GAP if worst >= NodeState.SHORT else CoverageState.UNKNOWN


def judge_running(objects: SensorObjects, now: datetime) -> Verdict:
    """Whether one whole sensor is ready on every node that can have it."""
    found = _judge_sensors(objects, now)
    if not found:
        return judge_absence(objects)
    (_, first), *others = found
    if objects.fleet.is_whole and not objects.fleet.coverable:
        return _no_node(objects)
    beside = [f"a sensor is in {namespace}, too, and is {one.state}: {one.reason}" for namespace, one in others]
    return replace(first, remarks=tuple(dict.fromkeys((*first.remarks, *beside, *_fleet_remarks(objects.fleet)))))


def judge_installed(objects: SensorObjects) -> Verdict:
    """Whether a collector was deployed, be it ready or not."""
    collectors = [one for one in _newest(objects) if SensorPart.COLLECTOR in one.parts]
    going = [one for one in collectors if one.is_terminating]
    if staying := [one for one in collectors if not one.is_terminating]:
        titles = " and ".join(one.title for one in staying)
        return covered(f"{titles} {'is' if len(staying) == 1 else 'are'} there", *map(_shown, staying))
    if going:
        remedy = enable_sensor(objects.workload, objects.fleet.cloud)
        return gap(f"{going[0].title} is being deleted", *map(_shown, going), remedy=remedy)
    return judge_absence(objects)


def judge_absence(objects: SensorObjects) -> Verdict:
    """What is known of a cluster of whose sensor no document has a collector or a publisher."""
    fleet = objects.fleet
    if objects.is_empty:
        for refusal in objects.refusals:
            return unknown(f"the cluster was asked, and did not answer: {refusal}", remedy=ASK_CLUSTER)
        return unknown("nobody asked the cluster itself", remedy=ASK_CLUSTER)
    if fleet.is_whole and fleet.nodes and not fleet.coverable:
        return _no_node(objects)
    beside = [one for one in _newest(objects) if not one.parts]
    if not objects.listed:
        for refusal in objects.refusals:
            if "daemonsets" in refusal:
                return unknown(f"the cluster did not say which DaemonSets it has: {refusal}", remedy=ASK_CLUSTER)
        return unknown("nobody asked which DaemonSets the cluster has", remedy=ASK_CLUSTER)
    if not objects.searched:
        namespaces = sorted(set[str]().union(*objects.listed.values()))
        reason = f"nobody asked for the DaemonSets of every namespace, only for those of {', '.join(namespaces)}"
        return unknown(reason, remedy=ASK_CLUSTER)
    evidence = tuple(CoverageEvidence(one, "items", "no DaemonSet of Defender") for one in objects.searched)
    reason = "no DaemonSet of Defender's sensor is in " + ", ".join(map(_listing, objects.searched.items()))
    remarks = [f"{one.title} {one.doubt or 'is of Defender, and is no part of the sensor'}" for one in beside]
    remarks += _fleet_remarks(fleet)
    return gap(
        reason,
        *evidence,
        remedy=enable_sensor(objects.workload, objects.fleet.cloud),
        remarks=tuple(dict.fromkeys(remarks)),
    )


def is_seen_running(objects: SensorObjects) -> bool:
    """Whether a collector is ready on some node."""
    for versions in objects.daemon_sets.values():
        rollout = judge_rollout(versions, objects)
        daemon_set = rollout.daemon_set
        if SensorPart.COLLECTOR not in daemon_set.parts or daemon_set.is_terminating:
            continue
        if daemon_set.counts is not None and daemon_set.counts[1] > 0:
            return True
        if any(one.is_ready for some in objects.find_pods(daemon_set).values() for one in some):
            return True
    return False


def _newest(objects: SensorObjects) -> list[SensorDaemonSet]:
    """Each DaemonSet once; of one of which documents say different things, the one that is being deleted."""
    return [max(some, key=lambda one: one.is_terminating) for _, some in sorted(objects.daemon_sets.items())]


def _shown(daemon_set: SensorDaemonSet) -> CoverageEvidence:
    return daemon_set.source.shows("metadata.name", daemon_set.name)


def _listing(listed: tuple[str, frozenset[str]]) -> str:
    document, namespaces = listed
    if not namespaces:
        return f"{document}, whose list is empty"
    if len(namespaces) <= 3:
        return f"{document}, which lists the DaemonSets of {', '.join(sorted(namespaces)) or 'no namespace'}"
    return f"{document}, which lists the DaemonSets of {len(namespaces)} namespaces"


def _no_node(objects: SensorObjects) -> Verdict:
    fleet = objects.fleet
    evidence = [fleet.nodes[name][0].source.shows("metadata.name", name) for name in list(fleet.nodes)[:3]]
    verdict = not_coverable("; ".join(_uncoverable(fleet)), *evidence)
    return replace(verdict, counts={CoverageState.NOT_COVERABLE: len(fleet.nodes)})


def _fleet_remarks(fleet: Fleet) -> Iterator[str]:
    yield from _uncoverable(fleet)
    if silent := [name for name in fleet.nodes if fleet.is_not_ready(name)]:
        yield f"{named(silent)} {'is' if len(silent) == 1 else 'are'} NotReady"
    for name, versions in fleet.nodes.items():
        if len(versions) > 1:
            documents = " and ".join(dict.fromkeys(one.source.document for one in versions))
            yield f"{documents} say different things of node {name}; the worse one counts"


def _uncoverable(fleet: Fleet) -> Iterator[str]:
    by_reason: dict[str, list[str]] = defaultdict(list)
    for name, found in fleet.uncoverable.items():
        by_reason[found.reason].append(name)
    for reason, names in by_reason.items():
        yield f"not coverable: {named(names)} {'is' if len(names) == 1 else 'are each'} {reason}"
