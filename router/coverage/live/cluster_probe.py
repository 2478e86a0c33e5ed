"""What one cluster is asked: what kubectl would be asked for, and nothing else. Pure.

The kinds are those of `router.coverage.kubernetes.asks`, and of the ClusterRole of docs/coverage.md. Where an API server says
that it does not have a kind which only some clusters have, there is none of it, and an empty list says so. What every cluster
has, such as DaemonSets, is never taken to be absent: who says that is no API server of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from router.coverage.documents import CoverageDocument, Refusal, document_of
from router.coverage.live.cluster_discovery import GroupVersions, ServedKind, ask_groups, ask_kinds
from router.coverage.live.cluster_lists import Json, NobodyAnswers, NotListed, list_objects
from router.coverage.live.probes import Documents, Probe
from router.domain.conversation import Asking

_ADMISSION = "admissionregistration.k8s.io"

EVERYWHERE = (
    ServedKind("", "v1", "nodes", "Node"),
    ServedKind("apps", "v1", "daemonsets", "DaemonSet"),
    ServedKind("", "v1", "pods", "Pod"),
    ServedKind("", "v1", "namespaces", "Namespace"),
    ServedKind("", "v1", "events", "Event"),
    ServedKind("apps", "v1", "deployments", "Deployment"),
    ServedKind("", "v1", "services", "Service"),
    ServedKind("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice"),
    ServedKind(_ADMISSION, "v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration"),
)
"""What every cluster has."""

SOMEWHERE: Mapping[str, Mapping[str, str]] = {
    _ADMISSION: {
        "validatingadmissionpolicies": "ValidatingAdmissionPolicy",
        "validatingadmissionpolicybindings": "ValidatingAdmissionPolicyBinding",
    },
    "config.gatekeeper.sh": {"configs": "Config"},
    "defender.microsoft.com": {"securityartifactpolicies": "SecurityArtifactPolicy"},
}
"""What only some clusters have, in whichever version: the kinds of groups, by what their objects are called in paths."""

CONSTRAINTS = "constraints.gatekeeper.sh"
"""The group in which each template of Gatekeeper makes a kind of its own."""


@dataclass(slots=True)
class _ClusterAnswers:
    """What the API server of a context has answered so far.

    Attributes:
        server: its URL.
        context: the context.
        name: the name of its cluster.
        documents: the answers, those among them that were refused.
    """

    server: str
    context: str
    name: str
    documents: list[CoverageDocument] = field(default_factory=list)

    def ask_listed(self, what: str, kinds: Iterable[ServedKind], kind: str) -> Asking[None]:
        """Asks for all objects of some kinds, as one document; `kind` is what they are called together."""
        try:
            items: list[Json] = []
            for one in kinds:
                items += yield from list_objects(self.server, one.path, f"{one.kind}List", _title(one))
        except NotListed as fault:
            self.add_refused(what, fault)
        else:
            self.add_listed(what, items, kind)

    def add_listed(self, what: str, items: list[Json], kind: str) -> None:
        """Keeps a whole list; an empty one says of which kind there is nothing."""
        listed = {"apiVersion": "v1", "kind": "List" if items else f"{kind}List", "items": items}
        self.documents.append(document_of(listed, self._name_for(what), self.name))

    def add_refused(self, what: str, fault: NotListed) -> None:
        """Keeps why there is no answer; raises it again where nothing else would be answered either."""
        name = self._name_for(what)
        self.documents.append(
            CoverageDocument(name=name, given=self.name, is_of_cluster=True, refusals=(Refusal(name, str(fault)),))
        )
        if isinstance(fault, NobodyAnswers):
            raise fault

    def _name_for(self, what: str) -> str:
        return f"context {self.context}: {what}"


def probe_cluster(server: str, context: str, name: str) -> Probe:
    """Asks the API server of a context; its documents are of the cluster of that name."""
    answers = _ClusterAnswers(server, context, name)
    try:
        for every in EVERYWHERE:
            yield from answers.ask_listed(every.plural, [every], every.kind)
        groups = yield from _ask_groups(answers)
        if groups is not None:
            for group, wanted in SOMEWHERE.items():
                kinds = yield from _ask_kinds(answers, group, groups)
                if kinds is not None:
                    for plural, kind in wanted.items():
                        served = [kinds[plural]] if plural in kinds else []
                        yield from answers.ask_listed(plural, served, kind)
            kinds = yield from _ask_kinds(answers, CONSTRAINTS, groups)
            if kinds is not None:
                yield from answers.ask_listed("constraints", kinds.values(), "Constraint")
    except NobodyAnswers:  # it is among the documents
        pass
    return tuple(answers.documents)


def refused_cluster(context: str, name: str, reason: str) -> Documents:
    """The documents of a cluster that could not be asked at all."""
    answers = _ClusterAnswers("", context, name)
    answers.add_refused("API server", NotListed(reason))
    return tuple(answers.documents)


def _ask_groups(answers: _ClusterAnswers) -> Asking[GroupVersions | None]:
    """The groups that the API server has; None where it did not say."""
    try:
        return (yield from ask_groups(answers.server))
    except NotListed as fault:
        answers.add_refused("API groups", fault)
        return None


def _ask_kinds(answers: _ClusterAnswers, group: str, groups: GroupVersions) -> Asking[Mapping[str, ServedKind] | None]:
    """The kinds of a group that the API server has, by what they are called in paths; None where it did not say."""
    try:
        kinds = yield from ask_kinds(answers.server, group, groups.get(group, ()))
    except NotListed as fault:
        answers.add_refused(f"kinds of {group}", fault)
        return None
    return {one.plural: one for one in kinds}


def _title(kind: ServedKind) -> str:
    """A kind as a role names it."""
    return f"{kind.plural}.{kind.group}" if kind.group else kind.plural
