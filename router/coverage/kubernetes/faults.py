"""Why a sensor does not run, or is not known to: how many nodes it lacks, which, why, and the line that mends it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from router.coverage.kubernetes.asks import ASK_CLUSTER
from router.coverage.kubernetes.daemon_sets import SensorDaemonSet
from router.coverage.kubernetes.mends import admit_sensor, describe, give_security_context, show
from router.coverage.kubernetes.objects import ENFORCE, SensorObjects
from router.coverage.kubernetes.rollout import NodeFinding, NodeState, Rollout
from router.coverage.verdicts import CoverageEvidence, CoverageState

type _Line = Callable[[str, SensorDaemonSet], str]


def _show_webhooks(_: str, __: SensorDaemonSet) -> str:
    return "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations -o yaml"


_CAUSES: Sequence[tuple[str, str, _Line]] = (
    (
        r'violates PodSecurity "(\w{1,40}):',
        "Pod Security refuses its pods at level {0}",
        lambda _, owner: admit_sensor(owner.namespace),
    ),
    (
        r'admission webhook "([^"]{1,253}gatekeeper\.sh)" denied the request:? ?(.*)',
        'Gatekeeper {0} refuses its pods ("{1}")',
        _show_webhooks,
    ),
    (
        r'admission webhook "([^"]{1,253})" denied the request:? ?(.*)',
        'the admission webhook {0} refuses its pods ("{1}")',
        _show_webhooks,
    ),
    (
        r'failed calling webhook "([^"]{1,253})": ?(.*)',
        'the admission webhook {0} does not answer, so that no pod is made ("{1}")',
        _show_webhooks,
    ),
    (
        r"unable to validate against any (security context constraint): ?(.*)",
        'no {0} of OpenShift lets its pods in ("{1}")',
        lambda _, owner: give_security_context(owner),
    ),
    (
        r"ValidatingAdmissionPolicy '([^']{1,253})'",
        'the ValidatingAdmissionPolicy {0} refuses its pods ("{message}")',
        lambda name, _: show("validatingadmissionpolicy", name),
    ),
    (
        r"exceeded quota: ([\w.-]{1,253})",
        'the quota {0} has no room for its pods ("{message}")',
        lambda name, owner: describe("resourcequota", name, owner.namespace),
    ),
    (r"", 'its pods cannot be made ("{message}")', lambda _, owner: describe("daemonset", owner.name, owner.namespace)),
)
"""What the API server answers where it makes no pod, what that is called, and the line that lifts it, or shows what it is."""

_LONGEST = 300


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST].rstrip()}…"


_SHOWN = 3
"""How many nodes, and how many pieces of evidence of one kind, are shown; the rest is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorFault:
    """Why a sensor is not covered, or is not known to be; reason and cause are clauses.

    Attributes:
        cause: why that is so, as a clause; empty where nothing says it.
    """

    state: CoverageState
    reason: str
    cause: str = ""
    evidence: tuple[CoverageEvidence, ...] = ()
    remedy: str | None = None


def unclear(reason: str, *evidence: CoverageEvidence) -> SensorFault:
    return SensorFault(state=CoverageState.UNKNOWN, reason=reason, evidence=evidence, remedy=ASK_CLUSTER)


def find_fault(rollout: Rollout, lacking: Mapping[str, NodeFinding], objects: SensorObjects) -> SensorFault:
    """What a DaemonSet lacks, on how many nodes, and why."""
    daemon_set = rollout.daemon_set
    causes = list(_causes(rollout, lacking, objects))
    if lacking:
        coverable = objects.fleet.coverable
        count = (
            f"ready on {rollout.count(coverable)} of {len(coverable)} nodes that can have it{_choice(rollout, objects)}"
        )
    elif daemon_set.counts is not None:
        count = f"ready on {daemon_set.counts[1]} of the {daemon_set.counts[0]} nodes that it chooses"
    else:
        count = "not ready"
    reasons = ", and ".join(dict.fromkeys(one.reason for one in causes if one.reason))
    return SensorFault(
        state=CoverageState.GAP,
        reason=f"{daemon_set.title} is {count}",
        cause=reasons,
        evidence=(*daemon_set.evidence(), *(shown for one in causes for shown in one.evidence)),
        remedy=next((one.remedy for one in causes if one.remedy), None)
        or describe("daemonset", daemon_set.name, daemon_set.namespace),
    )


def fault_sentence(faults: Sequence[SensorFault]) -> str:
    """What is wrong, as one sentence; a cause that several DaemonSets have is said once, as one label keeps both parts out."""
    said: dict[str, None] = {}
    causes: set[str] = set()
    for one in faults:
        why = f": {one.cause}" if one.cause not in causes else ", for the same reason"
        said[f"{one.reason}{why if one.cause else ''}"] = None
        causes.add(one.cause)
    return "; ".join(said)


def _choice(rollout: Rollout, objects: SensorObjects) -> str:
    """How many nodes it chooses, where these are fewer than can have it."""
    counts = rollout.daemon_set.counts
    if counts is None or counts[0] >= len(objects.fleet.coverable):
        return ""
    return f", and chooses {counts[0] or 'none'} of them"


def _causes(rollout: Rollout, lacking: Mapping[str, NodeFinding], objects: SensorObjects) -> Iterator[NodeFinding]:
    daemon_set, problem = rollout.daemon_set, rollout.problem
    findings = [*lacking.values(), *([problem] if problem is not None and not lacking else [])]
    if any(one.is_uncreated for one in findings) and _lacks_pods(daemon_set):
        yield from _refusals(daemon_set, objects)
    by_reason: dict[str, list[str]] = defaultdict(list)
    for name, finding in lacking.items():
        if finding.reason:
            by_reason[finding.reason].append(name)
    for reason, names in list(by_reason.items())[:_SHOWN]:
        some = [lacking[name] for name in names[:_SHOWN]]
        evidence = tuple(shown for one in some for shown in one.evidence)
        yield replace(some[0], reason=f"{named(names)}: {reason}", evidence=evidence)
    if len(by_reason) > _SHOWN:
        rest = sum(len(names) for names in list(by_reason.values())[_SHOWN:])
        yield NodeFinding(state=NodeState.LACKING, reason=f"{rest} more nodes for other reasons")
    if problem is not None and not lacking:
        yield problem


def named(names: Sequence[str]) -> str:
    """Some nodes by their names, and how many more there are."""
    if len(names) == 1:
        return f"node {names[0]}"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"nodes {', '.join(names[:_SHOWN])}{more}"


def _lacks_pods(daemon_set: SensorDaemonSet) -> bool:
    """Whether pods may be missing, rather than be there and not ready."""
    if daemon_set.is_stale or daemon_set.current is None or daemon_set.desired is None:
        return True
    return daemon_set.current < daemon_set.desired


def _refusals(daemon_set: SensorDaemonSet, objects: SensorObjects) -> Iterator[NodeFinding]:
    """Why its pods are not made, as the latest event says, or, where events have gone, the label of its namespace."""
    levels = objects.levels.get(daemon_set.namespace, ())
    level = next((one for one in levels if one.refuses_sensor), None)
    label = f"{ENFORCE}={level.enforced}" if level else ""
    shown = (level.source.shows(f"metadata.labels[{ENFORCE}]", level.enforced),) if level else ()
    failure = next((one for one in objects.failures if one.is_about(daemon_set)), None)
    if failure is not None:
        found, words, line = next(
            (match, words, line) for cause, words, line in _CAUSES if (match := re.search(cause, failure.message))
        )
        reason = words.format(*map(_cut, found.groups()), message=_cut(failure.message))
        is_pod_security = words == _CAUSES[0][1]
        by = _refused_by(label, daemon_set.namespace, is_asked=bool(levels)) if is_pod_security else ""
        event = CoverageEvidence(failure.source.document, failure.named, failure.message, failure.time or None)
        yield NodeFinding(
            state=NodeState.LACKING,
            reason=f"{reason}{by}",
            evidence=(event, *(shown if is_pod_security else ())),
            remedy=line(found[1] if found.groups() else "", daemon_set),
        )
    elif level is not None:
        yield NodeFinding(
            state=NodeState.LACKING,
            reason=f"Pod Security refuses its pods at level {level.enforced}"
            + _refused_by(label, daemon_set.namespace, is_asked=True),
            evidence=shown,
            remedy=admit_sensor(daemon_set.namespace),
        )


def _refused_by(label: str, namespace: str, *, is_asked: bool) -> str:
    """Who has Pod Security refuse pods: the label of their namespace, or what the API server is set up with."""
    if label:
        return f", by the label {label} of the namespace {namespace}"
    if is_asked:
        return (
            f", though the namespace {namespace} has no label {ENFORCE} that says so: the API server is set up that way"
        )
    return f"; nobody asked for the label {ENFORCE} of the namespace {namespace}"
