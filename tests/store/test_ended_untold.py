"""What ended before its destination was told of it: tickets hear of what the rules page as well, and nobody of the rest."""

from __future__ import annotations

from router.domain.decisions import Change
from router.domain.deliveries import DeliveryState, Redrive
from router.domain.rulebook import Clause, Lane
from router.domain.severity import Severity
from router.store.dead_letters import give_up_deliveries, redrive
from router.store.store import Store
from tests.builders import a_destination, a_route, a_rulebook
from tests.store.acts import LEASE, letters_in, run
from tests.store.life import Life
from tests.store.within import within

HIGH = Clause("severity", "High", lambda signal, attack: signal.severity is Severity.HIGH)
PAGER, TICKETS, MORE = a_destination("oncall", Lane.PAGE), a_destination("tickets"), a_destination("more")


def a_paging_life(store: Store) -> Life:
    """Messages are taken in under rules that page what is High, and open tickets of everything at two destinations."""
    routes = [a_route("page", "oncall", when=[HIGH]), a_route("all", "tickets", "more")]
    return Life(store, a_rulebook(routes=routes, destinations=[PAGER, TICKETS, MORE]))


def heard_by(life: Life, destination: str = "tickets") -> list[tuple[int, Change, bool]]:
    """What a destination is told, each acknowledged: the turn, its change, and whether that is the first and the last."""
    found = []
    while claims := life.claims(destination):
        for one in claims:
            life.settle(one, DeliveryState.SENT)
            found.append((one.delivery.turn, one.delivery.change, one.is_untold))
    return found


def test_what_was_routed_to_a_pager_and_ended_untold_is_told_to_tickets_once_and_pages_nobody(store: Store) -> None:
    """Its resolution alone is told, at each ticket destination; what no pager was to hear of is told to nobody."""
    life = a_paging_life(store)
    life.alert("high"), life.alert("high", Status="InProgress"), life.alert("high", Status="Resolved")
    life.alert("medium", Severity="Medium"), life.alert("medium", Severity="Medium", Status="Resolved")
    assert heard_by(life) == heard_by(life, "more") == [(3, Change.RESOLVED, True)]
    assert heard_by(life, "oncall") == []
    life.alert("high", Status="Resolved")
    assert heard_by(life) == []


def test_a_sample_that_ended_untold_is_told_to_nobody(store: Store) -> None:
    """Nothing happened, and the way to the pager is tried with what stands."""
    life = a_paging_life(store)
    for status in ("New", "Resolved"):
        life.alert(AlertDisplayName="[SAMPLE ALERT] test", Status=status)
    assert heard_by(life) == []


def test_of_what_ended_untold_and_opened_again_the_latest_is_told(store: Store) -> None:
    """One that stands is opened as ever; of two that are over the second is told, and so there is one ticket."""
    life = a_paging_life(store)
    for status in ("New", "Resolved", "New"):
        life.alert("stands", Status=status)
        life.alert("over", Status=status)
    life.alert("over", Status="Resolved")
    assert sorted(heard_by(life)) == [(3, Change.OPENED, False), (4, Change.RESOLVED, True)]


def test_what_ended_untold_stays_so_though_its_worker_dies_or_is_refused(store: Store) -> None:
    """Its ticket may be there or not: whoever tries it next has to know."""
    life = a_paging_life(store)
    life.alert(), life.alert(Status="Resolved")
    (lost,) = life.claims("tickets")
    life.now += LEASE
    (refused,) = life.claims("tickets")
    life.settle(refused, DeliveryState.OWED, due=life.now, error="answered 503")
    (last,) = life.claims("tickets")
    assert [one.is_untold for one in (lost, refused, last)] == [True] * 3
    assert last.number == 3


def test_what_was_tried_is_opened_and_resolved_as_ever(store: Store) -> None:
    """Its destination may have it."""
    life = a_paging_life(store)
    life.alert()
    (tried,) = life.claims("tickets")
    life.settle(tried, DeliveryState.OWED, due=life.now, error="answered 503")
    life.alert(Status="Resolved")
    assert heard_by(life) == [(1, Change.OPENED, False), (2, Change.RESOLVED, False)]


def test_what_ended_untold_where_nobody_can_be_asked_is_a_dead_letter_in_the_end(store: Store) -> None:
    """One for each ticket destination, since somebody was to hear of it."""
    life = a_paging_life(store)
    life.alert(), life.alert(Status="Resolved")
    run(within(store, give_up_deliveries, "cwpp", "tickets", life.now, "not ready", life.now))
    run(within(store, give_up_deliveries, "cwpp", "oncall", life.now, "not ready", life.now))
    (letter,) = run(letters_in(store))
    assert letter.delivery.change is Change.RESOLVED


def test_an_opening_that_its_resolution_told_of_is_not_told_again(store: Store) -> None:
    """It died untried; whoever redrives it then would open a second ticket."""
    life = a_paging_life(store)
    life.alert()
    assert run(within(store, give_up_deliveries, "cwpp", "tickets", life.now, "not ready", life.now)) == 1
    life.alert(Status="Resolved")
    assert heard_by(life) == [(2, Change.RESOLVED, True)]
    (letter,) = run(letters_in(store))
    assert run(within(store, redrive, letter.delivery.id, life.now)) is Redrive.OVERTAKEN
    assert heard_by(life) == []
