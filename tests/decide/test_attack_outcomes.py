"""What became of the signals of each technique and tactic."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from router.cli.attack import DecisionLine, past_decision
from router.decide.blind_spots import LOOKED_AT, AttackOutcome, HeldSignals, PastDecision
from router.domain.decisions import Outcome
from router.domain.notices import RecordEntry
from tests.builders import NOW, the_attack_table
from tests.decide.past import PAST_DECISIONS, a_held_decision, a_past_decision, outcomes_of
from tests.store.builders import an_entry

DAY = timedelta(days=1)


def technique(*decisions: PastDecision) -> AttackOutcome:
    """What became of the technique that some decisions name."""
    return outcomes_of(*decisions).techniques["T1110"]


def test_signals_are_counted_and_not_messages() -> None:
    """An opening and its update are one; another signal is another; a sample is counted apart, a repeat or an end not at
    all."""
    outcomes = outcomes_of(a_past_decision("one"), a_past_decision("one", at=NOW + DAY), a_past_decision("two"))
    assert outcomes.techniques["T1110"] == AttackOutcome(routed={"one", "two"}, last_routed=NOW + DAY)
    assert (outcomes.decisions, outcomes.signals) == (3, {"one", "two"})
    sample = outcomes_of(a_past_decision(is_sample=True))
    assert (sample.samples, sample.signals, dict(sample.techniques)) == ({"one"}, set(), {})
    for outcome in set(Outcome) - set(LOOKED_AT):
        assert outcomes_of(a_past_decision(outcome=outcome)) == outcomes_of()


def test_what_somebody_heard_of_in_the_end_is_not_unheard() -> None:
    """What was held and came out later was held and routed; what only quiet routes took was routed to nobody until then."""
    one = technique(a_held_decision(), a_past_decision())
    assert (one.routed, one.held, one.is_unheard) == ({"one"}, {"one"}, False)
    quiet = a_past_decision(is_quiet=True)
    one = technique(quiet)
    assert (one.routed, one.quiet, one.is_unheard) == (set(), {"one"}, True)
    one = technique(quiet, a_past_decision())
    assert (one.routed, one.quiet, one.is_unheard) == ({"one"}, set(), False)


def test_each_rule_is_told_with_what_it_held_and_the_sum_is_not_theirs() -> None:
    """Of a signal that two rules held one after the other each says one, and one was held."""
    one = technique(a_held_decision(by="b", at=NOW + DAY), a_held_decision(by="a"))
    assert one.held == {"one"}
    end = NOW + 30 * DAY
    assert one.held_by == {"a": HeldSignals({"one"}, NOW, end), "b": HeldSignals({"one"}, NOW + DAY, end)}


def test_a_revoked_technique_counts_as_what_took_its_place_and_what_is_none_is_drawn_nowhere() -> None:
    """Also where an older table decided. A signal that names what is no technique names none."""
    revoked, current = a_past_decision("one", techniques=("T1562.001",)), a_past_decision("two", techniques=("T1685",))
    assert {id: one.routed for id, one in outcomes_of(revoked, current).techniques.items()} == {"T1685": {"one", "two"}}
    outcomes = outcomes_of(a_past_decision(techniques=("T11", "Brute Force")))
    assert (dict(outcomes.techniques), outcomes.not_techniques) == ({}, {"BRUTE FORCE", "T11"})
    assert outcomes.signals == outcomes.bare == {"one"}


def past_decision_of(entry: RecordEntry) -> PastDecision:
    """What a decision on record says."""
    return past_decision(DecisionLine.model_validate(entry))


def test_an_alert_that_came_back_as_an_incident_is_one_signal() -> None:
    """Also where the record does not say its key."""

    def on_record(kind: str, id: str) -> PastDecision:
        return past_decision_of(an_entry(stream="cwpp", kind=kind, id=id, outcome="routed", notice="opened"))

    pair = on_record("alert", "A-1"), on_record("incident", "a-1 ")
    assert len(outcomes_of(*pair).signals) == 1
    assert len(outcomes_of(*pair, on_record("alert", "A-2")).signals) == 2


def test_an_update_of_which_no_pager_hears_is_not_quiet() -> None:
    """Its signal stands open where people are; one that opened nowhere is quiet."""
    update = an_entry(stream="cwpp", id="1", outcome="routed", notice=None, steps=("route.matched=r", "ledger.open"))
    opening = an_entry(stream="cwpp", id="1", outcome="routed", notice=None, steps=("route.matched=r",))
    assert (past_decision_of(update).is_quiet, past_decision_of(opening).is_quiet) == (False, True)


@given(PAST_DECISIONS, st.randoms())
def test_order_and_pages_change_nothing(decisions: list[PastDecision], random: object) -> None:
    """Stores give the latest first, files the earliest."""
    shuffled = list(decisions)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert outcomes_of(*shuffled) == outcomes_of(*decisions)


@given(PAST_DECISIONS)
def test_counts_are_those_of_the_signals(decisions: list[PastDecision]) -> None:
    """For each technique and tactic the sets of signals, told one by one."""
    outcomes = outcomes_of(*decisions)
    real = [one for one in decisions if not one.is_sample and one.outcome in LOOKED_AT]
    assert outcomes.signals == {one.signal for one in real}
    for id, counted in outcomes.techniques.items():
        _check(counted, [one for one in real if id in _current(one.techniques)])
    for id, counted in outcomes.tactics.items():
        _check(counted, [one for one in real if id in one.tactics])
    named = {id for one in real for id in _current(one.techniques)}
    assert named == outcomes.techniques.keys() | outcomes.not_techniques


def _current(ids: Sequence[str]) -> set[str]:
    return {the_attack_table().technique_for(id.upper()) for id in ids if id}


def _check(counted: AttackOutcome, decisions: Sequence[PastDecision]) -> None:
    routed = {one.signal for one in decisions if one.outcome is Outcome.ROUTED and not one.is_quiet}
    held = {one.signal for one in decisions if one.outcome is Outcome.SUPPRESSED}
    assert decisions
    assert (counted.routed, counted.held) == (routed, held)
    assert counted.is_unheard is not bool(routed)
    assert all(rule.signals and rule.signals <= counted.held for rule in counted.held_by.values())
