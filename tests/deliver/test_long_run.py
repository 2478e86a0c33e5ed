"""What comes of attempts: nothing dies without a last try or while a person holds it, pauses end, wrong clocks are outlived."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from copy import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.app.maintenance import give_up_undeliverable
from router.deliver.destination import pause_after
from router.deliver.destination_holds import FRESH, HoldReader, release_destination
from router.deliver.retries import LEAST, chance, settlement_for, untried
from router.domain.conversation import Result
from router.domain.deliveries import (
    LEASE,
    LONGEST_HOLD,
    LONGEST_LIFE,
    LONGEST_WAIT,
    Attempt,
    Claim,
    DeliveryState,
    Pause,
    Receipt,
    Settlement,
)
from router.domain.destination_holds import DestinationHold
from router.domain.errors import BadUsage, Rejected, StoreError, Unauthorized, Unavailable
from router.domain.readable import timestamp
from router.domain.rulebook import Lane
from router.store.changes import ChangeAction, list_changes
from router.store.claims import Recipient, release_claims
from router.store.deliveries import add_deliveries
from router.store.delivery_status import count_deliveries
from router.store.destinations import PROBE, is_probe_due, list_pauses
from router.store.store import Store
from tests.builders import NOW
from tests.deliver.engines import TICKETS, Answer, Engine, Held, InBatches, Scripted, engine_of_state, hold, sent
from tests.store.acts import DAY, HOUR, INSTANT, MINUTE, SECOND, an_empty_store, letters_in, run
from tests.store.builders import a_delivery
from tests.store.watching import watched
from tests.store.within import claim_in, within
from tests.waiting import until


def a_claim(number: int = 1, *, age: timedelta = timedelta(), lane: Lane = Lane.TICKET) -> Claim:
    return Claim(delivery=a_delivery(lane=lane), id="claim", number=number, born=NOW - age)


def settled(claim: Claim, result: Result, *, took: timedelta = timedelta(), chance: float = 0.0) -> Settlement:
    """What is written down now of an attempt that took so long."""
    return settlement_for(claim, result, NOW - took, NOW, chance=chance)


ANY_LANE = st.sampled_from(list(Lane))
NUMBERS = st.integers(1, 10_000)
AGES = st.one_of(
    st.timedeltas(timedelta(days=-3), timedelta(days=9)),
    st.builds(
        lambda longest, by: longest + by,
        st.sampled_from(sorted(set(LONGEST_LIFE.values()))),
        st.timedeltas(-SECOND, SECOND),
    ),
)
"""Also those of deliveries that a clock ahead of ours owed."""
TOOK = st.timedeltas(timedelta(), timedelta(minutes=5))
CHANCES = st.floats(0, 1)
WISHES = st.one_of(st.floats(allow_nan=False, allow_infinity=True), st.integers(-(10**12), 10**12))
ANY_TROUBLE: st.SearchStrategy[Result] = st.one_of(
    st.builds(Unavailable, st.just("answered 503"), retry_after=st.none() | WISHES, is_crowded=st.booleans()),
    st.just(Unauthorized("answered 401")),
)
RESULTS: st.SearchStrategy[Result] = st.one_of(
    ANY_TROUBLE,
    st.builds(Receipt, reference=st.just("T1")),
    st.builds(Rejected, st.just("answered 400"), authenticated=st.booleans()),
)


@given(ANY_LANE, NUMBERS, AGES, RESULTS, TOOK, CHANCES)
def test_an_attempt_ends_a_delivery_or_makes_it_due_within_its_lanes_bounds(
    lane: Lane, number: int, age: timedelta, result: Result, took: timedelta, chance: float
) -> None:
    """A receipt means sent and a refusal dead, however old it is; trouble kills at the last try and not before. That is the
    first that begins at its lane's age or later, and it comes as soon as it may."""
    claim = a_claim(number, age=age, lane=lane)
    it = settled(claim, result, took=took, chance=chance)
    assert (it.claim, it.at, it.spent) == (claim, NOW, True)
    last = claim.born + LONGEST_LIFE[lane]
    match result:
        case Receipt():
            expected = DeliveryState.SENT
        case Rejected():
            expected = DeliveryState.DEAD
        case _:
            expected = DeliveryState.DEAD if NOW - took >= last else DeliveryState.OWED
    assert it.state is expected
    assert (it.receipt, it.error) == ((result, None) if isinstance(result, Receipt) else (None, str(result)))
    assert (it.due is not None) == (it.state is DeliveryState.OWED)
    if it.due is not None:
        assert NOW + LEAST * SECOND <= it.due <= NOW + LONGEST_WAIT[lane]
        assert it.due <= max(last, NOW + SECOND)


@given(ANY_LANE, NUMBERS, WISHES, st.booleans(), CHANCES)
def test_a_wish_counts_within_its_lane(lane: Lane, number: int, wish: float, is_crowded: bool, chance: float) -> None:
    """A delivery is never due before the instant that its destination wished for, unless its lane cannot wait so long."""
    result = Unavailable("answered 429", retry_after=wish, is_crowded=is_crowded)
    due = settled(a_claim(number, lane=lane), result, chance=chance).due
    assert due is not None
    asked = min(max(wish, 1), 900 if lane is Lane.PAGE else 4 * 3600)
    assert due >= NOW + timedelta(seconds=asked) - INSTANT
    if not is_crowded:
        assert due <= NOW + timedelta(seconds=asked) + INSTANT


def test_waits_double_and_what_was_refused_together_does_not_come_again_together(subtests: pytest.Subtests) -> None:
    """A destination that is asked too much is asked again over twice as long as before, each time. Without a wish the wait is
    exponential with jitter, up to ten minutes; refused credentials wait for the next probe."""
    for number, widest in ((1, 2), (2, 4), (3, 8), (8, 256), (9, 256), (1000, 256)):
        with subtests.test(ascii(number)):
            refusal = Unavailable("429", retry_after=10, is_crowded=True)
            for share in (0.0, 0.25, 1.0):
                wait = timedelta(seconds=10 + share * widest)
                assert settled(a_claim(number), refusal, chance=share).due == NOW + wait
    for attempt in range(1, 16):
        least = min(2 * 2 ** (attempt - 1), 600)
        for share in (0.0, 0.5, 1.0):
            due = settled(a_claim(attempt), Unavailable("no answer"), chance=share).due
            assert due == NOW + timedelta(seconds=min(least + 2 * share, 600))
    # If it is this one alone that is refused, another one probes.
    assert settled(a_claim(2), Unauthorized("401")).due == NOW + PROBE + 2 * SECOND


def test_chance_spreads_what_was_refused_together() -> None:
    """Over all that it is given, and anew each time."""
    found = [chance() for _ in range(50)]
    assert 0 <= min(found) < 1 / 3 < 2 / 3 < max(found) < 1


@given(ANY_LANE, NUMBERS, AGES, st.timedeltas(timedelta(), timedelta(days=1)), st.none() | st.just("answered 429"))
def test_waiting_spends_no_attempt(lane: Lane, number: int, age: timedelta, wait: timedelta, error: str | None) -> None:
    """Waiting for others costs nothing, however old it is."""
    it = untried(a_claim(number, age=age, lane=lane), NOW + wait, NOW, error)
    assert (it.state, it.due, it.spent, it.error) == (DeliveryState.OWED, NOW + wait, False, error)


MOMENT = timedelta(seconds=20)
MOST = 4
"""Signals, `k0` and so on, that are owed at most."""

LANES = st.sampled_from([Lane.PAGE, Lane.TICKET])


class Rounds(Engine):
    """What is delivered from a file to the destination `tickets`, run by run."""

    def __init__(self, store: Store, lane: Lane) -> None:
        super().__init__(run, store)
        self.lane = lane
        self.born: dict[str, datetime] = {}

    async def owe_more(self, many: int = 1) -> None:
        """Owes openings of the next signals, as long as there are no more than `MOST`."""
        keys = [f"k{number}" for number in range(len(self.born), min(len(self.born) + many, MOST))]
        self.born |= dict.fromkeys(keys, self.clock())
        owed = [a_delivery(key=key, lane=self.lane) for key in keys]
        await within(self.store, add_deliveries, owed, self.clock())

    async def round(self, answer: Result | Answer) -> list[Attempt]:
        """Does what each run does; what was tried."""
        await within(self.store, release_claims)
        now, self.holds = self.clock(), HoldReader(self.store)
        held = {"cwpp": await self.holds.held_in("cwpp", now)}
        await give_up_undeliverable(self.store, {"cwpp": [TICKETS]}, (), held, now, now)
        kind = Scripted(answer if callable(answer) else lambda _: answer)
        await self.worker(kind, lane=self.lane).deliver_due(lambda: False)
        return kind.attempts

    async def dead(self) -> set[str]:
        """The signals of the dead letters."""
        return {one.delivery.key for one in await letters_in(self.store) if one.delivery is not None}

    async def pauses(self) -> list[Pause]:
        """The pause of the destination, if it is paused."""
        return list((await within(self.store, list_pauses, "cwpp")).values())


def played(lane: Lane, play: Callable[[Rounds], Coroutine[Any, Any, None]]) -> None:
    """Plays over an empty file."""
    with an_empty_store() as store:
        run(play(Rounds(store, lane)))


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
def test_nothing_dies_untried_or_held(lane: Lane, steps: Sequence[tuple[str, float, timedelta, Result]]) -> None:
    """Whatever a destination wishes, however long nobody delivers, paused or not: it dies of the first try at its end of life,
    which comes after its destination was held."""

    async def play(rounds: Rounds) -> None:
        clock, tried, held_at = rounds.clock, defaultdict[str, list[datetime]](list), dict[str, datetime]()
        for what, hours, takes, trouble in [("owe", 0, MINUTE, GONE), *steps, *[("look", 80, MINUTE * 0, GONE)] * MOST]:
            clock.now += hours * HOUR
            match what:
                case "owe":
                    await rounds.owe_more()
                case "hold":
                    with suppress(BadUsage):
                        await hold(rounds.store, clock(), lane=lane, hours=LONGEST_HOLD[lane] / HOUR)
                case "release":
                    said = {"author": "b", "reason": "it is there"}
                    await release_destination(rounds.store, "cwpp", TICKETS, **said, now=clock())

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
            are_last = [time - rounds.born[key] >= LONGEST_LIFE[lane] for time in times]
            assert are_last == [False] * (len(times) - 1) + [True]
            assert times[-1] > held_at.get(key, NOW - HOUR)

    played(lane, play)


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
@given(st.lists(st.tuples(st.sampled_from([REFUSED, *TELLS_NOTHING, *TAKEN]), st.booleans()), min_size=1, max_size=3))
def test_a_pause_ends_only_when_our_credentials_are_taken(probes: Sequence[tuple[Result | None, bool]]) -> None:
    """One probe at a time; one that is refused, unanswered or says nothing of us changes nothing, even if it dies of age."""

    async def play(rounds: Rounds) -> None:
        await rounds.owe_more(MOST)
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


def test_a_refusal_counts_for_more_than_what_came_with_it() -> None:
    """And what tells nothing neither pauses nor resumes. A probe is due at its instant, and where that is not possible: a
    worker whose clock is a little ahead is believed."""
    # Of a batch one part may have got through before the token ran out; what was put back untried asked nobody.
    cases: Sequence[tuple[Pause | None, list[Result], Pause | None]] = (
        (None, [Receipt(), REFUSED], _pause(NOW + PROBE)),
        (_pause(), [Receipt(), REFUSED], _pause(NOW + PROBE)),
        (None, [Unavailable("answered 503")], None),
        (_pause(), [], _pause()),
        (None, [], None),
        # One that a wrong clock wrote has not begun in the future.
        (replace(_pause(), since=NOW + DAY), [REFUSED], _pause(NOW + PROBE)),
        (replace(_pause(), since=NOW + DAY), [Unavailable("answered 503")], _pause(NOW + PROBE)),
    )
    for before, results, after in cases:
        assert pause_after(before, results, stream="cwpp", destination=TICKETS, now=NOW) == after
    dues = [timedelta(), INSTANT, 2 * PROBE, 2 * PROBE + INSTANT]
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
def test_all_is_sent_once_the_clock_is_right(lane: Lane, acts: Sequence[tuple[timedelta, bool, Result | None]]) -> None:
    """Owed, put off, paused or claimed by one that was minutes or millennia off. What that gave up on is a dead letter."""

    async def play(rounds: Rounds) -> None:
        clock = rounds.clock
        await rounds.owe_more()
        for ahead, owes, trouble in acts:
            clock.now = NOW + ahead
            await rounds.owe_more(int(owes))
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
        expected = Counter({DeliveryState.SENT: len(rounds.born) - dead, DeliveryState.DEAD: dead})
        counts = await within(rounds.store, count_deliveries, "cwpp")
        assert Counter({state: many for (_, state), many in counts.items()}) == expected
        # What is dead probes nothing.
        assert dead or await rounds.pauses() == []

    played(lane, play)


# A destination that a person holds is not asked until that ends, and who held what is on record.


SENT, OWED = DeliveryState.SENT, DeliveryState.OWED


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine with nothing owed."""
    yield from engine_of_state(tmp_path)


async def release(store: Store, now: datetime) -> DestinationHold | None:
    """Has a person release `tickets`."""
    return await release_destination(store, "cwpp", TICKETS, author="ben", reason="it is there", now=now)


@pytest.mark.parametrize(("lane", "hours", "ends"), [(Lane.TICKET, 2, 2), (Lane.PAGE, 48, 4), (Lane.ROWS, 2, 2)])
def test_a_held_destination_is_not_asked_until_that_ends(engine: Engine, lane: Lane, hours: int, ends: int) -> None:
    """To the microsecond, it alone, and that spends no attempt. The lane counts in which it is delivered to now: it may have
    been another one where it was held."""
    for name in (TICKETS, "oncall"):
        engine.owe("k0", lane=lane, destination=name)
    engine.holds = HoldReader(engine.store, {("cwpp", TICKETS): lane})
    kind = (InBatches if lane is Lane.ROWS else Scripted)(sent)
    loop = engine.loop({TICKETS: kind, "oncall": kind}, lane=lane)
    engine.run(hold(engine.store, NOW, hours=hours, lane=Lane.TICKET))
    assert engine.deliver(loop) == [SENT]
    assert [engine.run(engine.holds.held_in(stream, NOW)).keys() for stream in ("cwpp", "cspm")] == [{TICKETS}, set()]
    engine.clock.now = NOW + ends * HOUR - INSTANT
    assert engine.deliver(loop) == []
    engine.clock.now += INSTANT
    assert engine.deliver(loop) == [SENT]
    assert [(one.delivery.destination, one.number) for one in kind.attempts] == [("oncall", 1), (TICKETS, 1)]


def test_what_is_in_flight_is_finished_and_what_is_claimed_behind_it_is_put_back(engine: Engine) -> None:
    """A hold touches no send that has begun; the others are owed as if nobody had claimed them, and sent after a release."""
    engine.owe(*(f"k{n}" for n in range(6)))
    destination = Held()

    async def delivered() -> None:
        working = asyncio.create_task(engine.worker(destination, concurrency=2).deliver_due(lambda: False))
        await until(lambda: destination.waiting == 2)
        await hold(engine.store, NOW)
        engine.clock.now += FRESH + SECOND
        destination.open()
        await working

    engine.run(delivered())
    assert engine.states() == {SENT: 2, OWED: 4}
    engine.run(release(engine.store, engine.clock()))
    engine.clock.now += FRESH + SECOND
    later = Scripted(sent)
    engine.deliver(engine.worker(later))
    assert [attempt.number for attempt in later.attempts] == [1] * 4


def test_holds_are_read_at_most_every_fifteen_seconds_and_where_they_cannot_be_nobody_is_asked(engine: Engine) -> None:
    """All workers of a process ask one reader; where the clock was set back or stands still, they look again as well. What a
    person holds is not asked because storage was down for a moment."""
    listed, passed, is_down = 0, 0.0, False

    def look(sql: str, values: Sequence[object]) -> None:
        nonlocal listed
        listed += 1
        if is_down:
            raise StoreError("storage is down")

    reader = HoldReader(watched(engine.store, look), ticks=lambda: passed)

    async def asked(now: datetime) -> int:
        before = listed
        await asyncio.gather(*(reader.held_in(stream, now) for stream in ["cwpp", "cspm"] * 20))
        return listed - before

    times = [NOW, NOW, NOW + FRESH, NOW + FRESH + SECOND, NOW + FRESH]
    assert [engine.run(asked(time)) for time in times] == [1, 0, 0, 1, 1]
    found = []
    for seconds in (15, 1, 15, 15.1):
        passed += seconds
        found.append(engine.run(asked(times[-1])))
    assert found == [0, 1, 0, 1]
    engine.owe("k0")
    engine.holds, is_down, passed = reader, True, 100.0
    kind = Scripted(sent)
    with pytest.raises(StoreError):
        engine.deliver(engine.worker(kind))
    assert kind.attempts == []
    is_down = False
    assert engine.deliver(engine.worker(kind)) == [SENT]


def test_a_paused_destination_is_not_probed_while_it_is_held(engine: Engine) -> None:
    """Its pause is as it was when it is released, and is probed then."""
    engine.owe("k0")
    engine.deliver(engine.worker(Scripted(lambda _: REFUSED)))
    pauses = engine.ask(list_pauses, "cwpp")
    engine.clock.now += FRESH + SECOND
    engine.run(hold(engine.store, engine.clock()))
    engine.clock.now += HOUR
    worker = engine.worker(Scripted(sent))
    assert engine.deliver(worker) == []
    assert engine.ask(list_pauses, "cwpp") == pauses != {}
    engine.run(release(engine.store, engine.clock()))
    engine.clock.now += FRESH + SECOND
    assert engine.deliver(worker) == [SENT]
    assert engine.ask(list_pauses, "cwpp") == {}


def test_every_hold_and_every_release_is_on_record(engine: Engine) -> None:
    """Who, what, when, why and until when, in the order of time; a release of what is not held changes nothing."""
    store, hours = engine.store, [NOW + number * HOUR for number in range(6)]
    assert engine.run(release(store, NOW)) is None
    engine.run(hold(store, NOW))
    engine.run(hold(store, hours[1]))
    engine.run(release(store, hours[2]))
    assert engine.run(release(store, hours[2])) is None
    engine.run(hold(store, hours[3]))
    changes = engine.ask(list_changes, None, 10)
    assert [(one.action, one.author, one.reason, one.at, one.detail["ends"]) for one in reversed(changes)] == [
        (ChangeAction.HELD, "ana", "it is moved", NOW, timestamp(hours[2])),
        (ChangeAction.HELD, "ana", "it is moved", hours[1], timestamp(hours[3])),
        (ChangeAction.RELEASED, "ben", "it is there", hours[2], timestamp(hours[2])),
        (ChangeAction.HELD, "ana", "it is moved", hours[3], timestamp(hours[5])),
    ]
    assert {(one.stream, one.subject) for one in changes} == {("cwpp", "tickets")}
