"""What forgetting in an account promises, whoever dies over it, and of what an older program left."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from itertools import count

import pytest

from router.domain.counts import counted
from router.domain.deliveries import DeliveryState, Receipt
from router.domain.notices import RecordEntry
from router.domain.retention import LONGEST, Retention
from router.store.azure import Account, Address, AzureStore
from router.store.azure.tables import Entity, Step, Table
from tests.builders import NOW
from tests.store.acts import DAY, claim, owe, run, settle
from tests.store.builders import a_delivery, a_row
from tests.store.interrupted import EVERY, dies, meets
from tests.store.test_azure_lookups import an_alert, assert_agree, counts_in, on_record, rows_of

OLD = NOW + 200 * DAY


@pytest.fixture
def account(azure: AzureStore, address: Address) -> Iterator[Account]:
    """The account that the store is in, for who looks inside."""

    async def opened() -> Account:
        return Account(address)

    account = run(opened())
    yield account
    run(account.close())


def live(store: AzureStore, origin: str) -> list[RecordEntry]:
    """Signals come in, and one of them is delivered; returns the decisions."""
    batch = [an_alert(number, origin, destinations=("tickets",), turn=1) for number in range(6)]
    keys = [str(one.signal) for one in batch if one.signal]
    run(store.ledger.write_rows([a_row(key, open={}, heard=NOW, closed_at=NOW) for key in keys]))
    owe(store, a_delivery(key=keys[0]))
    settle(store, claim(store)[0], DeliveryState.SENT, receipt=Receipt(reference=f"INC{origin}"))
    run(store.record.put_on_record(batch))
    return batch


def left(account: Account) -> list[str]:
    """What is left of signals and decisions: the tables and keys of rows; counts stay."""
    return [
        f"{name} {row['PartitionKey']} {row['RowKey']}"
        for name in ("record", "ledger", "lookups", "deliveries")
        for row in run(rows_of(account, name))
        if row["PartitionKey"] not in ("destinations", "reached") and not row["RowKey"].startswith(("c:", "h:"))
    ]


async def forget(store: AzureStore) -> None:
    """The first steps of a sweep."""
    await store.forget(OLD, Retention(), (), 3)


async def forget_all(store: AzureStore) -> None:
    """Sweeps until nothing more is old enough."""
    while not (await store.forget(OLD, Retention(), (), 100)).is_done:
        pass


async def forgotten(address: Address) -> None:
    """Another process sweeps until nothing more is old enough."""
    store = AzureStore(Account(address))
    await forget_all(store)
    await store.close()


@EVERY
def test_a_sweep_that_dies_at_any_write_leaves_what_the_next_one_finds(
    azure: AzureStore, address: Address, account: Account, every: int
) -> None:
    """Nothing is left over that nobody finds, and every decision stays counted once."""
    ever: list[RecordEntry] = []
    for at in count(1, every):
        ever += live(azure, f"o{at}")
        died = run(dies(address, forget, at, is_after=True))
        assert counts_in(azure) == counted(ever)
        run(forgotten(address))
        assert left(account) == []
        assert counts_in(azure) == counted(ever)
        if not died:
            break
    assert at > 5


@EVERY
def test_two_sweeps_that_meet_lose_and_leave_nothing(
    azure: AzureStore, address: Address, account: Account, every: int
) -> None:
    """Each takes away what is there."""
    ever: list[RecordEntry] = []

    for at in count(1, every):
        ever += live(azure, f"o{at}")
        met = run(meets(address, forget_all, at, partial(forgotten, address)))
        run(forgotten(address))
        assert left(account) == []
        assert counts_in(azure) == counted(ever)
        if not met or at > 8:
            break


async def grow_old(account: Account) -> None:
    """Takes away what an older program did not write."""
    lookups, record, ledger = (Table(account.tables.get_table_client(name)) for name in ("lookups", "record", "ledger"))
    await lookups.write([(Step("delete", row),) for row in await rows_of(account, "lookups")])
    for table, name in ((record, "record"), (ledger, "ledger")):
        rows = await rows_of(account, name)
        await table.write([(Step("replace", _older(row)),) for row in rows])


def _older(row: Entity) -> Entity:
    new = ("heard", "fields", "reduced") if "known" in row else ("stream", "signal")
    return {name: value for name, value in row.items() if name not in new}


async def look(store: AzureStore) -> None:
    """A whole sweep, when nothing is old enough."""
    await store.forget(NOW, Retention(), (), 10_000)


@EVERY
def test_what_an_older_program_left_is_looked_up_and_counted_once_whoever_dies_over_it(
    azure: AzureStore, address: Address, account: Account, every: int
) -> None:
    """Decisions, their signals, counts and hits; each signal is looked at again when it would be old."""
    for at in count(1, every):
        live(azure, f"o{at}")
        run(grow_old(account))
        died = run(dies(address, look, at, is_after=at % 2 == 0))
        run(_by_another(address))
        entries = on_record(account)
        assert_agree(azure, entries)
        again = [row["RowKey"] for row in run(rows_of(account, "lookups")) if row["RowKey"].startswith("f:")]
        keys = {str(one.signal) for one in entries if one.signal is not None}
        assert sorted(row.split(":")[2] for row in again) == sorted(keys)
        assert {row.heard for row in run(azure.ledger.find_rows(keys)).values()} == {NOW}
        assert [one.signal for one in run(azure.record.find_signals(f"o{at}-0", 5))] == [entries_key(entries, at)]
        # What comes after the first writes sees to nothing that is older.
        if not died or at > 14:
            break
    assert at > 5


def entries_key(entries: list[RecordEntry], at: int) -> str | None:
    """The key of the first signal of a round."""
    return next(one.signal for one in entries if one.id == f"o{at}-0")


async def _by_another(address: Address) -> None:
    store = AzureStore(Account(address))
    await look(store)
    await look(store)
    await store.close()


def test_what_an_older_program_left_is_forgotten_in_its_time(azure: AzureStore, account: Account) -> None:
    """Decisions by their own time; signals as if they were heard of when they were first looked at."""
    live(azure, "o")
    run(grow_old(account))
    run(look(azure))
    later = NOW + LONGEST + timedelta(days=1)
    run(azure.forget(later, Retention(), (), 10_000))
    run(azure.forget(later, Retention(), (), 10_000))
    assert left(account) == []
