"""What both engines promise of SQL, and PostgreSQL's while it is treated badly."""

from __future__ import annotations

import asyncio
import sqlite3
import ssl
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
import trustme
from hypothesis import example, given
from hypothesis import strategies as st
from psycopg import sql

from router.domain.errors import StoreError, Unstorable
from router.store import postgresql
from router.store.conninfo import Connector, parse_address
from router.store.postgresql import PostgresqlStore
from router.store.store import Transaction
from tests.stack.postgres import BY_PASSWORD, EmptiedDatabase, Postgres, Server, Way, postgres_running, standby_of
from tests.store.acts import HOUR, awaited, run
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
_BY_LOCALE = """
SELECT count(*) FROM information_schema.columns
WHERE table_name='things' AND data_type='text' AND collation_name IS DISTINCT FROM 'C'
"""
NUMBER_OF = "SELECT number FROM things WHERE key=?"


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Store]:
    """An engine over an empty file."""
    store = open_store(tmp_path)
    run(store.make(SCHEMA))
    yield store
    run(store.close())


@pytest.fixture(scope="module")
def database(postgres: Server) -> Iterator[EmptiedDatabase]:
    """A database that has our tables."""
    with EmptiedDatabase(postgres.new_database()) as made:
        engine = engine_over(made.url)
        run(engine.make(SCHEMA))
        run(engine.close())
        yield made


@pytest.fixture
def url(database: EmptiedDatabase) -> Iterator[str]:
    """The URL of a database with our tables, in which there is nothing."""
    yield database.url
    database.empty()


type Open = Callable[..., PostgresqlStore]


@pytest.fixture
def over() -> Iterator[Open]:
    """Opens engines over a database, which are closed in the end."""
    opened: list[PostgresqlStore] = []

    def over(*args: str, **more: Any) -> PostgresqlStore:
        opened.append(engine_over(*args, **more))
        return opened[-1]

    yield over
    for one in opened:
        run(one.close())


@pytest.fixture
def pg(url: str, over: Open) -> PostgresqlStore:
    """An engine over such a database."""
    return over(url)


@pytest.fixture(params=["sqlite", "pg"])
def engine(request: pytest.FixtureRequest) -> Store:
    """Each engine, with tables in which there is nothing."""
    engine: Store = request.getfixturevalue(request.param)
    return engine


async def keys(engine: Store) -> list[str]:
    """The keys of all things."""
    async with engine.session() as tx:
        return [row.text("key") for row in await tx.fetch("SELECT key FROM things ORDER BY key")]


async def put_and_ask_last(tx: Transaction, name: str, question: str = "SELECT key FROM things") -> int:
    """Puts a thing, and ends the transaction with a question; returns how many rows that finds."""
    await tx.write(PUT_AGAIN, name, 1, None)
    return len(await tx.fetch(question, is_last=True))


async def number_of(engine: Store, key: str) -> object:
    """The number of a thing."""
    async with engine.session() as tx:
        return await tx.value(NUMBER_OF, key)


async def put(engine: Store, *names: str) -> None:
    """Puts things in a transaction, one statement each."""

    async def work(tx: Transaction) -> None:
        for name in names:
            await tx.execute(PUT, name, 1, None)

    await engine.run(work)


async def goes(do: Callable[..., Awaitable[object]], *with_what: object) -> bool:
    """Whether the state does something now."""
    try:
        await do(*with_what)
    except StoreError:
        return False
    return True


@awaited
async def test_what_is_put_is_found_as_it_was(engine: Store) -> None:
    """Texts of all of Unicode, numbers to both ends, bytes of any value, and nothing at all."""
    rows = [("", 0, b""), ("é😀'%s?", 2**63 - 1, bytes(range(256))), ("none", None, None), ("low", -(2**63), b"\0")]
    async with engine.transaction() as tx:
        await tx.execute_many(PUT, rows)
        await tx.execute_many(PUT, [])
        for key, number, body in rows:
            found = await tx.find("SELECT number, body FROM things WHERE key=?", key)
            assert found is not None
            assert (found.raw("number"), found.raw("body")) == (number, body)
        assert await tx.value("SELECT count(*) FROM things") == 4
        assert await tx.value(NUMBER_OF, "nobody") is None
        assert await tx.find(NUMBER_OF, "nobody") is None
        # Rows are numbered in the order in which they came.
        await tx.execute_many("INSERT INTO placed (name) VALUES (?)", [("first",), ("second",)])
        await tx.execute("INSERT INTO placed (name) VALUES (?)", "third")
        names = [row.text("name") for row in await tx.fetch("SELECT name FROM placed ORDER BY place")]
        assert names == ["first", "second", "third"]


def test_any_text_and_any_number_come_back_the_same_from_both(sqlite: Store, pg: Store) -> None:
    """NUL, lone surrogates and numbers beyond 64 bits, which one engine or the other holds in no column."""

    async def held(engine: Store, key: str, number: int) -> object:
        async with engine.transaction() as tx:
            await tx.execute("DELETE FROM things")
            await tx.execute(PUT, key, number, None)
            assert await tx.value("SELECT count(*) FROM things WHERE key = ANY(?)", [key, "other"]) == 1
            row = await tx.find("SELECT key, number FROM things WHERE key=? AND number=?", key, number)
            return row and (row.raw("key"), row.raw("number"))

    @given(st.text(st.characters()), st.integers(-(2**70), 2**70))
    @example("\0\ud800", 2**63)
    def whatever(key: str, number: int) -> None:
        assert run(held(sqlite, key, number)) == run(held(pg, key, number)) is not None

    whatever()


@awaited
async def test_lists_are_asked_of_as_sets_and_texts_ordered_by_their_bytes(engine: Store) -> None:
    """Also the empty list, and lists of numbers. A page that goes on after a key leaves nothing out on either engine."""
    await put(engine, "b", "é", "B", "😀", "a", "ﬀ")
    assert await keys(engine) == ["B", "a", "b", "é", "ﬀ", "😀"]
    async with engine.session() as tx:
        for among, names in ((["a", "é", "x"], "aé"), ([], ""), (("b",), "b")):
            found = await tx.fetch("SELECT key FROM things WHERE key = ANY(?) ORDER BY key", among)
            assert "".join(row.text("key") for row in found) == names
        assert await tx.value("SELECT count(*) FROM things WHERE key <> ALL(?)", ["a"]) == 5
        assert await tx.value("SELECT count(*) FROM things WHERE key <> ALL(?)", []) == 6
        assert await tx.value("SELECT count(*) FROM things WHERE number = ANY(?)", [1, 2**40]) == 6
        if engine.is_shared:  # Whatever the locale of the database, which is C where it is made in no other one.
            assert await tx.value(_BY_LOCALE) == 0


@awaited
async def test_work_is_kept_whole_or_not_at_all(engine: Store, caplog: pytest.LogCaptureFixture) -> None:
    """What it raises is not tried again. Work inside other work is part of that, at the same time by the state's clock."""
    calls: list[str] = []

    async def work(tx: Transaction, name: str, fault: Exception | None = None) -> int:
        calls.append(name)
        await tx.execute(PUT, name, 1, None)
        if fault is not None:
            raise fault
        return len(calls)

    async def outer(tx: Transaction) -> None:
        assert before <= tx.now <= datetime.now(UTC)
        await engine.run(partial(work, name="inner"))
        async with engine.transaction() as same, engine.session() as also:
            assert same.now == also.now == tx.now
            assert await also.value("SELECT count(*) FROM things") == 2
        await engine.run(partial(work, name="lost", fault=ZeroDivisionError()))

    before = datetime.now(UTC)
    assert await engine.run(partial(work, name="kept")) == 1
    for fault in (ZeroDivisionError(), StoreError("its own")):
        with pytest.raises(type(fault)):
            await engine.run(partial(work, name="lost", fault=fault))
    with pytest.raises(ZeroDivisionError):
        await engine.run(outer)
    with pytest.raises(StoreError):
        await put(engine, "lost", "kept")
    assert calls == ["kept", "lost", "lost", "inner", "lost"]
    assert caplog.messages == [], "a log that is set up nowhere is standard error, on which a command has one line"
    # A session may be begun inside a session, and a transaction too: nothing waits for itself.
    async with engine.session() as first, engine.session() as inner:
        assert before <= first.now <= datetime.now(UTC)
        assert await inner.value("SELECT count(*) FROM things") == 1
        await put(engine, "a")
        assert await first.value("SELECT count(*) FROM things") == 2
    assert await engine.run(partial(put_and_ask_last, name="last")) == 3
    with pytest.raises(StoreError):
        await engine.run(partial(put_and_ask_last, name="lost", question="no SQL"))
    assert await keys(engine) == ["a", "kept", "last"]


@awaited
async def test_tasks_and_processes_write_one_after_the_other(engine: Store, url: str, over: Open) -> None:
    """None sees half of what another writes; what one read, who waited for the lock, is still so when it writes."""

    async def add(engine: Store) -> None:
        for _ in range(5):
            async with engine.transaction() as tx:
                await tx.wait_for("things")
                number = await tx.value(NUMBER_OF, "sum") or 0
                await tx.execute(PUT_AGAIN, "sum", number + 1, None)

    engines = [engine, engine, *([over(url)] * 2 if isinstance(engine, PostgresqlStore) else [])]
    await asyncio.gather(*map(add, engines))
    assert await number_of(engine, "sum") == 5 * len(engines)


@awaited
async def test_the_servers_clock_is_looked_at_with_each_connection_and_where_ours_is_set(
    postgres: Server, url: str, over: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It costs no other statement a wait; a server that another one took over from is believed at once."""
    wrong = timedelta()
    with Way(postgres.url) as way:
        engine = over(way.to(url), machine=lambda: datetime.now(UTC) + wrong)
        for wrong in (timedelta(), HOUR, -HOUR):
            way.cut()
            await keys(engine)
            trips = way.trips
            await keys(engine)
            await put(engine, f"{wrong}")
            assert way.trips - trips == 3
            assert round((engine.now() - datetime.now(UTC)) / HOUR) == -wrong / HOUR
        await engine.close()
    moving = over(url, clock=lambda: datetime.now(UTC) + wrong, machine=lambda: datetime.now(UTC) + wrong)
    for ahead in (HOUR, timedelta(), -HOUR):
        wrong = ahead
        async with moving.transaction() as tx:
            assert abs(tx.now - datetime.now(UTC)) < timedelta(minutes=1)
    # It is everybody's: one that does not move stays as it is to the microsecond, by as much as this machine's differs.
    given = datetime(2030, 1, 1, tzinfo=UTC)
    for wrong in (timedelta(minutes=-10), timedelta(), timedelta(days=3650)):
        standing = over(url, clock=lambda: given, machine=partial(lambda ahead: datetime.now(UTC) + ahead, wrong))
        async with standing.session() as other:
            assert abs(other.now - (given - wrong)) < timedelta(minutes=5)
            assert wrong or other.now == given
    # A machine that sleeps does not count the time.
    awake = vars(postgresql)["monotonic"]
    monkeypatch.setattr(postgresql, "monotonic", lambda: awake() - HOUR.total_seconds())
    async with moving.transaction() as tx:
        assert abs(tx.now - datetime.now(UTC)) < timedelta(minutes=1)


COUNT = """
INSERT INTO counts (hour, id, cell, count) VALUES (?,?,?,0) ON CONFLICT (hour, id) DO UPDATE SET count=counts.count+1
"""
RECOUNT = "UPDATE counts SET count=count+?, cell=? WHERE hour=? AND id=?"
SET_ASIDE = """
INSERT INTO quarantine (id, source, at, origin, place, part, code, words, body) VALUES (?,?,?,?,?,?,?,?,?)
"""
UNCOUNT = "DELETE FROM counts WHERE hour=? AND id=?"


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("many", [1, 3])
def test_many_rows_are_written_as_if_one_after_the_other(store: Store, many: int) -> None:
    """Also where some name the same row, and in whatever way the engine sends them."""
    cells = [(number % 7, f"é{number % (7 * many)}", "{}") for number in range(7 * many * 2)]
    some = sorted(set(cells))[:5]

    async def work(tx: Transaction) -> list[int]:
        for written in ([], cells, some):
            await tx.write_many(COUNT, written)
        recounted = [(10, "a", *cells[0][:2]), (20, "b", *cells[0][:2]), (9, "c", 99, "none")]
        changed = await tx.execute_many(RECOUNT, recounted)
        gone = await tx.execute_many(UNCOUNT, [one[:2] for one in cells[:2]])
        left = await tx.fetch("SELECT count FROM counts ORDER BY hour, id")
        return [changed, gone, *(row.whole("count") for row in left)]

    whole: dict[tuple[int, str, str], int] = {}
    for one in [*cells, *some]:
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


@pytest.mark.usefixtures("either")
def test_a_fault_of_what_is_written_keeps_all_of_a_transaction_out(store: Store) -> None:
    """It is seen where the transaction ends at the latest."""

    async def work(tx: Transaction) -> None:
        await tx.write(UNCOUNT, 1, "a")
        await tx.write_many(COUNT, [(1, "a", "{}")])
        await tx.write("INSERT INTO counts (hour, id, cell, count) VALUES (2, 'a', 'b', NULL)")

    with pytest.raises((StoreError, sqlite3.Error)):
        run(store.run(work))
    assert run(store.run(lambda tx: tx.value("SELECT count(*) FROM counts"))) == 0


@pytest.mark.parametrize("how", ["raised", "reworded", "hidden"])
@awaited
async def test_work_that_another_overtook_is_run_again_whole(url: str, over: Open, how: str) -> None:
    """What it read is no more so, and the server may not let it write; whatever the work makes of that."""
    tries: list[int] = []
    engine = over(url, "SET default_transaction_isolation = 'serializable'")
    await put(engine, "sum")
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as other:

        async def work(tx: Transaction) -> int:
            tries.append(int(await tx.value(NUMBER_OF, "sum")))
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
    assert await number_of(engine, "sum") == 12
    assert await keys(engine) == ["made of 11", "sum"]
    assert tries == [1, 11]


@awaited
async def test_work_that_is_broken_off_is_run_again_whole_and_given_up_where_it_is_each_time(pg: Store) -> None:
    """Where another was faster, or as a deadlock's victim. Then the state has failed, as it says, and nothing is kept; work
    within it is not tried by itself."""
    calls: list[str] = []

    async def broken_off(tx: Transaction, code: str) -> None:
        calls.append("inner")
        await tx.execute(f"DO 'BEGIN RAISE EXCEPTION SQLSTATE ''{code}'' USING MESSAGE = ''overtaken''; END'")

    async def work(tx: Transaction, code: str, times: int = 99) -> None:
        calls.append("outer")
        await tx.execute(PUT, f"{len(calls)}", 1, None)
        if calls.count("outer") <= times:
            await pg.run(partial(broken_off, code=code))

    for code in ("40001", "40P01"):
        calls.clear()
        with pytest.raises(StoreError, match="overtaken"):
            await pg.run(partial(work, code=code))
        assert (await keys(pg), calls) == ([], ["outer", "inner"] * 8)
    calls.clear()
    await pg.run(partial(work, code="40P01", times=1))
    assert (await keys(pg), calls) == (["3"], ["outer", "inner", "outer"])


@awaited
async def test_a_statement_that_is_refused_is_told_from_a_state_that_fails(pg: Store) -> None:
    """A batch of which one message is at fault is tried singly. The server would answer a commit as if all were well."""
    with pytest.raises(Unstorable):
        async with pg.transaction() as tx:
            # Random enough that it cannot be compressed into a page of the index.
            await tx.execute(PUT, "".join(map(chr, range(40_000, 46_000))), 1, None)
    with pytest.raises(StoreError, match="duplicate key") as caught:
        async with pg.transaction() as tx:
            await tx.execute(PUT, "lost", 1, None)
            await goes(tx.execute, PUT, "lost", 1, None)
    assert not isinstance(caught.value, Unstorable)
    assert await keys(pg) == []


# --- PostgreSQL treated badly


STATEMENTS = 3


@pytest.mark.parametrize("is_after", [False, True])
@awaited
async def test_a_line_cut_anywhere_leaves_all_or_nothing(
    postgres: Server, url: str, over: Open, is_after: bool
) -> None:
    """It is tried again by who asked for it, on the same engine; that its commit was not heard of does not show."""
    with Way(postgres.url) as way:
        for trip in range(1, STATEMENTS + 2):
            engine, names = over(way.to(url)), [f"{trip}-{number}" for number in range(STATEMENTS)]
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
            await engine.close()
            assert left in ([], names)
            # What broke before anything was answered is begun anew; a commit whose answer was lost was made.
            assert failed == (trip > 1), trip
            if trip <= STATEMENTS or is_after:
                assert bool(left) == (trip in (1, STATEMENTS + 1)), trip
        engine, before = over(way.to(url)), await keys(over(url))
        await keys(engine)
        way.cut_at(1, is_after=is_after)
        assert await engine.run(partial(put_and_ask_last, name="last")) == len(before) + 1


@pytest.mark.parametrize("is_after", [False, True])
@awaited
async def test_a_lone_statement_that_reads_is_asked_again(
    postgres: Server, url: str, over: Open, is_after: bool
) -> None:
    """What wrote and was not answered may have been carried out; a line that broke while it was idle is noticed late."""
    with Way(postgres.url) as way:
        engine = over(way.to(url))
        await put(engine, "a")
        async with engine.session() as tx:
            way.cut_at(1, is_after=is_after)
            with pytest.raises(StoreError):
                await tx.execute("UPDATE things SET number=number+1")
            await keys(engine)
            way.cut_at(1, is_after=is_after)
            assert await tx.value(NUMBER_OF, "a") == (2 if is_after else 1)
        await engine.close()


@awaited
async def test_one_who_gives_up_waiting_for_the_lock_can_write_later(url: str, over: Open) -> None:
    """A task that is cancelled, or whose patience for the lock ends, leaves its connection fit for the next."""
    engine, other, impatient = over(url), over(url), over(url, "SET lock_timeout = 1")

    async def put_alone(engine: Store, name: str) -> None:
        async with engine.transaction() as tx:
            await tx.wait_for("things")
            await tx.execute(PUT, name, 1, None)

    async with other.transaction() as tx:
        await tx.wait_for("things")
        await tx.execute(PUT, "other", 1, None)
        waiting = asyncio.ensure_future(put_alone(engine, "cancelled"))
        await asyncio.sleep(0)
        while not await tx.value("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype='advisory'"):
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        with pytest.raises(StoreError, match="lock timeout"):
            await put_alone(impatient, "impatient")
    await put_alone(engine, "mine")
    await put_alone(impatient, "its")
    assert await keys(engine) == ["its", "mine", "other"]


@awaited
async def test_a_connection_that_the_server_ends_is_opened_anew_for_the_next(postgres: Server, pg: Store) -> None:
    """As an administrator does, or a server that is restarted: the transaction is lost, and says why."""
    with pytest.raises(StoreError, match="terminating connection due to administrator command"):
        async with pg.transaction() as tx:
            await tx.execute(PUT, "lost", 1, None)
            pid = await tx.value("SELECT pg_backend_pid()")
            postgres.execute("SELECT pg_terminate_backend(%s, 60000)", pid)
            await tx.execute(PUT, "lost, too", 1, None)
    await put(pg, "kept")
    async with pg.session() as tx:
        pid = await tx.value("SELECT pg_backend_pid()")
    postgres.execute("SELECT pg_terminate_backend(%s)", pid)
    assert await keys(pg) == ["kept"]


@pytest.fixture(scope="module")
def own() -> Iterator[Postgres]:
    """A server that the tests of this file may treat badly, one after the other."""
    with postgres_running(max_connections="4", superuser_reserved_connections="1", autovacuum="off") as server:
        yield server


@pytest.fixture
def survivor(own: Postgres, over: Open) -> PostgresqlStore:
    """An engine over a database of it, in which one thing was put before the server is treated badly."""
    engine = over(own.new_database())
    run(engine.make(SCHEMA))
    run(put(engine, "kept"))
    return engine


async def _lost(engine: Store, happens: Callable[[], object], body: bytes | None = None) -> None:
    """A transaction between two statements of which something happens to the server."""
    async with engine.transaction() as tx:
        await tx.execute(PUT, "lost", 1, None)
        happens()
        await tx.execute(PUT, "lost, too", 1, body)


async def _is_written_to_again(engine: Store) -> None:
    """What was committed is there, what was not is not, and the next thing can be put, which is taken away again."""
    await put(engine, "later")
    assert [key for key in await keys(engine) if not key.startswith("early")] == ["kept", "later"]
    await changed(engine, "DELETE FROM things WHERE key<>'kept'")


@awaited
async def test_a_server_is_written_to_again_when_it_can_be(own: Postgres, survivor: PostgresqlStore) -> None:
    """One that hangs, dies, is full or read-only. Each question is an error meanwhile, or answered: none waits without end for
    a server whose disk hangs, nor for a connection that others use. One that is read-only refuses each write."""
    impatient = PostgresqlStore(survivor._connect, "the state", patience=0.5)
    with pytest.raises(StoreError, match="the state: "):
        await _lost(impatient, own.pause)
    own.resume()
    await _is_written_to_again(impatient)
    await impatient.close()
    with pytest.raises(StoreError):
        await _lost(survivor, own.kill)
    for _ in range(2):
        with pytest.raises(StoreError):
            await keys(survivor)
    own.start()
    await _is_written_to_again(survivor)
    await survivor.close()
    url = own.new_database()
    others = [await psycopg.AsyncConnection.connect(url) for _ in range(4)]
    with pytest.raises(StoreError, match="too many clients"):
        await keys(survivor)
    await asyncio.gather(*(other.close() for other in others))
    await until(partial(goes, keys, survivor))  # The server sees in its own time that they are gone.
    await _is_written_to_again(survivor)
    own.execute("ALTER SYSTEM SET default_transaction_read_only = on")
    own.execute("SELECT pg_reload_conf()")
    with pytest.raises(StoreError, match="is read-only"):
        while True:  # The server's processes hear of it in their own time.
            await put(survivor, f"early {len(await keys(survivor))}")
    own.execute("ALTER SYSTEM RESET ALL")
    own.execute("SELECT pg_reload_conf()")
    await until(partial(goes, put, survivor, "early, too"))
    await _is_written_to_again(survivor)


@awaited
async def test_a_second_server_that_takes_over_has_all_that_was_committed(own: Postgres, over: Open) -> None:
    """The name leads to it from then on; who asks sees an error at most, and asks again."""
    url = own.new_database()
    try:
        with standby_of(own) as second, Way(own.url) as way:
            engine = over(way.to(url))
            await engine.make(SCHEMA)
            await put(engine, "kept")
            own.kill()
            way.server = second.url
            second.promote()
            await _is_written_to_again(engine)
            await engine.close()
    finally:
        own.start(synchronous_standby_names="")


@awaited
async def test_a_full_disk_refuses_each_write_and_no_question_until_there_is_room(postgres: Server, over: Open) -> None:
    """What did not fit is not there in part, and the connection is fit for the next."""
    url = postgres.new_database()
    engine = over(url)
    await engine.make(SCHEMA)
    await put(engine, "kept")
    with psycopg.connect(url, autocommit=True) as server:
        # As the server says it where no block can be added to a file.
        server.execute("CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE disk_full; END'")
        full = "CREATE TRIGGER full_disk BEFORE INSERT ON things FOR EACH ROW WHEN (NEW.body IS NOT NULL)"
        server.execute(f"{full} EXECUTE FUNCTION fill()")
        with pytest.raises(StoreError, match=r"database [a-z_0-9]+: has no room left on its disk"):
            await _lost(engine, int, b"too much")
        assert await keys(engine) == ["kept"]
        server.execute("DROP TRIGGER full_disk ON things")
    await _is_written_to_again(engine)
    await engine.close()


@awaited
async def test_a_session_is_set_up_by_us_whatever_is_set_for_the_database(postgres: Server, over: Open) -> None:
    """Where commits return before they are on disk, a server that dies loses what a hub counts as taken in."""
    url = postgres.new_database()
    name = sql.Identifier(parse_address(url).database)
    ours = {"synchronous_commit": "on", "lock_timeout": "30s", "default_transaction_isolation": "read committed"}
    ours |= {"idle_in_transaction_session_timeout": "1min", "transaction_timeout": "2min"}
    ours |= {"client_min_messages": "warning"}
    theirs = ("off", "7", "serializable", "7", "7", "debug")
    for setting, value in zip(ours, theirs, strict=True):
        alter = sql.SQL("ALTER DATABASE {} SET {} = {}")
        postgres.execute(alter.format(name, sql.Identifier(setting), sql.Literal(value)))
    async with over(url).session() as tx:
        assert {setting: await tx.value(f"SHOW {setting}") for setting in ours} == ours
        named = "SELECT application_name FROM pg_stat_activity WHERE pid=pg_backend_pid()"
        assert await tx.value(named) == "alert-router"


ELSEWHERE = "0.0.0.0"  # noqa: S104
"""An address that leads to this machine, and is none of it by the rules of the connection."""


def test_a_server_elsewhere_is_spoken_to_by_tls_that_is_verified(postgres: Server, tmp_path: Path) -> None:
    """Under a name that its certificate has, from an authority in the file that is named; else nothing is said to it."""
    authority, another = trustme.CA(), trustme.CA()
    for name, ca in (("ours", authority), ("another", another)):
        ca.cert_pem.write_to_path(str(tmp_path / name))

    def asked(way: Way, file: str) -> object:
        connector = Connector(parse_address(way.to(postgres.url, ELSEWHERE)), str(tmp_path / file))
        engine = PostgresqlStore(connector.connect, connector.address.name)
        try:
            return run(engine.run(lambda tx: tx.value("SELECT 1")))
        finally:
            run(engine.close())

    for named in (ELSEWHERE, "pg.contoso.com"):
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(named).configure_cert(tls)
        with Way(postgres.url, tls) as way:
            if named == ELSEWHERE:
                assert asked(way, "ours") == 1
            for file in ("another", "none") if named == ELSEWHERE else ("ours",):
                refused = f"{ELSEWHERE}, database postgres: cannot be reached: .*(certificate|none)"
                with pytest.raises(StoreError, match=refused):
                    asked(way, file)
            assert way.refused_plain == 0
    with Way(postgres.url) as way, pytest.raises(StoreError, match="server does not support SSL, but SSL was required"):
        asked(way, "ours")


@awaited
async def test_a_password_is_asked_for_with_each_connection_and_looked_for_nowhere(
    own: Postgres, over: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token ends. The connection that is open goes on; where none is given that counts, the words hold neither."""
    role = sql.Identifier(BY_PASSWORD)
    own.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(role))
    own.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'first-one'").format(role))
    address = parse_address(own.url.replace("//postgres@", f"//{BY_PASSWORD}@"))
    (tmp_path / ".pgpass").write_text("*:*:*:*:first-one\n")
    (tmp_path / ".pgpass").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(StoreError, match=r"the connection: asks for a password; ALERT_ROUTER_STATE may hold it$"):
        await Connector(address).connect()
    tokens = ["first-one"]

    async def token() -> str:
        return tokens[-1]

    async def one() -> object:
        async with signing_in.session() as tx:
            return await tx.value("SELECT 1")

    signing_in = PostgresqlStore(Connector(address, token=token).connect, address.name)
    assert await one() == 1
    own.execute(sql.SQL("ALTER ROLE {} PASSWORD 'second-one'").format(role))
    assert await one() == 1
    own.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename=%s", BY_PASSWORD)
    for _ in range(2):
        with pytest.raises(StoreError, match="refuses the connection: password authentication failed") as caught:
            await one()
        assert "-one" not in str(caught.value)
    tokens.append("second-one")
    assert await one() == 1
    await signing_in.close()
    own.execute(sql.SQL("DROP ROLE {}").format(role))
