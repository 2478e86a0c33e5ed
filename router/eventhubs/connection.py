"""One Event Hubs namespace: its clients, and their faults as HubError."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from router.domain.errors import BadFile, HubError
from router.domain.hubs import Partition, Span

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.eventhub.aio import EventHubConsumerClient, EventHubProducerClient

PATIENCE: Mapping[str, Any] = {"retry_total": 2, "retry_backoff_factor": 0.25, "auth_timeout": 15}
"""How long the clients try by themselves, in seconds; then the fault is a HubError, and the caller tries again later."""

ANSWER = 25.0
"""Seconds for one answer of the hub. Much of what the client waits for it would wait for without an end."""

IDLE = 60.0
"""Seconds without a frame after which a connection is given up: the client does not see that its peer has hung up."""

# A fault becomes a HubError; the clients would say it once more, with whole URLs.
logging.getLogger("azure").setLevel(logging.CRITICAL + 1)


class Namespace:
    """Where a namespace is: by its connection string (only for a local stack), or by its name and an identity.

    `identity` makes the credential when the first client is asked for: importing what that takes is longer than a batch takes.
    `ca_file` holds certificate authorities to trust beside the system's. Raises ValueError for a malformed connection string or
    where there is neither, and BadFile for a `ca_file` that holds none.
    """

    def __init__(
        self,
        *,
        connection_string: str | None = None,
        fully_qualified_namespace: str | None = None,
        identity: Callable[[], AsyncTokenCredential] | None = None,
        ca_file: str | None = None,
    ) -> None:
        trust = None
        if ca_file is not None:
            trust = ssl.create_default_context()
            try:
                trust.load_verify_locations(ca_file)
            except OSError as fault:  # ssl's own errors are such, too
                raise BadFile(f"{ca_file}: is no readable file of certificates") from fault
        if connection_string is not None:
            from azure.eventhub import parse_connection_string

            parse_connection_string(connection_string)
        elif fully_qualified_namespace is None or identity is None:
            raise ValueError("a namespace needs a connection string, or its name and an identity")
        self._connection_string = connection_string
        self._name, self._identity, self._trust = fully_qualified_namespace, identity, trust
        self._credential: AsyncTokenCredential | None = None

    def consumer(
        self, hub: str, group: str, kind: type[EventHubConsumerClient] | None = None, **more: Any
    ) -> EventHubConsumerClient:
        """A client, of a `kind` if one is given, that reads a hub through a consumer group.

        Raises HubError where no credential can be made.
        """
        from azure.eventhub.aio import EventHubConsumerClient

        more |= {"eventhub_name": hub, "consumer_group": group, "idle_timeout": IDLE}
        client: EventHubConsumerClient = self._made(kind or EventHubConsumerClient, **more)
        return client

    def producer(self, hub: str) -> EventHubProducerClient:
        """A client that writes to a hub; raises HubError as `consumer` does."""
        from azure.eventhub.aio import EventHubProducerClient

        client: EventHubProducerClient = self._made(EventHubProducerClient, eventhub_name=hub)
        return client

    async def close(self) -> None:
        """Closes the credential; each client is closed by who asked for it."""
        if self._credential is not None:
            await self._credential.close()

    def _made(self, kind: Any, **options: Any) -> Any:
        options |= PATIENCE
        if self._connection_string is not None:
            return kind.from_connection_string(self._connection_string, **options)
        if self._credential is None and self._identity is not None:
            try:
                self._credential = self._identity()
            except ValueError as fault:
                hub = options["eventhub_name"]
                raise HubError(f"hub {hub}: no credential can be made of what the environment says") from fault
        return kind(self._name, credential=self._credential, ssl_context=self._trust, **options)


@asynccontextmanager
async def reaching(hub: str, partition: str | None = None, seconds: float = ANSWER) -> AsyncIterator[None]:
    """A context of at most so many seconds, in which a fault of a hub's client is a HubError without a URL."""
    from azure.core.exceptions import AzureError
    from azure.eventhub.exceptions import EventHubError

    try:
        async with asyncio.timeout(seconds):
            yield
    except (EventHubError, AzureError, OSError) as fault:  # TimeoutError is an OSError
        raise hub_error(fault, hub, partition) from fault


def hub_error(fault: Exception, hub: str, partition: str | None = None) -> HubError:
    """What a fault of a hub's client is to us; the text holds a type and what the hub calls it, never a URL."""
    where = f"hub {hub}" if partition is None else f"hub {hub}, partition {partition}"
    if isinstance(fault, TimeoutError):
        return HubError(f"{where}: no answer in time")
    called = getattr(fault, "error", None) or getattr(fault, "condition", None)
    called = called.decode() if isinstance(called, bytes) else called
    return HubError(f"{where}: {type(fault).__name__}{f' ({called})' if isinstance(called, str) else ''}")


async def extent_of(client: EventHubConsumerClient, partition: Partition, patience: float = ANSWER) -> Span:
    """The first and last number that the hub holds; of an empty partition, nothing after its last. Raises HubError."""
    async with reaching(*partition, patience):
        found = await client.get_partition_properties(partition.id)
    last = found["last_enqueued_sequence_number"]
    return Span(last + 1 if found["is_empty"] else found["beginning_sequence_number"], last)
