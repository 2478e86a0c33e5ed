"""Days of trouble: nothing dies without a last try or while it is held, pauses end when they may, wrong clocks are outlived."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.app.maintenance import give_up_undeliverable
from router.deliver.delivery_loop import DeliveryLoop
from router.deliver.destination_holds import HoldReader, release_destination
from router.deliver.http import Http
from router.deliver.isolation import Isolation
from router.domain.conversation import Result
from router.domain.deliveries import (
    LEASE,
    LONGEST_HOLD,
    LONGEST_LIFE,
    LONGEST_WAIT,
    Attempt,
    DeliveryState,
    Pause,
    Receipt,
)
from router.domain.errors import BadUsage, Rejected, Unauthorized, Unavailable
from router.domain.rulebook import Lane
from router.store.claims import Recipient, release_claims
from router.store.deliveries import add_deliveries
from router.store.delivery_status import count_deliveries
from router.store.destinations import PROBE, is_probe_due, list_pauses, pause_after
from router.store.store import Store
from tests.builders import NOW
from tests.deliver.engines import TICKETS, Answer, Clock, Scripted, a_sender, hold, trust
from tests.store.acts import letters_in
from tests.store.builders import a_delivery
from tests.store.opened import open_store
from tests.store.within import claim_in, within

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MOMENT = timedelta(seconds=20)
MOST = 4
"""Signals, `k0` and so on, that are owed at most."""

LANES = st.sampled_from([Lane.PAGE, Lane.TICKET])


class Rounds:
    """What is delivered from a file to the destination `tickets`, run by run."""

    def __init__(self, store: Store, lane: Lane) -> None:
        self.store = store
        self.lane = lane
        self.clock = Clock()
        self.born: dict[str, datetime] = {}

    async def owe(self, many: int = 1) -> None:
        """Owes openings of the next signals, as long as there are no more than `MOST`."""
        keys = [f"k{number}" for number in range(len(self.born), min(len(self.born) + many, MOST))]
        self.born |= dict.fromkeys(keys, self.clock())
        owed = [a_delivery(key=key, lane=self.lane) for key in keys]
        await within(self.store, add_deliveries, owed, self.clock())

    async def round(self, answer: Result | Answer) -> list[Attempt]:
        """Does what each run does; what was tried."""
        await within(self.store, release_claims)
        now, holds = self.clock(), HoldReader(self.store)
        held = {"cwpp": await holds.held_in("cwpp", now)}
        await give_up_undeliverable(self.store, {"cwpp": [TICKETS]}, (), held, now, now)
        kind = Scripted(answer if callable(answer) else lambda _: answer)
        async with Http(trust()) as http:
            senders = {TICKETS: a_sender(kind, self.clock, http, self.lane)}
            loop = DeliveryLoop(
                "cwpp",
                self.lane,
                senders,
                store=self.store,
                clock=self.clock,
                concurrency=4,
                isolation=Isolation(),
                holds=holds,
            )
            await loop.deliver_due(lambda: False)
        return kind.attempts

    async def dead(self) -> set[str]:
        """The signals of the dead letters."""
        return {letter.delivery.key for letter in await letters_in(self.store)}  # type: ignore[union-attr]

    async def states(self) -> dict[DeliveryState, int]:
        """How many deliveries are in which state."""
        return {state: many for (_, state), many in (await within(self.store, count_deliveries, "cwpp")).items()}

    async def pauses(self) -> list[Pause]:
        """The pause of the destination, if it is paused."""
        return list((await within(self.store, list_pauses, "cwpp")).values())


def played(lane: Lane, play: Callable[[Rounds], Awaitable[None]]) -> None:
    """Plays over an empty file."""

    async def go() -> None:
        with TemporaryDirectory() as directory:
            rounds = Rounds(open_store(Path(directory)), lane)
            try:
                await play(rounds)
            finally:
                await rounds.store.close()

    asyncio.run(go())


REFUSED = Unauthorized("answered 401")
GONE = Unavailable("503", retry_after=86_400.0)
TROUBLES = st.sampled_from([Unavailable("no answer"), Unavailable("503", retry_after=0.0), GONE, REFUSED])
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["owe", "hold", "release", "look"]),
        st.sampled_from([1 / 60, 16 / 60, 59 / 60, 1, 3.5, 5, 47, 71, 200]),
        st.sampled_from([timedelta(), MINUTE]),
        TROUBLES,
    ),
    max_size=12,
)
"""What happens, hours that pass before it, how long each attempt takes after it, and what that brings."""


@settings(max_examples=20, deadline=None)
@given(LANES, STEPS)
def test_nothing_dies_of_age_without_a_last_try_nor_while_it_is_held(
    lane: Lane, steps: Sequence[tuple[str, float, timedelta, Result]]
) -> None:
    """Whatever a destination wishes, however long nobody delivers, paused or not: it dies of the first try at its end of life,
    which comes after its destination was held."""

    async def play(rounds: Rounds) -> None:
        clock, tried, held_at = rounds.clock, defaultdict[str, list[datetime]](list), dict[str, datetime]()
        for what, hours, takes, trouble in [
            ("owe", 0, MINUTE, GONE),
            *steps,
            *[("look", 80, timedelta(), GONE)] * MOST,
        ]:
            clock.now += hours * HOUR
            match what:
                case "owe":
                    await rounds.owe()
                case "hold":
                    with suppress(BadUsage):
                        await hold(rounds.store, clock(), lane=lane, hours=LONGEST_HOLD[lane] / HOUR)
                case "release":
                    await release_destination(
                        rounds.store, "cwpp", TICKETS, author="b", reason="it is there", now=clock()
                    )

            def fail(_: Attempt, takes: timedelta = takes, trouble: Result = trouble) -> Result:
                clock.now += takes
                return trouble

            before = await rounds.dead()
            attempts = await rounds.round(fail)
            if await HoldReader(rounds.store).held_in("cwpp", clock()):
                assert (attempts, await rounds.dead()) == ([], before)
                held_at |= dict.fromkeys(rounds.born.keys() - before, clock())
            for attempt in attempts:
                tried[attempt.delivery.key].append(attempt.now)
        assert await rounds.dead() == rounds.born.keys() == tried.keys()
        for key, times in tried.items():
            assert [time - rounds.born[key] >= LONGEST_LIFE[lane] for time in times] == [False] * (len(times) - 1) + [
                True
            ]
            assert times[-1] > held_at.get(key, NOW - HOUR)

    played(lane, play)


def test_one_long_wish_does_not_cost_a_page_its_life() -> None:
    """It is tried again every quarter of an hour until it is 6 hours old, and then once more."""

    async def play(rounds: Rounds) -> None:
        attempts = 0
        await rounds.owe()
        while not await rounds.dead():
            attempts += len(await rounds.round(GONE))
            rounds.clock.now += 15 * MINUTE
        assert attempts == 6 * 4 + 1

    played(Lane.PAGE, play)


# Pauses.

TAKEN: list[Result] = [Receipt(reference="T1"), Rejected("answered 400", status=400, authenticated=True)]
TELLS_NOTHING: list[Result | None] = [
    None,
    *(Rejected(f"answered {status}", status=status) for status in (302, 307, 400, 404, 407, 413)),
    *(Unavailable(f"answered {status}") for status in (408, 425, 429, 500, 503)),
    Unavailable("no answer within 30 s"),
]
"""None stands for a fault of ours."""


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([REFUSED, *TELLS_NOTHING, *TAKEN]), st.booleans()), min_size=1, max_size=MOST - 1
    )
)
def test_a_pause_ends_only_when_our_credentials_are_taken(probes: Sequence[tuple[Result | None, bool]]) -> None:
    """One probe at a time; one that is refused, unanswered or says nothing of us changes nothing, even if it dies of age."""

    async def play(rounds: Rounds) -> None:
        await rounds.owe(MOST)
        await rounds.round(REFUSED)
        for brought, is_old in probes:
            rounds.clock.now += LONGEST_LIFE[Lane.PAGE] if is_old else PROBE + MOMENT
            answers: list[Result | None] = [brought]

            def answer(_: Attempt, answers: list[Result | None] = answers) -> Result:
                if not answers:
                    return Receipt()
                if (result := answers.pop()) is None:
                    raise ZeroDivisionError
                return result

            attempts = await rounds.round(answer)
            if brought in TAKEN:
                assert await rounds.pauses() == []
                return
            assert len(attempts) == 1
            assert await rounds.pauses() == [_pause(probe=rounds.clock() + PROBE)]

    played(Lane.PAGE, play)


def _pause(probe: datetime = NOW) -> Pause:
    return Pause(stream="cwpp", destination=TICKETS, since=NOW, probe=probe, error="answered 401")


@pytest.mark.parametrize("wrong", [HOUR, 400 * DAY, 365 * 5_000 * DAY])
def test_a_pause_that_a_wrong_clock_wrote_is_probed_once_the_clock_is_right(wrong: timedelta) -> None:
    """It does not last until the instant that such a clock gave it, and it has not begun in the future."""

    async def play(rounds: Rounds) -> None:
        await rounds.owe(2)
        rounds.clock.now += wrong
        await rounds.round(REFUSED)
        rounds.clock.now = NOW + MOMENT
        await rounds.round(REFUSED)
        (pause,) = await rounds.pauses()
        assert (pause.since, pause.probe) == (rounds.clock(), rounds.clock() + PROBE)
        rounds.clock.now += PROBE + MOMENT
        await rounds.round(Receipt())
        assert await rounds.pauses() == []

    played(Lane.PAGE, play)


@pytest.mark.parametrize(
    ("before", "results", "after"),
    [
        # Of a batch one part may have got through before the token ran out.
        (None, [Receipt(), REFUSED], _pause(NOW + PROBE)),
        (_pause(), [Receipt(), REFUSED], _pause(NOW + PROBE)),
        (None, [Unavailable("answered 503")], None),
        # What was put back untried asked nobody.
        (_pause(), [], _pause()),
        (None, [], None),
    ],
)
def test_a_refusal_counts_for_more_than_what_came_with_it(
    before: Pause | None, results: list[Result], after: Pause | None
) -> None:
    """And what tells nothing neither pauses nor resumes."""
    assert pause_after(before, results, stream="cwpp", destination=TICKETS, now=NOW) == after


def test_a_probe_is_due_at_its_instant_and_where_that_is_not_possible() -> None:
    """A worker whose clock is a little ahead is believed."""
    moment = timedelta(microseconds=1)
    dues = [timedelta(), moment, 2 * PROBE, 2 * PROBE + moment]
    assert [is_probe_due(_pause(NOW + due), NOW) for due in dues] == [True, False, False, True]


# Wrong clocks.

ACTS = st.lists(
    st.tuples(
        st.sampled_from([10 * MINUTE, 90 * MINUTE, 5 * HOUR, 7 * HOUR, 400 * DAY, 2_900_000 * DAY, -9_000 * DAY]),
        st.booleans(),
        st.none() | TROUBLES | st.just(Unavailable("503", retry_after=1e9)),
    ),
    min_size=1,
    max_size=5,
)
"""By how much the clock is wrong, whether a signal is owed then, and what is tried brings; None where its worker dies."""


@settings(max_examples=20, deadline=None)
@given(LANES, ACTS)
def test_everything_is_sent_once_the_clock_is_right(
    lane: Lane, acts: Sequence[tuple[timedelta, bool, Result | None]]
) -> None:
    """Owed, put off, paused or claimed by one that was minutes or millennia off. What that gave up on is a dead letter."""

    async def play(rounds: Rounds) -> None:
        clock = rounds.clock
        await rounds.owe()
        for ahead, owes, trouble in acts:
            clock.now = NOW + ahead
            await rounds.owe(int(owes))
            if trouble is not None:
                await rounds.round(trouble)
            else:
                await claim_in(rounds.store, Recipient("cwpp", lane, TICKETS), clock(), clock() + LEASE[lane], 1)
        # Whoever waits for a probe, a lease or a retry does so for as long as each of them lasts.
        clock.now = NOW + MINUTE
        bound = LONGEST_WAIT[lane] + PROBE + LEASE[lane] + 10 * MINUTE
        while clock() <= NOW + MINUTE + bound:
            await rounds.round(Receipt())
            clock.now += max(bound / 12, MINUTE)
        dead = len(await rounds.dead())
        latest = max((ahead for ahead, _, trouble in acts if trouble is not None), default=timedelta())
        assert dead == 0 or latest - min(timedelta(), *(ahead for ahead, _, _ in acts)) >= LONGEST_LIFE[lane]
        expected = {DeliveryState.SENT: len(rounds.born) - dead, DeliveryState.DEAD: dead}
        assert await rounds.states() == {state: many for state, many in expected.items() if many}
        # What is dead probes nothing.
        assert dead or await rounds.pauses() == []

    played(lane, play)
