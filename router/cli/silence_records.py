"""Silences as commands read, write and print them: over what was read, with an entry of who made what of them when."""

from __future__ import annotations

from collections.abc import Callable
from copy import replace
from datetime import datetime
from functools import partial
from hashlib import sha256

from router.deliver.destination_holds import ChangeAction, ChangeEntry, ChangeSubject, document_of_change
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.errors import BadUsage, StoreError
from router.domain.readable import counted, timestamp
from router.domain.silences import Silence
from router.domain.suppression import MACHINE, RESOURCE_NAME, Element, Operator
from router.store.documents import (
    ReadValues,
    document_of_silence,
    find_document,
    find_silence_in,
    list_documents,
    put_with_change,
    read_silences,
)
from router.store.store import Store

_TRIES = 20
"""How often a change is made again where another change was faster."""

_DIGITS = 6
"""Digits of an id; more where another silence has those already."""

_MOST_NAMED = 5
"""The most values of one element that are named."""


async def stored_silences(store: Store, since: datetime | None) -> ReadValues[Silence]:
    """Return the silences that did not end before an instant, by their ids; all without one. Raises StoreError."""
    async with store.session() as tx:
        return read_silences(await list_documents(tx, DocumentKind.SILENCE, since))


async def add_silence(store: Store, draft: Silence) -> Silence:
    """Store a silence under an id of its own, and who made it; return it with its id. Raises StoreError."""
    digest = sha256(document_of_silence(draft).body).hexdigest()
    for length in range(_DIGITS, len(digest)):
        silence = replace(draft, id=digest[:length])
        change = _change(ChangeAction.ADDED, silence, draft.made, draft.author)
        if await store.run(partial(put_with_change, document=document_of_silence(silence), change=change)):
            return silence
    raise StoreError("no id is left for a silence")


async def change_silence(
    store: Store, id: str, action: ChangeAction, author: str, now: datetime, change: Callable[[Silence], Silence]
) -> Silence:
    """Store what a function makes of a silence, made again of what is stored by then where another change was faster.

    Returns it as it is stored then. Raises StoreError, and what the function raises.
    """
    for _ in range(_TRIES):
        async with store.session() as tx:
            document = await find_document(tx, DocumentKind.SILENCE, id)
        if document is None or (silence := find_silence_in(document)) is None:
            raise BadUsage(f"{id}: is no silence that can be read; see alert-router silences list")
        changed = change(silence)
        stored, entry = document_of_silence(changed, document.version), _change(action, changed, now, author)
        if await store.run(partial(put_with_change, document=stored, change=entry)):
            return changed
    raise StoreError(f"silence {id}: others change it all the time; try again")


def _change(action: ChangeAction, silence: Silence, at: datetime, author: str) -> StoredDocument:
    return document_of_change(
        ChangeEntry(
            subject=ChangeSubject.SILENCE,
            id=silence.id,
            stream=silence.stream,
            action=action,
            at=at,
            author=author,
            reason=silence.reason,
            until=silence.end,
        )
    )


def undecodable_words(number: int) -> str:
    """Return what is said of silences that do not decode: `2 silences cannot be read, and hold nothing`."""
    return f"{counted(number, 'silence')} cannot be read, and {'holds' if number == 1 else 'hold'} nothing"


def silence_scope_words(silence: Silence) -> str:
    """Return what a silence is about: `VM_Example at the resource web-1`, `anything with ip.address 10.0.0.1`."""
    elements = [_element_words(element) for group in silence.groups for element in group]
    return f"{silence.alert_type or 'anything'} {' and '.join(elements)}"


def _element_words(element: Element) -> str:
    values = [*sorted(element.values), *map(str, element.ranges)]
    more = [f"{len(values) - _MOST_NAMED} more"] if len(values) > _MOST_NAMED else []
    some = " or ".join([*values[:_MOST_NAMED], *more])
    if element.field == RESOURCE_NAME:
        return f"at a resource called {some}"
    if element.field == MACHINE:
        return f"at a machine called {some}"
    if element.field.entity is None and element.field.name == "resourceid":
        return f"at {some}"
    like = " like" if element.operator is Operator.LIKE else ""
    return f"with {str(element.field).removeprefix('entities.')}{like} {some}"


def both_times(time: datetime) -> str:
    """Return an instant in UTC and by the clocks of this machine; once where those are UTC."""
    local = time.astimezone()
    return f"{timestamp(time)}, {local:%a %Y-%m-%d %H:%M} {local.tzname()}" if local.utcoffset() else timestamp(time)


def state_of(silence: Silence, now: datetime) -> str:
    """Return how a silence is: active, coming (it has a window yet to come), or over."""
    if silence.is_active(now):
        return "active"
    return "over" if silence.end <= now or silence.find_next_window(now) is None else "coming"


def document_for(silence: Silence, now: datetime) -> dict[str, object]:
    """Return a silence as it is printed for programs."""
    window = silence.find_next_window(now)
    return {
        "id": silence.id,
        "name": silence.name,
        "stream": silence.stream,
        "state": state_of(silence, now),
        "type": silence.alert_type,
        "scope": silence_scope_words(silence),
        "begins": silence.begins,
        "ends": silence.end,
        "first": silence.first,
        "every": str(silence.every) if silence.every is not None else None,
        "next_window": window._asdict() if window is not None else None,
        "reason": silence.reason,
        "author": silence.author,
        "ticket": silence.ticket,
        "made": silence.made,
        "ended": silence.ended,
    }
