"""A destination that refuses our credentials is paused until an answer shows that they were taken, whatever else happens."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.conversation import Result
from router.domain.deliveries import Attempt, Pause, Receipt
from router.domain.errors import Rejected, Unauthorized, Unavailable
from router.domain.lane_limits import LONGEST
from router.domain.rulebook import Lane
from router.store.dead_letters import list_dead_letters
from router.store.destinations import PROBE, Credentials, credentials_by, is_probe_due, list_pauses, pause_after
from tests.builders import NOW
from tests.deliver.engines import MOST, Rounds, from_file, owe
from tests.deliver.scripted import Clock, Scripted
from tests.store.within import within

FAULT = ZeroDivisionError("a fault of ours")
REFUSED = Unauthorized("answered 401")
TAKEN: list[Result] = [Receipt(reference="T1"), Rejected("answered 400", status=400, authenticated=True)]
TELLS_NOTHING: list[Result | Exception] = [
    *(Rejected(f"answered {status}", status=status) for status in (302, 307, 400, 404, 407, 413)),
    *(Unavailable(f"answered {status}") for status in (408, 425, 429, 500, 503)),
    Unavailable("no answer within 30 s"),
    FAULT,
]
MOMENT = timedelta(seconds=20)


class AnswersAsScripted(Scripted):
    """A destination that answers one attempt as it is told to, and takes what comes after."""

    lane: ClassVar[Lane] = Lane.PAGE

    def __init__(self, first: Result | Exception) -> None:
        super().__init__(self._result)
        self._first = first

    def _result(self, attempt: Attempt) -> Result:
        first, self._first = self._first, Receipt()
        if first is FAULT:
            raise FAULT
        assert not isinstance(first, ZeroDivisionError)
        return first  # type: ignore[return-value]


PROBES = st.lists(
    st.tuples(st.sampled_from([REFUSED, *TELLS_NOTHING, *TAKEN]), st.booleans()), min_size=1, max_size=MOST - 1
)
"""What each probe brings, and whether what probes has come to its end of life."""


async def _paused_until_taken(engine: Rounds, probes: Sequence[tuple[Result | Exception, bool]]) -> None:
    clock = Clock()
    await owe(engine, Lane.PAGE, [f"k{n}" for n in range(MOST)], clock())
    await engine.round(AnswersAsScripted(REFUSED), clock)
    for brought, is_old in probes:
        clock.now += LONGEST[Lane.PAGE] if is_old else PROBE + MOMENT
        kind = AnswersAsScripted(brought)
        await engine.round(kind, clock)
        pause = (await within(engine.store, list_pauses, "cwpp")).get("tickets")
        if brought in TAKEN:
            assert pause is None
            return
        assert len(kind.attempts) == 1
        assert pause is not None
        assert (pause.since, pause.probe, pause.error) == (NOW, clock() + PROBE, "answered 401")


@settings(max_examples=30, deadline=None)
@given(PROBES)
def test_a_pause_ends_only_when_our_credentials_are_taken(
    probes: list[tuple[Result | Exception, bool]],
) -> None:
    """One probe at a time; one that is refused, unanswered or says nothing of us changes nothing, even if it dies of age."""

    async def played() -> None:
        async with from_file() as engine:
            await _paused_until_taken(engine, probes)

    asyncio.run(played())


@pytest.mark.parametrize("brought", [REFUSED, Unavailable("no answer within 30 s")])
def test_a_probe_that_dies_of_age_resumes_nothing(brought: Result) -> None:
    """Its death says nothing of our credentials."""

    async def played() -> None:
        async with from_file() as engine:
            await _paused_until_taken(engine, [(brought, True)])
            assert len(await within(engine.store, list_dead_letters)) == 1

    asyncio.run(played())


@pytest.mark.parametrize("wrong", [timedelta(hours=1), timedelta(days=400), timedelta(days=365 * 5_000)])
def test_a_pause_that_a_wrong_clock_wrote_is_probed_once_the_clock_is_right(wrong: timedelta) -> None:
    """It does not last until the instant that such a clock gave it, and it has not begun in the future."""

    async def played() -> None:
        async with from_file() as engine:
            clock = Clock()
            await owe(engine, Lane.PAGE, ["k0", "k1"], clock())
            clock.now += wrong
            await engine.round(AnswersAsScripted(REFUSED), clock)
            clock.now = NOW + MOMENT
            await engine.round(AnswersAsScripted(REFUSED), clock)
            (pause,) = (await within(engine.store, list_pauses, "cwpp")).values()
            assert (pause.since, pause.probe) == (clock(), clock() + PROBE)
            clock.now += PROBE + MOMENT
            await engine.round(AnswersAsScripted(Receipt()), clock)
            assert await within(engine.store, list_pauses, "cwpp") == {}

    asyncio.run(played())


def _pause(since: datetime = NOW, probe: datetime = NOW) -> Pause:
    return Pause(stream="cwpp", destination="tickets", since=since, probe=probe, error="answered 401")


def _after(pause: Pause | None, *results: Result) -> Pause | None:
    return pause_after(pause, results, stream="cwpp", destination="tickets", now=NOW)


@pytest.mark.parametrize("result", [result for result in TELLS_NOTHING if not isinstance(result, ZeroDivisionError)])
def test_what_tells_nothing_neither_pauses_nor_resumes(result: Result) -> None:
    """A paused destination is asked again when the next probe is due."""
    assert credentials_by(result) is Credentials.UNKNOWN
    assert _after(None, result) is None
    assert _after(_pause(), result) == _pause(probe=NOW + PROBE)


def test_a_refusal_counts_for_more_than_what_came_with_it() -> None:
    """Of a batch one part may have got through before the token ran out."""
    assert _after(None, Receipt(), REFUSED) == _pause(probe=NOW + PROBE)
    assert _after(_pause(), Receipt(), REFUSED) == _pause(probe=NOW + PROBE)


def test_what_brought_nothing_changes_nothing() -> None:
    """What was put back untried asked nobody."""
    assert _after(_pause()) == _pause()
    assert _after(None) is None


def test_a_probe_is_due_at_its_instant_and_where_that_is_not_possible() -> None:
    """A worker whose clock is a little ahead is believed."""
    assert not is_probe_due(_pause(probe=NOW + timedelta(microseconds=1)), NOW)
    assert is_probe_due(_pause(probe=NOW), NOW)
    assert not is_probe_due(_pause(probe=NOW + 2 * PROBE), NOW)
    assert is_probe_due(_pause(probe=NOW + 2 * PROBE + timedelta(microseconds=1)), NOW)
