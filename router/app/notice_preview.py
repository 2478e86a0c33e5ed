"""What a destination would be told of a signal, or was told last, as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import replace
from datetime import datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, NamedTuple

from router.decide import decide, notice_for
from router.deliver.sender import page_of
from router.destinations import discover
from router.destinations.wording.escaping import web_link
from router.destinations.wording.masking import masked
from router.destinations.wording.withholding import disclosed
from router.domain.decisions import Change, Decision, Outcome
from router.domain.deliveries import Attempt, Delivery, DeliveryState
from router.domain.errors import BadUsage
from router.domain.keys import signal_key
from router.domain.notices import Notice
from router.domain.rulebook import DestinationSpec, Lane, Rulebook
from router.domain.signals import Quarantined, Signal
from router.domain.silences import Silences
from router.domain.suppression import NO_SUPPRESSIONS
from router.ingest.state_cache import TagReader
from router.parse import alerts_named_in, evidence_of, read_signals
from router.store.delivery_status import find_last_notice
from router.store.ledger import RECORD
from router.store.signals import find_held
from router.store.store import Store

if TYPE_CHECKING:
    from router.app.signal_life import SignalLife


def check_destination(name: str, books: Iterable[Rulebook]) -> None:
    """Raise BadUsage where no policy names a destination so."""
    named = sorted({one for book in books for one in book.destinations})
    if name == RECORD:
        raise BadUsage(f"{name}: gets decisions as rows and no notices; name one of {', '.join(named)}")
    if name not in named:
        near = get_close_matches(name, named, n=1)
        meant = f"did you mean {near[0]}?" if near else f"there are {', '.join(named)}"
        raise BadUsage(f"{name}: no policy names such a destination; {meant}")


def preview_notice(
    signal: Signal, name: str, rulebook: Rulebook, now: datetime, silences: Silences, console: str | None
) -> str:
    """Return what a destination would be told of a signal that nothing came before; why, where it is told nothing."""
    spec = rulebook.destinations.get(name)
    if spec is None:
        return f"{name}: is no destination of {rulebook.stream}, so it is told nothing."
    decision = decide(signal, rulebook, now, silences)
    if name not in decision.destinations and decision.outcome is Outcome.RESOLVED:
        return f"{name}: is told that this is over ({decision.reason}) if it was told of it before, and else nothing."
    if name not in decision.destinations:
        goes = f"goes to {', '.join(decision.destinations) or 'nobody'}"
        return f"{name}: is told nothing: the signal is {decision.outcome} ({decision.reason}), and {goes}."
    change = Change.RESOLVED if signal.resolved else Change.OPENED
    return _preview_of(_first_notice(signal, decision, rulebook), change, spec, now, console)


def _first_notice(signal: Signal, decision: Decision, rulebook: Rulebook) -> Notice:
    key = signal_key(rulebook.stream.value, signal.kind.value, signal.id)
    evidence = evidence_of(signal, rulebook.catalogue)
    return notice_for(signal, evidence, decision, rulebook, key, 1, alerts_named_in(signal))


def _preview_of(notice: Notice, change: Change, spec: DestinationSpec, now: datetime, console: str | None) -> str:
    delivery = Delivery(
        stream=notice.stream,
        destination=spec.name,
        lane=spec.lane,
        key=notice.key,
        turn=1,
        change=change,
        opened=1,
        content=notice,
    )
    return _preview_by(spec, Attempt(delivery=delivery, number=1, now=now, page=page_of(console, delivery)))


class NoticeText(NamedTuple):
    """What a destination is told of a signal.

    Attributes:
        is_taken: whether it took that; else it would be told so if nothing held the signal.
        signals: how many its notice is about, where that is about a group.
        link: where the signal stands in the portal that its message named; None where it named none.
    """

    destination: str
    text: str
    is_taken: bool = True
    signals: int | None = None
    link: str | None = None


async def read_notice_texts(
    store: Store, life: SignalLife, book: Rulebook | None, now: datetime, console: str | None
) -> dict[str, NoticeText]:
    """Return as tickets have it what each destination that the rules name was told last, by name. Raises StoreError."""
    told = dict[str, NoticeText]()
    for one in life.destinations:
        spec = book.destinations.get(one.name) if book is not None else None
        if spec is not None and any(it.state is DeliveryState.SENT for it in one.all_deliveries):
            text, link = await read_last_notice(store, life, spec, now, console, as_in_tickets=True)
            told[one.name] = NoticeText(
                one.name, text, signals=one.group.total if one.group is not None else None, link=link
            )
    return told


def find_whole(life: SignalLife, told: Mapping[str, NoticeText]) -> NoticeText | None:
    """Return what says most of the signal to people: a ticket or a page, rather one about it alone."""
    lanes = {one.name: one.lane for one in life.destinations}
    asked = [one for one in told.values() if lanes[one.destination] in _PEOPLE]
    return min(asked, key=lambda one: ((one.signals or 1) > 1, _PEOPLE.index(lanes[one.destination])), default=None)


async def read_withheld(
    store: Store, key: str, book: Rulebook, now: datetime, console: str | None
) -> NoticeText | None:
    """Return what a ticket, or else a page, would say of a held signal if nothing held it. Raises StoreError.

    None where nothing holds it, its message is not understood any more, or it would go to neither.
    """
    async with store.session() as tx:
        row = next(iter(await find_held(tx, [key])), None)
    signal = read_signals(row.held.body, book.catalogue)[0] if row and row.held and row.held.body else None
    if signal is None or isinstance(signal, Quarantined):
        return None
    rulebook = await TagReader(store, {book.stream: book}).rulebook(book.stream, now)
    rulebook = replace(rulebook, suppressions=NO_SUPPRESSIONS)
    decision = decide(signal, rulebook, now)
    specs = [spec for name in decision.people if (spec := rulebook.destinations[name]).lane in _PEOPLE]
    if not specs:
        return None
    spec = min(specs, key=lambda one: _PEOPLE.index(one.lane))
    notice = disclosed(_first_notice(signal, decision, rulebook), frozenset(), has_ai_whole=False)
    return NoticeText(spec.name, _preview_of(notice, Change.OPENED, spec, now, console), False, link=_link_of(notice))


_PEOPLE = (Lane.TICKET, Lane.PAGE)


def _link_of(notice: Notice) -> str | None:
    return web_link(notice.link) if notice.link is not None and masked(notice.link) == notice.link else None


async def read_last_notice(
    store: Store, life: SignalLife, spec: DestinationSpec, now: datetime, console: str | None, *, as_in_tickets: bool
) -> tuple[str, str | None]:
    """Return what a destination was last told of a signal, or of its group, in words of today's rules; and the portal's link.

    Says so where it took nothing. With `as_in_tickets` it is masked, and of an alert about AI an outline, whatever the
    destination got. Raises StoreError.
    """
    there = [it for one in life.destinations if one.name == spec.name for it in one.all_deliveries]
    taken = [it for it in there if it.state is DeliveryState.SENT]
    last = max(taken, key=lambda it: it.settled or it.born, default=None)
    async with store.session() as tx:
        found = await find_last_notice(tx, life.stream, spec.name, last.key) if last is not None else None
    if last is None or found is None:
        return f"{spec.name}: took nothing of it, or what it took is not kept.", None
    if as_in_tickets:
        found = disclosed(found, frozenset(), has_ai_whole=False)
    skipped = [(it.key, it.turn) for it in there if it.state is DeliveryState.SKIPPED]
    delivery = Delivery(
        stream=last.stream,
        destination=last.destination,
        lane=last.lane,
        key=last.key,
        turn=last.turn,
        change=last.change,
        opened=last.opened,
        content=found,
    )
    is_untold = last.change is Change.RESOLVED and (last.key, last.opened) in skipped
    attempt = Attempt(delivery=delivery, number=1, now=now, since=last.born, is_untold=is_untold)
    link = _link_of(found) if isinstance(found, Notice) else None
    return _preview_by(spec, replace(attempt, page=page_of(console, delivery))), link


def _preview_by(spec: DestinationSpec, attempt: Attempt) -> str:
    return discover()[spec.kind](spec.config).preview(attempt)
