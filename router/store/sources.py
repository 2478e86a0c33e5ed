"""The table `sources`: when each subscription, cluster, plan, workload and owner was last heard of."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from router.domain.alert_watchers import AlertWatcher, watcher_for
from router.domain.clocks import latest
from router.domain.coverage_sources import (
    CoverageSource,
    CoverageSourceKind,
    HeardAlert,
    LastHeard,
    last_of_each_watcher,
)
from router.store.engine import Transaction
from router.store.instants import micros
from router.store.quarantine import read_sound
from router.store.row_reader import Columns

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


async def write_heard(tx: Transaction, heard: Iterable[LastHeard], now: datetime) -> None:
    """Write when sources were heard of; of what is stored and of this the later instant of each sort stays."""
    ordered = sorted(heard, key=lambda one: (one.source.kind, one.source.id))
    kept = [micros(latest(now))] * len(_LATER)
    await tx.write_many(_HEARD, [(*_values_of(one, now), *kept) for one in ordered])


async def list_sources(
    tx: Transaction, kinds: Collection[CoverageSourceKind] = tuple(CoverageSourceKind)
) -> Sequence[LastHeard]:
    """Return when the sources of some kinds were last heard of, by their ids."""
    sql = "SELECT * FROM sources WHERE kind = ANY(?)"
    found = await read_sound(tx, "sources", sql, [[kind.value for kind in kinds]], _heard_in)
    return sorted(found, key=lambda one: one.source.id)


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


def _heard_in(row: Columns) -> LastHeard:
    alerts = [(row.find_time(name), type) for name, type in zip(_WATCHERS, _TYPES, strict=True)]
    return LastHeard(
        source=CoverageSource(row.word("kind", CoverageSourceKind), row.text("subject"), row.text("plan")),
        subscription=row.find_text("subscription"),
        by_watcher=last_of_each_watcher(HeardAlert(at, row.text(type)) for at, type in alerts if at is not None),
        **{name: row.find_time(name) for name in _SORTS},
    )
