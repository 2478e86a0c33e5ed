"""Room 3, wired: what sends to each destination, and what delivers from files."""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from router.app.clock import Clock
from router.app.identity import identity_for
from router.app.readiness import Readiness
from router.app.rules import Rules, specs_of
from router.app.settings import Settings
from router.deliver import Answers, Deliverer, Sending, deliver_due
from router.destinations import discover
from router.domain.errors import BadFile
from router.domain.lanes import LEASE
from router.domain.ports import Store
from router.domain.rulebook import DestinationSpec, Lane
from router.domain.signals import Stream
from router.telemetry import Telemetry

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

SLOTS = {Lane.PAGE: 64, Lane.TICKET: 64, Lane.ROWS: 8}
"""Sends at a time in each lane of one worker."""

SHARE = 4
"""One destination may take at most one in so many of a lane's slots, so that its trouble never delays another's."""


class Delivery:
    """Room 3, wired for some rulebooks: sends what is due to those destinations that are ready."""

    def __init__(
        self, store: Store, rules: Rules, readiness: Readiness, deliverers: Sequence[Deliverer], clock: Clock
    ) -> None:
        self._store = store
        self._rules = rules
        self._readiness = readiness
        self._deliverers = deliverers
        self._clock = clock

    async def deliver_due(self) -> None:
        """Delivers until nothing is due now; raises StoreError."""
        named = [(stream.value, [spec.name for spec in specs_of(book)]) for stream, book in self._rules.books.items()]
        await deliver_due(self._deliverers, self._store.outbox, self._clock, named, self._readiness.unready)


@asynccontextmanager
async def delivery_over(
    store: Store,
    rules: Rules,
    readiness: Readiness,
    settings: Settings,
    clock: Clock,
    is_stopped: Callable[[], bool],
) -> AsyncIterator[Delivery]:
    """Room 3 over a store, as long as the context lasts. Once `is_stopped` says so, only what is in flight is finished."""
    async with sendings_over(rules, readiness, settings, clock, Telemetry()) as sendings:
        deliverers = [
            Deliverer(
                stream.value,
                spec.name,
                sending,
                outbox=store.outbox,
                clock=clock,
                slots=max(1, SLOTS[spec.lane] // SHARE),
                is_stopped=is_stopped,
            )
            for stream, spec, sending in sendings
        ]
        yield Delivery(store, rules, readiness, deliverers, clock)


@asynccontextmanager
async def sendings_over(
    rules: Rules, readiness: Readiness, settings: Settings, clock: Clock, telemetry: Telemetry
) -> AsyncIterator[list[tuple[Stream, DestinationSpec, Sending]]]:
    """What sends to each destination of some rules that is ready, as long as the context lasts."""
    from router.deliver.http import Http
    from router.deliver.logs import Logs
    from router.deliver.tokens import Tokens

    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(Http(_trust(settings), headers=telemetry.headers))
        logs = Logs(http, partial(_credential_for, settings), clock)
        answers = Answers(http, logs, Tokens(http, time.monotonic, clock))
        stack.push_async_callback(answers.close)
        kinds = discover()
        yield [
            (
                stream,
                spec,
                Sending(
                    kinds[spec.kind](readiness.ready[stream, spec.name]),
                    answers,
                    readiness.secrets[stream],
                    clock,
                    settings.lease or LEASE[spec.lane],
                    telemetry.delivering,
                ),
            )
            for stream, book in rules.books.items()
            for spec in specs_of(book)
            if (stream, spec.name) in readiness.ready
        ]


def _trust(settings: Settings) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if settings.ca_file is not None:
        try:
            context.load_verify_locations(settings.ca_file)
        except OSError as fault:  # ssl's own errors are such, too
            raise BadFile(f"{settings.ca_file}: ALERT_ROUTER_CA_FILE names no readable file of certificates") from fault
    return context


def _credential_for(settings: Settings, endpoint: str) -> AsyncTokenCredential:
    """The identity that writes to a logs endpoint; one on loopback is no Azure and gets no token of Azure's."""
    from router.deliver.identity import LoopbackCredential, is_loopback

    if is_loopback(endpoint):
        return LoopbackCredential()
    return identity_for(settings.identity)
