"""Coverage: which workloads are paid for and dark, what is known of all others, silent sources, and the last drills."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import asdict
from starlette.datastructures import QueryParams
from starlette.requests import Request

from router.console.application import Console, Document, named_in
from router.console.rendering import shown
from router.console.silences import page_of
from router.coverage.last_check import KEPT, LastCheck, find_check
from router.coverage.stored import DRILL, drills_in
from router.coverage.verdicts import CoverageRow, CoverageState, SensorSight
from router.domain.coverage import Rung
from router.domain.documents import DocumentKind
from router.domain.signals import Stream
from router.domain.silent_sources import KnownSource, SourceWatch
from router.store.documents import find_document, find_value, list_documents_under
from router.store.sources import count_silent, list_silent

MOST = 50
"""Silent sources, and drills, that a page names."""

_OLD = timedelta(days=2)
"""From when on what was checked is no comfort any more: a pipeline checks each day."""


async def read_coverage(console: Console, request: Request) -> Document:
    """Return what the last check that was kept found, what is silent now, and the last drills."""
    query, now = request.query_params, console.store.now()
    async with console.store.session() as tx:
        kept = await find_document(tx, DocumentKind.COVERAGE, KEPT)
        watch = await find_document(tx, DocumentKind.SILENT_SOURCES, Stream.CSPM)
        silent, silent_count = await list_silent(tx, MOST), await count_silent(tx)
        drills = drills_in(await list_documents_under(tx, DocumentKind.FACT, f"{DRILL}:"))
    check = find_check(kept) if kept is not None else None
    rows = _wanted(check, query) if check is not None else []
    page, after = page_of(rows, lambda row: f"{row.workload.kind}/{row.workload.subject}", query.get("after"))
    looked = find_value(SourceWatch, watch.body) if watch is not None else None
    manifest = console.rules.manifest
    document: dict[str, Any] = shown(
        {
            "at": now,
            "check": _check_document(check, now) if check is not None else None,
            "is_damaged": kept is not None and check is None,
            "count": len(rows),
            "workloads": list(map(_row_document, page)),
            "after": after,
            "has_manifest": manifest is not None and manifest.is_given,
            "watched": looked.taken if looked is not None else None,
            "silent": list(map(_silent_document, silent)),
            "silent_count": silent_count,
            "drills": drills[:MOST],
        }
    )
    return document


def _wanted(check: LastCheck, query: QueryParams) -> list[CoverageRow]:
    """Return the rows that a query means; raises HTTPException where it names what there is not."""
    states, rungs = named_in(query, "verdict", list(CoverageState)), named_in(query, "rung", list(Rung))
    sensors, subscription = named_in(query, "sensor", list(SensorSight)), query.get("subscription", "").strip().lower()

    def is_meant(row: CoverageRow) -> bool:
        found = [it.state for rung, it in row.verdicts.items() if rung in rungs] if rungs else [row.state]
        is_there = any(not states or one in states for one in found) and (not sensors or row.sensor in sensors)
        return is_there and subscription in ("", row.workload.subscription)

    return list(filter(is_meant, check.rows))


def _check_document(check: LastCheck, now: datetime) -> dict[str, Any]:
    sights = [row.sensor for row in check.rows]
    counts = {one.value: sights.count(one) for one in SensorSight}
    told = {"at": check.at, "is_old": now - check.at > _OLD, "summary": check.summary}
    return {**told, **counts, "left_out": check.left_out}


def _row_document(row: CoverageRow) -> dict[str, Any]:
    one = row.workload
    named = {"kind": one.kind.value, "name": one.name, "id": one.id, "subscription": one.subscription}
    rungs = {
        rung.value: {
            "state": it.state.value,
            "reason": it.reason,
            "remedies": it.remedy.split("\n") if it.remedy else [],
            "exception": asdict(it.exception) if it.exception is not None else None,
        }
        for rung, it in row.verdicts.items()
    }
    return {**named, "state": row.state.value, "sensor": row.sensor, "rungs": rungs}


def _silent_document(one: KnownSource) -> dict[str, Any]:
    source, allowed = one.heard.source, one.allowed
    named = {"kind": source.kind.value, "name": one.name or source.subject, "plan": source.plan or None}
    times = {"since": one.silent_since, "allowed_silence_seconds": allowed and int(allowed.total_seconds())}
    return {**named, "subscription": one.heard.subscription, **times}
