"""The table `decisions`, and what finds their signals.

What one transaction puts on record it also counts, so that the two never differ.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from router.domain.counts import LONGEST_TEXT, cell_of, decided_at
from router.domain.decisions import Outcome
from router.domain.deliveries import Earlier
from router.domain.hubs import message_of
from router.domain.notices import Notice, RecordEntry
from router.store.codec import Columns, RowForm, decision_in, insert, pack, readable, time_of, upsert
from router.store.counts import add_counts
from router.store.quarantine import read_sound
from router.store.rules import add_hits
from router.store.store import Transaction

_COLUMNS = ("key", "message", "signal", "turn", "stream", "at", "outcome", "severity", "plan", "type", "rule", "body")
_INSERT = insert("decisions", _COLUMNS)

_KNOWN = "SELECT key FROM decisions WHERE key = ANY(?)"

_FOUND = ("id_end", "resource_end", "id", "resource", "type", "sample", "at")
_ENTER = upsert("lookups", ("signal", "stream", *_FOUND), ["signal"], (f"{name}=excluded.{name}" for name in _FOUND))

# A message's own decision has its key; a further decision names it.
_OUTCOMES = """
SELECT key, COALESCE(message, key) AS about, outcome, place FROM decisions WHERE key = ANY(?) AND message IS NULL
UNION ALL SELECT key, message AS about, outcome, place FROM decisions WHERE message = ANY(?) ORDER BY place
"""

_OF_SIGNAL = "SELECT key, body FROM decisions WHERE signal=? ORDER BY at DESC, place DESC LIMIT ?"

_HELD_BY = "SELECT key, body FROM decisions WHERE stream=? AND rule=? AND rule<>'' ORDER BY at DESC, place DESC LIMIT ?"

# What was decided on the signal before says whether it was held. Literals, so that both engines see the index that has them.
_CAME_OUT = """
SELECT d.key, d.body, h.rule AS held_by FROM decisions d INDEXED BY came_out JOIN decisions h ON h.place=(
    SELECT e.place FROM decisions e WHERE e.signal=d.signal AND e.place<d.place AND e.outcome<>'repeat'
    ORDER BY e.at DESC, e.place DESC LIMIT 1
) AND h.outcome='suppressed'
WHERE d.stream=? AND d.at>=? AND d.at<? AND d.message IS NOT NULL AND d.outcome='routed'
ORDER BY d.at DESC, d.place DESC LIMIT ?
"""

BEYOND = "\U0010ffff"
"""Sorts after every text that begins as what stands before it."""

LONGEST_ENDING = 512
"""Characters of an id by which it is looked up: an index of PostgreSQL holds 2,704 bytes of a text."""

MOST_AT_RESOURCE = 100
"""Signals at a resource that are looked at, the latest, for how often the same happened there before."""

# The own signal is no earlier one, however its id is written. An index finds those at the resource.
_EARLIER = f"""
(SELECT CAST(count(CASE WHEN t.at<{{born}} THEN 1 END) AS TEXT) || ' ' ||
        CAST(coalesce(max(CASE WHEN t.at<{{born}} THEN t.at END), 0) AS TEXT) || ' ' || CAST(count(*) AS TEXT) FROM (
  SELECT CASE WHEN n.id_end<>{{id}} AND lower(n.type)=lower({{type}}) AND n.sample={{sample}} {{unless}} THEN n.at END AS at
  FROM {{there}} WHERE n.resource_end={{resource}} AND n.stream={{stream}} LIMIT {MOST_AT_RESOURCE}
) AS t)
"""
EARLIER_OF_DELIVERY = _EARLIER.format(
    born="deliveries.born", id="o.id_end", type="o.type", sample="o.sample", unless="",
    there="lookups o JOIN lookups n ON o.signal=deliveries.key", resource="o.resource_end", stream="o.stream",
)  # fmt: skip
"""A column of a delivery: how often the same happened at its signal's resource before, as `earlier_in` reads it."""

_EARLIER_OF_NOTICE = "SELECT CAST(? AS TEXT) AS asked, " + _EARLIER.format(
    born="?", id="?", type="CAST(? AS TEXT)", sample="?", unless="AND n.signal <> ALL(?)",
    there="lookups n", resource="?", stream="?",
) + " AS earlier"  # fmt: skip


AT_RESOURCE = "resource_end"


class EarlierQuestion(NamedTuple):
    """A notice that asks how often the same happened before an instant; signals that are `uncounted` do not count."""

    notice: Notice
    before: datetime
    uncounted: Collection[str]


class SignalLookup(NamedTuple):
    """A signal's key and stream, and in lower case Defender's id of it and its resource, empty where it names none."""

    signal: str
    stream: str
    id: str
    resource: str


_LOOKUP = RowForm(SignalLookup, {"resource": lambda row: row.find_text("resource") or ""})


async def put_on_record(
    tx: Transaction, entries: Sequence[RecordEntry], on_record: Collection[str] | None = None
) -> None:
    """Put decisions on record, create-if-absent by their key: a message's first outcome is its outcome.

    `on_record` are the keys of messages that are there, where that was asked of each. One that another transaction has put
    there since is a Conflict: each is counted once.
    """
    first: dict[str, RecordEntry] = {}
    for entry in entries:
        first.setdefault(entry.key, entry)
    if not first:
        return
    known = set(on_record or ())
    if asked := [key for key in first if on_record is None or message_of(key) != key]:
        known.update(row.raw("key") for row in await tx.fetch(_KNOWN, asked))
    fresh = [first[key] for key in sorted(first) if key not in known]
    await tx.write_many(_INSERT, map(_values_of, fresh))
    await tx.write_many(_ENTER, _lookups_of(fresh))
    # The rows that most transactions write come last: a transaction that waits holds none of them.
    await add_counts(tx, fresh)
    await add_hits(tx, fresh)


async def find_outcomes(tx: Transaction, keys: Collection[str]) -> Mapping[str, Outcome]:
    """Return the latest outcomes of those messages that are on record; the key of a further decision finds nothing."""
    if not keys:
        return {}
    outcomes = (list(keys), list(keys)), lambda row: (row.text("about"), row.word("outcome", Outcome))
    return dict(await read_sound(tx, "decisions", _OUTCOMES, *outcomes))


async def find_decisions(tx: Transaction, signal: str, most: int) -> Sequence[RecordEntry]:
    """Return the latest decisions on a signal, by its key; the latest first."""
    return await read_sound(tx, "decisions", _OF_SIGNAL, (signal, most), _decision_in)


async def find_held(tx: Transaction, stream: str, rule: str, most: int) -> Sequence[RecordEntry]:
    """Return the latest decisions by which a rule or a silence held a signal, by its name on record; the latest first."""
    return await read_sound(tx, "decisions", _HELD_BY, (stream, rule[:LONGEST_TEXT], most), _decision_in)


async def find_last_decided(tx: Transaction, stream: str) -> datetime | None:
    """Return when a message of a stream was decided last; None where no decision is kept. An index says it."""
    sql = " UNION ALL ".join(["SELECT max(at) AS at FROM decisions WHERE stream=? AND outcome=?"] * len(Outcome))
    rows = await tx.fetch(sql, *(value for outcome in Outcome for value in (stream, outcome)))
    return max((at for row in rows if (at := readable(None, row.find_time, "at")) is not None), default=None)


class CameOut(NamedTuple):
    """A decision that routed a signal which something had held until then, and the name of what had."""

    entry: RecordEntry
    held_by: str


async def list_came_out(tx: Transaction, stream: str, since: datetime, until: datetime, most: int) -> Sequence[CameOut]:
    """Return what was decided again and routed from one instant to before another, the latest first, and no more than so many.

    What came out by a message of its own, before it was decided again, is not among it.
    """

    def read(row: Columns) -> CameOut:
        return CameOut(_decision_in(row), row.words("held_by"))

    return await read_sound(tx, "decisions", _CAME_OUT, (stream, since, until, most), read)


async def search_signals(
    tx: Transaction, text: str, most: int, stream: str | None = None, column: str = "id_end"
) -> Sequence[SignalLookup]:
    """Return signals of a stream, or of any, of that id, or whose id ends so, whatever its case; whole ids first.

    By `AT_RESOURCE` they are found whose resource is called so, the latest at each first.
    """
    if not (end := ending(text)):
        return []
    of_stream, only = ("AND stream=? ", [stream]) if stream is not None else ("", [])
    order = "at DESC, signal DESC" if column == AT_RESOURCE else "signal"
    sql = f"SELECT * FROM lookups WHERE {column}>=? AND {column}<? {of_stream}ORDER BY {column}, {order} LIMIT ?"
    return await read_sound(tx, "lookups", sql, (end, end + BEYOND, *only, most), _LOOKUP.read)


async def find_earlier(tx: Transaction, asked: Mapping[str, EarlierQuestion]) -> Mapping[str, Earlier | None]:
    """Return how often the same alert was raised at the resource of each of some notices before, by what stands for it."""
    values: list[object] = []
    for name, (notice, before, uncounted) in asked.items():
        values += [name, before, before, ending(notice.id), notice.type, notice.sample]
        values += [sorted(uncounted), ending(notice.resource or ""), notice.stream]
    rows = await tx.fetch(" UNION ALL ".join([_EARLIER_OF_NOTICE] * len(asked)), *values) if asked else []
    found = ((row.words("asked"), readable(None, earlier_in, row)) for row in rows)
    return {name: one if one is not None and one.count else None for name, one in found}


def _values_of(entry: RecordEntry) -> tuple[object, ...]:
    message, cell = message_of(entry.key), cell_of(entry)
    return (
        entry.key,
        message if message != entry.key else None,
        entry.signal,
        entry.turn,
        cell.stream,
        decided_at(entry),
        entry.outcome,
        cell.severity,
        cell.plan,
        cell.type,
        (entry.suppressed_by or "")[:LONGEST_TEXT],
        pack(entry),
    )


def _lookups_of(entries: Sequence[RecordEntry]) -> list[tuple[object, ...]]:
    """What finds the signals of decisions; a repeat's is known from before."""
    latest: dict[str, tuple[object, ...]] = {}
    for entry in entries:
        if entry.signal is not None and entry.id is not None and entry.outcome != Outcome.REPEAT:
            id_end, resource_end = ending(entry.id), ending(entry.resource or "") or None
            found = id_end, resource_end, written(id_end), resource_end and written(resource_end)
            latest[entry.signal] = (entry.signal, entry.stream, *found, entry.type, entry.sample, decided_at(entry))
    return [latest[signal] for signal in sorted(latest)]


def _decision_in(row: Columns) -> RecordEntry:
    return decision_in(row.body("body"))


def earlier_in(row: Columns) -> Earlier | None:
    """Return how often the same happened before, of none a count of 0; None where the row does not know. Raises Undecodable."""
    many, last, there = map(int, (row.find_text("earlier") or "0 0 0").split())
    return Earlier(count=many, last=time_of(last, "earlier"), is_whole=there < MOST_AT_RESOURCE) if there else None


def ending(text: str) -> str:
    """The end of a text as look-ups have it: in lower case and backwards, so that all texts with one end begin alike."""
    return text.strip().lower()[: -LONGEST_ENDING - 1 : -1]


def written(ending: str) -> str:
    """The text, in lower case, that an ending was made of."""
    return ending[::-1]
