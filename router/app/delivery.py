"""What sends to each destination, and what delivers in each lane."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from router.app.certificates import identity_for, trust_for
from router.app.destination_readiness import Readiness
from router.app.lazy import Lazy
from router.app.rules import Rules, lanes_of, specs_of
from router.app.settings import Clock, Settings
from router.deliver.background import BackgroundReader
from router.deliver.delivery_loop import DeliveryLoop, OnSettled
from router.deliver.destination_holds import HoldReader
from router.deliver.isolation import Isolation
from router.deliver.sender import ConversationRunner, Sender
from router.destinations import discover
from router.domain.conversation import DestinationKind, Result
from router.domain.deliveries import LEASE, Attempt
from router.domain.destination_holds import DestinationHold
from router.domain.errors import StoreError
from router.domain.proxies import Proxy
from router.domain.rulebook import DestinationSpec, Lane, Rulebook
from router.domain.signals import Stream
from router.store.store import Store
from router.telemetry import Telemetry

if TYPE_CHECKING:
    import ssl

    from azure.core.credentials_async import AsyncTokenCredential

CONCURRENCY = {Lane.PAGE: 64, Lane.TICKET: 64, Lane.ROWS: 8}
"""Sends at a time in each lane of one worker."""

SHARE = 4
"""One destination may take at most one in so many of a lane's sends at a time, so that its trouble never delays another's."""


type Senders = Sequence[tuple[Stream, DestinationSpec, Sender]]
"""What sends to each destination of each stream."""


@dataclass
class Dispatcher:
    """Delivers what is due to those destinations that are ready.

    `end` has it begin nothing further.
    """

    store: Store
    rules: Rules
    readiness: Readiness
    loops: Collection[DeliveryLoop]
    holds: HoldReader
    clock: Clock
    is_stopped: Callable[[], bool]
    _is_ended: bool = False

    def end(self) -> None:
        """Begin nothing further."""
        self._is_ended = True

    async def deliver_due(self) -> None:
        """Delivers until nothing is due now, having given up on what has nowhere left to go; raises StoreError."""
        from router.app.maintenance import give_up_undeliverable  # for which no batch of a hub waits

        now = self.clock()
        named = {stream.value: [spec.name for spec in specs_of(book)] for stream, book in self.rules.books.items()}
        held = {stream: await self.held_in(stream) for stream in named}
        await give_up_undeliverable(self.store, named, self.readiness.unready, held, now, now)
        await _all_of(loop.deliver_due(lambda: self._is_ended or self.is_stopped()) for loop in self.loops)

    async def held_in(self, stream: str) -> Mapping[str, DestinationHold]:
        """The destinations of a stream that persons hold now, by name; raises StoreError."""
        return await self.holds.held_in(stream, self.clock())

    async def write_unwritten(self) -> None:
        """Writes down what was sent and the state did not take before; raises StoreError."""
        await _all_of(loop.write_unwritten() for loop in self.loops)


async def _all_of(calls: Iterable[Awaitable[None]]) -> None:
    """Makes calls side by side, to their end; raises what the first of them raised."""
    for fault in await asyncio.gather(*calls, return_exceptions=True):
        if fault is not None:
            raise fault


def new_loops(
    senders: Senders,
    books: Mapping[Stream, Rulebook],
    store: Store,
    holds: HoldReader,
    clock: Clock,
    at_a_time: int | None = None,
    on_settled: OnSettled = lambda _: None,
) -> Mapping[tuple[Stream, Lane], DeliveryLoop]:
    """What delivers in each lane that has destinations.

    `at_a_time` is how many sends go side by side to one destination, where a setting says so.
    """
    isolation = Isolation()
    lanes: dict[tuple[Stream, Lane], dict[str, Sender]] = defaultdict(dict)
    for stream, spec, sender in senders:
        lanes[stream, spec.lane][spec.name] = sender
    return {
        (stream, lane): DeliveryLoop(
            stream.value,
            lane,
            some,
            store=store,
            clock=clock,
            concurrency=at_a_time or CONCURRENCY[lane] // SHARE,
            isolation=isolation,
            holds=holds,
            backgrounds=BackgroundReader(stream.value, books[stream].destinations.values(), store),
            on_settled=on_settled,
        )
        for (stream, lane), some in lanes.items()
    }


@asynccontextmanager
async def open_dispatcher(
    store: Store, rules: Rules, readiness: Readiness, settings: Settings, clock: Clock, is_stopped: Callable[[], bool]
) -> AsyncIterator[Dispatcher]:
    """What delivers from a store, as long as the context lasts. Once `is_stopped` says so, it finishes what is in flight."""
    holds = HoldReader(store, lanes_of(rules.books.values()))
    async with open_senders(store, rules, readiness, settings, clock, Telemetry()) as senders:
        loops = new_loops(senders, rules.books, store, holds, clock).values()
        dispatcher = Dispatcher(store, rules, readiness, loops, holds, clock, is_stopped)
        try:
            yield dispatcher
        finally:
            with suppress(StoreError):  # it was told when it came
                await dispatcher.write_unwritten()


@asynccontextmanager
async def open_senders(
    store: Store, rules: Rules, readiness: Readiness, settings: Settings, clock: Clock, telemetry: Telemetry
) -> AsyncIterator[Senders]:
    """What sends to each destination of some rules that is ready, as long as the context lasts."""
    # A file that cannot be read stops the start, and no delivery. To read the system's own takes longer than a batch.
    named, proxy = trust_for(settings) if settings.ca_file is not None else None, settings.proxy
    opened = Lazy(lambda: _open_conversations(named or trust_for(settings), proxy, settings, clock, telemetry))
    kinds, lease = discover(), settings.lease  # It stops the start, too, and also where no destination is ready.

    async def converse(kind: DestinationKind, attempts: Sequence[Attempt], ends: float) -> Sequence[Result]:
        return await (await opened()).converse(kind, attempts, ends)

    def sender_of(stream: Stream, spec: DestinationSpec) -> Sender:
        return Sender(
            kinds[spec.kind](readiness.ready[stream, spec.name]),
            converse,
            readiness.secrets[stream],
            clock,
            lease or LEASE[spec.lane],
            telemetry.delivering,
            readiness.console_url,
        )

    try:
        yield [
            (stream, spec, sender_of(stream, spec))
            for stream, book in rules.books.items()
            for spec in specs_of(book)
            if (stream, spec.name) in readiness.ready
        ]
    finally:
        await opened.close()


@asynccontextmanager
async def _open_conversations(
    trust: ssl.SSLContext, proxy: Proxy | None, settings: Settings, clock: Clock, telemetry: Telemetry
) -> AsyncIterator[ConversationRunner]:
    """What holds conversations with destinations. Only a process that delivers imports the clients that it takes."""
    from router.deliver.http import Http
    from router.deliver.logs_ingestion import Logs
    from router.deliver.mail import Mail
    from router.deliver.tokens import Tokens

    async with Http(trust, proxy, headers=telemetry.headers) as http:
        logs = Logs(http, partial(_credential_for, settings), clock)
        try:
            yield ConversationRunner(http, logs, Tokens(http, time.monotonic, clock), Mail(trust))
        finally:
            await logs.close()


def _credential_for(settings: Settings, endpoint: str) -> AsyncTokenCredential:
    """The identity that writes to a logs endpoint; one on loopback is no Azure and gets no token of Azure's."""
    from router.deliver.azure_transport import LoopbackCredential, is_loopback

    if is_loopback(endpoint):
        return LoopbackCredential()
    return identity_for(settings, settings.identity)
