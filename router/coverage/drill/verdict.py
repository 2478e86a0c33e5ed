"""Judges a drill: it passed if each expected destination took a notice that names one of its alerts, and only then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import replace
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from router.app.signal_life import DestinationLife, SignalLife
from router.coverage.drill.results import DestinationVerdict, DrillHop, DrillJudgement, DrillVerdict, HopTime
from router.domain.counts import decided_at
from router.domain.decisions import Outcome
from router.domain.deliveries import DeliveryState, DeliveryStatus
from router.domain.notices import RecordEntry
from router.domain.readable import counted, timestamp
from router.domain.rulebook import Lane
from router.domain.silences import holder_words
from router.domain.values import Value

KEPT_FROM_SAMPLES = "the rules keep samples from it"

_SWEPT = timedelta(minutes=5)
"""A router at work ends a sweep of each hub within this: it begins one every minute."""

_OF_A_HASH = 12
"""Characters of a hash that a sentence shows."""

_BUSY = (409, 429)
"""Answers after which the same may be done later."""

_FURTHEST = [DeliveryState[name] for name in ("SENT", "CLAIMED", "OWED", "DEAD", "SKIPPED")]
_GRAVEST = (DrillVerdict.PASSED, DrillVerdict.FAILED, DrillVerdict.NOT_PROVEN)
"""The verdict that counts if a destination has one on each of several alerts."""


class ExpectedDestination(NamedTuple):
    """A destination to which the rules lead alerts of a drill's plan; a route may keep samples away."""

    name: str
    lane: Lane
    kind: str
    takes_samples: bool = True


class NotDone(Exception):
    """Raised if Azure or a cluster did not do what it was asked; `status` is None if no answer came."""

    def __init__(self, why: str, status: int | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.status = status

    @property
    def is_certain(self) -> bool:
        """Whether it certainly was not done: Azure refused it, and had no trouble of its own."""
        return self.status is not None and self.status < 500


class ListedAlert(NamedTuple):
    """An alert as Defender lists it; an export has `name` as its id, and `is_over` if it was dismissed or resolved."""

    name: str
    path: str
    title: str
    component: str
    type: str
    is_sample: bool
    is_over: bool


class DrilledAlert(Value, kw_only=True):
    """An alert of a drill that was decided, with how far it came at each destination that the decision names.

    Attributes:
        rulebook: the hash of the rules that decided it.
        enqueued: when the hub got it; None if no row of the signal is kept.
    """

    id: str
    decided: datetime
    outcome: Outcome
    reason: str
    rulebook: str = ""
    enqueued: datetime | None = None
    holder: str | None = None
    destinations: Mapping[str, DestinationVerdict] = {}


@dataclass(slots=True, kw_only=True)
class DrillEvidence:
    """The evidence that a drill is judged by.

    Attributes:
        raised: when Defender took the order, or a person was asked to raise the alert.
        listed: its samples in Defender's list, by name; None if Defender raises none.
        has_foreign: whether a sample came that fits and that Defender does not list as new.
        quarantined: why messages that look like samples were not understood.
        unread: why the state could not be read at the last look.
    """

    began: datetime
    raised: datetime | None = None
    refused: NotDone | None = None
    listed: Mapping[str, ListedAlert] | None = None
    first_listed: datetime | None = None
    trouble: str | None = None
    alerts: Sequence[DrilledAlert] = ()
    has_foreign: bool = False
    quarantined: Sequence[str] = ()
    unread: str | None = None
    swept: datetime | None = None


class DrillEnd(NamedTuple):
    """The hop at which a drill ended that has not passed."""

    hop: DrillHop
    why: str
    verdict: DrillVerdict = DrillVerdict.FAILED


def judge_drill(
    expected: Sequence[ExpectedDestination], evidence: DrillEvidence, now: datetime, rulebook: str = ""
) -> DrillJudgement:
    """Return what is proved by now; `rulebook` is the hash of the rules by which destinations are expected."""
    hops = list(_hops_in(evidence))
    before = f"{sum(one.seconds or 0.0 for one in hops):.1f} s before it"
    stop = _find_stop(evidence, before, now)
    destinations = [_judge_destination(one, evidence, stop) for one in expected]
    if not expected:
        why = "the rules lead no alert of this plan to any destination, so there is nothing to prove"
        stop = DrillEnd(DrillHop.DECIDED, why, DrillVerdict.NOT_PROVEN)
    end = stop or _find_end(destinations, evidence, before, rulebook)
    if end is None:
        took = f"{counted(len(destinations), 'destination')} took it"
        return DrillJudgement(DrillVerdict.PASSED, took, None, hops, destinations)
    missed = [HopTime(end.hop)] if end.hop not in {one.hop for one in hops} else []
    return DrillJudgement(end.verdict, end.why, end.hop, [*hops, *missed], destinations)


def _find_end(
    destinations: Sequence[DestinationVerdict], evidence: DrillEvidence, before: str, rulebook: str
) -> DrillEnd | None:
    """Return why a drill whose alerts were decided has not passed; None if it has."""
    others = sorted({alert.rulebook for alert in evidence.alerts} - {rulebook, ""}) if rulebook else []
    misfit = (
        f"the router decided by other rules ({', '.join(one[:_OF_A_HASH] for one in others)}) than were read here "
        f"({rulebook[:_OF_A_HASH]}), so that whom a real alert would call is not known"
    )
    verdicts = {one.verdict for one in destinations}
    if verdicts == {DrillVerdict.PASSED}:
        return DrillEnd(DrillHop.DECIDED, misfit, DrillVerdict.NOT_PROVEN) if others else None
    if evidence.unread is not None:
        why = f"the state could not be read at the end: {evidence.unread}"
        return DrillEnd(DrillHop.DESTINATION, why, DrillVerdict.NOT_PROVEN)
    verdict = DrillVerdict.FAILED if DrillVerdict.FAILED in verdicts else DrillVerdict.NOT_PROVEN
    words = "; ".join(f"{one.name}: {one.reason}" for one in destinations if one.verdict is verdict)
    return DrillEnd(DrillHop.DESTINATION, f"{words}, {before}{f'; {misfit}' if others else ''}", verdict)


def is_settled(judgement: DrillJudgement, expected: Sequence[ExpectedDestination]) -> bool:
    """Return whether more time changes nothing: an alert was decided, and each destination that samples reach took one."""
    if judgement.failed_hop is DrillHop.RAISED:
        return True
    unproved = {one.name for one in judgement.destinations if one.verdict is not DrillVerdict.PASSED}
    is_decided = any(one.hop is DrillHop.DECIDED and one.at is not None for one in judgement.hops)
    return is_decided and unproved <= {one.name for one in expected if not one.takes_samples}


def drilled_alert(life: SignalLife, entry: RecordEntry) -> DrilledAlert:
    """Return the alert of a drill on which a decision was made."""
    decided, id = decided_at(entry), entry.id or ""
    enqueued = life.row.seen.arrival.enqueued if life.row is not None else None
    lives = {one.name: one for one in life.destinations}
    return DrilledAlert(
        id=id,
        decided=decided,
        outcome=Outcome(entry.outcome),
        reason=entry.reason,
        rulebook=entry.rulebook,
        # Azure's clock may be ahead, and a later message may have come: what is decided was in the hub by then.
        enqueued=min(enqueued, decided) if enqueued is not None else None,
        holder=holder_words(entry.suppressed_by) if entry.suppressed_by is not None else None,
        destinations={
            name: judge_life(lives.get(name) or DestinationLife(name=name, lane=None), id, decided)
            for name in entry.destinations
        },
    )


def judge_life(one: DestinationLife, id: str, decided: datetime) -> DestinationVerdict:
    """Return how far an alert came at a destination since it was decided.

    A group's notice counts if it came after the alert joined, and names the alert.
    """
    lane, of_group, is_unnamed = one.lane.value if one.lane is not None else "", list[DeliveryStatus](), False
    if (group := one.group) is not None:
        since = [two for two in group.deliveries if group.joined is None or two.turn >= group.joined]
        of_group = [two for two in since if two.settled is None or two.settled >= decided]
        is_unnamed = group.is_summary or group.waits_for_room or not group.is_named
    latest = min([*one.deliveries, *of_group], key=lambda two: (_FURTHEST.index(two.state), two.turn), default=None)
    is_counted = is_unnamed and (latest is None or latest in of_group)
    state, error = (latest.state, latest.error) if latest is not None else (None, None)
    if latest is not None and state is DeliveryState.SENT and latest.settled is not None and not is_counted:
        reference = (latest.receipt.reference or latest.receipt.link) if latest.receipt is not None else None
        seconds = _seconds(decided, latest.settled)
        return DestinationVerdict(one.name, lane, DrillVerdict.PASSED, seconds, reference, id, "took it")
    verdict, tail = DrillVerdict.FAILED, f": {error}" if error else ""
    if state is DeliveryState.DEAD:
        why = f"given up on{tail}"
    elif is_counted:
        verdict, why = DrillVerdict.NOT_PROVEN, "it was only told that there are more, and others were named"
    elif one.held is not None:
        verdict, why = DrillVerdict.NOT_PROVEN, f"it is {one.held}"
    elif one.unready is not None:
        why = f"it cannot be asked: {one.unready}"
    elif one.pause is not None:
        why = f"it is paused since {timestamp(one.pause.since)}: {one.pause.error}"
    elif state is DeliveryState.SKIPPED:
        verdict, why = DrillVerdict.NOT_PROVEN, "a later notice took its place before it was sent"
    else:
        why = f"it did not take it in time{tail}"
    return DestinationVerdict(one.name, lane, verdict, reason=why)


def _hops_in(evidence: DrillEvidence) -> Iterator[HopTime]:
    """Return the hops of the alert that the hub had first, each with the seconds since the one before."""
    last = evidence.began
    reached: list[tuple[DrillHop, datetime | None]] = [(DrillHop.RAISED, evidence.raised)]
    if evidence.alerts:
        first = min(evidence.alerts, key=lambda one: (one.enqueued or one.decided, one.decided))
        reached += [(DrillHop.HUB, first.enqueued), (DrillHop.DECIDED, first.decided)]
    else:
        reached += [(DrillHop.DEFENDER, evidence.first_listed)]
    for hop, at in reached:
        if at is not None:
            yield HopTime(hop, at.isoformat(), _seconds(last, at))
            last = max(last, at)


def _find_stop(evidence: DrillEvidence, before: str, now: datetime) -> DrillEnd | None:
    """Return the hop before the destinations that nothing passed; None if an alert was decided and routed or held."""
    alerts, trouble = evidence.alerts, f" ({evidence.trouble})" if evidence.trouble is not None else ""
    waited = f"{_seconds(evidence.began, now):.0f} s"
    if evidence.refused is not None:
        verdict = DrillVerdict.NOT_PROVEN if evidence.refused.status in _BUSY else DrillVerdict.FAILED
        return DrillEnd(DrillHop.RAISED, f"nothing was raised: {evidence.refused.why}", verdict)
    if alerts and any(one.outcome is not Outcome.BELOW_FLOOR for one in alerts):
        return None
    if alerts:
        came = f"{counted(len(alerts), 'alert')} came, below the floor ({alerts[0].reason}), {before}"
        return DrillEnd(DrillHop.DECIDED, came)
    if evidence.unread is not None:
        why = f"the state could not be read, so what came is not known: {evidence.unread}"
        return DrillEnd(DrillHop.DECIDED, why, DrillVerdict.NOT_PROVEN)
    if evidence.quarantined:
        return DrillEnd(DrillHop.DECIDED, f"what came was not understood: {evidence.quarantined[0]}, {before}")
    if evidence.has_foreign:
        why = f"a sample came that Defender does not list as new{trouble}; it may be another's, {before}"
        return DrillEnd(DrillHop.HUB, why, DrillVerdict.NOT_PROVEN)
    listed = evidence.listed
    if listed is not None and not listed:
        return DrillEnd(DrillHop.DEFENDER, f"Defender lists no new sample after {waited}{trouble}, {before}")
    if listed and all(one.is_over for one in listed.values()):
        why = f"Defender lists {len(listed)}, and dismissed all: a suppression rule of its own held them; {before}"
        return DrillEnd(DrillHop.DEFENDER, why, DrillVerdict.NOT_PROVEN)
    if evidence.swept is not None and now - evidence.swept <= _SWEPT:
        why = "the router is at work, so the export did not bring them to the hub"
    else:
        last = f"since {timestamp(evidence.swept)}" if evidence.swept is not None else "ever"
        why = f"the router has ended no sweep of the hub {last}: it or the hub is not at work, or the export brought nothing"
    has = f"; Defender lists {len(listed)}" if listed else ""
    return DrillEnd(DrillHop.HUB, f"nothing came within {waited}{has}; {why}; {before}")


def _judge_destination(one: ExpectedDestination, evidence: DrillEvidence, stop: DrillEnd | None) -> DestinationVerdict:
    if routed := [alert.destinations[one.name] for alert in evidence.alerts if one.name in alert.destinations]:
        best = min(routed, key=lambda found: (_GRAVEST.index(found.verdict), found.seconds or 0.0))
        return replace(best, lane=one.lane.value)
    verdict = DrillVerdict.NOT_PROVEN
    if not one.takes_samples:
        why = KEPT_FROM_SAMPLES
    elif holders := sorted({alert.holder for alert in evidence.alerts if alert.holder is not None}):
        why = f"{' and '.join(holders)} held what came"
    elif stop is not None:
        verdict, why = stop.verdict, f"nothing passed the hop {stop.hop}"
    else:
        kinds = "; ".join(sorted({f"{alert.outcome}, {alert.reason}" for alert in evidence.alerts}))
        why = f"no route takes what came there ({kinds})"
    return DestinationVerdict(one.name, one.lane.value, verdict, reason=why)


def _seconds(start: datetime, end: datetime) -> float:
    """Return the seconds between two instants, to the millisecond; 0 if clocks that differ make it less."""
    return round(max(0.0, (end - start).total_seconds()), 3)
