"""`alert-router serve`: the router outside Functions, until it is told to stop.

Loops run side by side: a sweep every minute, a consumer for each hub, and one that delivers in each stream and lane. A fault of
the state or of a hub ends none of them; what else one raises ends them all, and the process.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from argparse import Namespace
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from math import floor
from typing import TYPE_CHECKING, Any

from router.app.connections import open_consumers
from router.app.drain import STOP, Drain
from router.app.health import Health
from router.app.optional_packages import HUB_CLIENTS, SERVE_EXTRA, refuse_absent
from router.app.rules import with_manifest
from router.app.service import Service
from router.app.settings import Settings, now
from router.app.wiring import open_service
from router.cli.console import console_on
from router.cli.interrupts import SIGNALS
from router.cli.option_values import rules_given
from router.cli.printing import print_lines
from router.domain.errors import HubError, RouterError, StoreError
from router.domain.readable import legible
from router.domain.rulebook import Lane
from router.domain.signals import Stream
from router.telemetry import Telemetry

if TYPE_CHECKING:
    from router.cli.probes import Probes

SWEEP = 60.0
"""Seconds from the start of one sweep to the start of the next."""

LAST = 10.0
"""Seconds beside `STOP` for what is written and closed last; then the process ends, whatever hangs."""

TROUBLE = 5.0
"""Seconds after which a loop goes on that found the state down."""

LOOK = 10.0
"""Seconds from one look at the state to the next for who asks whether the process can work."""

AGAIN = 60.0
"""Seconds after which the same trouble is said again; while the state is down, every loop meets it."""

_LOG = logging.getLogger(__name__)

type Report = Callable[[RouterError], None]
"""Called with a trouble."""


def serve(options: Namespace) -> int:
    """Read the hubs, deliver and sweep until SIGINT or SIGTERM; 0 after that. A second such signal ends it at once."""
    refuse_absent(HUB_CLIENTS, "serve", SERVE_EXTRA)
    _log_to_stderr()
    asyncio.run(_serve(options))
    return 0


async def _serve(options: Namespace) -> None:
    settings = Settings()
    rules = with_manifest(rules_given(options.rules, None, now()), now())
    drain, report = Drain(), Troubles().tell
    stop = drain.asked
    async with AsyncExitStack() as stack:
        probes = None
        if options.probes is not None:
            from router.cli.probes import probes_on  # for what is not installed with every router

            probes = await stack.enter_async_context(probes_on(options.probes, rules, drain))
        _heed_signals(stop)
        telemetry = Telemetry(exposition=probes.exposition if probes is not None else None)
        opening = partial(open_service, rules, settings, now, drain, options.state, telemetry)
        service = await _opened(stack, opening, probes, stop, report)
        if service is None:
            return
        consumers = await stack.enter_async_context(open_consumers(rules.books, settings, service.store, report))
        for line in await service.remarks():
            _LOG.warning("%s", line)
        if options.console is not None:
            url = await stack.enter_async_context(
                console_on(service.store, rules, settings, options.console, is_shared=False, author=options.author)
            )
            # Not to the log, which others may read: who has the URL may act.
            print_lines([f"the console is at {url}"])
            sys.stdout.flush()
        _LOG.info("serving %s", ", ".join(rules.books))
        looks = []
        if probes is not None:
            probes.watch(service, consumers)
            looks = [repeat(probes.look, LOOK, stop, report)]
        await run_until_stopped(
            [
                *looks,
                repeat(service.sweep, SWEEP, stop, report),
                *(consumer.consume_events(service.ingest_events, stop) for consumer in consumers),
                *(keep_delivering(service, stream, lane, stop, report) for stream, lane in service.loops),
            ],
            stop,
        )
        try:
            await service.write_unwritten()
        except StoreError as fault:
            report(fault)
    _LOG.info("stopped")


async def _opened(
    stack: AsyncExitStack,
    opening: Callable[[], AbstractAsyncContextManager[Service]],
    probes: Probes | None,
    stop: asyncio.Event,
    report: Report,
) -> Service | None:
    """The service, opened; None where the stop came first. Raises StoreError where the state fails.

    Where `probes` say so to who watches, the state is waited for instead: to be started again and again, ever more rarely, is
    no faster, and says less.
    """
    while not stop.is_set():
        try:
            return await stack.enter_async_context(opening())
        except StoreError as fault:
            if probes is None:
                raise
            probes.state = Health([str(fault)], {})
            report(fault)
            await _wait(stop, TROUBLE)
    return None


async def run_until_stopped(
    loops: Sequence[Coroutine[Any, Any, None]], stop: asyncio.Event, grace: float = STOP
) -> None:
    """Run loops that end soon after the stop; those that did not in so many seconds are broken off.

    What one of them raises breaks the others off, and is raised; so is that one ended before the stop.
    """
    try:
        async with asyncio.timeout(None) as bound, asyncio.TaskGroup() as group:
            tasks = [group.create_task(loop) for loop in (*loops, stop.wait())]
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set():
                _LOG.info("stopping; what is in hand has %.0f seconds to end", grace)
                bound.reschedule(asyncio.get_running_loop().time() + grace)
            elif not any(one.exception() for one in done):
                raise RuntimeError(f"ended before it was told to: {done}")
    except TimeoutError:
        _LOG.warning("not all ended in time; what was broken off is done again after the next start")


async def repeat(work: Callable[[], Awaitable[None]], every: float, stop: asyncio.Event, report: Report) -> None:
    """Begin some work every so many seconds until the stop; what the state or a hub kept from it is done the next time.

    Work that takes longer leaves out the beginnings that it covers.
    """
    clock = asyncio.get_running_loop().time
    begun = clock()
    while not stop.is_set():
        try:
            await work()
        except (StoreError, HubError) as fault:
            report(fault)
        begun += every * (1 + floor((clock() - begun) / every))
        await _wait(stop, begun - clock())


async def keep_delivering(service: Service, stream: Stream, lane: Lane, stop: asyncio.Event, report: Report) -> None:
    """Deliver in a lane until the stop; at the stop begin nothing further, and end with what is under way."""
    while not stop.is_set():
        try:
            await service.deliver_on(stream, lane)
        except StoreError as fault:
            report(fault)
            await _wait(stop, TROUBLE)


class Troubles:
    """Says troubles in the log, on one line each, and the same one not again within a minute."""

    def __init__(self, log: logging.Logger = _LOG, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._logged: dict[str, float] = {}

    def tell(self, trouble: RouterError) -> None:
        """Say a trouble, unless it was said just now."""
        text, at = " ".join(str(trouble).split()), self._clock()
        if text not in self._logged or at - self._logged[text] >= AGAIN:
            self._logged[text] = at
            self._log.error("%s", text)


async def _wait(stop: asyncio.Event, seconds: float) -> bool:
    """Wait for the stop, so many seconds at most; return whether it came."""
    try:
        async with asyncio.timeout(seconds):
            return await stop.wait()
    except TimeoutError:
        return False


def _heed_signals(stop: asyncio.Event) -> None:
    """Let the first SIGINT or SIGTERM be the stop, after `STOP` and `LAST` the end; then they end it as they always do.

    One that this process was started to ignore, as a script's background job is Ctrl-C, it still ignores.
    """
    loop = asyncio.get_running_loop()
    numbers = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]

    def heed() -> None:
        stop.set()
        signal.signal(signal.SIGALRM, _give_up)
        signal.alarm(round(STOP + LAST))
        for number in numbers:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)

    for number in numbers:
        loop.add_signal_handler(number, heed)


def _give_up(*_: object) -> None:
    """Ends the process: what hangs, as a database may that answers nothing, is left as after a kill."""
    _LOG.warning("something hangs; its claims and partitions are free when their leases end")
    os._exit(1)


class _Formatter(logging.Formatter):
    """Lines that are words alone; a traceback has several."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of a record."""
        return legible(super().format(record))


def _log_to_stderr() -> None:
    """Our own lines from INFO up, and those of libraries from WARNING up."""
    formatter = _Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("router").setLevel(logging.INFO)
