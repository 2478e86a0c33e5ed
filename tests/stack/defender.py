"""Defender for Cloud on loopback, as far as a drill asks it: `with defender_in_thread(publish) as defender:`.

It takes the order to raise the sample alerts of a bundle, lists alerts and dismisses them, as Azure Resource Manager does; a
moment later it gives each sample to `publish`, as continuous export publishes it to a hub. `defender.faults` orders trouble.

Not the service's: any token is believed, and nothing is throttled unless a test says so.
https://learn.microsoft.com/rest/api/defenderforcloud/alerts
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

from aiohttp import web

from alert_router_demo.soc.endpoint import Endpoint, RefusedRequest, json_answer, served
from tests.stack.event_hubs.threads import in_thread

GROUP, LOCATION = "Sample-RG", "centralus"
EXPORTED = Path(__file__).parents[2] / "alert_router_demo" / "samples" / "cwpp.ndjson"

_NUMBERS = count(1)
_TICKS_AT_THE_END = 3_155_378_975_999_999_999

_KINDS: Mapping[str, tuple[str, Sequence[tuple[str, str, str]]]] = {
    "VirtualMachines": (
        "Microsoft.Compute/virtualMachines/Sample-VM",
        [
            ("SIMULATED_VM_DigitalCurrencyMining", "Digital currency mining related behavior detected", "High"),
            ("SIMULATED_VM_SuspiciousLogin", "Suspicious sign-in to a virtual machine", "Medium"),
        ],
    ),
    "KeyVaults": (
        "Microsoft.KeyVault/vaults/Sample-KV",
        [("KV_OperationVolumeAnomaly", "High volume of operations in a key vault", "Medium")],
    ),
}
"""By bundle: the type and the name of the resource, and type, title and severity of each alert."""


@cache
def _recorded() -> str:
    """A sample as it was exported: the demo has one, made after a recording."""
    return next(line for line in EXPORTED.read_text().splitlines() if '"AlertType":"SIMULATED_' in line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A sample alert: its id, the subscription that it was ordered in, a resource that nobody has, and what it says."""

    id: str
    subscription: str
    resource: str
    component: str
    type: str
    title: str
    severity: str
    at: datetime

    def exported(self, status: str = "New") -> bytes:
        """The sample as continuous export publishes it."""
        recorded = _recorded()
        body = json.loads(recorded.replace(json.loads(recorded)["AzureResourceId"], self.resource))
        at = f"{self.at:%Y-%m-%dT%H:%M:%S.%fZ}"
        body |= dict.fromkeys(("StartTimeUtc", "EndTimeUtc", "TimeGenerated", "ProcessingEndTime"), at)
        own = {
            "AlertType": self.type,
            "AlertDisplayName": self.title,
            "Severity": self.severity,
            "SystemAlertId": self.id,
        }
        own |= {"ProductComponentName": self.component, "CompromisedEntity": self.resource.rpartition("/")[2]}
        return json.dumps(body | own | {"Status": status}).encode()

    def listed(self, status: str) -> dict[str, object]:
        """The sample as the API has it, as far as a drill looks at it."""
        group = f"/subscriptions/{self.subscription}/resourceGroups/{GROUP}"
        properties = {
            "alertType": self.type,
            "systemAlertId": self.id,
            "productComponentName": self.component,
            "alertDisplayName": self.title,
            "severity": self.severity,
            "resourceIdentifiers": [{"azureResourceId": self.resource, "type": "AzureResource"}],
            "status": status,
        }
        return {
            "id": f"{group}/providers/Microsoft.Security/locations/{LOCATION}/alerts/{self.id}",
            "name": self.id,
            "type": "Microsoft.Security/Locations/alerts",
            "properties": properties,
        }


def samples_of_bundle(bundle: str, subscription: str, at: datetime) -> list[Sample]:
    """The samples of a bundle; of one that the double does not know, none."""
    place, kinds = _KINDS.get(bundle, ("", ()))
    resource = f"/SUBSCRIPTIONS/{subscription}/RESOURCEGROUPS/{GROUP}/providers/{place}"
    given = {"subscription": subscription, "resource": resource, "component": bundle}
    return [
        Sample(id=_new_id(at), type=type, title=f"[SAMPLE ALERT] {title}", severity=severity, at=at, **given)
        for type, title, severity in kinds
    ]


def _new_id(at: datetime) -> str:
    """An id as Defender makes them: how far it is to the end of .NET's time, and a GUID."""
    ticks = int(at.timestamp() * 10_000_000) + 621_355_968_000_000_000
    return f"{_TICKS_AT_THE_END - ticks}_{UUID(int=next(_NUMBERS))}"


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
        exports, says_dismissed: whether samples reach the hub, and dismissals do, which nobody knows of the real one.
        garbled: whether what is exported is cut in the middle.
        lag: seconds from an order to its export.
        page: alerts on a page of the list.
        is_busy: whether it answers 409 to an order, whose samples come all the same: they are another's.
        fails: whether an order that it took comes to nothing.
        refuses_list, refuses_dismissal: whether it answers 403 to who wants the list; of which type of alerts to dismiss one.
        late_type: the type of samples that are exported never; None for none.
        asked: called with the name of each question, in the double's own thread, before it is answered.
        raised, dismissed: the samples that were raised, with their states, and the ids of those that were dismissed, in order.
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
