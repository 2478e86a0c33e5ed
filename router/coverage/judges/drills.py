"""Whether a message has come the whole way, from Defender to the destination: a drill shows it, and it grows old.

For each bundle of sample alerts the last drill counts. It proves nothing of any sensor: its alerts are about resources that
Defender makes up. https://learn.microsoft.com/azure/defender-for-cloud/alert-validation
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from router.coverage.facts import CoverageCase, age_words
from router.coverage.readers.router_records import DrillFact
from router.coverage.remedies import command_line
from router.coverage.verdicts import CoverageEvidence, CoverageState, Verdict, covered, gap, unknown
from router.domain.clocks import is_possible
from router.domain.coverage import Rung

LATELY = timedelta(days=30)
"""How long ago a drill may have passed: keys are rotated and rules are changed in the meantime."""

_BUNDLE = "VirtualMachines"
"""What is raised where no drill was yet."""

_FIRST = (CoverageState.GAP, CoverageState.COVERED, CoverageState.UNKNOWN)
"""What counts where drills came to different ends."""

_PASSED = "passed"
_NEVER = datetime.min.replace(tzinfo=UTC)


def judge_path(case: CoverageCase) -> Verdict | None:
    """Covered where the last drill of each bundle passed, and one of them lately enough."""
    drills = last_drills(case.about(DrillFact))
    if drills:
        return _together([_judged_drill(case, one) for one in drills])
    if Rung.PATH not in (case.expectation.rungs or ()):
        return None
    return unknown(
        "only a drill proves it, whose sample alerts are seen at the router and at every destination",
        remedy=_drill(case, "--bundle", _BUNDLE),
    )


def last_drills(drills: Iterable[DrillFact]) -> Sequence[DrillFact]:
    """The last drill of each bundle, cluster and machine; of two at one instant the one that did not pass."""
    found: dict[tuple[str, str], DrillFact] = {}
    for one in sorted(drills, key=lambda drill: (drill.ended or _NEVER, drill.verdict != _PASSED)):
        found[one.subject, one.about.lower()] = one
    return [found[key] for key in sorted(found)]


def _together(verdicts: Sequence[Verdict]) -> Verdict:
    """A gap where one is; else covered where a drill passed lately; the others are remarks."""
    by_state = {state: [one for one in verdicts if one.state is state] for state in _FIRST}
    counting = next(some for some in by_state.values() if some)
    others = [one.reason for one in verdicts if one not in counting]
    return Verdict(
        state=counting[0].state,
        reason="; ".join(one.reason for one in counting),
        evidence=tuple(shown for one in counting for shown in one.evidence),
        remedy="\n".join(dict.fromkeys(one.remedy for one in counting if one.remedy)) or None,
        remarks=(*others, *(remark for one in counting for remark in one.remarks)),
    )


def _judged_drill(case: CoverageCase, drill: DrillFact) -> Verdict:
    what, again, evidence = f"the drill of {drill.about}", _again(case, drill), (_shown(drill),)
    if drill.ended is None or not is_possible(drill.ended, case.now):
        return unknown(f"{what} does not say when it ended, or not rightly", *evidence, remedy=again)
    age = f"{age_words(drill.ended, case.now)} ago"
    if drill.verdict == "failed":
        return gap(
            f"{what} failed {age}: {drill.reason or 'nothing says where'}{_hops(drill)}", *evidence, remedy=again
        )
    if drill.verdict != _PASSED:
        reason = f"{what} proved nothing {age}: {drill.reason or 'nothing says why'}{_hops(drill)}"
        return unknown(reason, *evidence, remedy=again)
    if not _has_arrived(drill):
        reason = f"{what} says that it passed {age}, and not of every destination that it took anything{_hops(drill)}"
        return unknown(reason, *evidence, remedy=again)
    if case.now - drill.ended > LATELY:
        return unknown(f"{what} passed {age}, which is too long ago", *evidence, remedy=again)
    if any((one.verdict or "").lower() != "passed" for one in drill.destinations):
        return unknown(f"{what} passed {age}, and yet not every destination took it", *evidence, remedy=again)
    partly = f", without {', '.join(drill.left_out)}" if drill.left_out else ""
    return covered(f"{what} passed {age}{partly}{_hops(drill)}", *evidence, remarks=_destinations(drill))


def _has_arrived(drill: DrillFact) -> bool:
    """Whether it names destinations, of which each took a notice: a drill passes then, and only then."""
    verdicts = {(one.verdict or "").lower() for one in drill.destinations}
    return verdicts == {_PASSED} and drill.failed_hop is None


def _shown(drill: DrillFact) -> CoverageEvidence:
    return drill.source.shows("verdict", drill.verdict)


def _hops(drill: DrillFact) -> str:
    """How long each hop took, and the one that nothing came over."""
    said = [f"{hop.name} {hop.seconds:g} s" for hop in drill.hops if hop.seconds is not None]
    said += [f"nothing came over the hop {drill.failed_hop}"] if drill.failed_hop else []
    return f" ({', '.join(said)})" if said else ""


def _destinations(drill: DrillFact) -> tuple[str, ...]:
    named = ", ".join(f"{one.name} {one.verdict or 'unknown'}" for one in drill.destinations)
    return (f"destinations of the drill of {drill.about}: {named}",) if named else ()


def _again(case: CoverageCase, drill: DrillFact) -> str:
    """The same drill once more."""
    if drill.cluster:
        return _drill(case, "--cluster", drill.cluster)
    if drill.machine:
        return _drill(case, "--machine", drill.machine)
    return _drill(case, "--bundle", drill.exercise or _BUNDLE)


def _drill(case: CoverageCase, option: str, value: str) -> str:
    subscription = case.workload.subscription or case.workload.name
    return command_line("alert-router", "drill", "--subscription", subscription, option, value)
