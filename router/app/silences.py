"""Silences that there are: read, said in words and as JSON; made, extended and ended, each over what was read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from copy import replace
from datetime import datetime
from functools import partial
from hashlib import sha256

from router.app.silence_bounds import needed_since, refuse_overrun, silenced_share, with_first
from router.domain.counts import RuleHits
from router.domain.documents import DocumentKind
from router.domain.errors import BadUsage, StoreError
from router.domain.readable import counted, timestamp
from router.domain.rulebook import Rulebook
from router.domain.signals import Stream
from router.domain.silences import BOUNDS, Silence
from router.domain.suppression import MACHINE, RESOURCE_NAME, Element, Operator
from router.domain.values import Value
from router.store.changes import ChangeAction, ChangeEntry, find_changes, put_with_change
from router.store.documents import (
    ReadValues,
    document_of_silence,
    find_document,
    find_silence_in,
    list_documents,
    read_silences,
)
from router.store.rules import read_hits
from router.store.signals import count_held
from router.store.store import Store, Transaction

BOUNDED = "silences"
"""The lock of who makes or changes a silence: each is bounded by those that there are."""

_DIGITS = 6
"""Digits of an id; more where another silence has those already."""

_MOST_NAMED = 5
"""The most values of one element that are named."""


_LISTED = {
    ChangeAction.SILENCE_MADE: "added",
    ChangeAction.SILENCE_EXTENDED: "extended",
    ChangeAction.SILENCE_ENDED: "ended",
}
"""What a list calls what was done to a silence."""


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


async def list_silences(store: Store, now: datetime, *, are_over: bool = False) -> tuple[list[ListedSilence], int]:
    """Return the silences that are not over, or those that are, the soonest end first, and how many cannot be read.

    Raises StoreError.
    """
    silences, undecodable = await find_silences_by_end(store, now, are_over=are_over)
    return await with_lives(store, silences, now), undecodable


async def find_silences_by_end(store: Store, now: datetime, *, are_over: bool = False) -> tuple[list[Silence], int]:
    """Return the same as they were made, of which nothing else is known. Raises StoreError."""
    known = await stored_silences(store, None if are_over else now)
    wanted = [one for one in known.values if (state_of(one, now) == "over") is are_over]
    return sorted(wanted, key=lambda one: (one.end, one.id)), known.undecodable


async def with_lives(store: Store, silences: Sequence[Silence], now: datetime) -> list[ListedSilence]:
    """Return silences with what became of them: each is compared with all of the last 30 days. Raises StoreError."""
    known = (await stored_silences(store, needed_since(BOUNDS, now))).values
    async with store.session() as tx:
        hits = {stream.value: await read_hits(tx, stream) for stream in Stream}
        held = {stream.value: await count_held(tx, stream) for stream in Stream}
        changes = await find_changes(tx, [one.id for one in silences])
    return [
        ListedSilence(
            one,
            hits[one.stream].get(one.name),
            held[one.stream].get(one.name, 0),
            silenced_share(one, known, now),
            [it for it in changes.get(one.id, ()) if it.action in _LISTED],
        )
        for one in silences
    ]


async def stored_silences(store: Store, since: datetime | None) -> ReadValues[Silence]:
    """Return the silences that did not end before an instant, by their ids; all without one. Raises StoreError."""
    async with store.session() as tx:
        return read_silences(await list_documents(tx, DocumentKind.SILENCE, since))


class SilenceOver(BadUsage):
    """A silence has ended already: it is neither extended nor ended."""

    def __init__(self, silence: Silence) -> None:
        super().__init__(f"{silence.id}: ended {timestamp(silence.end)}")
        self.silence = silence


async def add_silence(store: Store, draft: Silence) -> Silence:
    """Store a silence under an id of its own, and who made it; return it with its id. Raises StoreError."""
    digest = sha256(document_of_silence(draft).body).hexdigest()
    for length in range(_DIGITS, len(digest)):
        silence = replace(draft, id=digest[:length])
        change = _change(ChangeAction.SILENCE_MADE, silence, draft.made, draft.author, draft.reason)
        if await store.run(partial(put_with_change, document=document_of_silence(silence), change=change)):
            return silence
    raise StoreError("no id is left for a silence")


async def extend_silence(
    store: Store,
    id: str,
    until: datetime,
    books: Mapping[Stream, Rulebook],
    now: datetime,
    *,
    author: str,
    reason: str = "",
) -> Silence:
    """Let a silence hold until an instant, and return it. The policies of `books` bound it, by its stream.

    One that holds until then already stays as it is, so that who asks twice extends it once. Raises SilenceOver, BadField where
    the policy does not allow it, BadUsage where there is no such silence, and StoreError.
    """

    async def extend(tx: Transaction) -> Silence:
        await tx.wait_for(BOUNDED)
        known, action = (await stored_silences(store, None)).values, ChangeAction.SILENCE_EXTENDED
        extended = partial(extended_silence, until=until, known=known, books=books, now=now)
        return await change_silence(store, id, action, now, extended, author=author, reason=reason)

    return await store.run(extend)


def extended_silence(
    silence: Silence, until: datetime, known: Collection[Silence], books: Mapping[Stream, Rulebook], now: datetime
) -> Silence:
    """Return what a silence would be that holds until an instant; `known` are all silences. Raises SilenceOver and BadField."""
    # It was ended, though by a clock that is ahead of this one.
    if silence.end <= now or silence.ended is not None:
        raise SilenceOver(silence)
    if until <= silence.end:
        return silence
    # A stream without a policy allows what one allows that says nothing of silences.
    bounds = books[stream].silences if (stream := Stream(silence.stream)) in books else BOUNDS
    later = with_first(replace(silence, until=until), known)
    # How much longer it could be made, and not how long in all.
    refuse_overrun("for", later, known, bounds, given_from=silence.end)
    return later


async def end_silence(store: Store, id: str, now: datetime, *, author: str, reason: str = "") -> Silence:
    """End a silence now, and return it; what it holds and still stands comes out.

    Raises SilenceOver, BadUsage where there is no such silence, and StoreError.
    """

    def ended(silence: Silence) -> Silence:
        if silence.end <= now:
            raise SilenceOver(silence)
        return replace(silence, ended=min(now, silence.end))

    return await change_silence(store, id, ChangeAction.SILENCE_ENDED, now, ended, author=author, reason=reason)


async def change_silence(
    store: Store,
    id: str,
    action: ChangeAction,
    now: datetime,
    change: Callable[[Silence], Silence],
    *,
    author: str,
    reason: str = "",
) -> Silence:
    """Store what a function makes of a silence, while none is made or changed elsewhere; what changes nothing is not on record.

    Returns it as it is stored then. Raises StoreError, BadUsage where there is no such silence, and what the function raises.
    """

    async def work(tx: Transaction) -> Silence:
        await tx.wait_for(BOUNDED)
        document = await find_document(tx, DocumentKind.SILENCE, id)
        if document is None or (silence := find_silence_in(document)) is None:
            raise BadUsage(f"{id}: is no silence that can be read")
        if (changed := change(silence)) != silence:
            entry = _change(action, changed, now, author, reason)
            await put_with_change(tx, document_of_silence(changed, document.version), entry)
        return changed

    return await store.run(work)


def _change(action: ChangeAction, silence: Silence, at: datetime, author: str, reason: str) -> ChangeEntry:
    stream, subject, ends = silence.stream, silence.id, {"ends": timestamp(silence.end)}
    return ChangeEntry(at=at, author=author, action=action, stream=stream, subject=subject, reason=reason, detail=ends)


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


def state_of(silence: Silence, now: datetime) -> str:
    """Return how a silence is: active, coming (it has a window yet to come), or over."""
    if silence.is_active(now):
        return "active"
    return "over" if silence.end <= now or silence.find_next_window(now) is None else "coming"


def silence_document(silence: Silence, now: datetime) -> dict[str, object]:
    """Return a silence for programs."""
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


def listed_document(one: ListedSilence, now: datetime) -> dict[str, object]:
    """Return a silence and what became of it for programs."""
    return {
        **silence_document(one.silence, now),
        "hits": one.hits.total if one.hits is not None else 0,
        "last_hit": one.hits.last if one.hits is not None else None,
        "holding": one.holding,
        "holding_is_whole": True,
        "silenced_share": one.share,
        "changes": [
            {
                "action": _LISTED[it.action],
                "at": it.at,
                "author": it.author,
                "reason": it.reason,
                "ends": it.detail.get("ends"),
            }
            for it in one.changes
        ],
    }
