"""The slots of a destination, in virtual time: who waits for one, and for how long."""

from __future__ import annotations

import asyncio

from router.deliver.slots import PATIENCE, STUCK, Slots
from tests.cli.virtual_time import clock, run_at_once


async def used(slots: Slots, seconds: float) -> bool:
    """Sends for so many seconds, if there is a slot; whether there was."""
    async with slots.one() as is_mine:
        if is_mine:
            await asyncio.sleep(seconds)
    return is_mine


def test_a_burst_leaves_as_fast_as_its_destination_takes_it() -> None:
    """Who finds no slot waits while others come and go; nobody is sent away."""

    async def burst() -> tuple[list[bool], float]:
        slots = Slots(2)
        return await asyncio.gather(*(used(slots, PATIENCE / 8) for _ in range(16))), clock()

    assert run_at_once(burst()) == ([True] * 16, PATIENCE)


def test_who_would_wait_too_long_is_sent_away() -> None:
    """At the end of its patience, so that another destination has the place."""

    async def crowd() -> list[bool]:
        slots = Slots(2)
        return await asyncio.gather(*(used(slots, PATIENCE / 2 + 0.01) for _ in range(5)))

    assert run_at_once(crowd()) == [True, True, True, True, False]


def test_nobody_waits_at_a_destination_that_hangs() -> None:
    """Once no slot was taken or freed for a while, whoever comes is sent away at once."""

    async def hanging() -> tuple[bool, float]:
        slots = Slots(1)
        hung = asyncio.create_task(used(slots, 3600))
        await asyncio.sleep(STUCK + 0.01)
        came = clock()
        is_mine = await used(slots, 1)
        waited = clock() - came
        hung.cancel()
        return is_mine, waited

    assert run_at_once(hanging()) == (False, 0)
