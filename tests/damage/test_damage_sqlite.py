"""One damaged row of the file costs nobody but itself."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.damage.town import Town, by_signal
from tests.store.opened import open_store

GARBAGE: list[object] = [None, b"\xff\xfe", b"{", "", "zz", '{"a":', -1, 2**31 - 1, 2**62, 2**63 - 1, 1.5, "non-UTF-8"]


class Morning:
    """A state as it is in the morning, and what a day on it comes to where nothing is damaged."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.town = asyncio.run(self._begin())
        self.cells = self._cells()
        self.notified = by_signal(self.go_on(None)[0])

    async def _begin(self) -> Town:
        town = Town(open_store(self.directory))
        await town.begin()
        await town.store.close()
        return town

    def _cells(self) -> list[tuple[str, int, str]]:
        """Every column of every row: table, place and name."""
        with sqlite3.connect(self.directory / "router.db") as db:
            # The number of the last commit is the file's own: `tests/store/test_damage.py` is about that.
            every = "SELECT name FROM sqlite_schema WHERE type='table' AND name<>'meta'"
            tables = [name for (name,) in db.execute(every)]
            found = [
                (table, place, column[1])
                for table in tables
                for place in range(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608
                for column in db.execute(f"PRAGMA table_info({table})").fetchall()
                # What numbers a table's rows is no value of theirs.
                if column[1] != "place" or not column[5]
            ]
        db.close()
        return found

    def go_on(self, damage: tuple[tuple[str, int, str], object] | None) -> tuple[list[tuple[str, str, str]], int, int]:
        """A day on a copy: what was told, what is still owed, how many damaged rows people are shown."""
        with tempfile.TemporaryDirectory() as copy:
            shutil.copytree(self.directory, copy, dirs_exist_ok=True)
            if damage is not None and not _damage(Path(copy) / "router.db", *damage):
                return [], 0, -1
            return asyncio.run(self._go_on(Path(copy)))

    async def _go_on(self, directory: Path) -> tuple[list[tuple[str, str, str]], int, int]:
        town = Town(open_store(directory))
        town.hub, town.now = self.town.hub.copy(), self.town.now
        try:
            await town.go_on()
            return town.notified, await town.open_deliveries(), await town.visible()
        finally:
            await town.store.close()


def _damage(path: Path, cell: tuple[str, int, str], garbage: object) -> bool:
    """Sets one column of one row; False where the table takes no such value."""
    table, place, column = cell
    db = sqlite3.connect(path)
    keys = [info[1] for info in db.execute(f"PRAGMA table_info({table})") if info[5]]
    which = f"({', '.join(keys)}) = (SELECT {', '.join(keys)} FROM {table} ORDER BY {', '.join(keys)} LIMIT 1 OFFSET {place})"  # noqa: S608
    value = "CAST(x'ff80fe' AS TEXT)" if garbage == "non-UTF-8" else "?"
    try:
        with db:
            changed = db.execute(
                f"UPDATE {table} SET {column}={value} WHERE {which}",  # noqa: S608
                () if garbage == "non-UTF-8" else (garbage,),
            )
            assert changed.rowcount == 1
    except sqlite3.IntegrityError:
        return False
    finally:
        db.close()
    return True


@pytest.fixture(scope="module")
def morning() -> Iterator[Morning]:
    """A state to damage."""
    with tempfile.TemporaryDirectory() as directory:
        yield Morning(Path(directory))


def check(morning: Morning, cell: tuple[str, int, str], garbage: object) -> None:
    """A day with one damaged column: nobody but the signal that it belongs to is told less."""
    notified, owed, visible = morning.go_on((cell, garbage))
    if visible < 0:
        return
    found = by_signal(notified)
    less = [id for id in morning.notified if not found[id] >= morning.notified[id]]
    assert len(less) <= 1, less
    assert not {"fresh", "missed"}.intersection(less), less
    assert owed == 0
    assert ("chat", "opened", "fresh") in notified
    assert ("chat", "resolved", "fresh") in notified
    # A row with another key is no damage that shows: its signal is unknown.
    if less and cell[2] != "key":
        assert visible, less


@pytest.mark.parametrize("examples", [20, pytest.param(1000, marks=pytest.mark.soak)])
def test_any_column_of_any_row_may_hold_anything(morning: Morning, examples: int) -> None:
    """What is damaged is set aside where people see it, and everything else arrives."""

    @settings(max_examples=examples, deadline=None)
    @given(cell=st.sampled_from(morning.cells), garbage=st.sampled_from(GARBAGE))
    def holds(cell: tuple[str, int, str], garbage: object) -> None:
        check(morning, cell, garbage)

    holds()
