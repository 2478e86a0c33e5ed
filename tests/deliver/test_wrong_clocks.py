"""Whatever a wrong clock wrote of deliveries: once it is right, each is sent within its lane's bounds, or is a dead letter."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.conversation import Result
from router.domain.deliveries import DeliveryState, Receipt, Recipient
from router.domain.errors import Unauthorized, Unavailable
from router.domain.lane_limits import LEASE, LONGEST, LONGEST_WAIT
from router.domain.rulebook import Lane
from router.store.dead_letters import list_dead_letters
from router.store.delivery_status import count_deliveries, list_backlogs
from router.store.destinations import PROBE, list_pauses
from tests.builders import NOW
from tests.deliver.engines import MOST, Rounds, from_file, owe
from tests.deliver.scripted import Clock, Scripted
from tests.store.within import claim_in, within

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


class Act(NamedTuple):
    """While the clock is ahead by so much a signal is owed or not, and what is due is tried and fails, or its worker dies."""

    ahead: timedelta
    owes: bool
    trouble: Result | None


AHEAD = st.sampled_from(
    [timedelta(), 10 * MINUTE, 90 * MINUTE, 5 * 60 * MINUTE, 7 * 60 * MINUTE, DAY, 400 * DAY, 2_900_000 * DAY]
)
TROUBLE = st.sampled_from(
    [None, Unavailable("503"), Unavailable("503", retry_after=1e9), Unauthorized("401"), Unavailable("no answer")]
)
ACTS = st.lists(st.builds(Act, AHEAD, st.booleans(), TROUBLE), min_size=1, max_size=5)


class Answering(Scripted):
    """A destination of a lane that answers everything alike."""

    def __init__(self, lane: Lane, result: Result) -> None:
        super().__init__(lambda _: result)
        self.lane = lane  # type: ignore[misc]


async def _sent_once_the_clock_is_right(engine: Rounds, lane: Lane, acts: Sequence[Act]) -> None:
    clock = Clock()
    store = engine.store
    await owe(engine, lane, ["k0"], NOW)
    owed = 1
    for act in acts:
        clock.now = NOW + act.ahead
        if act.owes and owed < MOST:
            await owe(engine, lane, [f"k{owed}"], clock())
            owed += 1
        if act.trouble is not None:
            await engine.round(Answering(lane, act.trouble), clock)
        else:
            recipient = Recipient("cwpp", lane, "tickets")
            await claim_in(store, recipient, clock(), clock() + LEASE[lane], 1)
    # Whoever waits for a probe, a lease or a retry does so for as long as each of them lasts.
    right, bound = NOW + MINUTE, LONGEST_WAIT[lane] + PROBE + LEASE[lane] + 10 * MINUTE
    clock.now = right
    while clock() <= right + bound:
        await engine.round(Answering(lane, Receipt()), clock)
        clock.now += max(bound / 12, MINUTE)
    dead = len(await within(store, list_dead_letters))
    assert dead == 0 or any(act.ahead >= LONGEST[lane] and act.trouble is not None for act in acts)
    states = {("tickets", DeliveryState.SENT): owed - dead, ("tickets", DeliveryState.DEAD): dead}
    assert await within(store, count_deliveries, "cwpp") == {state: many for state, many in states.items() if many}
    # What is dead probes nothing.
    assert dead or await within(store, list_pauses, "cwpp") == {}


LANES = st.sampled_from([Lane.PAGE, Lane.TICKET])


@settings(max_examples=20, deadline=None)
@given(LANES, ACTS)
def test_everything_is_sent_once_the_clock_is_right(lane: Lane, acts: list[Act]) -> None:
    """Owed, put off, paused or claimed by a clock that was minutes or millennia ahead. What it gave up on is a dead letter."""

    async def played() -> None:
        async with from_file() as engine:
            await _sent_once_the_clock_is_right(engine, lane, acts)

    asyncio.run(played())


def test_what_was_owed_before_a_clock_fell_behind_is_no_older_for_it() -> None:
    """From a file: such a clock finds everything impossible; what was true is true again when it is right."""

    async def played() -> None:
        async with from_file() as engine:
            clock, failing = Clock(), Answering(Lane.PAGE, Unavailable("503"))
            await owe(engine, Lane.PAGE, ["k0"], NOW)
            for clock.now in (NOW - 9_000 * DAY, NOW - 9_000 * DAY + MINUTE, NOW + MINUTE):
                await engine.round(failing, clock)
            assert len(failing.attempts) == 3
            (backlog,) = (await within(engine.store, list_backlogs, "cwpp")).values()
            assert (backlog.oldest, backlog.dead) == (NOW, 0)

    asyncio.run(played())


def test_what_a_clock_far_off_owed_is_sent_once_it_is_right() -> None:
    """What one far ahead owed is not waited for, and what one far behind owed is tried before it dies of age."""

    async def played() -> None:
        async with from_file() as engine:
            for key, off in (("k0", 400 * DAY), ("k1", -9_000 * DAY)):
                await owe(engine, Lane.PAGE, [key], NOW + off)
            clock = Clock()
            await engine.round(Answering(Lane.PAGE, Receipt()), clock)
            assert await within(engine.store, count_deliveries, "cwpp") == {("tickets", DeliveryState.SENT): 2}

    asyncio.run(played())
