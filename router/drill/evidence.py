"""What is known of a drill's alerts at an instant: what was raised, what came in, what was decided, and who took it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from router.domain.decisions import Outcome
from router.domain.deliveries import DeliveryState


@dataclass(frozen=True, slots=True, kw_only=True)
class DrilledDelivery:
    """What became of one alert of a drill at one destination.

    Attributes:
        state: where its delivery stands; None where nothing is owed there yet, or nothing is kept.
        settled: when something last became of it.
        receipt: the vendor's reference for it; None where the destination took it and gave none, or did not take it.
        error: its last trouble.
        is_counted: whether a limit kept the alert from being named: the destination was told only that there are more.
        held: by whom, until when and why the destination is held; None where nobody holds it.
        paused: since when and why the destination is paused; None where it takes our credentials.
        unready: what the destination lacks to be asked.
    """

    state: DeliveryState | None = None
    settled: datetime | None = None
    receipt: str | None = None
    error: str | None = None
    is_counted: bool = False
    held: str | None = None
    paused: str | None = None
    unready: str | None = None

    @property
    def is_proof(self) -> bool:
        """Whether the destination took a notice that names the alert."""
        return self.state is DeliveryState.SENT and self.settled is not None and not self.is_counted


@dataclass(frozen=True, slots=True, kw_only=True)
class DrilledAlert:
    """One alert of a drill that was decided.

    Attributes:
        key: the key of its signal.
        id: Defender's id of it.
        title: its title.
        enqueued: when the hub got it; None where it came in by another way, or that is not known.
        decided: when it was decided first.
        outcome: the outcome of that.
        reason: why, as the record has it.
        rulebook: the hash of the rules that decided it; empty where that is not known.
        holder: the rule or silence that holds it, in words.
        deliveries: what became of it at each destination that the decision names.
    """

    key: str
    id: str
    title: str
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
        began: when it began.
        raised: when Defender took the order, or a person was asked to raise the alert; None where that was refused.
        refused: why the alerts could not be raised; None where they could.
        is_busy: whether they could not because something else is under way there.
        doubted: why nobody knows whether Defender took the order; None where it is known.
        listed: how many of the drill's alerts Defender lists; None where nobody could ask.
        dismissed: how many of those somebody else dismissed: a suppression rule of Defender's own, as a rule.
        first_listed: when the drill first saw one of them there.
        unlisted: why Defender's list could not be had; None where it could, or nobody asked.
        alerts: those that were decided, in the order in which they were.
        doubts: why what came and fits is not counted as one of them.
        quarantined: why messages that look like the drill's were not understood.
        is_whole: whether all that was decided since was looked at; an account is read back only so far.
        unread: why the state could not be read at the last look; None where it could.
        swept: when the router last ended a sweep of the hub; None where it never did, or nobody can say.
    """

    began: datetime
    raised: datetime | None = None
    refused: str | None = None
    is_busy: bool = False
    doubted: str | None = None
    listed: int | None = None
    dismissed: int = 0
    first_listed: datetime | None = None
    unlisted: str | None = None
    alerts: tuple[DrilledAlert, ...] = ()
    doubts: tuple[str, ...] = ()
    quarantined: tuple[str, ...] = ()
    is_whole: bool = True
    unread: str | None = None
    swept: datetime | None = None
