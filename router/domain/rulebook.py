"""The compiled, immutable rules of one stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from router.domain.attack import Attack, AttackTable
from router.domain.catalogue import Catalogue
from router.domain.signals import Severity, Signal, Stream
from router.domain.suppression import Suppressions


class Lane(StrEnum):
    """How urgent a destination is; lanes never wait for each other."""

    PAGE = "page"
    TICKET = "ticket"
    ROWS = "rows"


@dataclass(frozen=True, slots=True)
class Clause:
    """One key of a route's `when`: as it was written, and whether a signal meets it."""

    key: str
    written: str
    holds: Callable[[Signal, Attack], bool]


@dataclass(frozen=True, slots=True)
class Route:
    """A named set of destinations for the signals that meet all of its clauses."""

    name: str
    when: tuple[Clause, ...]
    to: tuple[str, ...]
    kinds: frozenset[str] = frozenset()
    """The kinds that `when` names; a kind that is by nature only noted is routed where a route names it."""
    respond_within: timedelta | None = None
    """How soon people should answer what it routes."""

    def matches(self, signal: Signal, attack: Attack) -> bool:
        """Whether every clause holds; a route without clauses takes everything."""
        for clause in self.when:  # noqa: SIM110  A generator costs more than the question.
            if not clause.holds(signal, attack):
                return False
        return True


@dataclass(frozen=True, slots=True)
class Floor:
    """The lowest severity that is forwarded, by Defender plan."""

    default: Severity
    by_plan: Mapping[str, Severity] = field(default_factory=dict)

    def severity_for(self, plan: str | None) -> Severity:
        """The floor of a plan."""
        return self.by_plan.get(plan, self.default) if plan is not None else self.default


@dataclass(frozen=True, slots=True)
class Owner:
    """Who answers for a resource: an assignment group, a service, and the name of the secret that holds a pager key."""

    group: str | None = None
    service: str | None = None
    pager: str | None = None


@dataclass(frozen=True, slots=True)
class Ownership:
    """One entry of owners.yaml: whose the resources are that it matches."""

    owns: Callable[[str | None, str | None], bool]
    owner: Owner


class By(StrEnum):
    """What the signals of a group have in common."""

    ALERT_TYPE = "alert_type"
    RESOURCE = "resource"
    SUBSCRIPTION = "subscription"
    TACTICS = "tactics"
    ENTITY = "entity"
    OWNER = "owner"
    CORRELATION = "correlation"
    INCIDENT = "incident"


def written(length: timedelta) -> str:
    """A length of time as policies write it: in days, else in hours, else in minutes."""
    minutes = length // timedelta(minutes=1)
    for unit, longer in (("d", 24 * 60), ("h", 60)):
        if minutes % longer == 0:
            return f"{minutes // longer}{unit}"
    return f"{minutes}m"


@dataclass(frozen=True, slots=True)
class Grouping:
    """Which signals a destination is told of as one: those alike in `by` that come within a window of the first."""

    by: tuple[By, ...]
    window: timedelta


@dataclass(frozen=True, slots=True)
class Limit:
    """How many openings a destination takes within a window; what is beyond joins one summary."""

    most: int
    window: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationSpec:
    """A destination as the policy names it: its kind, its lane, its checked config, and the secrets it needs by name.

    One that has a `group` or a `limit` is told of groups of signals.
    """

    name: str
    kind: str
    lane: Lane
    config: object
    secrets: tuple[str, ...] = ()
    group: Grouping | None = None
    limit: Limit | None = None

    @property
    def is_grouped(self) -> bool:
        """Whether signals are told here as members of groups."""
        return self.group is not None or self.limit is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rulebook:
    """Everything that decides where a signal of one stream goes, and the hash of what it was made from."""

    stream: Stream
    hash: str
    floor: Floor
    suppressions: Suppressions
    routes: tuple[Route, ...]
    always: tuple[str, ...]
    otherwise: tuple[str, ...]
    attack: AttackTable
    catalogue: Catalogue
    destinations: Mapping[str, DestinationSpec]
    record: DestinationSpec | None = None
    owners: tuple[Ownership, ...] = ()

    def find_owner(self, subscription: str | None, resource_group: str | None) -> Owner | None:
        """The owner of the first entry, top to bottom, that matches; None where none does."""
        return next((entry.owner for entry in self.owners if entry.owns(subscription, resource_group)), None)
