"""What a destination was told of a signal or group before: what it took last, since when, whether it is open there. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from router.domain.decisions import Change
from router.domain.deliveries import DeliveryState, DeliveryStatus, Receipt
from router.domain.notices import Notice


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What a destination was told of a signal or group since it last opened there.

    Attributes:
        last: the notice that it last took; None where it took none, or none is kept.
        handles: the vendor's ids that it answered then, by name.
        opened: when it was first owed the opening; None where that is not kept.
    """

    last: Notice | None = None
    handles: Mapping[str, str] = field(default_factory=dict)
    opened: datetime | None = None


class Notified(NamedTuple):
    """That a destination was told of a signal or group which is open there.

    Attributes:
        at: when it took the first notice of it.
        receipt: what it answered then.
    """

    at: datetime
    receipt: Receipt


ENDING = frozenset({DeliveryState.OWED, DeliveryState.CLAIMED, DeliveryState.SENT})
"""The states of a resolution that reached a destination or is about to; one that died or was skipped ended nothing there."""


def last_taken(statuses: Sequence[DeliveryStatus], opened: int) -> DeliveryStatus | None:
    """The latest delivery that a destination took of a signal since the turn that opened it there."""
    taken = [one for one in statuses if one.opened == opened and one.state is DeliveryState.SENT]
    return max(taken, key=lambda one: one.turn, default=None)


def owed_since(statuses: Sequence[DeliveryStatus], opened: int) -> datetime | None:
    """Since when a destination was first owed the opening of a signal that a turn opened there."""
    return min((one.born for one in statuses if one.turn == opened), default=None)


def find_notified(statuses: Sequence[DeliveryStatus]) -> Notified | None:
    """What a destination was told of a signal or group that is open there; None where it is not, or nobody took anything.

    An update may have opened it there: its opening may have died.
    """
    opened = max((one.opened for one in statuses), default=0)
    latest = sorted((one for one in statuses if one.opened == opened), key=lambda one: one.turn)
    if any(one.change is Change.RESOLVED and one.state in ENDING for one in latest):
        return None
    taken = [one for one in latest if one.state is DeliveryState.SENT and one.change is not Change.RESOLVED]
    if not taken:
        return None
    receipts = [one.receipt for one in taken if one.receipt is not None and (one.receipt.reference or one.receipt.link)]
    return Notified(taken[0].settled or taken[0].born, receipts[0] if receipts else Receipt())
