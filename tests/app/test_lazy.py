"""What is opened at its first use, and stays open."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Sequence
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


async def asked(house: House, times: int) -> Sequence[str | BaseException]:
    """What so many callers get that come at once, before anything is open."""
    once = Lazy(house.open)
    callers = [asyncio.create_task(once()) for _ in range(times)]
    await asyncio.sleep(0)
    house.free.set()
    return await asyncio.gather(*callers, return_exceptions=True)


def test_nothing_is_opened_before_it_is_asked_for() -> None:
    """To import a door costs nothing."""
    house = House()
    Lazy(house.open)
    assert house.opened == 0


def test_many_callers_at_once_share_one_opening() -> None:
    """Those that come while it is being opened wait for it."""
    house = House()
    assert asyncio.run(asked(house, 20)) == ["opening 1"] * 20
    assert house.opened == 1


def test_a_failed_opening_is_tried_again_by_the_next() -> None:
    """Also by one that has waited; who tried it is told why it failed."""
    house = House(refusals=2)
    first, second, *others = asyncio.run(asked(house, 5))
    assert isinstance(first, Refusal)
    assert isinstance(second, Refusal)
    assert others == ["opening 3"] * 3


def test_an_opening_that_is_broken_off_is_begun_anew() -> None:
    """The caller that opened it may be gone before it was open."""

    async def run() -> tuple[str, House]:
        house = House()
        once = Lazy(house.open)
        opening = asyncio.create_task(once())
        await asyncio.sleep(0)
        waiting = asyncio.create_task(once())
        await asyncio.sleep(0)
        opening.cancel()
        house.free.set()
        with pytest.raises(asyncio.CancelledError):
            await opening
        return await waiting, house

    given, house = asyncio.run(run())
    assert (given, house.opened) == ("opening 2", 2)


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
