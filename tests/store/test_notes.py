"""Which updates must open nothing: those that say nothing but a status, where all that came before was told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from router.domain.decisions import Change
from router.domain.deliveries import Delivery, DeliveryState
from router.domain.rulebook import Lane
from router.store.dead_letters import discard
from tests.builders import NOW
from tests.destinations.builders import a_notice
from tests.store.acts import claim, owe, run, settle, states
from tests.store.builders import a_delivery
from tests.store.opened import Store, changed
from tests.store.within import within

SENT, DEAD, SKIPPED = DeliveryState.SENT, DeliveryState.DEAD, DeliveryState.SKIPPED


def opening(turn: int = 1) -> Delivery:
    """The signal is opened."""
    return replace(a_delivery(turn, opened=turn), content=a_notice(key="k", turn=turn))


def update(turn: int, opened: int = 1, *, status_only: bool = False, lane: Lane = Lane.TICKET) -> Delivery:
    """It changes."""
    notice = a_notice(key="k", turn=turn, status_only=status_only)
    return replace(a_delivery(turn, Change.UPDATED, opened=opened, lane=lane), content=notice)


def status(turn: int, opened: int = 1, lane: Lane = Lane.TICKET) -> Delivery:
    """Its status changes, and nothing else."""
    return update(turn, opened, status_only=True, lane=lane)


def claimed(store: Store, *deliveries: Delivery) -> list[tuple[int, bool]]:
    """The turns that are claimed once some more are owed, and whether each is a note; they are sent."""
    owe(store, *deliveries)
    found = claim(store)
    for one in found:
        settle(store, one, SENT)
    return [(one.delivery.turn, one.is_note) for one in found]


def ends(store: Store, delivery: Delivery, state: DeliveryState) -> None:
    """A delivery is owed, and comes to an end; one that is skipped died, and somebody discarded it."""
    owe(store, delivery)
    settle(store, claim(store)[0], SENT if state is SENT else DEAD, error=None if state is SENT else "400")
    if state is SKIPPED:
        assert run(within(store, discard, delivery.id, NOW))


@pytest.mark.parametrize(
    ("before", "is_note"),
    [
        ([(opening(), SENT)], True),
        ([(opening(), SENT), (update(2), SENT)], True),
        ([(opening(), SENT), (status(2), DEAD)], True),
        ([(opening(), SENT), (status(2), DEAD), (status(3), DEAD)], True),
        ([(opening(), DEAD)], False),
        ([(opening(), SKIPPED)], False),
        ([(opening(), SENT), (update(2), DEAD)], False),
        ([(opening(), SENT), (update(2), DEAD), (status(3), DEAD)], False),
        ([(opening(), SENT), (update(2), DEAD), (status(3), SENT)], True),
        ([], True),
    ],
)  # fmt: skip
def test_a_status_is_a_note_where_nothing_before_it_stayed_untold(
    store: Store, before: Sequence[tuple[Delivery, DeliveryState]], is_note: bool
) -> None:
    """What never got through is said by what follows; what was told long ago, and forgotten, was told."""
    for delivery, state in before:
        ends(store, delivery, state)
    assert claimed(store, status(9)) == [(9, is_note)]


def test_what_an_earlier_opening_left_untold_is_another_story(store: Store) -> None:
    """It was over since."""
    ends(store, opening(), DEAD)
    assert claimed(store, status(9, opened=5)) == [(9, True)]


def test_a_status_that_supersedes_news_is_no_note(store: Store) -> None:
    """It stands for what was skipped for it; the next one stands for itself alone."""
    ends(store, opening(), SENT)
    assert claimed(store, update(2), status(3), status(4)) == [(4, False)]
    assert states(store) == {SENT: 2, SKIPPED: 2}
    assert claimed(store, status(5), status(6)) == [(6, True)]


def test_news_is_no_note(store: Store) -> None:
    """Whatever a status that follows it says, it is told as it always was."""
    ends(store, opening(), SENT)
    assert claimed(store, status(2), update(3)) == [(3, False)]


@pytest.mark.parametrize("lane", [Lane.PAGE, Lane.ROWS])
def test_only_tickets_get_notes(store: Store, lane: Lane) -> None:
    """Rows have every turn, and pagers are told of no status at all."""
    assert claimed(store, status(2, lane=lane)) == [(2, False)]


def test_what_cannot_be_read_any_more_may_have_been_news(sqlite: Store, tmp_path: Path) -> None:
    """In doubt the router is loud."""
    ends(sqlite, opening(), SENT)
    ends(sqlite, status(2), DEAD)
    run(changed(sqlite, "UPDATE notices SET body=? WHERE turn=2", b"\0"))
    assert claimed(sqlite, status(3)) == [(3, False)]
