"""What destinations are told, and what they bring back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from router.domain.decisions import Change
from router.domain.keys import delivery_key
from router.domain.rulebook import Lane, Owner


@dataclass(frozen=True, slots=True)
class Tactic:
    """An ATT&CK tactic as people know it."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a responder looks for first, read out of a signal's entities; each list without repeats, in order."""

    hosts: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    pods: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    hashes: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedMember:
    """A member of a group as the group's notices name it.

    `key` is its signal key.
    `title` is what happened, and `severity` how grave it is.
    `place` is where: the compromised entity, or else the resource.
    """

    key: str
    title: str
    severity: str | None
    place: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group of signals as its notices have it.

    `by` is what its members have in common, name by name.
    `total` is how many signals ever joined, and `standing` how many of them still stand.
    `named` are the latest of those that stand, the gravest first.
    `limited` is whether it is a summary: a group of what the limit of its destination held back.
    """

    by: tuple[tuple[str, str], ...]
    total: int
    standing: int
    named: tuple[NamedMember, ...]
    limited: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What destinations are told of a signal or a group at one turn; its delivery says whether it opens, updates or resolves.

    `key` is the signal key, or the group key where the notice is a group's; `turn` counts the turns of that key.
    `group` is the group, where a notice of several signals has one of their own in its other fields.
    `alerts` are the ids of the alerts that an incident names, the first 50.
    Times are ISO 8601 in UTC, as destinations write them.
    """

    key: str
    turn: int
    stream: str
    kind: str
    id: str
    type: str
    title: str
    description: str
    severity: str | None
    severity_written: str | None
    status: str | None
    plan: str | None
    sample: bool
    resource: str | None
    resource_type: str | None
    resource_group: str | None
    subscription: str | None
    compromised_entity: str | None
    tactics: tuple[Tactic, ...]
    techniques: tuple[str, ...]
    attack_version: str
    routes: tuple[str, ...]
    reason: str
    rulebook: str
    link: str | None
    remediation: tuple[str, ...]
    evidence: Evidence
    owner: Owner | None
    product: str | None
    started: str | None
    ended: str | None
    changed: str | None
    categories: tuple[str, ...] = ()
    measure: str | None = None
    cause: str | None = None
    cloud: str | None = None
    snapshot: bool = False
    respond_by: str | None = None
    correlation: str | None = None
    alerts: tuple[str, ...] = ()
    group: Group | None = None
    extended: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordEntry:
    """One decision as it is put on record: the line that `--decisions` writes, and when it was made.

    `key` is the identity of the message it is about: (hub epoch, partition, sequence), (file body, place)
    or (line of standard input, how many equal ones it had before it).
    """

    key: str
    at: str
    id: str | None
    stream: str | None
    kind: str
    type: str | None
    title: str | None
    severity: str | None
    status: str | None
    plan: str | None
    resource: str | None
    sample: bool
    outcome: str
    reason: str
    notice: str | None
    suppressed_by: str | None
    suppressed_until: str | None
    tactics: tuple[str, ...]
    techniques: tuple[str, ...]
    routes: tuple[str, ...]
    destinations: tuple[str, ...]
    rulebook: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One notice, or one entry of the record, owed to one destination.

    `opened` is the turn whose delivery opened the signal at this destination: its own turn where `change` is opened.
    `trace` is the W3C traceparent of what took its message in: https://www.w3.org/TR/trace-context/#traceparent-header
    """

    stream: str
    destination: str
    lane: Lane
    key: str
    turn: int
    change: Change
    opened: int
    content: Notice | RecordEntry
    trace: str | None = None

    @property
    def id(self) -> str:
        """The delivery key."""
        return delivery_key(self.key, self.turn, self.destination)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a delivery brought back: the vendor's reference (a ticket's number), where to look at it, and its handles."""

    reference: str | None = None
    link: str | None = None
    handles: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try at one delivery: all that a destination may know.

    `number` counts from 1. `opening` is the receipt of the delivery that opened the signal here, where there is one.
    `since` is since when the delivery is owed.
    """

    delivery: Delivery
    number: int
    now: datetime
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    opening: Receipt | None = None
    since: datetime | None = None
