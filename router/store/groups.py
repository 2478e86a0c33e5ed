"""Groups of signals, their members, the alerts that incidents name, and the openings that limits count.

The row of a destination in `admissions` is the lock of all of these: who changes one has locked it before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from router.domain.notices import Group, Notice
from router.domain.severity import gravity_of
from router.domain.values import Value
from router.store.codec import Columns, RowForm, decode, encode, insert, readable, upsert
from router.store.quarantine import sound_in
from router.store.store import Transaction


class Waits(StrEnum):
    """What a group waits for that its destination knows nothing of yet."""

    ROOM = "room"
    """A summary opens as soon as the limit has room for one."""

    TURN = "turn"
    """A group that lasts opens when the limit has room and it is the gravest that waits."""


class MemberState(Value, kw_only=True):
    """The membership of a signal in the group that it joined last, and when it changed.

    Attributes:
        turn: the latest turn of the signal that was applied to the group.
        stands: whether the signal was not over at that turn.
        group_turn: the turn of the group whose notice told of it; None where it led to no notice.
    """

    group: str
    turn: int
    stands: bool
    group_turn: int | None
    at: datetime


class NamedAlert(Value, kw_only=True):
    """An alert that an incident names: it joins the incident's group if it comes by then."""

    group: str
    until: datetime


class GroupState(Value, kw_only=True):
    """A group of signals, of which a destination is notified under one key.

    Attributes:
        audience_key: the key of whom it is for: an alert that an incident names joins only where it is for the same.
        window_key: the key that signals share which join it; None once another group has it.
        until: when it takes no others in; None where it lasts as long as one of its members stands.
        is_open: whether people know of it now: it was opened, and not resolved since.
        severity, severity_written: those of the gravest member since it opened.
        respond_by: the soonest time to answer of any member since it opened.
        paged: whether the rules sent any member since it opened to a pager as well.
        words: the notice in whose words it opens, where it waits, or is told of on the clock, where it lasts.
        note_due: when its destination is told of what changed in it since its last notice; None where nothing did.
    """

    group: Group
    audience_key: str
    at: datetime
    window_key: str | None
    until: datetime | None
    turn: int = 0
    opened: int = 0
    is_open: bool = False
    severity: str | None = None
    severity_written: str | None = None
    respond_by: str | None = None
    paged: bool = False
    words: Notice | None = None
    note_due: datetime | None = None

    @property
    def is_sample(self) -> bool:
        """Whether its words are of one of Defender's samples."""
        return self.words is not None and self.words.sample

    @property
    def waits(self) -> Waits | None:
        """What it waits for; None where it is open, or nothing stands in it."""
        if self.is_open or self.words is None or not self.group.standing:
            return None
        return Waits.TURN if self.until is None else Waits.ROOM


class Opening(Value):
    """One opening of a group, as a limit counts it.

    Those by an owner's pager key, of samples, and beyond the limit, which are summaries, have a count of their own each.
    """

    at: datetime
    pager: str | None
    sample: bool
    beyond: bool
    gravity: int


@dataclass(slots=True)
class States:
    """Members by the keys of their signals, named alerts and groups by their own keys, and openings of one destination."""

    members: dict[str, MemberState] = field(default_factory=dict)
    named_alerts: dict[str, NamedAlert] = field(default_factory=dict)
    groups: dict[str, GroupState] = field(default_factory=dict)
    openings: list[Opening] = field(default_factory=list)


LONGEST_WINDOW = timedelta(days=31)
"""The longest window that a limit may have: openings from before it count for nothing."""

_AT = ("stream", "destination")
_MEMBER = RowForm(MemberState, group="group_key")
_NAMED_ALERT = RowForm(NamedAlert, group="group_key")
_OPENING = RowForm(Opening)


def _read_with[T](column: str, read: Callable[[Columns], T]) -> Callable[[Columns], tuple[str, str, T]]:
    """What reads a state with its destination, and its key in a column."""
    return lambda row: (row.text("destination"), row.text(column), read(row))


_member_in, _named_alert_in = _read_with("signal", _MEMBER.read), _read_with("key", _NAMED_ALERT.read)
_group_in = _read_with("key", lambda row: decode(GroupState, row.body("body")))

# A row that is there is written as it is, so that those that are made are locked in their order as well.
_LOCK = upsert("admissions", _AT, _AT, ["destination=excluded.destination"])

_THOSE = "SELECT * FROM {table} WHERE stream=? AND destination = ANY(?) AND {column} = ANY(?)"
_MEMBERS = _THOSE.format(table="members", column="signal")
_GROUPS = _THOSE.format(table="groups", column="key")
_IN_WINDOWS = _THOSE.format(table="groups", column="window_key")
_GROUPS_OF = """
SELECT g.* FROM {table} m JOIN groups g ON g.stream=m.stream AND g.destination=m.destination AND g.key=m.group_key
WHERE m.stream=? AND m.destination = ANY(?) AND m.{column} = ANY(?)
"""
_STANDING_IN = """
SELECT m.signal, g.* FROM members m JOIN groups g ON g.stream=m.stream AND g.destination=m.destination AND g.key=m.group_key
WHERE m.stream=? AND m.signal = ANY(?) AND m.stands=1 ORDER BY m.signal, m.destination
"""
_WAITING_FOR_ROOM = "SELECT * FROM groups WHERE stream=? AND destination = ANY(?) AND waits='room'"
_NEXT = """
SELECT * FROM (
    SELECT * FROM groups WHERE stream=? AND destination=? AND waits='turn' AND sample=?
    ORDER BY gravity DESC, at, key DESC LIMIT ?
) AS next
"""
_DUE = """
SELECT * FROM (
    SELECT * FROM groups WHERE stream=? AND destination=? AND note_due BETWEEN ? AND ? ORDER BY note_due LIMIT ?
) AS due
"""
_OPENINGS = """
SELECT destination, pager, sample, beyond, count(*) AS many, max(gravity) AS gravest FROM openings
WHERE stream=? AND destination=? AND at>? AND at<=? GROUP BY destination, pager, sample, beyond
"""
_HELD = """
SELECT count(*) AS many, CAST(coalesce(sum(standing), 0) AS BIGINT) AS standing,
CAST(coalesce(sum(total), 0) AS BIGINT) AS total FROM groups WHERE stream=? AND destination=? AND waits='turn' AND sample=?
"""

_COLUMNS = ("window_key", "is_open", "waits", "sample", "gravity", "standing", "total", "note_due", "at", "body")
_WRITE_GROUP = upsert("groups", (*_AT, "key", *_COLUMNS), (*_AT, "key"))
_WRITE_MEMBER = upsert("members", (*_AT, "signal", *_MEMBER.columns), (*_AT, "signal"))
_WRITE_NAMED_ALERT = upsert("named_alerts", (*_AT, "key", *_NAMED_ALERT.columns), (*_AT, "key"))
_FORGET_OPENINGS = "DELETE FROM openings WHERE stream=? AND destination=? AND at<=?"
_WRITE_OPENING = insert("openings", (*_AT, *_OPENING.columns))


async def lock_admissions(tx: Transaction, stream: str, destinations: Collection[str]) -> None:
    """Lock the groups and limits of some destinations, in the order of their names, until the transaction ends."""
    await tx.write_many(_LOCK, [(stream, destination) for destination in sorted(destinations)])


async def list_grouped(tx: Transaction, stream: str) -> list[str]:
    """Return the destinations of a stream that have, or had, groups, whatever its policy names."""
    rows = await tx.fetch("SELECT destination FROM admissions WHERE stream=? ORDER BY destination", stream)
    return await sound_in(tx, "admissions", rows, lambda row: row.text("destination"))


async def find_members(
    tx: Transaction, stream: str, destinations: Collection[str], signals: Collection[str]
) -> dict[tuple[str, str], MemberState]:
    """Return the memberships of some signals in groups of some destinations, by destination and the key of the signal."""
    rows = await tx.fetch(_MEMBERS, stream, list(destinations), list(signals)) if destinations and signals else []
    return {(name, key): member for name, key, member in await sound_in(tx, "members", rows, _member_in)}


async def find_groups(tx: Transaction, stream: str, destination: str, keys: Collection[str]) -> dict[str, GroupState]:
    """Return some groups of a destination, by their keys."""
    rows = await tx.fetch(_GROUPS, stream, [destination], list(keys))
    return {key: state for _, key, state in await sound_in(tx, "groups", rows, _group_in)}


class Membership(NamedTuple):
    """The group in which a signal stands at a destination."""

    destination: str
    group: str
    state: GroupState


async def list_memberships(
    tx: Transaction, stream: str, signals: Collection[str]
) -> Mapping[str, Sequence[Membership]]:
    """Return the groups in which some signals stand, by the keys of the signals."""
    found: dict[str, list[Membership]] = {}
    rows = await tx.fetch(_STANDING_IN, stream, list(signals)) if signals else []
    read = _read_with("signal", lambda row: (row.text("key"), decode(GroupState, row.body("body"))))
    for destination, signal, (key, state) in await sound_in(tx, "groups", rows, read):
        found.setdefault(signal, []).append(Membership(destination, key, state))
    return found


async def count_waiting(tx: Transaction, stream: str) -> Counter[str]:
    """Return how many groups of a stream wait until a limit has room, summaries too, by destination."""
    sql = "SELECT destination, count(*) AS many FROM groups WHERE stream=? AND waits IS NOT NULL GROUP BY destination"
    return Counter({row.text("destination"): row.whole("many") for row in await tx.fetch(sql, stream)})


class Asked(NamedTuple):
    """Which states of some destinations are asked for, beside the summaries that wait for room.

    Signals are asked for with their memberships and groups, named alerts with their groups, windows by their groups.

    Attributes:
        waiting: the most groups of a destination that are asked for which open next, real ones and as many of samples.
        due: the instants from which and until which notes are due whose groups are asked for, and `most` of these.
    """

    signals: Collection[str] = ()
    named_alerts: Collection[str] = ()
    windows: Collection[str] = ()
    waiting: int = 1
    due: Sequence[tuple[datetime, datetime]] = ()
    most: int = 0


async def read_states(tx: Transaction, stream: str, destinations: Sequence[str], asked: Asked) -> dict[str, States]:
    """Return what is asked for of some destinations, by their names."""
    found = {destination: States() for destination in destinations}
    at = (stream, list(destinations))
    parts: list[tuple[str, Sequence[object]]] = [(_WAITING_FOR_ROOM, at)]
    for table, column, keys, read in (
        ("members", "signal", asked.signals, _member_in),
        ("named_alerts", "key", asked.named_alerts, _named_alert_in),
    ):
        if keys:
            rows = await tx.fetch(_THOSE.format(table=table, column=column), *at, list(keys))
            for destination, key, one in await sound_in(tx, table, rows, read):
                getattr(found[destination], table)[key] = one
            parts.append((_GROUPS_OF.format(table=table, column=column), (*at, list(keys))))
    if asked.windows:
        parts.append((_IN_WINDOWS, (*at, list(asked.windows))))
    for destination in destinations:
        parts += [(_NEXT, (stream, destination, sample, asked.waiting)) for sample in (0, 1)]
        parts += [(_DUE, (stream, destination, *span, asked.most)) for span in asked.due]
    sql = " UNION ALL ".join(sql for sql, _ in parts)
    rows = await tx.fetch(sql, *(value for _, values in parts for value in values))
    for destination, key, state in await sound_in(tx, "groups", rows, _group_in):
        found[destination].groups[key] = state
    return found


class OpeningCount(NamedTuple):
    """How many groups opened for one audience within a window, and how grave the gravest of them was."""

    many: int
    gravest: int


type OpeningCounts = dict[tuple[str | None, bool, bool], OpeningCount]
"""By pager, whether samples, and whether beyond the limit."""


async def count_openings(
    tx: Transaction, stream: str, spans: Mapping[str, tuple[datetime, datetime]]
) -> dict[str, OpeningCounts]:
    """Return how many groups opened within a span of time, by destination."""
    found: dict[str, OpeningCounts] = {destination: {} for destination in spans}
    if not spans:
        return found
    values = [value for destination, span in spans.items() for value in (stream, destination, *span)]
    for row in await tx.fetch(" UNION ALL ".join([_OPENINGS] * len(spans)), *values):
        # One that is damaged counts as what is real, and as within the limit.
        marks = (readable(False, row.flag, "sample"), readable(False, row.flag, "beyond"))
        counts, audience = found[row.words("destination")], (readable(None, row.find_text, "pager"), *marks)
        known = counts.get(audience, OpeningCount(0, 0))
        gravest = max(known.gravest, readable(0, row.whole, "gravest"))
        counts[audience] = OpeningCount(known.many + row.whole("many"), gravest)
    return found


class WaitingCount(NamedTuple):
    """What waits for its turn: groups, signals that stand in them, and signals that ever joined them."""

    groups: int
    standing: int
    total: int


async def count_held(tx: Transaction, stream: str, destination: str, *, sample: bool) -> WaitingCount:
    """Return what waits for its turn at a destination, of samples or of what is real."""
    (row,) = await tx.fetch(_HELD, stream, destination, sample)
    return WaitingCount(row.whole("many"), row.whole("standing"), row.whole("total"))


async def write_states(tx: Transaction, stream: str, changes: Mapping[str, States]) -> None:
    """Write states of destinations that the transaction has locked."""
    every = sorted(changes.items())
    for table, sql, values in (
        ("groups", _WRITE_GROUP, _values_of),
        ("members", _WRITE_MEMBER, _MEMBER.values),
        ("named_alerts", _WRITE_NAMED_ALERT, _NAMED_ALERT.values),
    ):
        states = [(name, key, one) for name, it in every for key, one in sorted(getattr(it, table).items())]
        await tx.write_many(sql, [(stream, name, key, *values(one)) for name, key, one in states])
    opened = [(name, it.openings) for name, it in every if it.openings]
    await tx.write_many(_FORGET_OPENINGS, [(stream, name, some[-1].at - LONGEST_WINDOW) for name, some in opened])
    new = [(stream, name, *_OPENING.values(one)) for name, some in opened for one in some]
    await tx.write_many(_WRITE_OPENING, new)


def _values_of(one: GroupState) -> tuple[object, ...]:
    """Return the values of _COLUMNS."""
    counts = one.group.standing, one.group.total, one.note_due, one.at
    return one.window_key, one.is_open, one.waits, one.is_sample, gravity_of(one.severity), *counts, encode(one)
