"""Owners of resources, and what owners.yaml calls subscriptions, AWS accounts and GCP projects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import replace

from router.domain.locations import is_foreign, location_of
from router.domain.resources import NOWHERE, CloudLocation, is_of_azure, parse_resource_id
from router.domain.signals import Signal
from router.domain.tags import NO_TAGS, Tags, TagText
from router.domain.values import Value


class NamedScope(Value, kw_only=True):
    """A subscription, an account or a project as people call it; it has a name, an environment, or both."""

    name: str | None = None
    environment: str | None = None


class NamedScopes(Value, kw_only=True):
    """Every scope that has a name or an environment."""

    subscriptions: Mapping[str, NamedScope] = {}
    accounts: Mapping[str, NamedScope] = {}
    projects: Mapping[str, NamedScope] = {}

    def scope_of(self, signal: Signal) -> NamedScope:
        """The scope that the resource of a signal is in; one without name and environment where it is not named here.

        The subscription of what a connector brings from another cloud is the connector's own, and says nothing of the resource.
        """
        if not (self.subscriptions or self.accounts or self.projects):
            return UNNAMED
        return next(self._scopes_of(signal), UNNAMED)

    def _scopes_of(self, signal: Signal) -> Iterator[NamedScope]:
        location = location_of(signal)
        if location.account is not None and location.account in self.accounts:
            yield self.accounts[location.account]
        yield from (self.projects[one.lower()] for one in location.projects if one.lower() in self.projects)
        subscription = (parse_resource_id(signal.resource).subscription or "").lower()
        if subscription in self.subscriptions and not is_foreign(signal.resource, location):
            yield self.subscriptions[subscription]


UNNAMED = NamedScope()
"""A scope that owners.yaml does not name."""

NO_SCOPES = NamedScopes()
"""What is named where there is no owners.yaml."""


class Owner(Value):
    """Who answers for a resource.

    Attributes:
        pager: the name of the secret that holds the pager key.
    """

    group: str | None = None
    service: str | None = None
    pager: str | None = None

    @property
    def name(self) -> str | None:
        """What people call it: its group, else its service; None where it has neither."""
        return self.group or self.service


class Ownership(Value):
    """One entry of owners.yaml.

    Attributes:
        from_tags: which of group, service and environment have values of tags in them.
    """

    owns: Callable[[str | None, str | None], bool]
    owner: Owner | None
    is_at: Callable[[CloudLocation], bool] | None = None
    environment: str | None = None
    has_name_and_tags: Callable[[Signal, Tags], bool] | None = None
    from_tags: Mapping[str, TagText] = {}
    number: int | None = None

    @property
    def names_more(self) -> bool:
        """Whether it names more than subscription and resource group, which say nothing of what a connector brings."""
        return self.is_at is not None or self.has_name_and_tags is not None

    def filled(self, resource: str | None, tags: Tags) -> Ownership | None:
        """The entry with the values of the resource's tags; None where one of them is missing or blank."""
        if not self.from_tags:
            return self
        texts: dict[str, str] = {}
        for part, text in self.from_tags.items():
            if (filled := text.fill(resource, tags)) is None:
                return None
            texts[part] = filled
        environment = texts.pop("environment", self.environment)
        owner = replace(self.owner, **texts) if self.owner is not None else None
        return replace(self, owner=owner, environment=environment)


class Owners(Value):
    """Who answers for what.

    Attributes:
        live_tags: the names, in lower case, of the tags that the state is asked for.
    """

    entries: tuple[Ownership, ...] = ()
    tags: Tags = NO_TAGS
    live_tags: frozenset[str] = frozenset()


NO_OWNERS = Owners()
"""The owners where there is no owners.yaml: none."""


def find_owner_of(signal: Signal, owners: Owners) -> Owner | None:
    """The owner of the first entry, top to bottom, that matches where a signal is; None where none does."""
    entry = find_owning_entry(signal, owners)
    return entry.owner if entry is not None else None


def find_owning_entry(signal: Signal, owners: Owners) -> Ownership | None:
    """The entry that names a signal's owner, with the values of tags in it; None where it has no owner."""
    return next((entry for entry in _matching(signal, owners, owners.entries) if entry.owner is not None), None)


def find_environment_of(signal: Signal, owners: Owners) -> str | None:
    """The environment of the first entry, top to bottom, that matches where a signal is and says one; None where none does."""
    saying = [entry for entry in owners.entries if entry.environment is not None]
    return next((entry.environment for entry in _matching(signal, owners, saying)), None)


def _matching(signal: Signal, owners: Owners, entries: Sequence[Ownership]) -> Iterator[Ownership]:
    """Those of some entries that match where a signal is.

    The subscription of what a connector brings from another cloud is the connector's own, so entries that name more than a
    subscription are asked before others there; and the connector's resource group is no group of the resource.
    """
    if not entries:
        return
    resource = parse_resource_id(signal.resource)
    # The entities of an alert on a resource in Azure are not asked where no entry names a cluster.
    in_clouds = [entry for entry in entries if entry.is_at is not None]
    is_asked = in_clouds or signal.location is not None or not is_of_azure(signal.resource or "")
    location = location_of(signal) if is_asked else NOWHERE
    group = resource.resource_group
    if is_foreign(signal.resource, location):
        group = None
        entries = [*(one for one in entries if one.names_more), *(one for one in entries if not one.names_more)]
    for entry in entries:
        if (
            entry.owns(resource.subscription, group)
            and (entry.is_at is None or entry.is_at(location))
            and (entry.has_name_and_tags is None or entry.has_name_and_tags(signal, owners.tags))
            and (filled := entry.filled(signal.resource, owners.tags)) is not None
        ):
            yield filled
