"""Judges a drill: passed where every expected destination took a notice that names one of its alerts, and only then.

| of an expected destination | verdict |
|---|---|
| it took a notice that names an alert of the drill | passed |
| rules keep such alerts from it; a rule, a silence or a hold held them | not proven |
| a limit, or a large group, only counted them; no route took there what came | not proven |
| the router goes by other rules than were read; it called somebody who was not named | not proven |
| a suppression rule of Defender's own dismissed all, so that none came | not proven |
| Azure is busy, so that nothing was raised; what came may be another's | not proven |
| nothing arrived, was understood or passed the floor; its delivery is dead, or did not come through in time | failed |

A drill failed where one of them did, and is not proven where one is not. Where its order was refused, or came to nothing, it
never passed: what came then was another's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from router.domain.decisions import Outcome
from router.domain.deliveries import DeliveryState
from router.domain.plurals import counted
from router.domain.timestamps import timestamp
from router.drill.evidence import DrilledAlert, DrilledDelivery, DrillEvidence
from router.drill.expected import DrillForecast, ExpectedDestination
from router.drill.results import DestinationVerdict, DrillHop, DrillJudgement, DrillVerdict, HopTime

_NOBODY = "the rules lead no alert of this plan to any destination, so there is nothing to prove"

_SWEPT = timedelta(minutes=5)
"""A router at work ends a sweep of each hub within this: it begins one every minute."""


class HopStop(NamedTuple):
    """Where everything stopped, before any destination.

    Attributes:
        hop: the hop that nothing came over.
        why: why, in words.
        verdict: what that makes of the drill.
    """

    hop: DrillHop
    why: str
    verdict: DrillVerdict = DrillVerdict.FAILED


def judge_drill(
    expected: Sequence[ExpectedDestination],
    evidence: DrillEvidence,
    now: datetime,
    forecast: DrillForecast | None = None,
) -> DrillJudgement:
    """What is proved by now; more may come as long as the drill lasts. `forecast` says by which rules anybody is expected."""
    hops = tuple(hops_in(evidence))
    gone = _seconds_to(hops)
    stop = _find_stop(evidence, gone, now)
    destinations = tuple(_judged(one, evidence, stop) for one in expected)
    if not expected:
        return DrillJudgement(DrillVerdict.NOT_PROVEN, _NOBODY, DrillHop.DECIDED, hops, ())
    misfit = _find_misfit(evidence, forecast) if forecast is not None else None
    is_raised = stop is None or stop.hop is not DrillHop.RAISED
    if is_raised and all(one.verdict is DrillVerdict.PASSED for one in destinations):
        if misfit is not None:
            return DrillJudgement(DrillVerdict.NOT_PROVEN, misfit, DrillHop.DECIDED, hops, destinations)
        took = counted(len(destinations), "destination")
        return DrillJudgement(DrillVerdict.PASSED, f"{took} took it", None, hops, destinations)
    if stop is not None:
        return DrillJudgement(stop.verdict, stop.why, stop.hop, hops, destinations)
    if evidence.unread is not None:
        why = f"the state could not be read at the end, so that nobody knows what came of it: {evidence.unread}"
        return DrillJudgement(DrillVerdict.NOT_PROVEN, why, DrillHop.DESTINATION, hops, destinations)
    has_failed = any(one.verdict is DrillVerdict.FAILED for one in destinations)
    verdict = DrillVerdict.FAILED if has_failed else DrillVerdict.NOT_PROVEN
    words = "; ".join(f"{one.name}: {one.reason}" for one in destinations if one.verdict is verdict)
    more = f"; {misfit}" if misfit is not None else ""
    return DrillJudgement(verdict, f"{words}, {_before(gone)}{more}", DrillHop.DESTINATION, hops, destinations)


def _find_misfit(evidence: DrillEvidence, forecast: DrillForecast) -> str | None:
    """Why the rules at work are not those by which destinations are expected, in words; None where nothing says so."""
    others = sorted({alert.rulebook for alert in evidence.alerts if alert.rulebook not in ("", forecast.rulebook)})
    if others:
        return (
            f"the router decided by other rules ({', '.join(one[:_OF_A_HASH] for one in others)}) than were read here "
            f"({forecast.rulebook[:_OF_A_HASH]}), so that whom a real alert would call is not known"
        )
    called = sorted({name for alert in evidence.alerts for name in alert.deliveries} - forecast.named)
    return f"{', '.join(called)} got it and was not named before" if called else None


_OF_A_HASH = 12
"""Digits of a hash that tell two apart for people."""


def is_settled(judgement: DrillJudgement, expected: Sequence[ExpectedDestination]) -> bool:
    """Whether waiting longer changes nothing: what could be proved is, and an alert came as far as its decision."""
    unproved = {one.name for one in judgement.destinations if one.verdict is not DrillVerdict.PASSED}
    is_decided = any(one.hop is DrillHop.DECIDED for one in judgement.hops)
    return is_decided and unproved <= {one.name for one in expected if not one.is_called}


def hops_in(evidence: DrillEvidence) -> Iterator[HopTime]:
    """The hops that the drill's alerts have come over so far, each with the seconds since the one before.

    They are those of the alert that was in the hub first, or where that is not known, was decided first.
    """
    last = evidence.began
    reached: list[tuple[DrillHop, datetime | None]] = [(DrillHop.RAISED, evidence.raised)]
    if evidence.alerts:
        first = min(evidence.alerts, key=lambda one: (one.enqueued or one.decided, one.decided))
        reached += [(DrillHop.HUB, first.enqueued), (DrillHop.DECIDED, first.decided)]
    else:
        reached += [(DrillHop.DEFENDER, evidence.first_listed)]
    for hop, at in reached:
        if at is not None:
            yield HopTime(hop, at, _seconds(last, at))
            last = max(last, at)


def _find_stop(evidence: DrillEvidence, gone: float, now: datetime) -> HopStop | None:
    """The hop before the destinations at which everything stopped, and why; None where something was decided to go on."""
    if evidence.is_busy:
        why = f"something else is under way there, so that nothing was raised: {evidence.refused}"
        return HopStop(DrillHop.RAISED, why, DrillVerdict.NOT_PROVEN)
    if evidence.refused is not None:
        return HopStop(DrillHop.RAISED, f"the alerts could not be raised: {evidence.refused}")
    if not evidence.alerts and evidence.unread is not None:
        why = f"the state could not be read, so that nobody knows what came: {evidence.unread}"
        return HopStop(DrillHop.DECIDED, why, DrillVerdict.NOT_PROVEN)
    if not evidence.alerts:
        return _stop_before_decision(evidence, gone, now)
    if all(one.outcome is Outcome.BELOW_FLOOR for one in evidence.alerts):
        number = counted(len(evidence.alerts), "alert")
        return HopStop(
            DrillHop.DECIDED, f"{number} came, below the floor ({evidence.alerts[0].reason}), {_before(gone)}"
        )
    return None


def _stop_before_decision(evidence: DrillEvidence, gone: float, now: datetime) -> HopStop:
    if evidence.quarantined:
        return HopStop(DrillHop.DECIDED, f"what came was not understood: {evidence.quarantined[0]}, {_before(gone)}")
    if evidence.doubts:
        why = f"what came may be another's: {'; '.join(evidence.doubts)}, {_before(gone)}"
        return HopStop(DrillHop.HUB, why, DrillVerdict.NOT_PROVEN)
    waited = f"{_seconds(evidence.began, now):.0f} s"
    doubt = f"; whether it took the order is not known ({evidence.doubted})" if evidence.doubted is not None else ""
    if evidence.listed == 0:
        return HopStop(DrillHop.DEFENDER, f"Defender lists none of them after {waited}{doubt}, {_before(gone)}")
    if evidence.listed and evidence.dismissed == evidence.listed:
        why = f"Defender lists {evidence.listed}, and dismissed all: a suppression rule of its own held them; {_before(gone)}"
        return HopStop(DrillHop.DEFENDER, why, DrillVerdict.NOT_PROVEN)
    if evidence.listed:
        known = f"Defender lists {evidence.listed}"
    elif evidence.unlisted is not None:
        known = f"whether Defender made them is not known ({evidence.unlisted}){doubt}"
    else:
        known = "whether Defender raised any is not known"
    if not evidence.is_whole:
        known += "; more was decided since than is looked at, so that they may be among it"
    if evidence.swept is not None and now - evidence.swept <= _SWEPT:
        why = "the router is at work, so the export did not bring them to the hub"
        return HopStop(DrillHop.HUB, f"nothing came within {waited}: {known}; {why}; {_before(gone)}")
    last = f"since {timestamp(evidence.swept)}" if evidence.swept is not None else "ever"
    why = f"the router has ended no sweep of the hub {last}: it, or the hub, is not at work, or the export brought nothing"
    return HopStop(DrillHop.HUB, f"nothing came within {waited}: {known}; {why}; {_before(gone)}")


def _judged(one: ExpectedDestination, evidence: DrillEvidence, stop: HopStop | None) -> DestinationVerdict:
    routed = [(alert, alert.deliveries[one.name]) for alert in evidence.alerts if one.name in alert.deliveries]
    proofs = [(alert, found) for alert, found in routed if found.is_proof]
    if proofs:
        alert, found = min(proofs, key=lambda pair: pair[1].settled or evidence.began)
        seconds = _seconds(alert.decided, found.settled or alert.decided)
        return DestinationVerdict(
            one.name, one.lane.value, DrillVerdict.PASSED, "took it", seconds, found.receipt, alert.id
        )
    verdict, why = _unproved(one, evidence, [found for _, found in routed], stop)
    return DestinationVerdict(one.name, one.lane.value, verdict, why)


def _unproved(
    one: ExpectedDestination,
    evidence: DrillEvidence,
    found: Sequence[DrilledDelivery],
    stop: HopStop | None,
) -> tuple[DrillVerdict, str]:
    """Why a destination has not proved itself."""
    if one.hindrance is not None:
        return DrillVerdict.NOT_PROVEN, one.hindrance
    if found:
        return _obstacle(found)
    if holders := sorted({alert.holder for alert in evidence.alerts if alert.holder is not None}):
        return DrillVerdict.NOT_PROVEN, f"{' and '.join(holders)} held what came"
    if stop is not None:
        return stop.verdict, f"nothing came over the hop {stop.hop}"
    return DrillVerdict.NOT_PROVEN, f"no route takes what came there ({_kinds_of(evidence.alerts)})"


def _obstacle(found: Sequence[DrilledDelivery]) -> tuple[DrillVerdict, str]:
    """What stands between a destination and what it is owed; a failure counts before what proves nothing."""
    said = [_obstacle_of(one) for one in found]
    return next((one for one in said if one[0] is DrillVerdict.FAILED), said[0])


def _obstacle_of(one: DrilledDelivery) -> tuple[DrillVerdict, str]:
    trouble = f": {one.error}" if one.error else ""
    if one.state is DeliveryState.DEAD:
        return DrillVerdict.FAILED, f"given up on{trouble}"
    if one.is_counted:
        return DrillVerdict.NOT_PROVEN, "it was only told that there are more, and others were named"
    if one.held is not None:
        return DrillVerdict.NOT_PROVEN, f"it is {one.held}"
    if one.unready is not None:
        return DrillVerdict.FAILED, f"it cannot be asked: {one.unready}"
    if one.paused is not None:
        return DrillVerdict.FAILED, f"it is paused {one.paused}"
    if one.state is DeliveryState.SKIPPED:
        return DrillVerdict.NOT_PROVEN, "a later notice took its place before it was sent"
    if one.state is None:
        return DrillVerdict.FAILED, "nothing is owed there yet"
    return DrillVerdict.FAILED, f"it did not take it in time{trouble}"


def _kinds_of(alerts: Sequence[DrilledAlert]) -> str:
    return "; ".join(sorted({f"{one.outcome}, {one.reason}" for one in alerts}))


def _before(gone: float) -> str:
    return f"{gone:.1f} s before it"


def _seconds_to(hops: Sequence[HopTime]) -> float:
    """The seconds that the hops took which were come over."""
    return sum(one.seconds for one in hops)


def _seconds(start: datetime, end: datetime) -> float:
    """Seconds between two instants; none where clocks that differ make it less."""
    return max(0.0, (end - start).total_seconds())
