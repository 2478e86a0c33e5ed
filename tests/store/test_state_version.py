"""The version of the state in an account: who may work on it, and that all who start at once agree."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from router.domain.errors import StoreError
from router.store.azure import Account, Address, AzureStore
from router.store.azure.state_version import OURS, PARTITION, ROW, StateVersion, agree_on_version
from router.store.azure.tables import Table
from tests.store.acts import run


@pytest.fixture
def account(address: Address) -> Iterator[Account]:
    """The account that the state is in."""

    async def opened() -> Account:
        return Account(address)

    account = run(opened())
    yield account
    run(account.close())


def journal_of(account: Account) -> Table:
    """The table in which the version stands."""
    return Table(account.tables.get_table_client("journal"))


def write(account: Account, **columns: Any) -> None:
    """Has another program write the row, or somebody who does not know how."""

    async def put() -> None:
        table = account.tables.get_table_client("journal")
        await journal_of(account).prepare()
        await table.upsert_entity({"PartitionKey": PARTITION, "RowKey": ROW, **columns})

    run(put())


def read(account: Account) -> StateVersion:
    """The version that is written."""
    row: Mapping[str, Any] | None = run(journal_of(account).find(PARTITION, ROW))
    assert row is not None
    return StateVersion(row["version"], row["oldest"])


def prepare(account: Account) -> AzureStore:
    """Opens the state as a program does that starts."""

    async def prepared() -> AzureStore:
        store = AzureStore(account)
        await store.prepare()
        return store

    return run(prepared())


def names_of(account: Account) -> set[str]:
    """The tables, queues and containers that are there."""

    async def listed() -> set[str]:
        return {
            *[one.name async for one in account.tables.list_tables()],
            *[one.name async for one in account.queues.list_queues()],
            *[one.name async for one in account.blobs.list_containers()],
        }

    return run(listed())


def test_a_program_writes_its_version_and_the_oldest_beside_it(account: Account) -> None:
    """Into an empty account, and into one that 930b370 left, which has no such row."""
    prepare(account)
    assert read(account) == OURS == StateVersion(version=4, oldest=3)
    prepare(account)
    assert read(account) == OURS


@pytest.mark.parametrize(
    ("stored", "after"),
    [
        (StateVersion(3, 2), OURS),
        (StateVersion(3, 3), OURS),
        (StateVersion(5, 4), StateVersion(5, 4)),
        (StateVersion(5, 3), StateVersion(5, 3)),
    ],
)
def test_one_version_back_and_one_ahead_work_beside_it(
    account: Account, stored: StateVersion, after: StateVersion
) -> None:
    """What a newer program wrote stays as it wrote it."""
    write(account, **stored._asdict())
    prepare(account)
    assert read(account) == after


@pytest.mark.parametrize("oldest", [5, 6])
def test_a_program_that_is_too_old_is_refused_before_it_makes_anything(account: Account, oldest: int) -> None:
    """One line names both versions and says what to do; not even a table is made."""
    write(account, version=6, oldest=oldest)
    with pytest.raises(StoreError) as told:
        prepare(account)
    (line,) = str(told.value).splitlines()
    assert f"of version 6, which programs from version {oldest} on can work on" in line
    assert f"this program is of version {OURS.version}; deploy the newer program again" in line
    assert names_of(account) == {"journal"}
    assert read(account) == StateVersion(6, oldest)


@pytest.mark.parametrize("columns", [{}, {"version": "5"}, {"version": 5, "oldest": -1}, {"version": 0, "oldest": 0}])
def test_a_row_that_nobody_can_read_is_set_aside(account: Account, columns: Mapping[str, Any]) -> None:
    """It stops nobody; what it said is shown, and the version is written anew."""
    write(account, **columns)
    store = prepare(account)
    assert read(account) == OURS
    (one,) = run(store.quarantine.list_quarantined())
    assert "journal state/version" in one.source


def test_programs_that_start_at_once_agree(account: Account) -> None:
    """Of whatever versions: the newest is written, with the oldest that can work beside all of them."""
    write(account, version=3, oldest=3)
    # All of them read before any of them writes, and those that write last are the older ones.
    programs = [StateVersion(5, 4), *[StateVersion(4, 3)] * 10]

    async def start() -> None:
        await asyncio.gather(*(agree_on_version(journal_of(account), one) for one in programs))

    run(start())
    assert read(account) == StateVersion(5, 4)
