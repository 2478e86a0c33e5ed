"""What became of one alert of a drill, by the life of its signal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from router.domain.clocks import is_possible
from router.domain.counts import decided_at
from router.domain.decisions import Outcome
from router.domain.deliveries import DeliveryState, DeliveryStatus
from router.domain.holders import holder_words
from router.domain.notices import RecordEntry
from router.domain.signal_life import DestinationLife, GroupLife, SignalLife
from router.domain.timestamps import timestamp
from router.drill.evidence import DrilledAlert, DrilledDelivery

_RANKS = {
    DeliveryState.SENT: 0,
    DeliveryState.CLAIMED: 1,
    DeliveryState.OWED: 2,
    DeliveryState.DEAD: 3,
    DeliveryState.SKIPPED: 4,
}
"""Which of several deliveries says how far an alert has come."""


def alert_of(life: SignalLife, entry: RecordEntry, now: datetime) -> DrilledAlert:
    """The alert of a drill that a decision was made on, with what became of it."""
    decided = decided_at(entry)
    named = {one.name: one for one in life.destinations}
    holder = entry.suppressed_by
    return DrilledAlert(
        key=life.key,
        id=entry.id or "",
        title=entry.title or "",
        decided=decided,
        outcome=Outcome(entry.outcome),
        reason=entry.reason,
        rulebook=entry.rulebook,
        enqueued=_enqueued_in(life, decided, now),
        holder=holder_words(holder) if holder is not None else None,
        deliveries={
            name: delivery_of(named[name], decided) if name in named else DrilledDelivery()
            for name in entry.destinations
        },
    )


def delivery_of(one: DestinationLife, decided: datetime) -> DrilledDelivery:
    """What became of an alert at a destination since it was decided.

    Of a group only the notices count that its joining led to, or that came after, and none of a summary does: that one counts.
    Nor do those of a group that is so large that they do not name it.
    """
    group = one.group
    of_group = [two for two in group.deliveries if _is_since(two, group, decided)] if group is not None else []
    latest = _furthest([*one.deliveries, *of_group])
    is_grouped = group is not None and (latest is None or latest in of_group)
    return DrilledDelivery(
        state=latest.state if latest is not None else None,
        settled=latest.settled if latest is not None else None,
        receipt=_receipt_in(latest),
        error=latest.error if latest is not None else None,
        is_counted=group is not None and is_grouped and _is_only_counted(group),
        held=one.held,
        paused=f"since {timestamp(one.pause.since)}: {one.pause.error}" if one.pause is not None else None,
        unready=one.unready,
    )


def _enqueued_in(life: SignalLife, decided: datetime, now: datetime) -> datetime | None:
    """When the hub got the message that was decided; None where a later one about the same alert took its place."""
    enqueued = life.row.seen.arrival.enqueued if life.row is not None else None
    if enqueued is None or not is_possible(enqueued, now) or not is_possible(enqueued, decided):
        return None
    # A clock of Azure's may run ahead of ours: what is decided was in the hub by then.
    return min(enqueued, decided)


def _is_only_counted(group: GroupLife) -> bool:
    return group.is_summary or group.waits_for_room or not group.is_named


def _is_since(one: DeliveryStatus, group: GroupLife, decided: datetime) -> bool:
    """Whether a notice of a group can say that the alert is in it: one on its way by then cannot."""
    is_late_enough = one.settled is None or one.settled >= decided
    return is_late_enough and (group.joined is None or one.turn >= group.joined)


def _furthest(deliveries: Sequence[DeliveryStatus]) -> DeliveryStatus | None:
    return min(deliveries, key=lambda one: (_RANKS[one.state], one.turn), default=None)


def _receipt_in(one: DeliveryStatus | None) -> str | None:
    receipt = one.receipt if one is not None else None
    return (receipt.reference or receipt.link) if receipt is not None else None
