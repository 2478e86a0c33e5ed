"""What owners.yaml calls subscriptions, AWS accounts and GCP projects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from router.domain.locations import is_foreign, location_of
from router.domain.resources import parse_resource_id
from router.domain.signals import Signal


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedScope:
    """A subscription, an account or a project as people call it.

    Attributes:
        name: its name; None where only its environment is given.
        environment: the environment that all in it belongs to; None where only its name is given.
    """

    name: str | None = None
    environment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedScopes:
    """Every scope that has a name or an environment.

    Attributes:
        subscriptions: those of Azure, by their ids in lower case.
        accounts: those of AWS, by their ids.
        projects: those of GCP, by their ids or numbers in lower case.
    """

    subscriptions: Mapping[str, NamedScope] = field(default_factory=dict)
    accounts: Mapping[str, NamedScope] = field(default_factory=dict)
    projects: Mapping[str, NamedScope] = field(default_factory=dict)

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
