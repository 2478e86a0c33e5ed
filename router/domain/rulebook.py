"""The compiled, immutable rules of one stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import replace
from datetime import timedelta
from enum import StrEnum

from router.domain.catalogue import Attack, AttackTable, Catalogue
from router.domain.owners import NO_OWNERS, NO_SCOPES, NamedScopes, Owners
from router.domain.severity import Severity
from router.domain.signals import Signal, Stream
from router.domain.silences import BOUNDS, SilenceBounds
from router.domain.suppression import NO_SUPPRESSIONS, Suppressions
from router.domain.tags import Tags
from router.domain.values import Value


class Lane(StrEnum):
    """How urgent a destination is; lanes never wait for each other."""

    PAGE = "page"
    TICKET = "ticket"
    ROWS = "rows"


type Holds = Callable[[Signal, Attack], bool]
"""Whether a signal, with its ATT&CK ids, meets something."""


class Clause(Value):
    """One key of a route's `when`.

    Attributes:
        holds_by: the same by other owners and tags; None where it asks for none.
    """

    key: str
    written: str
    holds: Holds
    holds_by: Callable[[Owners], Holds] | None = None

    def with_owners(self, owners: Owners) -> Clause:
        """The same, asking other owners."""
        return self if self.holds_by is None else replace(self, holds=self.holds_by(owners))


class Route(Value):
    """A named set of destinations for the signals that meet all of its clauses.

    Attributes:
        kinds: the kinds that `when` names; a kind that is otherwise only noted is routed where a route names it.
    """

    name: str
    when: tuple[Clause, ...]
    to: tuple[str, ...]
    kinds: frozenset[str] = frozenset()
    respond_within: timedelta | None = None

    def matches(self, signal: Signal, attack: Attack) -> bool:
        """Whether every clause holds; a route without clauses takes everything."""
        for clause in self.when:  # noqa: SIM110  A generator costs more than the question.
            if not clause.holds(signal, attack):
                return False
        return True

    def with_owners(self, owners: Owners) -> Route:
        """The same, asking other owners."""
        return replace(self, when=tuple(clause.with_owners(owners) for clause in self.when))


class Floor(Value):
    """The lowest severity that is forwarded."""

    default: Severity
    by_plan: Mapping[str, Severity] = {}

    def severity_for(self, plan: str | None) -> Severity:
        """The floor of a plan."""
        return self.by_plan.get(plan, self.default) if plan is not None else self.default


class Runbook(Value):
    """A page that says what to do about some types of signals."""

    fits: Callable[[Signal], bool]
    url: str


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
    CATEGORY = "category"
    PACKAGE = "package"
    CVE = "cve"
    RISK = "risk"
    RESOURCE_GROUP = "resource_group"
    ACCOUNT = "account"
    PROJECT = "project"
    CLUSTER = "cluster"
    NAMESPACE = "namespace"
    CONNECTOR = "connector"


BY_TAG = "tag."
"""What stands before the name of a tag that signals of a group have in common."""


class ByTag(Value):
    """A tag, by its name in lower case, that the resources of a group's signals have in common."""

    name: str

    @property
    def value(self) -> str:
        """How policies write it."""
        return f"{BY_TAG}{self.name}"

    def __str__(self) -> str:
        return self.value


def length_text(length: timedelta) -> str:
    """A length of time as policies write it: in days, else in hours, else in minutes."""
    minutes = length // timedelta(minutes=1)
    for unit, longer in (("d", 24 * 60), ("h", 60)):
        if minutes % longer == 0:
            return f"{minutes // longer}{unit}"
    return f"{minutes}m"


class Grouping(Value):
    """Which signals a destination is notified of together.

    Attributes:
        window: how long after its first signal a group takes others in; None where it is open as long as one of them stands.
    """

    by: tuple[By | ByTag, ...]
    window: timedelta | None

    @property
    def tags(self) -> tuple[str, ...]:
        """The names of the tags among them."""
        return tuple(by.name for by in self.by if isinstance(by, ByTag))


class Limit(Value):
    """How many openings a destination gets; those beyond it join one summary."""

    most: int
    window: timedelta


class DestinationSpec(Value, kw_only=True):
    """A destination as the policy names it."""

    name: str
    kind: str
    lane: Lane
    config: object
    secrets: tuple[str, ...] = ()
    group: Grouping | None = None
    limit: Limit | None = None

    @property
    def is_grouped(self) -> bool:
        """Whether it is notified of groups of signals."""
        return self.group is not None or self.limit is not None

    @property
    def is_lasting(self) -> bool:
        """Whether each of its groups lasts as long as one of its signals stands."""
        return self.group is not None and self.group.window is None


class Rulebook(Value, kw_only=True):
    """Everything that decides where a signal of one stream goes."""

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
    owners: Owners = NO_OWNERS
    scopes: NamedScopes = NO_SCOPES
    runbooks: tuple[Runbook, ...] = ()
    shadows: Suppressions = NO_SUPPRESSIONS
    silences: SilenceBounds = BOUNDS
    notify: tuple[str, ...] = ()
    warn: timedelta = timedelta(days=14)
    coverage_severity: Severity = Severity.HIGH

    def with_tags(self, tags: Tags) -> Rulebook:
        """The same by other tags of resources: everything in it that asks for an owner or a tag knows them."""
        owners = replace(self.owners, tags=tags)
        return replace(self, owners=owners, routes=tuple(route.with_owners(owners) for route in self.routes))
