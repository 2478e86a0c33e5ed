"""Whatever times messages told, and whatever clock was believed meanwhile: nothing silences what comes in later."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.catalogue import Catalogue
from router.domain.clocks import SKEW
from router.domain.keys import signal_key
from router.domain.ledger import MOST_AT_ONCE, MOST_DOCUMENTS, Arrival, Seen
from router.domain.signals import Stream
from router.ingest.intake import Intake, Message
from router.store.signals import find_signals, write_signals
from router.store.store import Store
from tests.builders import NOW, a_rulebook, alert_body
from tests.examples import some_of
from tests.store.builders import a_row
from tests.store.opened import open_store

DAY = timedelta(days=1)
FAR = datetime.fromisoformat("9999-12-31T23:59:59Z")


class Timed(NamedTuple):
    """A message says that a signal stands or is over, since when, and comes from a hub or a file; by a clock that is off."""

    is_over: bool
    changed: datetime | None
    is_from_hub: bool
    clock: datetime
    hubs_clock: datetime


TIMES = [NOW - DAY, NOW - timedelta(minutes=1), NOW + 2 * DAY, NOW + 400 * DAY, FAR]
CLOCKS = st.sampled_from([NOW, NOW, NOW + 3 * DAY, NOW + 3_000 * DAY])
TIMED = st.lists(
    st.builds(Timed, st.booleans(), st.sampled_from([None, *TIMES]), st.booleans(), CLOCKS, CLOCKS), max_size=5
)


def _message(place: int, one: Timed) -> Message:
    times = {"ProcessingEndTime": one.changed.isoformat()} if one.changed is not None else {}
    body = alert_body(Status="Resolved" if one.is_over else "New", **times)
    if one.is_from_hub:
        return Message(body, f"hub:{place}", Arrival("hub/0", place, one.hubs_clock))
    return Message(body, f"file-{place}:1", Arrival(f"file-{place}", 1))


async def _nothing_is_silenced(store: Store, timed: Sequence[Timed], is_from_hub: bool) -> None:
    intake = Intake(store, {Stream.CWPP: a_rulebook()}, Catalogue())
    for place, one in enumerate(timed):
        await intake.ingest([_message(place, one)], one.clock)
    # The clock is right: the signal stands, is over, and stands again, each a little later.
    async with store.session() as tx:
        row = (await find_signals(tx, [KEY])).get(KEY)
    is_over = row is not None and not row.state.resolved
    for step in range(3):
        now = NOW + timedelta(minutes=step)
        one = Timed(is_over, now, is_from_hub, now, now)
        (entry,) = await intake.ingest([_message(len(timed) + step, one)], now)
        assert entry.outcome == ("resolved" if is_over else "routed")
        is_over = not is_over


KEY = signal_key("cwpp", "alert", "alert-1")


@settings(max_examples=some_of(60), deadline=None)
@given(TIMED, st.booleans())
def test_in_a_file_no_time_silences_what_comes_later(timed: list[Timed], is_from_hub: bool) -> None:
    """A message's own time, the hub's or this machine's: what is impossible counts for nothing."""

    async def played() -> None:
        with TemporaryDirectory() as directory:
            store = open_store(Path(directory))
            try:
                await _nothing_is_silenced(store, timed, is_from_hub)
            finally:
                await store.close()

    asyncio.run(played())


def test_a_row_that_an_earlier_version_wrote_with_such_a_time_heals(tmp_path: Path) -> None:
    """It took the times of files as they were told: what it silenced is told again, and the row has a true time then."""

    async def healed() -> None:
        store = open_store(tmp_path)
        await store.run(lambda tx: write_signals(tx, [a_row(KEY, seen=Seen(FAR, Arrival("an old file", 1)))]))
        intake = Intake(store, {Stream.CWPP: a_rulebook()}, Catalogue())
        (entry,) = await intake.ingest([_message(1, Timed(True, NOW, False, NOW, NOW))], NOW)
        assert entry.outcome == "resolved"
        async with store.session() as tx:
            assert (await find_signals(tx, [KEY]))[KEY].seen.changed == NOW
        await store.close()

    asyncio.run(healed())


def test_a_time_is_believed_up_to_a_day_ahead() -> None:
    """Of when a message came in from a hub; of now where it came from a file. Both sides of the boundary."""
    for arrival in (Arrival("hub/0", 1, NOW), Arrival("a file", 1)):
        just, beyond = Seen(NOW + DAY, arrival), Seen(NOW + DAY + timedelta(microseconds=1), arrival)
        assert just.without_impossible(NOW) == just
        assert beyond.without_impossible(NOW) == Seen(None, arrival)


A_WHILE = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("place", "dated", "other", "is_before"),
    [
        (1, NOW, Arrival("hub/0", 2, NOW), True),
        (1, NOW, Arrival("hub/0", 1 + MOST_AT_ONCE, NOW), True),
        (1, NOW, Arrival("hub/0", 2 + MOST_AT_ONCE, NOW), False),
        (1, NOW - A_WHILE, Arrival("hub/0", 2 + MOST_AT_ONCE, NOW), True),
        (1, NOW + SKEW, Arrival("hub/0", 2, NOW), True),
        (1, NOW + SKEW + A_WHILE, Arrival("hub/0", 2, NOW), False),
        (1, None, Arrival("hub/0", 1 + MOST_DOCUMENTS), True),
        (1, None, Arrival("hub/0", 2 + MOST_DOCUMENTS), False),
    ],
)
def test_a_place_is_believed_up_to_what_its_origin_can_have_numbered(
    place: int, dated: datetime | None, other: Arrival, is_before: bool
) -> None:
    """What the hub dates earlier may be any number of events behind; what it dates no earlier may not."""
    assert Arrival("hub/0", place, dated).is_before(other) is is_before
