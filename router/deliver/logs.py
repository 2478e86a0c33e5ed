"""Rows to the Logs Ingestion API, through Microsoft's own client.

The client's retries are switched off, since a delivery's retries are on record in the outbox, and its chunking never
comes to work, since a LogRows is smaller than one call may be.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from router.domain.asks import LogRows
from router.domain.errors import DeliveryError, Rejected, Unauthorized, Unavailable

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.monitor.ingestion.aio import LogsIngestionClient

TIMEOUT = 60.0
"""Seconds for one call."""

# What fails is on record in the outbox; the client would say it once more, on stderr where nobody set up logging.
logging.getLogger("azure").setLevel(logging.CRITICAL)


class Logs:
    """Uploads rows; clients and credentials are made when an endpoint is first written to."""

    def __init__(self, credential_for: Callable[[str], AsyncTokenCredential], ca_file: str | None) -> None:
        self._credential_for = credential_for
        self._ca_file = ca_file
        self._clients: dict[str, LogsIngestionClient] = {}
        self._credentials: list[AsyncTokenCredential] = []

    async def upload(self, ask: LogRows) -> None:
        """Uploads rows in one call; raises the DeliveryError that its failure means."""
        from azure.core.exceptions import AzureError

        try:
            async with asyncio.timeout(TIMEOUT):
                await self._client(ask.endpoint).upload(ask.rule, ask.stream, [dict(row) for row in ask.rows])
        except TimeoutError as fault:
            raise Unavailable(f"logs endpoint: no answer within {TIMEOUT:.0f} s") from fault
        except AzureError as fault:
            raise error_for(fault) from fault

    def _client(self, endpoint: str) -> LogsIngestionClient:
        from azure.monitor.ingestion.aio import LogsIngestionClient

        if endpoint not in self._clients:
            credential = self._credential_for(endpoint)
            trust: dict[str, Any] = {"connection_verify": self._ca_file} if self._ca_file else {}
            self._credentials.append(credential)
            self._clients[endpoint] = LogsIngestionClient(endpoint, credential, retry_total=0, **trust)
        return self._clients[endpoint]

    async def close(self) -> None:
        """Closes every client and credential."""
        for client in self._clients.values():
            await client.close()
        for credential in self._credentials:
            await credential.close()


def error_for(fault: Exception) -> DeliveryError:
    """What a fault of the client means for the delivery; the text holds a status or a type, never a URL."""
    from azure.core.exceptions import ClientAuthenticationError

    status = getattr(fault, "status_code", None)
    headers = getattr(getattr(fault, "response", None), "headers", None) or {}
    if status in (401, 403) or (status is None and isinstance(fault, ClientAuthenticationError)):
        return Unauthorized(f"logs endpoint: refuses our credentials ({status or type(fault).__name__})")
    if status is None or status in (408, 425, 429) or status >= 500:
        return Unavailable(f"logs endpoint: {status or type(fault).__name__}", retry_after=_seconds(headers))
    return Rejected(f"logs endpoint: answered {status}", status=status)


def _seconds(headers: Any) -> float | None:
    value = headers.get("Retry-After") or ""
    return float(value) if value.isdecimal() and len(value) < 10 else None
