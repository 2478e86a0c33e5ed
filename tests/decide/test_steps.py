"""The steps of a decision: each that was asked, with its answer and the rule that gave it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide import decide, entry_for, quarantined
from router.domain.decisions import Code, DecisionStep, Outcome, Reason, StepCode, written_steps
from router.domain.severity import Severity
from router.domain.signals import Kind, Quarantined, Stream
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


def test_a_routed_signal_was_asked_everything() -> None:
    """In the order in which it was settled, with every route that matched."""
    book = a_rulebook(a_rule(), routes=[a_route("soc", "oncall"), a_route("backlog", "tickets")])
    assert written_steps(decide(an_alert(), book, NOW).steps) == (
        "attack.known",
        "resolved.no",
        "noted.no",
        "floor.passed",
        "suppression.none",
        "route.matched=backlog",
        "route.matched=soc",
    )


def test_a_step_names_the_suppression_rule_that_holds_the_signal() -> None:
    """And no step follows the one that settles."""
    decision = decide(an_alert(Entities=[an_ip("10.20.0.5")]), a_rulebook(a_rule("maintenance")), NOW)
    assert str(decision.steps[-1]) == "suppression.held=maintenance"
    assert [step.rule for step in decision.steps[:-1]] == [None] * 4


@pytest.mark.parametrize(
    ("severity", "step"), [("High", "floor.passed"), ("odd", "floor.unknown"), (None, "floor.unknown")]
)
def test_a_step_says_where_a_severity_passed_because_it_is_not_known(severity: str | None, step: str) -> None:
    """What is not known passes every floor."""
    assert step in written_steps(decide(an_alert(Severity=severity), a_rulebook(), NOW).steps)


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


def test_a_finding_is_asked_the_same() -> None:
    """Posture has the same steps."""
    steps = written_steps(decide(a_finding(), a_rulebook(stream=Stream.CSPM, routes=[]), NOW).steps)
    assert steps == (
        "attack.unknown", "resolved.no", "noted.no", "floor.passed", "suppression.none", "route.otherwise",
    )  # fmt: skip
