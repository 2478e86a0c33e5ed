"""One storage account: its tables, queues and blobs, and its faults as StoreError."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from router.domain.errors import StoreError

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.data.tables.aio import TableServiceClient
    from azure.storage.blob.aio import BlobServiceClient, ContainerClient
    from azure.storage.queue.aio import QueueServiceClient

_PATIENCE: Mapping[str, Any] = {"retry_total": 3, "connection_timeout": 5, "read_timeout": 20}
"""How long the clients try by themselves, in seconds; then the fault is a StoreError, and the platform tries again later."""

_ALONE: Mapping[str, Any] = {"use_env_settings": False, "permit_redirects": False}
"""No proxy from the environment, no redirect, and no .netrc: aiohttp would look for that file anew at every request."""

_WAITS: Mapping[str, Any] = {"initial_backoff": 1, "increment_base": 1, "random_jitter_range": 1}
"""Seconds between tries at blobs and queues: about 2, as at tables. By themselves their clients wait 15 and more."""

_PIECES: Mapping[str, Any] = {"max_single_put_size": 1024 * 1024, "max_block_size": 1024 * 1024}
"""Blobs go in pieces of that many bytes: aiohttp sends a longer body in a way that holds up everybody else."""

_OPTIONS: Mapping[str, Mapping[str, Any]] = {"table": {}, "queue": _WAITS, "blob": {**_WAITS, **_PIECES}}

LONGEST = 90.0
"""Seconds that one request may take, tries and all: the clients wait as long as the service asks them to, were it an hour."""

# A fault becomes a StoreError; the clients would say it once more, with whole URLs.
logging.getLogger("azure").setLevel(logging.CRITICAL + 1)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a storage account is.

    Attributes:
        connection_string: its connection string, only for a local stack.
        endpoints: otherwise the endpoint of each service, by `table`, `queue` and `blob`.
    """

    connection_string: str | None = field(default=None, repr=False)
    endpoints: Mapping[str, str] = field(default_factory=dict)


class Account:
    """The clients of one account, made in the event loop that uses them. Raises ValueError for a malformed address.

    Attributes:
        tables: the client of its tables.
        queues: the client of its queues.
        blobs: the client of its blobs.
    """

    def __init__(self, address: Address, credential: AsyncTokenCredential | None = None) -> None:
        from azure.data.tables.aio import TableServiceClient
        from azure.storage.blob.aio import BlobServiceClient
        from azure.storage.queue.aio import QueueServiceClient

        self._held = AsyncExitStack()
        self.tables: TableServiceClient = _client(TableServiceClient, "table", address, credential)
        self.queues: QueueServiceClient = _client(QueueServiceClient, "queue", address, credential)
        self.blobs: BlobServiceClient = _client(BlobServiceClient, "blob", address, credential)
        for client in (self.tables, self.queues, self.blobs):
            self._held.push_async_callback(client.close)
        if credential is not None:
            self._held.push_async_callback(credential.close)

    async def container(self, name: str) -> ContainerClient:
        """A container, made unless it is there; raises StoreError."""
        from azure.core.exceptions import ResourceExistsError

        container = self.blobs.get_container_client(name)
        async with storing(name):
            try:
                await container.create_container()
            except ResourceExistsError:
                return container
        return container

    async def close(self) -> None:
        """Closes every client, and the credential."""
        await self._held.aclose()


def _client(kind: Any, service: str, address: Address, credential: AsyncTokenCredential | None) -> Any:
    options = {**_PATIENCE, **_ALONE, **_OPTIONS[service]}
    if address.connection_string is not None:
        return kind.from_connection_string(address.connection_string, **options)
    where = "endpoint" if service == "table" else "account_url"
    return kind(**{where: address.endpoints[service]}, credential=credential, **options)


@asynccontextmanager
async def storing(what: str) -> AsyncIterator[None]:
    """A context in which a fault of the account, or no end, is a StoreError that names what failed, without a URL."""
    from azure.core.exceptions import AzureError

    try:
        async with asyncio.timeout(LONGEST):
            yield
    except TimeoutError as fault:
        raise StoreError(f"storage, {what}: no end within {LONGEST:.0f} s") from fault
    except AzureError as fault:
        code = getattr(fault, "error_code", None) or type(fault).__name__
        status = getattr(fault, "status_code", None)
        raise StoreError(
            f"storage, {what}: {getattr(code, 'value', code)}{f' ({status})' if status else ''}"
        ) from fault
