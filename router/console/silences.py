"""Silences: which hold and which are coming, what each holds, and what people do to them: make, extend, end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import asdict
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request

from router.app.fields import duration_text, read_duration, read_instant, read_words
from router.app.holding import read_coming_out, read_holding
from router.app.lookback import preview_document
from router.app.silences import (
    ListedSilence,
    SilenceOver,
    end_silence,
    extend_silence,
    extended_silence,
    find_silences_by_end,
    listed_document,
    silence_document,
    stored_silences,
    with_lives,
)
from router.app.silencing import SilenceDraft, WantedSilence, draft_silence, make_silence
from router.console.application import Console, Done, Effect, Form, named_in
from router.console.rendering import shown
from router.console.roles import visitor_in
from router.decide import iso
from router.domain.documents import DocumentKind
from router.domain.errors import BadField
from router.domain.readable import legible, one_line
from router.domain.rulebook import Lane
from router.domain.signals import Stream
from router.rulebook.lints import KnownTypes
from router.store.documents import find_document, find_silence_in

PAGE = 50
"""Silences, or rules, on a page."""

_KEPT = timedelta(days=90)
"""How long silences that have ended are listed."""

_SOON = timedelta(hours=1)
"""How long before its end it is said that a silence ends soon."""

_FIELDS = ("stream", "type", "resource", "host", "entity", "for", "until", "from", "every", "reason", "ticket")
"""What the form for a silence asks; the command line calls it the same."""


async def read_silences(console: Console, request: Request) -> Mapping[str, Any]:
    """Return the silences that hold and those that are coming, the soonest end first; or those that ended, the latest first."""
    query, now = request.query_params, console.store.now()
    stream, are_over = stream_in(query), query.get("ended") == "1"
    found, undecodable = await find_silences_by_end(console.store, now, are_over=are_over)
    listed = [one for one in found if stream in (None, one.stream)]
    if are_over:
        listed = [one for one in reversed(listed) if one.end > now - _KEPT]
    page, after = page_of(listed, lambda one: one.id, query.get("after"))
    return {
        "at": iso(now),
        "stream": stream,
        "ended": are_over,
        "count": len(listed),
        "silences": [_listed_document(one, now) for one in await with_lives(console.store, page, now)],
        "after": after,
        "undecodable": undecodable,
    }


async def read_new(console: Console, request: Request) -> Mapping[str, Any]:
    """Return the form for a silence, filled in by the query."""
    query = request.query_params
    typed = {name: "\n".join(query.getlist(name)) for name in _FIELDS}
    if not (typed["for"] or typed["until"]):
        typed["for"] = "2h"
    return _form_document(console, typed)


async def make(console: Console, form: Form, request: Request) -> Effect | Done:
    """Show what a silence would hold, and make it."""
    typed = {name: form.get(name, "").strip() for name in _FIELDS}
    try:
        wanted = _wanted_by(typed, visitor_in(request).name)
        if (book := console.rules.books.get(wanted.stream)) is None:
            raise BadField("stream", f"{wanted.stream} has no policy here; write {' or '.join(console.rules.books)}")
        types = KnownTypes.of(console.rules.types.get(wanted.stream, ()))
        draft = await draft_silence(console.store, wanted, book, types, console.store.now())
        draft.refuse_too_broad()
        if form.get("confirm") == "yes":
            silence = await make_silence(console.store, draft)
            return Done(f"/silences/{silence.id}", "silenced")
    except BadField as fault:
        return Effect("silence_new.html", _form_document(console, typed, fault), 422)
    pagers = [name for name, spec in book.destinations.items() if spec.lane is Lane.PAGE]
    return Effect("silence_effect.html", {**_draft_document(draft, typed, console.store.now()), "pagers": pagers})


async def read_silence(console: Console, request: Request) -> Mapping[str, Any]:
    """Return a silence, its life, and what it holds."""
    return await _read_one(console, request.path_params["id"], {"for": "1h", "reason": ""})


async def extend(console: Console, form: Form, request: Request) -> Effect | Done:
    """Show until when a silence would hold, and let it: no longer than was shown, however often that is confirmed."""
    id, typed, store, now = request.path_params["id"], _typed_in(form), console.store, console.store.now()
    try:
        if (longer := read_field("for", read_duration, typed["for"])) is None:
            raise BadField("for", "is missing; write for how long, such as 1h")
        reason, books = read_words("reason", typed["reason"]), console.rules.books
        until = read_field("until", read_instant, form.get("until", ""))
        if form.get("confirm") == "yes" and until is not None:
            await extend_silence(store, id, until, books, now, author=visitor_in(request).name, reason=reason)
            return Done(f"/silences/{id}", "extended")
        one = await _find(console, id, now)
        wanted, known = one.silence.end + longer, (await stored_silences(store, None)).values
        later = extended_silence(one.silence, wanted, known, books, now)
    except (BadField, SilenceOver) as fault:
        return Effect("silence.html", await _read_one(console, id, typed, fault), 422)
    more = {"act": "extend", "later": iso(later.end), "fields": {**typed, "until": iso(later.end)}}
    return Effect("silence_effect.html", {"at": iso(now), "silence": _listed_document(one, now), **more})


async def end(console: Console, form: Form, request: Request) -> Effect | Done:
    """Show what would come out if a silence ended now, and end it."""
    id, typed, store, now = request.path_params["id"], _typed_in(form), console.store, console.store.now()
    try:
        reason = read_words("end-reason", typed["reason"])
        if form.get("confirm") == "yes":
            await end_silence(store, id, now, author=visitor_in(request).name, reason=reason)
            return Done(f"/silences/{id}", "ended")
        one = await _find(console, id, now)
        if one.silence.end <= now:
            raise SilenceOver(one.silence)
    except (BadField, SilenceOver) as fault:
        return Effect("silence.html", await _read_one(console, id, typed, fault), 422)
    more = {"act": "end", "coming_out": await read_ending(console, one.silence.stream, one.silence.name, now)}
    document = {"at": iso(now), "silence": _listed_document(one, now), **more, "fields": {"reason": typed["reason"]}}
    return Effect("silence_effect.html", document)


async def read_ending(console: Console, stream: str, name: str, now: datetime) -> Mapping[str, Any] | None:
    """Return what would come out if a rule or a silence ended now; None where its stream has no rules here."""
    book = console.rules.books.get(Stream(stream))
    return asdict(await read_coming_out(console.store, name, book, now)) if book is not None else None


def stream_in(query: QueryParams) -> Stream | None:
    """Return the stream that a query names; None for any. Raises HTTPException."""
    return next(map(Stream, named_in(query, "stream", list(Stream))), None)


def page_of[T](rows: Sequence[T], place_of: Callable[[T], str], after: str | None) -> tuple[Sequence[T], str | None]:
    """Return the rows that come after a place, and where to go on; None at the end. Raises HTTPException."""
    begin = 0
    if after is not None and not (begin := next((at for at, one in enumerate(rows, 1) if place_of(one) == after), 0)):
        raise HTTPException(400, "after: is no place in this list any more; leave it out to begin at its start.")
    page = rows[begin : begin + PAGE]
    return page, place_of(page[-1]) if begin + PAGE < len(rows) else None


async def _find(console: Console, id: str, now: datetime) -> ListedSilence:
    async with console.store.session() as tx:
        document = await find_document(tx, DocumentKind.SILENCE, id)
    silence = find_silence_in(document) if document is not None else None
    if silence is None:
        raise HTTPException(404, "There is no silence of that id that can be read.")
    (one,) = await with_lives(console.store, [silence], now)
    return one


async def _read_one(
    console: Console, id: str, typed: Mapping[str, str], fault: BadField | SilenceOver | None = None
) -> Mapping[str, Any]:
    """Return a silence with its forms as they were filled in, and what is wrong there."""
    now = console.store.now()
    one = await _find(console, id, now)
    silence, last = one.silence, one.hits.last if one.hits is not None else None
    is_over = silence.end <= now
    return {
        "at": iso(now),
        "silence": _listed_document(one, now),
        "changes": shown(listed_document(one, now)["changes"]),
        **shown(await read_holding(console.store, silence.stream, silence.name, last, now)),
        "coming_out": await read_ending(console, silence.stream, silence.name, now) if not is_over else None,
        "fields": typed,
        "wrong": _wrong(fault),
    }


def _listed_document(one: ListedSilence, now: datetime) -> Mapping[str, Any]:
    """Return a silence, and what people should look at: that it ends soon, or holds nothing though it is in force."""
    document = shown({name: said for name, said in listed_document(one, now).items() if name != "changes"})
    ends_soon = now < one.silence.end <= now + _SOON
    return {**document, "ends_soon": ends_soon, "holds_nothing": document["state"] == "active" and not one.holding}


def _form_document(console: Console, typed: Mapping[str, str], fault: BadField | None = None) -> Mapping[str, Any]:
    bounds = {
        stream.value: {
            "longest": duration_text(book.silences.longest),
            "recurring": duration_text(book.silences.recurring),
            "ticket": book.silences.ticket,
            "refuse": book.silences.refuse.label if book.silences.refuse is not None else None,
        }
        for stream, book in console.rules.books.items()
    }
    return {"fields": typed, "wrong": _wrong(fault), "bounds": bounds}


def _draft_document(draft: SilenceDraft, typed: Mapping[str, str], now: datetime) -> Mapping[str, Any]:
    """Return what a silence would do. It ends when this says it does, however long it is looked at."""
    it = draft.preview
    found = {**preview_document(it.preview), "told": it.by_all, "owed_already": it.owed}
    return {
        "at": iso(now),
        "act": "make",
        "silence": shown(silence_document(draft.silence, now)),
        "would_have_held": shown(found),
        "is_unheard_of": it.is_unheard_of,
        "lines": [shown(_plain(line)) for line in it.lines],
        "remarks": [shown(_plain(line)) for line in draft.remarks],
        "doubts": [{"field": one.field, "words": shown(_plain(one.words))} for one in draft.doubts],
        "typed": typed,
        "fields": {**typed, "for": "", "until": iso(draft.silence.end)},
    }


def _wrong(fault: BadField | SilenceOver | None) -> Mapping[str, str] | None:
    match fault:
        case BadField():
            return {"field": fault.field, "words": legible(_plain(fault.words))}
        case SilenceOver():
            return {"field": "", "words": f"It {_plain(str(fault)).partition(' ')[2]}; make another one."}
    return None


def _plain(words: str) -> str:
    """Return words in which the names of fields stand in backticks as a page says them: fields are called so there."""
    return words.replace("`", "")


def _typed_in(form: Form) -> dict[str, str]:
    return {"for": form.get("for", "").strip(), "reason": one_line(form.get("reason", "")).strip()}


def read_field[T](field: str, read: Callable[[str], T], text: str) -> T | None:
    """Return what a field says; None where it is empty. Raises BadField."""
    try:
        return read(text) if text else None
    except ValueError as fault:
        raise BadField(field, str(fault)) from fault


def _wanted_by(typed: Mapping[str, str], author: str) -> WantedSilence:
    """Return the silence that the form means; hosts and entities stand each on a line. Raises BadField."""
    if (stream := typed["stream"] or Stream.CWPP) not in Stream:
        raise BadField("stream", f"{stream!r} is none; write {' or '.join(Stream)}")
    return WantedSilence(
        stream=Stream(stream),
        alert_type=typed["type"] or None,
        resource=typed["resource"] or None,
        hosts=list(filter(str.strip, typed["host"].splitlines())),
        entities=list(filter(str.strip, typed["entity"].splitlines())),
        begins=read_field("from", read_instant, typed["from"]),
        until=read_field("until", read_instant, typed["until"]),
        lasts=read_field("for", read_duration, typed["for"]),
        every=typed["every"] or None,
        reason=typed["reason"],
        author=author,
        ticket=typed["ticket"] or None,
    )
