"""Where it happened, in words that every text about a notice shares. Pure.

The alert's own resource comes first, with what it is a part of. A host among the entities is the attacked one or the
attacker's, and no message says which; so it is said where nothing else has a name. A GUID is never said by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from router.destinations.wording.turns import made_once
from router.domain.evidence import account_name_of
from router.domain.notices import Notice
from router.domain.resources import (
    ending,
    is_connected,
    is_made_up,
    is_telling,
    last_ending,
    names_of_resource,
    with_endings,
)
from router.domain.values import Value

UNKNOWN = "unknown resource"  # what is said where a notice names nothing at all

_REGISTRIES = frozenset({"microsoft.containerregistry/registries"})
_SQL_SERVERS = frozenset({"microsoft.sql/servers", "microsoft.sql/managedinstances"})
_WATCHERS = frozenset({"microsoft.operationalinsights/workspaces"})
"""Types of what reports for machines that have no id of their own, so that the compromised entity says more."""

_STARS = re.compile(r"(?:-\*)+\Z")
"""How the name of a workload ends of which several pods are meant: `metrics-server-*-*`."""

_DIGEST = len("sha256:") + 12  # characters of an image's digest by which people tell it from others


_MOST_NAMES = 16  # the most names of a place, the innermost ones; an id of Azure's has four at most


class Whereabouts(Value, kw_only=True):
    """Where something happened, as people would say it.

    Attributes:
        parents: what it is a part of, outermost first: its server, or its cluster and namespace.
        scope: the resource group or subscription in words, where that is all that is known beside the name; it is in `words`.
        subscription: what owners.yaml calls the subscription, account or project; else the AWS account or the GCP project by
            its id. None where only the id of a subscription is known.
    """

    name: str
    parents: tuple[str, ...] = ()
    scope: str | None = None
    environment: str | None = None
    subscription: str | None = None

    @property
    def words(self) -> str:
        """The words for a headline: `server/database`, `cluster/namespace/pod`."""
        path = "/".join((*self.parents, self.name))
        return f"{path} ({self.scope})" if self.scope else path


@made_once
def whereabouts_of(notice: Notice) -> Whereabouts:
    """Where it happened."""
    names, scope = _named(notice)
    *parents, name = (with_endings(" ".join(one.split())) for one in names[-_MOST_NAMES:])
    return Whereabouts(
        name=name,
        parents=tuple(parents),
        scope=with_endings(scope) if scope else None,
        environment=notice.environment,
        subscription=notice.subscription_name or _account_of(notice),
    )


def _named(notice: Notice) -> tuple[tuple[str, ...], str | None]:
    """What it happened to, behind what that is a part of; and the scope, where the names do not say enough by themselves."""
    names, entity, scope = names_of_resource(notice.resource or ""), _entity_of(notice), _scope_of(notice)
    if entity and (notice.resource_type or "").lower() in _WATCHERS:
        return entity, None
    # A name that is a GUID is called by its type.
    if names and names[-1].endswith(ending(notice.resource or "")):
        return names, scope if len(names) == 1 else None
    if names:
        return _with_its_part(notice, names, entity), None
    if entity and entity[-1] not in (notice.subscription_name, notice.resource_group):
        return entity, scope
    if scope:
        return (scope,), None
    return next(_guesses(notice)), None


def _entity_of(notice: Notice) -> tuple[str, ...]:
    """The names in the compromised entity, none where it is one of the addresses or accounts of the evidence."""
    entity = (notice.compromised_entity or "").strip()
    if entity in (*notice.evidence.ips, *map(account_name_of, notice.evidence.accounts)):
        return ()
    return names_of_resource(entity)


def _with_its_part(notice: Notice, names: tuple[str, ...], entity: tuple[str, ...]) -> tuple[str, ...]:
    """The names of a resource with the part of it that its id leaves out: its pod, its image, its database."""
    type, rule = (notice.resource_type or "").lower(), notice.rule
    if is_connected(notice.resource):
        if notice.cluster and is_telling(notice.cluster):
            return _inside_cluster(notice, notice.cluster)
        if notice.native_name and is_telling(notice.native_name):
            return (notice.native_name,)
        return entity if entity and is_made_up(names[-1]) and not is_made_up(entity[-1]) else names
    if [name.lower() for name in names] == [(notice.cluster or "").lower()]:
        return (*names, *_pod_in(notice))
    if type in _REGISTRIES:
        return (*names, *_image_in(notice, names[-1]))
    if rule is not None and rule.database:
        return _extended(names, *re.split(r"[\\/]", rule.server or ""), rule.database)
    if type in _SQL_SERVERS and entity and entity[-1] not in notice.evidence.hosts:
        return _extended(names, *re.split(r"[\\/]", entity[-1]))
    return names


def _extended(names: tuple[str, ...], *parts: str) -> tuple[str, ...]:
    """The names with those parts behind them that say something new; a server may be written with its domain."""
    known = {name.lower() for name in names}
    fresh = (part for part in parts if is_telling(part) and part.lower().partition(".")[0] not in known)
    return tuple(dict.fromkeys((*names, *(part for part in fresh if part.lower() not in known))))


def _inside_cluster(notice: Notice, cluster: str) -> tuple[str, ...]:
    """A cluster with what is meant in it; one whose name says nothing is called what the evidence calls it, else a cluster."""
    names = (cluster, *notice.evidence.clusters)
    return (next(filter(is_telling, names), f"cluster {cluster}"), *_pod_in(notice))


def _pod_in(notice: Notice) -> tuple[str, ...]:
    """The namespace and the pod in a cluster, or its workload, each where there is no doubt which; else the node."""
    evidence = notice.evidence
    # A pod's name is like no other; a workload of that name may be in each namespace.
    workloads = _only(evidence.pods) or (_only(evidence.workloads) if len(evidence.namespaces) < 2 else ())
    inside = (*_only(evidence.namespaces), *(_STARS.sub("", name) for name in workloads))
    return inside or (() if evidence.namespaces or evidence.pods else _only(evidence.nodes))


def _only(names: tuple[str, ...]) -> tuple[str, ...]:
    return names if len(names) == 1 and is_telling(names[0]) else ()


def _image_in(notice: Notice, registry: str) -> tuple[str, ...]:
    """The image in a registry: its repository with tag or digest, where there is no doubt which."""
    image = notice.image
    if image is not None and image.repository:
        return (f"{image.repository}@{image.digest[:_DIGEST]}" if image.digest else image.repository,)
    for written in _only(notice.evidence.images):
        host, _, path = written.partition("/")
        is_here = host.partition(".")[0].lower() == registry.lower()
        inside = path if is_here else written if "." not in host and ":" not in host.partition("/")[0] else ""
        name, at, digest = inside.partition("@")
        return (f"{name}{at}{digest[:_DIGEST]}",) if name else ()
    return ()


def _scope_of(notice: Notice) -> str | None:
    """The resource group, or the subscription, account or project, that a notice is about; None where it names none."""
    account = _account_of(notice)
    if account is not None:
        return f"{account.rpartition(' ')[0]} {notice.subscription_name}" if notice.subscription_name else account
    if is_connected(notice.resource) or (not notice.subscription and not notice.subscription_name):
        found = re.search(r"/managementGroups/([^/]+)", notice.resource or "", re.IGNORECASE)
        return f"management group {found[1] if is_telling(found[1]) else ending(found[1])}" if found else None
    name = notice.subscription_name or ending(notice.subscription or "")
    if notice.resource_group and is_telling(notice.resource_group):
        return f"resource group {notice.resource_group} (subscription {name})"
    return f"subscription {name}"


def _account_of(notice: Notice) -> str | None:
    """The AWS account or the GCP project in words; None in Azure, and where it is not known."""
    if notice.account:
        return f"AWS account {notice.account}"
    return f"GCP project {notice.project}" if notice.project else None


def _guesses(notice: Notice) -> Iterator[tuple[str, ...]]:
    """What else may say where, the best first."""
    evidence = notice.evidence
    if notice.cluster:
        yield _inside_cluster(notice, notice.cluster)
    for names in (notice.targets, evidence.hosts, evidence.clusters, evidence.nodes, evidence.pods):
        yield from ((name,) for name in names if is_telling(name))
    yield from filter(None, map(names_of_resource, evidence.resources))
    ends = (last_ending(id) for id in (notice.compromised_entity, notice.resource) if id)
    yield from ((f"resource {end}",) for end in ends if end is not None)
    yield (UNKNOWN,)
