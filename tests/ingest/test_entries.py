"""What an entry on record says of its signal, what is known of the alerts that an incident named, and which time counts."""

from copy import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from router.domain.clocks import SKEW
from router.domain.decisions import Code, Outcome, StepCode
from router.domain.hubs import MOST_AT_ONCE, MOST_DOCUMENTS, Arrival, message_of
from router.domain.keys import alert_fingerprint, signal_key
from router.domain.rule_fields import rule_fields_of
from router.domain.severity import Severity
from router.ingest.observations import MOST, Observation, fingerprints_after, keys_of
from router.ingest.transitions import SignalTransition, transition_for
from router.store.ledger import LedgerRow, Seen
from router.store.rules import hits_in
from tests.builders import NOW, a_rule, a_rulebook, an_alert, an_ip

DAY, MINUTE, SECOND = timedelta(days=1), timedelta(minutes=1), timedelta(seconds=1)
KEY = signal_key("cwpp", "alert", "alert-1")
HELD: dict[str, Any] = {"Entities": [an_ip("10.20.0.5")]}
BOOK = a_rulebook(a_rule())

SETTLES = {
    StepCode.RESOLVED_YES: (Outcome.RESOLVED, Code.STATUS),
    StepCode.FLOOR_BELOW: (Outcome.BELOW_FLOOR, Code.FLOOR),
    StepCode.SUPPRESSION_HELD: (Outcome.SUPPRESSED, Code.RULE),
    StepCode.ROUTE_MATCHED: (Outcome.ROUTED, Code.ROUTES),
    StepCode.LEDGER_OLDER: (Outcome.REPEAT, Code.OLDER),
    StepCode.LEDGER_SAME: (Outcome.REPEAT, Code.SAME),
    StepCode.LEDGER_NEVER_NOTIFIED: (Outcome.RESOLVED, Code.NO_DESTINATION),
}
"""The outcome and the reason that each step that settles stands for; the last one of an entry holds."""


def an_observation(place: int = 1, *, again: int = 0, **fields: Any) -> Observation:
    """An observation of one alert; what is later in the hub has a greater place."""
    arrival = Arrival("hub/0", place, NOW + place * MINUTE, again=again)
    signal = an_alert(**fields)
    return Observation(signal=signal, keys=keys_of(signal), arrival=arrival, source=f"test:{place}", body=b"{}")


def row_after(transition: SignalTransition) -> LedgerRow:
    """The row that a transition leaves, as the store finds it again."""
    row = transition.row
    assert row is not None
    return replace(row, fields=None, held=row.held and replace(row.held, body=None))


def added(transition: SignalTransition) -> list[str]:
    """The steps that the ledger added."""
    return [step.removeprefix("ledger.") for step in transition.entry.steps if step.startswith("ledger.")]


def test_what_the_ledger_adds_is_a_step_of_an_entry_that_names_the_row_and_its_turn() -> None:
    """A signal keeps the key with which it was opened, also where a message is only a repeat, which leaves an older row."""
    first = transition_for(an_observation(), None, BOOK, NOW)
    assert (first.entry.signal, first.entry.turn, added(first)) == (KEY, 1, [])
    assert first.turn is not None and first.turn.entry == first.entry
    row = replace(row_after(first), key="opened-under-this")
    below = row_after(transition_for(an_observation(Severity="Low"), None, BOOK, NOW))
    later = NOW + MINUTE
    cases: list[tuple[int, dict[str, Any], LedgerRow, list[str], int | None, datetime | None]] = [
        (2, {}, row, ["same"], None, later),
        (0, {}, row, ["older"], None, None),
        (2, {"Severity": "Medium"}, row, ["open"], 2, later),
        (2, {"Status": "InProgress"}, row, ["open", "status"], 2, later),
        (2, {"Status": "Resolved"}, row, ["open"], 2, later),
        (2, {"Status": "Resolved"}, below, ["never_notified"], 2, later),
    ]
    for place, fields, before, steps, turn, heard in cases:
        then = transition_for(an_observation(place, **fields), before, BOOK, later)
        assert (then.entry.signal, then.entry.turn, added(then)) == (before.key, turn, steps)
        assert (then.row.heard if then.row is not None else None) == heard


def test_what_is_decided_again_has_a_second_place_on_record_and_says_so() -> None:
    """What a rule held makes its next turn when the rule is gone; decided as before it makes none, and changes no row.

    Held still, it is no hit of the rule that held it. Each turn keeps what rules can match; a repeat says it anew once a day.
    The second place names the message, whatever the cluster is called that fell silent.
    """
    fallen = Arrival("coverage:edge@shop:integration", 3)
    assert message_of(replace(fallen, again=2).key) == message_of(fallen.key) == fallen.key
    held = row_after(transition_for(an_observation(**HELD), None, BOOK, NOW))
    for again, on_record, key in ((1, None, "hub/0:1@1"), (0, Outcome.SUPPRESSED, "hub/0:1@2")):
        observation = an_observation(again=again, **HELD)
        then = transition_for(observation, held, a_rulebook(), NOW + MINUTE, on_record=on_record)
        assert (then.entry.key, then.entry.signal, then.entry.turn, added(then)) == (key, KEY, 2, ["again"])
    same = transition_for(an_observation(**HELD), held, BOOK, NOW, on_record=Outcome.SUPPRESSED)
    assert (same.row, same.entry.signal, same.entry.turn, added(same)) == (None, KEY, None, ["unchanged"])
    for holder, steps, hits in (("scanner", ["again", "still_held"], set()), ("other", ["again"], {("cwpp", "other")})):
        book = a_rulebook(a_rule(holder), hash="another")
        still = transition_for(an_observation(again=1, **HELD), held, book, NOW + MINUTE)
        assert (still.entry.outcome, still.entry.suppressed_by, added(still)) == ("suppressed", holder, steps)
        assert set(hits_in([still.entry])) == hits
    first = transition_for(an_observation(), None, BOOK, NOW)
    assert first.row is not None and first.row.fields == rule_fields_of(an_alert())
    for after, fields in ((timedelta(hours=23), None), (DAY, rule_fields_of(an_alert()))):
        same = transition_for(an_observation(2), row_after(first), BOOK, NOW + after)
        assert same.row is not None and same.row.fields == fields


MESSAGES = st.tuples(
    st.integers(0, 5),
    st.sampled_from(["New", "Resolved"]),
    st.sampled_from(["Low", "Medium", "High"]),
    st.sampled_from(["10.20.0.5", "10.20.0.6"]),
)


@given(st.lists(MESSAGES, max_size=8))
def test_the_last_step_that_settles_agrees_with_outcome_and_reason(messages: list[tuple[int, str, str, str]]) -> None:
    """Whatever comes in which order: of decision and ledger, the later word is that of the entry."""
    row: LedgerRow | None = None
    recorded: dict[str, Outcome] = {}
    book = a_rulebook(a_rule(), floor=Severity.MEDIUM)
    for place, status, severity, address in messages:
        observation = an_observation(place, Status=status, Severity=severity, Entities=[an_ip(address)])
        transition = transition_for(observation, row, book, NOW, on_record=recorded.get(f"hub/0:{place}"))
        entry = transition.entry
        settled = [SETTLES[code] for step in entry.steps if (code := StepCode(step.partition("=")[0])) in SETTLES]
        assert (entry.outcome, entry.reason.partition(":")[0]) == settled[-1]
        assert entry.signal == KEY
        assert entry.turn == ((row.turn if row is not None else 0) + 1 if transition.turn is not None else None)
        recorded.setdefault(entry.key, Outcome(entry.outcome))
        row = row_after(transition) if transition.row is not None else row


SPANS = st.tuples(st.integers(0, 2 * MOST), st.integers(0, 2 * MOST)).map(lambda ends: range(min(ends), max(ends)))


def ids(numbers: range) -> list[str]:
    """Alerts that an incident names."""
    return [f"al-{number}" for number in numbers]


@given(first=SPANS, second=SPANS)
def test_what_is_known_of_an_incidents_alerts_is_bounded_and_more_of_them_are_news(first: range, second: range) -> None:
    """In whatever order they are named; the same or fewer change nothing, more than any message named before do."""
    known = fingerprints_after(fingerprints_after(frozenset(), ids(first)), ids(second))
    for again in (first, second, range(second.start, (second.start + second.stop) // 2)):
        assert fingerprints_after(known, reversed(ids(again))) == known
    assert len(known) <= 2 * MOST
    most = max(len(first), len(second), MOST)
    more = fingerprints_after(known, ids(range(most + 1)))
    assert more != known
    assert len(more) == MOST + 1


def test_up_to_so_many_each_alert_of_an_incident_is_known_by_its_fingerprint() -> None:
    """Beyond that the number counts; in a damaged row a number that is none is a fingerprint like others."""
    named = ids(range(MOST))
    assert fingerprints_after(frozenset(), named) == set(map(alert_fingerprint, named))
    assert fingerprints_after(frozenset(), [*named, "one more"]) > {f"+{MOST + 1}"}
    for damaged in ("+", "+x", "+" + "9" * 5000, "-1", "+१"):
        assert fingerprints_after({damaged}, ["a"]) == {damaged, alert_fingerprint("a")}


def test_a_time_and_a_place_are_believed_as_far_as_they_can_be() -> None:
    """A day ahead of its arrival, or of now in a file. What the hub dates earlier may be any number of events behind."""
    for arrival in (Arrival("hub/0", 1, NOW), Arrival("a file", 1)):
        just, beyond = Seen(NOW + DAY, arrival), Seen(NOW + DAY + timedelta(microseconds=1), arrival)
        assert just.without_impossible(NOW) == just
        assert beyond.without_impossible(NOW) == Seen(None, arrival)
    cases: list[tuple[datetime | None, int, datetime | None, bool]] = [
        (NOW, 2, NOW, True),
        (NOW, 1 + MOST_AT_ONCE, NOW, True),
        (NOW, 2 + MOST_AT_ONCE, NOW, False),
        (NOW - SECOND, 2 + MOST_AT_ONCE, NOW, True),
        (NOW + SKEW, 2, NOW, True),
        (NOW + SKEW + SECOND, 2, NOW, False),
        (None, 1 + MOST_DOCUMENTS, None, True),
        (None, 2 + MOST_DOCUMENTS, None, False),
    ]
    for dated, place, other, is_before in cases:
        assert Arrival("hub/0", 1, dated).is_before(Arrival("hub/0", place, other)) is is_before, (dated, place)
    earlier, later, undated = Arrival("hub/0", 9, NOW), Arrival("hub/1", 1, NOW + SECOND), Arrival("a file", 1)
    pairs = ((earlier, later), (later, earlier), (undated, later), (later, undated))
    assert [one.is_before(other) for one, other in pairs] == [True, False, False, False]
