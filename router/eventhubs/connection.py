"""One Event Hubs namespace: its clients, and their faults as HubError."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from router.domain.errors import HubError
from router.domain.hubs import Partition, Span
from router.domain.proxies import UNREACHED, Proxy, refusal_of
from router.domain.unreached import why_unreached

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
    `tls` says whom to trust, if not the system's authorities alone. A host behind a `proxy` is asked by AMQP over websockets.
    Raises ValueError for a malformed connection string or where there is neither.
    """

    def __init__(
        self,
        *,
        connection_string: str | None = None,
        fully_qualified_namespace: str | None = None,
        identity: Callable[[], AsyncTokenCredential] | None = None,
        tls: ssl.SSLContext | None = None,
        proxy: Proxy | None = None,
    ) -> None:
        if connection_string is not None:
            from azure.eventhub import parse_connection_string

            host = parse_connection_string(connection_string).fully_qualified_namespace
        elif fully_qualified_namespace is None or identity is None:
            raise ValueError("a namespace needs a connection string, or its name and an identity")
        else:
            host = fully_qualified_namespace
        self._ways: dict[str, Any] = {"ssl_context": tls} if tls is not None else {}
        self._where = host
        if proxy is not None and proxy.leads_to(host):
            self._where = f"{host} through the proxy {proxy.url.partition('//')[2]}"
            self._ways["http_proxy"] = {"proxy": proxy.url, "proxy_headers": proxy.headers}
        self._connection_string = connection_string
        self._name, self._identity = fully_qualified_namespace, identity
        self._credential: AsyncTokenCredential | None = None

    def consumer(self, hub: str, group: str, **more: Any) -> EventHubConsumerClient:
        """A client that reads a hub through a consumer group; raises HubError where no credential can be made."""
        from azure.eventhub.aio import EventHubConsumerClient

        more |= {"eventhub_name": hub, "consumer_group": group, "idle_timeout": IDLE}
        client: EventHubConsumerClient = self._made(EventHubConsumerClient, **more)
        return client

    def producer(self, hub: str) -> EventHubProducerClient:
        """A client that writes to a hub; raises HubError as `consumer` does."""
        from azure.eventhub.aio import EventHubProducerClient

        client: EventHubProducerClient = self._made(EventHubProducerClient, eventhub_name=hub)
        return client

    @asynccontextmanager
    async def reaching(self, hub: str, partition: str | None = None, seconds: float = ANSWER) -> AsyncIterator[None]:
        """A context of at most so many seconds, in which a fault of a hub's client is a HubError without a URL."""
        from azure.core.exceptions import AzureError
        from azure.eventhub.exceptions import EventHubError

        try:
            async with asyncio.timeout(seconds):
                yield
        except (EventHubError, AzureError, OSError) as fault:  # TimeoutError is an OSError
            raise self.error_of(fault, hub, partition) from fault

    def error_of(self, fault: Exception, hub: str, partition: str | None = None) -> HubError:
        """What a fault of a hub's client is to us: which host is not reached and why, else what the hub calls it; no URL."""
        where = f"hub {hub}" if partition is None else f"hub {hub}, partition {partition}"
        called = getattr(fault, "error", None) or getattr(fault, "condition", None)
        called = called.decode() if isinstance(called, bytes) else called
        name = called if isinstance(called, str) else ""
        if isinstance(fault, OSError) or name.endswith("socket-error"):
            cause: BaseException | None = fault
            while cause is not None and not isinstance(cause, OSError):
                cause = cause.__cause__ or cause.__context__
            if isinstance(cause, _ProxyFault):
                return HubError(f"{where}: {cause}")
            # The client gives no cause where a connection that it had was ended.
            return HubError(f"{where}: {why_unreached(self._where, cause or ConnectionError())}")
        return HubError(f"{where}: {type(fault).__name__}{name and f' ({name})'}")

    async def extent_of(self, client: EventHubConsumerClient, partition: Partition, patience: float = ANSWER) -> Span:
        """The first and last number that a hub holds; of an empty partition, nothing after its last. Raises HubError."""
        async with self.reaching(*partition, patience):
            found = await client.get_partition_properties(partition.id)
        last = found["last_enqueued_sequence_number"]
        return Span(last + 1 if found["is_empty"] else found["beginning_sequence_number"], last)

    async def close(self) -> None:
        """Closes the credential; each client is closed by who asked for it."""
        if self._credential is not None:
            await self._credential.close()

    def _made(self, kind: Any, **options: Any) -> Any:
        options |= {**PATIENCE, **self._ways}
        if "http_proxy" in options:
            _have_websockets_of_ours()
        if self._connection_string is not None:
            return kind.from_connection_string(self._connection_string, **options)
        if self._credential is None and self._identity is not None:
            try:
                self._credential = self._identity()
            except ValueError as fault:
                hub = options["eventhub_name"]
                raise HubError(f"hub {hub}: no credential can be made of what the environment says") from fault
        return kind(self._name, credential=self._credential, **options)


class _ProxyFault(ConnectionError):
    """A proxy led to no hub; the text says why."""


@cache
def _have_websockets_of_ours() -> None:
    """Has the client connect websockets as below.

    Its own (5.15.1) have the proxy's password in their URL and so in errors, and leave open what came to nothing, of which
    asyncio complains in the log.
    """
    import aiohttp
    from azure.eventhub._pyamqp.aio import _connection_async, _sasl_async
    from azure.eventhub._pyamqp.constants import AMQP_WS_SUBPROTOCOL, DEFAULT_WEBSOCKET_HEARTBEAT_SECONDS

    class Websocket(_sasl_async.SASLWithWebSocket):
        session: Any
        sock: Any
        _http_proxy: Any

        async def connect(self) -> None:
            host, _, path = self.host.partition("/")
            self.session, trouble = aiohttp.ClientSession(), None
            try:
                self.sock = await self.session.ws_connect(
                    f"wss://{host}:{self.port}/{path}",
                    protocols=[AMQP_WS_SUBPROTOCOL],
                    autoclose=False,
                    heartbeat=DEFAULT_WEBSOCKET_HEARTBEAT_SECONDS,
                    ssl=self._build_ssl_opts(self.sslopts),  # type: ignore[no-untyped-call]  # of the client's own
                    **self._http_proxy,
                )
                self.connected = True
            except aiohttp.ClientHttpProxyError as fault:
                trouble = refusal_of(fault.status)
            # It asks for no other name.
            except (aiohttp.ClientProxyConnectionError, aiohttp.ClientConnectorDNSError) as fault:
                trouble = f"{UNREACHED}: {why_unreached(f'{fault.host}:{fault.port}', fault.os_error)}"
            except aiohttp.ClientConnectorCertificateError as fault:
                trouble = why_unreached(fault.host, fault)
            except (aiohttp.ClientResponseError, aiohttp.ServerDisconnectedError) as fault:
                trouble = f"what came through the proxy is no answer of a hub ({type(fault).__name__})"
            finally:
                self.session.detach()  # A websocket ends without it.
            if trouble is not None:
                raise _ProxyFault(trouble)

        async def negotiate(self) -> None:
            try:
                await super().negotiate()  # type: ignore[no-untyped-call]  # of the client's own
            except BaseException:
                await self.close()  # type: ignore[no-untyped-call]  # of the client's own
                raise

    _connection_async.SASLWithWebSocket = Websocket  # type: ignore[attr-defined]  # nothing else names it
