"""What tests do with pointers and queues, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from router.domain.deliveries import Claim, Pointer
from router.domain.rulebook import Lane
from router.store.azure import AzureStore
from router.store.azure.outbox.outbox import AzureOutbox
from tests.builders import NOW
from tests.store.acts import LEASE, run

HIDDEN = timedelta(minutes=5)


async def take(outbox: AzureOutbox, lane: Lane = Lane.TICKET) -> list[Pointer]:
    """The pointers that a queue shows, which are then no longer in it."""
    queue = outbox.queue("cwpp", lane)
    found: list[Pointer] = []
    while messages := await queue.receive(32, HIDDEN):
        for text, handle in messages:
            pointer = outbox.pointer("cwpp", lane, text)
            assert pointer is not None, text
            found.append(pointer)
            await queue.delete(handle)
    return found


def taken(store: AzureStore, lane: Lane = Lane.TICKET) -> list[Pointer]:
    """The same, as one step."""
    return run(take(store.outbox, lane))


def follow(store: AzureStore, pointer: Pointer, *, after: timedelta = timedelta(), limit: int = 10) -> Sequence[Claim]:
    """Claims what a pointer points at."""
    return run(store.outbox.claim(pointer, NOW + after, NOW + after + LEASE, limit))
