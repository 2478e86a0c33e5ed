"""What a destination would be told of a signal, or was told last, as text."""

from __future__ import annotations

from collections.abc import Iterable
from copy import replace
from datetime import datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING

from router.decide import decide, notice_for
from router.deliver.sender import page_of
from router.destinations import discover
from router.destinations.wording.withholding import disclosed
from router.domain.decisions import Change, Outcome
from router.domain.deliveries import Attempt, Delivery, DeliveryState
from router.domain.errors import BadUsage
from router.domain.keys import signal_key
from router.domain.rulebook import DestinationSpec, Rulebook
from router.domain.signals import Signal
from router.domain.silences import Silences
from router.parse import alerts_named_in, evidence_of
from router.store.delivery_status import find_last_notice
from router.store.ledger import RECORD
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
    key = signal_key(rulebook.stream.value, signal.kind.value, signal.id)
    notice = notice_for(
        signal, evidence_of(signal, rulebook.catalogue), decision, rulebook, key, 1, alerts_named_in(signal)
    )
    delivery = Delivery(
        stream=notice.stream,
        destination=name,
        lane=spec.lane,
        key=key,
        turn=1,
        change=Change.RESOLVED if signal.resolved else Change.OPENED,
        opened=1,
        content=notice,
    )
    return _preview_by(spec, Attempt(delivery=delivery, number=1, now=now, page=page_of(console, delivery)))


async def read_last_notice(
    store: Store, life: SignalLife, spec: DestinationSpec, now: datetime, console: str | None, *, as_in_tickets: bool
) -> str:
    """Return what a destination was last told of a signal, or of the group that it is in, in the words of today's rules.

    Says so where it took nothing. With `as_in_tickets` it is masked, and of an alert about AI an outline, whatever the
    destination got. Raises StoreError.
    """
    there = [it for one in life.destinations if one.name == spec.name for it in one.all_deliveries]
    taken = [it for it in there if it.state is DeliveryState.SENT]
    last = max(taken, key=lambda it: it.settled or it.born, default=None)
    async with store.session() as tx:
        found = await find_last_notice(tx, life.stream, spec.name, last.key) if last is not None else None
    if last is None or found is None:
        return f"{spec.name}: took nothing of it, or what it took is not kept."
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
    return _preview_by(spec, replace(attempt, page=page_of(console, delivery)))


def _preview_by(spec: DestinationSpec, attempt: Attempt) -> str:
    return discover()[spec.kind](spec.config).preview(attempt)
