"""What a drill says: whom it is going to call, each hop as it comes, and how it ended."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import timedelta

from router.app.drill import DrillPlan
from router.cli.durations import written
from router.domain.plurals import counted
from router.domain.rulebook import Lane
from router.domain.signals import Stream
from router.drill.results import (
    DestinationVerdict,
    DrillHop,
    DrillJudgement,
    DrillResult,
    DrillVerdict,
    HopTime,
    OpenReceipt,
)

_DOES = {Lane.PAGE: "pages", Lane.TICKET: "opens a ticket at", Lane.ROWS: "writes rows to"}

_HOPS = {
    DrillHop.RAISED: "raised",
    DrillHop.DEFENDER: "listed by Defender",
    DrillHop.HUB: "in the hub",
    DrillHop.DECIDED: "decided",
}


def forecast_lines(plan: DrillPlan, within: timedelta) -> Iterator[str]:
    """What is going to happen: who is called, also of those that the drill is not to prove."""
    subject, forecast, meant = plan.subject, plan.forecast, {one.name for one in plan.expected}
    yield f"drill: {subject.words}, followed for {written(within)} at most"
    if subject.is_real:
        yield "  REAL: these are real alerts, no samples: whom they page cannot see that it is a drill. Nothing is dismissed"
    for one in forecast.expected:
        more = "" if one.name in meant else "; not to be proven"
        if (why := plan.facts.unready.get((Stream.CWPP.value, one.name))) is not None:
            more += f"; not yet: {why}, so that it takes nothing"
        if one.hindrance is not None:
            yield f"  {one.name} ({one.kind}, {one.lane} lane): cannot be proven now: {one.hindrance}{more}"
        else:
            types = f"up to {counted(one.types, 'alert type')}"
            by = f", and by their own keys {' and '.join(one.owners)}" if one.owners else ""
            called = f"{_DOES[one.lane]} {one.name} ({one.kind}, {one.lane} lane){by}"
            yield f"  {called}: {types} of the plan {subject.plan} go there{more}"
    if forecast.unlikely:
        what = "if what comes is of a type, severity or resource that nobody knows beforehand"
        yield f"  may be called as well, {what}: {', '.join(forecast.unlikely)}"
    if not forecast.expected:
        yield f"  the rules lead no alert of the plan {subject.plan} anywhere, so that nothing can be proven"


class DrillProgress:
    """Says each hop, and each destination, once it is known."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._said: set[str] = set()

    def show(self, judgement: DrillJudgement) -> None:
        """Says what is new."""
        for hop in judgement.hops:
            self._once(hop.hop, hop_line(hop))
        for one in judgement.destinations:
            if one.verdict is DrillVerdict.PASSED:
                self._once(f"to {one.name}", destination_line(one))

    def _once(self, key: str, line: str) -> None:
        if key not in self._said:
            self._said.add(key)
            self._say(line)
            sys.stdout.flush()


def hop_line(hop: HopTime) -> str:
    """A hop that was come over."""
    return f"  {_HOPS[hop.hop]:<20}{hop.seconds:>8.1f} s"


def destination_line(one: DestinationVerdict) -> str:
    """A destination, and how it is judged."""
    took = f"{one.seconds:>8.1f} s" if one.seconds is not None else f"{'-':>8}  "
    what = one.verdict.value if one.verdict is not DrillVerdict.PASSED else f"took it{_as(one.receipt)}"
    why = f": {one.reason}" if one.verdict is not DrillVerdict.PASSED else ""
    return f"  {one.name:<20}{took}  {what}{why}"


def result_lines(result: DrillResult) -> Iterator[str]:
    """How it ended, and what is left."""
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
    if one.is_on_its_way:
        where = "on its way there"
    if one.others:
        where += f", which is about {counted(one.others, 'other signal')} as well and is not to be closed for the drill"
    return where


def _as(receipt: str | None) -> str:
    return f" as {receipt}" if receipt else ""
