"""`alert-router silences list|extend|end`: what is silenced, for how long still, and what that holds."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from router.app.rules import load_rules
from router.app.silences import (
    ListedSilence,
    SilenceOver,
    end_silence,
    extend_silence,
    list_silences,
    listed_document,
    silence_document,
    silence_scope_words,
    stored_silences,
    undecodable_words,
)
from router.cli.open_state import find_id, store_in
from router.cli.option_values import as_options, author_given, clock_for, streams_in
from router.cli.printing import print_json, print_lines, wrapped
from router.cli.screen import both_times
from router.domain.errors import BadUsage
from router.domain.readable import timestamp
from router.domain.silences import Silence, find_silence_id


def list_them(options: Namespace) -> int:
    """Print the silences that are not over, or with `--expired` the others, the soonest end first."""
    listed, undecodable, now = asyncio.run(_listed(options))
    if options.format == "json":
        print_json([listed_document(one, now) for one in listed])
        return 0
    if listed:
        print_lines(_lines_of(listed, now))
    else:
        print_lines(["no silence has ended" if options.expired else "nothing is silenced"])
    if undecodable:
        print_lines(["", undecodable_words(undecodable)])
    return 0


def extend(options: Namespace) -> int:
    """Let a silence end later, as far as the policy allows, and print its end."""
    author = author_given(options.author)
    silence, now = asyncio.run(_extend(options, author.name))
    _print_changed(silence, f"extended by {author}", now, options.format)
    return 0


def end(options: Namespace) -> int:
    """End a silence now: what it holds and still stands comes out."""
    author = author_given(options.author)
    silence, now, is_over = asyncio.run(_end(options, author.name))
    if is_over and options.format == "text":
        print_lines([f"silence {silence.id} ended already, {both_times(silence.end)}"])
    else:
        _print_changed(silence, f"ended by {author}; what it holds and still stands comes out", now, options.format)
    return 0


def _print_changed(silence: Silence, what: str, now: datetime, format: str) -> None:
    if format == "json":
        print_json(silence_document(silence, now))
        return
    head = f"silence {silence.id} by {silence.author}: {silence_scope_words(silence)}"
    print_lines([head, f"  {what}", f"  ends    {both_times(silence.end)}"])


async def _listed(options: Namespace) -> tuple[list[ListedSilence], int, datetime]:
    async with store_in(options) as store:
        now = clock_for(options.now, store.now)()
        listed, undecodable = await list_silences(store, now, are_over=options.expired)
        return listed, undecodable, now


async def _extend(options: Namespace, author: str) -> tuple[Silence, datetime]:
    books = load_rules(options.rules, streams_in(options.rules), clock_for(options.now)()).books
    async with store_in(options) as store:
        now = clock_for(options.now, store.now)()
        meant = _find_meant(options.id, (await stored_silences(store, None)).values)
        until = meant.end + options.duration
        with as_options():
            try:
                by = {"author": author, "reason": options.reason}
                return await extend_silence(store, meant.id, until, books, now, **by), now
            except SilenceOver as over:
                raise BadUsage(f"{over}; silences add makes another one") from over


async def _end(options: Namespace, author: str) -> tuple[Silence, datetime, bool]:
    async with store_in(options) as store:
        now = clock_for(options.now, store.now)()
        meant = _find_meant(options.id, (await stored_silences(store, None)).values)
        try:
            return await end_silence(store, meant.id, now, author=author, reason=options.reason), now, False
        except SilenceOver as over:
            return over.silence, now, True


def _find_meant(written: str, known: Sequence[Silence]) -> Silence:
    """Return the silence that a person means, by the beginning of its id, or by the name under which it is on record."""
    by_id = {one.id: one for one in known}
    return by_id[find_id(find_silence_id(written) or written, by_id)]


_HEADS = f"{'id':6}  stream  {'hits':>6}  {'last hit':20}  {'holds now':>12}  of 30 days  ends"

_SOON = 120
"""Minutes before its end from which it is said how many are left."""


def _lines_of(listed: Sequence[ListedSilence], now: datetime) -> Iterator[str]:
    """Yield what is counted in columns, and below that what is silenced, by whom and why."""
    yield _HEADS
    for one in listed:
        silence, hits = one.silence, one.hits
        total, last = (hits.total, timestamp(hits.last)) if hits is not None else (0, "never")
        left = int((silence.end - now) / timedelta(minutes=1))
        soon = f" (in {left} min)" if silence.end > now and left < _SOON else ""
        yield (
            f"{silence.id:6}  {silence.stream:6}  {total:>6,}  {last:20}  {one.holding:>12}  {one.share:>10.0%}  "
            f"{both_times(silence.end)}{soon}"
        )
        for text in _described(silence, now):
            yield from wrapped(text)


def _described(silence: Silence, now: datetime) -> Iterator[str]:
    yield silence_scope_words(silence)
    ticket = f", ticket {silence.ticket}" if silence.ticket else ""
    yield f"{silence.author}: {silence.reason}{ticket}"
    yield f"from {both_times(silence.begins)}"
    if silence.every is not None:
        window = silence.find_next_window(now)
        coming = f"; next from {both_times(window.begins)} to {both_times(window.ends)}" if window is not None else ""
        yield f"holds {silence.every}{coming}"
