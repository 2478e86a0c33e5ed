"""The state and the Event Hubs namespace that the settings or a command name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from router.app.certificates import authorities_for, identity_for, trust_for
from router.app.optional_packages import IDENTITY_CLIENTS, POSTGRESQL_CLIENTS, POSTGRESQL_EXTRA, refuse_absent
from router.app.settings import HUBS, Clock, Settings, forget_libpq, now
from router.domain.errors import BadSetting, RouterError, StoreError
from router.domain.hubs import PartitionClaim
from router.domain.signals import Stream
from router.store.claims import release_claims
from router.store.conninfo import Connector
from router.store.partitions import claim_partitions, free_partitions, list_claims

if TYPE_CHECKING:
    from router.eventhubs import Namespace
    from router.eventhubs.consumer import Consumer
    from router.store.conninfo import PostgresqlAddress
    from router.store.store import Store

_TIMEOUT = 60.0
"""Seconds that a token is waited for."""


def connector_for(address: PostgresqlAddress, settings: Settings) -> Connector:
    """What opens connections to a database; raises BadUsage where what it takes is not installed, and BadSetting."""
    refuse_absent(POSTGRESQL_CLIENTS, "a state in PostgreSQL", POSTGRESQL_EXTRA)
    forget_libpq()
    authorities = None if address.is_here else authorities_for(settings)
    if (scope := address.token_scope) is None:
        return Connector(address, authorities)
    refuse_absent(IDENTITY_CLIENTS, f"the sign-in to {address.host} without a password")

    async def token() -> str:
        from azure.core.exceptions import AzureError

        try:
            async with asyncio.timeout(_TIMEOUT), identity_for(settings, settings.identity) as identity:
                return (await identity.get_token(scope)).token
        except (AzureError, TimeoutError, ValueError, OSError) as fault:
            words = f"nobody is signed in to Azure, whose token would be the password ({type(fault).__name__})"
            raise StoreError(f"{address.name}: {words}") from None

    return Connector(address, authorities, token)


def store_at(state: Path | PostgresqlAddress, settings: Settings, clock: Clock = now) -> Store:
    """The store in a directory, which is made where it is missing, or in a database, as it was found. Raises BadFile.

    The state's clock is `clock`, set right by a database's own.
    """
    if isinstance(state, Path):
        from router.store.sqlite import StateFile

        return StateFile(state, clock)
    connector = connector_for(state, settings)
    from router.store.postgresql import PostgresqlStore

    return PostgresqlStore(connector.connect, state.name, clock=clock)


async def open_state(state: Path | PostgresqlAddress, settings: Settings) -> Store:
    """The store in a directory or a database, carried forward where it is behind.

    Raises BadFile, BadSetting, BadUsage where what speaks to the database is not installed, and StoreError where it cannot be
    used or holds no state.
    """
    async with AsyncExitStack() as unprepared:
        store = store_at(state, settings)
        unprepared.push_async_callback(store.close)
        await store.prepare()
        unprepared.pop_all()
    return store


@asynccontextmanager
async def held_state(state: Path | PostgresqlAddress, settings: Settings, clock: Clock) -> AsyncIterator[Store]:
    """A state for who works behind hubs, as long as the context lasts; raises as `open_state` does, and StateInUse.

    The state's clock is `clock`, set right by a database's own. A directory is this process's alone. What the one before it had
    claimed is given back: that one is not there any more.
    """
    store = store_at(state, settings, clock)
    try:
        store.hold()
        # A deployment names the database of its function app, which no one else may reach where it is private.
        await (store.upgrade() if settings.is_functions_app else store.prepare())
        await store.notice_restore()  # Before anything is taken in or told.
        if not store.is_shared:
            await store.run(release_claims)
            await store.run(free_partitions)
        yield store
    finally:
        await store.close()


class SharedPartitions(NamedTuple):
    """Which process reads which partition, in a state."""

    store: Store

    async def list_claims(self, hub: str) -> Sequence[PartitionClaim]:
        """Return what is known of the partitions of a hub."""
        async with self.store.session() as tx:
            return await list_claims(tx, hub)

    async def claim_partitions(self, wanted: Sequence[PartitionClaim]) -> Sequence[PartitionClaim]:
        """Claim partitions, each only where its claim is still the one that is stored; return those that were got."""
        return await self.store.run(lambda tx: claim_partitions(tx, wanted))


def namespace_for(settings: Settings) -> Namespace:
    """The Event Hubs namespace that the settings name; raises BadSetting."""
    from router.eventhubs import Namespace

    found = settings.hubs
    try:
        if found.connection_string is not None:
            return Namespace(connection_string=found.connection_string, proxy=settings.proxy)
        return Namespace(
            fully_qualified_namespace=found.namespace,
            identity=partial(identity_for, settings, found.client_id),
            tls=trust_for(settings) if settings.ca_file is not None else None,
            proxy=settings.proxy,
        )
    except ValueError as fault:
        raise BadSetting(f"{HUBS}: does not say where a namespace is") from fault


@asynccontextmanager
async def open_consumers(
    streams: Iterable[Stream], settings: Settings, store: Store, report: Callable[[RouterError], None]
) -> AsyncIterator[list[Consumer]]:
    """What reads the hubs outside Functions, and shares their partitions in the state; raises BadSetting.

    Every error goes to `report`; none is the end.
    """
    from router.eventhubs.consumer import Consumer

    async with AsyncExitStack() as stack:
        namespace = namespace_for(settings)
        stack.push_async_callback(namespace.close)
        yield [Consumer(namespace, stream.value, SharedPartitions(store), report) for stream in streams]
