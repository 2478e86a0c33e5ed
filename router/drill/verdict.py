"""Judges a drill: it passed if each expected destination took a notice that names one of its alerts, and only then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from router.domain.decisions import Outcome
from router.domain.plurals import counted
from router.domain.timestamps import timestamp
from router.drill.evidence import DrilledAlert, DrilledDelivery, DrillEvidence, ExpectedDestination
from router.drill.results import DestinationVerdict, DrillHop, DrillJudgement, DrillVerdict, HopTime

KEPT_FROM_SAMPLES = "the rules keep samples from it"

_SWEPT = timedelta(minutes=5)
"""A router at work ends a sweep of each hub within this: it begins one every minute."""

_OF_A_HASH = 12


class HopStop(NamedTuple):
    """The hop before the destinations that nothing passed."""

    hop: DrillHop
    why: str
    verdict: DrillVerdict = DrillVerdict.FAILED


def judge_drill(
    expected: Sequence[ExpectedDestination], evidence: DrillEvidence, now: datetime, rulebook: str = ""
) -> DrillJudgement:
    """Return what is proved by now; `rulebook` is the hash of the rules by which destinations are expected."""
    hops = tuple(_hops_in(evidence))
    before = f"{sum(one.seconds for one in hops):.1f} s before it"
    stop = _find_stop(evidence, before, now)
    destinations = tuple(_judge_destination(one, evidence, stop) for one in expected)
    if not expected:
        why = "the rules lead no alert of this plan to any destination, so there is nothing to prove"
        return DrillJudgement(DrillVerdict.NOT_PROVEN, why, DrillHop.DECIDED, hops, ())
    if stop is not None:
        return DrillJudgement(stop.verdict, stop.why, stop.hop, hops, destinations)
    others = sorted({alert.rulebook for alert in evidence.alerts} - {rulebook, ""}) if rulebook else []
    misfit = (
        f"the router decided by other rules ({', '.join(one[:_OF_A_HASH] for one in others)}) than were read here "
        f"({rulebook[:_OF_A_HASH]}), so that whom a real alert would call is not known"
    )
    verdicts = {one.verdict for one in destinations}
    if verdicts == {DrillVerdict.PASSED}:
        if others:
            return DrillJudgement(DrillVerdict.NOT_PROVEN, misfit, DrillHop.DECIDED, hops, destinations)
        took = f"{counted(len(destinations), 'destination')} took it"
        return DrillJudgement(DrillVerdict.PASSED, took, None, hops, destinations)
    if evidence.unread is not None:
        why = f"the state could not be read at the end: {evidence.unread}"
        return DrillJudgement(DrillVerdict.NOT_PROVEN, why, DrillHop.DESTINATION, hops, destinations)
    verdict = DrillVerdict.FAILED if DrillVerdict.FAILED in verdicts else DrillVerdict.NOT_PROVEN
    words = "; ".join(f"{one.name}: {one.reason}" for one in destinations if one.verdict is verdict)
    why = f"{words}, {before}{f'; {misfit}' if others else ''}"
    return DrillJudgement(verdict, why, DrillHop.DESTINATION, hops, destinations)


def is_settled(judgement: DrillJudgement, expected: Sequence[ExpectedDestination]) -> bool:
    """Return whether more time changes nothing: an alert was decided, and each destination that samples reach took one."""
    if judgement.failed_hop is DrillHop.RAISED:
        return True
    unproved = {one.name for one in judgement.destinations if one.verdict is not DrillVerdict.PASSED}
    is_decided = any(one.hop is DrillHop.DECIDED for one in judgement.hops)
    return is_decided and unproved <= {one.name for one in expected if not one.takes_samples}


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
            yield HopTime(hop, at, _seconds(last, at))
            last = max(last, at)


def _find_stop(evidence: DrillEvidence, before: str, now: datetime) -> HopStop | None:
    """Return the hop before the destinations that nothing passed; None if an alert was decided and routed or held."""
    if evidence.refused is not None:
        verdict = DrillVerdict.NOT_PROVEN if evidence.is_busy else DrillVerdict.FAILED
        return HopStop(DrillHop.RAISED, f"nothing was raised: {evidence.refused}", verdict)
    if not evidence.alerts:
        if evidence.unread is not None:
            why = f"the state could not be read, so what came is not known: {evidence.unread}"
            return HopStop(DrillHop.DECIDED, why, DrillVerdict.NOT_PROVEN)
        return _stop_before_decision(evidence, before, now)
    if all(one.outcome is Outcome.BELOW_FLOOR for one in evidence.alerts):
        number = counted(len(evidence.alerts), "alert")
        return HopStop(DrillHop.DECIDED, f"{number} came, below the floor ({evidence.alerts[0].reason}), {before}")
    return None


def _stop_before_decision(evidence: DrillEvidence, before: str, now: datetime) -> HopStop:
    trouble = f" ({evidence.trouble})" if evidence.trouble is not None else ""
    if evidence.quarantined:
        return HopStop(DrillHop.DECIDED, f"what came was not understood: {evidence.quarantined[0]}, {before}")
    if evidence.has_foreign:
        why = f"a sample came that Defender does not list as new{trouble}; it may be another's, {before}"
        return HopStop(DrillHop.HUB, why, DrillVerdict.NOT_PROVEN)
    waited = f"{_seconds(evidence.began, now):.0f} s"
    if evidence.listed == 0:
        return HopStop(DrillHop.DEFENDER, f"Defender lists no new sample after {waited}{trouble}, {before}")
    if evidence.listed and evidence.dismissed == evidence.listed:
        why = f"Defender lists {evidence.listed}, and dismissed all: a suppression rule of its own held them; {before}"
        return HopStop(DrillHop.DEFENDER, why, DrillVerdict.NOT_PROVEN)
    listed = f"; Defender lists {evidence.listed}" if evidence.listed else ""
    if evidence.swept is not None and now - evidence.swept <= _SWEPT:
        why = "the router is at work, so the export did not bring them to the hub"
    else:
        last = f"since {timestamp(evidence.swept)}" if evidence.swept is not None else "ever"
        why = f"the router has ended no sweep of the hub {last}: it or the hub is not at work, or the export brought nothing"
    return HopStop(DrillHop.HUB, f"nothing came within {waited}{listed}; {why}; {before}")


def _judge_destination(one: ExpectedDestination, evidence: DrillEvidence, stop: HopStop | None) -> DestinationVerdict:
    routed = [(alert, alert.deliveries[one.name]) for alert in evidence.alerts if one.name in alert.deliveries]
    if routed:
        alert, found = min(routed, key=lambda pair: _gravity(*pair))
        if found.settled is None:
            return DestinationVerdict(one.name, one.lane.value, found.verdict, found.reason)
        seconds = _seconds(alert.decided, found.settled)
        return DestinationVerdict(
            one.name, one.lane.value, found.verdict, found.reason, seconds, found.receipt, alert.id
        )
    if not one.takes_samples:
        verdict, why = DrillVerdict.NOT_PROVEN, KEPT_FROM_SAMPLES
    elif holders := sorted({alert.holder for alert in evidence.alerts if alert.holder is not None}):
        verdict, why = DrillVerdict.NOT_PROVEN, f"{' and '.join(holders)} held what came"
    elif stop is not None:
        verdict, why = stop.verdict, f"nothing passed the hop {stop.hop}"
    else:
        kinds = "; ".join(sorted({f"{alert.outcome}, {alert.reason}" for alert in evidence.alerts}))
        verdict, why = DrillVerdict.NOT_PROVEN, f"no route takes what came there ({kinds})"
    return DestinationVerdict(one.name, one.lane.value, verdict, why)


def _gravity(alert: DrilledAlert, found: DrilledDelivery) -> tuple[int, datetime]:
    """Order what passed first before what failed, and that before what proves nothing."""
    order = (DrillVerdict.PASSED, DrillVerdict.FAILED, DrillVerdict.NOT_PROVEN)
    return order.index(found.verdict), found.settled or alert.decided


def _seconds(start: datetime, end: datetime) -> float:
    """Return the seconds between two instants; 0 if clocks that differ make it less."""
    return max(0.0, (end - start).total_seconds())
