"""What a gate does with a pod that breaks a rule, in which namespaces, and the verdicts of its parts as one. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from router.coverage.admission.cluster_objects import ClusterObjects, is_whole, object_labels
from router.coverage.facts import Source
from router.coverage.fields import find_list, find_text, objects_at
from router.coverage.kubernetes import nodes
from router.coverage.kubernetes.asks import ASK_CLUSTER, joint_asks
from router.coverage.kubernetes.mends import describe
from router.coverage.kubernetes.nodes import Requirement
from router.coverage.readers.kubernetes import KubernetesFact
from router.coverage.remedies import command_line
from router.coverage.verdicts import CoverageEvidence, CoverageState, Verdict, gap, unknown
from router.domain.patterns import glob_pattern

SYSTEM_NAMESPACES = frozenset(
    {
        *("kube-system", "kube-public", "kube-node-lease", "gatekeeper-system", "azure-arc", "azure-arc-release"),
        *("azure-extensions-usage-system", "mdc", "azuredefender", "calico-system", "tigera-operator", "tigera-system"),
        *("app-routing-system", "aks-command", "aks-istio-system", "aks-istio-ingress", "aks-istio-egress"),
    }
)
"""The namespaces of Kubernetes and of Azure itself, which AKS keeps webhooks out of, and Azure's own policies leave out.

By their names, since everybody who may label a namespace may give it the labels of these.
https://learn.microsoft.com/azure/aks/faq, https://learn.microsoft.com/azure/aks/deployment-safeguards,
https://github.com/Azure/azure-policy/tree/master/built-in-policies/policyDefinitions/Kubernetes
"""

_NAME_LABEL = "kubernetes.io/metadata.name"


@dataclass(frozen=True, slots=True)
class Reach:
    """Whether something looks at the new pods of a namespace.

    Attributes:
        is_reached: whether it does; None where it is not known.
        reason: why it does not, or what is not known, as a clause.
    """

    is_reached: bool | None
    reason: str = ""
    evidence: tuple[CoverageEvidence, ...] = ()
    remedy: str | None = None


REACHED = Reach(True)


def all_reach(parts: Iterable[Reach]) -> Reach:
    """Whether each of some parts does."""
    return min(parts, key=_rank, default=REACHED)


def any_reaches(parts: Iterable[Reach]) -> Reach:
    """Whether one of some alternatives does; there is at least one."""
    return max(parts, key=_rank)


def _rank(one: Reach) -> int:
    return (False, None, True).index(one.is_reached)


@dataclass(frozen=True, slots=True)
class GatedNamespace:
    """A namespace as one document shows it, or one that no list has.

    Attributes:
        name: its name; empty for one that no list names.
        labels: its labels; None where they are not known.
        others: the names of the system and of the gates themselves, of which one without a name has none.
    """

    name: str
    labels: Mapping[str, str] | None
    others: frozenset[str]
    pods: Sequence[KubernetesFact]
    has_all_pods: bool
    source: Source | None = None

    @property
    def may_be_left_out(self) -> bool:
        """Whether it is none that a gate is to look at."""
        return self.name in self.others

    def is_called(self, globs: Sequence[object]) -> bool | None:
        """Whether one of some names, which may have wildcards, is its own; None where it is not known."""
        if self.name:
            return any(glob_pattern(str(glob)).match(self.name) for glob in globs)
        return None if set(map(str, globs)) - self.others else False


def gated_namespaces(objects: ClusterObjects, own: Iterable[str]) -> list[GatedNamespace]:
    """The namespaces of a cluster; `own` are those of the gates themselves.

    Where no whole list has them there are those of pods, too, whose labels are not known, and one more without a name.
    """
    others, every = SYSTEM_NAMESPACES.union(own), objects.find("Namespace")
    pods: dict[str, list[KubernetesFact]] = defaultdict(list)
    for pod in objects.find("Pod"):
        pods[pod.namespace] += pod.copies
    has_all = objects.lists_all("", "Pod")
    found = [
        GatedNamespace(
            one.name,
            {_NAME_LABEL: one.name, **object_labels(copy)},
            others,
            pods[one.name],
            has_all or objects.lists_all(one.name, "Pod"),
            copy.source,
        )
        for one in every
        for copy in one.copies
    ]
    if is_whole(every):
        return found
    known = {one.name for one in found}
    unlisted = [name for name in (*pods, "") if name not in known]
    return [*found, *(GatedNamespace(name, None, others, pods.get(name, ()), has_all) for name in unlisted)]


def selector_requirements(selector: object) -> Iterator[Requirement]:
    """What a selector asks of labels; all of it must be met."""
    for key, value in nodes.labels_at(selector, "matchLabels").items():
        yield Requirement(key, "In", (value,))
    for one in objects_at(selector, "matchExpressions"):
        values = tuple(str(value) for value in find_list(one, "values") or ())
        yield Requirement(find_text(one, "key") or "", find_text(one, "operator") or "", values)


def by_namespace(who: str, selector: object, namespace: GatedNamespace) -> Reach:
    """Whether a selector of namespaces chooses one."""
    return all_reach(_by_label(who, one, namespace) for one in selector_requirements(selector))


def _by_label(who: str, asked: Requirement, namespace: GatedNamespace) -> Reach:
    is_met = None if namespace.labels is None else asked.is_met_by(namespace.labels)
    if asked.operator == "NotIn" and asked.key == _NAME_LABEL:
        is_met = _opposite(namespace.is_called(asked.values))
    if asked.operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
        return Reach(None, f"{who} has a namespaceSelector that is not understood: {asked}", remedy=ASK_CLUSTER)
    if is_met is None:
        return Reach(None, "nobody asked which namespaces the cluster has, and with which labels", remedy=ASK_CLUSTER)
    if is_met:
        return REACHED
    is_mended = asked.operator in ("DoesNotExist", "NotIn") and asked.key != _NAME_LABEL
    value = (namespace.labels or {}).get(asked.key)
    return Reach(
        False,
        f"{who} asks for {asked} of their labels",
        (namespace.source.shows(f"metadata.labels.{asked.key}", value),) if namespace.source else (),
        command_line("kubectl", "label", "namespace", namespace.name, f"{asked.key}-") if is_mended else None,
    )


def _opposite(known: bool | None) -> bool | None:
    return None if known is None else not known


def by_object(who: str, name: str, selector: object, namespace: GatedNamespace) -> Reach:
    """Whether a selector of objects chooses every new pod of a namespace.

    A label that it asks for is one that a pod may lack. One that it asks to be absent matters where some pod has it.
    """
    return all_reach(_by_pod_label(who, name, one, namespace) for one in selector_requirements(selector))


def _by_pod_label(who: str, name: str, asked: Requirement, namespace: GatedNamespace) -> Reach:
    if asked.operator not in ("NotIn", "DoesNotExist"):
        return Reach(False, f"{who} only looks at pods with {asked}, as its {name} says")
    if not all(asked.is_met_by(object_labels(pod)) for pod in namespace.pods):
        return Reach(False, f"{who} passes over pods there, as its {name} asks for {asked}")
    if not namespace.has_all_pods:
        return Reach(None, f"nobody asked for the pods that {who} passes over by its {name}", remedy=ASK_CLUSTER)
    return REACHED


def by_names(who: str, field: str, globs: Sequence[object], namespace: GatedNamespace) -> Reach:
    """Whether a list of names leaves a namespace in."""
    is_out = namespace.is_called(globs)
    if is_out is None:
        return Reach(
            None, f"nobody asked which namespaces the cluster has, and {who} leaves out some", remedy=ASK_CLUSTER
        )
    return Reach(False, f"{who} has them in its {field}") if is_out else REACHED


def by_conditions(kind: str, name: str, who: str, body: object) -> Reach:
    """Whether no condition in CEL may keep something from being asked; `kind` and `name` are those of the object."""
    unread = [
        find_text(one, "name") or "without a name"
        for one in objects_at(body, "matchConditions")
        if (find_text(one, "expression") or "").lower() != "true"
    ]
    if not unread:
        return REACHED
    reason = f"{who} has the matchConditions {', '.join(unread)} in CEL, which are not evaluated"
    return Reach(None, reason, remedy=describe(kind, name))


MANY = 3
"""How many names a sentence lists before it counts the rest."""


class AdmissionEffect(IntEnum):
    """What a gate, or a rule of it, does with a pod that breaks the rule; each does what the ones before it do.

    Attributes:
        NOTHING: it admits the pod without a word.
        AUDITS: it admits the pod and records or warns.
        DENIES: it refuses the pod.
    """

    NOTHING = 0
    AUDITS = 1
    DENIES = 2

    @property
    def verb(self) -> str:
        """As a sentence says it of a gate."""
        return {self.NOTHING: "does nothing", self.AUDITS: "audits", self.DENIES: "denies"}[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateAnswer:
    """What is known of one gate.

    Attributes:
        is_there: whether any object of it was seen, so that it was put there.
        verdict: whether it does what is needed, in whichever namespace.
        namespaces: those of its own parts, which it may leave out.
        refusal: the pattern of what the API server says where this gate refuses something.
    """

    name: str
    is_there: bool
    verdict: Verdict
    reach: Callable[[GatedNamespace], Reach]
    namespaces: frozenset[str] = frozenset()
    refusal: str


def best_answer(answers: Sequence[GateAnswer]) -> GateAnswer:
    """Of the same gate's webhooks, as an older installation leaves one behind, the one that works best.

    Where several work, each may look at other namespaces.
    """
    order = (CoverageState.COVERED, CoverageState.UNKNOWN, CoverageState.GAP)
    best = min(answers, key=lambda one: order.index(one.verdict.state))
    alike = [one for one in answers if one.verdict.state is best.verdict.state]
    return replace(
        best,
        reach=lambda namespace: any_reaches(one.reach(namespace) for one in alike),
        namespaces=frozenset[str]().union(*(one.namespaces for one in alike)),
    )


def join_parts(parts: Sequence[Verdict]) -> Verdict:
    """The verdict on something that needs all its parts: one gap is a gap, else one unknown part leaves it unknown."""
    state = next(
        (state for state in (CoverageState.GAP, CoverageState.UNKNOWN) if any(one.state is state for one in parts)),
        CoverageState.COVERED,
    )
    decisive = [one for one in parts if one.state is state]
    return Verdict(
        state=state,
        reason="; ".join(one.reason for one in decisive),
        evidence=tuple(evidence for one in decisive for evidence in one.evidence),
        remedy=join_remedies(decisive),
        remarks=tuple(remark for one in parts for remark in one.remarks),
        limits=tuple(limit for one in parts for limit in one.limits),
    )


def none_enough(reason: str, evidence: Sequence[CoverageEvidence], ask: str, *, is_whole: bool) -> Verdict:
    """Return the verdict on rules of which none does what is needed; `ask` is the line that answers whether there are more."""
    if is_whole:
        return gap(reason, *evidence)
    return unknown(f"{reason}, and these may not be all", *evidence, remedy=ask)


def join_remedies(decisive: Sequence[Verdict]) -> str | None:
    """What mends the first of some gaps, or all that is to be asked where they are unknown, so that it is asked at once."""
    remedies = [one.remedy for one in decisive if one.remedy]
    if any(one.state is CoverageState.GAP for one in decisive):
        return next(iter(remedies), None)
    return joint_asks(remedies)


def listed(names: Sequence[object], most: int = MANY) -> str:
    """Some names as a sentence lists them: the first few, and how many more there are."""
    more = len(names) - most
    return ", ".join(map(str, names[:most])) + (f" and {more} more" if more > 0 else "")
