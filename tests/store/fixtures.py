"""Stores of each kind, empty, for all tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from router.store.postgresql import PostgresqlStore
from tests.stack.postgres import EmptiedDatabase
from tests.store.acts import RUNNER, run
from tests.store.opened import Place, Store, engine_over, open_new_store, open_store


@pytest.fixture(scope="session", autouse=True)
def _running() -> Iterator[None]:
    """The event loop of `run`, until the tests end."""
    with RUNNER:
        yield


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Store]:
    """An empty store in a file."""
    store = open_new_store(tmp_path)
    yield store
    run(store.close())


@pytest.fixture(scope="session")
def lasting(emptied: EmptiedDatabase, _running: None) -> Iterator[PostgresqlStore]:
    """The database of this worker, in which tables are made, and whose connection stays open, once for all tests."""
    engine = engine_over(emptied.url)
    run(engine.upgrade())
    yield engine
    run(engine.close())


@pytest.fixture
def database(lasting: PostgresqlStore, postgresql: str) -> str:
    """The URL of a database that holds an empty state."""
    return postgresql


@pytest.fixture
def postgres_store(lasting: PostgresqlStore, postgresql: str) -> Store:
    """An empty store in a database."""
    return lasting


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest) -> str:
    """Asked for by what is tried over each engine: the contract of the store, and whatever works at once."""
    kind: str = request.param
    return kind


@pytest.fixture
def place(either: str, request: pytest.FixtureRequest) -> Place:
    """Where a test opens an empty state: a directory, and a database."""
    place: Place = request.getfixturevalue("tmp_path" if either == "sqlite" else "database")
    return place


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Store:
    """An empty store in a file; where a test asks for `either`, over each engine."""
    is_shared = "either" in request.fixturenames and request.getfixturevalue("either") == "postgresql"
    store: Store = request.getfixturevalue("postgres_store" if is_shared else "sqlite")
    return store


@pytest.fixture
def twin(either: str, store: Store, request: pytest.FixtureRequest) -> Iterator[Store]:
    """The same store as another process has it."""
    place: Place = request.getfixturevalue("tmp_path" if either == "sqlite" else "database")

    async def opened() -> Store:
        return open_store(place)

    other = run(opened())
    yield other
    run(other.close())
