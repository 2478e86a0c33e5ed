"""The objects of one cluster as the gates ask for them: by kind, each once, and whether a kind was asked for at all. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from router.coverage.fields import find_text
from router.coverage.kubernetes import nodes
from router.coverage.readers.kubernetes import KubernetesFact, refusals_in

_EMPTY = "List"
"""The kind of a list of kubectl's in which there was nothing, so that it does not say what was asked."""


_OF_GATES = (
    "Pod",
    "ValidatingWebhookConfiguration",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "SecurityArtifactPolicy",
)
"""The kinds of what gates consist of, beside constraints, which have kinds of their own."""

_CONSTRAINTS = "constraints.gatekeeper.sh"


@dataclass(frozen=True, slots=True)
class ObjectCopies:
    """One object of a cluster, as often as documents show it, at least once."""

    copies: tuple[KubernetesFact, ...]

    @property
    def name(self) -> str:
        """The object's name."""
        return self.copies[0].name

    @property
    def namespace(self) -> str:
        """The object's namespace."""
        return self.copies[0].namespace

    def worst(self, value: Callable[[KubernetesFact], int]) -> KubernetesFact:
        """The copy that shows the least: documents that contradict each other prove no more than that."""
        return min(self.copies, key=value)


@dataclass(frozen=True, slots=True)
class ClusterObjects:
    """The objects of one cluster by kind, each once."""

    by_kind: Mapping[str, tuple[ObjectCopies, ...]]

    @classmethod
    def of(cls, facts: Iterable[KubernetesFact]) -> ClusterObjects:
        """The objects that facts about one cluster show."""
        copies: dict[str, dict[tuple[str, str, str], list[KubernetesFact]]] = defaultdict(lambda: defaultdict(list))
        for fact in facts:
            copies[fact.kind][api_group(fact), fact.namespace, fact.name].append(fact)
        return cls({kind: tuple(ObjectCopies(tuple(same)) for same in some.values()) for kind, some in copies.items()})

    def find(self, *kinds: str) -> tuple[ObjectCopies, ...]:
        """The objects of some kinds."""
        return tuple(one for kind in kinds for one in self.by_kind.get(kind, ()))

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why the cluster did not answer, where it was asked."""
        return refusals_in(copy for one in self.find("") for copy in one.copies)

    @property
    def constraints(self) -> tuple[ObjectCopies, ...]:
        """The constraints of Gatekeeper, each of whose templates makes a kind of its own."""
        return tuple(one for some in self.by_kind.values() for one in some if api_group(one.copies[0]) == _CONSTRAINTS)

    @property
    def lists(self) -> tuple[str, ...]:
        """The files that hold a whole list, an empty one, too."""
        copies = (one for some in self.by_kind.values() for objects in some for one in objects.copies)
        return tuple(dict.fromkeys(one.source.file for one in copies if one.source.is_whole))

    def was_asked(self, *kinds: str) -> bool:
        """Whether a list that says it is whole answers all of some kinds, so that what is absent from it is not there.

        An empty `List` does not say what was asked: it answers what nothing else does, and nothing where it stands alone.
        """
        return all(is_whole(self.find(kind)) or f"{kind}List" in self.by_kind for kind in kinds) or self.has_empty_list

    def were_asked(self, namespace: str, *kinds: str) -> bool:
        """Whether some kind was asked for in a namespace; an empty `List` may be the answer."""
        return self.has_empty_list or any(self.lists_all(namespace, kind) for kind in kinds)

    def lists_all(self, namespace: str, kind: str) -> bool:
        """Whether all objects of a kind in a namespace were listed: some of it, or of several namespaces, stand in a list."""
        namespaces = {one.namespace for one in self.find(kind) if is_whole([one])}
        return f"{kind}List" in self.by_kind or namespace in namespaces or len(namespaces) > 1

    @property
    def has_empty_list(self) -> bool:
        """Whether a list was empty, beside others of what gates consist of that were not."""
        return _EMPTY in self.by_kind and any(
            is_whole(some) for some in (self.constraints, *(self.find(kind) for kind in _OF_GATES))
        )


def is_whole(objects: Sequence[ObjectCopies]) -> bool:
    """Whether objects stand in a list that says of itself that it is whole."""
    return any(copy.source.is_whole for one in objects for copy in one.copies)


def api_group(fact: KubernetesFact) -> str:
    """The group of an object's API, without its version; empty for the core group."""
    version = (find_text(fact.body, "apiVersion") or "").lower()
    return version.rpartition("/")[0]


def object_labels(fact: KubernetesFact) -> Mapping[str, str]:
    """An object's labels."""
    return nodes.labels_at(fact.body, "metadata", "labels")
