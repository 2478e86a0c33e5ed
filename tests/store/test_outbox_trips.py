"""How often an outbox waits for its server: as often for a hundred deliveries as for a few."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from router.domain.decisions import Change
from router.domain.deliveries import Delivery, DeliveryState, Settlement
from tests.builders import NOW
from tests.stack.postgres import Server, Way
from tests.store.acts import claim, owe, run
from tests.store.builders import a_delivery
from tests.store.opened import SqlStore, open_store


def some_openings(many: int) -> list[Delivery]:
    """One of each of so many signals."""
    return [a_delivery(key=f"o{number}") for number in range(many)]


def some_lives(many: int) -> list[Delivery]:
    """Of each of so many signals an opening, an update and its end."""
    changes = ((1, Change.OPENED), (2, Change.UPDATED), (3, Change.RESOLVED))
    return [a_delivery(turn, change, key=f"l{number}", opened=1) for number in range(many) for turn, change in changes]


def trips(way: Way, store: SqlStore, deliveries: list[Delivery], state: DeliveryState) -> tuple[int, int, int]:
    """The round trips to owe, to claim and to settle deliveries."""
    counted = [way.trips]
    owe(store, *deliveries)
    counted.append(way.trips)
    claims = claim(store, limit=len(deliveries))
    counted.append(way.trips)
    due = NOW if state is DeliveryState.OWED else None
    run(
        store.outbox.settle(
            [Settlement(delivery=one.delivery, claim=one.id, state=state, at=NOW, due=due) for one in claims]
        )
    )
    counted.append(way.trips)
    owed, claimed, settled = (after - before for before, after in pairwise(counted))
    return owed, claimed, settled


@pytest.mark.parametrize("state", [DeliveryState.SENT, DeliveryState.OWED])
@pytest.mark.parametrize("make", [some_openings, some_lives])
def test_a_hundred_deliveries_take_as_many_round_trips_as_two(
    postgres: Server, database: str, make: Callable[[int], list[Delivery]], state: DeliveryState
) -> None:
    """Each step is a handful of statements, its beginning and its end among them."""
    with Way(postgres.url) as way:
        store = open_store(way.to(database))
        trips(way, store, some_openings(1), DeliveryState.SENT)
        few, many = (trips(way, store, make(number), state) for number in (2, 100))
        assert few == many
        assert max(many) <= 6
        run(store.close())
