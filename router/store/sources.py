"""The table `sources`: when each subscription, cluster, plan, workload and owner was last heard of, and which are silent."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from router.domain.clocks import SKEW
from router.domain.coverage_sources import (
    AlertWatcher,
    CoverageSource,
    CoverageSourceKind,
    HeardAlert,
    LastHeard,
    last_of_each_watcher,
    watcher_for,
)
from router.domain.source_turns import KnownSource
from router.store.codec import MOST_TURNS, Columns, micros
from router.store.quarantine import read_sound
from router.store.store import Transaction

_SORTS = ("posture", "snapshot", "healthy", "alert", "real_alert")
_WATCHERS = tuple(one.name.lower() for one in AlertWatcher)
_TIMES = ("heard", *_SORTS, *_WATCHERS)
_TYPES = tuple(f"{name}_type" for name in _WATCHERS)
_INSTANTS = ("since", "healthy_since", "silent_since", "missing_since")
_STANDING = (*_INSTANTS, "allowed", "turn", "name")
_NAMED = ("kind", "id", "subject", "plan", "subscription", "written", "heard")


def _later(column: str, time: str) -> str:
    """Keep what is stored of a column where its time is later, and not one that only a wrong clock can have set."""
    is_possible = f"sources.{time}<=excluded.written+{SKEW // timedelta(microseconds=1)}"
    is_kept = f"{is_possible} AND (excluded.{time} IS NULL OR sources.{time}>excluded.{time})"
    return f"{column}=CASE WHEN {is_kept} THEN sources.{column} ELSE excluded.{column} END"


def _upsert(columns: Sequence[str], changes: Iterable[str]) -> str:
    values = ", ".join("?" * (len(_NAMED) + len(columns)))
    return (
        f"INSERT INTO sources ({', '.join((*_NAMED, *columns))}) VALUES ({values}) "
        f"ON CONFLICT (kind, id) DO UPDATE SET {', '.join(changes)}"
    )


_LATER = [*zip(_TIMES, _TIMES, strict=True), *zip(_TYPES, _WATCHERS, strict=True)]
_HEARD = _upsert(
    (*_TIMES[1:], *_TYPES),
    (
        "written=excluded.written",
        "subscription=COALESCE(excluded.subscription, sources.subscription)",
        *(_later(column, time) for column, time in _LATER),
    ),
)
_WATCHED = _upsert(_STANDING, (f"{name}=excluded.{name}" for name in _STANDING))


async def write_heard(tx: Transaction, heard: Iterable[LastHeard], now: datetime) -> None:
    """Write when sources were heard of; of what is stored and of this the later instant of each sort stays."""
    await tx.write_many(_HEARD, sorted((*_named(one, now), *_times_of(one)) for one in heard))


async def write_watched(tx: Transaction, sources: Iterable[KnownSource], now: datetime) -> None:
    """Write what a look found of sources; when they were heard of stays as it is stored."""
    await tx.write_many(_WATCHED, sorted((*_named(one.heard, now), *_standing_of(one)) for one in sources))


async def list_sources(
    tx: Transaction, kinds: Collection[CoverageSourceKind] = tuple(CoverageSourceKind)
) -> Sequence[KnownSource]:
    """Return what is known of the sources of some kinds, by their ids."""
    sql = "SELECT * FROM sources WHERE kind = ANY(?)"
    found = await read_sound(tx, "sources", sql, [[kind.value for kind in kinds]], _known_in)
    return sorted(found, key=lambda one: one.heard.source.id)


async def count_silent(tx: Transaction) -> int:
    """Return how many sources people were told of that they are silent."""
    return int(await tx.value("SELECT count(*) FROM sources WHERE silent_since IS NOT NULL"))


def _named(heard: LastHeard, now: datetime) -> tuple[object, ...]:
    kind, subject, plan = heard.source
    last = micros(heard.last or now)
    return kind.value, heard.source.id, subject, plan, heard.subscription, micros(now), last


def _times_of(heard: LastHeard) -> tuple[object, ...]:
    alerts = {watcher_for(alert.type).name.lower(): alert for alert in heard.by_watcher}
    found = [alerts.get(name) for name in _WATCHERS]
    return (
        *(micros(getattr(heard, name)) for name in _SORTS),
        *(micros(one.at) if one is not None else None for one in found),
        *(one.type if one is not None else None for one in found),
    )


def _standing_of(one: KnownSource) -> tuple[object, ...]:
    allowed = one.allowed // timedelta(microseconds=1) if one.allowed is not None else None
    return *(micros(getattr(one, name)) for name in _INSTANTS), allowed, one.turn, one.name


def _known_in(row: Columns) -> KnownSource:
    allowed = row.whole("allowed") if row.raw("allowed") is not None else None
    return KnownSource(
        heard=_heard_in(row),
        allowed=timedelta(microseconds=allowed) if allowed is not None else None,
        turn=row.whole("turn", 0, MOST_TURNS),
        name=row.text("name"),
        **{name: row.find_time(name) for name in _INSTANTS},
    )


def _heard_in(row: Columns) -> LastHeard:
    alerts = [(row.find_time(name), type) for name, type in zip(_WATCHERS, _TYPES, strict=True)]
    return LastHeard(
        source=CoverageSource(row.word("kind", CoverageSourceKind), row.text("subject"), row.text("plan")),
        subscription=row.find_text("subscription"),
        by_watcher=last_of_each_watcher(HeardAlert(at, row.text(type)) for at, type in alerts if at is not None),
        **{name: row.find_time(name) for name in _SORTS},
    )
