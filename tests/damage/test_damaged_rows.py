"""What becomes of damaged rows: one costs nobody but itself."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.decisions import Change, Code
from router.domain.deliveries import DeliveryState
from router.domain.hubs import HubEpoch
from router.domain.keys import signal_key
from router.domain.suppression import Suppressions
from router.store.dead_letters import Redrive, abandon_deliveries, discard, list_dead_letters, redrive
from router.store.partitions import HubPartition, find_partition
from router.store.quarantine import count_damaged_rows, list_quarantined
from tests.builders import NOW, a_rule, alert_body, without_rules
from tests.cli.conftest import house
from tests.cli.house import House, ndjson
from tests.damage.town import HELD, PLACE, Town, by_signal
from tests.hubs import Shelf
from tests.parse.messages import a_flat_alert
from tests.store.acts import claim, find_rows, in_doubt, members_at, owe, run, settle, states
from tests.store.builders import OPENING, UPDATE, a_delivery
from tests.store.opened import Store, changed, open_store
from tests.store.within import within

_KEYS = {"partitions": "partition", "members": "signal"}
"""Which column of a table names its rows, where that is not `key`."""

type Spoil = Callable[[str, str, dict[str, object]], None]
"""Writes columns into the rows of a table that a text names."""


@pytest.fixture
def spoil(either: str, store: Store) -> Spoil:
    """Damages rows of the store, beside the router; a column of numbers takes a number only."""

    def spoil(table: str, name: str, columns: dict[str, object]) -> None:
        values = ", ".join(f"{column}=?" for column in columns)
        which = f"UPDATE {table} SET {values} WHERE {_KEYS.get(table, 'key')}=?"
        assert run(changed(store, which, *columns.values(), name))

    return spoil


def test_a_delivery_that_cannot_be_decoded_is_dead_and_its_neighbours_go_on(store: Store, spoil: Spoil) -> None:
    """It is listed with the reason, shown whole, and no turn waits for it."""
    owe(store, OPENING, a_delivery(key="other"))
    spoil("notices", "k", {"body": b'{"key":'})
    assert [one.delivery.key for one in claim(store)] == ["other"]
    (letter,) = run(within(store, list_dead_letters))
    assert letter.delivery is None
    assert letter.id == OPENING.id
    assert letter.error.startswith("damaged: it cannot be decoded")
    assert OPENING.id in letter.row.decode()
    owe(store, UPDATE)
    assert [one.delivery for one in claim(store)] == [UPDATE]


def test_a_damaged_dead_letter_is_redriven_once_it_is_mended_and_discarded_whenever(store: Store, spoil: Spoil) -> None:
    """Until then redriving it changes nothing."""
    owe(store, OPENING)
    spoil("deliveries", "k", {"type": "Nonsense"})
    assert claim(store) == []
    assert run(within(store, list_dead_letters))
    assert run(within(store, redrive, OPENING.id, NOW)) is Redrive.DAMAGED
    spoil("deliveries", "k", {"type": "RecordEntry"})
    assert run(within(store, redrive, OPENING.id, NOW)) is Redrive.OWED
    (again,) = claim(store)
    settle(store, again, DeliveryState.DEAD, error="400")
    spoil("deliveries", "k", {"change": "?"})
    assert [letter.delivery for letter in run(within(store, list_dead_letters))] == [None]
    assert run(within(store, discard, OPENING.id, NOW))
    assert list(run(within(store, list_dead_letters))) == []
    assert states(store) == {DeliveryState.SKIPPED: 1}


SPOILT: dict[str, object] = {"due": 2**62, "born": -(2**62), "attempts": 2**31, "lost": 2**31, "turn": 0, "state": "?"}


@pytest.mark.parametrize("column", [*SPOILT, "stream"])
def test_a_delivery_whose_bookkeeping_is_damaged_is_dead_and_no_turn_waits_for_it(
    store: Store, spoil: Spoil, column: str
) -> None:
    """Nothing is guessed of it. What no claim would ever find, every sweep finds."""
    owe(store, OPENING, a_delivery(key="other"))
    spoil("deliveries", "k", {column: SPOILT.get(column, "?")})
    assert [one.delivery.key for one in (*claim(store), *claim(store))] == ["other"]
    run(within(store, abandon_deliveries, "cwpp", ["tickets"], NOW, NOW))
    (letter,) = run(within(store, list_dead_letters))
    assert letter.id == OPENING.id
    assert letter.error.startswith("damaged: it cannot be decoded")
    (kept,) = run(within(store, list_quarantined))
    assert (kept.quarantined.reason.code, OPENING.id in kept.source) == (Code.DAMAGED, True)
    owe(store, UPDATE)
    assert [one.delivery for one in claim(store)] == [UPDATE]


def test_what_was_sent_stays_so_though_its_row_is_damaged(store: Store, spoil: Spoil) -> None:
    """A result that comes twice makes no dead letter of it."""
    owe(store, OPENING)
    (one,) = claim(store)
    settle(store, one, DeliveryState.SENT)
    spoil("deliveries", "k", {"lane": "?"})
    settle(store, one, DeliveryState.SENT)
    assert states(store) == {DeliveryState.SENT: 1}


async def _begun(town: Town, *bodies: bytes) -> None:
    await town.ingest(*bodies)
    await town.deliver()
    town.notified.clear()


async def _then(town: Town, *bodies: bytes) -> list[tuple[str, str, str]]:
    town.notified.clear()
    await town.ingest(*bodies)
    await town.deliver()
    return sorted(one for one in town.notified if one[0] in ("tickets", "oncall"))


def test_a_signal_whose_row_is_damaged_is_told_again(store: Store, spoil: Spoil) -> None:
    """Its next message opens it anew, and its end resolves it; the row is in quarantine whole."""
    town, key = Town(store), signal_key("cwpp", "alert", "a")
    run(_begun(town, alert_body("a"), alert_body("b")))
    spoil("signals", key, {"outcome": "?", "open": "{"})
    assert run(_then(town, alert_body("a"))) == [("oncall", "opened", "a"), ("tickets", "opened", "a")]
    assert run(_then(town, alert_body("a", Status="Resolved"))) == [
        ("oncall", "resolved", "a"),
        ("tickets", "resolved", "a"),
    ]
    (kept,) = run(within(store, list_quarantined))
    assert kept.quarantined.reason.code is Code.DAMAGED
    assert key in kept.source
    assert kept.stream == "cwpp"
    assert "cwpp: 1 damaged rows of the state are set aside in the quarantine" in run(town.look()).problems


def test_what_is_open_by_a_damaged_row_stays_open_where_the_signal_says_only_its_end(
    store: Store, spoil: Spoil
) -> None:
    """As the page says: the entry in quarantine has where it was open, for a person to close it."""
    town, key = Town(store), signal_key("cwpp", "alert", "a")
    run(_begun(town, alert_body("a"), alert_body("b")))
    spoil("signals", key, {"outcome": "?"})
    run(_then(town, *(alert_body(name, Status="Resolved") for name in ("a", "b"))))
    ended = {(name, id) for name, _, id in town.notified}
    assert ("oncall", "b") in ended
    assert not ended & {("oncall", "a"), ("tickets", "a"), ("chat", "a"), ("chat", "b")}
    (kept,) = run(within(store, list_quarantined))
    assert set(json.loads(json.loads(kept.quarantined.body)["open"])) >= {"oncall", "tickets", "chat"}


@pytest.mark.parametrize("table", ["deliveries", "members"])
def test_a_signal_whose_row_is_lost_goes_on_after_what_is_kept_of_it(sqlite: Store, tmp_path: Path, table: str) -> None:
    """Its deliveries and its groups say its turn: under one that was owed before, a message would count as a repeat."""
    town, key = Town(sqlite), signal_key("cwpp", "alert", "a")
    town.book = without_rules(town.book)
    run(_begun(town, alert_body("a"), alert_body("a", Status="InProgress")))
    other, column = ("members", "signal") if table == "deliveries" else ("deliveries", "key")
    with closing(sqlite3.connect(tmp_path / "router.db")) as db, db:
        db.execute("DELETE FROM signals")
        db.execute(f"DELETE FROM {other} WHERE {column}=?", (key,))
    town.notified.clear()
    run(_notified(town, alert_body("a")))
    assert {("tickets", "opened", "a"), ("oncall", "opened", "a")} <= set(town.notified)
    assert any(name == "chat" for name, _, _ in town.notified)
    assert find_rows(sqlite, [key])[key].turn == 3


def test_a_held_body_that_is_damaged_is_in_quarantine_and_the_others_come_out(store: Store, spoil: Spoil) -> None:
    """Once: it is held no longer, and the signal's next message is decided."""
    town, key = Town(store), signal_key("cwpp", "alert", "a")
    run(_begun(town, alert_body("a", **HELD), alert_body("b", **HELD)))
    spoil("signals", key, {"held_body": b"{"})
    town.book = without_rules(town.book)
    run(town.sweep())
    assert {one[2] for one in run(_then(town))} == {"b"}
    assert len(run(within(store, list_quarantined))) == 1
    assert in_doubt(store, "cwpp", town.book.hash, []) == []
    assert run(_then(town, alert_body("a"))) == [("oncall", "opened", "a"), ("tickets", "opened", "a")]


@pytest.mark.parametrize("column", ["held_by", "held_rulebook"])
def test_a_signal_comes_out_whatever_is_damaged_of_what_holds_it(store: Store, spoil: Spoil, column: str) -> None:
    """A suppression ends when it says, or else it would be a blind spot for ever."""
    town, key = Town(store), signal_key("cwpp", "alert", "a")
    run(_begun(town, alert_body("a", **HELD)))
    spoil("signals", key, {column: "?"})
    # Under the same hash, as when the rule has ended.
    town.book = replace(town.book, suppressions=Suppressions.from_rules([a_rule("another", alert_type="VM_Nothing")]))
    run(town.sweep())
    run(town.sweep())
    assert {one[2] for one in run(_notified(town))} == {"a"}


async def _notified(town: Town, *bodies: bytes) -> list[tuple[str, str, str]]:
    await town.ingest(*bodies)
    await town.deliver()
    return town.notified


def test_a_group_whose_state_is_damaged_goes_on_and_ends(store: Store, spoil: Spoil) -> None:
    """Those that join are told, and with the last of them it is over; nothing new is opened beside it for ever."""
    town = Town(store)
    run(_begun(town, alert_body("a"), alert_body("b")))
    for name in ("a", "b"):
        key = signal_key("cwpp", "alert", name)
        (member,) = run(members_at(store, "cwpp", "chat", key)).values()
    spoil("groups", member.group, {"body": b"{"})

    async def end() -> list[tuple[str, str, str]]:
        await town.ingest(alert_body("c"))
        await town.deliver()
        await town.ingest(*(alert_body(name, Status="Resolved") for name in ("a", "b", "c")))
        await town.deliver()
        return [one for one in town.notified if one[0] == "chat"]

    notified = run(end())
    assert [change for _, change, _ in notified][-1] == Change.RESOLVED
    assert ("chat", "updated", "c") in notified or ("chat", "opened", "c") in notified
    assert run(within(store, count_damaged_rows, "cwpp")) == 1


def test_where_the_epoch_of_a_hub_is_damaged_nothing_of_it_is_taken_for_known(store: Store, spoil: Spoil) -> None:
    """A hub that was created anew counts from 0 again: its events are not those that were taken in before."""
    town = Town(store)
    run(_begun(town, alert_body("a"), alert_body("b")))
    run(town.sweep())
    spoil("partitions", PLACE.id, {"epoch": 2**63 - 1})
    town.hub = Shelf(created=NOW)
    assert {one[2] for one in run(_then(town, alert_body("c"), alert_body("d")))} == {"c", "d"}
    assert run(within(store, find_partition, PLACE)) == HubPartition(HubEpoch(PLACE, 2))


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
                for place in range(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
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
    which = f"({', '.join(keys)}) = (SELECT {', '.join(keys)} FROM {table} ORDER BY {', '.join(keys)} LIMIT 1 OFFSET {place})"
    value = "CAST(x'ff80fe' AS TEXT)" if garbage == "non-UTF-8" else "?"
    try:
        with db:
            changed = db.execute(
                f"UPDATE {table} SET {column}={value} WHERE {which}",
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

    # What nothing holds would stand for ever unseen.
    for cell in (one for one in morning.cells if one[2].startswith("held_")):
        check(morning, cell, None)
    holds()


__all__ = ["house"]

NOON = ("--now", "2026-11-24T12:00:00Z")


def spoil_in(house: House, statement: str) -> None:
    """Damages the state, beside the router."""
    db = sqlite3.connect(house.directory / ".state" / "router.db")
    with db:
        assert db.execute(statement).rowcount
    db.close()


@pytest.fixture
def owed(house: House) -> House:
    """A state in which two alerts are owed to people, the notice of one of them damaged."""
    (house.directory / "people.ndjson").mkdir()
    house.writes("a.ndjson", ndjson(*(a_flat_alert(SystemAlertId=id) for id in ("one", "two"))))
    assert house.says("run", *NOON, "a.ndjson").code == 0
    (house.directory / "people.ndjson").rmdir()
    spoil_in(house, "UPDATE notices SET body=x'7b' WHERE rowid=(SELECT min(rowid) FROM notices WHERE type='Notice')")
    return house


def test_a_run_goes_on_past_a_damaged_notice_and_ends_as_with_any_dead_letter(owed: House) -> None:
    """The other alert arrives; what died is listed as what it is, in text and as JSON, and is shown whole."""
    said = owed.says("run", "--now", "2026-11-24T12:30:00Z", "a.ndjson")
    assert (said.code, said.err) == (1, "")
    assert "1 damaged row of the state set aside; see alert-router quarantine list --state .state" in said.out
    assert [line["id"] for line in owed.lines("people.ndjson")] == ["two"]
    listed = owed.says("dead-letters", "list").out
    assert "damaged: it cannot be decoded" in listed
    (letter,) = json.loads(owed.says("dead-letters", "list", "--format", "json").out)
    assert letter["damaged"]
    shown = json.loads(owed.says("dead-letters", "show", "--format", "json", letter["id"]).out)
    assert (shown["content"]["destination"], shown["content"]["body"]) == ("people", "{")
    assert owed.says("dead-letters", "show", letter["id"]).code == 0
    assert "damaged" in owed.says("quarantine", "list").out


def test_redriving_what_is_damaged_says_in_one_line_why_it_stays(owed: House) -> None:
    """And discarding it takes it off the list."""
    owed.says("run", "--now", "2026-11-24T12:30:00Z", "a.ndjson")
    stays, total = owed.says("dead-letters", "redrive", "--all").out.splitlines()
    assert "stays, it cannot be sent again: damaged" in stays
    assert total == "redriven: 0; the next run sends them"
    assert owed.says("dead-letters", "discard", "--yes", "--all").out == "discarded: 1\n"
    assert owed.says("dead-letters", "list").out == "no dead letters\n"


def test_a_damaged_row_in_quarantine_is_no_message_to_retake(owed: House) -> None:
    """It says so, and stays until somebody discards it."""
    owed.says("run", "--now", "2026-11-24T12:30:00Z", "a.ndjson")
    stays, total = owed.says("quarantine", "retake", "--all").out.splitlines()
    assert "stays, it is a row of the state and no message: damaged" in stays
    assert total.startswith("retaken: 0")
    assert owed.says("quarantine", "discard", "--yes", "--all").out == "discarded: 1\n"


@pytest.mark.parametrize("column", ["state", "due", "destination", "id", "error"])
def test_whatever_a_row_holds_the_lists_list(owed: House, column: str) -> None:
    """Also before any run has seen the damage."""
    value = 2**63 - 1 if column in ("due", "settled") else "CAST(x'ff80' AS TEXT)"
    spoil_in(owed, f"UPDATE deliveries SET {column}={value} WHERE rowid=1")
    text, number = "CAST(x'ff' AS TEXT)", 2**63 - 1
    values = ("'id'", text, text, number, text, number, -1, number, "'?'", text, text, "x''")
    spoil_in(owed, f"INSERT INTO quarantine VALUES ({', '.join(map(str, values))})")
    for command in (("dead-letters", "list"), ("quarantine", "list"), ("quarantine", "list", "--format", "json")):
        assert owed.says(*command).code == 0, command
    assert owed.says("run", "--now", "2026-11-24T12:30:00Z", "a.ndjson").code == 1
    assert owed.says("dead-letters", "list", "--format", "json").code == 0
    assert owed.says("quarantine", "discard", "--yes", "--all").code == 0
    assert owed.says("quarantine", "list").out == "nothing is in quarantine\n"
