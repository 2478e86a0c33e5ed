"""What ended before its destination was told of it: tickets hear of what the rules page as well, and nobody of the rest."""

from __future__ import annotations

import pytest

from router.domain.decisions import Change
from router.domain.deliveries import DeliveryState
from router.domain.rulebook import Clause, Lane
from router.domain.severity import Severity
from router.store.dead_letters import Redrive, give_up_deliveries, redrive
from router.store.store import Store
from tests.builders import a_destination, a_route, a_rulebook
from tests.store.acts import LEASE, letters_in, run
from tests.store.life import Life
from tests.store.within import within

HIGH = Clause("severity", "High", lambda signal, attack: signal.severity is Severity.HIGH)
PLACES = a_destination("oncall", Lane.PAGE), a_destination("tickets"), a_destination("more")
BOOK = a_rulebook(
    routes=[a_route("page", "oncall", when=[HIGH]), a_route("all", "tickets", "more")], destinations=PLACES
)
OPENED, RESOLVED = Change.OPENED, Change.RESOLVED


@pytest.fixture
def life(store: Store) -> Life:
    """A router that pages what is High, and opens tickets of everything at two destinations."""
    return Life(store, BOOK)


def heard_by(life: Life, destination: str = "tickets") -> list[tuple[int, Change, bool]]:
    """What a destination is told: the turn, its change, and whether that is the first and the last."""
    return sorted((one.delivery.turn, one.delivery.change, one.is_untold) for one in life.owed(destination))


def test_what_was_routed_to_a_pager_and_ended_untold_is_told_to_tickets_once_and_pages_nobody(life: Life) -> None:
    """Its resolution alone; what no pager was to hear of, and a sample, with which nothing happened, is told to nobody."""
    for fields in ({}, {"Severity": "Medium"}, {"AlertDisplayName": "[SAMPLE ALERT] test"}):
        for status in ("New", "InProgress", "Resolved"):
            life.alert(str(fields), Status=status, **fields)
    assert heard_by(life) == heard_by(life, "more") == [(3, RESOLVED, True)]
    assert heard_by(life, "oncall") == []
    life.alert("{}", Status="Resolved")
    assert heard_by(life) == []


def test_of_what_ended_untold_and_opened_again_the_latest_is_told(life: Life) -> None:
    """One that stands is opened as ever; of two that are over the second is told, and so there is one ticket."""
    for status in ("New", "Resolved", "New"):
        life.alert("stands", Status=status), life.alert("over", Status=status)
    life.alert("over", Status="Resolved")
    assert heard_by(life) == [(3, OPENED, False), (4, RESOLVED, True)]


def test_what_ended_untold_stays_so_though_its_worker_dies_or_is_refused(life: Life) -> None:
    """Its ticket may be there or not: what tries it next has to know. What was tried before it ended is resolved as ever."""
    life.alert(), life.alert(Status="Resolved")
    (lost,) = life.claims("tickets")
    life.now += LEASE
    (refused,) = life.claims("tickets")
    life.settle(refused, DeliveryState.OWED, due=life.now, error="answered 503")
    (last,) = life.owed("tickets")
    assert [one.is_untold for one in (lost, refused, last)] == [True] * 3
    assert last.number == 3
    life.alert("tried")
    (tried,) = life.claims("tickets")
    life.settle(tried, DeliveryState.OWED, due=life.now, error="answered 503")
    life.alert("tried", Status="Resolved")
    assert heard_by(life) == [(1, OPENED, False), (2, RESOLVED, False)]


def give_up(life: Life, destination: str) -> int:
    """What is due at a destination that cannot be asked is given up."""
    return run(within(life.store, give_up_deliveries, "cwpp", destination, life.now, "not ready", life.now))


def test_what_ended_untold_where_nothing_can_be_asked_is_a_dead_letter_in_the_end(life: Life) -> None:
    """One for each ticket destination, since people were to hear of it."""
    life.alert(), life.alert(Status="Resolved")
    give_up(life, "tickets"), give_up(life, "oncall")
    (letter,) = run(letters_in(life.store))
    assert letter.delivery.change is RESOLVED  # type: ignore[union-attr]


def test_an_opening_that_its_resolution_told_of_is_not_told_again(life: Life) -> None:
    """It died untried; to redrive it then would open a second ticket."""
    life.alert()
    assert give_up(life, "tickets") == 1
    life.alert(Status="Resolved")
    assert heard_by(life) == [(2, RESOLVED, True)]
    (letter,) = run(letters_in(life.store))
    assert run(within(life.store, redrive, letter.id, life.now)) is Redrive.OVERTAKEN
    assert heard_by(life) == []
