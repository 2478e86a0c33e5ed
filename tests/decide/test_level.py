"""How grave a finding is: by its risk, by its severity, and where it is about coverage by the policy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from router.decide import decide, entry_for, explain, notice_for, with_coverage_level
from router.decide.preview import silence_matcher
from router.domain.catalogue import Catalogue
from router.domain.coverage import Rung
from router.domain.decisions import Decision, Outcome, StepCode
from router.domain.evidence import Evidence
from router.domain.hubs import Arrival
from router.domain.owners import NO_OWNERS
from router.domain.posture import Risk
from router.domain.recommendations import RECOMMENDATIONS, CoverageRecommendation
from router.domain.rule_fields import rule_fields_of, signal_of
from router.domain.rulebook import Route, Rulebook
from router.domain.severity import Severity
from router.domain.signals import Finding, Kind, Stream
from router.domain.silences import SilenceBounds, Silences
from router.ingest.messages import Message, MessageReader
from router.ingest.observations import Observation
from router.rulebook.clauses import clauses_for
from router.rulebook.when_form import WhenForm
from tests.builders import NOW, a_finding, a_route, a_rulebook, the_attack_table
from tests.coverage_messages import RETIRED_EDR, a_coverage_finding, coverage_body
from tests.silences import a_silence

SEVERITIES = st.none() | st.sampled_from([*(one.label for one in Severity), "odd", " low "])
RISKS = st.none() | st.fixed_dictionaries(
    {"level": st.sampled_from(["Low", "Critical", "None", "odd"]), "isContextualRisk": st.booleans()}
)
COUNTED = [one for one in RECOMMENDATIONS if not one.is_deprecated]


def a_when(name: str, *to: str, **when: Any) -> Route:
    """A route as a policy writes it."""
    clauses = clauses_for(WhenForm.model_validate(when), the_attack_table(), NO_OWNERS)
    return a_route(name, *to, when=clauses)


ROUTES = (
    a_when("soc", "soc-coverage", coverage=True),
    a_when("backlog", "tickets", at_least="High", coverage=False),
    a_when("quiet", severity=["Low", "Medium"]),
)


def a_book(*, severity: Severity = Severity.HIGH, **parts: Any) -> Rulebook:
    """Rules of the posture stream that give what is about coverage a severity."""
    return replace(a_rulebook(stream=Stream.CSPM, **parts), coverage_severity=severity)


def of(one: CoverageRecommendation, **said: Any) -> Finding:
    """A finding of a recommendation."""
    return a_coverage_finding(one.key or "f00d", title=one.title, **said)


def a_finding_of_our_own(rung: Rung = Rung.EXPORT) -> Finding:
    """What the router says of a source that is silent."""
    return replace(a_finding(), kind=Kind.COVERAGE, type=rung, severity=None, severity_written=None, rung=rung)


@given(st.sampled_from(COUNTED), SEVERITIES, RISKS, st.sampled_from(Severity), st.permutations(ROUTES))
def test_an_unhealthy_recommendation_on_coverage_is_high_and_told_whatever_it_says_itself(
    one: CoverageRecommendation,
    severity: str | None,
    risk: dict[str, Any] | None,
    floor: Severity,
    routes: tuple[Route, ...],
) -> None:
    """No severity, no risk, no floor and no order of routes keeps it from whom the policy names for it."""
    decision = decide(of(one, severity=severity, risk=risk), a_book(floor=floor, routes=routes), NOW)
    assert (decision.outcome, decision.routes, decision.people) == (Outcome.ROUTED, ("soc",), ("soc-coverage",))
    assert StepCode.FLOOR_COVERAGE in [step.code for step in decision.steps]


def test_a_finding_of_our_own_is_for_people_and_as_grave() -> None:
    """It is not a number that is only noted, though no route names its kind. What is deprecated is asked for its severity like
    any other: else every machine without the agent that is gone would be told."""
    finding, book = a_finding_of_our_own(), a_book(floor=Severity.CRITICAL, routes=ROUTES)
    decision = decide(finding, book, NOW)
    assert (decision.outcome, decision.routes) == (Outcome.ROUTED, ("soc",))
    assert decide(replace(finding, resolved=True, status="Healthy"), book, NOW).outcome is Outcome.RESOLVED
    for one in (one for one in RECOMMENDATIONS if one.is_deprecated):
        assert decide(of(one, severity="Low"), a_book(), NOW).outcome is Outcome.BELOW_FLOOR
        assert decide(of(one, severity="Medium"), a_book(), NOW).outcome is Outcome.ROUTED


@pytest.mark.parametrize("severity", Severity)
@pytest.mark.parametrize("finding", [a_coverage_finding(RETIRED_EDR), a_finding_of_our_own()], ids=["its", "ours"])
def test_the_severity_of_the_policy_is_the_one_that_everything_sees(finding: Finding, severity: Severity) -> None:
    """Routes, the record, notices and what silences refuse; what the message wrote stands beside it."""
    routes = tuple(a_when(one.label, "tickets", severity=one.label) for one in Severity)
    book = replace(a_book(severity=severity, routes=routes), silences=SilenceBounds(refuse=Severity.MEDIUM))
    seen = with_coverage_level(finding, book)
    decision = decide(finding, book, NOW)
    assert decision.routes == (severity.label,)
    assert (seen.level, seen.severity_written) == (severity, finding.severity_written)
    assert with_coverage_level(seen, book) is seen
    entry = entry_for(seen, decision, key="k", source="s", now=NOW)
    notice = notice_for(seen, Evidence(), decision, book, "key", 1)
    assert entry.severity == notice.severity == severity.label
    assert notice.severity_written == finding.severity_written
    answers = {step.question: step.answer for step in explain(finding, book, NOW).steps}
    assert [one.label for one in Severity if answers[f"route {one.label}?"].startswith("yes")] == [severity.label]
    silence = a_silence(stream="cspm")
    is_held = severity < Severity.MEDIUM
    held = decide(finding, book, NOW, Silences.from_list([silence]))
    assert (held.outcome is Outcome.SUPPRESSED, silence_matcher(silence, book).covers(finding)) == (is_held, is_held)


@given(
    st.sampled_from(COUNTED), SEVERITIES, RISKS, st.sampled_from(Severity), st.sampled_from(["Unhealthy", "Healthy"])
)
def test_whoever_decides_decides_the_same(
    one: CoverageRecommendation, severity: str | None, risk: dict[str, Any] | None, of_policy: Severity, status: str
) -> None:
    """A message that is read, the finding in it, and what is kept of it for rules that are asked later."""
    book = a_book(severity=of_policy, routes=ROUTES)
    body = coverage_body(one.key or "f00d", status, title=one.title, severity=severity, risk=risk)
    reader = MessageReader({Stream.CSPM: book}, Catalogue())
    (part,) = reader.read_message(Message(body, "s", Arrival("o", 1)))
    assert isinstance(part, Observation)
    found = of(one, status=status, severity=severity, risk=risk)
    kept = signal_of(rule_fields_of(found))
    decisions: list[Decision] = [decide(it, book, NOW) for it in (part.signal, found, kept)]
    assert decisions[0] == decisions[1] == decisions[2] == explain(found, book, NOW).decision
    assert part.state.severity is part.signal.level is of_policy


def test_an_explanation_says_why_no_floor_drops_it() -> None:
    """And how grave it is, by whose word."""
    low_risk = a_coverage_finding(severity="Low", risk={"level": "Low", "isContextualRisk": True})
    for finding, severity, said in (
        (a_coverage_finding(severity="Low"), Severity.HIGH, "High; the message says Low"),
        (a_coverage_finding(severity="High"), Severity.HIGH, "High"),
        (a_coverage_finding(severity="High"), Severity.LOW, "Low; the message says High"),
        (low_risk, Severity.HIGH, "High; the message says Low"),
        (a_finding_of_our_own(), Severity.HIGH, "High"),
    ):
        explanation = explain(finding, a_book(severity=severity), NOW)
        answers = {step.question: step.answer for step in explanation.steps}
        words = "no, it is about coverage, which is above every floor; the policy makes it"
        assert answers["below the floor?"] == f"{words} {said}"
        assert explanation.decision.steps[3].code is StepCode.FLOOR_COVERAGE


LEVELS = st.none() | st.sampled_from(Severity)
SOME_RISKS = st.none() | st.builds(Risk, level=LEVELS, written=st.none() | st.just("odd"), is_contextual=st.booleans())
LABELS = [severity.label for severity in Severity]


def graded(severity: Severity | None, risk: Risk | None = None) -> Finding:
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
    SOME_RISKS,
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
    finding, level = graded(severity, risk), level_by_hand(severity, risk)
    assert finding.level == level
    plain = graded(level)
    routes = [a_when("bound", "tickets", at_least=bound.label), a_when("labels", "tickets", severity=labels)]
    book = a_rulebook(stream=Stream.CSPM, floor=floor, routes=routes)
    decision, same = decide(finding, book, NOW), decide(plain, book, NOW)
    assert (decision.outcome, decision.routes, decision.steps) == (same.outcome, same.routes, same.steps)
    assert (decision.outcome is Outcome.BELOW_FLOOR) is (level is not None and level < floor)


BELOW = "is below Medium (default)"
AT_LEAST = "no, High risk is at least Medium"
RISK_COUNTS = "; the risk counts, and not the severity, which is"


def test_a_decision_says_which_of_the_two_it_was() -> None:
    """The reason names the risk where the risk counted, and the explanation the severity beside it."""
    low_risk, high_risk = contextual(Severity.LOW), contextual(Severity.HIGH)
    for finding, said, explained in (
        (graded(Severity.HIGH, low_risk), f"floor: Low risk {BELOW}", f"yes, Low risk {BELOW}{RISK_COUNTS} High"),
        (graded(Severity.LOW, Risk(level=Severity.HIGH)), f"floor: Low {BELOW}", f"yes, Low {BELOW}"),
        (graded(Severity.LOW, high_risk), None, f"{AT_LEAST}{RISK_COUNTS} Low"),
        (graded(None, high_risk), None, f"{AT_LEAST}{RISK_COUNTS} not known"),
        (graded(Severity.HIGH, high_risk), None, AT_LEAST),
        (graded(Severity.HIGH, contextual(None)), None, "no, High is at least Medium"),
        (graded(Severity.HIGH), None, "no, High is at least Medium"),
        (graded(None, contextual(None)), None, "no, it has no severity, which is above every floor"),
    ):
        explanation = explain(finding, a_rulebook(stream=Stream.CSPM), NOW)
        answers = {step.question: step.answer for step in explanation.steps}
        assert answers["below the floor?"] == explained
        assert said in (None, str(explanation.decision.reason))
        passed = StepCode.FLOOR_UNKNOWN if finding.level is None else StepCode.FLOOR_PASSED
        assert explanation.decision.steps[3].code is (StepCode.FLOOR_BELOW if said else passed)


@given(LEVELS, SOME_RISKS)
def test_a_notice_is_as_urgent_as_the_severity(severity: Severity | None, risk: Risk | None) -> None:
    """The risk stands beside it, and lifts no ticket's urgency."""
    finding, book = graded(severity, risk), a_rulebook(stream=Stream.CSPM)
    decision = decide(finding, book, NOW)
    notice = notice_for(finding, Evidence(), decision, book, "key", 1)
    assert notice.severity == (severity.label if severity is not None else "Medium" if decision.people else None)
    assert notice.risk == risk
