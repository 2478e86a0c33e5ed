"""The API of the double: orders, the list of alerts, and their dismissal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any, ClassVar

from aiohttp import web

from alert_router_demo.soc.endpoint import Endpoint, RefusedRequest, json_answer, served
from tests.stack.defender.samples import LOCATION, Sample, samples_of_bundle
from tests.stack.event_hubs.threads import in_thread

type Publish = Callable[[bytes], object]
"""Publishes a message to the hub that export leads to."""

_SECURITY = "/subscriptions/{subscription}/providers/Microsoft.Security"
_GROUP = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Security"
_ALERTS = "/locations/{location}/alerts"

ACTIVE, DISMISSED = "Active", "Dismissed"


class DefenderDouble(Endpoint):
    """Defender for Cloud.

    Attributes:
        url: its address.
        exports: whether samples reach the hub.
        says_dismissed: whether a dismissal is exported, too, which nobody knows of the real one.
        lag: seconds from an order to its export.
        page: alerts on a page of the list.
        is_busy: whether it answers 409 to an order, whose samples come all the same: they are another's.
        fails: whether an order that it took comes to nothing.
        refuses_list: whether it answers 403 to who wants the list.
        garbled: whether what is exported is cut in the middle.
        refuses_dismissal: the type of alerts of which it answers 403 to who wants to dismiss one; None for none.
        late_type: the type of samples that are exported never; None for none.
        asked: called with the name of each question, in the double's own thread, before it is answered.
        raised: the samples that were raised, with their states.
        dismissed: the ids of those that were dismissed, in that order.
    """

    name: ClassVar[str] = "defender"
    holds: ClassVar[str] = "alerts"

    def __init__(self, publish: Publish) -> None:
        super().__init__()
        self.url = ""
        self.raised: dict[str, tuple[Sample, str]] = {}
        self.dismissed: list[str] = []
        self._publish = publish
        self._exporting: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop
        self.behave()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[DefenderDouble]:
        """Serves in this event loop."""
        self._loop = asyncio.get_running_loop()
        async with served(self.application()) as self.url:
            yield self

    def behave(self) -> None:
        """Puts everything back to what it does by itself; what was raised stays."""
        self.exports, self.says_dismissed, self.garbled = True, False, False
        self.lag, self.page = 0.05, 3
        self.refuses_list, self.fails, self.is_busy = False, False, False
        self.refuses_dismissal: str | None = None
        self.late_type: str | None = None
        self.asked: Callable[[str], None] = lambda question: None
        self.faults.clear()

    def end_exports(self) -> None:
        """Exports nothing more of what was raised before; from any thread but its own."""
        asyncio.run_coroutine_threadsafe(self._end_exports(), self._loop).result()

    async def _end_exports(self) -> None:
        exporting = [*self._exporting]
        for task in exporting:
            task.cancel()
        await asyncio.gather(*exporting, return_exceptions=True)

    def count(self) -> int:
        """How many samples were raised."""
        return len(self.raised)

    def routes(self) -> Iterable[web.RouteDef]:
        """What a drill asks."""
        yield web.get(f"{_SECURITY}/locations", self._locate)
        yield web.post(f"{_SECURITY}{_ALERTS}/default/simulate", self._simulate)
        yield web.get(f"{_SECURITY}{_ALERTS}", self._list)
        yield web.post(f"{_GROUP}{_ALERTS}/{{name}}/dismiss", self._dismiss)

    def error_body(self, status: int, message: str) -> Any:
        """An error as Azure Resource Manager writes it."""
        codes = {403: "AuthorizationFailed", 404: "ResourceNotFound", 409: "Conflict", 429: "TooManyRequests"}
        return {"error": {"code": codes.get(status, "InternalServerError"), "message": message}}

    async def _locate(self, request: web.Request) -> web.StreamResponse:
        self.asked("locate")
        id = f"{request.path}/{LOCATION}"
        location = {"id": id, "name": LOCATION, "type": "Microsoft.Security/locations", "properties": {}}
        return json_answer({"value": [location]})

    async def _simulate(self, request: web.Request) -> web.StreamResponse:
        self.asked("simulate")
        properties = (await request.json()).get("properties", {})
        if properties.get("kind") != "Bundles" or not properties.get("bundles"):
            raise RefusedRequest(400, self.error_body(400, "properties.bundles is missing"))
        for bundle in properties["bundles"] if not self.fails else ():
            self._raise(bundle, request.match_info["subscription"])
        if self.is_busy:
            raise RefusedRequest(409, self.error_body(409, "a simulation is under way"))
        return web.Response(status=202)

    def raise_samples(self, bundle: str, subscription: str) -> None:
        """Raises samples as somebody does who orders them in the portal; from any thread."""
        self._loop.call_soon_threadsafe(self._raise, bundle, subscription)

    def _raise(self, bundle: str, subscription: str) -> None:
        for sample in samples_of_bundle(bundle, subscription, datetime.now(UTC)):
            self.raised[sample.id] = sample, ACTIVE
            if sample.type != self.late_type:
                self._export(sample.exported())

    async def _list(self, request: web.Request) -> web.StreamResponse:
        self.asked("list")
        if self.refuses_list:
            raise RefusedRequest(403, self.error_body(403, "alerts/read is not allowed"))
        start = int(request.query.get("$skiptoken", "0"))
        listed = [sample.listed(status) for sample, status in self.raised.values()]
        answer: dict[str, object] = {"value": listed[start : start + self.page]}
        if start + self.page < len(listed):
            answer["nextLink"] = f"{self.url}{request.path}?api-version=2022-01-01&$skiptoken={start + self.page}"
        return json_answer(answer)

    async def _dismiss(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        self.asked("dismiss")
        if name in self.raised and self.raised[name][0].type == self.refuses_dismissal:
            raise RefusedRequest(403, self.error_body(403, "alerts/dismiss is not allowed"))
        if name not in self.raised:
            raise RefusedRequest(404, self.error_body(404, "no such alert"))
        sample, _ = self.raised[name]
        self.raised[name] = sample, DISMISSED
        self.dismissed.append(name)
        if self.says_dismissed:
            self._export(sample.exported(DISMISSED))
        return web.Response(status=204)

    def _export(self, body: bytes) -> None:
        if self.exports:
            task = asyncio.get_running_loop().create_task(self._export_later(body[:-40] if self.garbled else body))
            self._exporting.add(task)
            task.add_done_callback(self._exporting.discard)

    async def _export_later(self, body: bytes) -> None:
        await asyncio.sleep(self.lag)
        self._publish(body)


@contextmanager
def defender_in_thread(publish: Publish) -> Iterator[DefenderDouble]:
    """Serves a double from a thread of its own."""
    with in_thread(DefenderDouble(publish).running(), "defender") as double:
        yield double
