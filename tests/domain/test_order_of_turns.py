"""What one delivery of a signal makes of another: each rule by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from router.domain.decisions import Change
from router.domain.deliveries import DeliveryState, DeliveryStatus
from router.store.delivery_lifecycle import is_overtaken, next_step, redriven_with, superseded
from tests.builders import NOW
from tests.domain.signal_model import added
from tests.store.builders import a_delivery

MINUTE = timedelta(minutes=1)
OPENED, UPDATED, RESOLVED = Change


def an_entry(turn: int, change: Change, opened: int = 1, **more: object) -> DeliveryStatus:
    """An entry that is owed, unless something else is said of it."""
    return replace(added(a_delivery(turn, change, opened=opened), NOW), **more)  # type: ignore[arg-type]


OVERTAKES = {(OPENED, OPENED), (OPENED, UPDATED), (UPDATED, OPENED), (UPDATED, UPDATED), (UPDATED, RESOLVED)}
OVERTAKES |= {(RESOLVED, OPENED)}


@pytest.mark.parametrize("later", Change)
@pytest.mark.parametrize("letter", Change)
def test_what_was_sent_later_overtakes_what_it_leaves_nothing_to_say(letter: Change, later: Change) -> None:
    """Neither what was sent before it, nor what was not sent."""
    dead = an_entry(2, letter, state=DeliveryState.DEAD)
    sent = an_entry(3, later, state=DeliveryState.SENT)
    assert is_overtaken(dead, [dead, sent]) is ((letter, later) in OVERTAKES)
    assert not is_overtaken(dead, [dead, replace(sent, turn=1), replace(sent, state=DeliveryState.DEAD)])


def test_a_dead_letter_takes_the_later_resolutions_of_its_opening_along() -> None:
    """And nothing else."""
    letter, end = an_entry(2, OPENED, 2), an_entry(4, RESOLVED, 2)
    others = [an_entry(1, RESOLVED, 2), an_entry(3, UPDATED, 2), an_entry(6, RESOLVED, 5)]
    assert redriven_with(letter, [letter, *others, end]) == [end]


@pytest.mark.parametrize(
    ("entries", "needless"),
    [
        ([an_entry(2, UPDATED), an_entry(3, UPDATED)], [2]),
        ([an_entry(2, UPDATED, redriven=1), an_entry(3, UPDATED)], []),
        ([an_entry(2, UPDATED, attempts=1), an_entry(3, UPDATED)], []),
        ([an_entry(2, UPDATED), an_entry(5, UPDATED, 4)], []),
        ([an_entry(1, OPENED), an_entry(2, UPDATED), an_entry(3, RESOLVED)], [1, 2, 3]),
        ([an_entry(1, OPENED, state=DeliveryState.DEAD), an_entry(3, RESOLVED)], [3]),
        ([an_entry(1, OPENED, state=DeliveryState.SKIPPED), an_entry(3, RESOLVED)], [3]),
        ([an_entry(1, OPENED, state=DeliveryState.SENT), an_entry(3, RESOLVED)], []),
        ([an_entry(1, OPENED, state=DeliveryState.DEAD, attempts=1), an_entry(3, RESOLVED)], []),
        ([an_entry(1, OPENED, redriven=1), an_entry(3, RESOLVED)], []),
        ([an_entry(1, OPENED, state=DeliveryState.DEAD), an_entry(2, UPDATED, attempts=1), an_entry(3, RESOLVED)], []),
        ([an_entry(1, OPENED), an_entry(4, OPENED, 4), an_entry(5, RESOLVED, 4)], [4, 5]),
        ([an_entry(1, RESOLVED, 0, state=DeliveryState.DEAD), an_entry(2, OPENED, 2), an_entry(3, RESOLVED, 2)], []),
        ([an_entry(3, RESOLVED)], []),
    ],
)
def test_what_nobody_needs_is_superseded(entries: list[DeliveryStatus], needless: list[int]) -> None:
    """What was told to nobody and is over, and an update that another one follows; whatever was tried or asked for stays."""
    assert [one.turn for one in superseded(entries)] == needless


def test_what_is_superseded_waits_for_its_turn() -> None:
    """The first open turn decides when anything is done."""
    entries = [an_entry(1, OPENED, due=NOW + MINUTE), an_entry(2, RESOLVED)]
    assert next_step(entries, NOW) == ([], None)
    assert next_step(entries, NOW + MINUTE) == (entries, None)
