"""Aggregation when workers die, answers get lost and several take in at once: one opening, nothing lost, all in order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from itertools import count

import pytest

from router.domain.catalogue import Catalogue
from router.domain.deliveries import Claim, DeliveryState, Recipient, Settlement
from router.domain.errors import StoreError
from router.domain.notices import Notice
from router.domain.rulebook import By, Grouping, Lane, Rulebook
from router.domain.signals import Stream
from router.ingest.intake import Intake, Message
from router.store.claims import claim_deliveries, settle_claims
from tests.builders import NOW, RESOURCE, a_message, alert_body
from tests.grouping.test_grouping import HOUR, LIMITED, a_grouping_book
from tests.store.acts import run
from tests.store.deadly import Deadly
from tests.store.opened import Store, everything_in, open_store
from tests.store.within import within

MINUTE = timedelta(minutes=1)
BOOK = a_grouping_book()


def intake(store: Store, book: Rulebook = BOOK) -> Intake:
    return Intake(store, {Stream.CWPP: book}, Catalogue())


async def delivered(store: Store) -> list[Claim]:
    """Every delivery that `tickets` gets, in order, each acknowledged."""
    found: list[Claim] = []
    recipient = Recipient("cwpp", Lane.TICKET, "tickets")
    while claims := await within(store, claim_deliveries, recipient, NOW, NOW + MINUTE, 10):
        found += claims
        await within(
            store,
            settle_claims,
            [Settlement(delivery=one.delivery, claim=one.id, state=DeliveryState.SENT, at=NOW) for one in claims],
        )
    return found


def story(claims: Sequence[Claim]) -> list[tuple[str, int, int]]:
    """What each notice changes, at which turn, and how many signals it counts."""
    notices = [one.delivery.content for one in claims]
    counts = [one.group.total if isinstance(one, Notice) and one.group else 1 for one in notices]
    return [(one.delivery.change.value, one.delivery.turn, count) for one, count in zip(claims, counts, strict=True)]


def batch(*ids: str, **fields: object) -> list[Message]:
    return [a_message(alert_body(id, **fields)) for id in ids]


def test_a_worker_that_dies_at_any_statement_leaves_all_of_its_batch_or_none(store: Store) -> None:
    """It leaves all where only the answer to its commit is lost. The batch that comes again is told once."""
    everything = run(everything_in(store))
    kept = []
    for step in count(1):
        messages = [*batch(f"a{step}", f"b{step}"), a_message(b"?")]
        deadly = Deadly(store, step, is_done=True)
        with suppress(StoreError):
            run(intake(deadly).ingest(messages, NOW))
        left = run(everything_in(store))
        kept.append(left != everything)
        run(intake(store).ingest(messages, NOW))
        everything = run(everything_in(store))
        assert everything == left or not kept[-1]
        if not deadly.died:
            break
    assert kept == [False] * (len(kept) - 2) + [True, True]
    assert story(run(delivered(store))) == [("opened", 1, 2), ("updated", len(kept), 2 * len(kept))]


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
