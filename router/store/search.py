"""What people look for on record: decisions by what they filter, and what was heard of a resource; the latest first.

Nothing is counted, and no page is found by its number: where one ends the next begins.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from router.domain.counts import counted_name
from router.domain.decisions import Outcome
from router.domain.notices import RecordEntry
from router.domain.signals import Stream
from router.domain.values import Value
from router.store.codec import EPOCH, MOST, Columns, PageEnd, decision_in, micros
from router.store.decisions import AT_RESOURCE, BEYOND, SignalLookup, ending, search_signals, written
from router.store.quarantine import sound_in
from router.store.store import Transaction

PAGE = 500

MOST_SIGNALS = 1_000
"""Signals of an id or at a resource whose decisions are looked through."""

STREAMS = ("", *Stream)
"""The streams of decisions; a message that was not understood is of the first."""

# Each stream and outcome has its decisions in the order of an index, with a type and without.
_OF_STREAM = """
SELECT * FROM (
    SELECT at, place FROM decisions WHERE stream=? AND outcome=? AND at>=? AND (at, place)<(?, ?){typed}
    ORDER BY at DESC, place DESC LIMIT ?
) AS part
"""
_OF_SIGNALS = """
SELECT at, place FROM decisions INDEXED BY decided_of
WHERE signal = ANY(?) AND stream = ANY(?) AND outcome = ANY(?) AND at>=? AND (at, place)<(?, ?){typed}
"""
_PLACES = "SELECT at, place FROM ({some}) AS all_of_them ORDER BY at DESC, place DESC LIMIT ?"
# In a statement of its own: for a join PostgreSQL may read all decisions, since it does not know how few places there are.
_AT_PLACES = "SELECT key, at, place, body FROM decisions WHERE place = ANY(?) ORDER BY at DESC, place DESC"

# Each resource once, by as many steps along the index, however many signals it has.
_NAMED = """
WITH RECURSIVE ends (name) AS (
    SELECT min(resource_end) FROM lookups WHERE resource_end>=? AND resource_end<?
    UNION ALL
    SELECT (SELECT min(resource_end) FROM lookups WHERE resource_end>ends.name AND resource_end<?) FROM ends
    WHERE name IS NOT NULL
)
SELECT name FROM ends WHERE name IS NOT NULL LIMIT ?
"""
_AT = (
    "SELECT at, signal FROM lookups WHERE resource_end=? AND (at, signal)<(?, ?) ORDER BY at DESC, signal DESC LIMIT ?"
)


class DecisionFilter(Value, kw_only=True):
    """What people want to see of the record; all of it by default.

    Attributes:
        type: in any case of its letters from A to Z.
        id: of a signal, or the end of one, in any case.
        resource: its id, its name, or the end of one, in any case; where it is the whole last part of some, those alone.
        until: it was decided before that.
    """

    streams: tuple[str, ...] = STREAMS
    outcomes: tuple[Outcome, ...] = tuple(Outcome)
    type: str | None = None
    id: str | None = None
    resource: str | None = None
    since: datetime = EPOCH
    until: datetime | None = None


class Recorded(NamedTuple):
    """A decision, and where a page ends that it is the last of."""

    end: PageEnd
    entry: RecordEntry


class RecordPage(NamedTuple):
    """Some decisions.

    Attributes:
        after: where to go on; None at the end.
        is_whole: whether all signals of that id and at that resource were looked at, and not MOST_SIGNALS of them.
    """

    found: Sequence[Recorded]
    after: PageEnd | None
    is_whole: bool = True


async def list_decisions(tx: Transaction, wanted: DecisionFilter, after: PageEnd | None, most: int) -> RecordPage:
    """Return the decisions that are wanted, from where a page ended on: the latest first, and no more than so many.

    None is missing and none comes twice, also of those that were made at the same instant, whatever is put on record meanwhile.
    """
    end = min((micros(wanted.until) if wanted.until else MOST, -1), (after.at, int(after.row)) if after else (MOST, 0))
    typed, type = ("", []) if wanted.type is None else (" AND lower(type)=?", [_lowered(wanted.type)])
    signals = await _find_signals(tx, wanted)
    if signals is None:
        parts = [(stream, outcome) for stream in wanted.streams for outcome in wanted.outcomes]
        some = " UNION ALL ".join([_OF_STREAM.format(typed=typed)] * len(parts))
        values = [value for part in parts for value in (*part, wanted.since, *end, *type, most + 1)]
    else:
        keys = [one.signal for one in signals[:MOST_SIGNALS]]
        some, values = _OF_SIGNALS.format(typed=typed), [keys, list(wanted.streams), list(wanted.outcomes)]
        values += [wanted.since, *end, *type]
    places = await tx.fetch(_PLACES.format(some=some), *values, most + 1) if some else []
    rows = await tx.fetch(_AT_PLACES, [row.raw("place") for row in places[:most]]) if places else []
    found = await sound_in(tx, "decisions", rows, lambda row: Recorded(_end_of(row), decision_in(row.body("body"))))
    is_whole = signals is None or len(signals) <= MOST_SIGNALS
    return RecordPage(found, _end_of(places[most - 1]) if len(places) > most else None, is_whole)


async def walk_decisions(
    tx: Transaction, stream: str, since: datetime, until: datetime, outcomes: Collection[Outcome], page: int = PAGE
) -> AsyncIterator[Sequence[RecordEntry]]:
    """Yield the decisions of a stream from one instant to before another, with some outcomes, in pages as above."""
    wanted = DecisionFilter(streams=(stream,), outcomes=tuple(outcomes), since=since, until=until)
    after = None
    while True:
        some = await list_decisions(tx, wanted, after, page)
        yield [one.entry for one in some.found]
        if (after := some.after) is None:
            return


async def _find_signals(tx: Transaction, wanted: DecisionFilter) -> Sequence[SignalLookup] | None:
    """Return the signals of an id and at a resource, one more than are looked at where there are more; None for any."""
    if wanted.resource is None:
        return None if wanted.id is None else await search_signals(tx, wanted.id, MOST_SIGNALS + 1)
    of_id = await search_signals(tx, wanted.id, MOST_SIGNALS + 1) if wanted.id is not None else None
    for name in (f"/{wanted.resource.strip()}", f":{wanted.resource.strip()}", wanted.resource):
        if of_id is not None:
            found = [one for one in of_id if one.resource.endswith(written(ending(name)))]
        else:
            found = list(await search_signals(tx, name, MOST_SIGNALS + 1, column=AT_RESOURCE))
        if found:
            return found
    return []


def _lowered(type: str) -> str:
    """Return a type as both engines lower what is of this form: from A to Z, and nothing else."""
    return counted_name(type).encode("utf-8", "replace").lower().decode()


def _end_of(row: Columns) -> PageEnd:
    return PageEnd(row.raw("at"), str(row.raw("place")))


async def find_resources(tx: Transaction, text: str, most: int) -> list[str]:
    """Return the resources, in lower case, whose names end so; where the text is the whole last part of some, those alone."""
    if not (end := ending(text)):
        return []
    rows = await tx.fetch(_NAMED, end, end + BEYOND, end + BEYOND, most)
    found, name = [written(row.text("name")) for row in rows], written(end)
    return [one for one in found if re.split(r"[/:]", one)[-1] == name or one == name] or found


async def list_at_resource(tx: Transaction, resource: str, after: PageEnd | None, most: int) -> list[PageEnd]:
    """Return the signals at a resource of that whole name after one: the latest first, and no more than so many.

    When each was is when a message on it was last decided that was no repeat.
    """
    rows = await tx.fetch(_AT, ending(resource), *(after or (MOST, "")), most)
    return [PageEnd(row.raw("at"), row.raw("signal")) for row in rows]
