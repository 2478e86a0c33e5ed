"""What an entry on record says of its signal: its key, the turn that was made, and the steps that led there."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain.counts import hits_in
from router.domain.decisions import Outcome, StepCode
from router.domain.keys import signal_key
from router.domain.ledger import Arrival, HeldBy, LedgerRow
from router.domain.reasons import Code
from router.domain.rule_fields import rule_fields_of
from router.domain.rulebook import Rulebook
from router.domain.severity import Severity
from router.ingest.observations import Observation
from router.ingest.transitions import SignalTransition, transition_for
from tests.builders import NOW, a_rule, a_rulebook, an_alert, an_ip

MINUTE = timedelta(minutes=1)
KEY = signal_key("cwpp", "alert", "alert-1")

LEDGER_SETTLES = {
    StepCode.LEDGER_OLDER: (Outcome.REPEAT, Code.OLDER),
    StepCode.LEDGER_SAME: (Outcome.REPEAT, Code.SAME),
    StepCode.LEDGER_NEVER_NOTIFIED: (Outcome.RESOLVED, Code.NO_DESTINATION),
}
DECISION_SETTLES = {
    StepCode.RESOLVED_YES: (Outcome.RESOLVED, Code.STATUS),
    StepCode.FLOOR_BELOW: (Outcome.BELOW_FLOOR, Code.FLOOR),
    StepCode.SUPPRESSION_HELD: (Outcome.SUPPRESSED, Code.RULE),
    StepCode.ROUTE_MATCHED: (Outcome.ROUTED, Code.ROUTES),
}
"""The outcome and the reason that each step that settles stands for; the later one of an entry holds."""


def an_observation(place: int = 1, *, again: int = 0, **fields: Any) -> Observation:
    """An observation of one alert; what is later in the hub has a greater place."""
    arrival = Arrival("hub/0", place, NOW + place * MINUTE, again=again)
    return Observation(signal=an_alert(**fields), arrival=arrival, source=f"test:{place}", body=b"{}")


def published(transition: SignalTransition) -> LedgerRow:
    """The row that a transition leaves, as the store finds it again."""
    assert transition.row is not None
    return replace(transition.row, fields=None)


def transition_of(
    observation: Observation,
    row: LedgerRow | None = None,
    book: Rulebook | None = None,
    at: datetime = NOW,
    on_record: Outcome | None = None,
) -> SignalTransition:
    """The transition that an observation causes in a row."""
    return transition_for(observation, row, book or a_rulebook(a_rule()), at, on_record=on_record)


def added(transition: SignalTransition) -> list[str]:
    """The steps that the ledger added."""
    return [step for step in transition.entry.steps if step.startswith("ledger.")]


def test_a_first_message_makes_the_first_turn_of_its_signal() -> None:
    """The entry names both, and the turn has it."""
    transition = transition_of(an_observation())
    assert (transition.entry.signal, transition.entry.turn) == (KEY, 1)
    assert added(transition) == []
    assert transition.turn is not None
    assert transition.turn.entry == transition.entry


def test_an_entry_names_the_row_that_it_is_about_whatever_key_its_message_would_have() -> None:
    """A signal keeps the key with which it was opened, also where a message is only a repeat."""
    row = replace(published(transition_of(an_observation())), key="opened-under-this")
    same, changed = transition_of(an_observation(2), row), transition_of(an_observation(2, Severity="Medium"), row)
    older = transition_of(an_observation(0), row)
    assert [one.entry.signal for one in (same, changed, older)] == ["opened-under-this"] * 3
    assert [one.entry.turn for one in (same, changed, older)] == [None, 2, None]


def test_what_the_ledger_adds_is_a_step() -> None:
    """A repeat, an update where the signal is open, one of a mere status, an end of which nobody needs to hear."""
    row = published(transition_of(an_observation()))
    below = published(transition_of(an_observation(Severity="Low")))
    assert added(transition_of(an_observation(2), row)) == ["ledger.same"]
    assert added(transition_of(an_observation(0), row)) == ["ledger.older"]
    assert added(transition_of(an_observation(2, Severity="Medium"), row)) == ["ledger.open"]
    assert added(transition_of(an_observation(2, Status="InProgress"), row)) == ["ledger.open", "ledger.status"]
    assert added(transition_of(an_observation(2, Status="Resolved"), row)) == ["ledger.open"]
    assert added(transition_of(an_observation(2, Status="Resolved"), below)) == ["ledger.never_notified"]


def test_what_is_decided_again_has_a_second_place_on_record_and_says_so() -> None:
    """What a rule held makes its next turn when the rule is gone."""
    held = published(transition_of(an_observation(Entities=[an_ip("10.20.0.5")])))
    assert held.outcome is Outcome.SUPPRESSED
    released = transition_of(
        an_observation(again=1, Entities=[an_ip("10.20.0.5")]), held, book=a_rulebook(), at=NOW + MINUTE
    )
    assert released.entry.key == "hub/0:1@1"
    assert (released.entry.signal, released.entry.turn) == (KEY, 2)
    assert added(released) == ["ledger.again"]
    replayed = transition_of(
        an_observation(Entities=[an_ip("10.20.0.5")]), held, book=a_rulebook(), on_record=Outcome.SUPPRESSED
    )
    assert (replayed.entry.key, replayed.entry.turn, added(replayed)) == ("hub/0:1@2", 2, ["ledger.again"])


@pytest.mark.parametrize(
    ("holder", "step"), [("scanner", ["ledger.again", "ledger.still_held"]), ("other", ["ledger.again"])]
)
def test_what_is_decided_again_and_held_still_is_no_hit_of_the_rule_that_held_it(holder: str, step: list[str]) -> None:
    """Rules change every day, and what they hold is decided again each time; another rule's hit is its first."""
    held = published(transition_of(an_observation(Entities=[an_ip("10.20.0.5")])))
    assert held.held is not None
    by = HeldBy(rule=held.held.rule, until=held.held.until)
    held = replace(held, held=None, held_by=by)
    book = a_rulebook(a_rule(holder), hash="another")
    again = transition_of(an_observation(again=1, Entities=[an_ip("10.20.0.5")]), held, book=book, at=NOW + MINUTE)
    assert (again.entry.outcome, again.entry.suppressed_by, added(again)) == ("suppressed", holder, step)
    assert set(hits_in([again.entry])) == ({("cwpp", "other")} if holder == "other" else set())


def test_a_replay_that_is_decided_as_before_makes_no_turn() -> None:
    """It is on record already, and its row stays as it is."""
    held = published(transition_of(an_observation(Entities=[an_ip("10.20.0.5")])))
    replayed = transition_of(an_observation(Entities=[an_ip("10.20.0.5")]), held, on_record=Outcome.SUPPRESSED)
    assert replayed.row is None
    assert (replayed.entry.signal, replayed.entry.turn, added(replayed)) == (KEY, None, ["ledger.unchanged"])


def test_a_row_says_when_it_was_last_heard_of() -> None:
    """Also a repeat of the same state counts, and what is older does not."""
    row = published(transition_of(an_observation()))
    assert row.heard == NOW
    changed = transition_of(an_observation(2, Severity="Medium"), row, at=NOW + MINUTE)
    same = transition_of(an_observation(2), row, at=NOW + 2 * MINUTE)
    assert [one.row.heard for one in (changed, same) if one.row] == [NOW + MINUTE, NOW + 2 * MINUTE]
    assert transition_of(an_observation(0), row, at=NOW + MINUTE).row is None


def test_each_turn_keeps_what_rules_can_match_and_a_repeat_leaves_it_as_it_is_stored() -> None:
    """A repeat says None, which a store takes for what it has."""
    first = transition_of(an_observation(Entities=[an_ip("10.20.0.6")]))
    assert first.row is not None
    assert first.row.fields == rule_fields_of(an_alert(Entities=[an_ip("10.20.0.6")]))
    same = transition_of(an_observation(2, Entities=[an_ip("10.20.0.6")]), published(first))
    assert same.row is not None
    assert same.row.fields is None


MESSAGES = st.tuples(
    st.integers(0, 5),
    st.sampled_from(["New", "Resolved"]),
    st.sampled_from(["Low", "Medium", "High"]),
    st.sampled_from(["10.20.0.5", "10.20.0.6"]),
)


@given(st.lists(MESSAGES, max_size=8))
def test_the_last_step_that_settles_agrees_with_outcome_and_reason(messages: list[tuple[int, str, str, str]]) -> None:
    """Whatever comes in which order: of decision and ledger, the later word is that of the entry."""
    rows: list[LedgerRow] = []
    recorded: dict[str, Outcome] = {}
    for place, status, severity, address in messages:
        observation = an_observation(place, Status=status, Severity=severity, Entities=[an_ip(address)])
        transition = transition_of(
            observation,
            next(iter(rows), None),
            book=a_rulebook(a_rule(), floor=Severity.MEDIUM),
            on_record=recorded.get(f"hub/0:{place}"),
        )
        entry, before = transition.entry, rows[0].turn if rows else 0
        settles = LEDGER_SETTLES | DECISION_SETTLES
        settled = [settles[code] for step in entry.steps if (code := StepCode(step.partition("=")[0])) in settles]
        assert (entry.outcome, entry.reason.partition(":")[0]) == settled[-1]
        assert entry.signal == KEY
        assert entry.turn == (before + 1 if transition.turn is not None else None)
        recorded.setdefault(entry.key, Outcome(entry.outcome))
        if transition.row is not None:
            rows = [published(transition)]


@pytest.mark.parametrize("code", StepCode)
def test_a_code_never_holds_what_parts_it_from_a_rule(code: StepCode) -> None:
    """So that a program can tell the two apart at the first `=`."""
    assert "=" not in code
