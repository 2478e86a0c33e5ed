"""The table `sources`: when each subscription, cluster, plan, workload and owner was last heard of, and which are silent."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from router.domain.alert_watchers import AlertWatcher, watcher_for
from router.domain.clocks import latest
from router.domain.coverage_sources import (
    CoverageSource,
    CoverageSourceKind,
    HeardAlert,
    LastHeard,
    last_of_each_watcher,
)
from router.domain.source_turns import KnownSource
from router.store.codec import MOST_TURNS, Columns, micros
from router.store.engine import Transaction
from router.store.quarantine import read_sound

_SORTS = ("posture", "snapshot", "healthy", "alert", "real_alert")
_WATCHERS = tuple(one.name.lower() for one in AlertWatcher)
_TIMES = ("heard", *_SORTS, *_WATCHERS)
_TYPES = tuple(f"{name}_type" for name in _WATCHERS)
_COLUMNS = ("kind", "id", "subject", "plan", "subscription", *_TIMES, *_TYPES)


def _later(column: str, time: str) -> str:
    """Keep what is stored of a column where its time is later, and not one that only a wrong clock can have set."""
    is_kept = f"sources.{time}<=? AND (excluded.{time} IS NULL OR sources.{time}>excluded.{time})"
    return f"{column}=CASE WHEN {is_kept} THEN sources.{column} ELSE excluded.{column} END"


_LATER = [*zip(_TIMES, _TIMES, strict=True), *zip(_TYPES, _WATCHERS, strict=True)]
_HEARD = (
    f"INSERT INTO sources ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))}) "
    "ON CONFLICT (kind, id) DO UPDATE SET subscription=COALESCE(excluded.subscription, sources.subscription), "
    f"{', '.join(_later(column, time) for column, time in _LATER)}"
)
_INSTANTS = ("since", "healthy_since", "silent_since", "missing_since")
_STANDING = (*_INSTANTS, "allowed", "turn", "name")
_NAMED = ("kind", "id", "subject", "plan", "subscription", "heard", *_STANDING)
_WATCHED = (
    f"INSERT INTO sources ({', '.join(_NAMED)}) VALUES ({', '.join('?' * len(_NAMED))}) "
    f"ON CONFLICT (kind, id) DO UPDATE SET {', '.join(f'{name}=excluded.{name}' for name in _STANDING)}"
)


async def write_heard(tx: Transaction, heard: Iterable[LastHeard], now: datetime) -> None:
    """Write when sources were heard of; of what is stored and of this the later instant of each sort stays."""
    ordered = sorted(heard, key=lambda one: (one.source.kind, one.source.id))
    kept = [micros(latest(now))] * len(_LATER)
    await tx.write_many(_HEARD, [(*_values_of(one, now), *kept) for one in ordered])


async def write_watched(tx: Transaction, sources: Iterable[KnownSource], now: datetime) -> None:
    """Write what a look found of sources; when they were heard of stays as it is stored."""
    ordered = sorted(sources, key=lambda one: (one.heard.source.kind, one.heard.source.id))
    await tx.write_many(_WATCHED, [_watched_values_of(one, now) for one in ordered])


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


def _values_of(heard: LastHeard, now: datetime) -> Sequence[object]:
    kind, subject, plan = heard.source
    alerts = {watcher_for(alert.type).name.lower(): alert for alert in heard.by_watcher}
    found = [alerts.get(name) for name in _WATCHERS]
    return (
        kind.value,
        heard.source.id,
        subject,
        plan,
        heard.subscription,
        micros(heard.last or now),
        *(micros(getattr(heard, name)) for name in _SORTS),
        *(micros(one.at) if one is not None else None for one in found),
        *(one.type if one is not None else None for one in found),
    )


def _watched_values_of(one: KnownSource, now: datetime) -> Sequence[object]:
    kind, subject, plan = one.heard.source
    times = [micros(getattr(one, name)) for name in _INSTANTS]
    allowed = one.allowed // timedelta(microseconds=1) if one.allowed is not None else None
    heard = micros(one.heard.last or now)
    return (
        kind.value,
        one.heard.source.id,
        subject,
        plan,
        one.heard.subscription,
        heard,
        *times,
        allowed,
        one.turn,
        one.name,
    )


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
