"""What is opened at its first use, and stays open."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from router.app.wiring import Lazy


class Refusal(Exception):
    """It cannot be opened just now."""


@dataclass
class House:
    """Something to open; so many openings fail first, and each takes until `free` is set."""

    refusals: int = 0
    free: asyncio.Event = field(default_factory=asyncio.Event)
    opened: int = 0
    closed: int = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        """Opens it; what is given says the how manieth opening it was."""
        self.opened += 1
        mine = self.opened
        await self.free.wait()
        if mine <= self.refusals:
            raise Refusal
        try:
            yield f"opening {mine}"
        finally:
            self.closed += 1


async def asked(house: House, callers: int, gone: int = 0) -> list[str]:
    """What so many callers get that come at once, before anything is open; of the first, so many are gone by then."""
    once = Lazy(house.open)
    assert house.opened == 0  # To import a door costs nothing.
    calling = [asyncio.create_task(once()) for _ in range(callers)]
    await asyncio.sleep(0)
    for call in calling[:gone]:
        call.cancel()
    house.free.set()
    found = await asyncio.gather(*calling, return_exceptions=True)
    return [type(one).__name__ if isinstance(one, BaseException) else one for one in found]


def test_callers_share_one_opening_and_one_that_comes_to_nothing_is_tried_again(subtests: pytest.Subtests) -> None:
    """Those that come while it is being opened wait for it; who tried it is told why it failed, and may be gone."""
    cases = (
        ("at once", House(), 20, 0, ["opening 1"] * 20),
        ("refused twice", House(refusals=2), 5, 0, ["Refusal"] * 2 + ["opening 3"] * 3),
        ("broken off", House(), 2, 1, ["CancelledError", "opening 2"]),
    )
    for name, house, callers, gone, expected in cases:
        with subtests.test(name):
            assert asyncio.run(asked(house, callers, gone)) == expected
            assert house.opened == int(expected[-1].split()[-1])


def test_it_stays_open() -> None:
    """For later callers, whoever asked first, and although nobody holds what it gave."""

    async def run() -> House:
        house = House()
        house.free.set()
        once = Lazy(house.open)
        await once()
        gc.collect()
        for _ in range(5):  # What is collected is closed by the loop, soon.
            await asyncio.sleep(0)
        assert await once() == "opening 1"
        return House(opened=house.opened, closed=house.closed)

    found = asyncio.run(run())
    assert (found.opened, found.closed) == (1, 0)
