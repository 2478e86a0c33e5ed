"""Both ways in which deliveries leave, driven round by round: from a file, and from an account behind its pointers."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import pytest

from router.app.clock import now as by_the_clock
from router.deliver import Answers, Carrier, Deliverer, Sending, deliver_due
from router.deliver.http import Http
from router.deliver.logs import Logs
from router.deliver.tokens import Tokens
from router.domain.lanes import LEASE
from router.domain.notices import Delivery
from router.domain.ports import DestinationKind, Store
from router.domain.rulebook import Lane
from router.store.azure import Account, Address, AzureStore
from router.store.azure.outbox.places import place_of, text_to
from router.store.sqlite import SqliteStore
from router.telemetry import Telemetry
from tests.stack.azurite import Azurite
from tests.store.builders import a_delivery

type Clock = Callable[[], datetime]


class Engine(Protocol):
    """A store, and what delivers from it to the destination `tickets`."""

    store: Store

    async def round(self, kind: DestinationKind, clock: Clock) -> None:
        """Does once what runs on a clock, and delivers what is due."""


async def owe(engine: Engine, lane: Lane, keys: Sequence[str], now: datetime) -> list[Delivery]:
    """Owes openings of some signals."""
    deliveries = [a_delivery(key=key, lane=lane) for key in keys]
    await engine.store.outbox.add(deliveries, now)
    return deliveries


class FromFile:
    """Deliveries in a file, which a deliverer drains."""

    def __init__(self, store: SqliteStore) -> None:
        self.store: Store = store
        self._outbox = store.outbox

    async def round(self, kind: DestinationKind, clock: Clock) -> None:
        """As each run does."""
        await self._outbox.release_claims()
        async with _sending(kind, clock) as sending:
            deliverer = Deliverer("cwpp", "tickets", sending, outbox=self.store.outbox, clock=clock, slots=4)
            await deliver_due([deliverer], self.store.outbox, clock, [("cwpp", ["tickets"])])


class FromAccount:
    """Deliveries in an account, to each of which a pointer comes in each round."""

    def __init__(self, store: AzureStore) -> None:
        self.store: Store = store
        self._outbox = store.outbox

    async def round(self, kind: DestinationKind, clock: Clock) -> None:
        """As a sweep and a worker do."""
        await self._outbox.repair_times(clock())
        async with _sending(kind, clock) as sending:
            carrier = Carrier(
                "cwpp", "tickets", sending, outbox=self._outbox, clock=clock, slots=4, alone=asyncio.Lock()
            )
            for number in range(MOST):
                place = place_of(a_delivery(key=f"k{number}", lane=kind.lane))
                pointer = self._outbox.pointer("cwpp", kind.lane, text_to(place))
                assert pointer is not None
                await carrier.carry(pointer)


MOST = 4
"""Signals, `k0` and so on, that pointers come for."""


@asynccontextmanager
async def _sending(kind: DestinationKind, clock: Clock) -> AsyncIterator[Sending]:
    async with Http(ssl.create_default_context()) as http:
        logs = Logs(http, lambda endpoint: pytest.fail(endpoint), by_the_clock)
        answers = Answers(http, logs, Tokens(http, time.monotonic, by_the_clock))
        yield Sending(kind, answers, {}, clock, LEASE[kind.lane], Telemetry().delivering)


@asynccontextmanager
async def from_file() -> AsyncIterator[Engine]:
    """An engine over an empty file."""
    with TemporaryDirectory() as directory:
        engine = FromFile(SqliteStore(Path(directory)))
        try:
            yield engine
        finally:
            await engine.store.close()


@asynccontextmanager
async def from_account(azurite: Azurite) -> AsyncIterator[Engine]:
    """An engine over an empty account."""
    store = AzureStore(Account(Address(azurite.new_account())))
    await store.prepare()
    try:
        yield FromAccount(store)
    finally:
        await store.close()
