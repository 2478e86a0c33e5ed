"""The service, wired over its hubs and its state."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from router.app.connections import held_state, namespace_for
from router.app.delivery import new_loops, open_senders
from router.app.destination_readiness import readiness_of
from router.app.drain import Drain, ending_on_sigterm
from router.app.rules import Rules, lanes_of, load_rules_of_hubs, new_intake, specs_of
from router.app.settings import Clock, Settings, now
from router.deliver.destination_holds import HoldReader
from router.domain.signals import Stream
from router.telemetry import Telemetry

if TYPE_CHECKING:
    from router.app.maintenance import Sweeper
    from router.app.service import Service
    from router.store.conninfo import PostgresqlAddress

_LOG = logging.getLogger(__name__)

_NOBODY_WATCHES = (
    "coverage.yaml has a problem, so nobody watches for silent sources; `alert-router rules check` says which problem"
)

AT_A_TIME = 6
"""Sends at a time that a process behind a hub makes to one destination: there may be many such processes."""


@asynccontextmanager
async def open_service(
    rules: Rules,
    settings: Settings,
    clock: Clock,
    drain: Drain | None = None,
    state: Path | PostgresqlAddress | None = None,
    telemetry: Telemetry | None = None,
) -> AsyncIterator[Service]:
    """The router at work behind hubs, as long as the context lasts; raises as `held_state` does, and BadSetting.

    Without a `state` it is the one that the settings name. A database's clock sets `clock` right.

    Once an end is asked for in `drain`, nothing further begins. A destination that lacks something stops no other;
    `Service.remarks` names it.
    """
    from router.app.service import Service
    from router.eventhubs import HubReader
    from router.ingest.event_intake import EventIntake
    from router.ingest.state_cache import TagReader

    async with AsyncExitStack() as stack:
        telemetry = telemetry or Telemetry()
        readiness = readiness_of(rules, settings)
        store = await stack.enter_async_context(held_state(state or settings.state_named, settings, clock))
        clock = store.now
        senders = await stack.enter_async_context(open_senders(store, rules, readiness, settings, clock, telemetry))
        namespace = namespace_for(settings)
        stack.push_async_callback(namespace.close)
        hubs = {stream: HubReader(namespace, stream.value) for stream in rules.books}
        draining = drain if drain is not None else Drain()
        process, lock = uuid4().hex, asyncio.Lock()
        holds = HoldReader(store, lanes_of(rules.books.values()))
        tags = TagReader(store, rules.books)
        intakes = {stream: new_intake(store, rules, stream, tags) for stream in rules.books}
        event_intakes = {stream: EventIntake(intake, store, process, lock) for stream, intake in intakes.items()}
        grace, retention = settings.grace, settings.retention  # A setting that says nothing sound stops the start.

        @cache
        def sweepers() -> Mapping[Stream, Sweeper]:
            # No batch waits for the import of what sweeps.
            from router.app.maintenance import Sweeper
            from router.coverage.expected.silence import look_at
            from router.ingest.gaps import GRACE, GapFiller
            from router.ingest.silent_sources import SilentSources

            manifest = rules.manifest
            sources = None
            if manifest is not None and Stream.CSPM in intakes:
                look = partial(look_at, manifest)
                sources = SilentSources(intakes[Stream.CSPM], store, look, is_expected=manifest.is_given)
            return {
                stream: Sweeper(
                    store=store,
                    rulebook=book,
                    intake=intakes[stream],
                    gap_filler=GapFiller(hubs[stream], store, event_intakes[stream], grace or GRACE),
                    named=[spec.name for spec in specs_of(book)],
                    unready=[one for one in readiness.unready if one.stream == stream],
                    retention=retention,
                    holds=holds,
                    sources=sources if stream is Stream.CSPM else None,
                )
                for stream, book in rules.books.items()
            }

        yield Service(
            store=store,
            rules=rules,
            event_intakes=event_intakes,
            loops=new_loops(
                senders, rules.books, store, holds, clock, settings.at_a_time or AT_A_TIME, telemetry.record_delivered
            ),
            holds=holds,
            sweepers=sweepers,
            hubs=hubs,
            unready=readiness.unready,
            problems=[*readiness.problems, *([_NOBODY_WATCHES] if rules.manifest is None else [])],
            telemetry=telemetry,
            clock=clock,
            drain=draining,
        )


@asynccontextmanager
async def service_at(directory: Path) -> AsyncIterator[Service]:
    """The service as the app settings say; raises what `load_rules_of_hubs` and `open_service` do.

    The rules are those in a directory, unless a setting names another one. The log gets their problems, and which
    destinations cannot be asked. SIGTERM ends the process in order.
    """
    settings = Settings()
    rules = load_rules_of_hubs(settings.rules or directory, now())
    # The rules stay as long as the process: the collector of garbage need not go through a hundred thousand of them.
    gc.freeze()
    for problem in rules.problems:
        _LOG.warning("%s", problem)
    drain = Drain()
    async with open_service(rules, settings, now, drain) as service:
        for line in await service.remarks():
            _LOG.warning("%s", line)
        with ending_on_sigterm(drain, service.write_unwritten):
            yield service
