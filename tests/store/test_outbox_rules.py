"""What the rules of a delivery's lifecycle look like through every store; `domain/` says why each is as it is."""

from __future__ import annotations

from datetime import timedelta

import pytest

from router.domain.clocks import SKEW
from router.domain.decisions import Change
from router.domain.deliveries import DeliveryState, NextDue, Pause, Pointer, Receipt, Redrive, Settlement
from router.domain.lane_limits import LONGEST, LONGEST_LEASE, LONGEST_WAIT
from router.domain.ports.store import Store
from router.domain.rulebook import Clause, Lane
from router.domain.severity import Severity
from router.store.azure import AzureStore
from router.store.azure.outbox.locations import location_of, text_to
from tests.builders import NOW, a_destination, a_route, a_rulebook
from tests.store.acts import DAY, LEASE, claim, letters_in, owe, run, settle, states
from tests.store.builders import OPENING, RESOLUTION, UPDATE, a_delivery
from tests.store.life import Life

OVER_AN_ACCOUNT = (
    "test_a_slow_worker_whose_claim_another_has_now_is_heard_only_if_it_was_sent",
    "test_several_settlements_of_one_delivery_at_once_are_one",
    "test_what_an_earlier_claim_brings_does_not_count_once_somebody_asked_for_the_delivery_again",
    "test_of_results_of_several_claims_that_are_written_together_each_belongs_to_its_claim",
    "test_what_is_deferred_is_claimed_when_it_is_due_and_not_before",
    "test_who_has_use_for_nothing_claims_nothing",
    "test_what_is_superseded_is_skipped_when_its_turn_comes",
    "test_what_was_routed_to_a_pager_and_ended_untold_is_told_to_tickets_once_and_pages_nobody",
    "test_what_ended_untold_stays_so_though_its_worker_dies_or_is_refused",
    "test_of_two_acknowledgements_the_first_is_on_record",
    "test_a_destination_is_next_due_with_the_first_of_its_signals",
    "test_updates_have_a_row_each_in_the_rows_lane",
    "test_only_the_resolution_of_what_a_dead_letter_opens_is_sent_again_with_it",
    "test_a_pause_by_a_clock_that_is_right_began_when_that_says",
    "test_what_is_deferred_further_than_anything_in_its_lane_is_due_at_once",
    "test_what_a_wrong_clock_owed_or_deferred_is_due_once_the_clock_is_right",
    "test_what_a_clock_that_is_ahead_deferred_does_not_wait_for_it",
    "test_what_is_claimed_for_longer_than_anything_is_gets_given_up_on",
    "test_a_lease_that_a_wrong_clock_gave_holds_nothing_once_the_clock_is_right",
    "test_what_died_of_age_by_a_wrong_clock_is_owed_again",
)

HOUR = timedelta(hours=1)
INSTANT = timedelta(microseconds=1)
WRONG = timedelta(days=400)
"""By how much a clock is ahead that is wrong."""


def abandon(store: Store, after: timedelta = timedelta()) -> int:
    """Gives up on all that nobody has in flight, since the policy names its destination no longer."""
    return run(store.outbox.abandon("cwpp", [], NOW + after, NOW + after))


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
    assert run(store.outbox.redrive(OPENING.id, NOW)) is Redrive.OWED
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
    sent = Settlement(delivery=one.delivery, state=DeliveryState.SENT, at=NOW)
    dead = Settlement(delivery=one.delivery, state=DeliveryState.DEAD, at=NOW, error="400")
    run(store.outbox.settle([sent, dead]))
    assert states(store) == {DeliveryState.SENT: 1}


@pytest.mark.parametrize("late", [DeliveryState.SENT, DeliveryState.DEAD])
def test_what_an_earlier_claim_brings_does_not_count_once_somebody_asked_for_the_delivery_again(
    store: Store, twin: Store, late: DeliveryState
) -> None:
    """Who redrives it wants it sent again, and that is what happens."""
    owe(store, OPENING)
    (slow,) = claim(store)
    assert abandon(twin, LEASE) == 1
    assert run(twin.outbox.redrive(OPENING.id, NOW + LEASE)) is Redrive.OWED
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
    assert run(store.outbox.redrive(OPENING.id, NOW + after)) is Redrive.OWED
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
    assert [one.error for one in run(letters_in(store.outbox))] == ["400"]


def test_of_results_of_several_claims_that_are_written_together_each_belongs_to_its_claim(store: Store) -> None:
    """Storage may take nothing for a while. An acknowledgement of before a redrive does not hide what came after it."""
    owe(store, OPENING)
    (slow,) = claim(store)
    assert abandon(store, LEASE) == 1
    assert run(store.outbox.redrive(OPENING.id, NOW + LEASE)) is Redrive.OWED
    (again,) = claim(store, after=LEASE)
    run(
        store.outbox.settle(
            [
                Settlement(delivery=OPENING, claim=slow.id, state=DeliveryState.SENT, at=NOW + LEASE),
                Settlement(delivery=OPENING, claim=again.id, state=DeliveryState.DEAD, at=NOW + LEASE, error="400"),
            ]
        )
    )
    assert states(store) == {DeliveryState.DEAD: 1}


def test_what_is_deferred_is_claimed_when_it_is_due_and_not_before(store: Store) -> None:
    """To the microsecond."""
    owe(store, OPENING)
    settle(store, claim(store)[0], DeliveryState.OWED, due=NOW + HOUR, error="503")
    assert claim(store, after=HOUR - INSTANT) == []
    assert [(one.number, one.born) for one in claim(store, after=HOUR)] == [(2, NOW)]


@pytest.mark.parametrize("limit", [0, -1])
def test_who_has_use_for_nothing_claims_nothing(store: Store, limit: int) -> None:
    """A worker that has more in flight than it may asks for less than nothing."""
    owe(store, OPENING, a_delivery(key="other"))
    assert claim(store, limit=limit) == []
    assert states(store) == {DeliveryState.OWED: 2}


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
    assert run(store.outbox.discard(OPENING.id, NOW))
    owe(store, RESOLUTION)
    assert claim(store) == []
    assert states(store) == {DeliveryState.SKIPPED: 2}


HIGH = Clause("severity", "High", lambda signal, attack: signal.severity is Severity.HIGH)
PAGER, TICKETS, MORE = a_destination("oncall", Lane.PAGE), a_destination("tickets"), a_destination("more")


def a_paging_life(store: Store) -> Life:
    """Messages are taken in under rules that page what is High, and open tickets of everything at two destinations."""
    routes = [a_route("page", "oncall", when=[HIGH]), a_route("all", "tickets", "more")]
    return Life(store, a_rulebook(routes=routes, destinations=[PAGER, TICKETS, MORE]))


def heard_by(life: Life, destination: str = "tickets") -> list[tuple[int, Change, bool]]:
    """What a destination is told, each acknowledged: the turn, its change, and whether that is the first and the last."""
    found = []
    while claims := life.claims(destination):
        for one in claims:
            life.settle(one, DeliveryState.SENT)
            found.append((one.delivery.turn, one.delivery.change, one.is_untold))
    return found


def test_what_was_routed_to_a_pager_and_ended_untold_is_told_to_tickets_once_and_pages_nobody(store: Store) -> None:
    """Its resolution alone is told, at each ticket destination; what no pager was to hear of is told to nobody."""
    life = a_paging_life(store)
    life.alert("high"), life.alert("high", Status="InProgress"), life.alert("high", Status="Resolved")
    life.alert("medium", Severity="Medium"), life.alert("medium", Severity="Medium", Status="Resolved")
    assert heard_by(life) == heard_by(life, "more") == [(3, Change.RESOLVED, True)]
    assert heard_by(life, "oncall") == []
    life.alert("high", Status="Resolved")
    assert heard_by(life) == []


def test_a_sample_that_ended_untold_is_told_to_nobody(store: Store) -> None:
    """Nothing happened, and the way to the pager is tried with what stands."""
    life = a_paging_life(store)
    for status in ("New", "Resolved"):
        life.alert(AlertDisplayName="[SAMPLE ALERT] test", Status=status)
    assert heard_by(life) == []


def test_of_what_ended_untold_and_opened_again_the_latest_is_told(store: Store) -> None:
    """One that stands is opened as ever; of two that are over the second is told, and so there is one ticket."""
    life = a_paging_life(store)
    for status in ("New", "Resolved", "New"):
        life.alert("stands", Status=status)
        life.alert("over", Status=status)
    life.alert("over", Status="Resolved")
    assert sorted(heard_by(life)) == [(3, Change.OPENED, False), (4, Change.RESOLVED, True)]


def test_what_ended_untold_stays_so_though_its_worker_dies_or_is_refused(store: Store) -> None:
    """Its ticket may be there or not: whoever tries it next has to know."""
    life = a_paging_life(store)
    life.alert(), life.alert(Status="Resolved")
    (lost,) = life.claims("tickets")
    life.now += LEASE
    (refused,) = life.claims("tickets")
    life.settle(refused, DeliveryState.OWED, due=life.now, error="answered 503")
    (last,) = life.claims("tickets")
    assert [one.is_untold for one in (lost, refused, last)] == [True] * 3
    assert last.number == 3


def test_what_was_tried_is_opened_and_resolved_as_ever(store: Store) -> None:
    """Its destination may have it."""
    life = a_paging_life(store)
    life.alert()
    (tried,) = life.claims("tickets")
    life.settle(tried, DeliveryState.OWED, due=life.now, error="answered 503")
    life.alert(Status="Resolved")
    assert heard_by(life) == [(1, Change.OPENED, False), (2, Change.RESOLVED, False)]


def test_what_ended_untold_where_nobody_can_be_asked_is_a_dead_letter_in_the_end(store: Store) -> None:
    """One for each ticket destination, since somebody was to hear of it."""
    life = a_paging_life(store)
    life.alert(), life.alert(Status="Resolved")
    assert run(store.outbox.give_up("cwpp", "tickets", life.now, "not ready", life.now)) == 1
    assert run(store.outbox.give_up("cwpp", "oncall", life.now, "not ready", life.now)) == 0
    (letter,) = run(letters_in(store.outbox))
    assert letter.delivery.change is Change.RESOLVED


def test_an_opening_that_its_resolution_told_of_is_not_told_again(store: Store) -> None:
    """It died untried; whoever redrives it then would open a second ticket."""
    life = a_paging_life(store)
    life.alert()
    assert run(store.outbox.give_up("cwpp", "tickets", life.now, "not ready", life.now)) == 1
    life.alert(Status="Resolved")
    assert heard_by(life) == [(2, Change.RESOLVED, True)]
    (letter,) = run(letters_in(store.outbox))
    assert run(store.outbox.redrive(letter.delivery.id, life.now)) is Redrive.OVERTAKEN
    assert heard_by(life) == []


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
    assert run(store.outbox.next_due("cwpp")) == {"tickets": NextDue(NOW + LEASE / 2, "sooner", 3)}
    (sooner,) = claim(store, after=LEASE / 2)
    settle(store, sooner, DeliveryState.SENT)
    assert run(store.outbox.next_due("cwpp")) == {"tickets": NextDue(NOW + LEASE, None, 2)}


def test_updates_have_a_row_each_in_the_rows_lane(store: Store) -> None:
    """Rows are history: there no update stands for another."""
    owe(store, *(a_delivery(turn, Change.UPDATED, lane=Lane.ROWS) for turn in (2, 3)))
    assert [one.delivery.turn for one in claim(store)] == [2]
    assert states(store) == {DeliveryState.CLAIMED: 1, DeliveryState.OWED: 1}


def test_an_update_that_somebody_asked_for_is_told_before_the_next_one(store: Store) -> None:
    """Though the next one says all that it says."""
    owe(store, UPDATE)
    abandon(store)
    assert run(store.outbox.redrive(UPDATE.id, NOW)) is Redrive.OWED
    owe(store, a_delivery(3, Change.UPDATED))
    assert [one.delivery.turn for one in claim(store)] == [2]


def test_what_nobody_can_be_asked_for_is_given_up_on_and_what_is_superseded_is_skipped_before(store: Store) -> None:
    """On both sides of the instant until which it was owed; what is in flight is left to its worker."""
    owe(store, a_delivery(key="in flight"))
    claim(store)
    owe(store, OPENING, RESOLUTION, a_delivery(key="alone"))
    run(store.outbox.put_in_outbox([a_delivery(key="younger")], NOW + INSTANT))
    assert run(store.outbox.give_up("cwpp", "tickets", NOW, "not ready", NOW)) == 1
    (letter,) = run(letters_in(store.outbox))
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
    assert run(store.outbox.redrive(dead.id, NOW)) is expected
    assert [one.delivery.turn for one in claim(store)] == ([] if is_overtaken else [2])


def test_a_dead_letter_is_not_overtaken_by_what_was_sent_before_it(store: Store) -> None:
    """The order of turns counts, and not when somebody looks."""
    owe(store, OPENING)
    settle(store, claim(store)[0], DeliveryState.SENT)
    owe(store, UPDATE)
    settle(store, claim(store)[0], DeliveryState.DEAD)
    assert run(store.outbox.redrive(UPDATE.id, NOW)) is Redrive.OWED


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
    assert run(store.outbox.redrive(a_delivery(2, opened=2).id, NOW + HOUR)) is Redrive.OWED
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
    run(store.outbox.pause(wrong))
    run(store.outbox.pause(right))
    assert run(store.outbox.pauses("cwpp")) == {"tickets": right}


@pytest.mark.parametrize("lane", Lane)
def test_what_is_deferred_further_than_anything_in_its_lane_is_due_at_once(store: Store, lane: Lane) -> None:
    """Both sides of the longest wait, and of what two clocks that are right may differ by."""
    owe(store, a_delivery(lane=lane), a_delivery(key="longer", lane=lane))
    longest = NOW + LONGEST_WAIT[lane] + SKEW
    for one in claim(store):
        is_longer = one.delivery.key == "longer"
        settle(store, one, DeliveryState.OWED, due=longest + (INSTANT if is_longer else timedelta()), error="503")
    assert run(store.outbox.repair_times(NOW)) == 1
    assert [one.delivery.key for one in claim(store)] == ["longer"]


def test_what_a_wrong_clock_owed_or_deferred_is_due_once_the_clock_is_right(store: Store) -> None:
    """It is as old as if it were owed from now on."""
    run(store.outbox.put_in_outbox([OPENING], NOW + WRONG))
    owe(store, a_delivery(key="deferred"))
    (one,) = claim(store)
    late = Settlement(
        delivery=one.delivery, state=DeliveryState.OWED, at=NOW + WRONG, due=NOW + WRONG + LEASE, error="503"
    )
    run(store.outbox.settle([late]))
    assert claim(store) == []
    assert run(store.outbox.repair_times(NOW + HOUR)) == 2
    assert {(one.delivery.key, one.born) for one in claim(store, after=HOUR)} == {("k", NOW + HOUR), ("deferred", NOW)}


def test_what_a_clock_that_is_ahead_deferred_does_not_wait_for_it(store: Store) -> None:
    """Also where it was no further ahead than something may be deferred; in an account a pointer leads there."""
    owe(store, OPENING)
    late = Settlement(
        delivery=claim(store)[0].delivery, state=DeliveryState.OWED, at=NOW + HOUR, due=NOW + HOUR + LEASE, error="503"
    )
    run(store.outbox.settle([late]))
    run(store.outbox.repair_times(NOW))
    pointer: Pointer | None = Pointer("cwpp", Lane.TICKET, "tickets")
    if isinstance(store, AzureStore):
        pointer = store.outbox.pointer("cwpp", Lane.TICKET, text_to(location_of(OPENING)))
    assert pointer is not None
    assert [one.delivery for one in run(store.outbox.claim(pointer, NOW, NOW + LEASE, 1))] == [OPENING]


@pytest.mark.parametrize(("ahead", "is_free"), [(LONGEST_LEASE + SKEW, 0), (LONGEST_LEASE + SKEW + INSTANT, 1)])
def test_what_is_claimed_for_longer_than_anything_is_gets_given_up_on(
    store: Store, ahead: timedelta, is_free: int
) -> None:
    """A wrong clock gave that lease. Both sides of the longest that settings give."""
    owe(store, OPENING)
    run(store.outbox.claim(Pointer("cwpp", Lane.TICKET, "tickets"), NOW, NOW + ahead, 1))
    assert abandon(store) == is_free


def test_a_lease_that_a_wrong_clock_gave_holds_nothing_once_the_clock_is_right(store: Store) -> None:
    """The delivery is claimed anew, and its claim counts as lost."""
    owe(store, OPENING)
    run(store.outbox.claim(Pointer("cwpp", Lane.TICKET, "tickets"), NOW, NOW + WRONG, 1))
    run(store.outbox.repair_times(NOW))
    assert [one.lost for one in claim(store)] == [1]


@pytest.mark.parametrize(("age", "count"), [(LONGEST[Lane.TICKET] - INSTANT, 0), (LONGEST[Lane.TICKET], 1)])
def test_what_died_of_age_by_a_wrong_clock_is_owed_again(store: Store, age: timedelta, count: int) -> None:
    """What died younger died of something else, and what died at an instant that is possible did so."""
    owe(store, OPENING)
    (one,) = claim(store)
    dead = Settlement(delivery=one.delivery, state=DeliveryState.DEAD, at=NOW + age, error="503")
    run(store.outbox.settle([dead]))
    assert run(store.outbox.repair_times(NOW + age - SKEW)) == 0
    assert run(store.outbox.repair_times(NOW + age - SKEW - INSTANT)) == count
    assert len(claim(store, after=DAY * 3)) == count
