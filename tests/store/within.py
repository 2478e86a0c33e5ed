"""One function of the store, in a transaction of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Concatenate

from router.store.engine import Transaction
from router.store.store import Store


async def within[**P, T](
    store: Store, do: Callable[Concatenate[Transaction, P], Awaitable[T]], *args: P.args, **more: P.kwargs
) -> T:
    """What a function brings that takes a transaction first."""
    return await store.engine.run(lambda tx: do(tx, *args, **more))
