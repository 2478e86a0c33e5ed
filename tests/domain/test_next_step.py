"""What holds of a signal's deliveries to one destination, whatever happens to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from router.domain.deliveries import LEASE, LONGEST_WAIT, DeliveryState
from router.domain.rulebook import Lane
from router.store.delivery_lifecycle import first_open, next_step
from tests.domain.signal_model import (
    EVENTS,
    JUMPS,
    LONGEST_STEP,
    MINUTE,
    TRANSITIONS,
    Abandon,
    Act,
    Add,
    BringForward,
    Die,
    Event,
    Jump,
    Restart,
    Settle,
    SignalModel,
    Work,
)

LANES = st.sampled_from(Lane)


@settings(deadline=None)
@given(LANES, EVENTS)
def test_whatever_happens_turns_are_kept_claims_are_one_workers_and_nothing_is_forgotten(
    lane: Lane, events: Sequence[Event]
) -> None:
    """The model checks each step: order of turns, claims, acknowledgements, what is superseded, and who is suspect."""
    SignalModel(lane).play(events)


OWED_FROM_AN_INSTANT_TO_COME: list[Event] = [
    Jump(10 * MINUTE), Add(), Jump(timedelta()), BringForward(), Work(), Work(9),
]  # fmt: skip
"""A clock that was ahead wrote since when it is owed; its claim is over before that."""


@settings(deadline=None)
@given(LANES, JUMPS)
@example(Lane.PAGE, OWED_FROM_AN_INSTANT_TO_COME)
def test_a_clock_that_jumps_breaks_none_of_it(lane: Lane, events: Sequence[Event]) -> None:
    """Minutes or years ahead, and back."""
    SignalModel(lane).play(events)


@settings(deadline=None)
@given(LANES, JUMPS)
def test_what_is_open_is_sent_within_its_lanes_bounds_once_the_clock_is_right(
    lane: Lane, events: Sequence[Event]
) -> None:
    """Nothing waits for an instant that a wrong clock wrote, and nothing waits for ever."""
    signal = SignalModel(lane)
    signal.play(events)
    signal.ahead = timedelta()
    signal.now += LONGEST_WAIT[lane] + LEASE[lane] + 10 * MINUTE
    for _ in range(LONGEST_STEP):
        if signal.work() is None:
            break
        signal.happen(Settle(DeliveryState.SENT))
        signal.check()
    assert not [one for one in signal.entries.values() if one.is_open]


@settings(deadline=None)
@given(LANES, EVENTS)
def test_a_step_depends_on_no_order(lane: Lane, events: Sequence[Event]) -> None:
    """A store may give entries as it finds them."""
    signal = SignalModel(lane)
    for event in events:
        signal.play([event])
        entries = list(signal.entries.values())
        assert next_step(entries[::-1], signal.now) == next_step(entries, signal.now)


REDRIVEN_BEHIND_A_LATER_OPENING: list[Event] = [
    Add(), Add(ends=True), Add(), Abandon(), Add(ends=True), Add(), Work(), Settle(DeliveryState.OWED, wait=1), Add(),
    Work(), Settle(DeliveryState.DEAD), Add(), Act(redrives=True),
]  # fmt: skip
"""An end that was tried is superseded beside an update of the next opening, which has later turns."""


@settings(deadline=None)
@given(LANES, EVENTS, st.integers(0, 12))
@example(Lane.PAGE, REDRIVEN_BEHIND_A_LATER_OPENING, 0)
def test_a_step_that_is_taken_leads_to_another_one(lane: Lane, events: Sequence[Event], minutes: int) -> None:
    """What is superseded is so once, and what has to wait may be claimed at the instant that is said."""
    signal = SignalModel(lane)
    signal.play(events)
    signal.now += minutes * MINUTE
    needless, first = next_step(list(signal.entries.values()), signal.now)
    if needless:
        signal.work()
        assert not next_step(list(signal.entries.values()), signal.now).needless
    elif first is None and (waiting := first_open(signal.entries.values())) is not None:
        assert any(next_step(list(signal.entries.values()), waiting.due))


def a_history(random: Random) -> list[Event]:
    """Some things that happen to a signal, by chance."""
    states = (DeliveryState.SENT, DeliveryState.SENT, DeliveryState.DEAD, DeliveryState.OWED)
    every: list[Event] = [
        Add(),
        Add(ends=True),
        Work(),
        Work(6),
        Settle(random.choice(states), random.randint(0, 1), random.randint(0, 3), random.random() < 0.8),
        Die(random.choice((1, 5))),
        Abandon(),
        BringForward(),
        Act(True, random.randint(0, 1)),
        Act(False),
        Restart(),
    ]
    return random.choices(every, weights=[3, 3, 5, 2, 6, 1, 1, 1, 3, 1, 1], k=40)


def test_every_transition_that_is_listed_is_made_and_no_other() -> None:
    """The table of the lifecycle is what its functions do; the model refuses what it does not list."""
    made: set[tuple[str, DeliveryState | None, DeliveryState]] = set()
    for seed in range(800):
        random = Random(seed)  # noqa: S311  Nothing here is secret.
        signal = SignalModel(random.choice((Lane.TICKET, Lane.ROWS)))
        signal.play(a_history(random))
        made |= signal.made
    assert made == {(by, *change) for by, changes in TRANSITIONS.items() for change in changes}


@pytest.mark.parametrize("lane", [Lane.PAGE, Lane.TICKET])
def test_a_signal_that_went_up_and_down_untold_comes_to_nothing(lane: Lane) -> None:
    """However often: nobody was told, and nobody has to hear of it."""
    signal = SignalModel(lane)
    signal.play([Add(), Add(ends=True)] * 5)
    assert signal.work() is None
    assert {one.state for one in signal.entries.values()} == {DeliveryState.SKIPPED}
