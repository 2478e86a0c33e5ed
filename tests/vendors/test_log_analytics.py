"""Log Analytics over real HTTP: every turn is a row at least once, and copies can be told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from alert_router_demo.soc.faults import Drop, LoseAnswer
from alert_router_demo.soc.logs import LogsIngestion
from router.domain.deliveries import Receipt
from router.domain.errors import Unavailable
from tests.destinations.builders import a_destination
from tests.vendors.room import a_life, opened
from tests.vendors.talks import Send, at_work


def at_azure(play: Callable[[Send], Awaitable[None]], vendor: LogsIngestion) -> None:
    """Plays with a destination that writes to that endpoint."""
    at_work(vendor, lambda url: (a_destination("log_analytics", endpoint=url), {}), play)


def test_a_life_is_three_rows() -> None:
    """Opened, updated and resolved stand there each, under an `EventUid` of its own."""
    vendor = LogsIngestion([])

    async def play(send: Send) -> None:
        assert [type(result) for result in await send(*a_life())] == [Receipt] * 3

    at_azure(play, vendor)
    (rows,) = vendor.rows.values()
    assert [row["AlertStatus"] for row in rows] == ["Active", "Active", "Closed"]
    assert vendor.duplicates == 0


def test_an_answer_that_is_lost_is_owed_again_and_leaves_a_copy() -> None:
    """Azure deduplicates nothing: a row that is written again is known by its `EventUid`."""
    vendor = LogsIngestion([])
    vendor.faults.add(LoseAnswer())
    vendor.faults.add(Drop())

    async def play(send: Send) -> None:
        results = [type(result) for _ in range(3) for result in await send(opened())]
        assert results == [Unavailable, Unavailable, Receipt]

    at_azure(play, vendor)
    assert (vendor.count(), vendor.duplicates) == (2, 1)
