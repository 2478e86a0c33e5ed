"""Changes: who did what, and between that what ended by itself and what came out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request

from router.app.signal_life import find_silences
from router.app.silences import silence_scope_words
from router.console.application import Console, find_named
from router.console.rendering import shown
from router.decide import iso
from router.decide.prose import unfilled
from router.domain.counts import decided_at
from router.domain.destination_holds import DestinationHold
from router.domain.documents import DocumentKind
from router.domain.notices import RecordEntry
from router.domain.readable import counted
from router.domain.silences import holder_words, silence_name
from router.store.changes import ChangeAction, ChangeEntry, list_authors, list_changes
from router.store.decisions import list_came_out
from router.store.documents import list_documents, read_silences, read_values
from router.store.store import Transaction

PAGE = 200
"""Changes on a page; those of one act, such as of many dead letters, are one line of it."""

COUNTED = 1_001
"""How far signals that came out are counted: what comes out as that is more than 1,000."""

_KEY = 32
"""Digits of a signal's key; an entry of the quarantine has fewer."""

_NAMED = 10
"""Subjects that a line links to."""

_MOST_AUTHORS = 100
_SINCE = {"8h": timedelta(hours=8), "24h": timedelta(days=1), "7d": timedelta(days=7)}

type Link = tuple[str, str]
"""What a link says, and the URL that it leads to, below the console's."""

_DESTINATIONS = ("destinations", "/destinations")

_WORDS = {
    ChangeAction.SILENCE_MADE: "made the silence {subject} until {ends}",
    ChangeAction.SILENCE_EXTENDED: "extended the silence {subject} until {ends}",
    ChangeAction.SILENCE_ENDED: "ended the silence {subject}",
    ChangeAction.REDRIVEN: "sent {letters} to {to} again",
    ChangeAction.DEAD_LETTERS_DISCARDED: "discarded {letters} to {to}",
    ChangeAction.RETAKEN: "took {count} of the quarantine in again",
    ChangeAction.QUARANTINE_DISCARDED: "discarded {count} of the quarantine",
    ChangeAction.HELD: "held {subject} until {ends}",
    ChangeAction.RELEASED: "released {subject}",
    ChangeAction.BODY_SHOWN: "looked at the raw body of {subject}",
    ChangeAction.RESTORED: "The state was restored as it was at {until}",
}


async def read_changes(console: Console, request: Request) -> Mapping[str, Any]:
    """Return a page of changes, the latest first, with what ended by itself and what came out between them.

    Of one author only what that person did.
    """
    query, now = request.query_params, console.store.now()
    since = find_named(query, "since", _SINCE) or "8h"
    author, written = query.get("author", ""), query.get("before") or None
    if written is not None and not (written.isascii() and written.isdecimal() and len(written) < 19):
        raise HTTPException(400, "before: is no place in this list; leave it out to begin at its start.")
    before, begins, above = int(written) if written is not None else None, now - _SINCE[since], now
    async with console.store.session() as tx:
        authors = await list_authors(tx, begins, _MOST_AUTHORS)
        # A name is asked for as pages show it.
        meant = next((one for one in authors if shown(one) == author), author)
        found = await list_changes(tx, before, PAGE + 1, since=begins, author=meant)
        if before is not None and (last := await list_changes(tx, before + 1, 1)):
            above = last[0].at
        made = [silence_name(one.subject) for one in found if one.action.startswith("silence_")]
        scopes = {one.id: silence_scope_words(one) for one in (await find_silences(tx, made)).values()}
        # What ended between the last change of a page and the first of the next stands on the page of the later one.
        below = found[PAGE - 1].at if len(found) > PAGE else begins
        ended = [] if author else [one async for one in _ended(console, tx, below, above)]
    return {
        "since": since,
        "begins": iso(begins),
        "author": author or None,
        "authors": [shown(one) for one in authors],
        "entries": sorted([*_acts(found[:PAGE], scopes), *ended], key=lambda one: str(one["at"]), reverse=True),
        "before": found[PAGE - 1].number if len(found) > PAGE else None,
    }


def _acts(changes: Sequence[ChangeEntry], scopes: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Yield what people did; what one act did to many things is one entry, and of silences what they cover."""
    for _, some in groupby(changes, _act_of):
        one, *_ = acts = list(some)
        known = {"ends": "its end", "to": "no destination", **one.detail}
        subject = f"{one.subject} ({scopes[one.subject]})" if one.subject in scopes else one.subject
        known |= {"subject": subject, "count": str(len(acts)), "letters": counted(len(acts), "dead letter")}
        links = [link for each in acts if (link := _link_of(each)) is not None]
        more = {"author": one.author, "reason": one.reason, "count": len(acts)}
        yield _entry(one.at, one.action, _WORDS[one.action].format_map(known), one.stream, links, **more)


def _act_of(change: ChangeEntry) -> tuple[object, ...]:
    """Return what is the same of changes that one act made within a minute."""
    subject = change.number if "{subject}" in _WORDS[change.action] else None
    minute = change.at.replace(second=0, microsecond=0)
    return change.action, change.author, change.reason, change.stream, change.detail.get("to"), minute, subject


def _link_of(change: ChangeEntry) -> Link | None:
    if change.action.startswith("silence_"):
        return f"silence {change.subject}", f"/silences/{quote(change.subject)}"
    if change.action in (ChangeAction.HELD, ChangeAction.RELEASED):
        return _DESTINATIONS
    signal = change.detail.get("signal") or (change.subject if change.action is ChangeAction.BODY_SHOWN else "")
    return (f"signal {signal[:12]}", f"/signals/{quote(signal)}") if len(signal) == _KEY else None


async def _ended(console: Console, tx: Transaction, since: datetime, until: datetime) -> AsyncIterator[dict[str, Any]]:
    """Yield what ended by itself from one instant to before another, and what came out then and was routed."""
    for silence in read_silences(await list_documents(tx, DocumentKind.SILENCE, since)).values:
        if silence.ended is None and since <= silence.until < until:
            words = f"The silence {silence.id} ({silence_scope_words(silence)}) ended"
            link = f"silence {silence.id}", f"/silences/{silence.id}"
            yield _entry(silence.until, "silence_over", words, silence.stream, [link], reason=silence.reason)
    for hold in read_values(DestinationHold, await list_documents(tx, DocumentKind.HOLD, since)).values:
        if hold.released is None and since <= hold.until < until:
            words = f"The hold of {hold.destination} ended"
            yield _entry(hold.until, "hold_over", words, hold.stream, [_DESTINATIONS], reason=hold.reason)
    for stream, book in console.rules.books.items():
        for rule in book.suppressions.by_name.values():
            if rule.enabled and since <= rule.expires < until:
                link = f"rule {rule.name}", f"/rules/{stream}?name={quote(rule.name, safe='')}"
                words = f"The rule {rule.name} ended"
                yield _entry(rule.expires, "rule_over", words, stream, [link], reason=rule.reason)
        came_out: defaultdict[str, list[RecordEntry]] = defaultdict(list)
        for one in await list_came_out(tx, stream, since, until, COUNTED):
            came_out[one.held_by].append(one.entry)
        for holder, entries in came_out.items():
            links = [(unfilled(one.title or one.type or "a signal"), f"/signals/{one.signal}") for one in entries]
            words = f"What the {holder_words(holder)} had held came out, and was routed"
            yield _entry(decided_at(entries[0]), "came_out", words, stream, links, count=len(entries))


def _entry(
    at: datetime, code: str, words: str, stream: str | None, links: Sequence[Link], **more: Any
) -> dict[str, Any]:
    named = [{"words": name, "path": path} for name, path in links[:_NAMED]]
    rest = {"author": None, "reason": None, "count": 1, **{name: value or None for name, value in more.items()}}
    document: dict[str, Any] = shown({"at": at, "code": code, "words": words, "stream": stream, "links": named, **rest})
    return document
