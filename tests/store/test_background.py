"""What the state knows beside a notice when it is sent, read from each store as the deliver room reads it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from router.deliver.background import BackgroundReader
from router.domain.decisions import Change
from router.domain.deliveries import NO_BACKGROUND, SUSPECT, Background, Claim, Counterpart, DeliveryState, Earlier
from router.domain.rulebook import By, DestinationSpec, Grouping, Lane, Limit, Rulebook
from router.store.dead_letters import redrive
from router.store.store import Store
from tests.builders import NOW, RESOURCE, a_destination, a_message, a_route, a_rulebook, alert_body
from tests.store.acts import run
from tests.store.faulty import faulty
from tests.store.life import Life
from tests.store.opened import changed
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


def elsewhere(life: Life, destination: str) -> list[list[str]]:
    """Sends what is due at a destination; where else each was open then."""
    return [[one.destination for one in read.elsewhere] for read in send(life, destination)]


@pytest.mark.usefixtures("either")
def test_the_later_of_page_and_ticket_names_the_earlier(life: Life) -> None:
    """Whichever is sent first names nobody; what is over there, or on its way to be, is named no more, nor is a dead letter."""
    life.alert()
    assert elsewhere(life, "tickets") == [[]]
    (read,) = send(life, "oncall")
    assert read.elsewhere == (Counterpart(destination="tickets", lane=Lane.TICKET, reference="INC0012345"),)
    life.alert(Status="Resolved")
    assert elsewhere(life, "oncall") == [[]]
    send(life, "tickets")
    life.goes_on(1)
    life.alert(StartTimeUtc=life.now.isoformat(), TimeGenerated=life.now.isoformat())
    (dead,) = life.claims("tickets")
    life.settle(dead, DeliveryState.DEAD, error="400")
    assert elsewhere(life, "oncall") == [[]]


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
    assert elsewhere(life, "oncall") == [["tickets"]]
    life.alert("alert-2")
    # The group's ticket, or one of its own that is not sent yet.
    assert elsewhere(life, "oncall") == ([["tickets"]] if groups[1] else [[]])


def test_a_summary_names_nothing_of_one_of_many(store: Store) -> None:
    """It counts what a limit holds back."""
    life = Life(store, a_people_book(replace(PAGER, limit=Limit(1, HOUR)), TICKETS))
    for number in range(3):
        life.alert(f"alert-{number}")
    send(life, "tickets")
    read = send(life, "oncall")
    assert [len(one.elsewhere) for one in read] == [1, 0]
    assert [one.earlier for one in read] == [None, None]


def test_what_is_told_comes_with_what_was_told_last_and_since_when(life: Life) -> None:
    """An opening has nothing before it, also where the alert was open before; and a notice that is damaged is no last one."""

    def known_before(**fields: object) -> tuple[str | None, datetime | None]:
        """Half a day after the last message: the severity that the pager was told before, and since when the alert is open."""
        life.alert("alert-1", **fields)
        (read,) = send(life, "oncall")
        life.goes_on(0.5)
        return read.last.severity if read.last else None, read.opened

    assert known_before(Severity="Medium") == (None, NOW)
    assert known_before(Severity="High") == ("Medium", NOW)
    assert known_before(Severity="High", Status="Resolved") == ("High", NOW)
    again = life.now
    times = {"StartTimeUtc": again.isoformat(), "TimeGenerated": again.isoformat()}
    assert known_before(Severity="Medium", **times) == (None, again)
    run(changed(life.store, "UPDATE notices SET body=?", b"\xff"))
    assert known_before(Severity="High", **times) == (None, again)


@pytest.mark.usefixtures("either")
def test_an_opening_says_how_often_the_same_happened_on_the_resource_before(life: Life) -> None:
    """Of the type and the resource, whatever their case, and before it; samples count with samples. An update says nothing."""
    title = "[SAMPLE ALERT] Something happened"
    for id, fields in (
        ("first", {}),
        ("second", {"AlertType": "vm_test", "AzureResourceId": RESOURCE.upper()}),
        ("below the floor", {"Severity": "Low"}),
        ("another type", {"AlertType": "VM_Other"}),
        ("another resource", {"AzureResourceId": RESOURCE.replace("vm-1", "vm-2")}),
        ("a longer one", {"AzureResourceId": f"/x{RESOURCE}"}),
        ("a sample", {"AlertDisplayName": title}),
    ):
        life.alert(id, **fields)
        life.goes_on(1)
    life.deliver()
    life.alert("alert-1", Severity="Medium"), life.alert("another sample", AlertDisplayName=title)
    claims = life.claims("oncall")
    life.goes_on(1)
    life.alert("later")
    third, seventh = NOW + timedelta(days=2), NOW + timedelta(days=6)
    expected = [Earlier(count=3, last=third), Earlier(count=1, last=seventh)]
    assert [background(life, one).earlier for one in claims] == expected
    # The claim of what a group is told of, or of what is claimed alone, does not know.
    assert [background(life, replace(one, earlier=None)).earlier for one in claims] == expected
    life.deliver()
    life.alert("alert-1", Severity="High")
    assert [one.earlier for one in send(life, "oncall")] == [None]


def test_a_signal_never_counts_itself(life: Life) -> None:
    """However often it came before, was over, and is sent again."""
    life.alert()
    life.goes_on(1)
    life.alert(Status="Resolved")
    life.deliver()
    life.goes_on(1)
    life.alert("ALERT-1 ", TimeGenerated=life.now.isoformat(), StartTimeUtc=life.now.isoformat())
    (one,) = life.claims("oncall")
    assert (one.delivery.change, background(life, one).earlier) == (Change.OPENED, None)
    life.settle(one, DeliveryState.DEAD, error="400")
    life.now += HOUR
    run(within(life.store, redrive, one.delivery.id, life.now))
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
