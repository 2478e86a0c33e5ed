"""A state of version 3 is carried forward when it is opened: whole or not at all, after a copy, by one process."""

from __future__ import annotations

import fcntl
import json
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory
from types import FrameType

import pytest

from router.domain.counts import Cell
from router.domain.deliveries import DeliveryState, Receipt
from router.domain.errors import BadFile, StateInUse
from router.domain.keys import signal_key, written_key
from router.domain.lookups import ending
from router.domain.notices import RecordEntry
from router.store.cells import cell_in
from router.store.sqlite import SqliteStore
from router.store.sqlite.schema import VERSION, micros
from tests.builders import NOW
from tests.frozen.loading import COMMITS, frozen
from tests.leash import leashed
from tests.store.acts import claim, owe, run, settle
from tests.store.builders import a_delivery, a_row, an_entry, noise
from tests.store.crashing import count_in
from tests.store.older import DB, form_of, make_version_3, rows_in, version_of

COPY, UNFINISHED, MARK = "router.db.v3", "router.db.v3.new", "router.commit"

HOUR = timedelta(hours=1)


def decided(key: str, *, at: datetime = NOW, **changes: object) -> RecordEntry:
    """An entry on an alert that was routed, as version 3 wrote it: it names no signal."""
    known = {"id": "2517-a", "stream": "cwpp", "kind": "alert", "outcome": "routed", "type": "VM_Test"}
    return an_entry(key, at=at.isoformat(), **{**known, **changes})


def an_old_state(
    state: Path, entries: tuple[RecordEntry, ...] = (), fill: Callable[[SqliteStore], object] = lambda _: None
) -> None:
    """A state of version 3 with such a record and whatever else is filled in."""
    store = SqliteStore(state)
    run(store.record.put_on_record(entries))
    fill(store)
    run(store.close())
    make_version_3(state / DB)


def migrated(state: Path, now: datetime = NOW) -> Path:
    """Opens a state and closes it, and returns its database."""
    run(SqliteStore(state, lambda: now).close())
    return state / DB


def ask(database: Path, sql: str) -> list[tuple[object, ...]]:
    """What a query brings."""
    with closing(sqlite3.connect(database)) as db:
        return db.execute(sql).fetchall()


def counts_in(database: Path) -> dict[tuple[int, Cell], int]:
    """What is counted, by hour and cell."""
    return {
        (int(str(hour)), cell_in(str(cell))): int(str(count))
        for hour, cell, count in ask(database, "SELECT hour, cell, count FROM counts")
    }


@pytest.mark.parametrize("commit", COMMITS)
def test_a_state_that_was_carried_forward_has_the_form_of_a_new_one(tmp_path: Path, commit: str) -> None:
    """Each table, column and index, also where the older program lacked more than version 4 added."""
    copytree(frozen(commit).directory / "sqlite", tmp_path / "old")
    assert form_of(migrated(tmp_path / "old")) == form_of(migrated(tmp_path / "new"))
    assert version_of(tmp_path / "old" / DB) == VERSION


@pytest.mark.parametrize("of_930b370", [False, True])
def test_what_tests_make_of_a_state_is_one_of_version_3(tmp_path: Path, of_930b370: bool) -> None:
    """It has the columns that the frozen one has, so what is shown of it is shown of those."""
    migrated(tmp_path)
    make_version_3(tmp_path / DB, of_930b370=of_930b370)
    commit = COMMITS[0] if of_930b370 else COMMITS[1]
    made, kept = form_of(tmp_path / DB), form_of(frozen(commit).directory / "sqlite" / DB)
    assert made[0] == kept[0]  # type: ignore[index]


@pytest.mark.parametrize("commit", COMMITS)
def test_a_copy_is_there_before_anything_is_changed(tmp_path: Path, commit: str) -> None:
    """It is all that the state was, its owner's alone, and it opens without anything beside it."""
    kept = frozen(commit).directory / "sqlite"
    copytree(kept, tmp_path / "state")
    migrated(tmp_path / "state")
    copy = tmp_path / "state" / COPY
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert {path.name for path in copy.parent.iterdir()} == {DB, COPY, MARK, "router.lock"}
    assert (form_of(copy), rows_in(copy, ()), version_of(copy)) == (form_of(kept / DB), rows_in(kept / DB, ()), 3)


@pytest.mark.parametrize("commit", COMMITS)
def test_what_was_kept_stays_as_it_was(tmp_path: Path, commit: str) -> None:
    """Each row, in the columns that it had."""
    kept = frozen(commit).directory / "sqlite"
    copytree(kept, tmp_path / "state")
    database = migrated(tmp_path / "state")
    for table, columns in form_of(kept / DB)[0].items():  # type: ignore[index]
        names = ", ".join(column[1] for column in columns)
        sql = f"SELECT {names} FROM {table} ORDER BY {names}"  # noqa: S608
        assert table == "commits" or ask(database, sql) == ask(kept / DB, sql)


@pytest.mark.parametrize("commit", COMMITS)
def test_what_old_decisions_say_is_counted_and_looked_up(tmp_path: Path, commit: str) -> None:
    """Each once: counts and hits are what a plain count of the bodies gives, and each signal is found by its id."""
    copytree(frozen(commit).directory / "sqlite", tmp_path / "state")
    database = migrated(tmp_path / "state")
    bodies = [json.loads(str(body)) for (body,) in ask(database, "SELECT CAST(body AS TEXT) FROM record")]
    assert len(bodies) > 5
    counts = counts_in(database)
    assert sum(counts.values()) == len(bodies)
    assert Counter(body["outcome"] for body in bodies) == sum(
        (Counter({cell.outcome: count}) for (_, cell), count in counts.items()), Counter()
    )
    hits = Counter((body["stream"], body["suppressed_by"]) for body in bodies if body["suppressed_by"])
    assert dict(hits) == {(stream, rule): total for stream, rule, total, *_ in ask(database, "SELECT * FROM hits")}
    ids = {ending(body["id"]) for body in bodies if body["id"] and body["outcome"] != "repeat"}
    assert ids == {end for (end,) in ask(database, "SELECT id_end FROM lookups")}
    signals = {key for (key,) in ask(database, "SELECT signal FROM record WHERE signal IS NOT NULL")}
    assert signals >= {key for (key,) in ask(database, "SELECT signal FROM lookups")}
    assert not ask(database, "SELECT 1 FROM record WHERE decided IS NULL")


def test_each_decision_says_its_signal_its_stream_and_its_instant(tmp_path: Path) -> None:
    """So that it is found by them; which turn it made nobody wrote down. One that names no signal has none."""
    unread = an_entry("hub/0:9", stream="cspm")
    an_old_state(tmp_path, (decided("hub/0:1", at=NOW + HOUR), unread))
    found = ask(migrated(tmp_path), "SELECT key, stream, signal, turn, decided FROM record ORDER BY key")
    assert found == [
        ("hub/0:1", "cwpp", signal_key("cwpp", "alert", "2517-a"), None, micros(NOW + HOUR)),
        ("hub/0:9", "cspm", None, None, micros(NOW)),
    ]


@pytest.mark.parametrize(
    "key",
    [
        written_key("cwpp", "alert", "2517-A"),
        signal_key("cwpp", "alert", "2517-A"),
        written_key("cwpp", "incident", "2517-A"),
        signal_key("cwpp", "incident", "2517-a"),
    ],
)
def test_a_decision_belongs_to_the_signal_that_the_ledger_knows(tmp_path: Path, key: str) -> None:
    """Also where that is known by its id as it was written, or since before it was no incident any more."""
    an_old_state(tmp_path, (decided("1", id="2517-A"),), lambda store: run(store.ledger.write_rows([a_row(key)])))
    assert ask(migrated(tmp_path), "SELECT signal FROM record") == [(key,)]
    assert ask(tmp_path / DB, "SELECT signal FROM lookups") == [(key,)]


def test_a_look_up_has_the_latest_that_is_no_repeat(tmp_path: Path) -> None:
    """An alert that moved is found where it is now."""
    entries = (
        decided("1", resource="/subscriptions/S/vm/One"),
        decided("2", resource="/subscriptions/S/vm/Two"),
        decided("3", resource="/subscriptions/S/vm/Three", outcome="repeat"),
    )
    an_old_state(tmp_path, entries)
    assert ask(migrated(tmp_path), "SELECT stream, id_end, resource_end FROM lookups") == [
        ("cwpp", "a-7152", ending("/subscriptions/S/vm/Two"))
    ]


def test_hits_of_a_rule_are_those_of_its_life(tmp_path: Path) -> None:
    """How many, the first and the last, whatever the order in which they were written, and how far from each other."""
    second, first, third = (decided(f"{at}", at=NOW + at * HOUR, suppressed_by="maintenance") for at in (2, 1, 3))
    others = [decided(f"x{number}") for number in range(2000)]
    an_old_state(tmp_path, (second, *others[:1000], first, *others[1000:], third))
    assert ask(migrated(tmp_path), "SELECT * FROM hits") == [
        ("cwpp", "maintenance", 3, micros(NOW + HOUR), micros(NOW + 3 * HOUR))
    ]


def test_what_stands_counts_as_heard_of_when_it_is_carried_forward(tmp_path: Path) -> None:
    """Nobody wrote down when it was; what is over has its end instead."""
    rows = [a_row("open"), a_row("over", closed_at=NOW)]
    an_old_state(tmp_path, fill=lambda store: run(store.ledger.write_rows(rows)))
    found = ask(migrated(tmp_path, NOW + HOUR), "SELECT key, heard FROM ledger ORDER BY key")
    assert found == [("open", micros(NOW + HOUR)), ("over", None)]


def test_a_delivery_is_found_by_the_reference_of_its_receipt(tmp_path: Path) -> None:
    """One that was sent, where its vendor gave it one."""

    def fill(store: SqliteStore) -> None:
        owe(store, *(a_delivery(key=key) for key in ("a", "b", "c")))
        for one in claim(store, limit=2):
            reference = "INC1" if one.delivery.key == "a" else None
            settle(store, one, DeliveryState.SENT, receipt=Receipt(reference=reference))

    an_old_state(tmp_path, fill=fill)
    assert sorted(ask(migrated(tmp_path), "SELECT key, reference FROM deliveries")) == [
        ("a", "INC1"),
        ("b", None),
        ("c", None),
    ]


GARBAGE = [b"\xff\xfe", b"{", "", "zz", 7, 1.5, b"[]", b'{"key":"1"}']


@pytest.mark.parametrize("garbage", GARBAGE, ids=repr)
def test_a_damaged_decision_is_carried_with_what_its_columns_say(tmp_path: Path, garbage: object) -> None:
    """It counts under its outcome, and grows old; its neighbours are carried whole."""
    an_old_state(tmp_path, (decided("1"), decided("2"), decided("3", outcome="noted")))
    with closing(sqlite3.connect(tmp_path / DB)) as db, db:
        db.execute("UPDATE record SET body=? WHERE key='2'", (garbage,))
    found = ask(migrated(tmp_path), "SELECT key, signal IS NULL, decided FROM record ORDER BY key")
    assert found == [("1", 0, micros(NOW)), ("2", 1, micros(NOW)), ("3", 0, micros(NOW))]
    told = Counter(cell.outcome for _, cell in counts_in(tmp_path / DB))
    assert told == {"routed": 2, "noted": 1}


@pytest.mark.parametrize("garbage", [*GARBAGE, "2026-01-01T00:00:00"], ids=repr)
@pytest.mark.parametrize("column", ["at", "outcome", "message", "key"])
def test_a_decision_of_which_nothing_can_be_read_stops_nobody(tmp_path: Path, column: str, garbage: object) -> None:
    """Where not even its instant or its outcome is left, it counts nowhere, and grows old from now on."""
    an_old_state(tmp_path, (decided("1"), decided("2")))
    with closing(sqlite3.connect(tmp_path / DB)) as db, db:
        db.execute(f"UPDATE record SET body=x'ff', {column}=? WHERE key='2'", (garbage,))  # noqa: S608
    migrated(tmp_path, NOW + HOUR)
    is_known = column in ("message", "key")
    assert sum(counts_in(tmp_path / DB).values()) == 1 + is_known
    assert {at for (at,) in ask(tmp_path / DB, "SELECT decided FROM record")} == {
        micros(NOW),
        micros(NOW + (HOUR if not is_known else timedelta())),
    }


def test_the_small_file_names_the_commit_that_carried_it_forward(tmp_path: Path) -> None:
    """So the copy in place of the state is told as one that lost commits, until a person deletes the small file."""
    an_old_state(tmp_path, (decided("1"),))
    migrated(tmp_path)
    with closing(sqlite3.connect(tmp_path / DB)) as db:
        (number,) = db.execute("SELECT CAST(number AS TEXT) FROM commits").fetchone()
    assert number.encode() in (tmp_path / MARK).read_bytes()
    (tmp_path / COPY).rename(tmp_path / DB)
    with pytest.raises(BadFile, match="names commit"):
        SqliteStore(tmp_path)
    (tmp_path / MARK).unlink()
    assert count_in(tmp_path) == 1


def test_damage_is_judged_before(tmp_path: Path) -> None:
    """A state that lost commits is told, and left as it is; so is one whose last run was killed and whose file is broken."""
    an_old_state(tmp_path / "behind", (decided("1"),))
    behind = (tmp_path / "behind" / DB).read_bytes()
    for key in "23":
        store = SqliteStore(tmp_path / "behind")
        run(store.record.put_on_record([decided(key)]))
        run(store.close())
    (tmp_path / "behind" / COPY).unlink()
    (tmp_path / "behind" / DB).write_bytes(behind)
    an_old_state(tmp_path / "unclean", tuple(decided(f"{n}", title=noise(3000).hex()) for n in range(40)))
    broken = bytearray((tmp_path / "unclean" / DB).read_bytes())
    broken[-4096:] = noise(4096)
    (tmp_path / "unclean" / DB).write_bytes(broken)
    (tmp_path / "unclean" / "router.lock").write_bytes(b"a run is at work\n")
    for state in (tmp_path / "behind", tmp_path / "unclean"):
        before = (state / DB).read_bytes()
        with pytest.raises(BadFile, match="is damaged"):
            SqliteStore(state)
        assert (state / DB).read_bytes() == before
        assert not list(state.glob("router.db.v3*"))


@pytest.mark.parametrize("is_clean", [True, False])
def test_damage_that_is_come_upon_on_the_way_changes_nothing(tmp_path: Path, is_clean: bool) -> None:
    """A page that cannot be read is told as damage, and the copy is taken away again. Where the last run was killed
    each page is looked at; else those of what is carried forward as it is are not."""
    entries = tuple(decided(f"{number}", title=noise(300).hex()) for number in range(99))
    letters = [a_delivery(key=f"{number}") for number in range(99)]
    letters = [replace(one, content=replace(one.content, title=noise(300).hex())) for one in letters]
    an_old_state(tmp_path, entries, lambda store: owe(store, *letters))
    database = tmp_path / DB
    whole, told, unseen = database.read_bytes(), 0, 0
    for page in range(1, len(whole) // 4096):
        database.write_bytes(whole[: page * 4096] + noise(4096) + whole[(page + 1) * 4096 :])
        (tmp_path / "router.lock").write_bytes(b"" if is_clean else b"a run is at work\n")
        before = database.read_bytes()
        try:
            migrated(tmp_path)
        except BadFile as fault:
            told += 1
            assert "is damaged" in str(fault)
            assert database.read_bytes() == before
            assert not list(tmp_path.glob("router.db.v3*"))
        else:
            unseen += 1
            (tmp_path / COPY).unlink()
        for name in (f"{DB}-wal", f"{DB}-shm", MARK):
            (tmp_path / name).unlink(missing_ok=True)
    assert told > 10
    assert bool(unseen) is is_clean


def test_a_copy_that_lies_there_already_is_left(tmp_path: Path) -> None:
    """Whoever went back by it, and comes again, says himself what becomes of it; nothing is changed until then."""
    an_old_state(tmp_path, (decided("1"),))
    (tmp_path / COPY).write_bytes(b"somebody's")
    before = (tmp_path / DB).read_bytes()
    with pytest.raises(BadFile) as told:
        SqliteStore(tmp_path)
    (line,) = str(told.value).splitlines()
    assert line.startswith(f"{tmp_path / COPY}: ")
    assert ((tmp_path / DB).read_bytes(), (tmp_path / COPY).read_bytes()) == (before, b"somebody's")
    (tmp_path / COPY).rename(tmp_path / "elsewhere")
    assert count_in(tmp_path) == 1


def test_under_a_run_it_is_not_carried_forward(tmp_path: Path) -> None:
    """An older program works on it: whoever only looks is told to wait, and nothing is changed."""
    an_old_state(tmp_path, (decided("1"),))
    before = (tmp_path / DB).read_bytes()
    with (tmp_path / "router.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StateInUse) as told:
            SqliteStore(tmp_path)
    assert len(str(told.value).splitlines()) == 1
    assert (tmp_path / DB).read_bytes() == before
    assert not list(tmp_path.glob("router.db.v3*"))
    assert count_in(tmp_path) == 1


def test_while_it_is_carried_forward_no_run_begins(tmp_path: Path) -> None:
    """An older program is told that another run is at work; what it asks for is `router.lock`."""
    an_old_state(tmp_path, (decided("1"),))
    tried: list[bool] = []

    def begin() -> None:
        with (tmp_path / "router.lock").open() as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                tried.append(False)
            else:
                tried.append(True)

    store = _opened(tmp_path, begin)
    begin()
    run(store.close())
    assert tried == [False, True]


def _opened(state: Path, meanwhile: Callable[[], object]) -> SqliteStore:
    """Opens an old state, and does something when its rows begin to be carried forward."""

    def trace(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_name == "fill":
            meanwhile()

    sys.settrace(trace)
    try:
        return SqliteStore(state)
    finally:
        sys.settrace(None)


OPEN = "import sys, asyncio; from pathlib import Path; from router.store.sqlite import SqliteStore; " + (
    "sys.stdin.readline(); asyncio.run(SqliteStore(Path(sys.argv[1])).close())"
)


def test_of_many_that_open_at_once_one_carries_it_forward(tmp_path: Path) -> None:
    """All of them are on the new version then, and each decision counts once."""
    an_old_state(tmp_path, tuple(decided(f"{number}") for number in range(2000)))
    command = [sys.executable, "-c", OPEN, str(tmp_path)]
    opening = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=leashed)
        for _ in range(5)
    ]
    for one in opening:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    assert [(one.communicate()[1], one.returncode) for one in opening] == 5 * [("", 0)]
    assert version_of(tmp_path / DB) == VERSION
    assert sum(counts_in(tmp_path / DB).values()) == 2000
    assert version_of(tmp_path / COPY) == 3
    assert not (tmp_path / UNFINISHED).exists()


@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.soak)])
def test_killed_at_any_line_it_is_of_one_version(tmp_path: Path, every: int) -> None:
    """A process that dies between any two of its steps leaves a state of version 3, which the next one carries forward, or one
    that is carried forward; either way nothing is missing, nothing counts twice, and the copy is there."""
    disk = Path("/dev/shm")  # noqa: S108  The directory in it is ours.
    with TemporaryDirectory(dir=disk if disk.is_dir() else tmp_path) as directory:
        old = Path(directory) / "old"
        an_old_state(
            old, (decided("1", suppressed_by="maintenance"), decided("2")), lambda store: owe(store, a_delivery())
        )
        command = [sys.executable, "-m", "tests.store.crashing", "migrate", directory, str(every)]
        done = subprocess.run(command, capture_output=True, text=True, preexec_fn=leashed)
    assert (done.returncode, done.stderr) == (0, "")
    as_old, as_new = map(int, done.stdout.split())
    assert as_old > 100 // every
    assert as_new > 5 // every


@pytest.mark.parametrize("room", ["for no copy", "for the copy alone"])
def test_without_room_nothing_is_changed(tmp_path: Path, room: str) -> None:
    """One line says so, and how much there should be; what was copied is taken away again."""
    entries = tuple(decided(f"{number}", title=noise(300).hex()) for number in range(1500))
    an_old_state(tmp_path, entries)
    before, size = (tmp_path / DB).read_bytes(), (tmp_path / DB).stat().st_size
    most = size // 2 if room == "for no copy" else size + 4096

    def narrow() -> None:
        leashed()
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    code = OPEN.replace("asyncio.run(", "print(").replace(".close())", ")")
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, input="\n", capture_output=True, text=True, preexec_fn=narrow)
    *_, line = done.stderr.splitlines()
    assert "BadFile: " in line
    assert "nothing is changed; make room for " in line
    assert not list(tmp_path.glob("router.db.v3*"))
    assert (tmp_path / DB).read_bytes() == before
    assert count_in(tmp_path) == 1500


@pytest.mark.parametrize("version", [1, 2, -1, VERSION + 1, 99])
def test_other_versions_are_refused_by_name(tmp_path: Path, version: int) -> None:
    """One line names both versions and says what to do, and nothing is changed."""
    migrated(tmp_path)
    with closing(sqlite3.connect(tmp_path / DB)) as db:
        db.execute(f"PRAGMA user_version={version}")
    before = (tmp_path / DB).read_bytes()
    with pytest.raises(BadFile) as told:
        SqliteStore(tmp_path)
    (line,) = str(told.value).splitlines()
    assert line.startswith(f"{tmp_path / DB}: holds state of version {version}, ")
    assert f"this program reads versions 3 to {VERSION}" in line
    assert ("no release wrote" in line) == (version < 3)
    assert ("use the program that wrote it" in line) == (version > 3)
    assert (tmp_path / DB).read_bytes() == before


def test_a_newer_state_names_the_copy_that_this_program_can_read(tmp_path: Path) -> None:
    """The one that the newer program made, or else the one that this one made."""
    migrated(tmp_path)
    with closing(sqlite3.connect(tmp_path / DB)) as db:
        db.execute(f"PRAGMA user_version={VERSION + 1}")
    for name in ("router.db.v3", f"router.db.v{VERSION}"):
        (tmp_path / name).touch()
        with pytest.raises(BadFile, match=f"or go back to the copy {tmp_path / name}$"):
            SqliteStore(tmp_path)


def test_an_older_program_that_starts_meanwhile_may_set_the_version_back(tmp_path: Path) -> None:
    """930b370 looks at the version first, and sets its own once it can write. What it adds is carried forward, too: once."""
    an_old_state(tmp_path, (decided("1"),))
    migrated(tmp_path)
    with closing(sqlite3.connect(tmp_path / DB)) as db, db:
        db.execute(
            "INSERT INTO record (key, message, at, outcome, body) SELECT 'new', 'new', at, outcome, body FROM record"
        )
        db.execute("PRAGMA user_version=3")
    migrated(tmp_path)
    assert version_of(tmp_path / DB) == VERSION
    assert sum(counts_in(tmp_path / DB).values()) == 2
    assert len(ask(tmp_path / COPY, "SELECT 1 FROM record")) == 1


def test_tables_that_930b370_died_over_are_made(tmp_path: Path) -> None:
    """It made them one by one, and said its version at the end."""
    migrated(tmp_path)
    make_version_3(tmp_path / DB, of_930b370=True)
    with closing(sqlite3.connect(tmp_path / DB)) as db:
        for table in ("cards", "record", "deliveries"):
            db.execute(f"DROP TABLE {table}")
        db.execute("PRAGMA user_version=0")
    assert form_of(migrated(tmp_path)) == form_of(migrated(tmp_path / "new"))
