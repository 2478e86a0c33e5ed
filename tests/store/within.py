"""Functions of the store, each in a transaction of its own."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Concatenate

from router.domain.deliveries import Claim
from router.store.claims import Recipient, claim_due, claim_odd, decide_depending, row_in
from router.store.store import Store, Transaction


async def within[**P, T](
    store: Store, do: Callable[Concatenate[Transaction, P], Awaitable[T]], *args: P.args, **more: P.kwargs
) -> T:
    """What a function brings that takes a transaction first."""
    return await store.run(lambda tx: do(tx, *args, **more))


async def claim_in(store: Store, recipient: Recipient, due: datetime, until: datetime, limit: int) -> list[Claim]:
    """Up to so many claims of what is due at a destination."""

    async def claimed(tx: Transaction) -> list[Claim]:
        found = await claim_due(tx, {recipient: limit}, due, until)
        claims = [*found.claims, *await decide_depending(tx, found.depending, due, until)]
        claims = claims or await claim_odd(tx, recipient, due, until, limit)
        return sorted(claims, key=lambda one: row_in(one.id))

    return await store.run(claimed)
