"""`alert-router silences add`: holds back what a person names, until an end, after showing what that is."""

from __future__ import annotations

import asyncio
import re
from argparse import Namespace
from collections.abc import Sequence
from datetime import datetime

from router.app.rules import load_rules
from router.cli.author import Author, author_given, words_given
from router.cli.complaints import complain
from router.cli.confirmation import is_wanted, refuse_unasked
from router.cli.durations import written
from router.cli.given import clock_for, streams_in
from router.cli.opened_state import store_in
from router.cli.printing import plain, print_json
from router.cli.screen import screen
from router.cli.silence_store import add_silence, read_silences
from router.cli.silence_times import both_times, refuse_overrun
from router.domain.errors import BadUsage
from router.domain.recurrences import Recurrence
from router.domain.rulebook import Rulebook
from router.domain.signals import Stream
from router.domain.silence_bounds import needed_since, silenced_share, with_first
from router.domain.silence_words import scope_words
from router.domain.silences import Silence, SilenceBounds
from router.rulebook.recurrence_text import read_recurrence
from router.rulebook.silence_scope import SilenceScope, WrittenScope, read_silence_scope

_GIVEN_UP = 2
"""The exit code where the person who was asked did not want it."""


def add(options: Namespace) -> int:
    """Shows what a silence would hold, asks, makes it, and prints its id and its end."""
    now, stream = clock_for(options.now)(), Stream(options.stream)
    refuse_unasked("silence it", is_confirmed=options.yes)
    author, scope = author_given(options.author), _scope_in(options, stream)
    book = load_rules(options.rules, streams_in(options.rules, stream), now).books[stream]
    draft = _draft_of(options, stream, scope, author.name, now)
    _refuse_times(options, draft, book.silences, now)
    _refuse_ticket(options.ticket, book.silences)
    for doubt in [*scope.doubts, *_doubts_about_type(options.type, book)]:
        complain(f"warning: {doubt}")
    return asyncio.run(_add(options, draft, book, author, now))


async def _add(options: Namespace, draft: Silence, book: Rulebook, author: Author, now: datetime) -> int:
    async with store_in(options) as store:
        known = (await read_silences(store.documents, needed_since(book.silences, now))).silences
        others = [one for one in known if one.stream == draft.stream]
        draft = with_first(draft, others)
        refuse_overrun("--for" if options.duration else "--until", draft, others, book.silences)
        share = silenced_share(draft, others, now)
        if not is_wanted("Silence it?", is_confirmed=options.yes):
            screen().print("nothing is silenced")
            return _GIVEN_UP
        silence = await add_silence(store.documents, draft)
    if options.format == "json":
        print_json({"id": silence.id})
    else:
        screen().print(f"silence {silence.id}: {plain(scope_words(silence))}", soft_wrap=True)
        screen().print(f"  begins  {both_times(silence.begins)}")
        screen().print(f"  ends    {both_times(silence.end)}")
        screen().print(f"  author  {plain(str(author))}")
        screen().print(f"  silenced for {share:.0%} of the last 30 days")
    return 0


def _scope_in(options: Namespace, stream: Stream) -> SilenceScope:
    entities = [*(options.entity or ()), *(f"host.hostname={host}" for host in options.host or ())]
    scope = read_silence_scope(
        WrittenScope(stream=stream, alert_type=options.type, resource=options.resource, entities=entities)
    )
    if scope.refused:
        raise BadUsage(scope.refused[0])
    return scope


def _draft_of(options: Namespace, stream: Stream, scope: SilenceScope, author: str, now: datetime) -> Silence:
    begins = options.begins or now
    if (options.duration is None) == (options.until is None):
        if options.until is None:
            raise BadUsage("--for: is missing; write for how long, such as --for 2h, or until when: --until ISO")
        raise BadUsage("--for: says the same as --until; write one of them")
    return Silence(
        id="",
        stream=stream.value,
        alert_type=words_given("--type", options.type) if options.type is not None else None,
        groups=scope.groups,
        begins=begins,
        until=begins + options.duration if options.duration is not None else options.until,
        every=_recurrence_in(options.every) if options.every is not None else None,
        reason=words_given("--reason", options.reason),
        author=author,
        ticket=words_given("--ticket", options.ticket) if options.ticket is not None else None,
        made=now,
        first=begins,
    )


def _recurrence_in(text: str) -> Recurrence:
    try:
        return read_recurrence(text)
    except ValueError as fault:
        raise BadUsage(f"--every: {fault}") from fault


def _refuse_times(options: Namespace, draft: Silence, bounds: SilenceBounds, now: datetime) -> None:
    if draft.begins < now:
        raise BadUsage(f"--from: {_iso(draft.begins)} is over; leave it out to begin now")
    if draft.until <= now:
        raise BadUsage(f"--until: {_iso(draft.until)} is over; write an end to come, or --for 2h")
    if draft.until <= draft.begins:
        raise BadUsage(
            f"--until: {_iso(draft.until)} is not after it begins, at {_iso(draft.begins)}; write a later end"
        )
    if draft.begins - now > bounds.recurring:
        most = written(bounds.recurring)
        raise BadUsage(
            f"--from: {_iso(draft.begins)} is further ahead than the {most} that the policy allows; write an earlier one"
        )
    if draft.find_next_window(now) is None:
        raise BadUsage(f"--every: {draft.every} never comes before {_iso(draft.until)}; write a later end")


def _refuse_ticket(ticket: str | None, bounds: SilenceBounds) -> None:
    if bounds.ticket is None:
        return
    if ticket is None:
        raise BadUsage(f"--ticket: is missing; the policy wants one that matches {bounds.ticket}")
    if re.search(bounds.ticket, ticket) is None:
        raise BadUsage(f"--ticket: {ticket!r} does not match {bounds.ticket}, as the policy wants it")


def _doubts_about_type(type: str | None, book: Rulebook) -> Sequence[str]:
    return ()


def _iso(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
