"""Has Defender raise, list and dismiss sample alerts, signed in as the person or workflow that runs the drill."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from router.app.asking import run_asking
from router.app.azure_api import azure_over
from router.app.kubernetes_connection import ClusterConnection
from router.app.patience import PatientSender, Send, TimeLimit
from router.app.settings import Settings
from router.coverage.live.contexts import NamedContext
from router.coverage.live.kubeconfig import Kubeconfig
from router.domain.conversation import Asking, HttpRequest
from router.domain.errors import BadFile, Unavailable
from router.drill.simulation import ListedAlert, NotDone, dismiss, find_location, list_alerts, raise_samples
from router.drill.subjects import NAMESPACE

_ASKED_WITHIN = 90.0
"""Seconds for one question with its repetitions, and for the one read of a cluster."""

_AT_ONCE = 4
"""Alerts that are dismissed at a time: Azure answers 429 to many."""

_AFTER = timedelta(minutes=10)
"""The time that a drill may take beside the time in which it follows its alerts."""


class Defender:
    """Defender for Cloud in one subscription; `send` sends one signed request to Resource Manager at `base`, once."""

    def __init__(self, base: str, subscription: str, send: Send) -> None:
        self._base = base
        self._subscription = subscription
        self._send = send
        self._location = ""

    async def list_alerts(self) -> tuple[ListedAlert, ...] | NotDone:
        """Return all alerts that Defender lists now."""
        if not self._location:
            found = await self._read(find_location(self._base, self._subscription))
            if isinstance(found, NotDone):
                return found
            self._location = found
        return await self._read(list_alerts(self._base, self._subscription, self._location))

    async def raise_samples(self, bundle: str) -> NotDone | None:
        """Order sample alerts, once: an order whose answer was lost may have been taken."""
        return await run_asking(raise_samples(self._base, self._subscription, self._location, bundle), self._send)

    async def dismiss(self, alerts: Sequence[ListedAlert]) -> list[NotDone]:
        """Dismiss alerts; return why some were not."""
        free = asyncio.Semaphore(_AT_ONCE)

        async def dismiss_one(alert: ListedAlert) -> NotDone | None:
            async with free:
                return await self._read(dismiss(self._base, self._subscription, self._location, alert))

        return [one for one in await asyncio.gather(*map(dismiss_one, alerts)) if one is not None]

    async def _read[T](self, asking: Asking[T]) -> T:
        """Run a question that may be repeated."""
        return await run_asking(asking, PatientSender(self._send, TimeLimit(_ASKED_WITHIN)).send)


@asynccontextmanager
async def defender_over(settings: Settings, subscription: str, within: timedelta) -> AsyncIterator[Defender]:
    """Open Defender for a drill of that length; raises BadUsage if no identity is signed in."""
    limit = TimeLimit((within + _AFTER).total_seconds())
    async with azure_over(settings, limit, attempts=1, asker="drill") as (cloud, send):
        yield Defender(cloud.resource_manager, subscription, send)


async def read_cluster(named: NamedContext, kubeconfig: Kubeconfig, settings: Settings) -> str | None:
    """Ask a cluster for the pods that raise its test alert, and for nothing else; return why it did not answer."""
    where, limit = f"context {named.context}", TimeLimit(_ASKED_WITHIN)
    try:
        access = kubeconfig.access_for(named.context)
        connection = ClusterConnection(access, settings, limit, asyncio.Lock())
        url = f"{connection.server}/api/v1/namespaces/{NAMESPACE}/pods?limit=1"
        try:
            async with asyncio.timeout(limit.left):
                await connection.open()
            answer = await connection.send(HttpRequest(method="GET", url=url))
        finally:
            await connection.close()
    except TimeoutError:
        return f"{where}: {limit.over()}"
    except BadFile as fault:
        return str(fault)
    except Unavailable as fault:
        return f"{where}: {fault}"
    if answer.status == 200:
        return None
    return f"{where}: the API server answered {answer.status}; the drill needs the right to list pods in all namespaces"
