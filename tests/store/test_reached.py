"""What every store promises of destinations that nothing was ever delivered to, and of those that something was."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from router.domain.deliveries import DeliveryState, Receipt
from router.domain.retention import Retention
from router.store import destinations
from router.store.dead_letters import give_up_deliveries, redrive
from router.store.store import Store
from tests.builders import NOW
from tests.store.acts import DAY, LEASE, claim, decided, letters_in, owe, run, settle, states
from tests.store.builders import OPENING, RESOLUTION, a_delivery
from tests.store.within import within

WHY = "never tried: KEY is missing"
INSTANT = timedelta(microseconds=1)


def has_delivered(store: Store, destination: str = "tickets", stream: str = "cwpp") -> bool:
    """Whether a destination ever took a delivery."""
    return run(within(store, destinations.has_delivered, stream, destination))


def deliver(store: Store) -> None:
    """Delivers an opening and its resolution to `tickets`."""
    for delivery in (OPENING, replace(RESOLUTION, turn=2)):
        decided(store, delivery)
        owe(store, delivery)
        settle(store, claim(store)[0], DeliveryState.SENT, receipt=Receipt())


def test_who_took_a_delivery_did_so_for_good(store: Store) -> None:
    """Also once nothing is kept of it; nobody else is taken for them."""
    assert not has_delivered(store)
    deliver(store)
    assert has_delivered(store)
    run(store.forget(NOW + 400 * DAY, Retention(), (), 10_000))
    assert states(store) == {}
    assert has_delivered(store)
    assert not has_delivered(store, "pager")
    assert not has_delivered(store, stream="cspm")


@pytest.mark.parametrize("state", [DeliveryState.OWED, DeliveryState.DEAD, DeliveryState.SKIPPED])
def test_what_was_not_sent_was_not_delivered(store: Store, state: DeliveryState) -> None:
    """However often it was tried."""
    owe(store, OPENING)
    settle(store, claim(store)[0], state, due=NOW, error="answered 400")
    assert not has_delivered(store)


def give_up(store: Store, born_until: timedelta, *, after: timedelta = timedelta()) -> int:
    """Gives up on what is that old at `tickets`; how many deliveries end."""
    return run(within(store, give_up_deliveries, "cwpp", "tickets", NOW + born_until, WHY, NOW + after))


def test_what_is_old_at_a_destination_becomes_a_dead_letter(store: Store) -> None:
    """To the instant, there and nowhere else; it says why, and can be redriven."""
    owe(store, OPENING, replace(OPENING, destination="pager"))
    assert give_up(store, -INSTANT) == 0
    assert give_up(store, timedelta()) == 1
    (letter,) = run(letters_in(store))
    assert (letter.delivery, letter.error, letter.attempts, letter.died) == (OPENING, WHY, 0, NOW)
    run(within(store, redrive, OPENING.id, NOW))
    assert [one.delivery for one in claim(store)] == [OPENING]


def test_what_a_worker_has_is_left_to_it(store: Store) -> None:
    """Elsewhere the destination may be ready. Once its lease is over nobody has it."""
    owe(store, OPENING)
    claim(store)
    assert give_up(store, DAY) == 0
    assert give_up(store, DAY, after=LEASE) == 1


def test_what_opened_and_ended_untold_is_skipped_and_not_dead(store: Store) -> None:
    """Nobody was told of it, and nobody needs to be."""
    owe(store, OPENING, replace(RESOLUTION, turn=2), a_delivery(key="stands"))
    assert give_up(store, timedelta()) == 3
    assert states(store) == {DeliveryState.SKIPPED: 2, DeliveryState.DEAD: 1}


def test_what_is_old_at_a_destination_without_anything_is_nothing(store: Store) -> None:
    """Every sweep asks."""
    assert give_up(store, DAY) == 0
