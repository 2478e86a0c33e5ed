"""What the state forgets, and when: of decisions, signals, groups, counts and documents. Pure.

Each store sweeps in small steps, and asks these functions what goes. Dead letters, the quarantine, and what is held or owed
never go by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from router.domain.clocks import is_possible, latest
from router.domain.counts import Rule, RuleHits
from router.domain.decisions import Outcome
from router.domain.deliveries import DeliveryState
from router.domain.delivery_lifecycle import OutboxEntry
from router.domain.documents import DocumentKind
from router.domain.ledger import LedgerRow
from router.domain.rulebook import Lane

_DAY = timedelta(days=1)

BELOW_FLOOR = 14 * _DAY
"""How long what is below the floor is kept: it is most of what comes, and asks nobody."""

LONGEST = 90 * _DAY
"""How long everything else is kept that ended, or of which nothing came since."""

COUNTS = 400 * _DAY
"""How long counts are kept: a year can be held against the year before."""

AGAIN = 7 * _DAY
"""When a signal is looked at again that is old enough to go and that something still needs."""

SILENT = 400 * _DAY
"""When a signal is looked at again of which only key and place are left: a resolution looks at it sooner."""

STRAY = 400 * _DAY
"""How far ahead an instant may be that is left as it is: it comes to pass, and nobody knows which of two clocks is wrong.

What is further ahead would stay for ever, and counts as of now."""

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
"""Before that a clock is wrong, since this program is younger: a machine without a battery begins in 1970."""

LEAP = 2 * _DAY
"""By how much a clock may be ahead of the last one and be believed at once."""

CONFIRMED = timedelta(hours=1)
"""How much later a clock that is further ahead is believed, if it still is: one wrong for a minute forgets nothing."""

DAYS: Mapping[Outcome, timedelta] = {
    outcome: BELOW_FLOOR if outcome is Outcome.BELOW_FLOOR else LONGEST for outcome in Outcome
}
"""How long decisions are kept, unless a setting says otherwise."""

_FACTS = frozenset({DocumentKind.FACT, DocumentKind.TAGS, DocumentKind.SNAPSHOTS})
"""The kinds of documents that say nothing any more when they are old. Of a source it counts just then that it is silent,
and one that only a pattern of the manifest expects is known by nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long what is kept stays.

    Attributes:
        decisions: how long a decision is on record, by its outcome; its deliveries stay as long.
    """

    decisions: Mapping[Outcome, timedelta] = field(default_factory=lambda: DAYS)

    @property
    def deliveries(self) -> timedelta:
        """How long what was delivered may stay at most: as long as any decision, since the record's second home gets all."""
        return max(self.decisions.values())


class ClockWitness(NamedTuple):
    """What is known of the clocks by which the state is forgotten.

    Attributes:
        trusted: the last instant that is known to be right; None before any is.
        leapt: an instant far after it that a clock showed, and that none has confirmed yet.
    """

    trusted: datetime | None = None
    leapt: datetime | None = None


def witness_after(before: ClockWitness, now: datetime) -> ClockWitness:
    """What is known of the clocks after another look at one.

    What is forgotten is gone, so a clock is believed for two days more than is known. One that leapt further is believed once
    a look at least an hour later says the same.
    """
    if before.trusted is not None and now <= before.trusted + LEAP:
        return ClockWitness(now)
    if before.leapt is None or now < before.leapt:
        return before._replace(leapt=now)
    if now < before.leapt + CONFIRMED:
        return before
    return ClockWitness(now) if now <= before.leapt + LEAP else ClockWitness(before.leapt, now)


def forgets_by(witness: ClockWitness, now: datetime) -> datetime | None:
    """The instant by which the state may be forgotten; None while no clock is known to be right."""
    return min(now, witness.trusted + LEAP) if witness.trusted is not None else None


def document_age(kind: DocumentKind) -> timedelta:
    """How long a document of a kind stays after its instant."""
    return LONGEST if kind in _FACTS else COUNTS


class Disposition(StrEnum):
    """What becomes of something that is looked at because it is old."""

    KEEP = "keep"
    REDUCE = "reduce"
    FORGET = "forget"


class Review(NamedTuple):
    """What becomes of a signal that was looked at.

    Attributes:
        disposition: what becomes of it; reduced to key and place where it is open.
        again: when it is looked at again, unless a message about it comes before.
    """

    disposition: Disposition
    again: datetime


def review_of_signal(
    row: LedgerRow,
    deliveries: Mapping[str, Sequence[OutboxEntry]],
    *,
    is_member: bool,
    retention: Retention,
    now: datetime,
) -> Review:
    """What becomes of a signal, given its deliveries by destination, and whether a group has it as a member.

    Its turns would begin anew, so its row outlives every delivery and membership that bears one of them.
    """
    since = row.closed_at or row.heard
    if since is None or not is_dated(row, now):
        return Review(Disposition.KEEP, now + LONGEST)
    due = since + (BELOW_FLOOR if row.outcome is Outcome.BELOW_FLOOR else LONGEST)
    if due > now:
        return Review(Disposition.KEEP, due)
    if row.outcome is Outcome.SUPPRESSED or is_member_only(row, is_member=is_member):
        return Review(Disposition.KEEP, now + AGAIN)
    entries = [entry for some in deliveries.values() for entry in some]
    if any(is_needed_by_itself(entry) for entry in entries):
        return Review(Disposition.KEEP, now + AGAIN)
    young = [entry.settled + retention.deliveries for entry in entries if entry.settled is not None]
    if young and max(young) > now and is_possible(max(young) - retention.deliveries, now):
        return Review(Disposition.KEEP, max(young))
    if is_open_to_people(row, deliveries):
        return Review(Disposition.REDUCE, now + SILENT)
    return Review(Disposition.FORGET, now)


def latest_to_come(now: datetime) -> datetime:
    """The latest instant that is left as it is; what is further ahead was set by a clock that was wrong, unless this one is."""
    return latest(now, STRAY) if now >= FIRST else datetime.max.replace(tzinfo=UTC)


def is_dated(row: LedgerRow, now: datetime) -> bool:
    """Whether it is known when a signal ended or was last heard of.

    A clock that was wrong wrote what cannot be.
    Who looks at such a signal counts it as heard of, or ended, just now.
    """
    since = row.closed_at or row.heard
    return since is not None and since <= latest_to_come(now)


def is_member_only(row: LedgerRow, *, is_member: bool) -> bool:
    """Whether a group has a signal as a member that is open nowhere as one."""
    return is_member and not row.grouped


def is_needed_by_itself(entry: OutboxEntry) -> bool:
    """Whether a delivery is owed, under way, or a dead letter."""
    return entry.is_open or entry.is_dead


def is_open_to_people(row: LedgerRow, deliveries: Mapping[str, Sequence[OutboxEntry]]) -> bool:
    """Whether a signal is open at a pager or in a ticket, alone or in a group; a row of a table is never closed."""
    return any(
        destination in row.grouped
        or any(entry.lane is not Lane.ROWS for entry in deliveries.get(destination, ()) if entry.turn == turn)
        or not any(entry.turn == turn for entry in deliveries.get(destination, ()))
        for destination, turn in row.open.items()
    )


def is_opening_of(row: LedgerRow | None, destination: str, entry: OutboxEntry) -> bool:
    """Whether a delivery opened a signal where it is open now: its resolution needs the receipt."""
    return row is not None and row.open.get(destination) == entry.turn


def deliveries_to_forget[E: OutboxEntry](
    entries: Sequence[E], row: LedgerRow | None, destination: str, turns: Iterable[int], settled_until: datetime
) -> list[E]:
    """Those of a signal's deliveries to one destination that go with the decisions of some turns.

    All stay while one of them is owed or dead: what is owed needs the receipt of its opening, and a dead letter that is
    redriven what came after it. As long as the signal's row is there, the last that was sent says what people know. What
    stayed for such a reason when its own decision went goes with a later one, if it was settled until the given instant.
    """
    if any(is_needed_by_itself(entry) for entry in entries):
        return []
    last = max((entry.turn for entry in entries if entry.state is DeliveryState.SENT), default=0) if row else 0
    aged = frozenset(turns)
    latest = max(aged, default=0)
    return [
        entry
        for entry in entries
        if (
            entry.turn in aged or (entry.turn < latest and entry.settled is not None and entry.settled <= settled_until)
        )
        and entry.turn != last
        and not is_opening_of(row, destination, entry)
    ]


def deliveries_beyond_opening[E: OutboxEntry](entries: Sequence[E], row: LedgerRow, destination: str) -> list[E]:
    """Those of a reduced signal's deliveries to one destination that go: all but the opening, which has the receipt."""
    return [entry for entry in entries if not is_opening_of(row, destination, entry)]


def disposition_of_group(stands: bool, entries: Sequence[OutboxEntry]) -> Disposition:
    """What becomes of a group of which nothing changed for as long as anything is kept, and of its deliveries."""
    if any(is_needed_by_itself(entry) for entry in entries):
        return Disposition.KEEP
    return Disposition.REDUCE if stands else Disposition.FORGET


def is_rule_forgotten(rule: Rule, hits: RuleHits, there: Iterable[Rule], now: datetime) -> bool:
    """Whether the hits of a rule go: it is there no more, and its last is long ago."""
    return hits.last <= now - COUNTS and rule not in there


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What a sweep took away.

    Attributes:
        decisions: decisions on record.
        deliveries: deliveries, with what they told.
        signals: rows of the ledger.
        reduced: signals and groups of which key and place are left.
        groups: groups, members and windows.
        counts: cells of hours, and hits of rules that are there no more.
        documents: documents.
        is_done: whether nothing more is old enough.
    """

    decisions: int = 0
    deliveries: int = 0
    signals: int = 0
    reduced: int = 0
    groups: int = 0
    counts: int = 0
    documents: int = 0
    is_done: bool = True

    def and_then(self, other: Forgotten) -> Forgotten:
        """What this sweep and the next one took away."""
        sums = {name: getattr(self, name) + getattr(other, name) for name in _NUMBERS}
        return replace(self, **sums, is_done=other.is_done)

    @property
    def total(self) -> int:
        """How much that is."""
        return sum(getattr(self, name) for name in _NUMBERS)


_NUMBERS = tuple(one.name for one in fields(Forgotten) if one.name != "is_done")
