"""What tests do with a store, step by step; `run` runs one step."""

import asyncio
import functools
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Concatenate

from router.domain.counts import Cell
from router.domain.deliveries import Claim, Delivery, DeliveryState, Settlement
from router.domain.documents import DocumentKind
from router.domain.notices import RecordEntry
from router.domain.rule_fields import RuleFields
from router.domain.rulebook import Lane
from router.domain.silences import Silence
from router.store import groups, signals
from router.store.claims import Recipient, settle_claims
from router.store.codec import decision_in, decode
from router.store.dead_letters import DeadLetter, list_dead_letters
from router.store.deliveries import add_deliveries
from router.store.delivery_status import count_deliveries
from router.store.documents import document_of_silence, find_document, put_document
from router.store.groups import GroupState, MemberState, States
from router.store.ledger import LedgerRow
from router.store.store import Store, Transaction
from tests.builders import NOW
from tests.store.opened import Place, empty, open_new_store, open_store
from tests.store.within import claim_in, within

INSTANT, SECOND, MINUTE = timedelta(microseconds=1), timedelta(seconds=1), timedelta(minutes=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LEASE = 5 * MINUTE

RUNNER = asyncio.Runner()
"""One event loop for all tests of stores: the clients of an account live in the loop that made them."""

run = RUNNER.run


def ask[**P, T](
    store: Store, do: Callable[Concatenate[Transaction, P], Awaitable[T]], *args: P.args, **more: P.kwargs
) -> T:
    """What a function of the store brings, in a transaction of its own."""
    return run(within(store, do, *args, **more))


def awaited[**P](test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """A test that is run in the loop of all stores."""

    @functools.wraps(test)
    def tried(*args: P.args, **kwargs: P.kwargs) -> None:
        run(test(*args, **kwargs))

    return tried


@contextmanager
def an_empty_store(place: Place | None = None) -> Iterator[Store]:
    """A store for one example: in a file of its own, or in a database that is emptied."""
    with TemporaryDirectory() as directory:
        store = open_store(place) if isinstance(place, str) else open_new_store(Path(directory))
        try:
            if store.is_shared:
                run(empty(store))
            yield store
        finally:
            run(store.close())


def owe(store: Store, *deliveries: Delivery) -> None:
    """Owes deliveries."""
    ask(store, add_deliveries, deliveries, NOW)


def claim(
    store: Store,
    *,
    after: timedelta = timedelta(),
    limit: int = 10,
    destination: str = "tickets",
    lane: Lane = Lane.TICKET,
) -> Sequence[Claim]:
    """Claims what is due at a destination."""
    return run(claim_in(store, Recipient("cwpp", lane, destination), NOW + after, NOW + after + LEASE, limit))


def settle(store: Store, claim: Claim, state: DeliveryState, **more: Any) -> None:
    """Writes down what became of a claim."""
    settlement = Settlement(claim=claim, state=state, at=NOW, **more)
    ask(store, settle_claims, [settlement])


def states(store: Store) -> dict[DeliveryState, int]:
    """How many deliveries there are in each state."""
    return {state: count for (_, state), count in ask(store, count_deliveries, "cwpp").items()}


async def letters_in(store: Store) -> list[DeadLetter]:
    """The dead letters that can be decoded."""
    return [one for one in await within(store, list_dead_letters) if one.delivery is not None]


def silenced(store: Store, *silences: Silence) -> None:
    """Stores silences as if a person had made them, over whatever is there."""
    for one in silences:
        before = ask(store, find_document, DocumentKind.SILENCE, one.id)
        document = document_of_silence(one, before.version if before is not None else None)
        assert ask(store, put_document, document) is not None


def write_rows(store: Store, rows: Iterable[LedgerRow]) -> None:
    """Writes signals, whatever is there of them."""
    run(store.run(lambda tx: signals.write_signals(tx, [replace(row, is_stored=True) for row in rows])))


def find_rows(store: Store, keys: Collection[str]) -> Mapping[str, LedgerRow]:
    """Those signals that are known."""
    return run(store.run(lambda tx: signals.find_signals(tx, keys)))


def read_fields(store: Store, keys: Collection[str]) -> Mapping[str, RuleFields]:
    """What rules can match of signals."""
    return run(store.run(lambda tx: signals.read_fields(tx, keys)))


def in_doubt(store: Store, stream: str, rulebook: str, active: Collection[str], now: datetime = NOW) -> list[LedgerRow]:
    """The signals that are held in doubt, with what is held of them."""

    async def found(tx: Transaction) -> list[LedgerRow]:
        return await signals.find_held(tx, await signals.find_in_doubt(tx, stream, rulebook, active, now))

    return run(store.run(found))


async def write_groups(store: Store, stream: str, destination: str, states: States) -> None:
    """Write states of groups as a worker does that has locked their destination."""
    async with store.transaction() as tx:
        await groups.lock_admissions(tx, stream, [destination])
        await groups.write_states(tx, stream, {destination: states})


async def groups_at(store: Store, stream: str, destination: str) -> dict[str, GroupState]:
    """The groups of a destination in which anything stands, by their keys."""
    async with store.session() as tx:
        rows = await tx.fetch("SELECT key FROM groups WHERE stream=? AND destination=?", stream, destination)
        found = await groups.find_groups(tx, stream, destination, [row.text("key") for row in rows])
    return {key: state for key, state in found.items() if state.group.standing}


async def members_at(store: Store, stream: str, destination: str, *signals: str) -> dict[str, MemberState]:
    """The memberships of some signals."""
    async with store.session() as tx:
        found = await groups.find_members(tx, stream, [destination], signals)
    return {key: member for (_, key), member in found.items()}


async def read_counts(tx: Transaction) -> dict[datetime, Counter[Cell]]:
    """How many decisions are in each cell, for each hour."""
    hours: dict[datetime, Counter[Cell]] = {}
    for row in await tx.fetch("SELECT * FROM counts"):
        cell = decode(Cell, row.text("cell").encode())
        hours.setdefault(row.time("hour"), Counter())[cell] = row.whole("count", 1)
    return hours


async def all_decisions(tx: Transaction) -> list[RecordEntry]:
    """Every decision on record."""
    return [decision_in(row.body("body")) for row in await tx.fetch("SELECT body FROM decisions")]
