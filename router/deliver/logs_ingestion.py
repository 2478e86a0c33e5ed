"""Rows to the Logs Ingestion API, by the client that sends everything else: one POST, with a token of Azure's.

https://learn.microsoft.com/azure/azure-monitor/logs/logs-ingestion-api-overview
"""

from __future__ import annotations

import asyncio
import json
import logging
import zlib
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from router.deliver.azure_tokens import AzureTokens
from router.domain.conversation import CROWDED, HttpAnswer, HttpRequest, LogRows, retry_after_in
from router.domain.errors import DeliveryError, Rejected, Unauthorized, Unavailable
from router.domain.hosts import is_example, never_asked

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

    from router.deliver.http import Http

TIMEOUT = 60.0
"""Seconds for one call and the token that it needs."""

_SCOPE = "https://monitor.azure.com/.default"
_VERSION = "2023-01-01"
_GZIP = zlib.MAX_WBITS | 16
_LATER = frozenset({408, 425, 429})

# What fails is on record in the outbox; Microsoft's clients would say it once more, on stderr where nobody set up logging.
logging.getLogger("azure").setLevel(logging.CRITICAL + 1)


class Logs:
    """Uploads rows; credentials are made when an endpoint is first written to. `clock` tells the time."""

    def __init__(
        self, http: Http, credential_for: Callable[[str], AsyncTokenCredential], clock: Callable[[], datetime]
    ) -> None:
        self._http = http
        self._credential_for = credential_for
        self._clock = clock
        self._tokens: dict[str, AzureTokens] = {}

    async def upload(self, ask: LogRows) -> None:
        """Uploads rows in one call; raises the DeliveryError that its failure means."""
        host = urlsplit(ask.endpoint).hostname or ""
        if is_example(host):
            # A token would be asked for first, and who gives one out is somebody.
            raise Unavailable(never_asked(host))
        if ask.endpoint not in self._tokens:
            self._tokens[ask.endpoint] = AzureTokens(self._credential_for(ask.endpoint), self._clock)
        tokens = self._tokens[ask.endpoint]
        try:
            async with asyncio.timeout(TIMEOUT):
                answer = await self._http.send(_request_for(ask, await _token_of(tokens)))
        except TimeoutError as fault:
            raise Unavailable(f"logs endpoint: no answer within {TIMEOUT:.0f} s") from fault
        except ValueError as fault:
            # No answer, so nobody refused anything: a library's mistake or ours may be mended while the rows are owed.
            raise Unavailable(f"logs endpoint: not asked ({type(fault).__name__})") from fault
        if answer.status == 401:
            tokens.forget(_SCOPE)
        if answer.status != 204:
            raise error_for(answer, self._clock())

    async def close(self) -> None:
        """Closes every credential."""
        for tokens in self._tokens.values():
            await tokens.close()


async def _token_of(tokens: AzureTokens) -> str:
    try:
        return await tokens.token_for(_SCOPE)
    except _client_error() as fault:
        from azure.core.exceptions import ClientAuthenticationError

        refused = Unauthorized if isinstance(fault, ClientAuthenticationError) else Unavailable
        raise refused(f"logs endpoint: no token for it ({type(fault).__name__})") from fault


def _client_error() -> type[Exception]:
    """What Microsoft's clients raise. Looked up when something is raised: on loopback none of them is needed."""
    from azure.core.exceptions import AzureError

    return AzureError


def _request_for(ask: LogRows, token: str) -> HttpRequest:
    return HttpRequest(
        method="POST",
        url=f"{ask.endpoint}/dataCollectionRules/{ask.rule}/streams/{ask.stream}?api-version={_VERSION}",
        headers={
            "authorization": f"Bearer {token}",
            "content-type": "application/json",
            "content-encoding": "gzip",
        },
        # In the form that a call's size was counted in.
        body=zlib.compress(json.dumps([dict(row) for row in ask.rows]).encode(), wbits=_GZIP),
    )


def error_for(answer: HttpAnswer, now: datetime) -> DeliveryError:
    """What an answer that is no success means for the delivery; the text holds its status, and never a URL."""
    status = answer.status
    if status in (401, 403):
        return Unauthorized(f"logs endpoint: refuses our credentials ({status})")
    if status in _LATER or status >= 500:
        text, wish = f"logs endpoint: answered {status}", retry_after_in(answer, now)
        return Unavailable(text, retry_after=wish, is_crowded=status in CROWDED)
    if 200 <= status < 300:
        # Whatever stands between us and Azure may answer 200 with a page for people.
        return Unavailable(f"logs endpoint: answered {status} without taking the rows")
    if 300 <= status < 400:
        return Rejected(f"logs endpoint: answered {status}; redirects are not followed, so name the final address")
    return Rejected(f"logs endpoint: answered {status}", status=status)
