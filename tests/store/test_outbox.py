"""What every store promises of the outbox."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

from router.domain.decisions import Change
from router.domain.deliveries import SUSPECT, Backlog, DeliveryState, NextDue, Pause, Receipt, Redrive
from router.domain.rulebook import Lane
from router.store.claims import bring_forward, release_claims
from router.store.dead_letters import abandon_deliveries, discard, give_up_deliveries, list_dead_letters, redrive
from router.store.deliveries import add_deliveries
from router.store.delivery_status import count_due, find_by_reference, find_first_due, list_backlogs, list_next_due
from router.store.destinations import list_pauses, pause_destination, resume_destination, take_probe
from tests.builders import NOW
from tests.store.acts import LEASE, claim, letters_in, owe, run, settle, states
from tests.store.builders import OPENING, RESOLUTION, UPDATE, a_delivery
from tests.store.opened import Store
from tests.store.within import within

HOUR = timedelta(hours=1)
INSTANT = timedelta(microseconds=1)
ENDED = ((1, Change.OPENED), (2, Change.RESOLVED))


def test_a_delivery_is_owed_once_however_often_it_is_added(store: Store) -> None:
    """Create-if-absent: repeating a step owes nothing twice, also after it was sent."""
    owe(store, OPENING, OPENING)
    (first,) = claim(store)
    settle(store, first, DeliveryState.SENT)
    owe(store, OPENING)
    assert claim(store) == []
    assert states(store) == {DeliveryState.SENT: 1}


def test_a_claim_is_one_workers_alone_until_its_lease_ends(store: Store) -> None:
    """Two workers never send one delivery at a time; a dead worker's claim is free again after its lease."""
    owe(store, OPENING)
    assert [one.number for one in claim(store)] == [1]
    assert claim(store, after=LEASE - timedelta(microseconds=1)) == []
    assert [one.number for one in claim(store, after=LEASE)] == [2]


def test_deliveries_of_a_signal_go_to_a_destination_strictly_in_turn_order(store: Store) -> None:
    """A later turn waits until the earlier one is sent, skipped or dead, whatever its due time."""
    owe(store, UPDATE, OPENING)
    (opening,) = claim(store)
    assert opening.delivery.change is Change.OPENED
    settle(store, opening, DeliveryState.OWED, due=NOW + HOUR, error="503")
    assert claim(store) == []
    (opening,) = claim(store, after=HOUR)
    settle(store, opening, DeliveryState.SENT, receipt=Receipt(reference="INC1", handles={"sys_id": "x"}))
    (update,) = claim(store, after=HOUR)
    assert (update.delivery.change, update.opening) == (
        Change.UPDATED,
        Receipt(reference="INC1", handles={"sys_id": "x"}),
    )


def test_an_opening_that_was_never_attempted_is_skipped_together_with_its_resolution(store: Store) -> None:
    """Nobody was told that it opened, so nobody needs to hear that it is over."""
    owe(store, OPENING, UPDATE, RESOLUTION)
    assert claim(store) == []
    assert states(store) == {DeliveryState.SKIPPED: 3}


def test_an_opening_that_was_attempted_is_resolved_even_if_it_died(store: Store) -> None:
    """It may have arrived all the same; the destination resolves it by key or look-up."""
    owe(store, OPENING)
    (opening,) = claim(store)
    settle(store, opening, DeliveryState.DEAD, error="400")
    owe(store, RESOLUTION)
    assert [one.delivery.change for one in claim(store)] == [Change.RESOLVED]


def test_a_resolution_is_sent_where_an_update_told_people_though_the_opening_died_untried(store: Store) -> None:
    """Any attempt after the opening counts: it may have opened a page by itself."""
    owe(store, OPENING)
    run(within(store, abandon_deliveries, "cwpp", [], NOW, NOW))
    owe(store, UPDATE)
    settle(store, claim(store)[0], DeliveryState.SENT)
    owe(store, RESOLUTION)
    assert [one.delivery.change for one in claim(store)] == [Change.RESOLVED]


def test_a_resolution_is_sent_where_an_earlier_one_never_got_through(store: Store) -> None:
    """The later opening was told to nobody, but what the first one opened is still open there."""
    owe(store, OPENING)
    settle(store, claim(store)[0], DeliveryState.SENT)
    owe(store, RESOLUTION)
    settle(store, claim(store)[0], DeliveryState.DEAD, error="400")
    owe(store, a_delivery(4, opened=4))
    run(within(store, abandon_deliveries, "cwpp", [], NOW, NOW))
    owe(store, a_delivery(5, Change.RESOLVED, opened=4))
    assert [one.delivery.turn for one in claim(store)] == [5]


def test_of_updates_that_wait_only_the_last_is_told(store: Store) -> None:
    """Each says all that the one before it says; while the opening is on its way they come to one note."""
    owe(store, OPENING)
    (opening,) = claim(store)
    owe(store, *(a_delivery(turn, Change.UPDATED, opened=1) for turn in (2, 3, 4)))
    settle(store, opening, DeliveryState.SENT)
    assert [one.delivery.turn for one in claim(store)] == [4]
    assert states(store)[DeliveryState.SKIPPED] == 2


def test_an_update_that_was_tried_is_tried_again_before_the_next_one(store: Store) -> None:
    """It may have got through: what follows must not be told before it."""
    owe(store, OPENING)
    settle(store, claim(store)[0], DeliveryState.SENT)
    owe(store, a_delivery(2, Change.UPDATED, opened=1))
    settle(store, claim(store)[0], DeliveryState.OWED, due=NOW, error="timeout")
    owe(store, a_delivery(3, Change.UPDATED, opened=1))
    assert [one.delivery.turn for one in claim(store)] == [2]


def test_updates_of_another_opening_are_another_story(store: Store) -> None:
    """What was updated before a signal was over and came back is no note on what opened then."""
    owe(store, OPENING)
    settle(store, claim(store)[0], DeliveryState.SENT)
    owe(
        store,
        a_delivery(2, Change.UPDATED, opened=1),
        a_delivery(3, Change.RESOLVED, opened=1),
        a_delivery(4, opened=4),
        a_delivery(5, Change.UPDATED, opened=4),
    )
    assert [one.delivery.turn for one in claim(store)] == [2]


def test_in_the_rows_lane_a_later_turn_waits_for_the_one_in_flight(store: Store) -> None:
    """Rows go in order, too."""
    owe(store, *(a_delivery(turn, Change.UPDATED, lane=Lane.ROWS) for turn in (1, 2)))
    (first,) = claim(store)
    assert claim(store) == []
    settle(store, first, DeliveryState.SENT)
    assert [one.delivery.turn for one in claim(store)] == [2]


def test_what_is_not_to_be_sent_leaves_room_for_what_is(store: Store) -> None:
    """However much stands before it: what ended untold, what is to be tried alone, what kills."""
    owe(store, OPENING, a_delivery(key="deadly"))
    lose(store, SUSPECT)
    after = (SUSPECT + 1) * LEASE
    untold = [a_delivery(turn, change, key=f"u{n}") for n in range(3) for turn, change in ENDED]
    run(within(store, add_deliveries, [*untold, a_delivery(key="last")], NOW + after))
    assert [one.delivery.key for one in claim(store, after=after, limit=1)] == ["last"]
    assert states(store) == {DeliveryState.SKIPPED: 6, DeliveryState.CLAIMED: 3}


def test_in_the_rows_lane_nothing_is_skipped(store: Store) -> None:
    """Rows are history: each turn has its own, also where it is given up on."""
    turns = (Change.OPENED, Change.UPDATED, Change.UPDATED, Change.RESOLVED)
    rows = {
        key: [a_delivery(turn, change, key=key, lane=Lane.ROWS) for turn, change in enumerate(turns, 1)] for key in "ab"
    }
    owe(store, *rows["a"])
    assert len(claim(store)) == 1
    owe(store, *rows["b"])
    assert run(within(store, give_up_deliveries, "cwpp", "tickets", NOW, "not ready", NOW)) == 7
    assert states(store) == {DeliveryState.CLAIMED: 1, DeliveryState.DEAD: 7}


def test_a_resolution_of_a_later_opening_does_not_skip_an_earlier_one(store: Store) -> None:
    """Each resolution belongs to one opening."""
    owe(store, OPENING, a_delivery(4, opened=4), a_delivery(5, Change.RESOLVED, opened=4))
    assert [one.delivery.turn for one in claim(store)] == [1]


def test_a_claim_put_back_has_spent_no_attempt(store: Store) -> None:
    """Waiting costs nothing."""
    owe(store, OPENING)
    (first,) = claim(store)
    settle(store, first, DeliveryState.OWED, due=NOW, spent=False)
    assert [one.number for one in claim(store)] == [1]


def test_a_reference_that_no_index_holds_is_written_down_and_found(store: Store) -> None:
    """A vendor may call a ticket what it likes: what was sent is sent, and so is what is settled together with it."""
    owe(store, OPENING)
    (opening,) = claim(store)
    # Random enough that it cannot be compressed into a page of the index.
    references = ["".join(map(chr, range(start, start + 6_000))) for start in (40_000, 39_999)]
    settle(store, opening, DeliveryState.SENT, receipt=Receipt(reference=references[0]))
    assert states(store) == {DeliveryState.SENT: 1}
    for reference, found in zip(references, (1, 0), strict=True):
        assert len(run(within(store, find_by_reference, reference))) == found


def test_an_acknowledgement_on_record_is_never_overwritten(store: Store) -> None:
    """A slower twin whose lease had ended has nothing more to say."""
    owe(store, OPENING)
    (slow,) = claim(store)
    (fast,) = claim(store, after=LEASE)
    settle(store, fast, DeliveryState.SENT)
    settle(store, slow, DeliveryState.OWED, due=NOW, error="timeout")
    assert states(store) == {DeliveryState.SENT: 1}


def test_what_has_nowhere_left_to_go_becomes_a_dead_letter(store: Store) -> None:
    """Where the policy no longer names its destination, and on both sides of the age that it is given."""
    owe(store, OPENING)
    assert run(within(store, abandon_deliveries, "cwpp", ["oncall"], NOW - timedelta(microseconds=1), NOW)) == 0
    assert run(within(store, abandon_deliveries, "cwpp", ["tickets"], NOW, NOW)) == 0
    assert run(within(store, abandon_deliveries, "cwpp", ["oncall"], NOW, NOW)) == 1
    assert [letter.error.partition(":")[0] for letter in run(within(store, list_dead_letters))] == ["no_destination"]


def test_what_a_worker_has_in_hand_is_not_given_up_on(store: Store) -> None:
    """It may be sent at this moment; its worker says what becomes of it."""
    owe(store, OPENING)
    claim(store)
    assert run(within(store, abandon_deliveries, "cwpp", [], NOW, NOW)) == 0
    assert states(store) == {DeliveryState.CLAIMED: 1}


def test_what_nobody_has_in_hand_any_more_is_given_up_on(store: Store) -> None:
    """A claim whose lease ended is nobody's, also where nobody is left to claim it anew."""
    owe(store, OPENING)
    claim(store)
    assert run(within(store, abandon_deliveries, "cwpp", [], NOW, NOW + LEASE)) == 1
    assert states(store) == {DeliveryState.DEAD: 1}


def test_a_destination_that_only_newer_rules_name_is_not_abandoned_at_once(store: Store) -> None:
    """While new rules are rolled out, an instance with older ones must not give up on what newer ones owe."""
    owe(store, OPENING)
    assert run(within(store, abandon_deliveries, "cwpp", [], NOW - timedelta(microseconds=1), NOW)) == 0
    assert states(store) == {DeliveryState.OWED: 1}


def test_the_pause_of_a_destination_that_is_gone_is_forgotten(store: Store) -> None:
    """Else it would be complained of for ever; and so is what is known of an owner's key there."""
    for name in ("gone", "tickets", "tickets:KEY", "gone:KEY"):
        pause = Pause(stream="cwpp", destination=name, since=NOW, probe=NOW + LEASE, error="401")
        run(within(store, pause_destination, pause))
    run(within(store, abandon_deliveries, "cwpp", ["tickets"], NOW, NOW))
    assert run(within(store, list_pauses, "cwpp")).keys() == {"tickets", "tickets:KEY"}


def test_what_is_given_up_on_keeps_its_last_trouble(store: Store) -> None:
    """Who looks at a dead letter wants to know what was wrong, also when its destination went away."""
    owe(store, OPENING)
    (opening,) = claim(store)
    settle(store, opening, DeliveryState.OWED, due=NOW + HOUR, error="503")
    assert run(within(store, list_next_due, "cwpp")) == {"tickets": NextDue(NOW + HOUR, "503")}
    run(within(store, abandon_deliveries, "cwpp", [], NOW, NOW))
    assert [letter.error for letter in run(within(store, list_dead_letters))] == [
        "no_destination: the policy no longer names it; its last trouble: 503"
    ]
    assert run(within(store, list_next_due, "cwpp")) == {}


def test_a_dead_letter_is_redriven_with_the_resolution_that_came_after_it(store: Store) -> None:
    """Redriving a dead opening of a resolved signal sends the opening, then its resolution."""
    owe(store, OPENING)
    (opening,) = claim(store)
    settle(store, opening, DeliveryState.DEAD, error="400")
    owe(store, RESOLUTION)
    (resolution,) = claim(store)
    settle(store, resolution, DeliveryState.SENT)
    (letter,) = run(letters_in(store))
    assert (letter.error, letter.attempts, letter.died, letter.delivery) == ("400", 1, NOW, OPENING)
    assert run(within(store, redrive, OPENING.id, NOW)) is Redrive.OWED
    for expected in (Change.OPENED, Change.RESOLVED):
        (again,) = claim(store)
        assert again.delivery.change is expected
        settle(store, again, DeliveryState.SENT)
    assert run(within(store, redrive, OPENING.id, NOW)) is Redrive.UNKNOWN


def test_a_dead_update_of_a_resolved_signal_is_let_go(store: Store) -> None:
    """What it tells of is over, and it would open another page."""
    owe(store, OPENING)
    settle(store, claim(store)[0], DeliveryState.SENT)
    owe(store, UPDATE)
    settle(store, claim(store)[0], DeliveryState.DEAD, error="400")
    owe(store, RESOLUTION)
    settle(store, claim(store)[0], DeliveryState.SENT)
    assert run(within(store, redrive, UPDATE.id, NOW)) is Redrive.OVERTAKEN
    assert claim(store) == []


def test_a_dead_resolution_is_redriven_though_a_later_opening_died_untold(store: Store) -> None:
    """Nobody was told of the later one, so the page of the first is what is open, and it must be closed."""
    owe(store, OPENING)
    settle(store, claim(store)[0], DeliveryState.SENT)
    owe(store, RESOLUTION)
    settle(store, claim(store)[0], DeliveryState.DEAD, error="400")
    owe(store, a_delivery(4, opened=4))
    run(within(store, abandon_deliveries, "cwpp", [], NOW, NOW))
    assert run(within(store, redrive, RESOLUTION.id, NOW)) is Redrive.OWED
    assert [one.delivery.turn for one in claim(store)] == [3]


def test_a_dead_letter_that_a_later_opening_overtook_is_let_go(store: Store) -> None:
    """Its resolution would close the page that is open now."""
    owe(store, OPENING)
    settle(store, claim(store)[0], DeliveryState.DEAD, error="400")
    owe(store, RESOLUTION)
    settle(store, claim(store)[0], DeliveryState.SENT)
    owe(store, a_delivery(4, opened=4))
    settle(store, claim(store)[0], DeliveryState.SENT)
    assert run(within(store, redrive, OPENING.id, NOW)) is Redrive.OVERTAKEN
    assert claim(store) == []
    assert list(run(within(store, list_dead_letters))) == []


def test_a_redriven_opening_is_sent_even_if_it_was_never_attempted(store: Store) -> None:
    """Somebody asked for it."""
    owe(store, OPENING, RESOLUTION)
    run(within(store, abandon_deliveries, "cwpp", [], NOW, NOW))
    assert run(within(store, redrive, OPENING.id, NOW)) is Redrive.OWED
    (opening,) = claim(store)
    assert opening.delivery.change is Change.OPENED


def test_a_discarded_dead_letter_is_gone(store: Store) -> None:
    """A person decides that it is not worth sending."""
    owe(store, OPENING)
    run(within(store, abandon_deliveries, "cwpp", [], NOW, NOW))
    assert run(within(store, discard, OPENING.id, NOW))
    assert not run(within(store, discard, OPENING.id, NOW))
    assert list(run(within(store, list_dead_letters))) == []


def test_a_pause_keeps_when_it_began(store: Store) -> None:
    """Each refused probe moves the next one, not the beginning."""
    first = Pause(stream="cwpp", destination="tickets", since=NOW, probe=NOW + LEASE, error="401")
    later = replace(first, since=NOW + LEASE, probe=NOW + 2 * LEASE)
    run(within(store, pause_destination, first))
    run(within(store, pause_destination, later))
    assert run(within(store, list_pauses, "cwpp")) == {"tickets": replace(later, since=NOW)}
    assert run(within(store, list_pauses, "cspm")) == {}
    run(within(store, resume_destination, "cwpp", "tickets"))
    assert run(within(store, list_pauses, "cwpp")) == {}


def test_a_delivery_bears_the_trace_of_what_took_its_message_in(store: Store) -> None:
    """What is sent hours later, by another process, belongs to the same trace."""
    traced = replace(OPENING, trace="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    owe(store, traced, a_delivery(key="untraced"))
    assert {one.delivery.trace for one in claim(store)} == {traced.trace, None}


def test_no_more_is_claimed_than_asked_for_and_what_is_due_first_comes_first(store: Store) -> None:
    """The rest stays owed."""
    run(within(store, add_deliveries, [a_delivery(key="later")], NOW + LEASE))
    run(within(store, add_deliveries, [a_delivery(key="first")], NOW))
    assert [one.delivery.key for one in claim(store, after=LEASE, limit=1)] == ["first"]
    assert [one.delivery.key for one in claim(store, after=LEASE)] == ["later"]


def lose(store: Store, times: int, start: int = 0) -> None:
    """Claims whatever is due so often, and settles none of it."""
    for time in range(start, start + times):
        claim(store, after=time * LEASE)


def test_a_claim_counts_as_lost_if_its_lease_ended_before_anybody_settled_it(store: Store) -> None:
    """Its worker died of it, or while it was in hand; what was tried and settled was in living hands."""
    owe(store, OPENING)
    lose(store, 2)
    (third,) = claim(store, after=2 * LEASE)
    assert (third.number, third.lost) == (3, 2)
    settle(store, third, DeliveryState.OWED, due=NOW)
    assert [one.lost for one in claim(store, after=2 * LEASE)] == [0]


def test_a_claim_that_is_put_back_untried_is_as_suspect_as_before(store: Store) -> None:
    """Waiting for others clears nobody; being tried does."""
    owe(store, OPENING)
    lose(store, 3)
    (third,) = claim(store, after=3 * LEASE)
    settle(store, third, DeliveryState.OWED, due=NOW, spent=False)
    (again,) = claim(store, after=3 * LEASE)
    assert (third.lost, again.lost, again.number) == (3, 3, third.number)


def test_what_was_lost_three_times_is_tried_alone_after_everything_else(store: Store) -> None:
    """It may have killed its workers, and whatever they had in hand beside it."""
    owe(store, OPENING, a_delivery(key="twin"))
    lose(store, SUSPECT - 1)
    owe(store, a_delivery(key="innocent"))
    assert len(claim(store, after=(SUSPECT - 1) * LEASE)) == 3
    others, first, second = (claim(store, after=SUSPECT * LEASE) for _ in range(3))
    assert [(one.delivery.key, one.lost) for one in others] == [("innocent", 1)]
    assert {one.delivery.key for one in [*first, *second]} == {"k", "twin"}
    assert [len(first), len(second), first[0].lost] == [1, 1, SUSPECT]


def test_what_was_lost_once_more_is_dead_and_says_why(store: Store) -> None:
    """It kills; nothing else may pay for that."""
    owe(store, OPENING, UPDATE)
    lose(store, SUSPECT + 1)
    assert claim(store, after=(SUSPECT + 1) * LEASE) == []
    (letter,) = run(letters_in(store))
    assert letter.attempts == SUSPECT + 1
    assert letter.error == "internal: its worker died each of the last 4 times it was tried"
    assert [one.delivery.turn for one in claim(store, after=(SUSPECT + 1) * LEASE)] == [2]


def test_what_kills_is_tried_alone_also_when_somebody_redrives_it(store: Store) -> None:
    """Nobody knows yet that it is harmless now."""
    owe(store, OPENING)
    lose(store, SUSPECT + 2)
    assert run(within(store, redrive, OPENING.id, NOW)) is Redrive.OWED
    owe(store, a_delivery(key="innocent"))
    assert [one.delivery.key for one in claim(store)] == ["innocent"]
    (again,) = claim(store)
    assert again.lost == SUSPECT
    settle(store, again, DeliveryState.DEAD, error="400")
    assert [letter.error for letter in run(within(store, list_dead_letters))] == ["400"]


def test_what_a_faster_twin_put_on_record_stays_unless_it_was_sent_after_all(store: Store) -> None:
    """Of two workers that had one delivery in hand, the slower one's acknowledgement counts, and nothing else of its."""
    owe(store, OPENING)
    (slow,) = claim(store)
    (fast,) = claim(store, after=LEASE)
    settle(store, fast, DeliveryState.DEAD, error="400")
    settle(store, slow, DeliveryState.OWED, due=NOW, error="timeout")
    assert states(store) == {DeliveryState.DEAD: 1}
    settle(store, slow, DeliveryState.SENT)
    assert states(store) == {DeliveryState.SENT: 1}
    assert list(run(within(store, list_dead_letters))) == []


def test_the_backlog_says_since_when_the_oldest_is_owed_and_how_many_are_dead(store: Store) -> None:
    """Claimed ones are still owed; what is sent or skipped is over."""
    assert run(within(store, list_backlogs, "cwpp")) == {}
    owe(store, OPENING)
    run(within(store, add_deliveries, [a_delivery(key="later")], NOW + LEASE))
    (first,) = claim(store)
    assert run(within(store, list_backlogs, "cwpp")) == {"tickets": Backlog(Lane.TICKET, NOW, 0)}
    settle(store, first, DeliveryState.DEAD, error="400")
    assert run(within(store, list_backlogs, "cwpp")) == {"tickets": Backlog(Lane.TICKET, NOW + LEASE, 1)}
    settle(store, claim(store, after=LEASE)[0], DeliveryState.SENT)
    assert run(within(store, list_backlogs, "cwpp")) == {"tickets": Backlog(Lane.TICKET, None, 1)}
    assert run(within(store, list_backlogs, "cspm")) == {}


def test_what_waits_for_an_earlier_turn_is_not_next_due(store: Store) -> None:
    """A claimed delivery is due again when its lease ends."""
    owe(store, OPENING, UPDATE)
    (opening,) = claim(store)
    assert run(within(store, list_next_due, "cwpp")) == {"tickets": NextDue(NOW + LEASE, None, 2)}
    settle(store, opening, DeliveryState.OWED, due=NOW + HOUR, error="503")
    assert run(within(store, list_next_due, "cwpp")) == {"tickets": NextDue(NOW + HOUR, "503", 2)}


def test_a_claim_that_is_given_back_does_not_count_as_lost(store: Store) -> None:
    """A process that was ended by somebody did not die of what it had in hand."""
    owe(store, OPENING)
    claim(store)
    assert run(within(store, release_claims)) == 1
    assert [one.lost for one in claim(store)] == [0]


def test_one_of_several_workers_takes_the_probe_that_is_due(store: Store) -> None:
    """A destination that refuses our credentials is asked once, not by everybody."""
    pause = Pause(stream="cwpp", destination="tickets", since=NOW, probe=NOW + LEASE, error="401")
    run(within(store, pause_destination, pause))
    next = pause.probe + LEASE

    async def probed() -> list[bool]:
        return list(await asyncio.gather(*(within(store, take_probe, pause, next) for _ in range(5))))

    assert sorted(run(probed())) == [False] * 4 + [True]
    assert not run(within(store, take_probe, pause, next))
    (taken,) = run(within(store, list_pauses, "cwpp")).values()
    assert (taken.since, taken.probe, taken.error) == (NOW, next, "401")
    run(within(store, resume_destination, "cwpp", "tickets"))
    assert not run(within(store, take_probe, taken, next + LEASE))
    assert run(within(store, list_pauses, "cwpp")) == {}


def test_what_waits_is_brought_forward_for_who_wants_to_know_whether_its_destination_can_be_asked(store: Store) -> None:
    """One delivery, the one that would be tried next; what is due sooner, in flight or not its turn stays as it is."""
    assert not run(within(store, bring_forward, "cwpp", "tickets", NOW))
    owe(store, OPENING, a_delivery(turn=2, change=Change.UPDATED), a_delivery(key="later"))
    for one in claim(store):
        assert one.delivery.turn == 1
        due = NOW + (2 * HOUR if one.delivery.key == "later" else HOUR)
        settle(store, one, DeliveryState.OWED, due=due, error="401")
    assert claim(store, after=HOUR / 4) == []
    assert run(within(store, bring_forward, "cwpp", "tickets", NOW + HOUR / 4))
    assert not run(within(store, bring_forward, "cwpp", "others", NOW + HOUR / 4))
    (brought,) = claim(store, after=HOUR / 4)
    assert (brought.delivery.id, brought.number, brought.born) == (OPENING.id, 2, NOW)
    later = NOW + HOUR / 4
    assert run(within(store, bring_forward, "cwpp", "tickets", later))
    assert [one.delivery.key for one in claim(store, after=HOUR / 4)] == ["later"]
    assert not run(within(store, bring_forward, "cwpp", "tickets", later))


def test_what_is_due_is_counted_by_destination_up_to_as_much_as_is_asked_for(store: Store) -> None:
    """What is in flight or deferred is not due; what is sent is over."""

    def count(after: timedelta = timedelta(), most: int = 10, stream: str = "cwpp") -> dict[str, int]:
        return dict(run(within(store, count_due, stream, ["tickets", "pager", "other"], NOW + after, most)))

    owe(store, *(a_delivery(key=f"k{number}") for number in range(3)), replace(OPENING, destination="pager"))
    assert (count(), count(most=2)) == ({"tickets": 3, "pager": 1}, {"tickets": 2, "pager": 1})
    assert count(-INSTANT) == count(stream="cspm") == {}
    assert run(within(store, count_due, "cwpp", [], NOW, 10)) == {}
    sent, deferred = claim(store, limit=2)
    assert count() == {"tickets": 1, "pager": 1}
    settle(store, sent, DeliveryState.SENT)
    settle(store, deferred, DeliveryState.OWED, due=NOW + HOUR, error="503")
    assert (count(HOUR - INSTANT)["tickets"], count(HOUR)["tickets"]) == (1, 2)


def test_a_destination_says_when_its_first_delivery_is_due(store: Store) -> None:
    """Not what waits for its turn; what is in flight is due when its lease ends."""

    def first() -> dict[str, datetime]:
        return dict(run(within(store, find_first_due, "cwpp", ["pager", "tickets"], NOW + 2 * HOUR))[0])

    assert first() == {}
    owe(store, OPENING, UPDATE)
    assert first() == {"tickets": NOW}
    (opening,) = claim(store)
    assert first() == {"tickets": NOW + LEASE}
    settle(store, opening, DeliveryState.OWED, due=NOW + HOUR, error="503")
    assert first() == {"tickets": NOW + HOUR}
