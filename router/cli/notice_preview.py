"""What a destination would be told of a signal, or was, as text: `alert-router explain FILE|ID --notice DESTINATION`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from difflib import get_close_matches

from router.decide import decide, notice_for
from router.destinations import discover
from router.domain.decisions import Change, Outcome
from router.domain.deliveries import Attempt, Delivery, DeliveryStatus
from router.domain.errors import BadUsage
from router.domain.keys import signal_key
from router.domain.notices import Notice
from router.domain.rulebook import DestinationSpec, Rulebook
from router.domain.signals import Signal
from router.domain.silences import NO_SILENCES, Silences
from router.parse import alerts_named_in, evidence_of
from router.store.ledger import RECORD


def check_destination(name: str, books: Iterable[Rulebook]) -> None:
    """Raise BadUsage where no policy names a destination so."""
    named = sorted({one for book in books for one in book.destinations})
    if name == RECORD:
        raise BadUsage(f"--notice {name}: gets decisions as rows and no notices; name one of {', '.join(named)}")
    if name not in named:
        near = get_close_matches(name, named, n=1)
        meant = f"did you mean {near[0]}?" if near else f"there are {', '.join(named)}"
        raise BadUsage(f"--notice {name}: no policy names such a destination; {meant}")


def preview_of(signal: Signal, name: str, rulebook: Rulebook, now: datetime, silences: Silences = NO_SILENCES) -> str:
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
    return _preview_by(spec, Attempt(delivery=delivery, number=1, now=now))


def preview_of_taken(
    notice: Notice, taken: DeliveryStatus, spec: DestinationSpec, now: datetime, *, is_untold: bool
) -> str:
    """Return what a destination took, in the words in which it would be told it now; `is_untold` is as in `Attempt`."""
    delivery = Delivery(
        stream=taken.stream,
        destination=taken.destination,
        lane=taken.lane,
        key=taken.key,
        turn=taken.turn,
        change=taken.change,
        opened=taken.opened,
        content=notice,
    )
    attempt = Attempt(delivery=delivery, number=1, now=now, since=taken.born, is_untold=is_untold)
    return _preview_by(spec, attempt)


def _preview_by(spec: DestinationSpec, attempt: Attempt) -> str:
    return discover()[spec.kind](spec.config).preview(attempt)
