"""What `serve --probes` answers over HTTP: whether its loops live, whether it can work, and what it counts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router

from router import __version__
from router.app.health import Health, look_at_state
from router.app.optional_packages import SCRAPE_CLIENTS, SERVE_EXTRA, refuse_absent
from router.app.rules import Rules, lanes_of
from router.console.server import listening_on, read_ip_port, served

if TYPE_CHECKING:
    from router.app.drain import Drain
    from router.app.service import Service
    from router.eventhubs.consumer import Consumer
    from router.telemetry.exposition import Exposition

EXAMPLE = "0.0.0.0:9464"
"""An address to serve them on."""

PATIENCE = timedelta(seconds=10)
"""How long a look waits for the state. Who asks gets what the last one found, and waits for nothing."""

_LOG = logging.getLogger(__name__)

HUNG = 1800.0
"""Seconds after which a loop hangs that did not come round, as a function in Azure is ended after as many (host.json).

A state or a hub that answers nothing holds a loop up for minutes: each is given up after a time, and all of them wait for the
one connection.
"""


class Probes:
    """What is known of a process that serves.

    Attributes:
        state: what kept it from writing to the state at the last look, and which destinations could not be asked.
    """

    def __init__(self, drain: Drain, exposition: Exposition) -> None:
        self.exposition = exposition
        self.state = Health(["is starting"], {})
        self._drain = drain
        self._service: Service | None = None
        self._consumers: Sequence[Consumer] = ()
        self._since = 0.0

    def watch(self, service: Service, consumers: Sequence[Consumer]) -> None:
        """From now on, look at what serves: its loops begin."""
        self._service, self._consumers, self._since = service, consumers, asyncio.get_running_loop().time()

    async def look(self) -> None:
        """See whether the state can be written, and which destinations cannot be asked."""
        if self._service is not None:
            self.state = await look_at_state(self._service.store, self._service.unready, PATIENCE)

    def find_troubles(self) -> list[str]:
        """Return what keeps it from working, in words: the state, a hub that did not answer when it was asked last, its end."""
        if self._drain.is_asked:
            return ["is told to end"]
        return [*self.state.problems, *(str(one.trouble) for one in self._consumers if one.trouble is not None)]

    def find_hung(self) -> list[str]:
        """Return which loops hang, in words. What has to end by itself, since the process was told to, is not looked at."""
        if self._service is None or self._drain.is_asked:
            return []
        now = asyncio.get_running_loop().time()
        looked = {f"the delivery in {stream} {lane}": one.looked for (stream, lane), one in self._service.loops.items()}
        looked |= {f"the look at hub {one.hub}": one.looked for one in self._consumers}
        looked["a sweep, or a batch of a hub,"] = self._drain.longest_since or now
        ages = {name: now - max(at, self._since) for name, at in looked.items()}
        return [f"{name} did not come to its end for {age:.0f} s" for name, age in ages.items() if age > HUNG]

    def app(self) -> Router:
        """The three paths; others are 404, and methods beside GET and HEAD 405."""

        async def healthz(_: Request) -> Response:
            return _answer(self.find_hung())

        async def readyz(_: Request) -> Response:
            return _answer(self.find_troubles(), not_yet=list(self.state.not_yet))

        async def metrics(request: Request) -> Response:
            text, type = self.exposition.text(request.headers.get("accept", ""))
            return Response(text, headers={"content-type": type})

        return Router([Route(f"/{one.__name__}", one) for one in (healthz, readyz, metrics)], redirect_slashes=False)


def _answer(problems: Sequence[str], **more: Sequence[str]) -> Response:
    document = {"status": "failing" if problems else "ok", "problems": list(problems), **more}
    return JSONResponse(document, 503 if problems else 200, {"cache-control": "no-store"})


@asynccontextmanager
async def probes_on(address: str, rules: Rules, drain: Drain) -> AsyncIterator[Probes]:
    """Answer on an address as long as the context lasts; raises BadUsage where it is none, or is taken."""
    refuse_absent(SCRAPE_CLIENTS, "--probes", SERVE_EXTRA)
    from router.telemetry.exposition import Exposition

    with listening_on(address, *read_ip_port(address, EXAMPLE)) as listening:
        hashes = {stream.value: book.hash for stream, book in rules.books.items()}
        probes = Probes(drain, Exposition(__version__, hashes, lanes_of(rules.books.values())))
        async with served(probes.app(), listening):
            host, port, *_ = listening.getsockname()
            _LOG.info("probes and metrics are at %s, port %d, open to all who reach it", host, port)
            yield probes
