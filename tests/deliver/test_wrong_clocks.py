"""Whatever a wrong clock wrote of deliveries: once it is right, each is sent within its lane's ordinary bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from router.domain.conversation import Result
from router.domain.deliveries import DeliveryState, Pointer, Receipt
from router.domain.errors import Unauthorized, Unavailable
from router.domain.lane_limits import LEASE, LONGEST_WAIT
from router.domain.pauses import PROBE
from router.domain.rulebook import Lane
from tests.builders import NOW
from tests.deliver.engines import MOST, Rounds, from_account, from_file, owe
from tests.deliver.scripted import Clock, Scripted
from tests.stack.azurite import Azurite

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
    outbox = engine.store.outbox
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
            await outbox.claim(Pointer("cwpp", lane, "tickets"), clock(), clock() + LEASE[lane], 1)
    # Whoever waits for a probe, a lease or a retry does so for as long as each of them lasts.
    right, bound = NOW + MINUTE, LONGEST_WAIT[lane] + PROBE + LEASE[lane] + 10 * MINUTE
    clock.now = right
    while clock() <= right + bound:
        await engine.round(Answering(lane, Receipt()), clock)
        clock.now += max(bound / 12, MINUTE)
    assert await outbox.counts("cwpp") == {("tickets", DeliveryState.SENT): owed}
    assert await outbox.pauses("cwpp") == {}


LANES = st.sampled_from([Lane.PAGE, Lane.TICKET])

# Owed by a clock ahead, then given up on by another one, before the first clock comes again.
GIVEN_UP_IN_BETWEEN = [
    Act(DAY, True, None),
    Act(timedelta(), False, Unavailable("503")),
    Act(7 * 60 * MINUTE, False, Unavailable("503")),
    Act(DAY, False, Unavailable("503")),
]


@settings(max_examples=20, deadline=None)
@given(LANES, ACTS)
@example(Lane.PAGE, GIVEN_UP_IN_BETWEEN)
def test_from_a_file_everything_is_sent_once_the_clock_is_right(lane: Lane, acts: list[Act]) -> None:
    """Owed, put off, paused, claimed or given up on by a clock that was minutes or millennia ahead."""

    async def played() -> None:
        async with from_file() as engine:
            await _sent_once_the_clock_is_right(engine, lane, acts)

    asyncio.run(played())


def test_from_an_account_what_was_given_up_on_in_between_is_sent_once_the_clock_is_right(azurite: Azurite) -> None:
    """The same, behind pointers."""
    asyncio.run(_sent_from_an_account(azurite, Lane.PAGE, GIVEN_UP_IN_BETWEEN))


@pytest.mark.soak
@settings(max_examples=30, deadline=None)
@given(LANES, ACTS)
def test_from_an_account_everything_is_sent_once_the_clock_is_right(
    azurite: Azurite, lane: Lane, acts: list[Act]
) -> None:
    """Whatever happens meanwhile."""
    asyncio.run(_sent_from_an_account(azurite, lane, acts))


async def _sent_from_an_account(azurite: Azurite, lane: Lane, acts: Sequence[Act]) -> None:
    async with from_account(azurite) as engine:
        await _sent_once_the_clock_is_right(engine, lane, acts)


def test_what_a_wrong_clock_put_off_does_not_wait_for_it(azurite: Azurite) -> None:
    """Also where it was no further ahead than a destination might have wished for."""

    async def played(engine: Rounds) -> None:
        clock = Clock()
        await owe(engine, Lane.TICKET, ["k0"], NOW)
        clock.now = NOW + 180 * MINUTE
        await engine.round(Answering(Lane.TICKET, Unavailable("503")), clock)
        clock.now = NOW + MINUTE
        await engine.round(Answering(Lane.TICKET, Receipt()), clock)
        assert await engine.store.outbox.counts("cwpp") == {("tickets", DeliveryState.SENT): 1}

    async def in_both() -> None:
        async with from_file() as file, from_account(azurite) as account:
            await played(file)
            await played(account)

    asyncio.run(in_both())


def test_what_was_owed_before_a_clock_fell_behind_is_no_older_for_it() -> None:
    """From a file: such a clock finds everything impossible; what was true is true again when it is right."""

    async def played() -> None:
        async with from_file() as engine:
            clock, failing = Clock(), Answering(Lane.PAGE, Unavailable("503"))
            await owe(engine, Lane.PAGE, ["k0"], NOW)
            for clock.now in (NOW - 9_000 * DAY, NOW - 9_000 * DAY + MINUTE, NOW + MINUTE):
                await engine.round(failing, clock)
            assert len(failing.attempts) == 3
            (backlog,) = (await engine.store.outbox.backlog("cwpp")).values()
            assert (backlog.oldest, backlog.dead) == (NOW, 0)

    asyncio.run(played())


def test_what_a_clock_far_off_gave_up_on_or_owed_is_told_once_it_is_right(azurite: Azurite) -> None:
    """A minute of a wrong clock kills nothing for good; and what a clock far behind owed is tried before it dies of age."""

    async def played(engine: Rounds) -> None:
        clock = Clock()
        await owe(engine, Lane.PAGE, ["k0"], NOW)
        await owe(engine, Lane.PAGE, ["k1"], NOW - 9_000 * DAY)
        clock.now = NOW + 400 * DAY
        await engine.round(Answering(Lane.PAGE, Unavailable("503")), clock)
        assert len(await engine.store.outbox.dead()) == 2
        clock.now = NOW + MINUTE
        await engine.round(Answering(Lane.PAGE, Receipt()), clock)
        assert await engine.store.outbox.counts("cwpp") == {("tickets", DeliveryState.SENT): 2}

    async def in_both() -> None:
        async with from_file() as file, from_account(azurite) as account:
            await played(file)
            await played(account)

    asyncio.run(in_both())
