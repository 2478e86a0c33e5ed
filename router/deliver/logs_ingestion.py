"""Rows to the Logs Ingestion API, through Microsoft's own client over the one that sends everything else.

So no redirect is followed, no proxy variable obeyed, and an answer is read as far as any other. The client's retries are
switched off, since a delivery's retries are on record in the outbox, and its chunking never comes to work, since a LogRows
is smaller than one call may be.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from router.domain.conversation import CROWDED, HttpAnswer, LogRows, retry_after_in
from router.domain.errors import DeliveryError, Rejected, Unauthorized, Unavailable
from router.domain.urls import is_example, never_asked

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.core.exceptions import HttpResponseError
    from azure.monitor.ingestion.aio import LogsIngestionClient

    from router.deliver.http import Http

TIMEOUT = 60.0
"""Seconds for one call and the token that it needs."""

_LATER = frozenset({408, 425, 429})

# What fails is on record in the outbox; the client would say it once more, on stderr where no log is set up.
logging.getLogger("azure").setLevel(logging.CRITICAL + 1)


class Logs:
    """Uploads rows; clients and credentials are made when an endpoint is first written to. `clock` tells the time."""

    def __init__(
        self, http: Http, credential_for: Callable[[str], AsyncTokenCredential], clock: Callable[[], datetime]
    ) -> None:
        self._http = http
        self._credential_for = credential_for
        self._clock = clock
        self._clients: dict[str, LogsIngestionClient] = {}
        self._credentials: list[AsyncTokenCredential] = []

    async def upload(self, ask: LogRows) -> None:
        """Uploads rows in one call; raises the DeliveryError that its failure means."""
        from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

        host = urlsplit(ask.endpoint).hostname or ""
        if is_example(host):
            # The client below would first ask for a token.
            raise Unavailable(never_asked(host))
        try:
            async with asyncio.timeout(TIMEOUT):
                # Rules name an endpoint by https, or on this machine.
                await self._client(ask.endpoint).upload(
                    ask.rule, ask.stream, [dict(row) for row in ask.rows], enforce_https=False
                )
        except TimeoutError as fault:
            raise Unavailable(f"logs endpoint: no answer within {TIMEOUT:.0f} s") from fault
        except HttpResponseError as fault:
            if fault.status_code is not None:
                raise error_for(_answer_of(fault), self._clock()) from fault
            refused = Unauthorized if isinstance(fault, ClientAuthenticationError) else Unavailable
            raise refused(f"logs endpoint: no token for it ({type(fault).__name__})") from fault
        except ValueError as fault:
            if isinstance(fault.__cause__, HttpResponseError):
                # The client had the endpoint's refusal in hand, and could not read what that claims.
                raise Unauthorized(
                    "logs endpoint: refuses our credentials (401) with claims that cannot be read"
                ) from fault
            # No answer, so no refusal: a library's mistake or ours may be mended while the rows are owed.
            raise Unavailable(f"logs endpoint: not asked ({type(fault).__name__})") from fault
        except AzureError as fault:
            raise Unavailable(f"logs endpoint: no token for it ({type(fault).__name__})") from fault

    def _client(self, endpoint: str) -> LogsIngestionClient:
        from azure.monitor.ingestion.aio import LogsIngestionClient

        from router.deliver.azure_transport import AzureTransport

        if endpoint not in self._clients:
            credential = self._credential_for(endpoint)
            self._credentials.append(credential)
            self._clients[endpoint] = LogsIngestionClient(
                endpoint, credential, transport=AzureTransport(self._http), retry_total=0, permit_redirects=False
            )
        return self._clients[endpoint]

    async def close(self) -> None:
        """Closes every client and credential."""
        for client in self._clients.values():
            await client.close()
        for credential in self._credentials:
            await credential.close()


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


def _answer_of(fault: HttpResponseError) -> HttpAnswer:
    headers: Mapping[str, str] = getattr(fault.response, "headers", {})
    return HttpAnswer(
        status=fault.status_code or 0, headers={name.lower(): headers[name] for name in headers}, body=b""
    )
