"""What every store forgets, and what it never forgets."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from router.app.forgetting import rules_of
from router.domain.decisions import Change, Outcome
from router.domain.deliveries import DeliveryState
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.errors import StoreError
from router.domain.ledger import RECORD, record_delivery
from router.domain.retention import DAYS, Retention
from router.domain.rulebook import By, Grouping
from router.store.dead_letters import discard, redrive
from router.store.decisions import put_on_record, read_counts, search_signals
from router.store.delivery_status import find_last_notice, list_deliveries
from router.store.documents import list_documents, put_document
from router.store.forgetting import STEP
from router.store.quarantine import list_quarantined
from router.store.rules import read_hits
from tests.builders import NOW, a_destination, a_message, a_route, a_rule, a_rulebook, alert_body, an_ip
from tests.store.acts import DAY, claim, find_rows, letters_in, owe, run, settle, states, write_rows
from tests.store.builders import a_row, an_entry
from tests.store.deadly import Deadly
from tests.store.life import TICKET, Life
from tests.store.opened import Store
from tests.store.within import within

INSTANT = timedelta(microseconds=1)
HELD: dict[str, Any] = {"Entities": [an_ip("10.20.0.5")]}
ROWS = a_rulebook(otherwise=(), routes=[a_route("rows", "sentinel")])


@pytest.fixture
def life(store: Store) -> Life:
    """A router over each store."""
    return Life(store)


def lives_on(life: Life, age: timedelta) -> None:
    """Goes on until the present is that old, and forgets; what is looked at a little later too."""
    life.now = NOW + age
    life.forget()


@pytest.mark.parametrize(("severity", "days"), [("Low", 14), ("High", 90)])
def test_a_decision_is_kept_as_long_as_its_outcome_says(life: Life, severity: str, days: int) -> None:
    """To the instant: 14 days below the floor, else 90."""
    life.alert(Severity=severity)
    lives_on(life, days * DAY - INSTANT)
    assert len(life.decisions()) == 1
    lives_on(life, days * DAY)
    assert life.decisions() == []


def test_a_setting_says_how_long_decisions_are_kept(life: Life) -> None:
    """Each outcome for itself."""
    life.retention = Retention(decisions={**DAYS, Outcome.BELOW_FLOOR: 2 * DAY, Outcome.ROUTED: 200 * DAY})
    life.alert("low", Severity="Low")
    life.alert("high")
    lives_on(life, 2 * DAY)
    assert (life.decisions("low"), life.decisions("high")) == ([], ["routed"])
    lives_on(life, 199 * DAY)
    assert life.decisions("high") == ["routed"]
    lives_on(life, 200 * DAY)
    assert life.decisions("high") == []


@pytest.mark.parametrize(("severity", "days"), [("Low", 14), ("High", 90)])
def test_a_signal_that_never_ends_is_kept_so_long_after_its_last_message(
    store: Store, severity: str, days: int
) -> None:
    """A repeat counts as well as a change."""
    life = Life(store, ROWS)
    life.alert(Severity=severity)
    life.deliver()
    life.goes_on(10)
    life.alert(Severity=severity)
    life.deliver()
    lives_on(life, (10 + days) * DAY - INSTANT)
    assert life.row() is not None
    lives_on(life, (10 + days) * DAY)
    assert life.row() is None
    assert life.deliveries() == []
    assert run(within(store, search_signals, "alert-1", 10)) == []


def test_a_signal_that_ended_is_kept_90_days_from_its_end(life: Life) -> None:
    """Long enough that a late repeat finds it."""
    life.alert()
    life.deliver()
    life.goes_on(30)
    life.alert(Status="Resolved")
    life.deliver()
    lives_on(life, 120 * DAY - INSTANT)
    assert life.row() is not None
    lives_on(life, 121 * DAY)
    assert (life.row(), life.deliveries(), life.decisions()) == (None, [], [])


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


def test_a_finding_that_changes_for_years_leaves_no_trail_of_notices(store: Store) -> None:
    """What opened it is kept, and the last that was sent; what stayed as the last goes with a later one."""
    life = Life(store, ROWS)
    for severity in ("High", "Critical") * 2:
        life.alert(Severity=severity)
        life.deliver()
        for _ in range(2):
            life.goes_on(60)
            life.alert(Severity=severity)
        life.forget()
    assert life.deliveries() == [("sentinel", 1), ("sentinel", 4)]
    notice = run(within(store, find_last_notice, "cwpp", "sentinel", life.key()))
    assert notice is not None
    assert notice.severity == "Critical"


def test_what_a_rule_holds_is_kept_however_old_it_is(store: Store) -> None:
    """It comes out at the end of its rule, also where nobody looked for a year."""
    life = Life(store, a_rulebook(a_rule(expires=NOW + 300 * DAY)))
    assert life.alert(**HELD).outcome == "suppressed"
    lives_on(life, 299 * DAY)
    assert life.row() is not None
    lives_on(life, 420 * DAY)
    life.release()
    assert {one.delivery.destination for one in life.deliver()} == {"tickets", "sentinel"}


def test_what_is_owed_or_dead_is_kept_until_somebody_acts(life: Life) -> None:
    """A dead letter has all that it needs to be sent a year later."""
    life.alert("dead")
    life.deliver(DeliveryState.DEAD)
    life.alert("owed")
    lives_on(life, 400 * DAY)
    assert None not in (life.row("dead"), life.row("owed"))
    for letter in run(letters_in(life.store)):
        run(within(life.store, redrive, letter.delivery.id, life.now))
    assert sorted(one.delivery.key for one in life.deliver()) == sorted([life.key("dead"), life.key("owed")] * 2)
    life.alert("dead", Status="Resolved")
    life.deliver()
    lives_on(life, 520 * DAY)
    assert life.row("dead") is None


def test_the_quarantine_is_kept_until_somebody_acts(life: Life) -> None:
    """Nobody looks at it for a year, and it is still there."""
    life.ingest(a_message(b"?"))
    lives_on(life, 400 * DAY)
    assert len(run(within(life.store, list_quarantined))) == 1


def test_what_the_records_second_home_got_goes_with_the_decision(store: Store) -> None:
    """It belongs to a message, not to a signal, so nothing stands that would need it."""
    entry = an_entry("cwpp:0:1:7", stream="cwpp", outcome=Outcome.BELOW_FLOOR.value)
    run(within(store, put_on_record, [entry]))
    delivery = record_delivery(entry, "cwpp")
    owe(store, delivery)
    settle(store, claim(store, destination=delivery.destination)[0], DeliveryState.SENT)
    life = Life(store)
    lives_on(life, 14 * DAY - INSTANT)
    assert states(store) == {DeliveryState.SENT: 1}
    lives_on(life, 14 * DAY)
    assert states(store) == {}


def test_a_group_that_is_over_goes_with_what_was_told_of_it(store: Store) -> None:
    """Its members, its window and its deliveries; where it stands, its opening's receipt is kept."""
    tickets = replace(a_destination("tickets"), group=Grouping(by=(By.ALERT_TYPE,), window=timedelta(hours=1)))
    book = a_rulebook(always=(), destinations=[tickets])
    life = Life(store, book)
    for id in ("one", "two"):
        life.alert(id)
        life.deliver()
    lives_on(life, 200 * DAY)
    assert life.row("one") is not None
    for id in ("one", "two"):
        life.alert(id, Status="Resolved")
    (resolution,) = life.deliver()
    assert resolution.opening == TICKET
    lives_on(life, 400 * DAY)
    life.forget()
    lives_on(life, 420 * DAY)
    assert (life.row("one"), states(store)) == (None, {})


def test_counts_are_kept_400_days_and_hits_as_long_as_the_rule_is_there(store: Store) -> None:
    """A year can be held against the year before, and a rule's whole life is known."""
    life = Life(store, a_rulebook(a_rule(expires=NOW + 10 * DAY)))
    life.alert(**HELD)
    hour = NOW.replace(minute=0)
    for age in (399 * DAY, 401 * DAY):
        life.now = NOW + age
        life.forget([("cwpp", "scanner")])
        found = run(within(store, read_counts, hour, hour + timedelta(hours=1)))
        assert bool(found) is (age < 400 * DAY)
    assert run(within(store, read_hits, "cwpp"))["scanner"].total == 1
    life.forget()
    assert run(within(store, read_hits, "cwpp")) == {}


def test_a_rule_with_a_long_name_keeps_its_hits(store: Store) -> None:
    """Hits are counted under as much of it as a cell holds."""
    name = "scanner-" * 50
    life = Life(store, a_rulebook(a_rule(name, expires=NOW + 10 * DAY)))
    life.alert(**HELD)
    life.now = NOW + 401 * DAY
    life.forget(rules_of([life.book]))
    (hits,) = run(within(store, read_hits, "cwpp")).values()
    assert hits.total == 1


def test_a_decision_at_the_end_of_time_stops_no_sweep(life: Life) -> None:
    """A clock may show anything, and everything else is forgotten all the same."""
    run(within(life.store, put_on_record, [an_entry("h:1", at="9999-12-31T23:59:59.999999Z")]))
    life.alert(Severity="Low")
    lives_on(life, 14 * DAY)
    assert life.decisions() == []


@pytest.mark.parametrize(("kind", "days"), [(DocumentKind.SILENCE, 400), (DocumentKind.FACT, 90)])
def test_documents_are_kept_as_long_as_their_kind_says(life: Life, kind: DocumentKind, days: int) -> None:
    """From the instant that they name: what ends in a year is kept a year longer."""
    run(within(life.store, put_document, StoredDocument(kind=kind, id="x", at=NOW, body=b"{}")))
    lives_on(life, days * DAY - INSTANT)
    assert len(run(within(life.store, list_documents, kind))) == 1
    lives_on(life, days * DAY)
    assert run(within(life.store, list_documents, kind)) == []


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
    assert [(one.destination, one.turn) for one in run(within(store, list_deliveries, life.key()))] == [
        ("sentinel", 1),
        ("sentinel", 4),
        ("tickets", 1),
        ("tickets", 2),
        ("tickets", 3),
        ("tickets", 4),
    ]
    (letter,) = run(letters_in(store))
    assert letter.delivery.turn == 2


@pytest.mark.parametrize("days", [300, 20_000])
def test_a_clock_that_is_set_back_for_a_while_ages_nothing(life: Life, days: int) -> None:
    """Nobody knows which of two clocks is wrong, and what is ahead by less than a year or so goes in its time anyway.

    One that shows a time before this program was there certainly is.
    """
    life.alert("low", Severity="Low")
    life.alert("high")
    life.deliver()
    lives_on(life, -days * DAY)
    lives_on(life, DAY)
    assert (life.decisions("low"), life.decisions("high")) == (["below_floor"], ["routed"])
    assert None not in (life.row("low"), life.row("high"))
    lives_on(life, 13 * DAY)
    assert life.row("low") is not None


@pytest.mark.parametrize("is_redriven", [False, True])
def test_a_dead_letter_that_outlived_its_decision_goes_once_somebody_saw_to_it(store: Store, is_redriven: bool) -> None:
    """What the record's second home was owed belongs to no signal with which it would go."""
    entry = an_entry("cwpp:0:1:7", stream="cwpp", outcome=Outcome.BELOW_FLOOR.value)
    run(within(store, put_on_record, [entry]))
    owe(store, record_delivery(entry, "cwpp"))
    settle(store, claim(store, destination=RECORD)[0], DeliveryState.DEAD, error="answered 400")
    life = Life(store)
    lives_on(life, 20 * DAY)
    (letter,) = run(letters_in(store))
    if is_redriven:
        run(within(store, redrive, letter.delivery.id, life.now))
        life.settle(claim(store, destination=RECORD, after=20 * DAY)[0], DeliveryState.SENT)
    else:
        assert run(within(store, discard, letter.delivery.id, life.now))
    lives_on(life, 109 * DAY)
    assert sum(states(store).values()) == 1
    lives_on(life, 110 * DAY)
    assert states(store) == {}


LOW = [f"low-{number}" for number in range(STEP + 1)]
STAY = ("open", "dead", "owed", "held")


def ninety_days_old(store: Store) -> Life:
    """Of each sort that goes and that stays something, more of it than one step takes."""
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
    return life


def what_stays(life: Life) -> list[object]:
    """What is known, delivered, owed and dead of the signals that stay."""
    return [*((life.row(id), life.deliveries(id)) for id in STAY), run(letters_in(life.store))]


@pytest.mark.parametrize("is_done", [False, True])
def test_wherever_a_sweep_breaks_off_nothing_goes_that_is_needed_and_the_next_one_goes_on(
    store: Store, is_done: bool
) -> None:
    """At any statement or commit, also where only its answer is lost."""
    life = ninety_days_old(store)
    before = what_stays(life)
    for step in count(1):
        worker = Deadly(store, step, is_done)
        with suppress(StoreError):
            run(worker.forget(life.now, life.retention, (), 100_000))
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
    assert done == [False] * 4 + [True]
    assert find_rows(life.store, [life.key(id) for id in LOW]) == {}
    assert life.forget().number == 0


def test_a_step_reads_no_more_however_much_is_kept(sqlite: Store) -> None:
    """What is old and stays is marked once; each statement finds what is old by an index, in a file without statistics."""
    life, asked, steps = ninety_days_old(sqlite), list[str](), list[int]()
    assert sqlite._file is not None
    db = sqlite._file.db
    db.set_trace_callback(asked.append)
    life.forget()
    db.set_trace_callback(None)
    for number in (10, 1000):
        write_rows(sqlite, [a_row(f"{n}", outcome=Outcome.SUPPRESSED, heard=NOW) for n in range(number)])
        life.forget()
        steps.append(0)

        def counted() -> None:
            steps[-1] += 1

        db.set_progress_handler(counted, 1)
        life.forget()
        db.set_progress_handler(None, 1)
    statements = [one for one in asked if one.lstrip().startswith(("SELECT", "DELETE", "UPDATE"))]
    plans = {one: [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {one}")] for one in statements}
    assert steps[0] == steps[1]
    found = {f"SCAN {name}" for name in ("json_each", *Outcome)}
    assert [
        one for one, plan in plans.items() if any(re.match(r"SCAN \w+$", step) and step not in found for step in plan)
    ] == []
