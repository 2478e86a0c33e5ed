"""The permits to send to a destination, in virtual time: who waits for one, and for how long."""

from __future__ import annotations

import asyncio

from router.deliver.concurrency import ConcurrencyLimit
from tests.cli.virtual_time import clock, run_at_once


async def used(limit: ConcurrencyLimit, seconds: float) -> float:
    """Sends for so many seconds; when it began to."""
    async with limit.permit():
        began = clock()
        await asyncio.sleep(seconds)
    return began


async def begins_of(limit: ConcurrencyLimit, sends: int) -> list[float]:
    """When each of some sends of a second began, from the first on."""
    came = clock()
    return [began - came for began in await asyncio.gather(*(used(limit, 1) for _ in range(sends)))]


def test_no_more_are_sent_at_a_time_than_there_are_permits() -> None:
    """Who finds none waits for as long as it takes."""
    assert run_at_once(begins_of(ConcurrencyLimit(2), 6)) == [0, 0, 1, 1, 2, 2]


def test_a_destination_that_is_asked_too_much_is_left_one_permit_and_gets_the_others_back_by_and_by() -> None:
    """One more for each round of sends that it takes; those under way when it complained come to their end."""

    async def rounds() -> list[int]:
        limit, widths = ConcurrencyLimit(4), []
        for taken in (0, 0, 1, 2, 3, 4):
            limit.widen(taken)
            widths.append((await begins_of(limit, 6)).count(0))
            if not taken and len(widths) == 1:
                limit.narrow()
        return widths

    assert run_at_once(rounds()) == [4, 1, 2, 3, 4, 4]


def test_permits_that_are_out_when_they_are_narrowed_go_as_they_come_back() -> None:
    """None is given out before all but the last are free."""

    async def narrowed() -> float:
        limit = ConcurrencyLimit(3)
        async with asyncio.TaskGroup() as group:
            for seconds in (1.0, 1.5, 60):
                group.create_task(used(limit, seconds))
            await asyncio.sleep(0.5)
            limit.narrow()
            return await used(limit, 1)

    assert run_at_once(narrowed()) == 60
