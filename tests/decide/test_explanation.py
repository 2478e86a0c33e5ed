"""An explanation asks in the order in which a signal is decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import pytest

from router.decide import explain
from router.decide.explanation import ExplanationStep
from router.domain.decisions import Outcome, StepCode
from router.domain.severity import Severity
from router.domain.signals import Kind
from router.domain.suppression import SuppressionRule
from tests.builders import NOW, a_route, a_rule, a_rulebook, an_alert, an_ip

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

YES = frozenset(
    {
        StepCode.RESOLVED_YES,
        StepCode.NOTED_YES,
        StepCode.FLOOR_BELOW,
        StepCode.SUPPRESSION_HELD,
        StepCode.ROUTE_MATCHED,
    }
)
"""The steps that say yes to their question."""


@pytest.mark.parametrize(("resolved", "noted", "low", "held"), list(product((False, True), repeat=4)))
def test_the_first_question_that_is_answered_yes_is_the_one_that_decides(
    resolved: bool, noted: bool, low: bool, held: bool
) -> None:
    """Whatever else is true of a signal: the steps stand in the order that `decide` goes through."""
    signal = replace(
        an_alert(Entities=[an_ip("10.20.0.5" if held else "10.20.0.6")]),
        resolved=resolved,
        kind=Kind.SECURE_SCORE if noted else Kind.ALERT,
        severity=Severity.LOW if low else Severity.HIGH,
    )
    explanation = explain(signal, a_rulebook(a_rule(), routes=[a_route("tickets", "tickets")]), NOW)
    answers = {step.question: step.answer for step in explanation.steps if step.question in SETTLES}
    assert list(answers) == list(SETTLES)
    assert [answer.startswith("yes") for answer in answers.values()] == [resolved, noted, low, held, True]
    first = next(question for question, answer in answers.items() if answer.startswith("yes"))
    assert explanation.decision.outcome is SETTLES[first]
    # The steps of the decision are the questions up to that one, with the same answers.
    attack, *steps = explanation.decision.steps
    assert attack.code is StepCode.ATTACK_KNOWN
    asked = {ASKED_BY[step.code.partition(".")[0]]: step.code in YES for step in steps}
    assert list(asked) == list(SETTLES)[: len(steps)]
    assert asked == {question: answers[question].startswith("yes") for question in asked}
    assert next(question for question, is_yes in asked.items() if is_yes) == first == list(asked)[-1]


def test_attack_is_explained_before_the_routes_which_ask_for_it() -> None:
    """It settles nothing, so it stands where it is first needed, though `decide` looks it up first of all."""
    questions = [step.question for step in explain(an_alert(), a_rulebook(a_rule()), NOW).steps]
    assert questions.index("held by scanner?") < questions.index("ATT&CK?") < questions.index("route tickets?")


def test_a_rule_that_holds_by_a_range_says_which_one() -> None:
    """Of several ranges the narrowest is named, and an address that is named itself is held by no range."""
    rule = a_rule(ip=["10.0.0.0/8", "10.20.0.0/16", "192.0.2.1"])
    (held,) = (step for step in _steps(rule, "::ffff:10.20.0.5", "203.0.113.9") if step.question == "held by scanner?")
    assert held.answer.endswith("Z; ::ffff:10.20.0.5 is in 10.20.0.0/16")
    (named,) = (step for step in _steps(rule, "192.0.2.1") if step.question == "held by scanner?")
    assert named.answer.startswith("yes, ")
    assert " is in " not in named.answer
    (other,) = (step for step in _steps(rule, "203.0.113.9") if step.question == "held by scanner?")
    assert "entities.ip.address in ['192.0.2.1', '10.20.0.0/16', '10.0.0.0/8'] is not met" in other.answer


def _steps(rule: SuppressionRule, *addresses: str) -> Sequence[ExplanationStep]:
    return explain(an_alert(Entities=[an_ip(address) for address in addresses]), a_rulebook(rule), NOW).steps
