"""The table `sources`: when each subscription, cluster, plan, workload and owner was last heard of, and which are silent."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from router.domain.clocks import SKEW
from router.domain.coverage_sources import (
    INSTANTS,
    AlertWatcher,
    CoverageSource,
    CoverageSourceKind,
    HeardAlert,
    LastHeard,
    last_of_each_watcher,
    watcher_for,
)
from router.domain.silent_sources import KnownSource
from router.store.codec import MICROSECOND, MOST_TURNS, Columns, RowForm, upsert
from router.store.quarantine import read_sound
from router.store.store import Transaction

_HEARD = RowForm(LastHeard, left_out=["by_watcher"], source=RowForm(CoverageSource))
_STANDING = RowForm(KnownSource, {"turn": lambda row: row.whole("turn", 0, MOST_TURNS)}, ["heard"])
_WATCHERS = tuple(one.name.lower() for one in AlertWatcher)
_TYPES = tuple(f"{name}_type" for name in _WATCHERS)
_NAMED = ("id", "written", "heard", *_HEARD.columns)


def _later(column: str, time: str) -> str:
    """Keep what is stored of a column where its time is later, and not one that only a wrong clock can have set."""
    is_possible = f"sources.{time}<=excluded.written+{SKEW // MICROSECOND}"
    is_kept = f"{is_possible} AND (excluded.{time} IS NULL OR sources.{time}>excluded.{time})"
    return f"{column}=CASE WHEN {is_kept} THEN sources.{column} ELSE excluded.{column} END"


_WRITE_HEARD = upsert(
    "sources",
    (*_NAMED, *_WATCHERS, *_TYPES),
    ("kind", "id"),
    (
        "written=excluded.written",
        "subscription=COALESCE(excluded.subscription, sources.subscription)",
        *(_later(column, column) for column in ("heard", *INSTANTS, *_WATCHERS)),
        *map(_later, _TYPES, _WATCHERS),
    ),
)
_WRITE_WATCHED = upsert(
    "sources",
    (*_NAMED, *_STANDING.columns),
    ("kind", "id"),
    (f"{name}=excluded.{name}" for name in _STANDING.columns),
)


async def write_heard(tx: Transaction, heard: Iterable[LastHeard], now: datetime) -> None:
    """Write when sources were heard of; of what is stored and of this the later instant of each sort stays."""
    rows = []
    for one in sorted(heard, key=_key_of):
        alerts = {watcher_for(alert.type).name.lower(): alert for alert in one.by_watcher}
        last = [alerts.get(name) for name in _WATCHERS]
        rows.append((*_named(one, now), *(it and it.at for it in last), *(it and it.type for it in last)))
    await tx.write_many(_WRITE_HEARD, rows)


async def write_watched(tx: Transaction, sources: Iterable[KnownSource], now: datetime) -> None:
    """Write what a look found of sources; when they were heard of stays as it is stored."""
    ordered = sorted(sources, key=lambda one: _key_of(one.heard))
    await tx.write_many(_WRITE_WATCHED, [(*_named(one.heard, now), *_STANDING.values(one)) for one in ordered])


async def list_sources(
    tx: Transaction, kinds: Collection[CoverageSourceKind] = tuple(CoverageSourceKind)
) -> Sequence[KnownSource]:
    """Return what is known of the sources of some kinds, by their ids."""
    sql = "SELECT * FROM sources WHERE kind = ANY(?)"
    found = await read_sound(tx, "sources", sql, [[kind.value for kind in kinds]], _source_in)
    return sorted(found, key=lambda one: one.heard.source.id)


async def list_silent(tx: Transaction, most: int) -> Sequence[KnownSource]:
    """Return so many of the sources that people were told of that they are silent, the one that is for longest first."""
    sql = "SELECT * FROM sources WHERE silent_since IS NOT NULL ORDER BY silent_since, kind, id LIMIT ?"
    return await read_sound(tx, "sources", sql, [most], _source_in)


async def count_silent(tx: Transaction) -> int:
    """Return how many sources people were told of that they are silent."""
    return int(await tx.value("SELECT count(*) FROM sources WHERE silent_since IS NOT NULL"))


def _key_of(heard: LastHeard) -> tuple[str, str]:
    return heard.source.kind, heard.source.id


def _named(heard: LastHeard, now: datetime) -> tuple[object, ...]:
    return heard.source.id, now, heard.last or now, *_HEARD.values(heard)


def _source_in(row: Columns) -> KnownSource:
    alerts = [(row.find_time(name), type) for name, type in zip(_WATCHERS, _TYPES, strict=True)]
    last = last_of_each_watcher(HeardAlert(at, row.text(type)) for at, type in alerts if at is not None)
    return _STANDING.read(row, heard=_HEARD.read(row, by_watcher=last))
