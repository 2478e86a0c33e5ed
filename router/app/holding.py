"""What a rule or a silence holds now, what it held last, and what would come out if it ended now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from copy import replace
from datetime import datetime
from typing import Any

from router.app.signal_document import decision_document
from router.app.standing import read_standing
from router.decide import decide
from router.decide.preview import ASKED_ABOUT
from router.domain.decisions import Outcome
from router.domain.notices import RecordEntry
from router.domain.rule_fields import signal_of
from router.domain.rulebook import Lane, Rulebook
from router.domain.silences import Silences, find_shadow_rule
from router.domain.suppression import Suppressions
from router.domain.values import Value
from router.ingest.state_cache import SilenceReader, TagReader
from router.store import signals
from router.store.codec import EPOCH
from router.store.decisions import find_held
from router.store.search import walk_decisions
from router.store.standing import StandingFilter
from router.store.store import Store

LAST = 20
"""Decisions that are named of those by which it held something."""

NAMED = 50
"""Signals that are named of those that it holds, the gravest first."""

MOST = 1_000
"""Signals that are decided again to say what would come out, and decisions that are looked at for a shadow rule's last."""

_LAST_HELD = ("at", "key", "severity", "sample", "id", "type", "resource", "title", "where")


class ComingOut(Value):
    """What would become of what a rule or a silence holds if it ended now, by what rules can match of it.

    Attributes:
        notified: how many signals people would be told of.
        paging: how many of these a pager would be told.
        held_by: how many something else would hold, by its name.
        unheard: how many people would not be told of: they are below the floor by now, or go to no person.
        unjudged: how many could not be asked about: what rules can match of them is not kept.
        is_whole: whether these are all; else the gravest.
    """

    notified: int
    paging: int
    held_by: Mapping[str, int]
    unheard: int
    unjudged: int
    is_whole: bool


async def read_coming_out(store: Store, name: str, book: Rulebook, now: datetime) -> ComingOut:
    """Return what would come out if what has a name on record ended now; MOST signals are asked about. Raises StoreError."""
    without = await TagReader(store, {book.stream: book}).rulebook(book.stream, now)
    if name in (rules := book.suppressions.by_name):
        left = Suppressions.from_rules(one for one in rules.values() if one.name != name)
        without = replace(without, suppressions=left)
    silences = await SilenceReader(store, book.silences.longest).silences(book.stream, now)
    others = Silences.from_list(one for one in silences.by_name.values() if one.name != name)
    became, held_by, looked_at = Counter[str](), Counter[str](), 0
    async with store.session() as tx:
        async for page in signals.walk_held(tx, book.stream, name, MOST):
            for one in page[: MOST - looked_at]:
                if one.fields is None:
                    became["unjudged"] += 1
                    continue
                decision = decide(signal_of(one.fields), without, now, others)
                if decision.outcome is Outcome.SUPPRESSED:
                    held_by[decision.suppressed_by or ""] += 1
                elif not decision.people:
                    became["unheard"] += 1
                else:
                    lanes = {book.destinations[to].lane for to in decision.people if to in book.destinations}
                    became["notified"] += 1
                    became["paging"] += Lane.PAGE in lanes
            looked_at += len(page)
            if looked_at >= MOST:
                break
    return ComingOut(
        notified=became["notified"],
        paging=became["paging"],
        held_by=dict(held_by.most_common()),
        unheard=became["unheard"],
        unjudged=became["unjudged"],
        is_whole=looked_at < MOST,
    )


async def read_holding(
    store: Store, stream: str, name: str, last_hit: datetime | None, now: datetime
) -> dict[str, Any]:
    """Return as a document what something holds now, the gravest first, and what it held last. Raises StoreError.

    A shadow rule would have held it: its last are found among the decisions up to its last hit.
    """
    holding = await read_standing(store, stream, StandingFilter(held_by=name), None, NAMED, now)
    return {
        "holding": {name: holding[name] for name in ("count", "count_is_whole", "signals")},
        "last_held": [
            {key: one[key] for key in _LAST_HELD}
            for one in map(decision_document, await _last_held(store, stream, name, last_hit))
        ],
    }


async def _last_held(store: Store, stream: str, name: str, last_hit: datetime | None) -> Sequence[RecordEntry]:
    async with store.session() as tx:
        if (rule := find_shadow_rule(name)) is None:
            return await find_held(tx, stream, name, LAST)
        if last_hit is None:
            return ()
        until = last_hit + datetime.resolution
        pages = walk_decisions(tx, stream, EPOCH, until, ASKED_ABOUT, MOST)
        return [one for one in await anext(pages) if rule in one.shadowed_by][:LAST]
