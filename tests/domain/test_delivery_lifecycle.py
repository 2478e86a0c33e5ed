"""What an instant, a settlement and a person make of one delivery, and what one makes of another: each rule by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import product

from router.domain.clocks import SKEW
from router.domain.decisions import Change
from router.domain.deliveries import LEASE, LONGEST_WAIT, SUSPECT, DeliveryState, DeliveryStatus
from router.domain.rulebook import Lane
from router.store.delivery_lifecycle import (
    LAST_TROUBLE,
    LONGEST_ERROR,
    LONGEST_LEASE,
    born_at,
    given_up,
    is_claimable,
    is_overtaken,
    next_step,
    redriven,
    redriven_with,
    superseded,
)
from tests.builders import NOW
from tests.domain.signal_model import added, claimed
from tests.store.builders import OPENING, a_delivery

INSTANT = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
OPENED, UPDATED, RESOLVED = Change
_OWED, _CLAIMED, SENT, SKIPPED, DEAD = DeliveryState

OWED = added(OPENING, NOW)
CLAIMED = claimed(OWED, NOW + HOUR, "one")


def test_a_claim_is_one_workers_until_its_lease_ends() -> None:
    """At that instant it is anybody's. What is closed is nobody's to claim, whatever its instants say."""
    freed = {timedelta(): False, HOUR - INSTANT: False, HOUR: True, 2 * HOUR: True}
    assert {after: is_claimable(CLAIMED, NOW + after) for after in freed} == freed
    for state in set(DeliveryState) - {_OWED, _CLAIMED}:
        closed = replace(OWED, state=state)
        assert not is_claimable(closed, NOW)
        assert not closed.is_open


def test_an_instant_that_only_a_wrong_clock_can_have_written_does_not_count() -> None:
    """On both sides of what clocks that are right may differ by: a lease, a wait of each lane, and since when it is owed."""
    leases = [replace(CLAIMED, due=NOW + lease + SKEW) for lease in (*LEASE.values(), LONGEST_LEASE)]
    for lease, held in zip((*LEASE.values(), LONGEST_LEASE), leases, strict=True):
        assert not is_claimable(held, NOW, lease)
        assert is_claimable(replace(held, due=held.due + INSTANT), NOW, lease)
    assert not is_claimable(leases[-1], NOW)
    assert is_claimable(replace(leases[-1], due=leases[-1].due + INSTANT), NOW)
    for lane in Lane:
        longest = replace(OWED, lane=lane, due=NOW + LONGEST_WAIT[lane] + SKEW)
        assert not is_claimable(longest, NOW)
        assert is_claimable(replace(longest, due=longest.due + INSTANT), NOW)
    assert born_at(replace(OWED, born=NOW + SKEW).born, NOW) == NOW + SKEW
    assert born_at(replace(OWED, born=NOW + SKEW + INSTANT).born, NOW) == NOW


def test_what_was_lost_often_is_suspect_and_once_more_poison() -> None:
    """A claim whose lease ended counts as soon as somebody looks."""
    for entry, lost, is_suspect, is_poison in (
        (OWED, SUSPECT - 1, False, False),
        (CLAIMED, SUSPECT - 1, True, False),
        (OWED, SUSPECT, True, False),
        (CLAIMED, SUSPECT, True, True),
    ):
        one = replace(entry, lost=lost)
        assert (one.is_suspect, one.is_poison) == (is_suspect, is_poison)


def test_what_is_redriven_is_as_young_as_if_it_were_owed_from_now_on() -> None:
    """Else it would die of age at once."""
    again = redriven(given_up(CLAIMED, NOW, "x"), NOW + HOUR)
    assert (again.state, again.born, again.due, again.settled) == (_OWED, NOW + HOUR, NOW + HOUR, None)
    assert (again.attempts, again.redriven) == (1, 1)


def test_a_dead_letter_keeps_its_last_trouble_as_far_as_there_is_room() -> None:
    """A destination may answer with a page."""
    troubled = replace(OWED, error="x" * LONGEST_ERROR)
    ended = given_up(troubled, NOW, "no_destination: gone").error
    assert ended is not None
    assert (len(ended), ended[:30]) == (LONGEST_ERROR, f"no_destination: gone{LAST_TROUBLE}"[:30])
    assert given_up(OWED, NOW, "no_destination: gone").error == "no_destination: gone"


def an_entry(turn: int, change: Change, opened: int = 1, **more: object) -> DeliveryStatus:
    """An entry that is owed, unless something else is said of it."""
    return replace(added(a_delivery(turn, change, opened=opened), NOW), **more)  # type: ignore[arg-type]


OVERTAKES = {(OPENED, OPENED), (OPENED, UPDATED), (UPDATED, OPENED), (UPDATED, UPDATED), (UPDATED, RESOLVED)}
OVERTAKES |= {(RESOLVED, OPENED)}


def test_what_was_sent_later_overtakes_what_it_leaves_nothing_to_say() -> None:
    """Neither what was sent before it, nor what was not sent."""
    for letter, later in product(Change, Change):
        dead = an_entry(2, letter, state=DEAD)
        sent = an_entry(3, later, state=SENT)
        assert is_overtaken(dead, [dead, sent]) is ((letter, later) in OVERTAKES)
        assert not is_overtaken(dead, [dead, replace(sent, turn=1), replace(sent, state=DEAD)])


def test_a_dead_letter_takes_the_later_resolutions_of_its_opening_along() -> None:
    """And nothing else."""
    letter, end = an_entry(2, OPENED, 2), an_entry(4, RESOLVED, 2)
    others = [an_entry(1, RESOLVED, 2), an_entry(3, UPDATED, 2), an_entry(6, RESOLVED, 5)]
    assert redriven_with(letter, [letter, *others, end]) == [end]


NEEDLESS: list[tuple[list[DeliveryStatus], list[int]]] = [
    ([an_entry(2, UPDATED), an_entry(3, UPDATED)], [2]),
    ([an_entry(2, UPDATED, redriven=1), an_entry(3, UPDATED)], []),
    ([an_entry(2, UPDATED, attempts=1), an_entry(3, UPDATED)], []),
    ([an_entry(2, UPDATED), an_entry(5, UPDATED, 4)], []),
    ([an_entry(1, OPENED), an_entry(2, UPDATED), an_entry(3, RESOLVED)], [1, 2, 3]),
    ([an_entry(1, OPENED, state=DEAD), an_entry(3, RESOLVED)], [3]),
    ([an_entry(1, OPENED, state=SKIPPED), an_entry(3, RESOLVED)], [3]),
    ([an_entry(1, OPENED, state=SENT), an_entry(3, RESOLVED)], []),
    ([an_entry(1, OPENED, state=DEAD, attempts=1), an_entry(3, RESOLVED)], []),
    ([an_entry(1, OPENED, redriven=1), an_entry(3, RESOLVED)], []),
    ([an_entry(1, OPENED, state=DEAD), an_entry(2, UPDATED, attempts=1), an_entry(3, RESOLVED)], []),
    ([an_entry(1, OPENED), an_entry(4, OPENED, 4), an_entry(5, RESOLVED, 4)], [4, 5]),
    ([an_entry(1, RESOLVED, 0, state=DEAD), an_entry(2, OPENED, 2), an_entry(3, RESOLVED, 2)], []),
    ([an_entry(3, RESOLVED)], []),
]


def test_what_nobody_needs_is_superseded() -> None:
    """What was told to nobody and is over, and an update that another one follows; whatever was tried or asked for stays. It
    waits for its turn: the first open one decides when anything is done."""
    for entries, needless in NEEDLESS:
        assert [one.turn for one in superseded(entries)] == needless
    entries = [an_entry(1, OPENED, due=NOW + HOUR), an_entry(2, RESOLVED)]
    assert next_step(entries, NOW) == ([], None)
    assert next_step(entries, NOW + HOUR) == (entries, None)
