"""Pointers: every delivery that is owed is pointed at when it falls due, and what a pointer points at can be claimed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueServiceClient
from hypothesis import given
from hypothesis import strategies as st

from router.domain.decisions import Change
from router.domain.deliveries import SUSPECT, Claim, Delivery, DeliveryState, Pointer, Receipt, Settlement
from router.domain.rulebook import Lane
from router.store.azure import Account, Address, AzureStore
from router.store.azure.outbox.locations import find_pointer, location_of, text_of, text_to, text_to_all
from router.store.azure.outbox.queues import seconds
from router.store.azure.shards import SHARDS
from tests.builders import NOW
from tests.store.acts import DAY, LEASE, claim, owe, run, settle, states
from tests.store.builders import OPENING, RESOLUTION, UPDATE, a_delivery
from tests.store.pointing import follow, taken

WEEK = 7 * 24 * 3600


@pytest.fixture
def queues(azure: AzureStore, address: Address) -> Iterator[QueueServiceClient]:
    """The queues of the account, for who looks inside."""

    async def opened() -> Account:
        return Account(address)

    account = run(opened())
    yield account.queues
    run(account.close())


def rows(count: int) -> list[Delivery]:
    """Deliveries of different signals in the rows lane."""
    return [a_delivery(key=f"k{number}", lane=Lane.ROWS) for number in range(count)]


def turns(claims: Sequence[Claim]) -> list[int]:
    """The turns that were claimed."""
    return [one.delivery.turn for one in claims]


def test_each_delivery_to_a_pager_or_ticket_system_has_a_pointer_of_its_own(azure: AzureStore) -> None:
    """So that each is sent by itself, wherever there is a free worker."""
    other = a_delivery(key="other")
    owe(azure, OPENING, other)
    claims = [follow(azure, pointer) for pointer in taken(azure)]
    assert sorted(one.delivery.key for some in claims for one in some) == ["k", "other"]
    assert [len(some) for some in claims] == [1, 1]


def test_rows_have_one_pointer_for_each_shard_that_some_were_added_to(azure: AzureStore) -> None:
    """One send carries many rows, so one pointer leads to many deliveries."""
    owed = rows(40)
    owe(azure, *owed)
    pointers = taken(azure, Lane.ROWS)
    assert len(pointers) == len({location_of(one).shard for one in owed}) == SHARDS
    claims = [one for pointer in pointers for one in follow(azure, pointer, limit=40)]
    assert sorted(one.delivery.key for one in claims) == sorted(one.key for one in owed)


def test_a_pointer_to_rows_yields_what_is_due_first_and_no_more_than_asked_for(azure: AzureStore) -> None:
    """The rest is there for whoever follows it next."""
    shard = location_of(a_delivery(key="k0", lane=Lane.ROWS)).shard
    same = [one for one in rows(60) if location_of(one).shard == shard]
    for place, one in enumerate(same):
        run(azure.outbox.put_in_outbox([one], NOW - place * timedelta(seconds=1)))
    pointer = next(one for one in taken(azure, Lane.ROWS) if one.location == str(shard.number))
    first, second = (follow(azure, pointer, limit=2) for _ in range(2))
    expected = [one.key for one in reversed(same)][:4]
    assert [one.delivery.key for one in [*first, *second]] == expected


def test_a_step_that_is_repeated_points_again_and_owes_nothing_twice(azure: AzureStore) -> None:
    """A worker may have died after writing the delivery and before pointing at it."""
    owe(azure, OPENING)
    assert len(taken(azure)) == 1
    owe(azure, OPENING)
    (pointer,) = taken(azure)
    assert [len(follow(azure, pointer)) for _ in range(2)] == [1, 0]
    assert states(azure) == {DeliveryState.CLAIMED: 1}


def test_a_pointer_yields_nothing_where_nothing_is_to_be_done(azure: AzureStore) -> None:
    """Not due, claimed by another, done, or gone: pointers may come late, twice, or to what is over."""
    nowhere = find_pointer("cwpp", Lane.TICKET, text_to(location_of(OPENING)))
    assert nowhere is not None
    assert follow(azure, nowhere) == []
    run(azure.outbox.put_in_outbox([OPENING], NOW + DAY))
    (pointer,) = taken(azure) or [nowhere]
    assert follow(azure, pointer, after=DAY - timedelta(microseconds=1)) == []
    (one,) = follow(azure, pointer, after=DAY)
    assert follow(azure, pointer, after=DAY) == []
    settle(azure, one, DeliveryState.SENT)
    assert follow(azure, pointer, after=2 * DAY) == []


def test_what_waits_for_its_turn_is_pointed_at_when_its_turn_comes(azure: AzureStore) -> None:
    """Its own pointer came too early and is gone."""
    owe(azure, OPENING, UPDATE)
    first, second = sorted(taken(azure), key=lambda pointer: str(pointer.location))
    assert follow(azure, second) == []
    (opening,) = follow(azure, first)
    assert follow(azure, second) == []
    settle(azure, opening, DeliveryState.SENT, receipt=Receipt(reference="INC1"))
    (again,) = taken(azure)
    (update,) = follow(azure, again)
    assert (update.delivery, update.opening) == (UPDATE, Receipt(reference="INC1"))


def refuse(store: AzureStore, pointer: Pointer) -> None:
    """The destination does not want it."""
    settle(store, follow(store, pointer)[0], DeliveryState.DEAD, error="400")


def abandon(store: AzureStore, pointer: Pointer) -> None:
    """The policy names its destination no longer."""
    assert run(store.outbox.abandon("cwpp", [], NOW - DAY, NOW)) == 1


def kill(store: AzureStore, pointer: Pointer) -> None:
    """Each worker that tries it dies."""
    for time in range(SUSPECT + 2):
        follow(store, pointer, after=time * LEASE)


@pytest.mark.parametrize("end", [refuse, abandon, kill])
def test_what_waits_behind_a_dead_letter_is_pointed_at(
    azure: AzureStore, end: Callable[[AzureStore, Pointer], None]
) -> None:
    """However the earlier turn died."""
    run(azure.outbox.put_in_outbox([OPENING], NOW - DAY))
    (pointer,) = taken(azure)
    owe(azure, UPDATE)
    taken(azure)
    end(azure, pointer)
    assert states(azure) == {DeliveryState.DEAD: 1, DeliveryState.OWED: 1}
    (again,) = taken(azure)
    assert turns(follow(azure, again, after=DAY)) == [2]


def test_what_is_next_after_what_need_not_be_said_is_pointed_at(azure: AzureStore) -> None:
    """It waited for what was skipped, and its own pointer may be gone."""
    owe(azure, OPENING, RESOLUTION, a_delivery(4, opened=4))
    first = min(taken(azure), key=lambda pointer: str(pointer.location))
    assert follow(azure, first) == []
    assert states(azure) == {DeliveryState.SKIPPED: 2, DeliveryState.OWED: 1}
    (pointer,) = taken(azure)
    assert turns(follow(azure, pointer)) == [4]


def test_a_hundred_updates_that_need_not_be_said_are_skipped_together(azure: AzureStore) -> None:
    """More than one transaction of the storage takes: a destination was paused for days, and the signal went up and down."""
    updates = [a_delivery(turn, Change.UPDATED) for turn in range(2, 102)]
    owe(azure, OPENING, *updates, a_delivery(102, Change.RESOLVED))
    assert claim(azure) == []
    assert states(azure) == {DeliveryState.SKIPPED: 102}


def test_what_is_owed_again_is_pointed_at_for_when_it_falls_due(azure: AzureStore) -> None:
    """The pointer is in the queue, and does not show before."""
    owe(azure, OPENING)
    (pointer,) = taken(azure)
    settle(azure, follow(azure, pointer)[0], DeliveryState.OWED, due=NOW + DAY, error="503")
    assert taken(azure) == []
    assert run(azure.outbox.queue("cwpp", Lane.TICKET).length()) == 1


def test_rows_that_fall_due_about_the_same_time_share_a_pointer(azure: AzureStore) -> None:
    """A failed send of hundreds of rows must not make hundreds of pointers."""
    shard = location_of(a_delivery(key="k0", lane=Lane.ROWS)).shard
    owe(azure, *(one for one in rows(40) if location_of(one).shard == shard))
    (pointer,) = taken(azure, Lane.ROWS)
    claims = follow(azure, pointer)
    assert len(claims) > 3
    waits = [timedelta(seconds=1, milliseconds=place) for place in range(len(claims) - 1)]
    run(
        azure.outbox.settle(
            [
                Settlement(delivery=one.delivery, claim=one.id, state=DeliveryState.OWED, at=NOW, due=NOW + wait)
                for one, wait in zip(claims, [*waits, DAY], strict=True)
            ]
        )
    )
    assert run(azure.outbox.queue("cwpp", Lane.ROWS).length()) == 2


def test_a_pointer_is_put_off_until_an_instant(azure: AzureStore) -> None:
    """By the clock, since the queue counts from when it gets the message; what is to come at once comes at once."""
    owe(azure, OPENING)
    (pointer,) = taken(azure)
    now = datetime.now(UTC)
    run(azure.outbox.requeue(pointer, now + DAY))
    assert taken(azure) == []
    run(azure.outbox.requeue(pointer, now - DAY))
    assert taken(azure) == [pointer]
    assert run(azure.outbox.queue("cwpp", Lane.TICKET).length()) == 1


@pytest.mark.parametrize(
    ("wait", "hidden"),
    [(-1, 0), (0, 0), (0.000001, 1), (1, 1), (1.5, 2), (WEEK, WEEK), (WEEK + 1, WEEK)],
)
def test_a_message_never_shows_before_its_time_and_hides_for_a_week_at_most(wait: float, hidden: int) -> None:
    """Whole seconds, rounded up: a pointer that comes too early is lost."""
    assert seconds(timedelta(seconds=wait)) == hidden


def test_messages_are_plain_text_that_never_expires(azure: AzureStore, queues: QueueServiceClient) -> None:
    """The platform reads them as they are, and a destination may be down for longer than messages live by default."""
    owe(azure, OPENING)

    async def peeked() -> QueueMessage:
        (message,) = await queues.get_queue_client("cwpp-ticket").peek_messages()
        return message

    message = run(peeked())
    assert message.content == text_to(location_of(OPENING))
    assert message.expires_on is not None
    assert message.expires_on.year == 9999


def test_there_is_a_queue_for_each_stream_and_lane_and_for_its_poison(
    azure: AzureStore, queues: QueueServiceClient
) -> None:
    """Posture has no pager. Making them again changes nothing."""
    owe(azure, OPENING)
    run(azure.outbox.prepare())

    async def names() -> set[str]:
        return {str(queue.name) async for queue in queues.list_queues()}

    expected = {"cwpp-page", "cwpp-ticket", "cwpp-rows", "cspm-ticket", "cspm-rows"}
    assert run(names()) == expected | {f"{name}-poison" for name in expected}
    assert len(taken(azure)) == 1


def test_a_message_comes_back_unless_it_is_deleted(azure: AzureStore) -> None:
    """Who dies with a message in hand loses nothing; deleting one twice is harmless."""
    owe(azure, OPENING)
    queue = azure.outbox.queue("cwpp", Lane.TICKET)
    ((text, handle),) = run(queue.receive(32, LEASE))
    assert run(queue.receive(32, LEASE)) == []
    assert run(queue.length()) == 1
    run(queue.delete(handle))
    run(queue.delete(handle))
    assert run(queue.length()) == 0
    assert text == text_to(location_of(OPENING))


LANES = st.sampled_from(Lane)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner), max_leaves=5
)
ALMOST = st.fixed_dictionaries(
    {}, optional={"d": st.just("tickets") | JSON, "s": st.integers(-1, 9) | JSON, "k": JSON, "t": JSON, "x": JSON}
)


@given(LANES, st.text(st.characters(codec=None)) | JSON.map(json.dumps) | ALMOST.map(json.dumps))
def test_any_message_is_a_pointer_or_none(lane: Lane, text: str) -> None:
    """Whatever somebody puts into a queue, reading it fails nobody; what is a pointer is the text of itself."""
    pointer = find_pointer("cwpp", lane, text)
    assert pointer is None or find_pointer("cwpp", lane, str(text_of(pointer))) == pointer


SIGNAL = location_of(OPENING).signal


@pytest.mark.parametrize(
    "message",
    [
        {"d": "tickets", "s": -1, "k": SIGNAL, "t": 1},
        {"d": "tickets", "s": SHARDS, "k": SIGNAL, "t": 1},
        {"d": "tickets", "s": True, "k": SIGNAL, "t": 1},
        {"d": "tickets", "s": 1, "k": SIGNAL, "t": True},
        {"d": "tickets", "s": 1, "k": SIGNAL, "t": 1_000_000},
        {"d": "tickets", "s": 1, "k": SIGNAL[1:], "t": 1},
        {"d": "tickets", "s": 1, "k": SIGNAL, "t": 1, "x": 1},
        {"d": "tickets", "s": 1, "k": SIGNAL},
        {"d": "", "s": 1, "k": SIGNAL, "t": 1},
        {"d": None, "s": 1, "k": SIGNAL, "t": 1},
        [],
    ],
)
def test_what_is_almost_a_pointer_is_none(message: object) -> None:
    """It would lead to a place where nothing of ours can lie."""
    assert find_pointer("cwpp", Lane.TICKET, json.dumps(message)) is None
    assert find_pointer("cwpp", Lane.ROWS, json.dumps(message)) is None


@given(LANES, st.text(), st.integers(1, 999_999))
def test_a_pointer_comes_back_as_it_was_written(lane: Lane, key: str, turn: int) -> None:
    """In the rows lane it leads to a shard, in the others to a delivery; in the wrong queue it is none."""
    place = location_of(a_delivery(turn, key=key))
    text = text_to_all(place.shard) if lane is Lane.ROWS else text_to(place)
    pointer = find_pointer("cwpp", lane, text)
    assert pointer is not None
    assert (pointer.stream, pointer.lane, pointer.destination, text_of(pointer)) == ("cwpp", lane, "tickets", text)
    assert find_pointer("cwpp", Lane.TICKET if lane is Lane.ROWS else Lane.ROWS, text) is None


def test_a_row_that_waits_for_a_turn_in_hand_is_looked_at_again(azure: AzureStore) -> None:
    """Its own pointer found the earlier turn claimed, and whoever has that in hand does not know of it."""
    owe(azure, a_delivery(lane=Lane.ROWS))
    (pointer,) = taken(azure, Lane.ROWS)
    (opening,) = follow(azure, pointer)
    owe(azure, a_delivery(2, Change.RESOLVED, lane=Lane.ROWS))
    (late,) = taken(azure, Lane.ROWS)
    assert follow(azure, late) == []
    settle(azure, opening, DeliveryState.SENT)
    assert run(azure.outbox.queue("cwpp", Lane.ROWS).length()) == 1
    assert turns(follow(azure, late)) == [2]


@pytest.mark.parametrize("end", [DeliveryState.SENT, DeliveryState.DEAD])
def test_rows_that_wait_for_a_turn_are_looked_at_again_whoever_gets_that(azure: AzureStore, end: DeliveryState) -> None:
    """Two pointers may find the same turn free: one claims it, and the other is gone before anything is settled."""
    owe(azure, a_delivery(lane=Lane.ROWS), a_delivery(2, Change.RESOLVED, lane=Lane.ROWS))
    (pointer,) = taken(azure, Lane.ROWS)

    async def race() -> list[Claim]:
        both = [azure.outbox.claim(pointer, NOW, NOW + LEASE, 10) for _ in range(2)]
        return [one for claims in await asyncio.gather(*both) for one in claims]

    (opening,) = run(race())
    settle(azure, opening, end)
    assert run(azure.outbox.queue("cwpp", Lane.ROWS).length()) in (1, 2)
    assert turns(follow(azure, pointer)) == [2]


def test_rows_behind_one_that_is_tried_again_later_wait_for_its_pointer(azure: AzureStore) -> None:
    """Who follows that one comes by; to look every few seconds until then would be for nothing."""
    owe(azure, a_delivery(lane=Lane.ROWS))
    (pointer,) = taken(azure, Lane.ROWS)
    (opening,) = follow(azure, pointer)
    settle(azure, opening, DeliveryState.OWED, due=NOW + timedelta(hours=1), error="503")
    owe(azure, a_delivery(2, Change.RESOLVED, lane=Lane.ROWS))
    (late,) = taken(azure, Lane.ROWS)
    assert (follow(azure, late), run(azure.outbox.queue("cwpp", Lane.ROWS).length())) == ([], 1)
    assert turns(follow(azure, late, after=DAY)) == [1]
    assert run(azure.outbox.queue("cwpp", Lane.ROWS).length()) == 2


def test_pointers_that_look_again_do_not_pile_up(azure: AzureStore) -> None:
    """However many come by while a destination holds up a turn."""
    owe(azure, a_delivery(lane=Lane.ROWS), a_delivery(2, Change.RESOLVED, lane=Lane.ROWS))
    (pointer,) = taken(azure, Lane.ROWS)
    for _ in range(5):
        follow(azure, pointer)
    assert run(azure.outbox.queue("cwpp", Lane.ROWS).length()) == 1
