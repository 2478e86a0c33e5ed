"""A signal: whom it paged or why nobody, what happened to it, what destinations were told, and how to hold what is like it."""

from __future__ import annotations

from copy import replace
from typing import Any

from msgspec import json
from starlette.exceptions import HTTPException
from starlette.requests import Request

from router.app.alike import rule_like, silence_like
from router.app.notice_preview import find_whole, read_notice_texts, read_withheld
from router.app.signal_document import holding_rules, life_document
from router.app.signal_life import DestinationLife, SignalLife, read_life, with_active_silences
from router.app.signal_search import Meant, find_meant
from router.app.signal_words import destination_facts, signal_facts, timeline_of, worded
from router.app.standing import describe_signals
from router.console.application import Console, Document, Effect, Elsewhere, Form
from router.console.rendering import shown
from router.console.repairs import RawBody, show_raw
from router.destinations.wording.withholding import outline_of_alike
from router.domain.rule_fields import signal_of
from router.domain.rulebook import Rulebook
from router.domain.signals import Stream
from router.store.delivery_status import list_latest_notices
from router.store.ledger import RECORD
from router.store.signals import find_held, read_fields
from router.store.store import Store

_FACTS = frozenset({"found by", "id", "plan", "key", "now", "held by"})
"""What `explain` says of a signal that stands nowhere else on its page."""


async def read_signal(console: Console, request: Request) -> Document:
    """Return the life of a signal as `explain` does, and what its page has beside; raises HTTPException where there is none."""
    store, now = console.store, console.store.now()
    meant = await _find_one(store, request.path_params["key"])
    book = console.rules.books.get(Stream(meant.stream)) if meant.stream in Stream else None
    life = await read_life(store, meant, now, console.facts)
    if book is not None:
        life = await with_active_silences(store, life, book, now)
    async with store.session() as tx:
        row = life.row
        summary = (await describe_signals(tx, row.stream, [row]))[0] if row is not None else None
        fields = (await read_fields(tx, [life.key])).get(life.key)
    if summary is None or summary["outline"]:
        life = _outlined(life)
    signal = signal_of(fields) if fields is not None else None
    rule = rule_like(signal, now) if signal is not None else None
    is_previewed = request.query_params.get("preview") == "rule"
    document = life_document(life, meant, now)
    destinations = zip(document["destinations"], life.destinations, strict=True)
    told = await read_notice_texts(store, life, book, now, console.facts.console_url)
    whole = find_whole(life, told)
    if whole is None and book is not None and life.holder is not None:
        whole = await read_withheld(store, life.key, book, now, console.facts.console_url)
    shown_document: dict[str, Any] = shown(
        {
            **document,
            "at": now,
            "summary": {name: value for name, value in summary.items() if name != "states"}
            if summary is not None
            else None,
            "facts": worded(fact for fact in signal_facts(life, meant, now) if fact[0] in _FACTS),
            "held_by_rules": holding_rules(life, book) if book is not None else [],
            "attack": _attack_of(life, book),
            "rulebook": life.latest.rulebook if life.latest is not None else None,
            "is_rulebook_current": book is not None and life.latest is not None and life.latest.rulebook == book.hash,
            "whole": whole._asdict() if whole is not None else None,
            "timeline": timeline_of(life),
            "destinations": [
                {**one, "facts": worded(destination_facts(it)), "text": told[it.name].text if it.name in told else None}
                for one, it in destinations
            ],
            "silence": silence_like(signal) if signal is not None else None,
            "rule": rule.document if rule is not None else None,
            "preview": await rule.preview(store, console.rules, now) if rule is not None and is_previewed else None,
            "kept": "message" if life.holder is not None else "notice" if any(map(_tells, life.destinations)) else None,
        }
    )
    return shown_document


async def _find_one(store: Store, asked: str) -> Meant:
    found = await find_meant(store, asked, None)
    if len(found.signals) == 1 and found.signals[0].key == asked:
        return found.signals[0]
    if len(found.signals) == 1:
        raise Elsewhere(f"/signals/{found.signals[0].key}")
    if found.signals or found.quarantined:
        raise Elsewhere("/decisions", q=asked)
    raise HTTPException(404, "No signal has that key or that id, no id ends so, and no ticket has that number.")


def _outlined(life: SignalLife) -> SignalLife:
    """Return a life in which groups have nothing in common that may be an entity."""
    groups = [replace(it, by=outline_of_alike(it.by)) if (it := one.group) else None for one in life.destinations]
    places = zip(life.destinations, groups, strict=True)
    return replace(life, destinations=tuple(replace(one, group=group) for one, group in places))


def _tells(one: DestinationLife) -> bool:
    return one.name != RECORD and bool(one.deliveries)


def _attack_of(life: SignalLife, book: Rulebook | None) -> dict[str, Any]:
    latest = next((one for one in reversed(life.decisions) if one.tactics or one.techniques), None)
    names = book.attack.tactics if book is not None else {}
    tactics = [{"id": id, "name": names.get(id)} for id in (latest.tactics if latest is not None else ())]
    return {"tactics": tactics, "techniques": list(latest.techniques) if latest is not None else []}


async def show_body(console: Console, form: Form, request: Request) -> Effect:
    """Show what is kept of a signal as it came; raises HTTPException where nothing is."""
    key = request.path_params["key"]
    async with console.store.session() as tx:
        held = next(iter(await find_held(tx, [key])), None)
        notice = (await list_latest_notices(tx, [key])).get(key)
    if held is not None and held.held is not None and held.held.body is not None:
        raw = RawBody(held.stream, key, "The message", held.held.body)
    elif notice is not None:
        words = "The message is not kept. This is the last notice that was made of it"
        raw = RawBody(notice.stream, key, words, json.format(json.encode(notice), indent=2))
    else:
        raise HTTPException(404, "Neither a message nor a notice of that signal is kept.")
    return await show_raw(console, form, request, raw)
