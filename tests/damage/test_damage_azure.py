"""One damaged row of an account costs nobody but itself."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from azure.data.tables import UpdateMode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.store.azure import Account, Address, AzureStore
from router.store.azure.store import TABLES
from tests.damage.town import Town, by_signal
from tests.examples import some_of
from tests.stack.azurite import Azurite
from tests.store.acts import RUNNER
from tests.store.opened import open_store

DELIVERIES = "deliveries"
GARBAGE: list[object] = [None, b"\xff\xfe", b"", "", "zz", '{"a":', "ledger/k/" + "0" * 32, -1, 2**31 - 1, 1.5, True]

type Cell = tuple[str, int, str]
"""A table, the place of a row in it, and a column."""


class Morning:
    """A state as it is in the morning, made anew for each day, and what a day on any store comes to without damage."""

    def __init__(self, azurite: Azurite) -> None:
        self._azurite = azurite
        self.cells: Sequence[Cell] = RUNNER.run(self._cells())
        self.notified = by_signal(RUNNER.run(_sound_day()))

    async def _begin(self) -> tuple[Town, Account]:
        account = Account(Address(connection_string=self._azurite.new_account()))
        store = AzureStore(account)
        await store.prepare()
        town = Town(store)
        await town.begin()
        return town, account

    async def _cells(self) -> list[Cell]:
        town, account = await self._begin()
        cells = [
            (table, place, column)
            for table in TABLES
            for place, row in enumerate([row async for row in account.tables.get_table_client(table).list_entities()])
            for column in row
            if column not in ("PartitionKey", "RowKey")
        ]
        states = [row.get("state") async for row in account.tables.get_table_client(DELIVERIES).list_entities()]
        self.owed = states.index("owed")
        await town.store.close()
        return cells

    def go_on(self, damage: tuple[Cell, object]) -> tuple[list[tuple[str, str, str]], int, int]:
        """A day: what was told, what is still owed, how many damaged rows people are shown."""
        return RUNNER.run(self._go_on(damage))

    async def _go_on(self, damage: tuple[Cell, object]) -> tuple[list[tuple[str, str, str]], int, int]:
        town, account = await self._begin()
        try:
            await _damage(account, *damage)
            await town.go_on()
            return town.notified, await town.open_deliveries(), await town.visible()
        finally:
            await town.store.close()


async def _sound_day() -> list[tuple[str, str, str]]:
    with tempfile.TemporaryDirectory() as directory:
        town = Town(open_store(Path(directory)))
        await town.begin()
        await town.go_on()
        await town.store.close()
        return town.notified


async def _damage(account: Account, cell: Cell, garbage: object) -> None:
    """Sets one column of one row, or takes it away."""
    table, place, column = cell
    client = account.tables.get_table_client(table)
    row = [row async for row in client.list_entities()][place]
    if garbage is None:
        del row[column]
    else:
        row[column] = garbage
    await client.update_entity(row, mode=UpdateMode.REPLACE)


@pytest.fixture(scope="module")
def morning(azurite: Azurite) -> Morning:
    """A state to damage."""
    return Morning(azurite)


def check(morning: Morning, cell: Cell, garbage: object) -> None:
    """A day with one damaged column: nobody but the signal that it belongs to is told less."""
    notified, owed, visible = morning.go_on((cell, garbage))
    found = by_signal(notified)
    less = [id for id in morning.notified if not found[id] >= morning.notified[id]]
    assert len(less) <= 1, less
    assert not {"fresh", "missed"}.intersection(less), less
    assert owed == 0
    assert ("chat", "opened", "fresh") in notified
    assert ("chat", "resolved", "fresh") in notified
    if less:
        assert visible, less
    for id in less:
        # Of what was held, and whose body is damaged, nobody was told that it opened.
        assert id == "held" or ("tickets", "resolved") in found[id] or cell[0] == DELIVERIES, (id, found[id])


@pytest.mark.soak
def test_any_column_of_any_row_may_hold_anything(morning: Morning) -> None:
    """What is damaged is put aside where people see it, and everything else arrives. Each example is a day in an account."""

    @settings(max_examples=some_of(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(cell=st.sampled_from(morning.cells), garbage=st.sampled_from(GARBAGE))
    def holds(cell: Cell, garbage: object) -> None:
        check(morning, cell, garbage)

    holds()


@pytest.mark.soak
def test_a_count_that_no_delivery_comes_to_is_damage(morning: Morning) -> None:
    """One more than that would not fit into its column, and no worker could claim anything beside it."""
    check(morning, (DELIVERIES, morning.owed, "attempts"), 2**31 - 1)
