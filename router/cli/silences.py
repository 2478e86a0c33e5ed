"""`alert-router silences list|extend|end`: what is silenced, for how long still, and what that holds."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Iterator, Sequence
from copy import replace
from datetime import datetime, timedelta

from router.app.rules import load_rules
from router.cli.open_state import find_id, store_in
from router.cli.option_values import author_given, clock_for, streams_in
from router.cli.printing import print_json, print_lines, wrapped
from router.cli.silence_bounds import needed_since, refuse_overrun, silenced_share, with_first
from router.cli.silence_records import (
    both_times,
    change_silence,
    document_for,
    silence_scope_words,
    state_of,
    stored_silences,
    undecodable_words,
)
from router.deliver.destination_holds import ChangeAction, ChangeEntry, ChangeSubject, read_changes
from router.domain.counts import RuleHits
from router.domain.documents import DocumentKind
from router.domain.errors import BadUsage
from router.domain.readable import timestamp
from router.domain.signals import Stream
from router.domain.silences import BOUNDS, Silence, find_silence_id
from router.domain.values import Value
from router.store.documents import list_documents
from router.store.rules import read_hits
from router.store.signals import count_held


class ListedSilence(Value):
    """A silence, and what became of it.

    Attributes:
        hits: how often it held a signal; None where it never did.
        holding: how many signals it holds now that still stand.
        share: for how much of the last 30 days all that it is about was silenced, by it or by others.
        changes: who made, extended and ended it, earliest first.
    """

    silence: Silence
    hits: RuleHits | None
    holding: int
    share: float
    changes: Sequence[ChangeEntry] = ()


def list_them(options: Namespace) -> int:
    """Print the silences that are not over, or with `--expired` the others, the soonest end first."""
    listed, undecodable, now = asyncio.run(_listed(options))
    if options.format == "json":
        print_json([document_of_listed(one, now) for one in listed])
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
        print_json(document_for(silence, now))
        return
    head = f"silence {silence.id} by {silence.author}: {silence_scope_words(silence)}"
    print_lines([head, f"  {what}", f"  ends    {both_times(silence.end)}"])


async def _listed(options: Namespace) -> tuple[list[ListedSilence], int, datetime]:
    async with store_in(options) as store:
        now = clock_for(options.now, store.now)()
        known = await stored_silences(store, None if options.expired else needed_since(BOUNDS, now))
        wanted = [one for one in known.values if (state_of(one, now) == "over") is options.expired]
        since = min((one.made for one in wanted), default=now)
        async with store.session() as tx:
            hits = {stream.value: await read_hits(tx, stream) for stream in Stream}
            held = {stream.value: await count_held(tx, stream) for stream in Stream}
            changes = read_changes(await list_documents(tx, DocumentKind.CHANGE, since)).values
    listed = [
        ListedSilence(
            one,
            hits[one.stream].get(one.name),
            held[one.stream].get(one.name, 0),
            silenced_share(one, known.values, now),
            [it for it in changes if it.subject is ChangeSubject.SILENCE and it.id == one.id],
        )
        for one in sorted(wanted, key=lambda one: (one.end, one.id))
    ]
    return listed, known.undecodable, now


async def _extend(options: Namespace, author: str) -> tuple[Silence, datetime]:
    books = load_rules(options.rules, streams_in(options.rules), clock_for(options.now)()).books
    async with store_in(options) as store:
        now = clock_for(options.now, store.now)()
        known = (await stored_silences(store, None)).values
        id = _find_meant(options.id, known)

        def extended(silence: Silence) -> Silence:
            # It was ended, though by a clock that is ahead of this one.
            if silence.end <= now or silence.ended is not None:
                raise BadUsage(f"{silence.id}: ended {timestamp(silence.end)}; silences add makes another one")
            later = replace(silence, until=silence.end + options.duration)
            # A stream without a policy allows what one allows that says nothing of silences.
            mine = books[stream].silences if (stream := Stream(silence.stream)) in books else BOUNDS
            longer = with_first(later, known)
            # How much longer it could be made, and not how long in all.
            refuse_overrun("--for", longer, known, mine, given_from=silence.end)
            return longer

        return await change_silence(store, id, ChangeAction.EXTENDED, author, now, extended), now


async def _end(options: Namespace, author: str) -> tuple[Silence, datetime, bool]:
    async with store_in(options) as store:
        now = clock_for(options.now, store.now)()
        known = (await stored_silences(store, None)).values
        id = _find_meant(options.id, known)
        (silence,) = (one for one in known if one.id == id)
        if silence.end <= now:
            return silence, now, True
        ended = await change_silence(
            store, id, ChangeAction.ENDED, author, now, lambda one: replace(one, ended=min(now, one.end))
        )
        return ended, now, False


def _find_meant(written: str, known: Sequence[Silence]) -> str:
    """Return the id that a person means, by its beginning, or by the name under which it is on record."""
    return find_id(find_silence_id(written) or written, [one.id for one in known])


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


def document_of_listed(one: ListedSilence, now: datetime) -> dict[str, object]:
    """Return a silence as the list prints it for programs."""
    return {
        **document_for(one.silence, now),
        "hits": one.hits.total if one.hits is not None else 0,
        "last_hit": one.hits.last if one.hits is not None else None,
        "holding": one.holding,
        "holding_is_whole": True,
        "silenced_share": one.share,
        "changes": [{"action": it.action, "at": it.at, "author": it.author, "ends": it.until} for it in one.changes],
    }
