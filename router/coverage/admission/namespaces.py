"""Which namespaces there are, and whether something looks at the new pods of one. Pure.

Covered is what looks at them, a gap what does not, unknown what the documents do not tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from router.coverage.facts import Source
from router.coverage.fields import find, find_text, objects_at
from router.coverage.kubernetes.commands import ASK_CLUSTER, describe, label_namespace
from router.coverage.kubernetes.nodes import Requirement
from router.coverage.readers.kubernetes import labels_at
from router.coverage.verdicts import CoverageState, Verdict, covered, gap, unknown
from router.domain.patterns import glob_pattern
from router.domain.values import Value

SYSTEM_NAMESPACES = frozenset(
    {
        *("kube-system", "kube-public", "kube-node-lease", "gatekeeper-system", "azure-arc", "azure-arc-release"),
        *("azure-extensions-usage-system", "mdc", "azuredefender", "calico-system", "tigera-operator", "tigera-system"),
        *("app-routing-system", "aks-command", "aks-istio-system", "aks-istio-ingress", "aks-istio-egress"),
    }
)
"""The namespaces of Kubernetes and of Azure itself, which AKS keeps webhooks out of, and Azure's own policies leave out.

By their names, since who may label a namespace may give it the labels of these.
https://learn.microsoft.com/azure/aks/faq, https://learn.microsoft.com/azure/aks/deployment-safeguards,
https://github.com/Azure/azure-policy/tree/master/built-in-policies/policyDefinitions/Kubernetes
"""

NAME_LABEL = "kubernetes.io/metadata.name"
_ORDER = (CoverageState.GAP, CoverageState.UNKNOWN, CoverageState.COVERED)

REACHED = covered("it looks at them")


def worst_of(parts: Iterable[Verdict]) -> Verdict:
    """Whether each of some parts looks at them."""
    return min(parts, key=lambda one: _ORDER.index(one.state), default=REACHED)


def best_of(parts: Iterable[Verdict]) -> Verdict:
    """Whether one of some alternatives looks at them; there is at least one."""
    return max(parts, key=lambda one: _ORDER.index(one.state))


class GatedNamespace(Value):
    """A namespace as one document shows it, or one that no list has.

    Attributes:
        name: its name; empty for one that no list names.
        labels: its labels; None where they are not known.
        others: the names of the system and of the gates themselves, of which one without a name has none.
        pods: the labels of each of its pods.
    """

    name: str
    labels: Mapping[str, str] | None
    others: frozenset[str]
    pods: Sequence[Mapping[str, str]]
    has_all_pods: bool
    source: Source | None = None

    def is_called(self, globs: Sequence[object]) -> bool | None:
        """Whether one of some names, which may have wildcards, is its own; None where it is not known."""
        if self.name:
            return any(glob_pattern(str(glob)).match(self.name) for glob in globs)
        return None if set(map(str, globs)) - self.others else False


def by_scope(who: str, body: object, namespace: GatedNamespace) -> Verdict:
    """Whether the selectors of a webhook, a policy or a binding choose every new pod of a namespace."""
    return worst_of(
        (
            by_namespace(who, find(body, "namespaceSelector"), namespace),
            by_pods(who, "objectSelector", find(body, "objectSelector"), namespace),
        )
    )


def by_namespace(who: str, selector: object, namespace: GatedNamespace) -> Verdict:
    """Whether a selector of namespaces chooses one."""
    return worst_of(_by_label(who, one, namespace) for one in _requirements(selector))


def _requirements(selector: object) -> Iterator[Requirement]:
    """What a selector asks of labels; all of it must be met."""
    for key, value in labels_at(selector, "matchLabels").items():
        yield Requirement(key, "In", (value,))
    yield from map(Requirement.of, objects_at(selector, "matchExpressions"))


def _by_label(who: str, asked: Requirement, namespace: GatedNamespace) -> Verdict:
    is_met = None if namespace.labels is None else asked.is_met_by(namespace.labels)
    if asked.operator == "NotIn" and asked.key == NAME_LABEL:
        is_called = namespace.is_called(asked.values)
        is_met = None if is_called is None else not is_called
    if asked.operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
        return unknown(f"{who} has a namespaceSelector that is not understood: {asked}", remedy=ASK_CLUSTER)
    if is_met is None:
        return unknown("nobody asked which namespaces the cluster has, and with which labels", remedy=ASK_CLUSTER)
    if is_met:
        return REACHED
    is_mended = asked.operator in ("DoesNotExist", "NotIn") and asked.key != NAME_LABEL and asked.key[:1] != "-"
    value = (namespace.labels or {}).get(asked.key)
    return gap(
        f"{who} asks for {asked} of their labels",
        *((namespace.source.shows(f"metadata.labels.{asked.key}", value),) if namespace.source else ()),
        remedy=label_namespace(namespace.name, f"{asked.key}-") if is_mended else None,
    )


def by_pods(who: str, name: str, selector: object, namespace: GatedNamespace) -> Verdict:
    """Whether a selector of objects chooses every new pod of a namespace.

    A label that it asks for is one that a pod may lack. One that it asks to be absent matters where some pod has it.
    """
    for asked in _requirements(selector):
        if asked.operator not in ("NotIn", "DoesNotExist"):
            return gap(f"{who} only looks at pods with {asked}, as its {name} says")
        if not all(map(asked.is_met_by, namespace.pods)):
            return gap(f"{who} passes over pods there, as its {name} asks for {asked}")
    if next(_requirements(selector), None) is None or namespace.has_all_pods:
        return REACHED
    return unknown(f"nobody asked for the pods that {who} passes over by its {name}", remedy=ASK_CLUSTER)


def by_names(who: str, globs: Sequence[object], namespace: GatedNamespace) -> Verdict:
    """Whether a list of `excludedNamespaces` leaves a namespace in."""
    is_out = namespace.is_called(globs)
    if is_out is None:
        return unknown(f"nobody asked which namespaces the cluster has, and {who} leaves out some", remedy=ASK_CLUSTER)
    return gap(f"{who} has them in its excludedNamespaces") if is_out else REACHED


def by_conditions(kind: str, name: str, who: str, body: object) -> Verdict:
    """Whether no condition in CEL may keep something from being asked; `kind` and `name` are those of the object."""
    unread = [
        find_text(one, "name") or "without a name"
        for one in objects_at(body, "matchConditions")
        if (find_text(one, "expression") or "").lower() != "true"
    ]
    if not unread:
        return REACHED
    reason = f"{who} has the matchConditions {', '.join(unread)} in CEL, which are not evaluated"
    return unknown(reason, remedy=describe(kind, name))
