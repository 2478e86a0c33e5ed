"""Aggregation when workers die, answers get lost and several take in at once: one opening, nothing lost, all in order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from router.domain.catalogue import Catalogue
from router.domain.deliveries import Claim, Delivery, DeliveryState, Pointer, Settlement
from router.domain.errors import StoreError
from router.domain.notices import Notice
from router.domain.ports.store import Store
from router.domain.rulebook import By, Grouping, Lane, Rulebook
from router.domain.signals import Stream
from router.ingest.intake import Intake, Message
from router.store.azure import Account, Address, AzureStore
from tests.builders import NOW, RESOURCE, a_message, alert_body
from tests.grouping.test_grouping import HOUR, LIMITED, a_grouping_book, an_incident
from tests.store.acts import run
from tests.store.lossy import lossy
from tests.waiting import until

MINUTE = timedelta(minutes=1)
BOOK = a_grouping_book()


WRITES = {
    "ledger": ("write_rows", "clear_pending"),
    "groups": ("write_aggregation",),
    "outbox": ("put_in_outbox",),
    "record": ("put_on_record",),
}
"""The writes at which a worker may die, by the part of the store that does them."""


class Deadly:
    """A store of which a worker dies at one of its writes, before or after that is done."""

    def __init__(self, store: Store, dies_at: int, is_done: bool) -> None:
        self._store, self._left, self._is_done = store, dies_at, is_done
        self.died = False

    def __getattr__(self, name: str) -> Any:
        part = getattr(self._store, name)
        return _DeadlyPart(part, self, WRITES[name]) if name in WRITES else part

    async def write(self, act: Any, *given: Any, **named: Any) -> Any:
        self._left -= 1
        is_last = self._left == 0
        if self.died or (is_last and not self._is_done):
            self.died = True
            raise StoreError("the worker is dead")
        done = await act(*given, **named)
        if is_last:
            self.died = True
            raise StoreError("the worker is dead")
        return done


class _DeadlyPart:
    def __init__(self, part: Any, deadly: Deadly, writes: Sequence[str]) -> None:
        assert all(hasattr(part, name) for name in writes), "a worker dies at no write that has another name"
        self._part, self._deadly, self._writes = part, deadly, writes

    def __getattr__(self, name: str) -> Any:
        act = getattr(self._part, name)
        if name not in self._writes:
            return act
        return lambda *given, **named: self._deadly.write(act, *given, **named)


def intake(store: Any, book: Rulebook = BOOK) -> Intake:
    return Intake(store, {Stream.CWPP: book}, Catalogue())


async def delivered(store: Store) -> list[Claim]:
    """Every delivery that `tickets` gets, in order, each acknowledged."""
    found: list[Claim] = []
    pointer = Pointer("cwpp", Lane.TICKET, "tickets")
    while claims := await store.outbox.claim(pointer, NOW, NOW + MINUTE, 10):
        found += claims
        await store.outbox.settle(
            [Settlement(delivery=one.delivery, claim=one.id, state=DeliveryState.SENT, at=NOW) for one in claims]
        )
    return found


def story(claims: Sequence[Claim]) -> list[tuple[str, int, int]]:
    """What each notice changes, at which turn, and how many signals it counts."""
    notices = [one.delivery.content for one in claims]
    counts = [one.group.total if isinstance(one, Notice) and one.group else 1 for one in notices]
    return [(one.delivery.change.value, one.delivery.turn, count) for one, count in zip(claims, counts, strict=True)]


def batch(*ids: str, **fields: object) -> list[Message]:
    return [a_message(alert_body(id, **fields)) for id in ids]


# Who dies before a write leaves what somebody leaves who died after the one before it.
@pytest.mark.parametrize(
    ("step", "is_done"),
    [
        (1, False),
        *((step, True) for step in range(1, 10, 2)),
        *(pytest.param(step, True, marks=pytest.mark.soak) for step in range(2, 10, 2)),
    ],
)
def test_a_worker_that_dies_at_any_write_costs_no_opening_and_makes_no_second_one(
    azure: AzureStore, step: int, is_done: bool
) -> None:
    """Another worker takes an alert of the same group before the dead one's batch comes again: every notice, in order."""
    first = batch("a", "b")
    deadly = Deadly(azure, step, is_done)
    try:
        run(intake(deadly).ingest(first, NOW))
    except StoreError:
        assert deadly.died
    run(intake(azure).ingest(batch("c"), NOW))
    run(intake(azure).ingest(first, NOW))
    assert story(run(delivered(azure)))[-1][2] == 3
    run(intake(azure).ingest(batch("a", "b", "c", Status="Resolved"), NOW))
    assert [one.delivery.change for one in run(delivered(azure))] == ["resolved"]


@pytest.mark.parametrize("step", [1, 3, 5, 7])
def test_what_a_dead_worker_applied_is_delivered_before_what_comes_after_it(azure: AzureStore, step: int) -> None:
    """The opening that it did not get to owe is owed by whoever changes the group next: an end never comes first."""
    run(intake(azure).ingest(batch("z", AzureResourceId=f"{RESOURCE}-z"), NOW))
    run(delivered(azure))
    deadly = Deadly(azure, step, is_done=True)
    first = batch("a")
    with pytest.raises(StoreError):
        run(intake(deadly).ingest(first, NOW))
    run(intake(azure).ingest(batch("b"), NOW))
    claims = run(delivered(azure))
    assert (claims[0].delivery.change, claims[0].delivery.turn) == ("opened", 1)
    run(intake(azure).ingest(first, NOW))
    assert "opened" not in [one.delivery.change for one in run(delivered(azure))]


def test_workers_that_take_in_at_once_make_one_group(address: Address, azure: AzureStore) -> None:
    """Eight workers, each with a store of its own and a part of the storm: one opening, and every alert in its group."""

    async def raced() -> None:
        stores = [AzureStore(Account(address)) for _ in range(8)]
        parts = [batch(*(f"{number}-{one}" for one in range(5))) for number in range(8)]
        await asyncio.gather(*(intake(store).ingest(part, NOW) for store, part in zip(stores, parts, strict=True)))
        await asyncio.gather(*(store.close() for store in stores))

    run(raced())
    found = story(run(delivered(azure)))
    assert [change for change, _, _ in found].count("opened") == 1
    assert found[-1][2] == 40


def test_workers_that_take_in_at_once_keep_the_limit(address: Address, azure: AzureStore) -> None:
    """Each sees only a part of the storm, and together they open no more than the policy lets them, and one summary."""
    book = a_grouping_book(limit=LIMITED)

    async def raced() -> None:
        stores = [AzureStore(Account(address)) for _ in range(6)]
        parts = [
            [a_message(alert_body(f"{n}-{one}", AzureResourceId=f"{RESOURCE}-{n}-{one}")) for one in range(6)]
            for n in range(6)
        ]
        await asyncio.gather(
            *(intake(store, book).ingest(part, NOW) for store, part in zip(stores, parts, strict=True))
        )
        await asyncio.gather(*(store.close() for store in stores))

    run(raced())
    found = story(run(delivered(azure)))
    assert [change for change, _, _ in found].count("opened") == LIMITED.most + 1
    assert max(count for _, _, count in found) == 36 - LIMITED.most


@pytest.mark.parametrize("spared", range(6))
def test_answers_that_get_lost_change_nothing(address: Address, azure: AzureStore, spared: int) -> None:
    """The client tries again, three times, over what it has done itself: the group is the same, and opens once."""

    async def taken() -> None:
        async with lossy(address) as way:
            store = AzureStore(Account(way.address))
            way.spare, way.lose = spared, 3
            await intake(store).ingest(batch("a", "b"), NOW)
            await store.close()

    run(taken())
    run(intake(azure).ingest(batch("c"), NOW))
    assert [change for change, _, _ in story(run(delivered(azure)))] == ["opened", "updated"]


def test_a_batch_of_more_signals_than_a_transaction_takes_is_taken_in_parts(azure: AzureStore) -> None:
    """50 alerts on 50 resources open 50 groups; on one resource, one."""
    run(
        intake(azure).ingest(
            [a_message(alert_body(f"a{n}", AzureResourceId=f"{RESOURCE}-{n}")) for n in range(50)], NOW
        )
    )
    assert [change for change, _, _ in story(run(delivered(azure)))] == ["opened"] * 50
    run(intake(azure).ingest(batch(*(f"b{n}" for n in range(50))), NOW))
    assert story(run(delivered(azure)))[-1][2] == 50


LONG = "\u00e4\u4e2d" * 35_000


@pytest.mark.parametrize("field", ["Severity", "AlertType", "AzureResourceId", "CompromisedEntity", "CorrelationKey"])
def test_no_text_is_too_long_for_a_row(azure: AzureStore, field: str) -> None:
    """A column holds 64 KiB: what states hold of a message is cut, and its neighbours are taken in with it."""
    book = a_grouping_book(Grouping((By.ALERT_TYPE, By.RESOURCE, By.ENTITY, By.CORRELATION), HOUR))
    fields: dict[str, object] = {"CompromisedEntity": "vm", "CorrelationKey": "k"}
    long = a_message(alert_body("long", AlertDisplayName=LONG, **(fields | {field: LONG})))
    entries = run(intake(azure, book).ingest([long, *batch("a", **fields)], NOW))
    assert [entry.outcome for entry in entries] == ["routed", "routed"]
    assert {one.delivery.change for one in run(delivered(azure))} == {"opened"}


class Slow:
    """A store that owes `tickets` nothing before it is let."""

    def __init__(self, store: AzureStore, gate: asyncio.Event) -> None:
        self._store, self._gate = store, gate
        self.waits = False

    def __getattr__(self, name: str) -> Any:
        return self if name == "outbox" else getattr(self._store, name)

    async def put_in_outbox(self, deliveries: Sequence[Delivery], now: datetime) -> None:
        if any(one.destination == "tickets" for one in deliveries):
            self.waits = True
            await self._gate.wait()
        await self._store.outbox.put_in_outbox(deliveries, now)


def test_three_workers_owe_in_the_order_in_which_they_changed_the_group(azure: AzureStore) -> None:
    """One ends a group, one opens it again, and neither owes that yet when a third one adds to it: no end comes last."""

    async def raced() -> list[list[tuple[str, int, int]]]:
        await intake(azure).ingest(batch("a"), NOW)
        stories, gate = [story(await delivered(azure))], asyncio.Event()
        slow = []
        for part in (batch("a", Status="Resolved"), batch("b")):
            behind = Slow(azure, gate)
            slow.append(asyncio.create_task(intake(behind).ingest(part, NOW)))
            await until(lambda behind=behind: behind.waits)  # type: ignore[misc]
        await intake(azure).ingest(batch("c"), NOW)
        stories.append(story(await delivered(azure)))
        gate.set()
        await asyncio.gather(*slow)
        return [*stories, story(await delivered(azure))]

    turns = [turn for some in run(raced()) for _, turn, _ in some]
    assert turns == sorted(turns)


@pytest.mark.parametrize("incidents", [True, False])
def test_what_comes_back_all_at_once_is_taken_in(azure: AzureStore, incidents: bool) -> None:
    """Two incidents of 49 alerts each, or 40 alerts on 40 hosts: over in one batch, and back in one after the window."""

    def bodies(status: str) -> list[Message]:
        if incidents:
            named = [[f"{one}-{n}" for n in range(49)] for one in ("i", "j")]
            return [a_message(an_incident(names[0][0], *names, Status=status)) for names in named]
        return [a_message(alert_body(f"a{n}", AzureResourceId=f"{RESOURCE}-{n}", Status=status)) for n in range(40)]

    for status, at in (("New", NOW), ("Resolved", NOW), ("New", NOW + 2 * HOUR)):
        entries = run(intake(azure).ingest(bodies(status), at))
        assert {entry.outcome for entry in entries} == {"resolved" if status == "Resolved" else "routed"}
    assert run(azure.ledger.find_pending_rows("cwpp")) == []
