"""Asks rules and silences about what a store keeps: what they would have held, and what they would hold now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import asdict

from router.decide.preview import ASKED_ABOUT, NAMED, Amount, Matcher, NamedSignal, Preview
from router.decide.prose import unfilled
from router.destinations.wording.masking import masked
from router.domain.counts import decided_at
from router.domain.rule_fields import signal_of
from router.store import signals
from router.store.search import PAGE, walk_decisions
from router.store.store import Store

MOST = 100_000
"""Decisions, and signals that stand, that are looked at: a few seconds' worth."""


async def look_back(
    store: Store,
    stream: str,
    matchers: Sequence[Matcher],
    since: datetime,
    until: datetime,
    most: int = MOST,
    named: int = NAMED,
) -> list[Preview]:
    """What each of some rules and silences would have held of a stream in a span of time, and would hold of what stands now.

    The store is walked once for all of them. It is left once `most` decisions were looked at, the latest first, and as many
    signals that stand: previews say how far that was. Raises StoreError.
    """
    previews = [Preview(matcher, since, until, named) for matcher in matchers]
    types_named = [one.types for one in matchers]
    types = None if None in types_named else set[str]().union(*filter(None, types_named))
    async with store.session() as tx:
        async for entries in walk_decisions(tx, stream, since, until, ASKED_ABOUT, min(most, PAGE)):
            wanted = {
                entry.signal
                for entry in entries
                if entry.signal is not None and any(one.may_cover(entry) for one in previews)
            }
            fields = await signals.read_fields(tx, wanted) if wanted else {}
            found = {key: signal_of(one) for key, one in fields.items()}
            for entry in entries:
                for one in previews:
                    one.look_at_decision(entry, found.get(entry.signal or ""))
            if entries and any(one.looked_at >= most for one in previews):
                # By a whole second, as people are told it and go on from it.
                reached = decided_at(entries[-1])
                for one in previews:
                    one.looked_back_to = reached + timedelta(microseconds=-reached.microsecond % 1_000_000)
                break
        async for stands in signals.walk_standing(tx, stream, types):
            for signal in stands:
                known = signal_of(signal.fields) if signal.fields is not None else None
                for one in previews:
                    one.look_at_standing(signal, known)
            if any(one.standing.looked_at >= most for one in previews):
                for one in previews:
                    one.standing.is_whole = False
                break
        for one in previews:
            async for held in signals.walk_held(tx, stream, one.matcher.name):
                for signal in held:
                    one.look_at_held(signal_of(signal.fields) if signal.fields is not None else None)
    return previews


def named_document(one: NamedSignal) -> dict[str, object]:
    """Return for programs a signal that a preview names, without what looks like a credential."""
    texts = {"title": unfilled(one.title or ""), "resource": one.resource}
    return {**asdict(one), **{name: masked(text) if text else None for name, text in texts.items()}}


def preview_document(preview: Preview) -> dict[str, object]:
    """Return for programs what a rule would have held, and would hold."""
    standing = preview.standing
    return {
        "since": preview.since,
        "until": preview.until,
        "looked_back_to": preview.looked_back_to,
        "is_whole": preview.is_whole,
        "looked_at": preview.looked_at,
        "not_judged": preview.unjudged,
        **preview.held._asdict(),
        "held_already": preview.held_already,
        "let_through": preview.let_go._asdict(),
        "by_day": _amounts(preview.by_day, "day"),
        "by_severity": _amounts(preview.by_severity, "severity"),
        "by_tactic": _amounts(preview.by_tactic, "tactic"),
        "by_type": _amounts(preview.by_type, "type"),
        "fewer_notices": {name: one._asdict() for name, one in preview.spared.items()},
        "examples": list(map(named_document, preview.named)),
        "standing": {
            "looked_at": standing.looked_at,
            "is_whole": standing.is_whole,
            "not_judged": standing.unjudged,
            "signals": standing.signals,
            "by_severity": [{"severity": name or None, "signals": many} for name, many in standing.by_severity.items()],
            "held_already": standing.held_already,
            "let_through": standing.let_go,
            "examples": list(map(named_document, standing.named)),
        },
    }


def _amounts(amounts: Mapping[Any, Amount], name: str) -> list[dict[str, object]]:
    return [{name: str(one) or None, **amount._asdict()} for one, amount in amounts.items()]
