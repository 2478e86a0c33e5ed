"""What becomes of a signal, and why: each step that was asked, with its answer; and how grave it is, by whose word."""

from copy import replace
from datetime import timedelta
from itertools import permutations, product
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from router.decide import decide, entry_for, notice_for, quarantined, with_coverage_level
from router.decide.explanation import explain
from router.decide.preview import silence_matcher
from router.domain.catalogue import Attack, Catalogue
from router.domain.coverage import Rung
from router.domain.decisions import Change, Code, Decision, DecisionStep, Outcome, Reason, StepCode, written_steps
from router.domain.evidence import Evidence
from router.domain.hubs import Arrival
from router.domain.owners import NO_OWNERS
from router.domain.posture import Risk
from router.domain.recommendations import RECOMMENDATIONS, CoverageRecommendation
from router.domain.rule_fields import rule_fields_of, signal_of
from router.domain.rulebook import Clause, Route, Rulebook
from router.domain.severity import Severity
from router.domain.signals import Finding, Kind, Quarantined, Signal, Stream
from router.domain.silences import SilenceBounds, Silences
from router.ingest.messages import Message, MessageReader
from router.ingest.observations import Observation
from router.parse import read_signals
from router.rulebook.clauses import clauses_for
from router.rulebook.when_form import WhenForm
from tests.builders import NOW, a_finding, a_route, a_rule, a_rulebook, an_alert, an_ip, the_attack_table
from tests.constructed.posture import a_compliance_category
from tests.constructed.weeks import row_of
from tests.coverage_messages import RETIRED_EDR, a_coverage_finding, coverage_body
from tests.parse.messages import read_finding
from tests.silences import a_silence


def at_least_high(signal: Signal, _: Attack) -> bool:
    return signal.severity is None or signal.severity >= Severity.HIGH


HIGH = Clause("at_least", "High", at_least_high)


def test_a_rule_holds_until_but_not_including_its_last_instant() -> None:
    """The expiry is checked against `now` at every decision."""
    alert, book = an_alert(Entities=[an_ip("10.20.0.5")]), a_rulebook(a_rule(expires=NOW))
    before, at = (decide(alert, book, now) for now in (NOW - timedelta(microseconds=1), NOW))
    assert (before.outcome, before.suppressed_by, before.suppressed_until) == (Outcome.SUPPRESSED, "scanner", NOW)
    assert (at.outcome, at.suppressed_by) == (Outcome.ROUTED, None)


def test_every_route_that_matches_adds_its_destinations_whatever_their_order() -> None:
    """Routes add up, and `always` comes on top. Routing is total: what no route matches goes where `otherwise` says."""
    page, tickets, hour = a_route("page", "oncall", when=[HIGH]), a_route("tickets", "tickets"), timedelta(hours=1)
    both, quiet = a_route("both", "oncall", "tickets", when=[HIGH], respond_within=hour), a_route("quiet")
    names = ("both", "page", "quiet", "tickets")
    for routes in permutations((page, tickets, both, quiet)):
        decision = decide(an_alert(Severity="High"), a_rulebook(routes=routes), NOW)
        assert (str(decision.reason), decision.routes) == (f"routes: {', '.join(names)}", names)
        assert (decision.destinations, decision.respond_by) == (("oncall", "sentinel", "tickets"), NOW + hour)
    decision = decide(an_alert(Severity="Medium"), a_rulebook(routes=[page]), NOW)
    assert (decision.reason, decision.notice) == ((Code.OTHERWISE, ""), Change.OPENED)
    assert decision.destinations == ("sentinel", "tickets")


def test_the_most_pressing_route_says_by_when_people_should_answer() -> None:
    """Counted from the decision; where no route that matches says how soon, nothing does. Of what a quiet route takes,
    `to: []`, nobody but `always` is told, and nobody has to answer."""
    day = a_route("tickets", "tickets", respond_within=timedelta(days=1))
    page = a_route("page", "oncall", when=[HIGH], respond_within=timedelta(minutes=30))
    book = a_rulebook(routes=[day, page, a_route("more", "tickets")])
    high, medium = (decide(an_alert(Severity=level), book, NOW) for level in ("High", "Medium"))
    assert (high.respond_by, medium.respond_by) == (NOW + timedelta(minutes=30), NOW + timedelta(days=1))
    assert decide(an_alert(), a_rulebook(routes=[a_route("more", "tickets")]), NOW).respond_by is None
    assert decide(an_alert(Severity="Medium"), a_rulebook(routes=[page]), NOW).respond_by is None
    quiet = a_route("quiet", respond_within=timedelta(hours=1))
    decision = decide(an_alert(), a_rulebook(routes=[quiet]), NOW)
    assert (decision.outcome, decision.routes) == (Outcome.ROUTED, ("quiet",))
    assert (decision.destinations, decision.notice, decision.respond_by) == (("sentinel",), None, None)


EXEMPT = [
    ({"cause": "Exempt"}, "exempt: exempt, not fixed"),
    ({"cause": "exempt ", "description": "Accepted until May"}, "exempt: exempt, not fixed: Accepted until May"),
    (
        {"cause": "EXEMPT", "exemptionCategory": "Waiver", "description": "Yes"},
        "exempt: exempt, not fixed: Waiver, Yes",
    ),
    ({"cause": "OffByPolicy", "description": "x"}, "status: NotApplicable"),
]


def test_an_exempted_finding_is_exempt_and_not_fixed() -> None:
    """What the message says of the exemption is the reason. The action is looked at first: a Delete may still say Unhealthy."""
    book = a_rulebook(stream=Stream.CSPM)
    for kind, (status, reason) in product(("recommendation", "vulnerability"), EXEMPT):
        (finding,) = read_signals(row_of("h", kind, status={"code": "NotApplicable", **status}), Catalogue())
        assert isinstance(finding, Finding)
        decision = decide(finding, book, NOW)
        assert (decision.outcome, str(decision.reason)) == (Outcome.RESOLVED, reason)
        notice = notice_for(finding, Evidence(), decision, book, "k", 2)
        assert notice.closing == (reason.partition(": ")[2] if reason.startswith("exempt") else None)
    body = row_of("h", action="Delete", status={"code": "NotApplicable", "cause": "Exempt"})
    (finding,) = read_signals(body, Catalogue())
    assert isinstance(finding, Finding)
    assert str(decide(finding, book, NOW).reason) == "status: action Delete"
    book = a_rulebook(stream=Stream.CSPM)
    decision = decide(a_finding(status="Unhealthy", action="Delete"), book, NOW)
    assert (decision.outcome, str(decision.reason)) == (Outcome.RESOLVED, "status: action Delete")


def test_tactics_come_from_the_message_and_revoked_techniques_are_succeeded() -> None:
    """An alert is mapped to ATT&CK whatever becomes of it."""
    alert = an_alert(Intent="Persistence, CredentialAccess", Techniques=["T1562.001"], Severity="Low")
    decision = decide(alert, a_rulebook(floor=Severity.HIGH), NOW)
    assert set(decision.tactics) >= {"TA0003", "TA0006"}
    assert decision.techniques == ("T1685",)


def test_compliance_of_an_overlapping_scope_is_noted_whatever_routes_ask_for() -> None:
    """What a wider scope says has been told by the narrower ones; nothing of it is lost, and nobody hears it twice."""
    asking = a_rulebook(stream=Stream.CSPM, routes=[a_route("audit", "tickets", kinds=["compliance"])])
    routed = {"Subscription": Outcome.ROUTED, "MultiCloudAggregation": Outcome.ROUTED, "ManagementGroup": Outcome.NOTED}
    for scope, outcome in routed.items():
        finding = read_finding(a_compliance_category(scope=scope))
        assert decide(finding, asking, NOW).outcome is outcome
        assert decide(finding, a_rulebook(stream=Stream.CSPM), NOW).outcome is Outcome.NOTED


SETTLED_BY = {
    StepCode.RESOLVED_YES: (Outcome.RESOLVED, Code.STATUS),
    StepCode.NOTED_YES: (Outcome.NOTED, Code.KIND),
    StepCode.FLOOR_BELOW: (Outcome.BELOW_FLOOR, Code.FLOOR),
    StepCode.SUPPRESSION_HELD: (Outcome.SUPPRESSED, Code.RULE),
    StepCode.ROUTE_MATCHED: (Outcome.ROUTED, Code.ROUTES),
    StepCode.ROUTE_OTHERWISE: (Outcome.ROUTED, Code.OTHERWISE),
}
"""What each step of `decide` that settles a signal makes of it, and why."""

NOTIFIES = {
    Outcome.RESOLVED: (Change.RESOLVED, ("sentinel",)),
    Outcome.NOTED: (None, ("sentinel",)),
    Outcome.ROUTED: (Change.OPENED, ("sentinel", "tickets")),
}
"""Of what a signal notifies whom, beside a row for `always`: a resolution is told whatever floors and rules say."""


def steps_of(signal: Signal, book: Rulebook) -> tuple[str, ...]:
    """The steps of a decision, as they are written."""
    return written_steps(decide(signal, book, NOW).steps)


def test_a_routed_signal_was_asked_everything() -> None:
    """In the order in which it was settled, with every route that matched, and in posture too. What is not known passes
    every floor: in doubt the router is loud. No step follows the one that settles."""
    book = a_rulebook(a_rule(), routes=[a_route("soc", "oncall"), a_route("backlog", "tickets")])
    asked = ("resolved.no", "noted.no", "floor.passed", "suppression.none")
    assert steps_of(an_alert(), book) == ("attack.known", *asked, "route.matched=backlog", "route.matched=soc")
    of_posture = steps_of(a_finding(), a_rulebook(stream=Stream.CSPM, routes=[]))
    assert of_posture == ("attack.unknown", *asked, "route.otherwise")
    for severity in ("odd", None, "", 7):
        assert "floor.unknown" in steps_of(an_alert(Severity=severity), a_rulebook())
    held = decide(an_alert(Entities=[an_ip("10.20.0.5")]), a_rulebook(a_rule("maintenance")), NOW)
    assert str(held.steps[-1]) == "suppression.held=maintenance"
    assert [step.rule for step in held.steps[:-1]] == [None] * 4
    what = Quarantined(reason=Reason(Code.NOT_JSON), body=b"{")
    assert quarantined(what, None).steps == (DecisionStep(StepCode.NOT_UNDERSTOOD),)
    entry = entry_for(what, quarantined(what, None), key="k", source="s", now=NOW)
    assert (entry.signal, entry.turn, entry.steps) == (None, None, ("message.not_understood",))


QUESTIONS = {
    "resolved": ("resolved?", Outcome.RESOLVED),
    "noted": ("only noted?", Outcome.NOTED),
    "floor": ("below the floor?", Outcome.BELOW_FLOOR),
    "suppression": ("held by scanner?", Outcome.SUPPRESSED),
    "route": ("route tickets?", Outcome.ROUTED),
}
"""What is asked by the steps of one beginning, and what a signal becomes where it is the first that is answered yes."""

SETTLES = dict(QUESTIONS.values())
YES = frozenset(SETTLED_BY) - {StepCode.ROUTE_OTHERWISE}
"""The steps that say yes to their question."""


def test_the_first_question_that_is_answered_yes_is_the_one_that_decides() -> None:
    """Whatever else is true of a signal: the steps stand in the order that `decide` goes through. ATT&CK settles nothing, so it
    is explained where it is first needed."""
    book = a_rulebook(a_rule(), routes=[a_route("tickets", "tickets")])
    for resolved, noted, low, held in product((False, True), repeat=4):
        signal = replace(
            an_alert(Entities=[an_ip("10.20.0.5" if held else "10.20.0.6")]),
            resolved=resolved,
            kind=Kind.SECURE_SCORE if noted else Kind.ALERT,
            severity=Severity.LOW if low else Severity.HIGH,
        )
        explanation = explain(signal, book, NOW)
        answers = {step.question: step.answer for step in explanation.steps if step.question in SETTLES}
        assert list(answers) == list(SETTLES)
        is_yes = {question: answer.startswith("yes") for question, answer in answers.items()}
        assert list(is_yes.values()) == [resolved, noted, low, held, True]
        first = next(question for question in is_yes if is_yes[question])
        assert explanation.decision.outcome is SETTLES[first]
        # The steps of the decision are the questions up to that one, with the same answers.
        attack, *steps = explanation.decision.steps
        assert attack.code is StepCode.ATTACK_KNOWN
        asked = {QUESTIONS[step.code.partition(".")[0]][0]: step.code in YES for step in steps}
        assert list(asked.items()) == list(is_yes.items())[: len(steps)]
        assert list(asked)[-1] == first
        # What the last step names is what the decision names.
        decision = explanation.decision
        assert (decision.outcome, decision.reason.code) == SETTLED_BY[steps[-1].code]
        assert (decision.notice, decision.destinations) == NOTIFIES.get(decision.outcome, (None, ()))
        assert {step.code for step in steps} & SETTLED_BY.keys() == {steps[-1].code}
        assert steps[-1].rule == (decision.suppressed_by or next(iter(decision.routes), None))
    questions = [step.question for step in explain(an_alert(), a_rulebook(a_rule()), NOW).steps]
    assert questions.index("held by scanner?") < questions.index("ATT&CK?") < questions.index("route tickets?")


def test_a_rule_that_holds_by_a_range_says_which_one() -> None:
    """Of several ranges the narrowest is named, and an address that is named itself is held by no range."""
    book = a_rulebook(a_rule(ip=["10.0.0.0/8", "10.20.0.0/16", "192.0.2.1"]))

    def said(*addresses: str) -> str:
        steps = explain(an_alert(Entities=list(map(an_ip, addresses))), book, NOW).steps
        return next(step.answer for step in steps if step.question == "held by scanner?")

    assert said("::ffff:10.20.0.5", "203.0.113.9").endswith("Z; ::ffff:10.20.0.5 is in 10.20.0.0/16")
    assert said("192.0.2.1").startswith("yes, ")
    assert " is in " not in said("192.0.2.1")
    assert "entities.ip.address in ['192.0.2.1', '10.20.0.0/16', '10.0.0.0/8'] is not met" in said("203.0.113.9")


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
