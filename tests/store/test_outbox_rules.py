"""What the rules of a delivery's lifecycle look like through every store; `domain/` says why each is as it is."""

from __future__ import annotations

from datetime import timedelta

import pytest

from router.domain.clocks import SKEW
from router.domain.decisions import Change
from router.domain.deliveries import DeliveryState, NextDue, Pause, Receipt, Recipient, Redrive, Settlement
from router.domain.lane_limits import LONGEST_LEASE, LONGEST_WAIT
from router.domain.rulebook import Lane
from router.store.claims import settle_claims
from router.store.dead_letters import abandon_deliveries, discard, give_up_deliveries, redrive
from router.store.deliveries import add_deliveries
from router.store.delivery_status import list_next_due
from router.store.destinations import list_pauses, pause_destination
from router.store.store import Store
from tests.builders import NOW
from tests.store.acts import LEASE, claim, letters_in, owe, run, settle, states
from tests.store.builders import OPENING, RESOLUTION, UPDATE, a_delivery
from tests.store.within import claim_in, within

HOUR = timedelta(hours=1)
INSTANT = timedelta(microseconds=1)
WRONG = timedelta(days=400)
"""By how much a clock is ahead that is wrong."""


def abandon(store: Store, after: timedelta = timedelta()) -> int:
    """Gives up on all that nobody has in flight, since the policy names its destination no longer."""
    return run(within(store, abandon_deliveries, "cwpp", [], NOW + after, NOW + after))


def test_a_slow_worker_whose_claim_another_has_now_is_heard_only_if_it_was_sent(store: Store, twin: Store) -> None:
    """What is in the other's hands stays there; what was sent is on record, whatever the other brings."""
    owe(store, OPENING)
    (slow,) = claim(store)
    (fast,) = claim(twin, after=LEASE)
    settle(store, slow, DeliveryState.DEAD, error="400")
    assert states(store) == {DeliveryState.CLAIMED: 1}
    assert claim(store, after=LEASE) == []
    settle(store, slow, DeliveryState.SENT)
    assert states(store) == {DeliveryState.SENT: 1}
    settle(twin, fast, DeliveryState.OWED, due=NOW, error="timeout")
    assert states(store) == {DeliveryState.SENT: 1}


def test_a_resolution_that_is_being_sent_when_its_opening_is_redriven_is_sent_again(store: Store) -> None:
    """Else the opening would come last, and what it opens would stay open for ever."""
    owe(store, OPENING)
    settle(store, claim(store)[0], DeliveryState.DEAD, error="400")
    owe(store, RESOLUTION)
    (resolution,) = claim(store)
    assert run(within(store, redrive, OPENING.id, NOW)) is Redrive.OWED
    settle(store, resolution, DeliveryState.SENT)
    for expected in (Change.OPENED, Change.RESOLVED):
        (again,) = claim(store)
        assert again.delivery.change is expected
        settle(store, again, DeliveryState.SENT)
    assert states(store) == {DeliveryState.SENT: 2}


def test_several_settlements_of_one_delivery_at_once_are_one(store: Store) -> None:
    """An acknowledgement among them counts, wherever it stands."""
    owe(store, OPENING)
    (one,) = claim(store)
    sent = Settlement(delivery=one.delivery, claim=one.id, state=DeliveryState.SENT, at=NOW)
    dead = Settlement(delivery=one.delivery, claim=one.id, state=DeliveryState.DEAD, at=NOW, error="400")
    run(within(store, settle_claims, [sent, dead]))
    assert states(store) == {DeliveryState.SENT: 1}


@pytest.mark.parametrize("late", [DeliveryState.SENT, DeliveryState.DEAD])
def test_what_an_earlier_claim_brings_does_not_count_once_somebody_asked_for_the_delivery_again(
    store: Store, twin: Store, late: DeliveryState
) -> None:
    """Who redrives it wants it sent again, and that is what happens."""
    owe(store, OPENING)
    (slow,) = claim(store)
    assert abandon(twin, LEASE) == 1
    assert run(within(twin, redrive, OPENING.id, NOW + LEASE)) is Redrive.OWED
    settle(store, slow, late)
    assert states(store) == {DeliveryState.OWED: 1}
    assert [one.delivery for one in claim(store, after=LEASE)] == [OPENING]


@pytest.mark.parametrize("since", ["claimed", "lost", "given up"])
@pytest.mark.parametrize("late", [DeliveryState.SENT, DeliveryState.DEAD, DeliveryState.OWED])
def test_an_earlier_claim_is_known_from_a_later_one_of_the_same_process(
    store: Store, late: DeliveryState, since: str
) -> None:
    """What a claim brings that was made before a redrive is not what the redrive brings, whatever later claims brought."""
    owe(store, OPENING)
    (slow,) = claim(store)
    after = LEASE
    if since != "claimed":
        (lost,) = claim(store, after=after)
        if since == "given up":
            settle(store, lost, DeliveryState.DEAD, error="400")
        after += LEASE
    if since != "given up":
        assert abandon(store, after) == 1
    assert run(within(store, redrive, OPENING.id, NOW + after)) is Redrive.OWED
    (again,) = claim(store, after=after)
    settle(store, slow, late, due=NOW if late is DeliveryState.OWED else None)
    assert states(store) == {DeliveryState.CLAIMED: 1}
    settle(store, again, DeliveryState.DEAD, error="400")
    assert states(store) == {DeliveryState.DEAD: 1}


@pytest.mark.parametrize("late", [DeliveryState.DEAD, DeliveryState.OWED])
def test_what_a_lost_claim_brings_does_not_end_a_later_claim_of_the_same_process(
    store: Store, late: DeliveryState
) -> None:
    """Else a second worker would send what the process is sending; an acknowledgement of either counts all the same."""
    owe(store, OPENING)
    (slow,), (fast,) = claim(store), claim(store, after=LEASE)
    settle(store, slow, late, due=NOW if late is DeliveryState.OWED else None, error="503")
    assert states(store) == {DeliveryState.CLAIMED: 1}
    assert claim(store, after=LEASE) == []
    settle(store, fast, DeliveryState.DEAD, error="400")
    assert [one.error for one in run(letters_in(store))] == ["400"]


def test_of_results_of_several_claims_that_are_written_together_each_belongs_to_its_claim(store: Store) -> None:
    """Storage may take nothing for a while. An acknowledgement of before a redrive does not hide what came after it."""
    owe(store, OPENING)
    (slow,) = claim(store)
    assert abandon(store, LEASE) == 1
    assert run(within(store, redrive, OPENING.id, NOW + LEASE)) is Redrive.OWED
    (again,) = claim(store, after=LEASE)
    run(
        within(
            store,
            settle_claims,
            [
                Settlement(delivery=OPENING, claim=slow.id, state=DeliveryState.SENT, at=NOW + LEASE),
                Settlement(delivery=OPENING, claim=again.id, state=DeliveryState.DEAD, at=NOW + LEASE, error="400"),
            ],
        )
    )
    assert states(store) == {DeliveryState.DEAD: 1}


def test_what_is_deferred_is_claimed_when_it_is_due_and_not_before(store: Store) -> None:
    """To the microsecond."""
    owe(store, OPENING)
    settle(store, claim(store)[0], DeliveryState.OWED, due=NOW + HOUR, error="503")
    assert claim(store, after=HOUR - INSTANT) == []
    assert [(one.number, one.born) for one in claim(store, after=HOUR)] == [(2, NOW)]


def test_what_is_superseded_is_skipped_when_its_turn_comes(store: Store) -> None:
    """Not before: what waits for the turn before it is looked at once that may be claimed."""
    owe(store, OPENING)
    settle(store, claim(store)[0], DeliveryState.OWED, due=NOW + HOUR, spent=False)
    owe(store, RESOLUTION)
    assert claim(store, after=HOUR - INSTANT) == []
    assert states(store) == {DeliveryState.OWED: 2}
    assert claim(store, after=HOUR) == []
    assert states(store) == {DeliveryState.SKIPPED: 2}


def test_a_resolution_of_what_died_untold_is_skipped(store: Store) -> None:
    """Its opening is closed by now, and nobody was ever told of it."""
    owe(store, OPENING)
    abandon(store)
    owe(store, RESOLUTION)
    assert claim(store) == []
    assert states(store) == {DeliveryState.DEAD: 1, DeliveryState.SKIPPED: 1}


def test_a_resolution_of_what_was_discarded_untold_is_skipped(store: Store) -> None:
    """A person took the opening off the list; so nobody has to hear that it is over."""
    owe(store, OPENING)
    abandon(store)
    assert run(within(store, discard, OPENING.id, NOW))
    owe(store, RESOLUTION)
    assert claim(store) == []
    assert states(store) == {DeliveryState.SKIPPED: 2}


def test_a_resolution_of_what_was_acknowledged_is_sent_whatever_is_known_of_attempts(store: Store) -> None:
    """Their number may be lost with a damaged column."""
    owe(store, OPENING)
    settle(store, claim(store)[0], DeliveryState.SENT, spent=False)
    owe(store, RESOLUTION)
    assert [one.delivery.change for one in claim(store)] == [Change.RESOLVED]


def test_of_two_acknowledgements_the_first_is_on_record(store: Store, twin: Store) -> None:
    """What it brought back names the ticket that people work on."""
    owe(store, OPENING)
    (slow,) = claim(store)
    (fast,) = claim(twin, after=LEASE)
    settle(twin, fast, DeliveryState.SENT, receipt=Receipt(reference="INC1"))
    settle(store, slow, DeliveryState.SENT, receipt=Receipt(reference="INC2"))
    owe(store, UPDATE)
    assert [one.opening for one in claim(store)] == [Receipt(reference="INC1")]


def test_a_destination_is_next_due_with_the_first_of_its_signals(store: Store) -> None:
    """Whichever was owed first."""
    owe(store, OPENING, a_delivery(key="sooner"), a_delivery(key="claimed"))
    for one in claim(store):
        if one.delivery.key != "claimed":
            due = NOW + (LEASE / 2 if one.delivery.key == "sooner" else LEASE * 2)
            settle(store, one, DeliveryState.OWED, due=due, error=one.delivery.key)
    assert run(within(store, list_next_due, "cwpp")) == {"tickets": NextDue(NOW + LEASE / 2, "sooner", 3)}
    (sooner,) = claim(store, after=LEASE / 2)
    settle(store, sooner, DeliveryState.SENT)
    assert run(within(store, list_next_due, "cwpp")) == {"tickets": NextDue(NOW + LEASE, None, 2)}


def test_updates_have_a_row_each_in_the_rows_lane(store: Store) -> None:
    """Rows are history: there no update stands for another."""
    owe(store, *(a_delivery(turn, Change.UPDATED, lane=Lane.ROWS) for turn in (2, 3)))
    assert [one.delivery.turn for one in claim(store)] == [2]
    assert states(store) == {DeliveryState.CLAIMED: 1, DeliveryState.OWED: 1}


def test_an_update_that_somebody_asked_for_is_told_before_the_next_one(store: Store) -> None:
    """Though the next one says all that it says."""
    owe(store, UPDATE)
    abandon(store)
    assert run(within(store, redrive, UPDATE.id, NOW)) is Redrive.OWED
    owe(store, a_delivery(3, Change.UPDATED))
    assert [one.delivery.turn for one in claim(store)] == [2]


def test_what_nobody_can_be_asked_for_is_given_up_on_and_what_is_superseded_is_skipped_before(store: Store) -> None:
    """On both sides of the instant until which it was owed; what is in flight is left to its worker."""
    owe(store, a_delivery(key="in flight"))
    claim(store)
    owe(store, OPENING, RESOLUTION, a_delivery(key="alone"))
    run(within(store, add_deliveries, [a_delivery(key="younger")], NOW + INSTANT))
    assert run(within(store, give_up_deliveries, "cwpp", "tickets", NOW, "not ready", NOW)) == 3
    (letter,) = run(letters_in(store))
    assert (letter.delivery.key, letter.error) == ("alone", "not ready")
    assert states(store) == {
        DeliveryState.CLAIMED: 1,
        DeliveryState.SKIPPED: 2,
        DeliveryState.DEAD: 1,
        DeliveryState.OWED: 1,
    }


OVERTAKEN_BY = {
    Change.OPENED: {Change.OPENED, Change.UPDATED},
    Change.UPDATED: {Change.OPENED, Change.UPDATED, Change.RESOLVED},
    Change.RESOLVED: {Change.OPENED},
}


@pytest.mark.parametrize("later", Change)
@pytest.mark.parametrize("letter", Change)
@pytest.mark.parametrize("end", [DeliveryState.SENT, DeliveryState.DEAD])
def test_a_dead_letter_is_overtaken_by_what_was_sent_since_and_leaves_it_nothing_to_say(
    store: Store, letter: Change, later: Change, end: DeliveryState
) -> None:
    """A stale opening or update, or a resolution of what was opened again; never by what did not get through."""
    dead = a_delivery(2, letter, opened=2 if letter is Change.OPENED else 1)
    since = a_delivery(5, later, opened=5 if later is Change.OPENED else dead.opened)
    for delivery, state in ((dead, DeliveryState.DEAD), (since, end)):
        owe(store, delivery)
        settle(store, claim(store)[0], state)
    is_overtaken = end is DeliveryState.SENT and later in OVERTAKEN_BY[letter]
    expected = Redrive.OVERTAKEN if is_overtaken else Redrive.OWED
    assert run(within(store, redrive, dead.id, NOW)) is expected
    assert [one.delivery.turn for one in claim(store)] == ([] if is_overtaken else [2])


def test_a_dead_letter_is_not_overtaken_by_what_was_sent_before_it(store: Store) -> None:
    """The order of turns counts, and not when somebody looks."""
    owe(store, OPENING)
    settle(store, claim(store)[0], DeliveryState.SENT)
    owe(store, UPDATE)
    settle(store, claim(store)[0], DeliveryState.DEAD)
    assert run(within(store, redrive, UPDATE.id, NOW)) is Redrive.OWED


def test_only_the_resolution_of_what_a_dead_letter_opens_is_sent_again_with_it(store: Store) -> None:
    """Not an earlier one, not one of another opening, and no update."""
    others = [
        a_delivery(1, Change.RESOLVED, opened=2),
        a_delivery(3, Change.UPDATED, opened=2),
        a_delivery(4, Change.RESOLVED, opened=2),
        a_delivery(6, Change.RESOLVED, opened=5),
    ]
    for delivery in (others[0], a_delivery(2, opened=2), *others[1:]):
        owe(store, delivery)
        settle(store, claim(store)[0], DeliveryState.DEAD)
    assert run(within(store, redrive, a_delivery(2, opened=2).id, NOW + HOUR)) is Redrive.OWED
    again = []
    while claims := claim(store, after=HOUR):
        assert claims[0].born == NOW + HOUR
        again.append(claims[0].delivery.turn)
        settle(store, claims[0], DeliveryState.SENT)
    assert again == [2, 4]


def test_a_pause_by_a_clock_that_is_right_began_when_that_says(store: Store) -> None:
    """What a wrong clock wrote is later, so it goes."""
    wrong = Pause(stream="cwpp", destination="tickets", since=NOW + WRONG, probe=NOW + WRONG, error="401")
    right = Pause(stream="cwpp", destination="tickets", since=NOW, probe=NOW + LEASE, error="403")
    run(within(store, pause_destination, wrong))
    run(within(store, pause_destination, right))
    assert run(within(store, list_pauses, "cwpp")) == {"tickets": right}


@pytest.mark.parametrize("lane", Lane)
def test_what_is_deferred_further_than_anything_in_its_lane_is_due_at_once(store: Store, lane: Lane) -> None:
    """Both sides of the longest wait, and of what two clocks that are right may differ by."""
    owe(store, a_delivery(lane=lane), a_delivery(key="longer", lane=lane))
    longest = NOW + LONGEST_WAIT[lane] + SKEW
    for one in claim(store, lane=lane):
        is_longer = one.delivery.key == "longer"
        settle(store, one, DeliveryState.OWED, due=longest + (INSTANT if is_longer else timedelta()), error="503")
    assert [one.delivery.key for one in claim(store, lane=lane)] == ["longer"]


def test_what_a_wrong_clock_owed_or_deferred_is_due_once_the_clock_is_right(store: Store) -> None:
    """It is as old as if it were owed from its claim on."""
    run(within(store, add_deliveries, [OPENING], NOW + WRONG))
    owe(store, a_delivery(key="deferred"))
    (one,) = claim(store, limit=1)
    assert one.delivery.key == "deferred"
    late = Settlement(
        delivery=one.delivery,
        claim=one.id,
        state=DeliveryState.OWED,
        at=NOW + WRONG,
        due=NOW + WRONG + LEASE,
        error="503",
    )
    run(within(store, settle_claims, [late]))
    assert {(one.delivery.key, one.born) for one in claim(store, after=HOUR)} == {("k", NOW + HOUR), ("deferred", NOW)}


@pytest.mark.parametrize(("ahead", "is_free"), [(LONGEST_LEASE + SKEW, 0), (LONGEST_LEASE + SKEW + INSTANT, 1)])
def test_what_is_claimed_for_longer_than_anything_is_gets_given_up_on(
    store: Store, ahead: timedelta, is_free: int
) -> None:
    """A wrong clock gave that lease. Both sides of the longest that settings give."""
    owe(store, OPENING)
    run(claim_in(store, Recipient("cwpp", Lane.TICKET, "tickets"), NOW, NOW + ahead, 1))
    assert abandon(store) == is_free


def test_a_lease_that_a_wrong_clock_gave_holds_nothing_once_the_clock_is_right(store: Store) -> None:
    """The delivery is claimed anew, and its claim counts as lost."""
    owe(store, OPENING)
    run(claim_in(store, Recipient("cwpp", Lane.TICKET, "tickets"), NOW, NOW + WRONG, 1))
    assert [one.lost for one in claim(store)] == [1]
