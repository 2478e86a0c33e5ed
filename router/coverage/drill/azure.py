"""Everything that a drill asks over the network: Defender, a cluster, and the dead man's switch that hears of its end.

https://learn.microsoft.com/rest/api/defenderforcloud/alerts/simulate
https://learn.microsoft.com/rest/api/defenderforcloud/alerts/list-subscription-level-by-region
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from urllib.parse import quote, urlsplit

from router.app.certificates import trust_for
from router.app.settings import HEARTBEAT, Settings
from router.coverage.asking.azure_api import azure_over
from router.coverage.asking.kubeconfig import Kubeconfig, NamedContext
from router.coverage.asking.kubectl import NotAnswered, kubectl_for
from router.coverage.asking.retries import PatientSender, Send, TimeLimit
from router.coverage.drill.subjects import NAMESPACE
from router.coverage.drill.verdict import ListedAlert, NotDone
from router.coverage.fields import find, find_text, objects_at
from router.coverage.stored import DRILL, KEY
from router.deliver.http import Http
from router.domain.catalogue import is_sample
from router.domain.conversation import HttpAnswer, HttpRequest
from router.domain.errors import BadFile, BadSetting, Unavailable
from router.domain.readable import one_line

MOST_PAGES = 200
"""Pages of a list that are read."""

_ASKED_WITHIN = 90.0
"""Seconds for one question with its repetitions, and for the one read of a cluster."""

_AT_ONCE = 4
"""Alerts that are dismissed at a time: Azure answers 429 to many."""

_AFTER = timedelta(minutes=10)
"""The time that a drill may take beside the time in which it follows its alerts."""

_LONGEST = 300
"""Characters of Azure's own words that are repeated."""

_ALERTS, _LOCATIONS = "api-version=2022-01-01", "api-version=2015-06-01-preview"
_JSON = {"content-type": "application/json"}
_LIST = "Defender's list of alerts"


class Defender:
    """Defender for Cloud in one subscription; `send` sends one signed request to Resource Manager at `base`, once."""

    def __init__(self, base: str, subscription: str, send: Send) -> None:
        self._base = base
        self._security = f"{base}/subscriptions/{quote(subscription, safe='')}/providers/Microsoft.Security"
        self._send = send
        self._alerts = ""

    async def list_alerts(self) -> tuple[ListedAlert, ...]:
        """Return all alerts that Defender lists now; raises NotDone."""
        if not self._alerts:
            self._alerts = await self._find_location()
        alerts, url = list[ListedAlert](), f"{self._alerts}?{_ALERTS}"
        for _ in range(MOST_PAGES):
            page = await self._read(url, _LIST)
            alerts += alerts_in(page)
            url = find_text(page, "nextLink") or ""
            if not url:
                return tuple(alerts)
            if not url.lower().startswith(f"{self._base.lower()}/"):
                raise NotDone(f"{_LIST}: goes on at another host, which is not asked")
        raise NotDone(f"{_LIST}: has more than {MOST_PAGES} pages")

    async def raise_samples(self, bundle: str) -> None:
        """Order the sample alerts of one bundle, once: an order whose answer was lost may have been taken. Raises NotDone."""
        body = json.dumps({"properties": {"kind": "Bundles", "bundles": [bundle]}}).encode()
        url = f"{self._alerts}/default/simulate?{_ALERTS}"
        await _ask(self._send, HttpRequest(method="POST", url=url, headers=_JSON, body=body), "simulate")

    async def dismiss(self, alerts: Sequence[ListedAlert]) -> list[str]:
        """Dismiss alerts; return why some were not."""
        free = asyncio.Semaphore(_AT_ONCE)

        async def dismiss_one(alert: ListedAlert) -> str | None:
            own, why = f"{self._base}{quote(alert.path.rpartition('/')[0], safe='/')}", None
            async with free:
                # Samples are listed in a resource group that is not there, so the subscription's own path is the second.
                for alerts in (own, self._alerts):
                    url = f"{alerts}/{quote(alert.name, safe='')}/dismiss?{_ALERTS}"
                    try:
                        await self._ask_patiently(HttpRequest(method="POST", url=url), f"dismiss {alert.name}")
                        return None
                    except NotDone as fault:
                        why = fault.why
                        if fault.status != 404:
                            break
            return why

        return [why for why in await asyncio.gather(*map(dismiss_one, alerts)) if why is not None]

    async def _find_location(self) -> str:
        """Return the address of the alerts where Defender keeps the subscription's data, not where its resources are."""
        what = "where Defender keeps the subscription's data"
        found = objects_at(await self._read(f"{self._security}/locations?{_LOCATIONS}", what), "value")
        if not (name := find_text(found[0], "name") if found else None):
            raise NotDone(f"{what}: Defender keeps nothing of this subscription yet; is a plan on?")
        return f"{self._security}/locations/{quote(name, safe='')}/alerts"

    async def _read(self, url: str, what: str) -> Mapping[str, object]:
        body = _json_in(await self._ask_patiently(HttpRequest(method="GET", url=url), what))
        if not isinstance(body, Mapping):
            raise NotDone(f"{what}: the answer is no object of JSON")
        return body

    async def _ask_patiently(self, request: HttpRequest, what: str) -> HttpAnswer:
        """Ask what may be asked again."""
        return await _ask(PatientSender(self._send, TimeLimit(_ASKED_WITHIN)).send, request, what)


def alerts_in(page: Mapping[str, object]) -> Iterator[ListedAlert]:
    """Yield the alerts on a page of Defender's list; anything else is left out."""
    for body in objects_at(page, "value"):
        if not isinstance(properties := find(body, "properties"), Mapping):
            continue
        names = ("alertDisplayName", "productComponentName", "alertType", "status")
        title, component, type, status = (find_text(properties, name) or "" for name in names)
        name, path = find_text(properties, "systemAlertId") or find_text(body, "name"), find_text(body, "id") or ""
        ids = [find_text(one, "azureResourceId") or "" for one in objects_at(properties, "resourceIdentifiers")]
        if name and path.startswith("/"):
            is_over = status.lower() in ("dismissed", "resolved")
            yield ListedAlert(name, path, title, component, type, is_sample(type, title, ids), is_over)


async def _ask(send: Send, request: HttpRequest, what: str) -> HttpAnswer:
    try:
        answer = await send(request)
    except Unavailable as fault:
        raise NotDone(f"{what}: {fault}") from fault
    if 200 <= answer.status < 300:
        return answer
    body = _json_in(answer)
    parts = (find_text(body, "error", name) for name in ("code", "message"))
    words = one_line(": ".join(filter(None, parts)))[:_LONGEST]
    why = f"{what}: Azure answered {answer.status}{f' ({words})' if words else ''}"
    if answer.status in (401, 403):
        why += (
            "; the drill needs a role in that subscription that may raise, read and dismiss alerts, such as Contributor or "
            "Security Admin"
        )
    raise NotDone(why, answer.status)


def _json_in(answer: HttpAnswer) -> object:
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None


@asynccontextmanager
async def defender_over(settings: Settings, subscription: str, within: timedelta) -> AsyncIterator[Defender]:
    """Open Defender for a drill of that length; raises BadUsage if no identity is signed in."""
    limit = TimeLimit((within + _AFTER).total_seconds())
    async with azure_over(settings, limit, attempts=1, asker="drill") as (cloud, send):
        yield Defender(cloud.resource_manager, subscription, send)


async def read_cluster(named: NamedContext, kubeconfig: Kubeconfig, settings: Settings) -> None:
    """Ask a cluster for the pods that raise its test alert, and for nothing else; raises NotDone."""
    try:
        access = kubeconfig.access_for(named.context, settings)
        async with kubectl_for(named.context, access, settings, TimeLimit(_ASKED_WITHIN)) as kubectl:
            await kubectl.get("--raw", f"/api/v1/namespaces/{NAMESPACE}/pods?limit=1")
    except BadFile as fault:
        raise NotDone(str(fault)) from fault
    except NotAnswered as fault:
        # Without its status: that a cluster is busy says nothing of another order.
        needs = "; the drill needs the right to list pods in all namespaces" if fault.status is not None else ""
        raise NotDone(f"context {named.context}: {fault}{needs}") from fault


def heartbeat_in(settings: Settings) -> str:
    """Return the address of the dead man's switch; raises BadSetting if there is none."""
    if settings.heartbeat is None:
        raise BadSetting(
            f"{HEARTBEAT}: is not set; --heartbeat calls the address that it holds once the drill has passed"
        )
    return settings.heartbeat


async def call_heartbeat(settings: Settings, url: str, ended: datetime) -> str | None:
    """Tell a dead man's switch that a drill has passed; return why it was not taken, with the host and no more of the address.

    As https://healthchecks.io/docs/http_api/ and https://deadmanssnitch.com/docs take it.
    """
    body = json.dumps({KEY: DRILL, "verdict": "passed", "ended": ended.isoformat()}).encode()
    request, host = HttpRequest(method="POST", url=url, headers=_JSON, body=body), urlsplit(url).hostname
    async with Http(trust_for(settings), settings.proxy) as http:
        # It may be called twice: that says the same again.
        try:
            answer = await PatientSender(http.send, TimeLimit(60.0), attempts=3).send(request)
        except Unavailable as fault:
            return f"{host}: {fault}"
    if not 200 <= answer.status < 300:
        return f"{host}: answered {answer.status}"
    # healthchecks.io says so with 200.
    return f"{host}: does not know the address" if b"not found" in answer.body.lower() else None
