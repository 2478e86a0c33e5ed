"""What an outbox in storage that does not answer looks like to whoever uses it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import timedelta

import pytest

from router.domain.deliveries import DeliveryState, Pause, Pointer, Settlement
from router.domain.errors import StoreError
from router.domain.rulebook import Lane
from router.store.azure import Account, AzureStore
from router.store.azure.outbox.entry_rows import AzureEntry
from router.store.azure.outbox.locations import location_of, text_to, text_to_all
from router.store.azure.outbox.outbox_table import AzureOutboxTable
from router.store.azure.outbox.queues import Handle
from router.store.outbox import SignalEntries
from tests.builders import NOW
from tests.store.acts import claim, owe, run
from tests.store.builders import OPENING, a_delivery
from tests.store.test_azure_faults import NOBODY


async def ask() -> list[object]:
    """What becomes of everything that can be asked of an outbox, all at once since each waits a while."""
    store = AzureStore(Account(NOBODY))
    outbox, queue = store.outbox, store.outbox.queue("cwpp", Lane.TICKET)
    pause = Pause(stream="cwpp", destination="tickets", since=NOW, probe=NOW, error="401")
    one = outbox.pointer("cwpp", Lane.TICKET, text_to(location_of(OPENING)))
    shard = outbox.pointer("cwpp", Lane.ROWS, text_to_all(location_of(OPENING).shard))
    assert one is not None
    assert shard is not None

    answers = await asyncio.gather(
        outbox.prepare(),
        outbox.put_in_outbox([OPENING], NOW),
        outbox.claim(Pointer("cwpp", Lane.TICKET, "tickets"), NOW, NOW, 1),
        outbox.claim(one, NOW, NOW, 1),
        outbox.claim(shard, NOW, NOW, 1),
        outbox.requeue(one, NOW),
        outbox.settle([Settlement(delivery=OPENING, claim="0-x", state=DeliveryState.SENT, at=NOW)]),
        outbox.abandon("cwpp", [], NOW, NOW),
        outbox.bring_forward("cwpp", "tickets", NOW, NOW),
        outbox.repoint("cwpp", NOW),
        outbox.counts("cwpp"),
        outbox.next_due("cwpp"),
        outbox.backlog("cwpp"),
        outbox.pause(pause),
        outbox.resume("cwpp", "tickets"),
        outbox.pauses("cwpp"),
        outbox.probe(pause, NOW),
        outbox.dead(),
        outbox.redrive(OPENING.id, NOW),
        outbox.discard(OPENING.id, NOW),
        outbox.deliveries_of("k"),
        outbox.find_by_reference("INC1"),
        outbox.find_last_notice("cwpp", "tickets", "k"),
        queue.receive(1, timedelta(seconds=1)),
        queue.delete(Handle("id", "receipt")),
        queue.length(),
        return_exceptions=True,
    )
    await store.close()
    return list(answers)


def test_whatever_is_asked_of_an_outbox_that_is_gone_is_a_storage_fault() -> None:
    """Nothing was done, so the pointer must come again."""
    assert {type(fault) for fault in run(ask())} == {StoreError}


def test_what_was_claimed_before_storage_failed_is_sent(azure: AzureStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else would before the lease is over, and then it would count as lost, though no worker died of it."""
    found = AzureOutboxTable.due

    async def due(*of: object) -> AsyncGenerator[Sequence[SignalEntries[AzureEntry]]]:
        async for signals in found(*of):  # type: ignore[arg-type]
            yield signals
        raise StoreError("storage is down")

    owe(azure, *(a_delivery(key=f"k{number}") for number in range(3)))
    with monkeypatch.context() as failing:
        failing.setattr(AzureOutboxTable, "due", due)
        assert len(claim(azure)) == 3
        with pytest.raises(StoreError):
            claim(azure)
