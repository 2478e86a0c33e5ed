"""Whether a cluster's sensor is there, and whether it runs, as the cluster itself says.

Collector and publisher of one namespace are together a sensor.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import replace

from router.coverage.kubernetes.commands import ASK_CLUSTER, enable_sensor
from router.coverage.kubernetes.daemon_sets import SensorDaemonSet, SensorPart
from router.coverage.kubernetes.objects import Fleet, SensorObjects
from router.coverage.kubernetes.rollout import NodeFinding, NodeState, Rollout, find_fault, judge_rollout, list_nodes
from router.coverage.verdicts import (
    CoverageEvidence,
    CoverageState,
    Verdict,
    covered,
    gap,
    not_coverable,
    unknown,
)

_BEST_FIRST = (CoverageState.COVERED, CoverageState.UNKNOWN, CoverageState.GAP)
_STATES = dict(zip((NodeState.READY, NodeState.UNCLEAR, NodeState.SHORT), _BEST_FIRST, strict=True))


def judge_running(objects: SensorObjects) -> Verdict:
    """Whether one whole sensor is ready on every node that can have it."""
    namespaces: dict[str, dict[SensorPart, list[Rollout]]] = defaultdict(lambda: defaultdict(list))
    for (namespace, _), versions in sorted(objects.daemon_sets.items()):
        rollout = judge_rollout(versions, objects)
        for part in sorted(rollout.daemon_set.parts):
            namespaces[namespace][part].append(rollout)
    if not namespaces:
        return judge_absence(objects)
    if objects.fleet.is_whole and not objects.fleet.coverable:
        return _no_node(objects.fleet)
    sensors = [(namespace, _judge_parts(namespace, some, objects)) for namespace, some in namespaces.items()]
    (_, first), *others = sorted(sensors, key=lambda one: _BEST_FIRST.index(one[1].state))
    beside = [f"a sensor is in {namespace}, too, and is {one.state}: {one.reason}" for namespace, one in others]
    remarks = (*first.remarks, *beside, *_fleet_remarks(objects.fleet), *objects.contradictions)
    return replace(first, remarks=tuple(dict.fromkeys(remarks)))


def _judge_parts(namespace: str, parts: Mapping[SensorPart, Sequence[Rollout]], objects: SensorObjects) -> Verdict:
    faults = list(_find_faults(namespace, parts, objects))
    state = max((one.state for one in faults), key=_BEST_FIRST.index, default=CoverageState.COVERED)
    decisive = [one for one in faults if one.state is state]
    rollouts = [rollout for some in parts.values() for rollout in some]
    fleet = objects.fleet
    many = len(fleet.coverable)
    where = "the one node that can have them" if many == 1 else f"all {many} nodes that can have them"
    evidence = [shown for one in decisive for shown in one.evidence]
    if not decisive:
        evidence = [shown for one in rollouts for shown in one.daemon_set.evidence]
    counted = f"{len(fleet.nodes)} nodes, of which {many} can have a sensor"
    files = dict.fromkeys(one.source.file for versions in fleet.nodes.values() for one in versions)
    evidence += [CoverageEvidence(file, "items", counted) for file in files]
    return Verdict(
        state=state,
        reason=_join_reasons(decisive) or f"collector and publisher in {namespace} are ready on {where}",
        evidence=tuple(dict.fromkeys(evidence)),
        remedy=next((one.remedy for one in decisive if one.remedy), None),
        remarks=tuple(dict.fromkeys(_remarks(namespace, state, rollouts, objects))),
        counts=_count_nodes(namespace, parts, objects),
    )


def _join_reasons(faults: Iterable[Verdict]) -> str:
    """What is wrong, as one sentence; a cause that several DaemonSets have is told once, as one label keeps both parts out."""
    reasons: dict[str, None] = {}
    causes: set[str] = set()
    for one in faults:
        what, _, why = one.reason.partition(": ")
        reasons[f"{what}, for the same reason" if why in causes else one.reason] = None
        causes |= {why} - {""}
    return "; ".join(reasons)


def _find_faults(
    namespace: str, parts: Mapping[SensorPart, Sequence[Rollout]], objects: SensorObjects
) -> Iterator[Verdict]:
    fleet, widest = objects.fleet, objects.widest
    for part in SensorPart:
        if part in parts:
            yield from _find_faults_of_part(parts[part], objects)
        elif objects.is_namespace_listed(namespace):
            documents = [one for one, namespaces in objects.listed.items() if namespace in namespaces]
            yield gap(
                f"no {part} of Defender is among the DaemonSets of {namespace} in {', '.join(documents)}",
                *(CoverageEvidence(one, "items", f"no {part}") for one in documents),
                remedy=enable_sensor(objects.workload, fleet.cloud),
            )
        else:
            yield _unclear(f"nobody asked whether a {part} is in {namespace}")
    if not fleet.nodes:
        yield _unclear("nobody asked which nodes the cluster has")
    elif not fleet.is_whole:
        yield _unclear("the nodes that were given are no whole list of the cluster's")
    if widest is not None and fleet.nodes and widest[0] > len(fleet.nodes):
        many, other = widest
        title = f"DaemonSet {other.name} in {other.namespace or 'no namespace'}"
        reason = f"{title} is to be on {many} nodes, and the list of them has {len(fleet.nodes)}"
        yield _unclear(reason, other.source.shows("status.desiredNumberScheduled", many))
    beyond = max((one.beyond for some in parts.values() for one in some), default=0)
    if fleet.nodes and beyond:
        yield _unclear(f"the sensor is to be on {beyond} more than the nodes in the list of them")


def _unclear(reason: str, *evidence: CoverageEvidence) -> Verdict:
    return unknown(reason, *evidence, remedy=ASK_CLUSTER)


def _find_faults_of_part(rollouts: Sequence[Rollout], objects: SensorObjects) -> Iterator[Verdict]:
    """What one part of a sensor lacks; where several DaemonSets are that part, on each node the best of them counts."""
    fleet = objects.fleet
    best = {name: _best(name, rollouts) for name in fleet.coverable}
    for rollout in rollouts:
        own = {name: one for name, (owner, one) in best.items() if owner is rollout}
        lacking = {name: one for name, one in own.items() if one.state >= NodeState.SHORT}
        unsure = [(name, one) for name, one in own.items() if one.state is NodeState.UNCLEAR]
        if lacking:
            yield find_fault(rollout, lacking, objects)
        for name, finding in unsure[:1]:
            more = f" and {len(unsure) - 1} more" if len(unsure) > 1 else ""
            reason = f"{rollout.daemon_set.title}: {finding.reason} (node {name}{more})"
            yield _unclear(reason, *rollout.daemon_set.evidence, *finding.evidence)
    if not fleet.is_whole and all(one.problem is not None for one in rollouts):
        yield find_fault(rollouts[0], {}, objects)


def _best(name: str, rollouts: Iterable[Rollout]) -> tuple[Rollout, NodeFinding]:
    return min(((one, one.findings[name]) for one in rollouts), key=lambda pair: pair[1].state)


def _remarks(
    namespace: str, state: CoverageState, rollouts: Iterable[Rollout], objects: SensorObjects
) -> Iterator[str]:
    daemon_sets = [one.daemon_set for one in rollouts]
    yield from map(_doubt, filter(lambda one: one.stranger, daemon_sets))
    if state is CoverageState.GAP and any(one.is_managed for one in daemon_sets):
        yield (
            f"AKS undoes a patch of the DaemonSets in {namespace} (addonmanager.kubernetes.io/mode: Reconcile); "
            "a change of the node pool lasts, and so does a sensor that Helm installs"
        )
    if state is CoverageState.COVERED and (label := objects.refusing.get(namespace)) is not None:
        refuses = "which refuses pods of the sensor that are made anew"
        yield f"the namespace {namespace} enforces Pod Security {label.value}, {refuses}"


def _doubt(daemon_set: SensorDaemonSet) -> str:
    """Why a DaemonSet is none of Defender's, or no part of the sensor: a mirror may have given its images other names, too."""
    if not daemon_set.stranger:
        return f"{daemon_set.title} is of Defender, and is no part of the sensor"
    image = f"its image {daemon_set.stranger} is not in azuredefender/, as Defender's are"
    return f"{daemon_set.title} is known by its name alone: {image}"


def _count_nodes(
    namespace: str, parts: Mapping[SensorPart, Sequence[Rollout]], objects: SensorObjects
) -> Mapping[CoverageState, int] | None:
    """How many nodes are in which state; on each, `absent` is what it means that a part has no DaemonSet."""
    fleet = objects.fleet
    if not fleet.nodes:
        return None
    absent = NodeState.LACKING if objects.is_namespace_listed(namespace) else NodeState.UNCLEAR
    worst = (
        max(_best(name, parts[part])[1].state if part in parts else absent for part in SensorPart)
        for name in fleet.coverable
    )
    found = Counter(_STATES[min(one, NodeState.SHORT)] for one in worst)
    found[CoverageState.NOT_COVERABLE] = len(fleet.uncoverable)
    # Where the status counts fewer pods than there are nodes, and nothing says on which they are, as many nodes are a gap.
    ready = [max(one.count(fleet.coverable) for one in some) for some in parts.values()]
    missing = max((len(fleet.coverable) - count for count in ready), default=0)
    if len(parts) == len(SensorPart) and found[CoverageState.GAP] > missing > 0:
        found[CoverageState.COVERED] += found[CoverageState.GAP] - missing
        found[CoverageState.GAP] = missing
    return {state: found[state] for state in CoverageState if found[state]}


def judge_installed(objects: SensorObjects) -> Verdict:
    """Whether a collector was deployed, be it ready or not."""
    collectors = [one for one in _newest(objects) if SensorPart.COLLECTOR in one.parts]
    staying = [one for one in collectors if not one.is_terminating]
    shown = [one.source.shows("metadata.name", one.name) for one in staying or collectors]
    if staying:
        titles = " and ".join(one.title for one in staying)
        return covered(f"{titles} {'is' if len(staying) == 1 else 'are'} there", *shown)
    if collectors:
        remedy = enable_sensor(objects.workload, objects.fleet.cloud)
        return gap(f"{collectors[0].title} is being deleted", *shown, remedy=remedy)
    return judge_absence(objects)


def judge_absence(objects: SensorObjects) -> Verdict:
    """What is known of a cluster of whose sensor no document has a collector or a publisher."""
    fleet = objects.fleet
    if objects.is_empty:
        refused = next((f"the cluster was asked, and did not answer: {one}" for one in objects.refusals), None)
        return _unclear(refused or "nobody asked the cluster itself")
    if fleet.is_whole and fleet.nodes and not fleet.coverable:
        return _no_node(fleet)
    if not objects.listed:
        refusals = (one for one in objects.refusals if "daemonsets" in one)
        refused = next((f"the cluster did not say which DaemonSets it has: {one}" for one in refusals), None)
        return _unclear(refused or "nobody asked which DaemonSets the cluster has")
    if not objects.searched:
        namespaces = ", ".join(sorted(set[str]().union(*objects.listed.values())))
        return _unclear(f"nobody asked for the DaemonSets of every namespace, only for those of {namespaces}")
    beside = [_doubt(one) for one in _newest(objects) if not one.parts]
    documents = [name if some else f"{name}, whose list is empty" for name, some in objects.searched.items()]
    return gap(
        f"no DaemonSet of Defender's sensor is in {', '.join(documents)}",
        *(CoverageEvidence(one, "items", "no DaemonSet of Defender") for one in objects.searched),
        remedy=enable_sensor(objects.workload, fleet.cloud),
        remarks=tuple(dict.fromkeys([*beside, *_fleet_remarks(fleet), *objects.contradictions])),
    )


def is_seen_running(objects: SensorObjects) -> bool:
    """Whether a collector is ready on some node."""
    for versions in objects.daemon_sets.values():
        daemon_set = judge_rollout(versions, objects).daemon_set
        if SensorPart.COLLECTOR in daemon_set.parts and not daemon_set.is_terminating:
            pods = (pod for some in objects.find_pods(daemon_set) for pod in some)
            if (daemon_set.counts or (0, 0))[1] > 0 or not all(pod.trouble for pod in pods):
                return True
    return False


def _newest(objects: SensorObjects) -> list[SensorDaemonSet]:
    """Each DaemonSet once; of one of which documents say different things, the one that is being deleted."""
    return [max(some, key=lambda one: one.is_terminating) for _, some in sorted(objects.daemon_sets.items())]


def _no_node(fleet: Fleet) -> Verdict:
    evidence = [fleet.nodes[name][0].source.shows("metadata.name", name) for name in list(fleet.nodes)[:3]]
    verdict = not_coverable("; ".join(_uncoverable(fleet)), *evidence)
    return replace(verdict, counts={CoverageState.NOT_COVERABLE: len(fleet.nodes)})


def _fleet_remarks(fleet: Fleet) -> Iterator[str]:
    yield from _uncoverable(fleet)
    if silent := [name for name in fleet.nodes if fleet.find_not_ready(name) is not None]:
        yield f"{list_nodes(silent)} {'is' if len(silent) == 1 else 'are'} NotReady"


def _uncoverable(fleet: Fleet) -> Iterator[str]:
    by_reason: dict[str, list[str]] = defaultdict(list)
    for name, found in fleet.uncoverable.items():
        by_reason[found.reason].append(name)
    for reason, names in by_reason.items():
        yield f"not coverable: {list_nodes(names)} {'is' if len(names) == 1 else 'are each'} {reason}"
