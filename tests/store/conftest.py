"""A store of each kind, empty."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from router.domain.ports.store import Store
from router.store.azure import Account, Address, AzureStore
from tests.stack.azurite import Azurite
from tests.store.acts import RUNNER, run
from tests.store.opened import OutboxStore, SqlStore, open_outbox, open_store


@pytest.fixture(scope="session", autouse=True)
def _running() -> Iterator[None]:
    """The event loop of `run`, until the tests end."""
    with RUNNER:
        yield


@pytest.fixture
def address(azurite: Azurite) -> Address:
    """An account of its own, empty."""
    return Address(connection_string=azurite.new_account())


@pytest.fixture
def azure(address: Address) -> Iterator[AzureStore]:
    """An empty store in an account of its own."""

    async def prepared() -> AzureStore:
        store = AzureStore(Account(address))
        await store.prepare()
        return store

    store = run(prepared())
    yield store
    run(store.close())


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[SqlStore]:
    """An empty store in a file."""
    store = open_store(tmp_path)
    yield store
    run(store.close())


@pytest.fixture
def outbox(postgresql: str) -> Iterator[OutboxStore]:
    """An empty outbox in PostgreSQL."""
    store = run(open_outbox(postgresql))
    yield store
    run(store.close())


@pytest.fixture(params=["sqlite", "azure"])
def store(request: pytest.FixtureRequest) -> Store:
    """An empty store of each kind."""
    store: Store = request.getfixturevalue(request.param)
    return store


@pytest.fixture
def twin(store: Store, request: pytest.FixtureRequest) -> Iterator[Store]:
    """The same store as another process has it."""

    async def opened() -> Store:
        if isinstance(store, OutboxStore):
            return cast("Store", await open_outbox(request.getfixturevalue("postgresql")))
        if isinstance(store, SqlStore):
            return open_store(request.getfixturevalue("tmp_path"))
        return AzureStore(Account(request.getfixturevalue("address")))

    other = run(opened())
    yield other
    run(other.close())
