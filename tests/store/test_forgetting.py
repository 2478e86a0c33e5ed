"""What every store forgets and what it never forgets, and by which clock."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain.decisions import Change, Outcome
from router.domain.deliveries import DeliveryState
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.errors import StoreError
from router.domain.rulebook import Rulebook
from router.store.changes import ChangeAction, ChangeEntry, list_changes, write_change
from router.store.dead_letters import discard, redrive
from router.store.decisions import put_on_record, search_signals
from router.store.documents import list_documents, put_document
from router.store.forgetting import STEP, forget
from router.store.ledger import RECORD, record_delivery
from router.store.quarantine import list_quarantined
from router.store.retention import DAYS, ClockWitness, Retention, forgets_by, witness_after
from router.store.rules import note_rules, read_hits
from router.store.sessions import Session, begin_session
from router.store.sources import list_sources
from tests.builders import NOW, a_message, a_route, a_rule, a_rulebook, alert_body, an_ip
from tests.store.acts import DAY, INSTANT, ask, claim, find_rows, letters_in, owe, read_counts, run, settle, states
from tests.store.builders import an_entry
from tests.store.deadly import Deadly
from tests.store.life import TICKET, Life
from tests.store.opened import Store, everything_in

HELD: dict[str, Any] = {"Entities": [an_ip("10.20.0.5")]}
BOOK = a_rulebook()
ROWS = a_rulebook(otherwise=(), routes=[a_route("rows", "sentinel")])


@pytest.fixture
def life(store: Store) -> Life:
    """A router over each store."""
    return Life(store)


def lives_on(life: Life, age: timedelta) -> None:
    """Goes on until the present is that old, and forgets; what is looked at a little later too."""
    life.now = NOW + age
    life.forget()


def an_alert(**fields: Any) -> Callable[[Life], object]:
    """An alert comes and is delivered."""
    return lambda life: (life.alert(**fields), life.deliver())


def later(days: int, **fields: object) -> Callable[[Life], object]:
    """So does the same one some days later, and is delivered."""

    def happens(life: Life) -> None:
        an_alert()(life)
        life.goes_on(days)
        an_alert(**fields)(life)

    return happens


def a_document(kind: DocumentKind) -> Callable[[Life], object]:
    """A document is written."""
    document = StoredDocument(kind=kind, id="x", at=NOW, body=b"{}")
    return lambda life: ask(life.store, put_document, document)


def a_change(life: Life) -> None:
    """A person holds a destination."""
    held = ChangeEntry(at=NOW, author="ana", action=ChangeAction.HELD, stream="cwpp", subject="tickets")
    ask(life.store, write_change, held)


def a_session(life: Life) -> None:
    """A person signs in to the console, and out."""
    times = {"since": NOW, "seen": NOW, "until": NOW}
    session = Session(id="a", attempt="b", name="ana", subject="4711", role="Reader", **times)
    assert ask(life.store, begin_session, session)


def own_settings(life: Life) -> None:
    """An alert below the floor comes under a setting of its own."""
    life.retention = Retention(decisions={**DAYS, Outcome.BELOW_FLOOR: 2 * DAY})
    an_alert(Severity="Low")(life)


def a_second_home(state: DeliveryState) -> Callable[[Life], object]:
    """The record's second home is owed a decision, which ends."""

    def owed(life: Life) -> None:
        entry = an_entry("cwpp:0:1:7", stream="cwpp", outcome=Outcome.BELOW_FLOOR.value)
        ask(life.store, put_on_record, [entry])
        owe(life.store, record_delivery(entry, "cwpp"))
        settle(life.store, claim(life.store, destination=RECORD)[0], state)

    return owed


def a_held_one(life: Life) -> None:
    """A rule with a name longer than a cell holds an alert, which comes out at its end, though nothing looked for a year."""
    life.book = a_rulebook(a_rule("scanner-" * 50, expires=NOW + 300 * DAY))
    life.alert(**HELD)
    life.now = NOW + 399 * DAY
    life.forget()
    assert [entry.outcome for entry in life.release()] == ["routed"]
    ask(life.store, note_rules, "cwpp", life.book.suppressions.by_name, life.now)
    life.forget()
    assert [one.total for one in ask(life.store, read_hits, "cwpp").values()] == [1], "as long as it is there"
    life.now = NOW


def has_signal(life: Life) -> bool:
    is_found = bool(ask(life.store, search_signals, "alert-1", 10))
    assert is_found is (life.row() is not None), "what finds a signal goes with it"
    return is_found


def has_document(kind: DocumentKind) -> Callable[[Life], bool]:
    return lambda life: bool(ask(life.store, list_documents, kind))


@pytest.mark.parametrize(
    ("book", "happens", "is_there", "days"),
    [
        (BOOK, an_alert(Severity="Low"), Life.decisions, 14),
        (BOOK, own_settings, Life.decisions, 2),
        (BOOK, an_alert(), Life.decisions, 90),
        (ROWS, later(10), has_signal, 100),
        (ROWS, an_alert(Severity="Low"), has_signal, 14),
        (BOOK, later(30, Status="Resolved"), has_signal, 120),
        (BOOK, a_second_home(DeliveryState.SENT), lambda life: states(life.store), 14),
        (BOOK, a_document(DocumentKind.SILENCE), has_document(DocumentKind.SILENCE), 400),
        (BOOK, a_document(DocumentKind.FACT), has_document(DocumentKind.FACT), 90),
        (BOOK, a_session, lambda life: run(everything_in(life.store))["sessions"], 1),
        (BOOK, a_change, lambda life: ask(life.store, list_changes, None, 1), 400),
        (BOOK, an_alert(), lambda life: ask(life.store, list_sources), 400),
        (BOOK, a_held_one, lambda life: min(ask(life.store, read_counts), default=NOW + DAY) < NOW + DAY, 400),
    ],
)
def test_a_thing_is_kept_to_the_instant_that_is_promised(
    store: Store, book: Rulebook, happens: Callable[[Life], object], is_there: Callable[[Life], object], days: int
) -> None:
    """Decisions by their outcome; a signal from its end or its last message on, a repeat too; documents from their own time."""
    life = Life(store, book)
    happens(life)
    for age, is_kept in ((timedelta(), True), (days * DAY - INSTANT, True), (days * DAY, False)):
        lives_on(life, max(age, life.now - NOW))
        assert bool(is_there(life)) is is_kept
    assert life.row() is not None or life.deliveries() == []


def test_where_a_signal_is_open_to_people_it_is_kept_until_it_is_resolved_there(life: Life) -> None:
    """A resolution finds its ticket a year later. Then it goes, and if it comes again it begins anew."""
    life.alert()
    life.deliver()
    for days in (100, 300):
        life.goes_on(days)
        life.forget()
    assert life.deliveries() == [("sentinel", 1), ("tickets", 1)]
    life.alert(Status="Resolved")
    (resolution,) = [one for one in life.deliver() if one.delivery.destination == "tickets"]
    assert (resolution.delivery.change, resolution.opening) == (Change.RESOLVED, TICKET)
    lives_on(life, 490 * DAY)
    assert (life.row(), life.deliveries()) == (None, [])
    entry = life.alert()
    assert (entry.outcome, entry.turn) == ("routed", 1)
    assert [one.delivery.change for one in life.deliver()] == [Change.OPENED, Change.OPENED]


def test_what_is_owed_or_dead_is_kept_until_a_person_acts(life: Life) -> None:
    """A dead letter has all that it needs to be sent a year later; so has what is in quarantine."""
    life.alert("dead")
    life.deliver(DeliveryState.DEAD)
    life.alert("owed"), life.ingest(a_message(b"?"))
    lives_on(life, 400 * DAY)
    assert None not in (life.row("dead"), life.row("owed"))
    assert len(ask(life.store, list_quarantined)) == 1
    for letter in run(letters_in(life.store)):
        ask(life.store, redrive, letter.id, life.now)
    assert sorted(one.delivery.key for one in life.deliver()) == sorted([life.key("dead"), life.key("owed")] * 2)
    life.alert("dead", Status="Resolved")
    life.deliver()
    lives_on(life, 520 * DAY)
    assert life.row("dead") is None


@pytest.mark.usefixtures("either")
def test_what_two_destinations_were_told_is_kept_for_the_one_where_it_is_dead(store: Store) -> None:
    """One notice goes to both; what is left of it is whole."""
    life = Life(store)
    life.alert()
    life.deliver()
    life.alert(Severity="Critical")
    for destination, state in (("sentinel", DeliveryState.SENT), ("tickets", DeliveryState.DEAD)):
        (claimed,) = life.claims(destination)
        life.settle(claimed, state)
    for severity in ("High", "Critical"):
        life.alert(Severity=severity)
        life.deliver()
    lives_on(life, 200 * DAY)
    assert life.deliveries() == [("sentinel", 1), ("sentinel", 4), *(("tickets", turn) for turn in (1, 2, 3, 4))]
    assert [letter.delivery and letter.delivery.turn for letter in run(letters_in(store))] == [2]


@pytest.mark.parametrize("days", [300, 20_000])
def test_a_clock_that_is_set_back_for_a_while_ages_nothing(life: Life, days: int) -> None:
    """It is not known which of two clocks is wrong, and what is ahead by less than a year or so goes in its time anyway.

    One that shows a time before this program was there certainly is. A decision at the end of time stops no sweep.
    """
    ask(life.store, put_on_record, [an_entry("h:1", at="9999-12-31T23:59:59.999999Z")])
    life.alert("low", Severity="Low"), life.alert("high")
    for age in (-days, 1):
        lives_on(life, age * DAY)
    assert (life.decisions("low"), life.decisions("high")) == (["below_floor"], ["routed"])
    lives_on(life, 14 * DAY)
    assert (life.decisions("low"), life.decisions("high")) == ([], ["routed"])


@pytest.mark.parametrize("is_redriven", [False, True])
def test_a_dead_letter_that_outlived_its_decision_is_kept_until_a_person_acts(life: Life, is_redriven: bool) -> None:
    """And 90 days on. What the record's second home was owed belongs to no signal with which it would go."""
    a_second_home(DeliveryState.DEAD)(life)
    lives_on(life, 20 * DAY)
    (letter,) = run(letters_in(life.store))
    ask(life.store, redrive if is_redriven else discard, letter.id, life.now)
    if is_redriven:
        life.settle(claim(life.store, destination=RECORD, after=20 * DAY)[0], DeliveryState.SENT)
    for days, many in ((109, 1), (110, 0)):
        lives_on(life, days * DAY)
        assert sum(states(life.store).values()) == many


LOW = [f"low-{number}" for number in range(STEP + 1)]
STAY = ("open", "dead", "owed", "held")


def what_stays(life: Life) -> list[object]:
    """What is known, delivered, owed and dead of the signals that stay."""
    return [*((life.row(id), life.deliveries(id)) for id in STAY), run(letters_in(life.store))]


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("is_done", [False, True])
def test_wherever_a_sweep_breaks_off_nothing_goes_that_is_needed(store: Store, is_done: bool) -> None:
    """At any statement or commit, also where only its answer is lost; the next one goes on."""
    # Of each sort that goes and that stays something, more of it than one step takes.
    life = Life(store, a_rulebook(a_rule(expires=NOW + 300 * DAY)))
    life.alert("held", **HELD)
    for id in ("over", "dead", "open"):
        life.alert(id)
    life.deliver()
    life.alert("dead", Severity="Critical")
    life.deliver(DeliveryState.DEAD)
    for id in ("over", "dead"):
        life.alert(id, Status="Resolved")
    life.deliver()
    life.alert("owed")
    life.ingest(*(a_message(alert_body(id, Severity="Low"), at=NOW) for id in LOW))
    life.now = NOW + 91 * DAY
    before = what_stays(life)
    for step in count(1):
        worker = Deadly(store, step, is_done)
        with suppress(StoreError):
            run(forget(worker, life.now, life.retention, 100_000))
        assert what_stays(life) == before
        if not worker.died:
            break
    assert find_rows(store, [life.key(id) for id in (*LOW, "over")]) == {}
    assert (life.decisions("over"), life.decisions("open"), life.deliveries("over")) == ([], [], [])


def test_a_sweep_takes_as_many_steps_as_it_may_and_says_when_it_is_done(life: Life) -> None:
    """Then nothing is left to look at."""
    life.ingest(*(a_message(alert_body(id, Severity="Low"), at=life.now) for id in LOW))
    life.now += 20 * DAY
    done = [life.forget(most=1).is_done for _ in range(5)]
    assert done == [False] * 3 + [True] * 2
    assert find_rows(life.store, [life.key(id) for id in LOW]) == {}
    assert life.forget().number == 0


HOURS = st.lists(st.integers(0, 400 * 24), max_size=30)


@given(HOURS, st.integers(0, 30), st.integers(1, 100_000))
def test_a_clock_that_is_wrong_for_minutes_forgets_nothing_too_early(hours: list[int], place: int, ahead: int) -> None:
    """However often it is looked at meanwhile, and whenever somebody looked before."""
    witness = ClockWitness()
    for number, hour in enumerate([*sorted(hours), 401 * 24]):
        now = NOW + timedelta(hours=hour)
        wrong = [now + timedelta(hours=ahead, minutes=minutes) for minutes in (0, 1, 30, 59)]
        for shown in (*(wrong if number == place else ()), now):
            witness = witness_after(witness, shown)
            by = forgets_by(witness, shown)
            assert by is None or by <= now


@given(st.lists(st.integers(1, 60 * 24), min_size=1, max_size=30))
def test_however_seldom_somebody_looks_what_is_old_goes(gaps: list[int]) -> None:
    """What one look showed the next one confirms: forgetting is one gap behind."""
    witness, now = witness_after(ClockWitness(), NOW), NOW
    assert forgets_by(witness, now) is None
    for hours in gaps:
        before, now = now, now + timedelta(hours=hours)
        witness = witness_after(witness, now)
        assert forgets_by(witness, now) == before
