"""A resource: all that was heard of one host, cluster or account lately, alerts and findings side by side, and whose it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request

from router.app.alike import silence_like
from router.app.rules import read_owners
from router.app.signal_life import ActiveSilence, read_active_silences
from router.app.standing import describe_signals
from router.console.application import Console, Document, Elsewhere, find_named, page_end_in
from router.console.rendering import shown
from router.decide import iso
from router.domain.decisions import Outcome
from router.domain.owners import find_environment_of, find_owning_entry
from router.domain.resources import parse_resource_id
from router.domain.rule_fields import RuleFields, signal_of
from router.domain.severity import GRAVITIES
from router.domain.signals import Kind, Stream
from router.store.codec import EPOCH
from router.store.ledger import LedgerRow
from router.store.search import find_resources, list_at_resource
from router.store.signals import find_signals, read_fields
from router.store.store import Transaction

SPANS = (7, 90)
"""Days that a page may look back. What stands is on it, however old it is."""

MOST = 500
"""Signals that are looked at for one page, the latest."""

_MOST_RESOURCES = 20
"""Resources that are offered where the end of a name may mean several."""


async def read_resource(console: Console, request: Request) -> Document:
    """Return what was heard of a resource; of the end of a name, which resources it may mean."""
    store, now, query = console.store, console.store.now(), request.query_params
    asked, days, after = (
        query.get("id", "").strip(),
        int(find_named(query, "days", list(map(str, SPANS))) or SPANS[0]),
        page_end_in(request),
    )
    document = {"at": now, "asked": asked, "days": days, "resource": None, "resources": [], "has_more": False}
    if not asked:
        return shown(document)
    async with store.session() as tx:
        found = await find_resources(tx, asked, _MOST_RESOURCES + 1)
        if len(found) > 1 and asked.lower() not in found:
            return shown({**document, "resources": found[:_MOST_RESOURCES], "has_more": len(found) > _MOST_RESOURCES})
        resource = found[0] if len(found) == 1 else asked.lower()
        if resource != asked.lower():
            raise Elsewhere("/resource", id=resource, days=str(days))
        places = await list_at_resource(tx, resource, after, MOST + 1)
        if not places and after is None:
            return shown(document)
        rows = await find_signals(tx, [one.row for one in places[:MOST]])
        latest = next(iter((await read_fields(tx, [one.row for one in places[:1]])).values()), None)
        since = {span: now - timedelta(days=span) for span in SPANS}
        wanted = sorted((one for one in rows.values() if _is_lately(one, since[days])), key=_rank)
        signals = {
            stream.value: await _describe(
                tx,
                stream,
                [one for one in wanted if one.stream == stream],
                await read_active_silences(tx, console.rules.books.get(stream), now),
            )
            for stream in Stream
        }
    return shown(
        {
            **document,
            "resource": await _resource_of(console, resource, latest, now),
            "spans": [
                {
                    "days": span,
                    **{
                        it.value: sum(one.stream == it and _is_lately(one, at) for one in rows.values())
                        for it in Stream
                    },
                }
                for span, at in since.items()
            ],
            "outcomes": {stream: Counter(one["became"] for one in some) for stream, some in signals.items()},
            "signals": signals,
            "looked_at": min(len(places), MOST),
            "after": str(places[MOST - 1]) if len(places) > MOST else None,
        }
    )


def _is_lately(row: LedgerRow, since: datetime) -> bool:
    return row.stands or (row.heard or EPOCH) >= since


def _rank(row: LedgerRow) -> tuple[bool, int, float]:
    """What stands comes first, of that the gravest, and of equals the newest; a severity that is not known is the gravest."""
    severity = row.state.severity
    return (
        not row.stands,
        -(severity if severity is not None else GRAVITIES[0]),
        -(row.since or row.heard or EPOCH).timestamp(),
    )


async def _describe(
    tx: Transaction, stream: Stream, rows: Sequence[LedgerRow], active: Sequence[ActiveSilence]
) -> list[dict[str, Any]]:
    found = await describe_signals(tx, stream.value, rows, active)
    return [
        {
            **{name: one[name] for name in ("key", "severity", "sample", "title", "type", "since", "heard")},
            "ended": iso(row.closed_at),
            "became": _became(row),
            "told": list(
                dict.fromkeys(it["destination"] for it in one["states"] if it["code"] in ("paged", "ticketed"))
            ),
            "states": [it for it in one["states"] if it["code"] in ("held", "silenced", "owed", "dead", "waits")],
        }
        for one, row in zip(found, rows, strict=True)
    ]


def _became(row: LedgerRow) -> str:
    if row.state.resolved:
        return "over"
    return "held" if row.outcome is Outcome.SUPPRESSED else row.outcome.value.replace("_", " ")


async def _resource_of(console: Console, id: str, latest: RuleFields | None, now: datetime) -> dict[str, Any]:
    """Return what a resource is, and whose, by the rules and by the latest signal there."""
    known = latest or RuleFields(kind=Kind.ALERT, id="", type="", title="", severity=None, resource=id)
    signal = signal_of(known)
    named = signal.resource if (signal.resource or "").strip().lower() == id else id
    owners = await read_owners(console.store, console.rules, signal.stream, now)
    entry = find_owning_entry(signal, owners)
    owner = entry.owner if entry is not None else None
    return {
        "id": named,
        **parse_resource_id(named)._asdict(),
        "owner": owner.name if owner is not None else None,
        "service": owner.service if owner is not None else None,
        "environment": find_environment_of(signal, owners),
        "silence": {**(silence_like(signal) or {"resource": named}), "stream": "cwpp", "type": None},
    }
