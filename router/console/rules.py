"""Suppression rules and shadow rules: when each ends, what it held and holds, and where in git it is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException

from router.app.holding import read_holding
from router.app.rule_lives import RuleLife, RuleSource, lives_of, read_rule_record
from router.console.rendering import shown
from router.console.silences import page_of, read_ending, stream_in
from router.decide import iso
from router.destinations.wording.fitting import shortened
from router.destinations.wording.masking import masked
from router.domain.readable import legible
from router.domain.signals import Stream
from router.domain.silences import HolderKind, find_shadow_rule
from router.domain.suppression import NO_SUPPRESSIONS, SuppressionRule
from router.rulebook.catalogue import load_spellings
from router.rulebook.lints import find_written_rule
from router.rulebook.suppression_directory import ReadSuppressions

if TYPE_CHECKING:
    from starlette.requests import Request

    from router.console.application import Console

_MOST_NAMED = 5
"""The most values of an element that a list names; a rule's own page names all."""

_LONGEST = 20_000
"""Characters of a rule that its page shows; its file has the rest."""


async def read_rules(console: Console, request: Request) -> Mapping[str, Any]:
    """Return the suppression rules and shadow rules, the next end first; then those that ended, or are refused."""
    query, now = request.query_params, console.store.now()
    stream = stream_in(query)
    lives = await _read_lives(console, [stream] if stream is not None else list(Stream), now, _MOST_NAMED)
    page, after = page_of(lives, lambda one: f"{one.stream}/{one.name_on_record}", query.get("after"))
    return {
        "at": iso(now),
        "stream": stream,
        "count": len(lives),
        "rules": [_document(one, now) for one in page],
        "after": after,
    }


async def read_rule(console: Console, request: Request) -> Mapping[str, Any]:
    """Return a rule as its file says it, and what it holds."""
    stream, name, now = request.path_params["stream"], request.path_params["name"], console.store.now()
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
        **await read_holding(console.store, stream, name, life.last_hit, now),
        "coming_out": await read_ending(console, stream, name, now) if is_held else None,
    }


async def _read_lives(
    console: Console, streams: Sequence[Stream], now: datetime, most: int | None
) -> Sequence[RuleLife]:
    rules, record = console.rules, await read_rule_record(console.store, streams, now)
    sources, spellings = [], load_spellings()

    def written_type(rule: SuppressionRule) -> str:
        return spellings.get(rule.alert_type, rule.alert_type)

    for stream in streams:
        book = rules.books.get(stream)
        sources.append(
            RuleSource(
                stream=stream,
                suppressions=ReadSuppressions(
                    book.suppressions if book is not None else NO_SUPPRESSIONS,
                    rules.refused.get(stream, ()),
                    book.shadows if book is not None else NO_SUPPRESSIONS,
                ),
                named=rules.directory.name or "rules",
                written_type=written_type,
                book=book,
            )
        )
    return [one for one in lives_of(sources, record, now, most) if one.kind is not HolderKind.SILENCE]


def _document(life: RuleLife, now: datetime) -> Mapping[str, Any]:
    """Return the life of a rule, and what people should look at: that it ended, cannot hold anything, or holds nothing."""
    document = shown(life.document)
    in_force = life.is_in_force and not life.has_ended(now)
    state = "in force" if in_force else "ended" if life.has_ended(now) else "not in force"
    holds_nothing = in_force and life.kind is HolderKind.RULE and not life.holding
    return {**document, "on_record": life.name_on_record, "state": state, "holds_nothing": holds_nothing}
