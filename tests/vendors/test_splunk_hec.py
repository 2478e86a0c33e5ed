"""Splunk over real HTTP: every event arrives at least once, and one that is refused costs only itself."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from alert_router_demo.soc.faults import Drop, LoseAnswer, Status
from alert_router_demo.soc.splunk_hec import SplunkHecDouble
from router.domain.asks import Result
from router.domain.errors import Rejected, Unauthorized, Unavailable
from router.domain.notices import Delivery, Receipt
from router.domain.ports import DestinationKind
from tests.destinations.builders import a_delivery, a_destination, a_notice, an_entry
from tests.vendors.room import a_life, opened
from tests.vendors.talks import Send, at_work

TOKEN = "11111111-2222-3333-4444-555555555555"


def at_splunk(
    splunk: SplunkHecDouble, play: Callable[[Send], Awaitable[None]], token: str = TOKEN, **config: Any
) -> None:
    """Plays with a destination that writes to that Splunk."""

    def make(url: str) -> tuple[DestinationKind, Mapping[str, str]]:
        return a_destination("splunk_hec", url=url, **config), {"SPLUNK_HEC_TOKEN": token}

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


def test_what_is_sent_twice_stands_there_twice_and_can_be_told() -> None:
    """Splunk deduplicates nothing: a second send and two at once make three copies, equal in `key` and `turn`."""
    splunk = SplunkHecDouble(TOKEN)

    async def play(send: Send) -> None:
        await send(opened())
        await asyncio.gather(send(opened()), send(opened()))

    at_splunk(splunk, play)
    assert splunk.copies() == {(a_notice().key, 1): 3}


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


def test_a_resolution_whose_opening_died_stands_alone() -> None:
    """Events have no state that could be wrong: each is what was told, in whichever order it comes."""
    splunk = SplunkHecDouble(TOKEN)
    _, updated, resolved = a_life()

    async def play(send: Send) -> None:
        assert types_of([*await send(resolved), *await send(updated)]) == [Receipt] * 2

    at_splunk(splunk, play)
    assert [one["event"]["change"] for one in splunk.events] == ["resolved", "updated"]


def test_the_record_is_written_too() -> None:
    """An entry of the record is an event of a source type of its own."""
    splunk = SplunkHecDouble(TOKEN)

    async def play(send: Send) -> None:
        assert types_of(await send(a_delivery(an_entry()))) == [Receipt]

    at_splunk(splunk, play)
    assert [(one["sourcetype"], one["event"]["outcome"]) for one in splunk.events] == [("defender:decision", "routed")]


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
@settings(max_examples=15)
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


def test_what_is_wrong_with_the_token_or_its_index_pauses() -> None:
    """An unknown or disabled token, one that wants acknowledgement, an index that it may not write to: no dead letter."""
    disabled = SplunkHecDouble(TOKEN)
    disabled.is_disabled = True
    said: list[str] = []

    async def play(send: Send) -> None:
        results = await send(*many(3))
        assert types_of(results) == [Unauthorized] * 3
        said.extend({str(result) for result in results})

    at_splunk(SplunkHecDouble(TOKEN), play, token="another-token-that-was-rolled")
    at_splunk(disabled, play)
    at_splunk(SplunkHecDouble(TOKEN, is_acknowledging=True), play)
    at_splunk(SplunkHecDouble(TOKEN, indexes=["main"]), play)
    assert ["Invalid token" in said[0], "disabled" in said[1], "channel" in said[2], "Incorrect index" in said[3]] == (
        [True] * 4
    )
    assert "rolled" not in "".join(said)


def test_a_success_with_another_code_is_none() -> None:
    """A 200 around an error has taken nothing."""
    splunk = SplunkHecDouble(TOKEN)
    splunk.faults.add(Status(200, body={"text": "Server is busy", "code": 9}))

    async def play(send: Send) -> None:
        assert types_of(await send(opened())) == [Unavailable]

    at_splunk(splunk, play)
    assert splunk.events == []
