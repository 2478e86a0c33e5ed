"""How often an outbox waits for its server, and what becomes of deliveries whose worker loses the line just then."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import pytest

from router.domain.decisions import Change
from router.domain.deliveries import Delivery, DeliveryState, Settlement
from router.domain.errors import StoreError
from router.store.claims import settle_claims
from tests.builders import NOW
from tests.stack.postgres import Server, Way
from tests.store.acts import LEASE, claim, owe, run, states
from tests.store.builders import a_delivery
from tests.store.opened import Store, changed, open_store
from tests.store.within import within

NEVER = 10**9
"""A round trip that nothing has."""


def some_openings(many: int) -> list[Delivery]:
    """One of each of so many signals."""
    return [a_delivery(key=f"o{number}") for number in range(many)]


def some_lives(many: int) -> list[Delivery]:
    """Of each of so many signals an opening, an update and its end."""
    changes = ((1, Change.OPENED), (2, Change.UPDATED), (3, Change.RESOLVED))
    return [a_delivery(turn, change, key=f"l{number}", opened=1) for number in range(many) for turn, change in changes]


def trips(way: Way, store: Store, deliveries: list[Delivery], state: DeliveryState) -> tuple[int, int, int]:
    """The round trips to owe, to claim and to settle deliveries."""
    counted = [way.trips]
    owe(store, *deliveries)
    counted.append(way.trips)
    claims = claim(store, limit=len(deliveries))
    counted.append(way.trips)
    due = NOW if state is DeliveryState.OWED else None
    run(
        within(
            store,
            settle_claims,
            [Settlement(delivery=one.delivery, claim=one.id, state=state, at=NOW, due=due) for one in claims],
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
        assert max(many) <= 6, many
        run(store.close())


@pytest.mark.parametrize("is_after", [False, True])
def test_at_whatever_round_trip_the_line_is_cut_each_delivery_is_sent_once_it_can_be(
    postgres: Server, database: str, is_after: bool
) -> None:
    """A claim whose answer is lost ends with its lease; a result that may be written down is written down again."""
    with Way(postgres.url) as way:
        store = open_store(way.to(database))
        for trip in range(1, 4):
            cut = partial(tried, way, trip, is_after=is_after)
            owed = some_openings(3)
            run(changed(store, "DELETE FROM deliveries"))
            cut(partial(owe, store, *owed))
            owe(store, *owed)
            claims = cut(partial(claim, store, limit=3)) or ()
            claims = [*claims, *claim(store, limit=3), *claim(store, limit=3, after=LEASE)]
            assert {one.delivery.key for one in claims} == {one.key for one in owed}
            results = [
                Settlement(delivery=one.delivery, claim=one.id, state=DeliveryState.SENT, at=NOW) for one in claims
            ]
            cut(lambda: run(within(store, settle_claims, results)))  # noqa: B023
            run(within(store, settle_claims, results))
            assert states(store) == {DeliveryState.SENT: 3}
            assert claim(store, limit=3, after=LEASE) == []
        run(store.close())


def tried[T](way: Way, trip: int, act: Callable[[], T], *, is_after: bool) -> T | None:
    """What an act brings while the line is cut at one of its round trips, if it has so many; None where that ends it."""
    way.cut_at(trip, is_after=is_after)
    try:
        return act()
    except StoreError:
        return None
    finally:
        way.cut_at(NEVER, is_after=is_after)
