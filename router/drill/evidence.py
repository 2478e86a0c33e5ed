"""The evidence that a drill is judged by: its order, its alerts, and each destination's answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from router.domain.counts import decided_at
from router.domain.decisions import Outcome
from router.domain.deliveries import DeliveryState, DeliveryStatus
from router.domain.holders import holder_words
from router.domain.notices import RecordEntry
from router.domain.rulebook import Lane
from router.domain.signal_life import DestinationLife, GroupLife, SignalLife
from router.domain.timestamps import timestamp
from router.drill.results import DrillVerdict

_FURTHEST = (
    DeliveryState.SENT,
    DeliveryState.CLAIMED,
    DeliveryState.OWED,
    DeliveryState.DEAD,
    DeliveryState.SKIPPED,
)


class ExpectedDestination(NamedTuple):
    """A destination to which the rules lead alerts of a drill's plan; `takes_samples` is False if a route keeps them away."""

    name: str
    lane: Lane
    kind: str
    takes_samples: bool = True


class DrilledDelivery(NamedTuple):
    """How far one alert came at one destination.

    Attributes:
        verdict: passed if the destination took a notice that names the alert.
        reason: why it did not.
        settled: when it took it.
        receipt: the vendor's reference.
    """

    verdict: DrillVerdict
    reason: str = ""
    settled: datetime | None = None
    receipt: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrilledAlert:
    """One alert of a drill that was decided.

    Attributes:
        id: Defender's id.
        enqueued: when the hub got it; None if no row of the signal is kept.
        reason: the decision's reason.
        rulebook: the hash of the rules that decided it.
        holder: the rule or silence that holds it, in words.
        deliveries: by the name of each destination that the decision names.
    """

    id: str
    decided: datetime
    outcome: Outcome
    reason: str
    rulebook: str = ""
    enqueued: datetime | None = None
    holder: str | None = None
    deliveries: Mapping[str, DrilledDelivery] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillEvidence:
    """What is known of a drill.

    Attributes:
        raised: when Defender took the order, or a person was asked to raise the alert.
        refused: why nothing was raised.
        is_busy: whether that is because Azure carries out another order.
        listed: how many of its samples Defender lists; None if Defender raises none.
        dismissed: how many of those are dismissed already.
        first_listed: when the first of them was seen there.
        trouble: what Azure did not answer, in words.
        has_foreign: whether a sample came that fits and that Defender does not list as new.
        quarantined: why messages that look like samples were not understood.
        unread: why the state could not be read at the last look.
        swept: when the router last ended a sweep of the hub.
    """

    began: datetime
    raised: datetime | None = None
    refused: str | None = None
    is_busy: bool = False
    listed: int | None = None
    dismissed: int = 0
    first_listed: datetime | None = None
    trouble: str | None = None
    alerts: tuple[DrilledAlert, ...] = ()
    has_foreign: bool = False
    quarantined: tuple[str, ...] = ()
    unread: str | None = None
    swept: datetime | None = None


def alert_of(life: SignalLife, entry: RecordEntry) -> DrilledAlert:
    """Return the alert of a drill on which a decision was made."""
    decided = decided_at(entry)
    enqueued = life.row.seen.arrival.enqueued if life.row is not None else None
    lives = {one.name: one for one in life.destinations}
    return DrilledAlert(
        id=entry.id or "",
        decided=decided,
        outcome=Outcome(entry.outcome),
        reason=entry.reason,
        rulebook=entry.rulebook,
        # Azure's clock may be ahead: what is decided was in the hub by then.
        enqueued=min(enqueued, decided) if enqueued is not None else None,
        holder=holder_words(entry.suppressed_by) if entry.suppressed_by is not None else None,
        deliveries={
            name: delivery_of(lives.get(name) or DestinationLife(name=name, lane=None), decided)
            for name in entry.destinations
        },
    )


def delivery_of(one: DestinationLife, decided: datetime) -> DrilledDelivery:
    """Return how far an alert came at a destination since it was decided.

    A group's notice counts if it came after the alert joined, and names the alert.
    """
    group = one.group
    of_group = [two for two in group.deliveries if _is_since(two, group, decided)] if group is not None else []
    latest = min([*one.deliveries, *of_group], key=lambda two: (_FURTHEST.index(two.state), two.turn), default=None)
    is_counted = (
        group is not None
        and (latest is None or latest in of_group)
        and (group.is_summary or group.waits_for_room or not group.is_named)
    )
    state = latest.state if latest is not None else None
    if latest is not None and state is DeliveryState.SENT and latest.settled is not None and not is_counted:
        receipt = latest.receipt
        reference = (receipt.reference or receipt.link) if receipt is not None else None
        return DrilledDelivery(DrillVerdict.PASSED, "took it", latest.settled, reference)
    error = f": {latest.error}" if latest is not None and latest.error else ""
    if state is DeliveryState.DEAD:
        return DrilledDelivery(DrillVerdict.FAILED, f"given up on{error}")
    if is_counted:
        return DrilledDelivery(DrillVerdict.NOT_PROVEN, "it was only told that there are more, and others were named")
    if one.held is not None:
        return DrilledDelivery(DrillVerdict.NOT_PROVEN, f"it is {one.held}")
    if one.unready is not None:
        return DrilledDelivery(DrillVerdict.FAILED, f"it cannot be asked: {one.unready}")
    if one.pause is not None:
        since = f"it is paused since {timestamp(one.pause.since)}: {one.pause.error}"
        return DrilledDelivery(DrillVerdict.FAILED, since)
    if state is DeliveryState.SKIPPED:
        return DrilledDelivery(DrillVerdict.NOT_PROVEN, "a later notice took its place before it was sent")
    return DrilledDelivery(DrillVerdict.FAILED, f"it did not take it in time{error}")


def _is_since(one: DeliveryStatus, group: GroupLife, decided: datetime) -> bool:
    is_late_enough = one.settled is None or one.settled >= decided
    return is_late_enough and (group.joined is None or one.turn >= group.joined)
