"""Aggregation when workers die, answers get lost and several take in at once: one opening, nothing lost, all in order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from router.domain.catalogue import Catalogue
from router.domain.deliveries import Claim, DeliveryState, Recipient, Settlement
from router.domain.errors import StoreError
from router.domain.notices import Notice
from router.domain.rulebook import By, Grouping, Lane, Rulebook
from router.domain.signals import Stream
from router.ingest.intake import Intake, Message
from tests.builders import NOW, RESOURCE, a_message, alert_body
from tests.grouping.test_grouping import HOUR, LIMITED, a_grouping_book
from tests.store.acts import run
from tests.store.opened import Store, open_store

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
    recipient = Recipient("cwpp", Lane.TICKET, "tickets")
    while claims := await store.outbox.claim(recipient, NOW, NOW + MINUTE, 10):
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
    postgres_store: Store, step: int, is_done: bool
) -> None:
    """Another worker takes an alert of the same group before the dead one's batch comes again: every notice, in order."""
    first = batch("a", "b")
    deadly = Deadly(postgres_store, step, is_done)
    try:
        run(intake(deadly).ingest(first, NOW))
    except StoreError:
        assert deadly.died
    run(intake(postgres_store).ingest(batch("c"), NOW))
    run(intake(postgres_store).ingest(first, NOW))
    assert story(run(delivered(postgres_store)))[-1][2] == 3
    run(intake(postgres_store).ingest(batch("a", "b", "c", Status="Resolved"), NOW))
    assert [one.delivery.change for one in run(delivered(postgres_store))] == ["resolved"]


@pytest.mark.parametrize("step", [1, 3, 5, 7])
def test_what_a_dead_worker_applied_is_delivered_before_what_comes_after_it(postgres_store: Store, step: int) -> None:
    """The opening that it did not get to owe is owed by whoever changes the group next: an end never comes first."""
    run(intake(postgres_store).ingest(batch("z", AzureResourceId=f"{RESOURCE}-z"), NOW))
    run(delivered(postgres_store))
    deadly = Deadly(postgres_store, step, is_done=True)
    first = batch("a")
    with pytest.raises(StoreError):
        run(intake(deadly).ingest(first, NOW))
    run(intake(postgres_store).ingest(batch("b"), NOW))
    claims = run(delivered(postgres_store))
    assert (claims[0].delivery.change, claims[0].delivery.turn) == ("opened", 1)
    run(intake(postgres_store).ingest(first, NOW))
    assert "opened" not in [one.delivery.change for one in run(delivered(postgres_store))]


def test_workers_that_take_in_at_once_make_one_group(database: str, postgres_store: Store) -> None:
    """Eight workers, each with a store of its own and a part of the storm: one opening, and every alert in its group."""

    async def raced() -> None:
        stores = [open_store(database) for _ in range(8)]
        parts = [batch(*(f"{number}-{one}" for one in range(5))) for number in range(8)]
        await asyncio.gather(*(intake(store).ingest(part, NOW) for store, part in zip(stores, parts, strict=True)))
        await asyncio.gather(*(store.close() for store in stores))

    run(raced())
    found = story(run(delivered(postgres_store)))
    assert [change for change, _, _ in found].count("opened") == 1
    assert found[-1][2] == 40


def test_workers_that_take_in_at_once_keep_the_limit(database: str, postgres_store: Store) -> None:
    """Each sees only a part of the storm, and together they open no more than the policy lets them, and one summary."""
    book = a_grouping_book(limit=LIMITED)

    async def raced() -> None:
        stores = [open_store(database) for _ in range(6)]
        parts = [
            [a_message(alert_body(f"{n}-{one}", AzureResourceId=f"{RESOURCE}-{n}-{one}")) for one in range(6)]
            for n in range(6)
        ]
        await asyncio.gather(
            *(intake(store, book).ingest(part, NOW) for store, part in zip(stores, parts, strict=True))
        )
        await asyncio.gather(*(store.close() for store in stores))

    run(raced())
    found = story(run(delivered(postgres_store)))
    assert [change for change, _, _ in found].count("opened") == LIMITED.most + 1
    assert max(count for _, _, count in found) == 36 - LIMITED.most


def test_a_batch_of_more_signals_than_a_transaction_takes_is_taken_in_parts(postgres_store: Store) -> None:
    """50 alerts on 50 resources open 50 groups; on one resource, one."""
    run(
        intake(postgres_store).ingest(
            [a_message(alert_body(f"a{n}", AzureResourceId=f"{RESOURCE}-{n}")) for n in range(50)], NOW
        )
    )
    assert [change for change, _, _ in story(run(delivered(postgres_store)))] == ["opened"] * 50
    run(intake(postgres_store).ingest(batch(*(f"b{n}" for n in range(50))), NOW))
    assert story(run(delivered(postgres_store)))[-1][2] == 50


LONG = "\u00e4\u4e2d" * 35_000


@pytest.mark.parametrize("field", ["Severity", "AlertType", "AzureResourceId", "CompromisedEntity", "CorrelationKey"])
def test_no_text_is_too_long_for_a_row(postgres_store: Store, field: str) -> None:
    """A column holds 64 KiB: what states hold of a message is cut, and its neighbours are taken in with it."""
    book = a_grouping_book(Grouping((By.ALERT_TYPE, By.RESOURCE, By.ENTITY, By.CORRELATION), HOUR))
    fields: dict[str, object] = {"CompromisedEntity": "vm", "CorrelationKey": "k"}
    long = a_message(alert_body("long", AlertDisplayName=LONG, **(fields | {field: LONG})))
    entries = run(intake(postgres_store, book).ingest([long, *batch("a", **fields)], NOW))
    assert [entry.outcome for entry in entries] == ["routed", "routed"]
    assert {one.delivery.change for one in run(delivered(postgres_store))} == {"opened"}
