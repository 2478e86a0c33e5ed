"""The permits to send to a destination, in virtual time: who waits for one, and for how long."""

from __future__ import annotations

import asyncio

from router.deliver.concurrency import PATIENCE, STUCK, ConcurrencyLimit
from tests.cli.virtual_time import clock, run_at_once


async def used(limit: ConcurrencyLimit, seconds: float) -> bool:
    """Sends for so many seconds, if there is a permit; whether there was."""
    async with limit.permit() as is_mine:
        if is_mine:
            await asyncio.sleep(seconds)
    return is_mine


def test_a_burst_leaves_as_fast_as_its_destination_takes_it() -> None:
    """Who finds no permit waits while others come and go; nobody is sent away."""

    async def burst() -> tuple[list[bool], float]:
        limit = ConcurrencyLimit(2)
        return await asyncio.gather(*(used(limit, PATIENCE / 8) for _ in range(16))), clock()

    assert run_at_once(burst()) == ([True] * 16, PATIENCE)


def test_who_would_wait_too_long_is_sent_away() -> None:
    """At the end of its patience, so that another destination's pointer is worked off."""

    async def crowd() -> list[bool]:
        limit = ConcurrencyLimit(2)
        return await asyncio.gather(*(used(limit, PATIENCE / 2 + 0.01) for _ in range(5)))

    assert run_at_once(crowd()) == [True, True, True, True, False]


def test_nobody_waits_at_a_destination_that_hangs() -> None:
    """Once no permit was given or returned for a while, whoever comes is sent away at once."""

    async def hanging() -> tuple[bool, float]:
        limit = ConcurrencyLimit(1)
        hung = asyncio.create_task(used(limit, 3600))
        await asyncio.sleep(STUCK + 0.01)
        came = clock()
        is_mine = await used(limit, 1)
        waited = clock() - came
        hung.cancel()
        return is_mine, waited

    assert run_at_once(hanging()) == (False, 0)


def test_a_destination_that_is_asked_too_much_is_left_one_permit_and_gets_the_others_back_by_and_by() -> None:
    """One more for each round of sends that it takes; those under way when it complained come to their end."""

    async def rounds() -> list[int]:
        limit, widths = ConcurrencyLimit(4), []
        for taken in (0, 0, 1, 2, 3, 4):
            limit.widen(taken)
            widths.append(sum(await asyncio.gather(*(used(limit, PATIENCE + 1) for _ in range(6)))))
            if not taken and len(widths) == 1:
                limit.narrow()
        return widths

    assert run_at_once(rounds()) == [4, 1, 2, 3, 4, 4]


def test_permits_that_are_out_when_they_are_narrowed_go_as_they_come_back() -> None:
    """Nobody gets one before all but the last are free."""

    async def narrowed() -> bool:
        limit = ConcurrencyLimit(3)
        async with asyncio.TaskGroup() as group:
            for seconds in (1.0, 1.5, 60):
                group.create_task(used(limit, seconds))
            await asyncio.sleep(0.5)
            limit.narrow()
            return await used(limit, 1)

    assert run_at_once(narrowed()) is False


def test_who_waits_for_as_long_as_it_takes_is_never_sent_away() -> None:
    """What is claimed already waits for its permit, even where one that waited but a while got none."""

    async def waited() -> tuple[bool, float]:
        limit = ConcurrencyLimit(1)
        hung = asyncio.create_task(used(limit, 3600))
        await asyncio.sleep(STUCK + 0.01)
        assert not hung.done()
        await limit.wait_for_permit()
        try:
            return await used(limit, 1), clock()
        finally:
            limit.give_back()

    assert run_at_once(waited()) == (False, 3600 + PATIENCE)
