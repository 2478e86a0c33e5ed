"""Splunk over real HTTP: every event arrives at least once, and one that is refused costs only itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router_demo.soc.faults import Drop, LoseAnswer
from alert_router_demo.soc.splunk_hec import SplunkHecDouble
from router.domain.conversation import DestinationKind, Result
from router.domain.deliveries import Delivery, Receipt
from router.domain.errors import Rejected, Unavailable
from tests.destinations.builders import a_delivery, a_destination, a_notice
from tests.examples import some_of
from tests.vendors.room import a_life, opened
from tests.vendors.talks import Send, at_work

TOKEN = "11111111-2222-3333-4444-555555555555"


def at_splunk(splunk: SplunkHecDouble, play: Callable[[Send], Awaitable[None]]) -> None:
    """Plays with a destination that writes to that Splunk."""

    def make(url: str) -> tuple[DestinationKind, Mapping[str, str]]:
        return a_destination("splunk_hec", url=url), {"SPLUNK_HEC_TOKEN": TOKEN}

    at_work(splunk, make, play)


def many(count: int, **notice: Any) -> list[Delivery]:
    """Deliveries of as many signals, whose ids are their numbers."""
    return [a_delivery(a_notice(key=f"{number:032x}", id=str(number), **notice)) for number in range(count)]


def types_of(results: Sequence[Result]) -> list[type]:
    """The types of results."""
    return [type(result) for result in results]


def test_a_life_is_three_events_in_order() -> None:
    """Opened, updated and resolved stand there each, at their times and with what changed."""
    splunk = SplunkHecDouble(TOKEN)

    async def play(send: Send) -> None:
        assert types_of(await send(*a_life())) == [Receipt] * 3

    at_splunk(splunk, play)
    assert [(one["event"]["turn"], one["event"]["change"]) for one in splunk.events] == [
        (1, "opened"), (2, "updated"), (3, "resolved"),
    ]  # fmt: skip
    assert splunk.answers == {"200": 1}


def test_an_answer_that_is_lost_is_owed_again_and_leaves_a_copy() -> None:
    """At least once: nobody can tell whether the events were taken."""
    splunk = SplunkHecDouble(TOKEN)
    splunk.faults.add(LoseAnswer())
    splunk.faults.add(Drop())

    async def play(send: Send) -> None:
        assert types_of(await send(opened())) == [Unavailable]
        assert types_of(await send(opened())) == [Unavailable]
        assert types_of(await send(opened())) == [Receipt]

    at_splunk(splunk, play)
    assert splunk.copies() == {(a_notice().key, 1): 2}


def test_five_hundred_large_events_go_in_requests_that_splunk_takes() -> None:
    """None of them is above the smallest limit that a Splunk had, and every event arrives once, in order."""
    splunk = SplunkHecDouble(TOKEN)

    async def play(send: Send) -> None:
        assert types_of(await send(*many(500, description="x" * 8_000))) == [Receipt] * 500

    at_splunk(splunk, play)
    assert [one["event"]["id"] for one in splunk.events] == [str(number) for number in range(500)]
    assert splunk.answers == {"200": 6}


def test_requests_that_are_too_large_all_the_same_are_halved() -> None:
    """A collector with a smaller limit gets smaller requests, and one event that it does not take is cut."""
    splunk = SplunkHecDouble(TOKEN, body_limit=20_000)

    async def play(send: Send) -> None:
        assert types_of(await send(*many(40), *many(1, description="x" * 50_000))) == [Receipt] * 41

    at_splunk(splunk, play)
    assert len(splunk.events) == 41
    assert splunk.events[-1]["event"]["description"].endswith("[cut]")


@given(poison=st.sets(st.integers(0, 59), max_size=8))
@settings(max_examples=some_of(15))
def test_a_refused_event_costs_only_itself(poison: set[int]) -> None:
    """Whichever events Splunk cannot read, those alone are dead; every other one arrives, and none more than twice."""
    splunk = SplunkHecDouble(TOKEN, poison={str(number) for number in poison})

    async def play(send: Send) -> None:
        assert types_of(await send(*many(60))) == [Rejected if number in poison else Receipt for number in range(60)]

    at_splunk(splunk, play)
    copies = Counter(int(one["event"]["id"]) for one in splunk.events)
    assert set(copies) == set(range(60)) - poison
    assert max(copies.values(), default=0) <= 2
    assert splunk.answers.total() <= 1 + 4 * len(poison)
