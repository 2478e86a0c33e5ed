"""Rows to the Logs Ingestion API: one call for each LogRows, which is smaller than a call may be.

https://learn.microsoft.com/azure/azure-monitor/logs/logs-ingestion-api-overview#rest-api-call
"""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from router.domain.asks import HttpAnswer, HttpRequest, LogRows, retry_after_in
from router.domain.errors import DeliveryError, Rejected, Unauthorized, Unavailable

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken
    from azure.core.credentials_async import AsyncTokenCredential

    from router.deliver.http import Http

TIMEOUT = 60.0
"""Seconds for one call and the token that it needs."""

EARLY = 300.0
"""Seconds before its end from which on a token is not used any more."""

SCOPE = "https://monitor.azure.com//.default"
"""What a token is for; the second slash belongs there."""

_VERSION = "2023-01-01"
_TAKEN = 204
_LATER = frozenset({408, 425, 429})


class Logs:
    """Uploads rows. Who we are at an endpoint is asked when it is first written to; `clock` tells the time."""

    def __init__(
        self, http: Http, credential_for: Callable[[str], AsyncTokenCredential], clock: Callable[[], datetime]
    ) -> None:
        self._http = http
        self._credential_for = credential_for
        self._clock = clock
        self._endpoints: dict[str, _Identity] = {}

    async def upload(self, ask: LogRows) -> None:
        """Uploads rows in one call; raises the DeliveryError that its failure means."""
        if ask.endpoint not in self._endpoints:
            self._endpoints[ask.endpoint] = _Identity(self._credential_for(ask.endpoint))
        identity = self._endpoints[ask.endpoint]
        try:
            async with asyncio.timeout(TIMEOUT):
                answer = await self._http.send(_request(ask, await identity.token(self._clock())))
        except TimeoutError as fault:
            raise Unavailable(f"logs endpoint: no answer within {TIMEOUT:.0f} s") from fault
        error = error_for(answer, self._clock())
        if isinstance(error, Unauthorized):
            identity.forget()
        if error is not None:
            raise error

    async def close(self) -> None:
        """Closes every credential."""
        for identity in self._endpoints.values():
            await identity.close()


class _Identity:
    """Who we are at one endpoint; its token is kept until shortly before it expires, and one at a time asks for it."""

    def __init__(self, credential: AsyncTokenCredential) -> None:
        self._credential = credential
        self._kept: AccessToken | None = None
        self._asking = asyncio.Lock()

    async def token(self, now: datetime) -> str:
        """The token; raises Unauthorized where nobody gives us one, and Unavailable where that is not known."""
        from azure.core.exceptions import AzureError, ClientAuthenticationError

        async with self._asking:
            if self._kept is None or now.timestamp() >= self._kept.expires_on - EARLY:
                try:
                    self._kept = await self._credential.get_token(SCOPE)
                except ClientAuthenticationError as fault:
                    raise Unauthorized(f"logs endpoint: no token for it ({type(fault).__name__})") from fault
                except AzureError as fault:
                    raise Unavailable(f"logs endpoint: no token for it ({type(fault).__name__})") from fault
            return self._kept.token

    def forget(self) -> None:
        """Lets go of a token that was refused."""
        self._kept = None

    async def close(self) -> None:
        await self._credential.close()


def _request(ask: LogRows, token: str) -> HttpRequest:
    rows = json.dumps([dict(row) for row in ask.rows]).encode()
    return HttpRequest(
        method="POST",
        url=f"{ask.endpoint}/dataCollectionRules/{ask.rule}/streams/{ask.stream}?api-version={_VERSION}",
        headers={
            "authorization": f"Bearer {token}",
            "content-type": "application/json",
            "content-encoding": "gzip",
            "accept": "application/json",
        },
        body=gzip.compress(rows, mtime=0),
    )


def error_for(answer: HttpAnswer, now: datetime) -> DeliveryError | None:
    """What an answer means for the delivery, None for a success; the text holds its status, and never a URL."""
    status = answer.status
    if status == _TAKEN:
        return None
    if status in (401, 403):
        return Unauthorized(f"logs endpoint: refuses our credentials ({status})")
    if status in _LATER or status >= 500:
        return Unavailable(f"logs endpoint: answered {status}", retry_after=retry_after_in(answer, now))
    if 200 <= status < 300:
        # Whatever stands between us and Azure may answer 200 with a page for people.
        return Unavailable(f"logs endpoint: answered {status} without taking the rows")
    if 300 <= status < 400:
        return Rejected(f"logs endpoint: answered {status}; redirects are not followed, so name the final address")
    return Rejected(f"logs endpoint: answered {status}", status=status)
