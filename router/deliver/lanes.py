"""Delivers what is due in every lane, each on its own: no destination's trouble delays another's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from router.deliver.deliverer import Deliverer
from router.domain.errors import StoreError
from router.domain.ports import Outbox
from router.domain.readiness import Unready, given_up_until


async def deliver_due(
    deliverers: Sequence[Deliverer],
    outbox: Outbox,
    clock: Callable[[], datetime],
    named: Collection[tuple[str, Collection[str]]],
    unready: Sequence[Unready] = (),
) -> None:
    """Delivers until nothing is due now, having given up on what has nowhere left to go.

    `named` gives for each stream the destinations that its policy names; of those, nobody delivers to the `unready` ones.
    Raises StoreError.
    """
    now = clock()
    await outbox.repair_times(now)
    for stream, destinations in named:
        await outbox.abandon(stream, destinations, now, now)
    for one in unready:
        await outbox.give_up(one.stream, one.destination, given_up_until(one, now), one.error, now)
    failed: Exception | None = None
    try:
        async with asyncio.TaskGroup() as group:
            for deliverer in deliverers:
                group.create_task(deliverer.drain())
    except* StoreError as faults:
        failed = faults.exceptions[0]
    if failed is not None:
        raise failed
