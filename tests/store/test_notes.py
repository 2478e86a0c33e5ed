"""Which updates must open nothing: those that say nothing but a status, where all that came before was told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

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


def news(turn: int, *, opened: int = 1, status_only: bool = False, lane: Lane = Lane.TICKET) -> Delivery:
    """A signal is opened, by its first turn, or it changes."""
    change = Change.OPENED if turn == opened else Change.UPDATED
    notice = a_notice(key="k", turn=turn, status_only=status_only)
    return replace(a_delivery(turn, change, opened=opened, lane=lane), content=notice)


def status(turn: int, opened: int = 1, lane: Lane = Lane.TICKET) -> Delivery:
    """Its status changes, and nothing else."""
    return news(turn, opened=opened, status_only=True, lane=lane)


def claimed(store: Store, *deliveries: Delivery) -> list[tuple[int, bool]]:
    """The turns that are claimed once some more are owed, and whether each is a note; they are sent."""
    owe(store, *deliveries)
    found = claim(store)
    for one in found:
        settle(store, one, SENT)
    return [(one.delivery.turn, one.is_note) for one in found]


def ends(store: Store, delivery: Delivery, state: DeliveryState) -> None:
    """A delivery is owed, and comes to an end; one that is skipped died, and a person discarded it."""
    owe(store, delivery)
    settle(store, claim(store)[0], SENT if state is SENT else DEAD, error=None if state is SENT else "400")
    if state is SKIPPED:
        assert run(within(store, discard, delivery.id, NOW))


OPENING = (news(1), SENT)


@pytest.mark.parametrize(
    ("before", "then", "is_note"),
    [
        ([OPENING, (news(2), SENT)], status(9), True),
        ([OPENING, (status(2), DEAD), (status(3), DEAD)], status(9), True),
        ([(news(1), DEAD)], status(9), False),
        ([(news(1), SKIPPED)], status(9), False),
        ([OPENING, (news(2), DEAD)], status(9), False),
        ([OPENING, (news(2), DEAD), (status(3), DEAD)], status(9), False),
        ([OPENING, (news(2), DEAD), (status(3), SENT)], status(9), True),
        ([], status(9), True),
        ([(news(1), DEAD)], status(9, opened=5), True),
        ([], status(9, lane=Lane.PAGE), False),
        ([], status(9, lane=Lane.ROWS), False),
    ],
)
def test_a_status_is_a_note_for_tickets_where_nothing_before_it_stayed_untold(
    store: Store, before: Sequence[tuple[Delivery, DeliveryState]], then: Delivery, is_note: bool
) -> None:
    """What never got through is said by what follows; what an earlier opening left untold is another story."""
    for delivery, state in before:
        ends(store, delivery, state)
    assert claimed(store, then) == [(9, is_note)]


def test_a_status_that_supersedes_news_is_no_note_and_neither_is_news(store: Store) -> None:
    """It stands for what was skipped for it; the next one stands for itself alone."""
    ends(store, *OPENING)
    assert claimed(store, news(2), status(3), status(4)) == [(4, False)]
    assert states(store) == {SENT: 2, SKIPPED: 2}
    assert claimed(store, status(5), status(6)) == [(6, True)]
    assert claimed(store, status(7), news(8)) == [(8, False)]


def test_what_cannot_be_read_any_more_may_have_been_news(store: Store) -> None:
    """In doubt the router is loud."""
    ends(store, *OPENING)
    ends(store, status(2), DEAD)
    run(changed(store, "UPDATE notices SET body=? WHERE turn=2", b"\0"))
    assert claimed(store, status(3)) == [(3, False)]
