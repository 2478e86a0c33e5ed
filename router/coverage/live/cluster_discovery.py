"""Which kinds an API server has, as it says itself: what a version of Kubernetes or a program in the cluster brings. Pure.

https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from router.coverage.fields import find_list, find_text, objects_at
from router.coverage.live.cluster_lists import Json, NotListed, ask_object
from router.domain.conversation import Asking


@dataclass(frozen=True, slots=True)
class ServedKind:
    """A kind that an API server has.

    Attributes:
        group: the group of its API.
        version: the version of that in which it is asked for.
        plural: what its objects are called in paths, such as `daemonsets`.
        kind: the kind, such as `DaemonSet`.
    """

    group: str
    version: str
    plural: str
    kind: str

    @property
    def path(self) -> str:
        """Where all its objects are listed, of every namespace."""
        base = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        return f"{base}/{self.plural}"


type GroupVersions = Mapping[str, tuple[str, ...]]
"""The groups that an API server has, each with its versions, the preferred one first."""


def ask_groups(server: str) -> Asking[GroupVersions]:
    """The groups that an API server has; raises NotListed."""
    what = "groups of its API"
    answer = yield from ask_object(server, "/apis", what)
    if answer.get("kind") != "APIGroupList" or find_list(answer, "groups") is None:
        raise NotListed(f"asked for the {what}, it answered what is no APIGroupList")
    return {name: tuple(_versions(one)) for one in objects_at(answer, "groups") if (name := find_text(one, "name"))}


def ask_kinds(server: str, group: str, versions: tuple[str, ...]) -> Asking[tuple[ServedKind, ...]]:
    """The kinds of a group that can be listed, each in the first version that has it; raises NotListed."""
    found: dict[str, ServedKind] = {}
    for version in versions:
        what = f"kinds of {group}/{version}"
        answer = yield from ask_object(server, f"/apis/{group}/{version}", what)
        if answer.get("kind") != "APIResourceList" or find_list(answer, "resources") is None:
            raise NotListed(f"asked for the {what}, it answered what is no APIResourceList")
        for one in _listable(answer, group, version):
            found.setdefault(one.plural, one)
    return tuple(found.values())


def _versions(group: Json) -> Iterator[str]:
    preferred = find_text(group, "preferredVersion", "version")
    every = [version for one in objects_at(group, "versions") if (version := find_text(one, "version"))]
    yield from dict.fromkeys([preferred, *every] if preferred in every and preferred else every)


def _listable(answer: Json, group: str, version: str) -> Iterator[ServedKind]:
    for one in objects_at(answer, "resources"):
        plural, kind = find_text(one, "name"), find_text(one, "kind")
        # A part of each object, such as its status, stands here, too, and cannot be listed.
        if plural and kind and "list" in (find_list(one, "verbs") or ()):
            yield ServedKind(group, version, plural, kind)
