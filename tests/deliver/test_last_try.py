"""Nothing dies of age without a last try, and no wish of a destination keeps anything waiting for longer than its lane does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.conversation import Result
from router.domain.deliveries import Attempt, DeliveryState
from router.domain.errors import Unauthorized, Unavailable
from router.domain.lane_limits import LONGEST, LONGEST_WAIT
from router.domain.rulebook import Lane
from router.store.delivery_status import count_deliveries
from tests.builders import NOW
from tests.deliver.engines import Rounds, from_file, owe
from tests.deliver.scripted import Clock, Scripted
from tests.store.within import within

MINUTE = timedelta(minutes=1)


class Round(NamedTuple):
    """Some time passes, an attempt takes some, and everything that is tried then brings the same trouble."""

    passes: timedelta
    takes: timedelta
    trouble: Result


TROUBLES: st.SearchStrategy[Result] = st.one_of(
    st.builds(lambda wish: Unavailable("503", retry_after=wish), st.sampled_from([0.0, 86_400.0, 1e9])),
    st.just(Unavailable("no answer")),
    st.just(Unauthorized("401")),
)
ROUNDS = st.lists(
    st.builds(
        Round,
        st.sampled_from([MINUTE, 16 * MINUTE, 59 * MINUTE, 5 * 60 * MINUTE, 71 * 60 * MINUTE, 200 * 60 * MINUTE]),
        st.sampled_from([timedelta(), MINUTE]),
        TROUBLES,
    ),
    max_size=6,
)


class Failing(Scripted):
    """A destination that is in some trouble, and takes its time to say so."""

    def __init__(self, lane: Lane, clock: Clock, round: Round) -> None:
        super().__init__(self._fail)
        self.lane = lane  # type: ignore[misc]
        self._clock, self._round = clock, round

    def _fail(self, attempt: Attempt) -> Result:
        self._clock.now += self._round.takes
        return self._round.trouble


async def _every_death_has_a_last_try(engine: Rounds, lane: Lane, rounds: Sequence[Round]) -> None:
    clock, tried = Clock(), dict[str, list[datetime]]()
    looked_at: list[datetime] = []
    await owe(engine, lane, ["k0", "k1"], NOW)
    last = Round(80 * 60 * MINUTE, timedelta(), Unavailable("503", retry_after=86_400.0))
    for round in [last._replace(passes=timedelta()), *rounds, *[last] * 4]:
        clock.now += round.passes
        looked_at.append(clock())
        kind = Failing(lane, clock, round)
        await engine.round(kind, clock)
        for attempt in kind.attempts:
            tried.setdefault(attempt.delivery.key, []).append(attempt.now)
    assert set(await within(engine.store, count_deliveries, "cwpp")) == {("tickets", DeliveryState.DEAD)}
    slowest = 2 * MINUTE  # one attempt keeps the next from being looked at
    for times in tried.values():
        # It died of an attempt that began at its end of life or later, and of the first such.
        assert [time - NOW >= LONGEST[lane] for time in times] == [False] * (len(times) - 1) + [True]
    if not any(isinstance(round.trouble, Unauthorized) for round in rounds):
        for earlier, later in (pair for times in tried.values() for pair in pairwise(times)):
            assert not [at for at in looked_at if earlier + slowest + LONGEST_WAIT[lane] <= at < later - slowest]


LANES = st.sampled_from([Lane.PAGE, Lane.TICKET])


@settings(max_examples=20, deadline=None)
@given(LANES, ROUNDS)
def test_nothing_dies_of_age_without_a_last_try(lane: Lane, rounds: list[Round]) -> None:
    """Whatever a destination wishes, however long nobody delivers, paused or not."""

    async def played() -> None:
        async with from_file() as engine:
            await _every_death_has_a_last_try(engine, lane, rounds)

    asyncio.run(played())


@pytest.mark.parametrize("wish", [86_400.0, 6 * 3600.0])
def test_one_long_wish_does_not_cost_a_page_its_life(wish: float) -> None:
    """It is tried again every quarter of an hour until it is 6 hours old, and then once more."""

    async def played() -> None:
        async with from_file() as engine:
            clock, attempts = Clock(), 0
            await owe(engine, Lane.PAGE, ["k0"], NOW)
            while (engine_counts := await within(engine.store, count_deliveries, "cwpp")) != {
                ("tickets", DeliveryState.DEAD): 1
            }:
                kind = Failing(Lane.PAGE, clock, Round(MINUTE, timedelta(), Unavailable("503", retry_after=wish)))
                await engine.round(kind, clock)
                attempts += len(kind.attempts)
                clock.now += 15 * MINUTE
                assert engine_counts
            assert attempts == 6 * 4 + 1

    asyncio.run(played())
