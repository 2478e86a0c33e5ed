"""The lines that a drill prints: which destinations it calls, each hop as it comes, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from router.app.drill import DrillPlan
from router.cli.durations import written
from router.domain.plurals import counted
from router.domain.rulebook import Lane
from router.domain.signals import Stream
from router.drill.results import (
    DestinationVerdict,
    DrillHop,
    DrillResult,
    DrillVerdict,
    HopTime,
    OpenReceipt,
)
from router.drill.verdict import KEPT_FROM_SAMPLES

_DOES = {Lane.PAGE: "pages", Lane.TICKET: "opens a ticket at", Lane.ROWS: "writes rows to"}

_HOPS = {
    DrillHop.RAISED: "raised",
    DrillHop.DEFENDER: "listed by Defender",
    DrillHop.HUB: "in the hub",
    DrillHop.DECIDED: "decided",
}


def plan_lines(plan: DrillPlan, within: timedelta) -> Iterator[str]:
    """Return what is going to happen: which destinations are called, also those that the drill is not to prove."""
    subject = plan.subject
    yield f"drill: {subject.words}, followed for {written(within)} at most"
    if subject.is_real:
        yield "  REAL: these are real alerts, no samples: whom they page cannot see that it is a drill. Nothing is dismissed"
    for one in plan.called:
        more = "" if one in plan.expected else "; not to be proven"
        if (why := plan.facts.unready.get((Stream.CWPP.value, one.name))) is not None:
            more += f"; not yet: {why}, so that it takes nothing"
        where = f"{one.name} ({one.kind}, {one.lane} lane)"
        yield f"  {_DOES[one.lane]} {where}{more}" if one.takes_samples else f"  {where}: {KEPT_FROM_SAMPLES}{more}"
    if not plan.called:
        yield f"  the rules lead no alert of the plan {subject.plan} anywhere, so that nothing can be proven"


def hop_line(hop: HopTime) -> str:
    """Return the line of a hop that was passed."""
    return f"  {_HOPS[hop.hop]:<20}{hop.seconds:>8.1f} s"


def destination_line(one: DestinationVerdict) -> str:
    """Return the line of a destination with its verdict."""
    took = f"{one.seconds:>8.1f} s" if one.seconds is not None else f"{'-':>8}  "
    what = one.verdict.value if one.verdict is not DrillVerdict.PASSED else f"took it{_as(one.receipt)}"
    why = f": {one.reason}" if one.verdict is not DrillVerdict.PASSED else ""
    return f"  {one.name:<20}{took}  {what}{why}"


def result_lines(result: DrillResult) -> Iterator[str]:
    """Return how it ended, and what it left behind."""
    judgement = result.judgement
    yield f"{judgement.verdict}: {judgement.reason}"
    yield from map(destination_line, (one for one in judgement.destinations if one.verdict is not DrillVerdict.PASSED))
    if result.dismissed is not None:
        yield f"dismissed in Defender: {counted(result.dismissed, 'sample alert')}"
    if result.undismissed is not None:
        yield f"not dismissed: {result.undismissed}"
    if result.undecided:
        listed = counted(len(result.undecided), "sample alert")
        yield f"not decided by now: {listed} that Defender lists; whom they call is called later: {', '.join(result.undecided)}"
    if result.still_open is None:
        yield "still open: not known, as the state could not be read; alert-router explain shows it of each alert"
    if result.still_open:
        doubt = "whether Defender exports that a sample was dismissed is not confirmed, so "
        yield f"still open; {'' if result.subject.is_real else doubt}close what stays:"
        for one in result.still_open:
            yield f"  {one.destination} ({one.lane}): {_where(one)}: {one.title}"


def _where(one: OpenReceipt) -> str:
    where = " ".join(part for part in (one.receipt, one.link) if part) or "without a reference"
    if one.on_its_way:
        where = "on its way there"
    if one.others:
        where += f", which is about {counted(one.others, 'other signal')} as well and is not to be closed for the drill"
    return where


def _as(receipt: str | None) -> str:
    return f" as {receipt}" if receipt else ""
