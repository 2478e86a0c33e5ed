"""Suppression rules and shadow rules: when each ends, what it held and holds, and where in git it is changed; all that ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

from router.app.holding import read_holding
from router.app.rule_lives import MOST_NAMED, RuleLife, read_ends, read_lives
from router.console.application import Console, Elsewhere, find_named
from router.console.rendering import shown
from router.console.silences import page_of, read_ending, stream_in
from router.decide import iso
from router.destinations.wording.fitting import shortened
from router.destinations.wording.masking import masked
from router.domain.readable import legible
from router.domain.signals import Stream
from router.domain.silences import HolderKind, find_shadow_rule
from router.rulebook.lints import find_written_rule

SPANS = (7, 30, 365)
"""Days that the list of what ends may look ahead."""

_LONGEST = 20_000
"""Characters of a rule that its page shows; its file has the rest."""


async def read_rules(console: Console, request: Request) -> Mapping[str, Any]:
    """Return the suppression rules and shadow rules, the next end first; then those that ended, or are refused."""
    query, now = request.query_params, console.store.now()
    stream = stream_in(query)
    wanted = [stream] if stream is not None else list(Stream)
    lives = await _read_lives(console, wanted, now, MOST_NAMED)
    page, after = page_of(lives, lambda one: f"{one.stream}/{one.name_on_record}", query.get("after"))
    rules = [_document(one, now) for one in page]
    return {"at": iso(now), "stream": stream, "count": len(lives), "rules": rules, "after": after}


async def read_what_ends(console: Console, request: Request) -> Mapping[str, Any]:
    """Return what ends within some days: silences, rules and holds, the soonest first."""
    query, now = request.query_params, console.store.now()
    days = int(find_named(query, "days", list(map(str, SPANS))) or SPANS[0])
    found = await read_ends(console.store, console.rules, now, timedelta(days=days))
    page, after = page_of(found, lambda one: f"{one['kind']}/{one['stream']}/{one['on_record']}", query.get("after"))
    return shown({"at": now, "days": days, "spans": SPANS, "count": len(found), "ends": page, "after": after})


async def read_rule(console: Console, request: Request) -> Mapping[str, Any]:
    """Return a rule as its file says it, and what it holds."""
    stream, name, now = request.path_params["stream"], request.query_params.get("name"), console.store.now()
    if not name:
        raise Elsewhere("/rules", stream=stream)
    lives = await _read_lives(console, [Stream(stream)] if stream in Stream else [], now, None)
    if (life := next((one for one in lives if one.name_on_record == name), None)) is None:
        raise HTTPException(404, "There is no rule of that name, and none held anything lately.")
    book = console.rules.books.get(Stream(stream))
    sound = book.suppressions.by_name.get(name) if book is not None else None
    shadow = book.shadows.by_name.get(find_shadow_rule(name) or "") if book is not None else None
    refused = (one for one in console.rules.refused.get(Stream(stream), ()) if one.name == life.name)
    rule = sound or shadow or next(refused, None)
    written = find_written_rule(console.rules.directory, rule) if rule is not None else None
    is_held = life.is_in_force and not life.has_ended(now) and life.kind is HolderKind.RULE
    return {
        "at": iso(now),
        "rule": _document(life, now),
        "position": written.position if written is not None else None,
        "text": shortened(legible(masked(written.text)), _LONGEST) if written is not None else None,
        **shown(await read_holding(console.store, stream, name, life.last_hit, now)),
        "coming_out": await read_ending(console, stream, name, now) if is_held else None,
    }


def _document(life: RuleLife, now: datetime) -> Mapping[str, Any]:
    """Return the life of a rule, and what people should look at: that it ended, cannot hold anything, or holds nothing."""
    document = shown(life.document)
    in_force = life.is_in_force and not life.has_ended(now)
    state = "in force" if in_force else "ended" if life.has_ended(now) else "not in force"
    holds_nothing = in_force and life.kind is HolderKind.RULE and not life.holding
    return {**document, "on_record": life.name_on_record, "state": state, "holds_nothing": holds_nothing}


async def _read_lives(console: Console, streams: Sequence[Stream], now: datetime, most: int | None) -> list[RuleLife]:
    lives = await read_lives(console.store, console.rules, streams, now, most)
    return [one for one in lives if one.kind is not HolderKind.SILENCE]
