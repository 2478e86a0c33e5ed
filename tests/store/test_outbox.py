"""What every store promises of the outbox; what one signal's turns do to each other is told by `test_turn_order`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from router.domain.clocks import SKEW
from router.domain.decisions import Change
from router.domain.deliveries import LONGEST_WAIT, SUSPECT, DeliveryState, Pause, Receipt, Settlement
from router.domain.rulebook import Lane
from router.store.claims import Recipient, bring_forward, release_claims, settle_claims
from router.store.dead_letters import Redrive, abandon_deliveries, give_up_deliveries, redrive
from router.store.deliveries import add_deliveries
from router.store.delivery_lifecycle import LONGEST_LEASE
from router.store.delivery_status import count_due, find_by_reference, find_first_due, list_backlogs
from router.store.destinations import list_delivered, list_pauses, pause_destination, resume_destination, take_probe
from router.store.forgetting import forget
from router.store.retention import Retention
from tests.builders import NOW
from tests.store.acts import DAY, LEASE, claim, decided, letters_in, owe, run, settle, states
from tests.store.builders import OPENING, RESOLUTION, UPDATE, a_delivery
from tests.store.opened import Store
from tests.store.within import claim_in, within

HOUR = timedelta(hours=1)
INSTANT = timedelta(microseconds=1)
WRONG = timedelta(days=400)
"""By how much a clock is ahead that is wrong."""


def a_pause(destination: str = "tickets", **changes: object) -> Pause:
    """A pause from now on, that is probed in a lease."""
    pause = Pause(stream="cwpp", destination=destination, since=NOW, probe=NOW + LEASE, error="401")
    return replace(pause, **changes)  # type: ignore[arg-type]


def pauses(store: Store, stream: str = "cwpp") -> Mapping[str, Pause]:
    """The pauses of a stream, by destination."""
    return run(within(store, list_pauses, stream))


def abandon(store: Store, *named: str, until: timedelta = timedelta(), after: timedelta = timedelta()) -> int:
    """Gives up on what is that old at destinations that are not named."""
    return run(within(store, abandon_deliveries, "cwpp", named, NOW + until, NOW + after))


def give_up(store: Store, until: timedelta = timedelta(), after: timedelta = timedelta()) -> int:
    """Gives up on what is that old at `tickets`, which cannot be asked."""
    return run(within(store, give_up_deliveries, "cwpp", "tickets", NOW + until, "not ready", NOW + after))


def test_a_delivery_is_owed_once_however_often_it_is_added_and_bears_its_trace(store: Store) -> None:
    """Also after it was sent; and what is sent hours later, by another process, belongs to the trace of its message."""
    traced = replace(OPENING, trace="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    owe(store, traced, traced, a_delivery(key="untraced"))
    first, other = claim(store)
    assert (first.delivery, other.delivery.trace) == (traced, None)
    settle(store, first, DeliveryState.SENT)
    owe(store, traced)
    assert claim(store) == []


def test_a_delivery_is_claimed_at_its_instant_and_not_before(store: Store) -> None:
    """A claim is one worker's alone until its lease ends, and what is deferred is due then, to the microsecond."""
    owe(store, OPENING)
    assert [one.number for one in claim(store)] == [1]
    assert claim(store, after=LEASE - INSTANT) == []
    (second,) = claim(store, after=LEASE)
    settle(store, second, DeliveryState.OWED, due=NOW + HOUR, error="503")
    assert claim(store, after=HOUR - INSTANT) == []
    assert [(one.number, one.born) for one in claim(store, after=HOUR)] == [(3, NOW)]


def test_no_more_is_claimed_than_asked_for_and_what_is_due_first_comes_first(store: Store) -> None:
    """The rest stays owed."""
    run(within(store, add_deliveries, [a_delivery(key="later")], NOW + LEASE))
    owe(store, a_delivery(key="first"))
    assert [one.delivery.key for one in claim(store, after=LEASE, limit=1)] == ["first"]
    assert [one.delivery.key for one in claim(store, after=LEASE)] == ["later"]


def lose(store: Store, times: int) -> None:
    """Claims whatever is due so often, and settles none of it."""
    for time in range(times):
        claim(store, after=time * LEASE)


def test_what_is_not_to_be_sent_leaves_room_for_what_is(store: Store) -> None:
    """However much stands before it: what ended untold, what is to be tried alone, what kills."""
    owe(store, OPENING, a_delivery(key="deadly"))
    lose(store, SUSPECT)
    after = (SUSPECT + 1) * LEASE
    ended = ((1, Change.OPENED), (2, Change.RESOLVED))
    untold = [a_delivery(turn, change, key=f"u{n}") for n in range(3) for turn, change in ended]
    run(within(store, add_deliveries, [*untold, a_delivery(key="last")], NOW + after))
    assert [one.delivery.key for one in claim(store, after=after, limit=1)] == ["last"]
    assert states(store) == {DeliveryState.SKIPPED: 6, DeliveryState.CLAIMED: 3}


def test_what_was_lost_three_times_is_tried_alone_after_everything_else_and_once_more_is_dead(store: Store) -> None:
    """It may have killed its workers, and whatever they had in hand beside it; also when a person redrives it."""
    owe(store, OPENING, a_delivery(key="twin"))
    lose(store, SUSPECT - 1)
    owe(store, a_delivery(key="innocent"))
    assert len(claim(store, after=(SUSPECT - 1) * LEASE)) == 3
    others, first, second = (claim(store, after=SUSPECT * LEASE) for _ in range(3))
    assert [(one.delivery.key, one.lost) for one in others] == [("innocent", 1)]
    assert {(one.delivery.key, one.lost) for one in [*first, *second]} == {("k", SUSPECT), ("twin", SUSPECT)}
    settle(store, others[0], DeliveryState.SENT)
    assert len(first) == len(second) == 1
    assert claim(store, after=(SUSPECT + 1) * LEASE) == []
    letters = run(letters_in(store))
    died = "internal: its worker died each of the last 4 times it was tried"
    assert [(one.attempts, one.error) for one in letters] == [(SUSPECT + 1, died)] * 2
    assert run(within(store, redrive, OPENING.id, NOW)) is Redrive.OWED
    owe(store, a_delivery(key="later"))
    assert [[(one.delivery.key, one.lost) for one in claim(store)] for _ in range(2)] == [
        [("later", 0)],
        [("k", SUSPECT)],
    ]


def test_of_results_that_are_written_together_each_belongs_to_its_claim(store: Store) -> None:
    """Storage may take nothing for a while. An acknowledgement counts wherever it stands, but for one of before a redrive."""
    owe(store, OPENING, a_delivery(key="twin"))
    slow, twin = claim(store)

    def results(*found: tuple[str, DeliveryState]) -> None:
        """Writes down results of claims of either delivery."""
        some = [
            Settlement(
                claim=twin if id == twin.id else replace(twin, delivery=OPENING, id=id),
                state=state,
                at=NOW,
                error="400",
            )
            for id, state in found
        ]
        run(within(store, settle_claims, some))

    results((twin.id, DeliveryState.SENT), (twin.id, DeliveryState.DEAD))
    assert states(store) == {DeliveryState.CLAIMED: 1, DeliveryState.SENT: 1}
    assert abandon(store, after=LEASE) == 1
    assert run(within(store, redrive, OPENING.id, NOW + LEASE)) is Redrive.OWED
    (again,) = claim(store, after=LEASE)
    results((slow.id, DeliveryState.SENT), (again.id, DeliveryState.DEAD))
    assert states(store) == {DeliveryState.DEAD: 1, DeliveryState.SENT: 1}


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


def test_what_has_nowhere_left_to_go_becomes_a_dead_letter(store: Store) -> None:
    """On both sides of the age that it is given; what a worker has in hand is left to it until its lease ends."""
    owe(store, OPENING)
    settle(store, claim(store)[0], DeliveryState.OWED, due=NOW, error="503")
    assert abandon(store, "oncall", until=-INSTANT) == abandon(store, "tickets") == 0
    claim(store)
    assert abandon(store, "oncall") == 0
    assert abandon(store, "oncall", after=LEASE) == 1
    (letter,) = run(letters_in(store))
    assert letter.error == "no_destination: the policy no longer names it; its last trouble: 503"


def test_what_nobody_can_be_asked_for_is_given_up_on_and_what_is_superseded_is_skipped_before(store: Store) -> None:
    """To the instant, there and nowhere else; what is in flight is left to its worker until its lease ends."""
    assert give_up(store, DAY) == 0
    owe(store, a_delivery(key="in flight"))
    claim(store)
    rows = [
        a_delivery(turn, change, key="row", lane=Lane.ROWS)
        for turn, change in ((1, OPENING.change), (2, Change.RESOLVED))
    ]
    owe(store, OPENING, RESOLUTION, a_delivery(key="alone"), *rows, replace(OPENING, destination="pager"))
    run(within(store, add_deliveries, [a_delivery(key="younger")], NOW + INSTANT))
    assert give_up(store, -INSTANT) == 0
    assert give_up(store) == 5
    letters = run(letters_in(store))
    assert sorted((one.delivery.key, one.error, one.attempts, one.died) for one in letters) == [  # type: ignore[union-attr]
        ("alone", "not ready", 0, NOW),
        ("row", "not ready", 0, NOW),
        ("row", "not ready", 0, NOW),
    ]
    assert states(store)[DeliveryState.SKIPPED] == 2
    assert give_up(store, after=LEASE) == 1


def test_the_pause_of_a_destination_that_is_gone_is_forgotten(store: Store) -> None:
    """Else it would be complained of for ever; and so is what is known of an owner's key there."""
    for name in ("gone", "tickets", "tickets:KEY", "gone:KEY"):
        run(within(store, pause_destination, a_pause(name)))
    abandon(store, "tickets")
    assert pauses(store).keys() == {"tickets", "tickets:KEY"}


def test_a_pause_keeps_when_it_began_unless_a_wrong_clock_wrote_that(store: Store) -> None:
    """Each refused probe moves the next one, not the beginning."""
    later = a_pause(since=NOW + LEASE, probe=NOW + 2 * LEASE, error="403")
    for pause, expected in (
        (a_pause(since=NOW + WRONG, probe=NOW + WRONG), None),
        (a_pause(), None),
        (later, replace(later, since=NOW)),
    ):
        run(within(store, pause_destination, pause))
        assert pauses(store) == {"tickets": expected or pause}
    assert pauses(store, "cspm") == {}
    run(within(store, resume_destination, "cwpp", "tickets"))
    assert pauses(store) == {}


def test_one_of_several_workers_takes_the_probe_that_is_due(store: Store) -> None:
    """A destination that refuses our credentials is asked once, not by everybody."""
    pause = a_pause()
    run(within(store, pause_destination, pause))
    next = pause.probe + LEASE

    async def probed() -> list[bool]:
        return list(await asyncio.gather(*(within(store, take_probe, pause, next) for _ in range(5))))

    assert sorted(run(probed())) == [False] * 4 + [True]
    assert pauses(store) == {"tickets": replace(pause, probe=next)}
    run(within(store, resume_destination, "cwpp", "tickets"))
    assert not run(within(store, take_probe, replace(pause, probe=next), next + LEASE))
    assert pauses(store) == {}


def test_a_claim_that_is_given_back_does_not_count_as_lost(store: Store) -> None:
    """A process that was ended by somebody did not die of what it had in hand."""
    owe(store, OPENING)
    claim(store)
    assert run(within(store, release_claims)) == 1
    assert [one.lost for one in claim(store)] == [0]


def test_what_waits_is_brought_forward_for_who_wants_to_know_whether_its_destination_can_be_asked(store: Store) -> None:
    """One delivery, the one that would be tried next; what is due sooner, in flight or not its turn stays as it is."""
    now = HOUR / 4

    def bring(destination: str = "tickets") -> bool:
        return run(within(store, bring_forward, "cwpp", destination, NOW + now))

    assert not bring()
    owe(store, OPENING, UPDATE, a_delivery(key="later"))
    for one in claim(store):
        due = NOW + (2 * HOUR if one.delivery.key == "later" else HOUR)
        settle(store, one, DeliveryState.OWED, due=due, error="401")
    assert claim(store, after=now) == []
    assert (bring(), bring("others")) == (True, False)
    (brought,) = claim(store, after=now)
    assert (brought.delivery.id, brought.number, brought.born) == (OPENING.id, 2, NOW)
    assert bring()
    assert [one.delivery.key for one in claim(store, after=now)] == ["later"]
    assert not bring()


def test_what_is_due_is_counted_by_destination_up_to_as_much_as_is_asked_for(store: Store) -> None:
    """What is in flight or deferred is not due; what is sent is over."""

    def count(after: timedelta = timedelta(), most: int = 10, stream: str = "cwpp") -> dict[str, int]:
        return dict(run(within(store, count_due, stream, ["tickets", "pager", "other"], NOW + after, most)))

    owe(store, *(a_delivery(key=f"k{number}") for number in range(3)), replace(OPENING, destination="pager"))
    assert (count(), count(most=2)) == ({"tickets": 3, "pager": 1}, {"tickets": 2, "pager": 1})
    assert count(-INSTANT) == count(stream="cspm") == run(within(store, count_due, "cwpp", [], NOW, 10)) == {}
    sent, deferred = claim(store, limit=2)
    assert count() == {"tickets": 1, "pager": 1}
    settle(store, sent, DeliveryState.SENT)
    settle(store, deferred, DeliveryState.OWED, due=NOW + HOUR, error="503")
    assert (count(HOUR - INSTANT)["tickets"], count(HOUR)["tickets"]) == (1, 2)


def test_a_destination_says_when_its_first_delivery_is_due(store: Store) -> None:
    """Not what waits for its turn, whichever signal was owed first; what is in flight is due when its lease ends."""

    def first() -> tuple[dict[str, datetime], dict[str, tuple[object, ...]]]:
        found = run(within(store, find_first_due, "cwpp", ["pager", "tickets"], NOW + 2 * HOUR))
        backlogs = run(within(store, list_backlogs, "cwpp")).items()
        dues = {name: one.due for name, one in found.items() if one.due is not None}
        return dues, {name: (one.due, one.error, one.owed) for name, one in backlogs}

    assert first() == ({}, {})
    owe(store, OPENING, UPDATE)
    assert first() == ({"tickets": NOW}, {"tickets": (NOW, None, 2)})
    (opening,) = claim(store)
    owe(store, a_delivery(key="sooner"))
    (sooner,) = claim(store)
    settle(store, opening, DeliveryState.OWED, due=NOW + HOUR, error="503")
    assert first() == ({"tickets": NOW + LEASE}, {"tickets": (NOW + LEASE, None, 3)})
    settle(store, sooner, DeliveryState.SENT)
    assert first() == ({"tickets": NOW + HOUR}, {"tickets": (NOW + HOUR, "503", 2)})


def test_who_took_a_delivery_did_so_for_good(store: Store) -> None:
    """Also once nothing is kept of it; nobody else is taken for them, and what was not sent was not delivered."""

    def took(destination: str = "tickets", stream: str = "cwpp") -> bool:
        return destination in run(within(store, list_delivered, stream))

    decided(store, OPENING)
    owe(store, OPENING, *(a_delivery(key=key) for key in ("owed", "dead", "skipped")))
    opening, *others = claim(store)
    for one in others:
        settle(store, one, DeliveryState(one.delivery.key), due=NOW, error="answered 400")
    assert not took()
    settle(store, opening, DeliveryState.SENT, receipt=Receipt())
    assert (took(), took("pager"), took(stream="cspm")) == (True, False, False)
    run(forget(store, NOW + 400 * DAY, Retention(), 10_000))
    assert DeliveryState.SENT not in states(store)
    assert took()


# Clocks.


@pytest.mark.parametrize("lane", Lane)
def test_what_is_deferred_further_than_anything_in_its_lane_is_due_at_once(store: Store, lane: Lane) -> None:
    """Both sides of the longest wait, and of what two clocks that are right may differ by."""
    owe(store, a_delivery(lane=lane), a_delivery(key="longer", lane=lane))
    longest = NOW + LONGEST_WAIT[lane] + SKEW
    for one in claim(store, lane=lane):
        is_longer = one.delivery.key == "longer"
        settle(store, one, DeliveryState.OWED, due=longest + (INSTANT if is_longer else timedelta()), error="503")
    assert [one.delivery.key for one in claim(store, lane=lane)] == ["longer"]


@pytest.mark.parametrize("excess", [timedelta(), INSTANT])
def test_a_lease_that_a_wrong_clock_gave_holds_nothing_once_the_clock_is_right(store: Store, excess: timedelta) -> None:
    """Both sides of the longest that settings give. The delivery is claimed anew, and its claim counts as lost."""
    owe(store, OPENING)
    longest = NOW + LONGEST_LEASE + SKEW
    run(claim_in(store, Recipient("cwpp", Lane.TICKET, "tickets"), NOW, longest + excess, 1))
    assert abandon(store) == (1 if excess else 0)
    owe(store, a_delivery(key="wrong"))
    run(claim_in(store, Recipient("cwpp", Lane.TICKET, "tickets"), NOW, NOW + WRONG, 1))
    assert ("wrong", 1) in [(one.delivery.key, one.lost) for one in claim(store)]
