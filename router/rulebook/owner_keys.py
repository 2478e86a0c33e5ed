"""The meaning of the keys by which an entry of owners.yaml knows what it matches: each is a glob.

A resource that lacks a property belongs only where any value of it would do. A tag that an entry names must be there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from router.domain.locations import names_of
from router.domain.resources import CloudLocation
from router.domain.signals import Signal
from router.domain.tags import Tags
from router.rulebook.globs import compile_globs

ANY = "*"
"""The glob of a key that is not given."""

type Fits = Callable[[str | None], bool]


def owns(subscription: str, resource_group: str) -> Callable[[str | None, str | None], bool]:
    """Whether a subscription and a resource group are meant."""
    in_subscription, in_group = _or_any(subscription), _or_any(resource_group)
    return lambda subscription, group: in_subscription(subscription) and in_group(group)


def is_at(
    account: str, project: str, cluster: str, namespace: str, connector: str
) -> Callable[[CloudLocation], bool] | None:
    """Whether a resource is where these globs say; None where any location would do."""
    if {account, project, cluster, namespace, connector} == {ANY}:
        return None
    in_account, in_project, in_cluster = _or_any(account), _or_any(project), _or_any(cluster)
    in_namespace, by_connector = _or_any(namespace), _or_any(connector)
    return lambda location: (
        in_account(location.account)
        and in_cluster(location.cluster)
        and any(map(in_project, location.projects or (None,)))
        and any(map(in_namespace, location.namespaces or (None,)))
        and any(map(by_connector, location.connectors or (None,)))
    )


def has_name_and_tags(resource: str, tags: Mapping[str, str]) -> Callable[[Signal, Tags], bool] | None:
    """Whether the resource of a signal is called so and has these tags; None where any would do."""
    if resource == ANY and not tags:
        return None
    is_named, fits_by_tag = _or_any(resource), {name: compile_globs((glob,)) for name, glob in tags.items()}
    return lambda signal, known: (
        (resource == ANY or any(map(is_named, names_of(signal))))
        and all(fits(known.find(signal.resource, name)) for name, fits in fits_by_tag.items())
    )


def _or_any(glob: str) -> Fits:
    return (lambda _: True) if glob == ANY else compile_globs((glob,))
