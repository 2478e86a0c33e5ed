"""How grave a finding is: by its risk where that was found out for its very resource, else by its severity."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from router.decide import decide, explain, notice_for
from router.destinations import discover
from router.domain.decisions import Outcome, StepCode
from router.domain.evidence import Evidence
from router.domain.posture import Risk
from router.domain.rulebook import Lane
from router.domain.severity import Severity
from router.domain.signals import Finding, Stream
from router.rulebook import load
from tests.builders import NOW, a_finding, a_rulebook
from tests.decide.test_coverage_level import a_when
from tests.rulebook.builders import a_policy, rules_in

LEVELS = st.none() | st.sampled_from(Severity)
RISKS = st.none() | st.builds(Risk, level=LEVELS, written=st.none() | st.just("odd"), is_contextual=st.booleans())
LABELS = [severity.label for severity in Severity]


def of(severity: Severity | None, risk: Risk | None = None) -> Finding:
    """A finding of a severity and a risk."""
    written = severity.label if severity is not None else None
    return replace(a_finding(), severity=severity, severity_written=written, risk=risk)


def contextual(level: Severity | None) -> Risk:
    """A risk that was found out for the resource."""
    return Risk(level=level, is_contextual=True)


def level_by_hand(severity: Severity | None, risk: Risk | None) -> Severity | None:
    """What the level should be, spelled out."""
    if risk is None or not risk.is_contextual:
        return severity
    counts = (Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)
    return risk.level if risk.level in counts else severity


@given(
    LEVELS,
    RISKS,
    st.sampled_from(Severity),
    st.sampled_from(Severity),
    st.lists(st.sampled_from([*LABELS, "unknown"]), min_size=1),
)
@example(Severity.CRITICAL, contextual(Severity.INFORMATIONAL), Severity.LOW, Severity.HIGH, ["Critical"])
@example(Severity.LOW, contextual(Severity.CRITICAL), Severity.LOW, Severity.HIGH, ["Critical"])
def test_floor_and_routes_look_at_one_level(
    severity: Severity | None, risk: Risk | None, floor: Severity, bound: Severity, labels: list[str]
) -> None:
    """The floor, `at_least` and `severity` say of a finding what they would say of one whose severity is that level."""
    finding, level = of(severity, risk), level_by_hand(severity, risk)
    assert finding.level == level
    plain = of(level)
    routes = [a_when("bound", "tickets", at_least=bound.label), a_when("labels", "tickets", severity=labels)]
    book = a_rulebook(stream=Stream.CSPM, floor=floor, routes=routes)
    decision, same = decide(finding, book, NOW), decide(plain, book, NOW)
    assert (decision.outcome, decision.routes, decision.steps) == (same.outcome, same.routes, same.steps)
    assert (decision.outcome is Outcome.BELOW_FLOOR) is (level is not None and level < floor)


@given(LEVELS, RISKS, st.lists(st.sampled_from(["Low", "Medium", "Informational"]), min_size=1))
def test_a_quiet_route_never_takes_a_grave_or_unknown_level(
    severity: Severity | None, risk: Risk | None, labels: list[str]
) -> None:
    """Whatever else such a route asks, nothing High, Critical or unknown is kept quiet by it."""
    finding = of(severity, risk)
    book = a_rulebook(stream=Stream.CSPM, floor=Severity.INFORMATIONAL, routes=[a_when("quiet", severity=labels)])
    if "quiet" in decide(finding, book, NOW).routes:
        assert finding.level in (Severity.LOW, Severity.MEDIUM, Severity.INFORMATIONAL)


BELOW = "is below Medium (default)"
AT_LEAST = "no, High risk is at least Medium"
RISK_COUNTS = "; the risk counts, and not the severity, which is"


def test_a_decision_says_which_of_the_two_it_was() -> None:
    """The reason names the risk where the risk counted, and the explanation the severity beside it."""
    low_risk, high_risk = contextual(Severity.LOW), contextual(Severity.HIGH)
    for finding, said, explained in (
        (of(Severity.HIGH, low_risk), f"floor: Low risk {BELOW}", f"yes, Low risk {BELOW}{RISK_COUNTS} High"),
        (of(Severity.LOW, Risk(level=Severity.HIGH)), f"floor: Low {BELOW}", f"yes, Low {BELOW}"),
        (of(Severity.LOW, high_risk), None, f"{AT_LEAST}{RISK_COUNTS} Low"),
        (of(None, high_risk), None, f"{AT_LEAST}{RISK_COUNTS} not known"),
        (of(Severity.HIGH, high_risk), None, AT_LEAST),
        (of(Severity.HIGH, contextual(None)), None, "no, High is at least Medium"),
        (of(Severity.HIGH), None, "no, High is at least Medium"),
        (of(None, contextual(None)), None, "no, it has no severity, which is above every floor"),
    ):
        explanation = explain(finding, a_rulebook(stream=Stream.CSPM), NOW)
        answers = {step.question: step.answer for step in explanation.steps}
        assert answers["below the floor?"] == explained
        assert said in (None, str(explanation.decision.reason))
        passed = StepCode.FLOOR_UNKNOWN if finding.level is None else StepCode.FLOOR_PASSED
        assert explanation.decision.steps[3].code is (StepCode.FLOOR_BELOW if said else passed)


@given(LEVELS, RISKS)
def test_a_notice_is_as_urgent_as_the_severity(severity: Severity | None, risk: Risk | None) -> None:
    """The risk stands beside it, and lifts no ticket's urgency."""
    finding, book = of(severity, risk), a_rulebook(stream=Stream.CSPM)
    decision = decide(finding, book, NOW)
    notice = notice_for(finding, Evidence(), decision, book, "key", 1)
    assert notice.severity == (severity.label if severity is not None else "Medium" if decision.people else None)
    assert notice.risk == risk


def test_no_policy_of_findings_has_a_destination_that_pages(tmp_path: Path) -> None:
    """So no risk pages anybody, whatever it lifts over whatever a route asks."""
    pagers = [name for name, kind in discover().items() if kind.lane is Lane.PAGE]
    assert pagers
    for kind in pagers:
        policy = a_policy("cspm", destinations={"oncall": {"kind": kind}}, otherwise=["oncall"])
        result = load(rules_in(tmp_path, {"cspm/policy.yaml": policy}, "cspm"), Stream.CSPM, discover(), NOW)
        assert result.rulebook is None
        assert any("posture pages nobody" in problem.message for problem in result.problems)
