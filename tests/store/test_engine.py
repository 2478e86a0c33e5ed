"""What both engines promise of SQL, and PostgreSQL's while it is treated badly."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import psycopg
import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql

from router.domain.errors import StoreError, Unstorable
from router.store.conninfo import Connector, parse_address
from router.store.engine import Engine, Transaction
from router.store.postgresql import PostgresqlEngine
from tests.stack.postgres import (
    BY_PASSWORD,
    EmptiedDatabase,
    Postgres,
    Server,
    SmallDisk,
    Way,
    postgres_running,
    small_disk,
    standby_of,
)
from tests.store.acts import run
from tests.store.opened import Store, changed, engine_over, open_store
from tests.waiting import until

SCHEMA = """
CREATE TABLE IF NOT EXISTS things (
    key TEXT PRIMARY KEY, number BIGINT, body BYTEA
);

CREATE TABLE IF NOT EXISTS placed (
    place PLACE, name TEXT NOT NULL
);
"""
PUT = "INSERT INTO things (key, number, body) VALUES (?, ?, ?)"
PUT_AGAIN = f"{PUT} ON CONFLICT (key) DO UPDATE SET number=excluded.number"


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Engine]:
    """An engine over an empty file."""
    store = open_store(tmp_path)
    run(store.engine.make(SCHEMA))
    yield store.engine
    run(store.close())


@pytest.fixture(scope="module")
def database(postgres: Server) -> Iterator[EmptiedDatabase]:
    """A database that has our tables."""
    with EmptiedDatabase(postgres.new_database()) as made:
        run(closed_after(engine_over(made.url), lambda engine: engine.make(SCHEMA)))
        yield made


@pytest.fixture
def postgres_url(database: EmptiedDatabase) -> Iterator[str]:
    """The URL of a database with our tables, in which there is nothing."""
    yield database.url
    database.empty()


async def closed_after[T](engine: PostgresqlEngine, do: Callable[[PostgresqlEngine], Awaitable[T]]) -> T:
    """What comes of doing something with an engine, which is closed then."""
    try:
        return await do(engine)
    finally:
        await engine.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Each engine, with tables in which there is nothing."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite")
        return
    engine = engine_over(request.getfixturevalue("postgres_url"))
    yield engine
    run(engine.close())


async def keys(engine: Engine) -> list[str]:
    """The keys of all things."""
    async with engine.session() as tx:
        return [row.text("key") for row in await tx.fetch("SELECT key FROM things ORDER BY key")]


async def put(engine: Engine, *names: str) -> None:
    """Puts things in a transaction, one statement each."""

    async def work(tx: Transaction) -> None:
        for name in names:
            await tx.execute(PUT, name, 1, None)

    await engine.run(work)


def test_what_is_refused_is_raised_and_logged_by_no_client(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    """A log that is set up nowhere is standard error, on which a command has one line."""

    async def tried() -> None:
        async with engine.transaction() as tx:
            await tx.execute_many(PUT, [("twice", number, None) for number in range(100)])

    with pytest.raises(StoreError):
        run(tried())
    assert caplog.messages == []


def test_what_is_put_is_found_as_it_was(engine: Engine) -> None:
    """Texts of all of Unicode, numbers to both ends, bytes of any value, and nothing at all."""
    rows = [("", 0, b""), ("é😀'%s?", 2**63 - 1, bytes(range(256))), ("none", None, None), ("low", -(2**63), b"\0")]

    async def tried() -> None:
        async with engine.transaction() as tx:
            await tx.execute_many(PUT, rows)
            await tx.execute_many(PUT, [])
            for key, number, body in rows:
                found = await tx.find("SELECT number, body FROM things WHERE key=?", key)
                assert found is not None
                assert (found.raw("number"), found.raw("body")) == (number, body)
            assert await tx.value("SELECT count(*) FROM things") == 4
            assert await tx.value("SELECT number FROM things WHERE key=?", "nobody") is None
            assert await tx.find("SELECT number FROM things WHERE key=?", "nobody") is None

    run(tried())


@given(key=st.text(st.characters()), number=st.integers(-(2**70), 2**70))
def test_any_text_and_any_number_come_back_the_same_from_both(
    one: Engine, other: Engine, key: str, number: int
) -> None:
    """NUL, lone surrogates and numbers beyond 64 bits, which one engine or the other holds in no column."""

    async def held(engine: Engine) -> object:
        async with engine.transaction() as tx:
            await tx.execute("DELETE FROM things")
            await tx.execute(PUT, key, number, None)
            assert await tx.value("SELECT count(*) FROM things WHERE key = ANY(?)", [key, "other"]) == 1
            row = await tx.find("SELECT key, number FROM things WHERE key=? AND number=?", key, number)
            return row and (row.raw("key"), row.raw("number"))

    assert run(held(one)) == run(held(other)) is not None


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine over a file, for all examples."""
    store = open_store(tmp_path_factory.mktemp("state"))
    run(store.engine.make(SCHEMA))
    yield store.engine
    run(store.close())


@pytest.fixture(scope="module")
def other(postgres: Server) -> Iterator[Engine]:
    """An engine over a database, for all examples."""
    engine = engine_over(postgres.new_database())
    run(engine.make(SCHEMA))
    yield engine
    run(engine.close())


def test_lists_are_asked_of_as_sets(engine: Engine) -> None:
    """Also the empty one, and lists of numbers."""

    async def tried() -> None:
        await put(engine, "a", "b", "c")
        async with engine.session() as tx:
            for among, names in ((["a", "c", "x"], "ac"), ([], ""), (("b",), "b")):
                found = await tx.fetch("SELECT key FROM things WHERE key = ANY(?) ORDER BY key", among)
                assert "".join(row.text("key") for row in found) == names
            assert await tx.value("SELECT count(*) FROM things WHERE key <> ALL(?)", ["a"]) == 2
            assert await tx.value("SELECT count(*) FROM things WHERE key <> ALL(?)", []) == 3
            assert await tx.value("SELECT count(*) FROM things WHERE number = ANY(?)", [1, 2**40]) == 3

    run(tried())


def test_texts_are_ordered_by_their_bytes(engine: Engine) -> None:
    """So that a page that goes on after a key leaves nothing out on either engine."""

    async def tried() -> list[str]:
        await put(engine, "b", "é", "B", "😀", "a", "ﬀ")
        return await keys(engine)

    assert run(tried()) == ["B", "a", "b", "é", "ﬀ", "😀"]


def test_places_go_on(engine: Engine) -> None:
    """Rows are numbered in the order in which they came."""

    async def tried() -> list[str]:
        async with engine.transaction() as tx:
            await tx.execute_many("INSERT INTO placed (name) VALUES (?)", [("first",), ("second",)])
            await tx.execute("INSERT INTO placed (name) VALUES (?)", "third")
            return [row.text("name") for row in await tx.fetch("SELECT name FROM placed ORDER BY place")]

    assert run(tried()) == ["first", "second", "third"]


def test_a_transaction_is_kept_whole_or_not_at_all(engine: Engine) -> None:
    """Also where it is part of another one, which alone decides."""

    async def tried() -> None:
        with pytest.raises(ZeroDivisionError):
            async with engine.transaction():
                await put(engine, "lost")
                assert await keys(engine) == ["lost"]
                raise ZeroDivisionError
        assert await keys(engine) == []
        await put(engine, "kept")
        with pytest.raises(StoreError):
            await put(engine, "lost", "kept")
        assert await keys(engine) == ["kept"]

    run(tried())


def test_a_last_question_ends_its_transaction(engine: Engine) -> None:
    """What fails keeps all of it out, and what is asked after it stands by itself."""

    async def tried() -> None:
        async with engine.transaction() as tx:
            await tx.write(PUT, "kept", 1, None)
            found = await tx.fetch_last("SELECT key FROM things")
            assert [row.text("key") for row in found] == await keys(engine) == ["kept"]
        for fault in (PUT, "no SQL"):
            with pytest.raises((StoreError, sqlite3.Error)):
                async with engine.transaction() as tx:
                    await tx.write(PUT, "lost", 1, None)
                    await tx.fetch_last(fault, *(("kept", 1, None) if fault == PUT else ()))
        await put(engine, "later")
        assert await keys(engine) == ["kept", "later"]

    run(tried())


@pytest.mark.parametrize("is_after", [False, True])
def test_a_last_question_is_one_round_trip_with_all_that_was_written(
    postgres: Server, postgres_url: str, is_after: bool
) -> None:
    """Where the line is cut in it, it is run again whole."""

    async def work(tx: Transaction) -> int:
        await tx.write(PUT_AGAIN, "one", 1, None)
        return len(await tx.fetch_last("SELECT key FROM things"))

    async def tried(engine: Engine) -> None:
        await keys(engine)
        before = way.trips
        assert (await engine.run(work), way.trips - before) == (1, 1)
        way.cut_at(1, is_after=is_after)
        assert await engine.run(work) == 1

    with Way(postgres.url) as way:
        run(closed_after(engine_over(way.to(postgres_url)), tried))


def test_what_is_asked_inside_another_question_is_answered(engine: Engine) -> None:
    """A session may be begun inside a session, and a transaction too: nothing waits for itself."""

    async def tried() -> list[str]:
        async with engine.session() as outer:
            async with engine.session() as inner:
                assert await inner.value("SELECT count(*) FROM things") == 0
            await put(engine, "a")
            assert await outer.value("SELECT count(*) FROM things") == 1
        return await keys(engine)

    assert run(asyncio.wait_for(tried(), 60)) == ["a"]


def test_tasks_of_a_process_write_one_after_the_other(engine: Engine) -> None:
    """None sees half of what another writes."""

    async def add(many: int) -> None:
        for _ in range(many):
            async with engine.transaction() as tx:
                number = await tx.value("SELECT number FROM things WHERE key=?", "sum") or 0
                await tx.execute(PUT_AGAIN, "sum", number + 1, None)

    async def tried() -> object:
        await asyncio.gather(*(add(5) for _ in range(5)))
        async with engine.session() as tx:
            return await tx.value("SELECT number FROM things WHERE key=?", "sum")

    assert run(tried()) == 25


def test_several_processes_that_wait_for_a_lock_write_one_after_the_other(postgres_url: str) -> None:
    """What one read is still so when it writes."""
    one, two = engine_over(postgres_url), engine_over(postgres_url)

    async def add(engine: Engine) -> None:
        for _ in range(10):
            async with engine.transaction() as tx:
                await tx.wait_for("things")
                number = await tx.value("SELECT number FROM things WHERE key=?", "sum") or 0
                await tx.execute(PUT_AGAIN, "sum", number + 1, None)

    async def tried() -> object:
        await asyncio.gather(add(one), add(two))
        async with one.session() as tx:
            total = await tx.value("SELECT number FROM things WHERE key=?", "sum")
        await asyncio.gather(one.close(), two.close())
        return total

    assert run(tried()) == 20


def test_work_is_run_in_a_transaction_and_its_result_returned_once_that_is_committed(engine: Engine) -> None:
    """What the work raises leaves nothing, and is not tried again; work inside other work is part of that."""
    calls: list[str] = []

    async def work(tx: Transaction, name: str, fault: Exception | None = None) -> int:
        calls.append(name)
        await tx.execute(PUT, name, 1, None)
        if fault is not None:
            raise fault
        return len(calls)

    async def outer(tx: Transaction) -> object:
        found = await engine.run(partial(work, name="inner"))
        async with engine.transaction() as same, engine.session() as also:
            assert same.now == also.now == tx.now
            assert await also.value("SELECT count(*) FROM things") == 2
        await engine.run(partial(work, name="lost", fault=ZeroDivisionError()))
        return found

    async def tried() -> list[str]:
        assert await engine.run(partial(work, name="kept")) == 1
        for fault in (ZeroDivisionError(), StoreError("its own")):
            with pytest.raises(type(fault)):
                await engine.run(partial(work, name="lost", fault=fault))
        with pytest.raises(ZeroDivisionError):
            await engine.run(outer)
        assert calls == ["kept", "lost", "lost", "inner", "lost"]
        return await keys(engine)

    assert run(tried()) == ["kept"]


def test_a_transaction_begins_at_a_time_of_the_state(engine: Engine) -> None:
    """It stays the same as long as the transaction lasts."""

    async def tried() -> None:
        before = datetime.now(UTC)
        async with engine.transaction() as tx, engine.session() as same:
            assert before <= tx.now == same.now <= datetime.now(UTC)
        async with engine.session() as later:
            assert tx.now <= later.now <= datetime.now(UTC)

    run(tried())


@pytest.mark.parametrize("wrong", [timedelta(minutes=-10), timedelta(), timedelta(minutes=10), timedelta(days=3650)])
def test_the_servers_clock_is_everybodys(postgres_url: str, wrong: timedelta) -> None:
    """Ours is set right by as much as this machine's differs from it; one that does not, stays as it is to the microsecond."""
    given = datetime(2030, 1, 1, tzinfo=UTC)

    async def tried() -> None:
        machine = lambda: datetime.now(UTC) + wrong  # noqa: E731
        running = engine_over(postgres_url, clock=machine, machine=machine)
        standing = engine_over(postgres_url, clock=lambda: given, machine=machine)
        async with running.session() as first:
            assert abs(first.now - datetime.now(UTC)) < timedelta(minutes=5)
        async with running.transaction() as tx, standing.session() as other:
            assert first.now <= tx.now <= running.now()
            assert abs(other.now - (given - wrong)) < timedelta(minutes=5)
            assert wrong or other.now == given
        await asyncio.gather(running.close(), standing.close())

    run(tried())


COUNT = """
INSERT INTO counts (hour, id, cell, count) VALUES (?,?,?,0) ON CONFLICT (hour, id) DO UPDATE SET count=counts.count+1
"""
RECOUNT = "UPDATE counts SET count=count+?, cell=? WHERE hour=? AND id=?"
SET_ASIDE = """
INSERT INTO quarantine (id, source, at, origin, place, part, code, words, body) VALUES (?,?,?,?,?,?,?,?,?)
"""
UNCOUNT = "DELETE FROM counts WHERE hour=? AND id=?"


@pytest.mark.parametrize("many", [1, 3])
def test_many_rows_are_written_as_if_one_after_the_other(store: Store, many: int) -> None:
    """Also where some name the same row, and in whatever way the engine sends them."""
    cells = [(number % 7, f"é{number % (7 * many)}", "{}") for number in range(7 * many * 2)]

    async def work(tx: Transaction) -> list[int]:
        await tx.write_many(COUNT, [])
        await tx.write_many(COUNT, cells)
        await tx.write_many(COUNT, sorted(set(cells))[:5])
        changed = await tx.execute_many(
            RECOUNT, [(10, "a", *cells[0][:2]), (20, "b", *cells[0][:2]), (9, "c", 99, "none")]
        )
        gone = await tx.execute_many(UNCOUNT, [one[:2] for one in cells[:2]])
        return [
            changed,
            gone,
            *(row.whole("count") for row in await tx.fetch("SELECT count FROM counts ORDER BY hour, id")),
        ]

    whole: dict[tuple[int, str, str], int] = {}
    for one in [*cells, *sorted(set(cells))[:5]]:
        whole[one] = whole.get(one, -1) + 1
    left = [whole[one] for one in sorted(whole, key=lambda one: (one[0], one[1].encode())) if one not in cells[:2]]
    assert run(store.run(work)) == [2, len(set(cells[:2])), *left]


@pytest.mark.parametrize("size", [1, 4 << 20])
@pytest.mark.usefixtures("postgres_store")
def test_what_is_written_travels_with_what_is_asked_next(postgres: Server, postgresql: str, size: int) -> None:
    """BEGIN and COMMIT, too. A pipeline of psycopg hangs on what is too long for one write, if it is left alone."""
    rows = [(f"d{number}", "", 0, "", 0, 0, "", "", bytes(size // 100)) for number in range(100)]

    async def work(tx: Transaction) -> int:
        await tx.write(SET_ASIDE, "one", *rows[0][1:8], bytes(size))
        await tx.write_many(SET_ASIDE, rows)
        found = await tx.value("SELECT count(*) FROM quarantine")
        await tx.write_many("DELETE FROM quarantine WHERE id=?", [row[:1] for row in rows])
        return int(found)

    with Way(postgres.url) as way:
        store = open_store(way.to(postgresql))
        run(store.run(work))
        run(changed(store, "DELETE FROM quarantine"))
        trips = way.trips
        assert run(store.run(work)) == 101
        assert way.trips - trips == 2
        run(store.close())


def test_a_fault_of_what_is_written_keeps_all_of_a_transaction_out(store: Store) -> None:
    """It is seen where the transaction ends at the latest."""

    async def work(tx: Transaction) -> None:
        await tx.write(UNCOUNT, 1, "a")
        await tx.write_many(COUNT, [(1, "a", "{}")])
        await tx.write("INSERT INTO counts (hour, id, cell, count) VALUES (2, 'a', 'b', NULL)")

    with pytest.raises((StoreError, sqlite3.Error)):
        run(store.run(work))
    assert run(store.run(lambda tx: tx.value("SELECT count(*) FROM counts"))) == 0


def test_the_servers_clock_is_looked_at_with_each_connection_and_never_again(
    postgres: Server, postgres_url: str
) -> None:
    """So that it costs no statement a wait, and a server that another one took over from is believed at once."""
    wrong = timedelta()

    async def tried(engine: Engine, way: Way) -> list[timedelta]:
        nonlocal wrong
        found = []
        for wrong in (timedelta(), timedelta(hours=1), -timedelta(hours=1)):
            way.cut()
            await keys(engine)
            trips = way.trips
            await keys(engine)
            await put(engine, f"{wrong}")
            assert way.trips - trips == 3
            found.append(engine.now() - datetime.now(UTC))
        return found

    with Way(postgres.url) as way:
        engine = engine_over(way.to(postgres_url), machine=lambda: datetime.now(UTC) + wrong)
        found = run(closed_after(engine, partial(tried, way=way)))
    assert [round(one / timedelta(hours=1)) for one in found] == [0, -1, 1]


def test_a_machine_whose_clock_is_set_meanwhile_goes_on_by_the_servers(postgres_url: str) -> None:
    """As it is set right, or is stepped by who moves the machine: a connection that is never idle may last for months."""
    wrong = timedelta(minutes=10)

    async def tried(engine: Engine) -> list[timedelta]:
        nonlocal wrong
        found = []
        for _ in range(3):
            async with engine.transaction() as tx:
                found.append(tx.now - datetime.now(UTC))
            wrong -= timedelta(minutes=10)
        return found

    machine = lambda: datetime.now(UTC) + wrong  # noqa: E731
    engine = engine_over(postgres_url, clock=machine, machine=machine)
    assert all(abs(one) < timedelta(minutes=1) for one in run(closed_after(engine, tried)))


def test_work_that_ends_a_deadlock_as_its_victim_is_run_again_whole(postgres_url: str) -> None:
    """Nothing is kept of the try that the server broke off, and the one it gave way to goes first."""
    tries: list[str] = []

    async def tried(engine: Engine) -> list[str]:
        await put(engine, "a", "b")
        async with (
            await psycopg.AsyncConnection.connect(postgres_url) as other,
            await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as looking,
        ):
            pid = other.info.backend_pid
            await other.execute("SET deadlock_timeout = '1h'")
            await other.execute("UPDATE things SET number=2 WHERE key='b'")
            crossing: list[asyncio.Task[None]] = []

            async def cross() -> None:
                await other.execute("UPDATE things SET number=2 WHERE key='a'")
                await other.commit()

            async def is_waiting() -> bool:
                rows = await looking.execute("SELECT 1 FROM pg_locks WHERE NOT granted AND pid=%s", [pid])
                return await rows.fetchone() is not None

            async def work(tx: Transaction) -> str:
                tries.append(f"try {len(tries)}")
                await tx.execute(PUT, tries[-1], 1, None)
                await tx.execute("UPDATE things SET number=number+10 WHERE key='a'")
                if not crossing:
                    crossing.append(asyncio.ensure_future(cross()))
                    await until(is_waiting)
                await tx.execute("UPDATE things SET number=number+10 WHERE key='b'")
                return tries[-1]

            assert await engine.run(work) == "try 1"
            await crossing[0]
        async with engine.session() as tx:
            rows = await tx.fetch("SELECT key, number FROM things ORDER BY key")
        return [f"{row.text('key')}: {row.whole('number')}" for row in rows]

    engine = engine_over(postgres_url, "SET deadlock_timeout = 1")
    assert run(closed_after(engine, tried)) == ["a: 12", "b: 12", "try 1: 1"]


@pytest.mark.parametrize("how", ["raised", "reworded", "hidden"])
def test_work_that_another_overtook_is_run_again_whole(postgres_url: str, how: str) -> None:
    """What it read is no more so, and the server may not let it write; whatever the work makes of that."""
    tries: list[int] = []

    async def tried(engine: Engine) -> list[str]:
        await put(engine, "sum")
        async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as other:

            async def work(tx: Transaction) -> int:
                tries.append(int(await tx.value("SELECT number FROM things WHERE key='sum'")))
                if len(tries) == 1:
                    await other.execute("UPDATE things SET number=number+10")
                try:
                    await tx.execute("UPDATE things SET number=number+1 WHERE key='sum'")
                except StoreError as fault:
                    if how == "reworded":
                        raise StoreError("overtaken") from fault
                    if how == "raised":
                        raise
                await tx.execute(PUT, f"made of {tries[-1]}", 1, None)
                return tries[-1] + 1

            assert await engine.run(work) == 12
        async with engine.session() as tx:
            assert await tx.value("SELECT number FROM things WHERE key='sum'") == 12
        return await keys(engine)

    engine = engine_over(postgres_url, "SET default_transaction_isolation = 'serializable'")
    assert run(closed_after(engine, tried)) == ["made of 11", "sum"]
    assert tries == [1, 11]


def test_work_that_is_broken_off_each_time_is_given_up(postgres_url: str) -> None:
    """Then the state has failed, as it says, and nothing is kept; work within it is not tried by itself."""
    calls: list[str] = []

    async def broken_off(tx: Transaction) -> None:
        calls.append("inner")
        await tx.execute("DO 'BEGIN RAISE EXCEPTION SQLSTATE ''40001'' USING MESSAGE = ''overtaken''; END'")

    async def tried(engine: Engine) -> list[str]:
        async def work(tx: Transaction) -> None:
            calls.append("outer")
            await tx.execute(PUT, "lost", 1, None)
            await engine.run(broken_off)

        with pytest.raises(StoreError, match="overtaken"):
            await engine.run(work)
        return await keys(engine)

    assert run(closed_after(engine_over(postgres_url), tried)) == []
    assert calls == ["outer", "inner"] * 8


def test_a_transaction_in_which_a_statement_failed_is_never_taken_for_kept(postgres_url: str) -> None:
    """Though what asked for it went on: the server answers a commit of it as if all were well."""

    async def tried(engine: Engine) -> list[str]:
        with pytest.raises(StoreError, match="duplicate key"):
            async with engine.transaction() as tx:
                await tx.execute(PUT, "lost", 1, None)
                await goes(tx.execute, PUT, "lost", 1, None)
        return await keys(engine)

    assert run(closed_after(engine_over(postgres_url), tried)) == []


def test_what_an_engine_refuses_for_what_it_holds_is_told_from_a_fault(postgres_url: str) -> None:
    """So that a batch of which one message is at fault is tried singly, and not for ever."""

    async def tried(engine: Engine) -> None:
        with pytest.raises(Unstorable):
            async with engine.transaction() as tx:
                # Random enough that it cannot be compressed into a page of the index.
                await tx.execute(PUT, "".join(map(chr, range(40_000, 46_000))), 1, None)
        with pytest.raises(StoreError) as caught:
            await put(engine, "a", "a")
        assert not isinstance(caught.value, Unstorable)
        await put(engine, "b")

    run(closed_after(engine_over(postgres_url), tried))


async def goes(do: Callable[..., Awaitable[object]], *with_what: object) -> bool:
    """Whether the state does something now."""
    try:
        await do(*with_what)
    except StoreError:
        return False
    return True


# --- PostgreSQL treated badly


STATEMENTS = 3


@pytest.mark.parametrize("is_after", [False, True])
def test_a_line_that_is_cut_at_any_trip_leaves_all_of_a_transaction_or_nothing(
    postgres: Server, postgres_url: str, is_after: bool
) -> None:
    """It is tried again by who asked for it, on the same engine; that its commit was not heard of does not show."""

    async def tried(engine: Engine, trip: int, way: Way) -> tuple[bool, list[str]]:
        names = [f"{trip}-{number}" for number in range(STATEMENTS)]
        await keys(engine)
        way.cut_at(trip, is_after=is_after)
        failed = False
        try:
            await put(engine, *names)
        except StoreError as fault:
            assert str(fault).startswith("127.0.0.1, database ")
            failed = True
        left = [key for key in await keys(engine) if key in names]
        await put(engine, f"{trip}-after")
        return failed, left

    with Way(postgres.url) as way:
        for trip in range(1, STATEMENTS + 2):
            engine = engine_over(way.to(postgres_url))
            failed, left = run(closed_after(engine, partial(tried, trip=trip, way=way)))
            assert left in ([], [f"{trip}-{number}" for number in range(STATEMENTS)])
            # What broke before anything was answered is begun anew; a commit whose answer was lost was made.
            assert failed == (trip > 1), trip
            if trip <= STATEMENTS or is_after:
                assert bool(left) == (trip in (1, STATEMENTS + 1)), trip


@pytest.mark.parametrize("is_after", [False, True])
def test_a_statement_by_itself_is_asked_again_on_a_new_line_only_if_it_writes_nothing(
    postgres: Server, postgres_url: str, is_after: bool
) -> None:
    """What wrote and was not answered may have been carried out; a line that broke while it was idle is noticed late."""

    async def tried(engine: Engine, way: Way) -> object:
        await put(engine, "a")
        async with engine.session() as tx:
            way.cut_at(1, is_after=is_after)
            with pytest.raises(StoreError):
                await tx.execute("UPDATE things SET number=number+1")
            await keys(engine)
            way.cut_at(1, is_after=is_after)
            return await tx.value("SELECT number FROM things")

    with Way(postgres.url) as way:
        engine = engine_over(way.to(postgres_url))
        assert run(closed_after(engine, partial(tried, way=way))) == (2 if is_after else 1)


def test_one_who_gives_up_waiting_for_the_lock_can_write_later(postgres_url: str) -> None:
    """A task that is cancelled, or whose patience for the lock ends, leaves its connection fit for the next."""

    async def put_alone(engine: Engine, name: str) -> None:
        async with engine.transaction() as tx:
            await tx.wait_for("things")
            await tx.execute(PUT, name, 1, None)

    async def tried(engine: PostgresqlEngine) -> list[str]:
        other = engine_over(postgres_url)
        async with other.transaction() as tx:
            await tx.wait_for("things")
            await tx.execute(PUT, "other", 1, None)
            waiting = asyncio.ensure_future(put_alone(engine, "cancelled"))
            await asyncio.sleep(0)
            while not await tx.value("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype='advisory'"):
                await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            impatient = engine_over(postgres_url, "SET lock_timeout = 1")
            with pytest.raises(StoreError, match="lock timeout"):
                await put_alone(impatient, "impatient")
        await put_alone(engine, "mine")
        await put_alone(impatient, "its")
        await asyncio.gather(other.close(), impatient.close())
        return await keys(engine)

    assert run(closed_after(engine_over(postgres_url), tried)) == ["its", "mine", "other"]


def test_a_connection_that_the_server_ends_inside_a_transaction_is_opened_anew_for_the_next(
    postgres: Server, postgres_url: str
) -> None:
    """As an administrator does, or a server that is restarted: the transaction is lost, and says so."""

    async def tried(engine: PostgresqlEngine) -> list[str]:
        with pytest.raises(StoreError, match="terminating connection due to administrator command"):
            async with engine.transaction() as tx:
                await tx.execute(PUT, "lost", 1, None)
                postgres.execute("SELECT pg_terminate_backend(%s, 60000)", await tx.value("SELECT pg_backend_pid()"))
                await tx.execute(PUT, "lost, too", 1, None)
        await put(engine, "kept")
        async with engine.session() as tx:
            pid = await tx.value("SELECT pg_backend_pid()")
        postgres.execute("SELECT pg_terminate_backend(%s)", pid)
        return await keys(engine)

    assert run(closed_after(engine_over(postgres_url), tried)) == ["kept"]


def test_a_server_that_says_nothing_any_more_is_given_up(own: Postgres) -> None:
    """As one is whose disk hangs: nobody waits for it without end, and it is written to when it answers again."""
    url = own.new_database()

    async def tried(engine: PostgresqlEngine) -> list[str]:
        await engine.make(SCHEMA)
        await put(engine, "kept")
        with pytest.raises(StoreError, match="the state: "):
            async with engine.transaction() as tx:
                await tx.execute(PUT, "lost", 1, None)
                own.pause()
                await tx.execute(PUT, "lost, too", 1, None)
        own.resume()
        await put(engine, "later")
        return await keys(engine)

    connector = Connector(parse_address(url))
    impatient = PostgresqlEngine(connector.connect, "the state", patience=0.5)
    assert run(closed_after(impatient, tried)) == ["kept", "later"]


@pytest.fixture(scope="module")
def own() -> Iterator[Postgres]:
    """A server that the tests of this file may treat badly, one after the other."""
    with postgres_running(max_connections="4", superuser_reserved_connections="1", autovacuum="off") as server:
        yield server


def test_what_returned_from_a_commit_is_on_disk_whatever_is_set_for_the_database(postgres: Server) -> None:
    """Where commits return before that, a server that dies loses what a hub counts as taken in."""
    url = postgres.new_database()
    name = sql.Identifier(parse_address(url).database)
    postgres.execute(sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(name))

    async def asked(engine: Engine) -> object:
        async with engine.session() as tx:
            return await tx.value("SHOW synchronous_commit")

    assert run(closed_after(engine_over(url), asked)) == "on"


def test_a_server_that_is_killed_and_started_again_is_written_to_as_before(own: Postgres) -> None:
    """What was committed is there, what was not is not, and while it is down each question is an error at once."""
    url = own.new_database()

    async def tried(engine: PostgresqlEngine) -> list[str]:
        await engine.make(SCHEMA)
        await put(engine, "kept")
        with pytest.raises(StoreError):
            async with engine.transaction() as tx:
                await tx.execute(PUT, "lost", 1, None)
                own.kill()
                await tx.execute(PUT, "lost, too", 1, None)
        for _ in range(2):
            with pytest.raises(StoreError):
                await keys(engine)
        own.start()
        await put(engine, "later")
        return await keys(engine)

    assert run(closed_after(engine_over(url), tried)) == ["kept", "later"]


def test_where_no_connection_is_left_each_question_is_an_error_until_one_is(own: Postgres) -> None:
    """A connection that others use is waited for by nobody: the work comes again."""
    url = own.new_database()

    async def tried(engine: PostgresqlEngine) -> list[str]:
        others = [await psycopg.AsyncConnection.connect(url) for _ in range(4)]
        with pytest.raises(StoreError, match="too many clients"):
            await keys(engine)
        await asyncio.gather(*(other.close() for other in others))
        await until(partial(goes, engine.make, SCHEMA))  # The server sees in its own time that they are gone.
        return await keys(engine)

    assert run(closed_after(engine_over(url), tried)) == []


def test_a_server_that_is_read_only_answers_and_refuses_each_write(own: Postgres) -> None:
    """As one is that has filled its disk, or that another took over from; it is written to again when it can be."""
    url = own.new_database()

    async def tried(engine: PostgresqlEngine) -> list[str]:
        await engine.make(SCHEMA)
        await put(engine, "kept")
        own.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        own.execute("SELECT pg_reload_conf()")
        with pytest.raises(StoreError, match="read-only"):
            while True:  # The server's processes hear of it in their own time.
                await put(engine, f"early {len(await keys(engine))}")
        own.execute("ALTER SYSTEM RESET ALL")
        own.execute("SELECT pg_reload_conf()")
        await until(partial(goes, put, engine, "later"))
        return [key for key in await keys(engine) if not key.startswith("early")]

    assert run(closed_after(engine_over(url), tried)) == ["kept", "later"]


def test_a_second_server_that_takes_over_has_all_that_was_committed(own: Postgres) -> None:
    """The name leads to it from then on; who asks sees an error at most, and asks again."""
    url = own.new_database()

    async def tried(engine: PostgresqlEngine, second: Postgres, way: Way) -> list[str]:
        await engine.make(SCHEMA)
        await put(engine, "kept")
        own.kill()
        way.server = second.url
        second.promote()
        await put(engine, "later")
        return await keys(engine)

    try:
        with standby_of(own) as second, Way(own.url) as way:
            found = run(closed_after(engine_over(way.to(url)), partial(tried, second=second, way=way)))
    finally:
        own.start(synchronous_standby_names="")
    assert found == ["kept", "later"]


def test_a_disk_that_is_full_refuses_each_write_and_no_question_until_there_is_room(own: Postgres) -> None:
    """What did not fit is not there in part, and the connection is fit for the next."""

    async def tried(engine: PostgresqlEngine, disk: SmallDisk) -> list[str]:
        await engine.make(SCHEMA)
        await put(engine, "kept")
        disk.fill()
        with pytest.raises(StoreError, match=r"database [a-z_0-9]+: has no room left on its disk"):
            async with engine.transaction() as tx:
                await tx.execute(PUT, "lost", 1, None)
                await tx.execute(PUT, "large", 1, random.Random(1).randbytes(1 << 20))  # noqa: S311
        left = await keys(engine)
        disk.free()
        await put(engine, "later")
        return [*left, *await keys(engine)]

    with ExitStack() as held:
        try:
            disk = held.enter_context(small_disk(own))
        except PermissionError as fault:
            pytest.skip(str(fault))
        held.callback(own.drop_databases)
        engine = engine_over(own.new_database("small"))
        assert run(closed_after(engine, partial(tried, disk=disk))) == ["kept", "kept", "later"]


def test_a_server_elsewhere_is_spoken_to_by_tls_that_is_verified(postgres: Server, tmp_path: Path) -> None:
    """Under a name that its certificate has, from an authority in the file that is named; else nothing is said to it."""
    authority, another = trustme.CA(), trustme.CA()
    for name, ca in (("ours", authority), ("another", another)):
        ca.cert_pem.write_to_path(str(tmp_path / name))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(ELSEWHERE).configure_cert(tls)

    async def tried(url: str, file: str) -> object:
        connector = Connector(parse_address(url), str(tmp_path / file))
        engine = PostgresqlEngine(connector.connect, connector.address.name)
        return await closed_after(engine, _one)

    with Way(postgres.url, tls) as way:
        assert run(tried(way.to(postgres.url, ELSEWHERE), "ours")) == 1
        for file in ("another", "none"):
            with pytest.raises(
                StoreError, match=f"{ELSEWHERE}, database postgres: cannot be reached: .*(certificate|none)"
            ):
                run(tried(way.to(postgres.url, ELSEWHERE), file))
    with Way(postgres.url) as way, pytest.raises(StoreError, match="server does not support SSL, but SSL was required"):
        run(tried(way.to(postgres.url, ELSEWHERE), "ours"))


ELSEWHERE = "0.0.0.0"  # noqa: S104
"""An address that leads to this machine, and is none of it by the rules of the connection."""


async def _one(engine: Engine) -> object:
    async with engine.session() as tx:
        return await tx.value("SELECT 1")


def test_a_password_that_expires_is_asked_for_anew_at_the_next_connection(own: Postgres) -> None:
    """As a token does. The connection that is open goes on; where none is given that counts, the words hold neither."""
    role = sql.Identifier(BY_PASSWORD)
    own.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(role))
    own.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'first-one'").format(role))
    address = parse_address(own.url.replace("//postgres@", f"//{BY_PASSWORD}@"))
    tokens = ["first-one"]

    async def token() -> str:
        return tokens[-1]

    async def tried(engine: Engine) -> object:
        assert await _one(engine) == 1
        own.execute(sql.SQL("ALTER ROLE {} PASSWORD 'second-one'").format(role))
        assert await _one(engine) == 1
        own.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename=%s", BY_PASSWORD)
        for _ in range(2):
            with pytest.raises(StoreError) as caught:
                await _one(engine)
            assert "refuses the connection: password authentication failed" in str(caught.value)
            assert "-one" not in str(caught.value)
        tokens.append("second-one")
        return await _one(engine)

    engine = PostgresqlEngine(Connector(address, token=token).connect, address.name)
    assert run(closed_after(engine, tried)) == 1
    own.execute(sql.SQL("DROP ROLE {}").format(role))
