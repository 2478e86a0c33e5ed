"""The steps of a decision: each that was asked, with its answer and the rule that gave it; so in an explanation."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from router.decide import decide, entry_for, explain, quarantined
from router.domain.decisions import Code, DecisionStep, Outcome, Reason, StepCode, written_steps
from router.domain.rulebook import Rulebook
from router.domain.severity import Severity
from router.domain.signals import Kind, Quarantined, Signal, Stream
from tests.builders import NOW, a_finding, a_route, a_rule, a_rulebook, an_alert, an_ip

SETTLED_BY = {
    StepCode.RESOLVED_YES: (Outcome.RESOLVED, Code.STATUS),
    StepCode.NOTED_YES: (Outcome.NOTED, Code.KIND),
    StepCode.FLOOR_BELOW: (Outcome.BELOW_FLOOR, Code.FLOOR),
    StepCode.SUPPRESSION_HELD: (Outcome.SUPPRESSED, Code.RULE),
    StepCode.ROUTE_MATCHED: (Outcome.ROUTED, Code.ROUTES),
    StepCode.ROUTE_OTHERWISE: (Outcome.ROUTED, Code.OTHERWISE),
}
"""What each step of `decide` that settles a signal makes of it, and why."""


def steps_of(signal: Signal, book: Rulebook) -> tuple[str, ...]:
    """The steps of a decision, as they are written."""
    return written_steps(decide(signal, book, NOW).steps)


def test_a_routed_signal_was_asked_everything() -> None:
    """In the order in which it was settled, with every route that matched; posture has the same steps. What is not known
    passes every floor, and no step follows the one that settles."""
    book = a_rulebook(a_rule(), routes=[a_route("soc", "oncall"), a_route("backlog", "tickets")])
    asked = ("resolved.no", "noted.no", "floor.passed", "suppression.none")
    assert steps_of(an_alert(), book) == ("attack.known", *asked, "route.matched=backlog", "route.matched=soc")
    of_posture = steps_of(a_finding(), a_rulebook(stream=Stream.CSPM, routes=[]))
    assert of_posture == ("attack.unknown", *asked, "route.otherwise")
    for severity in ("odd", None):
        assert "floor.unknown" in steps_of(an_alert(Severity=severity), a_rulebook())
    held = decide(an_alert(Entities=[an_ip("10.20.0.5")]), a_rulebook(a_rule("maintenance")), NOW)
    assert str(held.steps[-1]) == "suppression.held=maintenance"
    assert [step.rule for step in held.steps[:-1]] == [None] * 4


def test_what_is_not_understood_was_asked_nothing() -> None:
    """Its reason says more."""
    what = Quarantined(reason=Reason(Code.NOT_JSON), body=b"{")
    assert quarantined(what, None).steps == (DecisionStep(StepCode.NOT_UNDERSTOOD),)
    entry = entry_for(what, quarantined(what, None), key="k", source="s", now=NOW)
    assert (entry.signal, entry.turn, entry.steps) == (None, None, ("message.not_understood",))


@given(
    st.sampled_from(["New", "Resolved"]),
    st.sampled_from([Kind.ALERT, Kind.INCIDENT, Kind.SECURE_SCORE]),
    st.sampled_from([None, *Severity]),
    st.sampled_from(["10.20.0.5", "10.20.0.6"]),
    st.lists(st.sampled_from(["soc", "backlog", "quiet"]), unique=True),
    st.booleans(),
)
def test_the_last_step_agrees_with_outcome_and_reason(
    status: str, kind: Kind, severity: Severity | None, address: str, routes: list[str], has_intent: bool
) -> None:
    """Exactly one step settles, it is the last but for further routes, and what it names is what the decision names."""
    signal = replace(
        an_alert(Status=status, Entities=[an_ip(address)], Intent="Execution" if has_intent else ""),
        kind=kind,
        severity=severity,
    )
    decision = decide(signal, a_rulebook(a_rule(), routes=[a_route(name, "tickets") for name in routes]), NOW)
    codes = [step.code for step in decision.steps]
    assert (decision.outcome, decision.reason.code) == SETTLED_BY[codes[-1]]
    assert {code for code in codes if code in SETTLED_BY} == {codes[-1]}
    assert codes[0] is (StepCode.ATTACK_KNOWN if decision.tactics else StepCode.ATTACK_UNKNOWN)
    assert tuple(step.rule for step in decision.steps if step.code is StepCode.ROUTE_MATCHED) == decision.routes
    named = [step.rule for step in decision.steps if step.code is StepCode.SUPPRESSION_HELD]
    assert named == ([decision.suppressed_by] if decision.suppressed_by else [])


SETTLES = {
    "resolved?": Outcome.RESOLVED,
    "only noted?": Outcome.NOTED,
    "below the floor?": Outcome.BELOW_FLOOR,
    "held by scanner?": Outcome.SUPPRESSED,
    "route tickets?": Outcome.ROUTED,
}
"""What a signal becomes where a question is the first that is answered yes, in the order of the questions."""

ASKED_BY = {
    "resolved": "resolved?",
    "noted": "only noted?",
    "floor": "below the floor?",
    "suppression": "held by scanner?",
    "route": "route tickets?",
}
"""The question that is asked by the steps of one beginning."""

YES = frozenset(SETTLED_BY) - {StepCode.ROUTE_OTHERWISE}
"""The steps that say yes to their question."""


def test_the_first_question_that_is_answered_yes_is_the_one_that_decides() -> None:
    """Whatever else is true of a signal: the steps stand in the order that `decide` goes through."""
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
        asked = {ASKED_BY[step.code.partition(".")[0]]: step.code in YES for step in steps}
        assert list(asked.items()) == list(is_yes.items())[: len(steps)]
        assert list(asked)[-1] == first


def test_attack_is_explained_before_the_routes_which_ask_for_it() -> None:
    """It settles nothing, so it stands where it is first needed, though `decide` looks it up first of all."""
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
