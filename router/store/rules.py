"""The tables `rules`, of since when rules are known and what they held, and `told`, of what people heard of their lives."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from router.domain.clocks import latest
from router.domain.counts import Rule, RuleHits, counted_name, decided_at, is_held_anew, rule_of
from router.domain.notices import RecordEntry
from router.domain.silences import shadow_name
from router.store.codec import MICROSECOND, Columns, RowForm, micros, upsert
from router.store.quarantine import read_sound
from router.store.retention import FIRST
from router.store.store import Transaction

GONE = timedelta(days=1)
"""How long a rule may be away and be the same when it comes back: so long, workers with older rules may run beside."""

_RULE_HITS = RowForm(RuleHits, total="hits", first="first_hit", last="last_hit")
_HITS = """
INSERT INTO rules (stream, name, hits, first_hit, last_hit) VALUES (?,?,?,?,?) ON CONFLICT (stream, name) DO UPDATE
SET hits=rules.hits+excluded.hits,
first_hit=CASE WHEN rules.first_hit<=excluded.first_hit THEN rules.first_hit ELSE excluded.first_hit END,
last_hit=CASE WHEN rules.last_hit>=excluded.last_hit THEN rules.last_hit ELSE excluded.last_hit END
"""

# What a clock set that was wrong is no time: it lies before this program was made, or is still to come.
_KNOWN = f"known_since>={micros(FIRST)} AND known_since<=?"
_IS_SAME = (
    f"rules.known_since BETWEEN {micros(FIRST)} AND excluded.known_since AND "
    f"(rules.gone_since IS NULL OR excluded.known_since-rules.gone_since<={GONE // MICROSECOND})"
)
_NOTE = f"""
INSERT INTO rules (stream, name, known_since) VALUES (?,?,?) ON CONFLICT (stream, name) DO UPDATE
SET gone_since=NULL, known_since=CASE WHEN {_IS_SAME} THEN rules.known_since ELSE excluded.known_since END
"""

_TELL = upsert("told", ("stream", "event", "at", "until"), ("stream", "event"))


async def add_hits(tx: Transaction, entries: Iterable[RecordEntry]) -> None:
    """Add the hits that new decisions make to those of their rules."""
    hits = [(*rule, one.total, one.first, one.last) for rule, one in hits_in(entries).items()]
    await tx.write_many(_HITS, sorted(hits))


async def read_hits(tx: Transaction, stream: str) -> Mapping[str, RuleHits]:
    """Return how often each rule, shadow rule and silence of a stream ever held a signal, by the name it is counted by."""
    sql = "SELECT * FROM rules WHERE stream=? AND hits<>0"
    return dict(await read_sound(tx, "rules", sql, (stream,), lambda row: (row.text("name"), _RULE_HITS.read(row))))


async def note_rules(tx: Transaction, stream: str, names: Iterable[str], now: datetime) -> None:
    """Note which rules of a stream are there, by their names on record; write only those that came or went."""
    there = set(map(counted_name, names))
    sql = f"SELECT name FROM rules WHERE stream=? AND gone_since IS NULL AND {_KNOWN}"
    noted = {row.raw("name") for row in await tx.fetch(sql, stream, latest(now))}
    await tx.write_many(_NOTE, [(stream, name, now) for name in sorted(there - noted)])
    gone = [(now, stream, name) for name in sorted(noted - there)]
    await tx.write_many("UPDATE rules SET gone_since=? WHERE stream=? AND name=?", gone)


async def read_known_rules(tx: Transaction, stream: str, now: datetime) -> Mapping[str, datetime]:
    """Return since when each rule and shadow rule of a stream is known, by the name it is counted by."""
    sql = f"SELECT * FROM rules WHERE stream=? AND {_KNOWN}"
    since = (stream, latest(now)), lambda row: (row.text("name"), row.time("known_since"))
    return dict(await read_sound(tx, "rules", sql, *since))


async def find_unused_rules(tx: Transaction, stream: str, until: datetime) -> Mapping[str, datetime]:
    """Return since when each rule of a stream held nothing that last did so, or was first known, no later than an instant."""
    sql = f"SELECT * FROM rules WHERE stream=? AND {_KNOWN} AND COALESCE(last_hit, known_since)<=?"
    return dict(await read_sound(tx, "rules", sql, (stream, until, until), _unused_in))


async def find_announced(tx: Transaction, stream: str, events: Collection[str], now: datetime) -> set[str]:
    """Return those of some events of a stream that people were notified of, and let no other worker tell any until the end."""
    await tx.wait_for(f"told:{stream}")
    sql = "SELECT event FROM told WHERE stream=? AND event = ANY(?) AND at<=?"
    return {row.raw("event") for row in await tx.fetch(sql, stream, list(events), latest(now))}


async def write_announced(tx: Transaction, stream: str, events: Mapping[str, datetime], now: datetime) -> None:
    """Write that people were notified of events, each with the instant until which it may come up again."""
    await tx.write_many(_TELL, [(stream, event, now, max(until, now)) for event, until in sorted(events.items())])


def _unused_in(row: Columns) -> tuple[str, datetime]:
    since = row.time("known_since")
    return row.text("name"), max(since, row.find_time("last_hit") or since)


def hits_in(entries: Iterable[RecordEntry]) -> Mapping[Rule, RuleHits]:
    """How often each rule held a signal, by some decisions.

    Whatever is held is decided again when the rules change; where the same rule or silence holds it still, that is no hit.
    """
    hits: dict[Rule, RuleHits] = {}
    for entry in filter(is_held_anew, entries):
        for name in (*map(shadow_name, entry.shadowed_by), *filter(None, [entry.suppressed_by])):
            rule, at = rule_of(entry.stream, name), decided_at(entry)
            one = RuleHits(1, at, at)
            hits[rule] = hits[rule].joined(one) if rule in hits else one
    return hits
