"""Whatever times messages told, and whatever clock was believed meanwhile: nothing silences what comes in later."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.clocks import SKEW
from router.domain.hubs import MOST_AT_ONCE, MOST_DOCUMENTS, Arrival
from router.ingest.intake import Message
from router.store.ledger import Seen
from tests.builders import NOW, a_rulebook, alert_body
from tests.examples import some_of
from tests.store.life import Life, a_life

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
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
TIMED = st.builds(Timed, st.booleans(), st.sampled_from([None, *TIMES]), st.booleans(), CLOCKS, CLOCKS)


def outcome_of(life: Life, place: int, one: Timed) -> str:
    """The outcome of a message that comes in."""
    life.now = one.clock
    times = {"ProcessingEndTime": one.changed.isoformat()} if one.changed is not None else {}
    arrival = Arrival("hub/0", place, one.hubs_clock) if one.is_from_hub else Arrival(f"file-{place}", 1)
    body = alert_body(Status="Resolved" if one.is_over else "New", **times)
    (entry,) = life.ingest(Message(body, f"test:{place}", arrival))
    return entry.outcome


@settings(max_examples=some_of(60), deadline=None)
@given(st.lists(TIMED, max_size=5), st.booleans())
def test_no_time_silences_what_comes_later(timed: list[Timed], is_from_hub: bool) -> None:
    """A message's own time, the hub's or this machine's: what is impossible counts for nothing.

    Once the clock is right the signal stands, is over, and stands again, each a little later.
    """
    with a_life(a_rulebook()) as life:
        for place, one in enumerate(timed):
            outcome_of(life, place, one)
        row = life.row()
        is_over = row is not None and not row.state.resolved
        for step in range(3):
            now = NOW + timedelta(minutes=step)
            outcome = outcome_of(life, len(timed) + step, Timed(is_over, now, is_from_hub, now, now))
            assert outcome == ("resolved" if is_over else "routed")
            is_over = not is_over


def test_a_time_is_believed_up_to_a_day_ahead() -> None:
    """Of when a message came in from a hub; of now where it came from a file. Both sides of the boundary."""
    for arrival in (Arrival("hub/0", 1, NOW), Arrival("a file", 1)):
        just, beyond = Seen(NOW + DAY, arrival), Seen(NOW + DAY + timedelta(microseconds=1), arrival)
        assert just.without_impossible(NOW) == just
        assert beyond.without_impossible(NOW) == Seen(None, arrival)


@pytest.mark.parametrize(
    ("dated", "place", "other", "is_before"),
    [
        (NOW, 2, NOW, True),
        (NOW, 1 + MOST_AT_ONCE, NOW, True),
        (NOW, 2 + MOST_AT_ONCE, NOW, False),
        (NOW - SECOND, 2 + MOST_AT_ONCE, NOW, True),
        (NOW + SKEW, 2, NOW, True),
        (NOW + SKEW + SECOND, 2, NOW, False),
        (None, 1 + MOST_DOCUMENTS, None, True),
        (None, 2 + MOST_DOCUMENTS, None, False),
    ],
)
def test_a_place_is_believed_up_to_what_its_origin_can_have_numbered(
    dated: datetime | None, place: int, other: datetime | None, is_before: bool
) -> None:
    """What the hub dates earlier may be any number of events behind; what it dates no earlier may not."""
    assert Arrival("hub/0", 1, dated).is_before(Arrival("hub/0", place, other)) is is_before
