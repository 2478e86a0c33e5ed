"""What became of the signals of each technique and tactic: what nobody heard of, and what rules and silences could hide."""

from collections.abc import Iterable, Sequence
from copy import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from router.cli.attack import DecisionLine, past_decision
from router.decide import blind_spots
from router.domain.decisions import Outcome
from router.domain.notices import RecordEntry
from router.domain.rulebook import Rulebook
from router.domain.silences import Silence, Silences
from router.domain.suppression import SuppressionRule
from router.rulebook import load_catalogue
from tests.builders import NOW, a_rule, a_rulebook, the_attack_table
from tests.silences import a_silence as silence_of
from tests.store.builders import an_entry


def a_past_decision(signal: str = "one", outcome: Outcome = Outcome.ROUTED, **changes: Any) -> blind_spots.PastDecision:
    """A decision on a signal that names one technique and one tactic."""
    named: dict[str, Any] = {"tactics": ("TA0006",), "techniques": ("T1110",)}
    given: dict[str, Any] = {"type": "VM_Test", "at": NOW, "rulebook": "0123456789ab"} | named
    return blind_spots.PastDecision(signal=signal, outcome=outcome, **(given | changes))


def a_held_decision(
    signal: str = "one", by: str = "scanner", at: datetime = NOW, **changes: Any
) -> blind_spots.PastDecision:
    """The same, which a rule held."""
    return a_past_decision(
        signal, Outcome.SUPPRESSED, held_by=by, held_until=NOW + timedelta(days=30), at=at, **changes
    )


def outcomes_of(*decisions: blind_spots.PastDecision) -> blind_spots.AttackOutcomes:
    """What became of the signals of some decisions, by the starter's table."""
    outcomes = blind_spots.AttackOutcomes(the_attack_table())
    outcomes.add(decisions)
    return outcomes


TECHNIQUES = ("T1110", "T1110.003", "T1059", "T1562.001", "T1685", "t1059", "T1070.001", "nonsense", "T10", "")
"""Sound ids, revoked ones, one in lower case, and what is none."""

TACTICS = ("TA0006", "TA0005", "TA0112", "TA9999", "")
TYPES = ("VM_Test", "vm_test", "VM_Other", "")

INSTANTS = st.none() | st.integers(0, 60).map(lambda days: NOW - timedelta(days=days))


def _a_few(of: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(of), max_size=3, unique=True).map(tuple)


PAST_DECISIONS = st.lists(
    st.builds(
        blind_spots.PastDecision,
        signal=st.sampled_from("abcd"),
        type=st.sampled_from(TYPES),
        outcome=st.sampled_from(Outcome),
        at=INSTANTS,
        held_by=st.sampled_from((None, "scanner", "other", "silence:ab12cd")),
        held_until=INSTANTS,
        tactics=_a_few(TACTICS),
        techniques=_a_few(TECHNIQUES),
        rulebook=st.sampled_from(("", "h1", "h2")),
        is_quiet=st.booleans(),
        is_sample=st.booleans(),
    ),
    max_size=12,
)


DAY = timedelta(days=1)


def test_a_revoked_technique_counts_as_what_took_its_place_and_what_is_none_is_drawn_nowhere() -> None:
    """Also where an older table decided. A signal that names what is no technique names none."""
    revoked, current = a_past_decision("one", techniques=("T1562.001",)), a_past_decision("two", techniques=("T1685",))
    assert {id: one.routed for id, one in outcomes_of(revoked, current).techniques.items()} == {"T1685": {"one", "two"}}
    outcomes = outcomes_of(a_past_decision(techniques=("T11", "Brute Force")))
    assert (dict(outcomes.techniques), outcomes.not_techniques) == ({}, {"BRUTE FORCE", "T11"})
    assert outcomes.signals == outcomes.bare == {"one"}


def past_decision_of(entry: RecordEntry) -> blind_spots.PastDecision:
    """What a decision on record says."""
    return past_decision(DecisionLine.model_validate(entry))


def test_what_is_on_record_is_counted_as_it_was_told() -> None:
    """Also where the record does not say its key. An update of which no pager hears is not quiet, as its signal stands
    open where people are; one that opened nowhere is."""

    def on_record(kind: str, id: str) -> blind_spots.PastDecision:
        return past_decision_of(an_entry(stream="cwpp", kind=kind, id=id, outcome="routed", notice="opened"))

    pair = on_record("alert", "A-1"), on_record("incident", "a-1 ")
    assert len(outcomes_of(*pair).signals) == 1
    assert len(outcomes_of(*pair, on_record("alert", "A-2")).signals) == 2
    update = an_entry(stream="cwpp", id="1", outcome="routed", notice=None, steps=("route.matched=r", "ledger.open"))
    opening = an_entry(stream="cwpp", id="1", outcome="routed", notice=None, steps=("route.matched=r",))
    assert (past_decision_of(update).is_quiet, past_decision_of(opening).is_quiet) == (False, True)


TOLD_TWICE = [
    a_past_decision(),
    a_past_decision(at=NOW + DAY),
    a_past_decision("two"),
    a_past_decision("three", is_quiet=True),
]
HELD_TWICE = [a_held_decision(by=by, at=NOW + days * DAY) for by, days in (("b", 1), ("a", 0), ("b", 0))]


@given(PAST_DECISIONS)
@example([*TOLD_TWICE, *HELD_TWICE, a_held_decision(by="a")._replace(held_until=NOW)])
def test_counts_are_those_of_the_signals(decisions: list[blind_spots.PastDecision]) -> None:
    """Not of messages: an opening and its update are one. A sample is counted apart, a repeat or an end not at all; what quiet
    routes took, until people are told of the same signal, and what each rule held is told as theirs."""
    outcomes = outcomes_of(*decisions)
    looked_at = [one for one in decisions if one.outcome in blind_spots.LOOKED_AT]
    assert outcomes.samples == {one.signal for one in looked_at if one.is_sample}
    real = [one for one in looked_at if not one.is_sample]
    assert (outcomes.signals, outcomes.decisions) == ({one.signal for one in real}, len(real))
    for id, counted in outcomes.techniques.items():
        _check(counted, [one for one in real if id in _current(one.techniques)])
    for id, counted in outcomes.tactics.items():
        _check(counted, [one for one in real if id in one.tactics])
    named = {id for one in real for id in _current(one.techniques)}
    assert named == outcomes.techniques.keys() | outcomes.not_techniques


def _current(ids: Sequence[str]) -> set[str]:
    return {the_attack_table().technique_for(id.upper()) for id in ids if id}


def _check(counted: blind_spots.AttackOutcome, decisions: Sequence[blind_spots.PastDecision]) -> None:
    assert decisions
    routed = [one for one in decisions if one.outcome is Outcome.ROUTED]
    told = {one.signal for one in routed if not one.is_quiet}
    held = [one for one in decisions if one.outcome is Outcome.SUPPRESSED]
    assert (counted.routed, counted.held) == (told, {one.signal for one in held})
    assert counted.last_routed == _last(one.at for one in routed if not one.is_quiet)
    assert counted.quiet == {one.signal for one in routed} - told
    assert counted.is_unheard is not bool(told)
    by_name = {name: [one for one in held if (one.held_by or "") == name] for name in counted.held_by}
    assert {one.held_by or "" for one in held} == by_name.keys()
    for name, those in by_name.items():
        last, until = _last(one.at for one in those), _last(one.held_until for one in those)
        assert counted.held_by[name] == blind_spots.HeldSignals({one.signal for one in those}, last, until)


def _last(instants: Iterable[datetime | None]) -> datetime | None:
    return max((one for one in instants if one is not None), default=None)


INSTANT = timedelta(microseconds=1)


def a_silence(
    id: str = "ab12cd", type: str | None = "VM_Test", begins: timedelta = -DAY, until: timedelta = DAY
) -> Silence:
    """A silence that is in force for a day yet."""
    lasts = {"begins": NOW + begins, "lasts": until - begins, "made": NOW + begins}
    return silence_of(id, alert_type=type, groups=a_rule().groups, **lasts)  # type: ignore[arg-type]


def techniques_under(
    rules: Iterable[SuppressionRule], *decisions: blind_spots.PastDecision, silences: Iterable[Silence] = ()
) -> dict[str, blind_spots.AttackSpot]:
    """The blind spots among techniques, by id."""
    outcomes = outcomes_of(*decisions)
    covers = blind_spots.covers_of(a_rulebook(*rules), Silences.from_list(silences), NOW, outcomes.by_type)
    spots = blind_spots.attack_spots(outcomes.techniques, covers, lambda cover: cover.techniques)
    return {spot.id: spot for spot in spots if spot.is_blind}


def test_a_technique_that_a_rule_could_hide_is_told_though_somebody_heard_of_it() -> None:
    """By which rule, until when; that it is not unheard is told beside it. A rule hides until the instant of its end."""
    spot = techniques_under([a_rule()], a_past_decision())["T1110"]
    ((name, held, cover),) = spot.hiders
    assert (spot.outcome.is_unheard, name, held) == (False, "scanner", None)
    assert cover == blind_spots.Cover("scanner", NOW + 30 * DAY, "vm_test", ["TA0006"], ["T1110"])
    for rule in (a_rule(expires=NOW), a_rule(enabled=False), a_rule(alert_type="VM_Other")):
        assert techniques_under([rule], a_past_decision()) == {}
    assert techniques_under([a_rule(expires=NOW + INSTANT)], a_past_decision()) != {}


def test_what_a_rule_held_is_told_with_its_end() -> None:
    """As the record has it; of a rule in force that of the rules, since it may have been moved since it held something."""
    (hider,) = techniques_under([], a_held_decision())["T1110"].hiders
    assert (hider.name, hider.cover, hider.until) == ("scanner", None, NOW + 30 * DAY)
    (hider,) = techniques_under([a_rule(expires=NOW + DAY)], a_held_decision())["T1110"].hiders
    assert hider.until == NOW + DAY
    assert hider.held is not None


def test_a_silence_in_force_could_hide_as_a_rule_does() -> None:
    """Under its name on record."""
    for silence, hides in (
        (a_silence(), True),
        (a_silence(type="vm_TEST"), True),
        (a_silence(begins=timedelta(0)), True),
        (a_silence(begins=INSTANT), False),
        (a_silence(until=timedelta(0)), False),
        (replace(a_silence(), ended=NOW), False),
        (a_silence(type="VM_Other"), False),
    ):
        spots = techniques_under([], a_past_decision(), silences=[silence])
        assert [hider.name for spot in spots.values() for hider in spot.hiders] == ["silence:ab12cd"] * hides, silence


def test_a_silence_for_any_type_is_in_force_for_what_is_not_known() -> None:
    """It is told as such; what it held it could hide again until its end, though somebody heard of it otherwise."""
    silence = a_silence(type=None)
    (cover,) = blind_spots.covers_of(a_rulebook(), Silences.from_list([silence]), NOW, {})
    assert (cover.alert_type, cover.is_unknown) == (None, True)
    held = a_held_decision(by=silence.name), a_past_decision("two")
    (hider,) = techniques_under([], *held, silences=[silence])["T1110"].hiders
    assert (hider.name, hider.until) == (silence.name, silence.end)
    assert techniques_under([], *held, silences=[replace(silence, ended=NOW)]) == {}


def test_a_rule_could_hide_the_tactics_of_its_type_before_any_alert_came() -> None:
    """By the catalogue; which techniques nobody knows then."""
    book: Rulebook = replace(a_rulebook(a_rule(alert_type="SQL.DB_BruteForce")), catalogue=load_catalogue())
    (cover,) = blind_spots.covers_of(book, Silences(), NOW, {})
    assert cover.tactics
    assert not cover.techniques and not cover.is_unknown
    spots = blind_spots.attack_spots({}, [cover], lambda cover: cover.tactics)
    assert [spot.id for spot in spots] == cover.tactics
    assert not any(spot.outcome.is_unheard for spot in spots)


@given(PAST_DECISIONS, st.lists(st.sampled_from(TYPES[:3]), max_size=3))
def test_every_blind_spot_is_found_and_is_one(decisions: list[blind_spots.PastDecision], types: list[str]) -> None:
    """A technique is one that nobody heard of, or that a signal of a type named which a rule in force is about."""
    rules = [a_rule(("scanner", "other", "third")[number], alert_type=type) for number, type in enumerate(types)]
    outcomes = outcomes_of(*decisions)
    spots = techniques_under(rules, *decisions)
    ruled = {type.casefold() for type in types}
    covered = {id for type in ruled & outcomes.by_type.keys() for id in outcomes.by_type[type][1]}
    unheard = {id for id, one in outcomes.techniques.items() if not one.routed}
    again = {id for id, one in outcomes.techniques.items() if one.held_by.keys() & {rule.name for rule in rules}}
    assert spots.keys() == covered | unheard | again
    assert {id for id, spot in spots.items() if spot.outcome.is_unheard} == unheard
    assert list(spots) == sorted(spots)
