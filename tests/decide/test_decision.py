"""What becomes of a signal, and why; each step that was asked, with its answer; so in an explanation."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import permutations, product

from router.decide import decide, entry_for, explain, notice_for, quarantined
from router.domain.catalogue import Attack, Catalogue
from router.domain.decisions import Change, Code, DecisionStep, Outcome, Reason, StepCode, written_steps
from router.domain.evidence import Evidence
from router.domain.rulebook import Clause, Rulebook
from router.domain.severity import Severity
from router.domain.signals import Finding, Kind, Quarantined, Signal, Stream
from router.parse import read_signals
from tests.builders import NOW, a_finding, a_route, a_rule, a_rulebook, an_alert, an_ip
from tests.constructed.posture import a_compliance_category
from tests.constructed.weeks import row_of
from tests.parse.messages import read_finding


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
    """In the order in which it was settled, with every route that matched; posture has the same steps. What is not known
    passes every floor: in doubt the router is loud. No step follows the one that settles; what is not understood was asked
    nothing."""
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
