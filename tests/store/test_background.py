"""What the state knows beside a notice when it is sent, read from each store as the deliver room reads it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from router.deliver import BackgroundReader
from router.domain.background import NO_BACKGROUND, Background, Counterpart, Earlier
from router.domain.decisions import Change
from router.domain.deliveries import SUSPECT, Claim, DeliveryState, Receipt
from router.domain.histories import History
from router.domain.rulebook import By, DestinationSpec, Grouping, Lane, Limit, Rulebook
from router.store.dead_letters import redrive
from router.store.delivery_status import find_histories, list_deliveries_at
from router.store.store import Store
from tests.builders import NOW, RESOURCE, a_destination, a_message, a_route, a_rulebook, alert_body
from tests.destinations.builders import a_notice
from tests.store.acts import claim, owe, run, settle
from tests.store.builders import OPENING, RESOLUTION, UPDATE, a_delivery
from tests.store.faulty import faulty
from tests.store.life import Life
from tests.store.opened import open_store
from tests.store.within import within

HOUR = timedelta(hours=1)
MINUTES = timedelta(minutes=2)
PAGER, TICKETS = a_destination("oncall", Lane.PAGE), a_destination("tickets")


def a_people_book(*specs: DestinationSpec) -> Rulebook:
    """A rulebook that pages, opens tickets and writes rows, of everything."""
    destinations = [*(specs or (PAGER, TICKETS)), a_destination("sentinel", Lane.ROWS)]
    return a_rulebook(routes=[a_route("all", "oncall", "tickets")], destinations=destinations)


@pytest.fixture
def life(store: Store) -> Life:
    """A life of a router with a pager and tickets."""
    return Life(store, a_people_book())


def background(life: Life, one: Claim, store: Store | None = None, lease: timedelta = MINUTES) -> Background:
    """What is read beside a claim."""
    reader = BackgroundReader("cwpp", life.book.destinations.values(), store or life.store)
    return run(reader.read([one], lease)).get(one.id, NO_BACKGROUND)


def send(life: Life, destination: str) -> list[Background]:
    """Sends what is due at a destination; what was read beside each."""
    read = []
    for one in life.claims(destination):
        read.append(background(life, one))
        life.settle(one, DeliveryState.SENT)
    return read


def test_the_later_of_page_and_ticket_names_the_earlier(life: Life) -> None:
    """Whichever is sent first, names nobody; neither is named that is owed it and did not take it yet."""
    life.alert()
    (first,) = send(life, "tickets")
    (second,) = send(life, "oncall")
    assert first.elsewhere == ()
    assert second.elsewhere == (Counterpart(destination="tickets", lane=Lane.TICKET, reference="INC0012345"),)


@pytest.mark.parametrize("is_down", [True, False])
def test_a_state_that_fails_or_hangs_costs_nothing_but_what_is_known_beside(life: Life, is_down: bool) -> None:
    """Nothing is raised, and a read takes a tenth of a claim's time at most."""
    life.alert()
    send(life, "tickets")
    (one,) = life.claims("oncall")
    broken, engine = faulty(life.store)
    (engine.down if is_down else engine.hung).add("beside")
    assert background(life, one, broken, timedelta(seconds=1)) == Background(opened=one.born)
    assert engine.seen["beside"] > 0
    assert background(life, one).elsewhere != ()


def test_what_is_over_elsewhere_is_named_no_more(life: Life) -> None:
    """Also where the resolution is on its way there; the next life of the alert begins without it."""
    life.alert()
    send(life, "tickets"), send(life, "oncall")
    life.alert("alert-1", Status="Resolved")
    (resolution,) = send(life, "oncall")
    assert resolution.elsewhere == ()
    send(life, "tickets")
    life.goes_on(1)
    life.alert("alert-1", StartTimeUtc=life.now.isoformat(), TimeGenerated=life.now.isoformat())
    assert [one.elsewhere for one in send(life, "oncall")] == [()]


def test_an_opening_that_died_elsewhere_told_nobody(life: Life) -> None:
    """A dead letter is no ticket."""
    life.alert()
    (dead,) = life.claims("tickets")
    life.settle(dead, DeliveryState.DEAD, error="400")
    assert [one.elsewhere for one in send(life, "oncall")] == [()]


@pytest.mark.parametrize("groups", [(True, True), (True, False), (False, True)])
def test_a_group_names_where_else_the_signal_is_in_whose_words_it_is(store: Store, groups: tuple[bool, bool]) -> None:
    """Each destination has groups and keys of its own, or none."""
    grouping = Grouping((By.ALERT_TYPE,), HOUR)
    specs = [
        replace(spec, group=grouping if is_so else None) for spec, is_so in zip((PAGER, TICKETS), groups, strict=True)
    ]
    life = Life(store, a_people_book(*specs))
    life.alert("alert-1")
    send(life, "tickets")
    assert [[one.destination for one in read.elsewhere] for read in send(life, "oncall")] == [["tickets"]]
    life.alert("alert-2")
    # The group's ticket, or one of its own that is not sent yet.
    expected = [["tickets"]] if groups[1] else [[]]
    assert [[one.destination for one in read.elsewhere] for read in send(life, "oncall")] == expected


def test_a_summary_names_nothing_of_one_of_many(store: Store) -> None:
    """It counts what a limit holds back."""
    life = Life(store, a_people_book(replace(PAGER, limit=Limit(1, HOUR)), TICKETS))
    for number in range(3):
        life.alert(f"alert-{number}")
    send(life, "tickets")
    read = send(life, "oncall")
    assert [len(one.elsewhere) for one in read] == [1, 0]
    assert [one.earlier for one in read] == [None, None]


def test_an_update_and_a_resolution_come_with_what_was_told_last_and_since_when(life: Life) -> None:
    """An opening has nothing before it, also where the alert was open before."""
    life.alert("alert-1", Severity="Medium")
    (opening,) = send(life, "oncall")
    life.goes_on(0.5)
    life.alert("alert-1", Severity="High")
    (update,) = send(life, "oncall")
    life.goes_on(0.5)
    life.alert("alert-1", Status="Resolved", Severity="High")
    (resolution,) = send(life, "oncall")
    assert (opening.last, opening.opened) == (None, NOW)
    assert [(one.last and one.last.severity, one.opened) for one in (update, resolution)] == [
        ("Medium", NOW),
        ("High", NOW),
    ]
    life.goes_on(1)
    again = life.now
    life.alert("alert-1", StartTimeUtc=again.isoformat(), TimeGenerated=again.isoformat())
    assert [(one.last, one.opened) for one in send(life, "oncall")] == [(None, again)]


def test_what_a_destination_took_in_an_earlier_life_is_no_word_on_this_one(store: Store) -> None:
    """Only what it took since the turn that opened the signal there."""
    opening, resolution, again, update = (
        replace(one, content=a_notice(turn=one.turn))
        for one in (OPENING, RESOLUTION, a_delivery(4, opened=4), a_delivery(5, Change.UPDATED, opened=4))
    )
    owe(store, opening)
    settle(store, claim(store)[0], DeliveryState.SENT)
    owe(store, resolution, again, update)
    settle(store, claim(store)[0], DeliveryState.SENT)
    settle(store, claim(store)[0], DeliveryState.DEAD, error="400")
    for stream, opened, expected in (
        ("cwpp", 4, History(opened=NOW)),
        ("cwpp", 1, History(last=a_notice(turn=3), opened=NOW)),
        ("cwpp", 9, History()),
        ("cspm", 4, History()),
    ):
        assert run(within(store, find_histories, stream, "tickets", {"k": opened})) == {"k": expected}


def test_deliveries_at_one_destination_come_by_turn_with_their_receipts(store: Store) -> None:
    """Those of another signal, and of another destination, do not."""
    owe(store, OPENING, UPDATE, replace(OPENING, destination="oncall"), a_delivery(key="other"))
    first = next(one for one in claim(store) if one.delivery.key == "k")
    receipt = Receipt(reference="INC1", link="https://contoso.example/INC1", handles={"sys_id": "x"})
    settle(store, first, DeliveryState.SENT, receipt=receipt)
    found = run(within(store, list_deliveries_at, "cwpp", ["tickets"], ["k"])).get(("tickets", "k"), [])
    assert [(one.turn, one.state, one.receipt, one.born) for one in found] == [
        (1, DeliveryState.SENT, receipt, NOW),
        (2, DeliveryState.OWED, None, NOW),
    ]
    assert run(within(store, list_deliveries_at, "cspm", ["tickets"], ["k"])).get(("tickets", "k"), []) == []


def ingest_at_intervals(life: Life, alerts: Sequence[tuple[str, dict[str, str]]]) -> None:
    for id, fields in alerts:
        life.alert(id, **fields)
        life.goes_on(1)


def test_an_opening_says_how_often_the_same_happened_on_the_resource_before(life: Life) -> None:
    """The type and the resource, whatever their case; neither another type, another resource nor a sample counts, nor does
    what comes later."""
    elsewhere = RESOURCE.replace("vm-1", "vm-2")
    ingest_at_intervals(
        life,
        [
            ("first", {}),
            ("second", {"AlertType": "vm_test", "AzureResourceId": RESOURCE.upper()}),
            ("below the floor", {"Severity": "Low"}),
            ("another type", {"AlertType": "VM_Other"}),
            ("another resource", {"AzureResourceId": elsewhere}),
            ("a longer one", {"AzureResourceId": f"/x{RESOURCE}"}),
            ("a sample", {"AlertType": "VM_Test", "AlertDisplayName": "[SAMPLE ALERT] Something happened"}),
        ],
    )
    life.deliver()
    life.alert("alert-1")
    claims = life.claims("oncall")
    life.goes_on(1)
    life.alert("later")
    third = NOW + timedelta(days=2)
    assert [background(life, one).earlier for one in claims] == [Earlier(count=3, last=third)]
    # The claim of what a group is told of, or of what is claimed alone, does not know.
    unknown = [replace(one, earlier=None) for one in claims]
    assert [background(life, one).earlier for one in unknown] == [Earlier(count=3, last=third)]


def test_samples_count_with_samples(life: Life) -> None:
    """A test of the way to the pager says nothing of real alerts, and they nothing of it."""
    title = {"AlertDisplayName": "[SAMPLE ALERT] Something happened"}
    ingest_at_intervals(life, [("real", {}), ("sample", title)])
    life.deliver()
    life.alert("alert-1", **title)
    assert [one.earlier for one in send(life, "oncall")] == [Earlier(count=1, last=NOW + timedelta(days=1))]


def test_a_signal_never_counts_itself(life: Life) -> None:
    """However often it came before, was over, and is sent again."""
    life.alert()
    life.goes_on(1)
    life.alert("alert-1", Status="Resolved")
    life.deliver()
    life.goes_on(1)
    life.alert("ALERT-1 ", TimeGenerated=life.now.isoformat(), StartTimeUtc=life.now.isoformat())
    (one,) = life.claims("oncall")
    assert one.delivery.change is Change.OPENED
    assert background(life, one).earlier is None
    life.settle(one, DeliveryState.DEAD, error="400")
    run(within(life.store, redrive, one.delivery.id, life.now + HOUR))
    life.now += HOUR
    assert [one.earlier for one in send(life, "oncall")] == [None]


def test_an_update_does_not_say_how_often_it_happened_before(life: Life) -> None:
    """People know it from its opening."""
    ingest_at_intervals(life, [("before", {}), ("alert-1", {"Severity": "Medium"})])
    life.deliver()
    life.alert("alert-1", Severity="High")
    assert [one.earlier for one in send(life, "oncall")] == [None]


def test_beyond_a_hundred_signals_there_may_be_more(life: Life) -> None:
    """A busy resource costs no more than that."""
    life.ingest(*(a_message(alert_body(f"before-{number}")) for number in range(101)))
    life.deliver()
    life.goes_on(1)
    life.alert()
    (read,) = send(life, "oncall")
    assert read.earlier is not None
    assert (read.earlier.is_whole, read.earlier.count) in {(False, 99), (False, 100)}


def test_what_killed_workers_goes_with_nothing_beside_it(life: Life) -> None:
    """Reading may be what killed them."""
    life.alert()
    send(life, "tickets")
    (one,) = life.claims("oncall")
    assert background(life, replace(one, lost=SUSPECT - 1)).elsewhere
    assert background(life, replace(one, lost=SUSPECT)) == Background()


def test_a_notice_that_cannot_be_decoded_any_more_is_no_last_one(tmp_path: Path) -> None:
    """What is sent goes without it."""
    life = Life(open_store(tmp_path), a_people_book())
    life.alert("alert-1", Severity="Medium")
    send(life, "oncall")
    with closing(sqlite3.connect(tmp_path / "router.db")) as db, db:
        db.execute("UPDATE notices SET body=x'ff' WHERE turn=1")
    life.alert("alert-1", Severity="High")
    assert [(one.last, one.opened) for one in send(life, "oncall")] == [(None, NOW)]
    run(life.store.close())
