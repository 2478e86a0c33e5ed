"""What an instant, a settlement and a person make of one delivery: both sides of each boundary."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from router.domain.clocks import SKEW
from router.domain.deliveries import LEASE, LONGEST_WAIT, SUSPECT, DeliveryState
from router.domain.rulebook import Lane
from router.store.delivery_lifecycle import (
    LAST_TROUBLE,
    LONGEST_ERROR,
    LONGEST_LEASE,
    born_at,
    given_up,
    is_claimable,
    redriven,
)
from tests.builders import NOW
from tests.domain.signal_model import added, claimed
from tests.store.builders import OPENING

INSTANT = timedelta(microseconds=1)
HOUR = timedelta(hours=1)

OWED = added(OPENING, NOW)
CLAIMED = claimed(OWED, NOW + HOUR, "one")


@pytest.mark.parametrize(
    ("after", "is_free"), [(timedelta(), False), (HOUR - INSTANT, False), (HOUR, True), (2 * HOUR, True)]
)
def test_a_claim_is_one_workers_until_its_lease_ends(after: timedelta, is_free: bool) -> None:
    """At that instant it is anybody's."""
    assert is_claimable(CLAIMED, NOW + after) is is_free


@pytest.mark.parametrize("lease", [*LEASE.values(), LONGEST_LEASE])
def test_a_lease_that_is_longer_than_any_holds_nothing(lease: timedelta) -> None:
    """Clocks that are right differ by so much and no more."""
    longest = replace(CLAIMED, due=NOW + lease + SKEW)
    assert not is_claimable(longest, NOW, lease)
    assert is_claimable(replace(longest, due=NOW + lease + SKEW + INSTANT), NOW, lease)


@pytest.mark.parametrize("lane", Lane)
def test_what_is_deferred_for_longer_than_anything_is_due(lane: Lane) -> None:
    """Each lane has a longest wait."""
    longest = replace(OWED, lane=lane, due=NOW + LONGEST_WAIT[lane] + SKEW)
    assert not is_claimable(longest, NOW)
    longer = replace(longest, due=longest.due + INSTANT)
    assert is_claimable(longer, NOW)


@pytest.mark.parametrize("state", [state for state in DeliveryState if state not in ("owed", "claimed")])
def test_what_is_closed_is_nobodys_to_claim(state: DeliveryState) -> None:
    """Whatever its instants say."""
    closed = replace(OWED, state=state)
    assert not is_claimable(closed, NOW)
    assert not closed.is_open


@pytest.mark.parametrize(
    ("lost", "is_claimed", "expected"),
    [
        (SUSPECT - 1, False, (False, False)),
        (SUSPECT - 1, True, (True, False)),
        (SUSPECT, False, (True, False)),
        (SUSPECT, True, (True, True)),
    ],
)
def test_what_was_lost_often_is_suspect_and_once_more_poison(
    lost: int, is_claimed: bool, expected: tuple[bool, bool]
) -> None:
    """A claim whose lease ended counts as soon as somebody looks."""
    entry = replace(CLAIMED if is_claimed else OWED, lost=lost)
    assert (entry.is_suspect, entry.is_poison) == expected


def test_what_is_redriven_is_as_young_as_if_it_were_owed_from_now_on() -> None:
    """Else it would die of age at once."""
    again = redriven(given_up(CLAIMED, NOW, "x"), NOW + HOUR)
    assert (again.state, again.born, again.due, again.settled) == (DeliveryState.OWED, NOW + HOUR, NOW + HOUR, None)
    assert (again.attempts, again.redriven) == (1, 1)


def test_an_instant_that_only_a_wrong_clock_can_have_written_does_not_count() -> None:
    """On both sides of what clocks that are right may differ by."""
    assert born_at(replace(OWED, born=NOW + SKEW).born, NOW) == NOW + SKEW
    assert born_at(replace(OWED, born=NOW + SKEW + INSTANT).born, NOW) == NOW
    held = replace(CLAIMED, due=NOW + LONGEST_LEASE + SKEW)
    assert not is_claimable(held, NOW)
    assert is_claimable(replace(held, due=NOW + LONGEST_LEASE + SKEW + INSTANT), NOW)


def test_a_dead_letter_keeps_its_last_trouble_as_far_as_there_is_room() -> None:
    """A destination may answer with a page."""
    troubled = replace(OWED, error="x" * LONGEST_ERROR)
    ended = given_up(troubled, NOW, "no_destination: gone").error
    assert ended is not None
    assert (len(ended), ended[:30]) == (LONGEST_ERROR, f"no_destination: gone{LAST_TROUBLE}"[:30])
    assert given_up(OWED, NOW, "no_destination: gone").error == "no_destination: gone"
