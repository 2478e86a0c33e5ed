"""Has Defender raise, list and dismiss sample alerts, signed in as whoever runs the drill."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from router.app.asking import run_asking
from router.app.azure_api import azure_over
from router.app.clock import now
from router.app.drill_turn import AFTER
from router.app.patience import PatientSender, Send, TimeLimit
from router.app.settings import Settings
from router.domain.conversation import Asking, HttpAnswer, HttpRequest, date_in
from router.drill.listed import ListedAlert
from router.drill.simulation import (
    AlertList,
    NotDone,
    Simulation,
    dismiss,
    find_location,
    is_ended,
    list_alerts,
    raise_samples,
)

ASKED_WITHIN = 90.0
"""Seconds for one question, with what of it is asked again: a drill has its own time, which goes on meanwhile."""

AT_ONCE = 4
"""Alerts that are dismissed at a time: Azure answers 429 where many are."""


class Defender:
    """Defender for Cloud in one subscription.

    `send` sends one request to Azure Resource Manager at `base`, signed, and once.

    Attributes:
        ahead: by how much this machine's clock is ahead of Azure's, by the last answer; None where none said the time.
    """

    def __init__(self, base: str, subscription: str, send: Send, clock: Callable[[], datetime] = now) -> None:
        self.ahead: timedelta | None = None
        self._base = base
        self._subscription = subscription
        self._send_once = send
        self._clock = clock
        self._location: str | None = None

    async def locate(self) -> NotDone | None:
        """Finds where Defender keeps the subscription's data, which all else needs; why it could not, where it could not."""
        found = await self._read(find_location(self._base, self._subscription))
        if isinstance(found, NotDone):
            return found
        self._location = found
        return None

    async def raise_samples(self, bundle: str) -> Simulation | NotDone:
        """Orders sample alerts. It is sent once: an order whose answer was lost may have been taken."""
        if self._location is None:
            return NotDone("simulate: where Defender keeps the subscription's data is not known")
        asking = raise_samples(self._base, self._subscription, self._location, bundle)
        return await run_asking(asking, self._send)

    async def is_ended(self, poll: str) -> bool | NotDone:
        """Whether there is nothing more to ask about an order; NotDone where it failed."""
        return await run_asking(is_ended(poll), self._send)

    async def list_alerts(self) -> AlertList | NotDone:
        """The alerts that Defender lists now."""
        if self._location is None:
            return NotDone("Defender's list of alerts: where it keeps the subscription's data is not known")
        return await self._read(list_alerts(self._base, self._subscription, self._location))

    async def dismiss(self, alerts: Sequence[ListedAlert]) -> list[NotDone]:
        """Dismisses alerts, which may be repeated; what could not be."""
        location, free = self._location or "", asyncio.Semaphore(AT_ONCE)

        async def dismiss_one(alert: ListedAlert) -> NotDone | None:
            async with free:
                return await self._read(dismiss(self._base, self._subscription, location, alert))

        return [one for one in await asyncio.gather(*map(dismiss_one, alerts)) if one is not None]

    async def _send(self, request: HttpRequest) -> HttpAnswer:
        answer = await self._send_once(request)
        date = date_in(answer)
        self.ahead = self._clock() - date if date is not None else self.ahead
        return answer

    async def _read[T](self, asking: Asking[T]) -> T:
        """What comes of a question that may be asked again."""
        return await run_asking(asking, PatientSender(self._send, TimeLimit(ASKED_WITHIN)).send)


@asynccontextmanager
async def defender_over(settings: Settings, subscription: str, within: timedelta) -> AsyncIterator[Defender]:
    """Defender in a subscription, as long as the context lasts; raises BadUsage where nobody is signed in.

    `within` is how long the drill may last; there is some time for what comes before it and after.
    """
    limit = TimeLimit((within + AFTER).total_seconds())
    async with azure_over(settings, limit, attempts=1, asker="drill") as (cloud, send):
        yield Defender(cloud.resource_manager, subscription, send)
