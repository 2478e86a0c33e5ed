"""The form of a state: what is written of each value, the steps that carry tables forward, and where it is."""

from __future__ import annotations

import asyncio
import builtins
import json
import re
import types
from collections import abc
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from copy import replace
from itertools import count
from pathlib import Path
from threading import Barrier
from typing import Any, NamedTuple, Never, TypeAliasType, get_args, get_origin, get_type_hints
from zlib import crc32

import orjson
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain.deliveries import Receipt
from router.domain.errors import StoreError, Undecodable
from router.domain.notices import Notice, RecordEntry
from router.domain.rule_fields import RuleFields
from router.domain.signals import Stream
from router.domain.values import Value
from router.store.codec import _WORDS, Columns, RowForm, content_of, decision_in, decode, encode, pack, tag_of
from router.store.conninfo import Connector, PostgresqlAddress, parse_address, parse_state
from router.store.decisions import put_on_record
from router.store.groups import GroupState
from router.store.sqlite import StateFile, at_once
from router.store.store import STEPS, VERSION, tables_in
from tests.newer import STEP, step_over
from tests.stack.postgres import Server, Way
from tests.store.acts import awaited, run
from tests.store.builders import an_entry
from tests.store.deadly import Deadly
from tests.store.life import Life
from tests.store.opened import Store, engine_over, open_store, rows_in
from tests.store.within import within
from tests.waiting import until

TYPES: Mapping[str, type[Any]] = {one.__name__: one for one in (Notice, RecordEntry, Receipt, GroupState, RuleFields)}
FORMS: Mapping[str, Any] = json.loads((Path(__file__).with_name("forms.json")).read_bytes())
"""One value of each type with everything in it, as it has always been written."""


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a type, at every depth also of what has a default."""
    if isinstance(hint, type) and issubclass(hint, Value):
        hints = get_type_hints(hint)
        return st.builds(hint, **{name: values_of(hints[name]) for name in hint.__struct_fields__})
    if isinstance(hint, TypeAliasType):
        return values_of(hint.__value__)
    parts = get_args(hint)
    match get_origin(hint):
        case builtins.tuple if parts[-1] is Ellipsis:
            return st.lists(values_of(parts[0]), max_size=2).map(tuple)
        case builtins.tuple:
            return st.tuples(*map(values_of, parts))
        case abc.Mapping:
            return st.dictionaries(_TEXTS, values_of(parts[1]), max_size=2)
        case types.UnionType:
            return st.one_of(*map(values_of, parts))
    return _PLAIN[hint] if hint in _PLAIN else st.from_type(hint)


_TEXTS = st.text(max_size=4)
_PLAIN: Mapping[Any, st.SearchStrategy[Any]] = {str: _TEXTS, int: st.integers(-(2**63), 2**63 - 1)}


def test_each_type_is_written_as_it_always_was() -> None:
    """To the byte, with everything that it can hold, in its order."""
    for name, form in FORMS.items():
        text = orjson.dumps(form)
        if name in TYPES:
            value = decode(TYPES[name], text)
            assert encode(value) == text
            if isinstance(value, Notice | RecordEntry):
                assert content_of(tag_of(value), pack(value)) == value
    # To these words refers what was deflated before.
    assert crc32(_WORDS) == 778250697
    assert TYPES.keys() <= FORMS.keys()


@given(st.one_of([values_of(type) for type in TYPES.values()]))
def test_values_come_back(value: Any) -> None:
    """Whatever is in them."""
    assert decode(type(value), encode(value)) == value


class Names(NamedTuple):
    """A row with names."""

    a: frozenset[str]


class Turns(NamedTuple):
    """A row with turns."""

    a: Mapping[str, int]


NO_ANSWERS: Sequence[tuple[str | type, object, str]] = (
    ("text", "\udcff", "is no text"),
    ("text", None, "is no text"),
    ("whole", True, "is no number from 0 to"),
    ("whole", -1, "is no number from 0 to"),
    ("flag", 2, "is no yes or no"),
    ("time", 2**62, "is no instant"),
    ("time", None, "is no instant"),
    ("find_time", "", "is no instant"),
    ("body", "{}", "is no body"),
    (Names, "{", "is no JSON"),
    (Names, "[1]", "is no list of names"),
    (Turns, '{"a":0}', "is no list of turns"),
    (Turns, "[]", "is no list of turns"),
)


def test_a_column_that_has_no_answer_is_named() -> None:
    """The line says what is at fault, and quotes nothing of it."""
    for column, value, why in NO_ANSWERS:
        with pytest.raises(Undecodable, match=f"^a: {why}"):
            row = Columns({"a": value})
            RowForm(column).read(row) if isinstance(column, type) else getattr(row, column)("a")


def test_a_body_or_a_word_that_this_version_does_not_know_is_named() -> None:
    """A word may be of a later version; a body may have lost a part, its tag, or itself."""
    with pytest.raises(Undecodable, match=r"^a: is no word that this version knows$"):
        Columns({"a": "nonsense"}).word("a", Stream)
    with pytest.raises(Undecodable, match=r"^Notice: .*missing required field `name` - at `\$\.tactics\[0\]`$"):
        decode(Notice, orjson.dumps(FORMS["Notice"] | {"tactics": [{"id": "TA0002"}]}))
    with pytest.raises(Undecodable, match=r"^type: is nothing that a delivery tells$"):
        content_of("Receipt", pack(Receipt()))
    with pytest.raises(Undecodable, match=r"^body: what it tells is there no more$"):
        content_of("Notice", None)


def test_a_decision_with_a_time_or_an_outcome_that_is_none_is_damaged() -> None:
    """Decisions are sorted and counted by a time with its zone. One that is whole is read as it was written."""
    for field in ("at", "suppressed_until"):
        for written in ("", "no time", "2026-11-24T12:00:00", "9999-12-31T23:59:59-23:59"):
            with pytest.raises(Undecodable, match=f"^{field}: is no instant$"):
                decision_in(pack(an_entry(**{field: written})))
    with pytest.raises(Undecodable, match=r"^outcome: "):
        decision_in(pack(an_entry(outcome="lost")))
    for entry in (an_entry(), an_entry(outcome="suppressed", suppressed_until="2026-12-31T00:00:00+01:00")):
        assert decision_in(pack(entry)) == entry


# Steps carry the tables of a state forward: each once, in order, by one of several processes.


LATER = (*STEPS, "CREATE TABLE later (number BIGINT);", "INSERT INTO later (number) VALUES (7);")
"""What a program two versions ahead would carry out: the last step needs the one before, and is noticed if it is done twice."""

NEXT = (*STEPS, STEP)
"""What a program one version ahead carries out: this one may go on and begin beside it."""

AT_ONCE = 4
"""Processes that begin at the same time."""


@pytest.fixture(params=["sqlite", "postgresql"])
def home(request: pytest.FixtureRequest) -> Path | str:
    """Where a state is to be, of each kind."""
    if request.param == "sqlite":
        return Path(request.getfixturevalue("tmp_path"))
    return str(request.getfixturevalue("postgres").new_database())


@pytest.fixture
def engine(home: Path | str) -> Iterator[Store]:
    """An engine over an empty state there."""
    made: Store = engine_over(home) if isinstance(home, str) else StateFile(home)
    yield made
    run(made.close())


def steps_done_by_many(home: Path | str, steps: Sequence[str]) -> list[int]:
    """How many steps each of several programs carried out that began at once, and then again."""
    if isinstance(home, Path):
        barrier = Barrier(AT_ONCE)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            done = [pool.submit(_steps_done_in_file, home, steps, barrier) for _ in range(AT_ONCE)]
            return [one for each in done for one in each.result()]

    async def all_at_once() -> list[int]:
        engines = [engine_over(home) for _ in range(AT_ONCE)]
        done = [await asyncio.gather(*(one.upgrade(steps) for one in engines)) for _ in range(2)]
        await asyncio.gather(*(one.close() for one in engines))
        return [*done[0], *done[1]]

    return run(all_at_once())


def _steps_done_in_file(directory: Path, steps: Sequence[str], barrier: Barrier) -> list[int]:
    engine = StateFile(directory)
    barrier.wait()
    done = [at_once(engine.upgrade(steps)) for _ in range(2)]
    at_once(engine.close())
    return done


def test_each_step_is_carried_out_once_and_in_order_by_one_of_many_processes(home: Path | str, engine: Store) -> None:
    """All end when the state is of their version. A step that fails leaves nothing behind, and an older program refuses it."""
    run(engine.upgrade())
    if isinstance(home, Path):
        loose = "SELECT name FROM pragma_table_list WHERE schema='main' AND type='table' AND strict=0"
        assert rows_in(home, f"{loose} AND name NOT LIKE 'sqlite%'") == []
    assert sum(steps_done_by_many(home, LATER)) == len(LATER) - len(STEPS)
    assert rows_in(home, "SELECT number FROM later") == [(7,)]
    wrong = (*LATER, "UPDATE later SET number=8;", "CREATE TABLE half (number BIGINT); INSERT INTO nowhere VALUES (1);")
    with pytest.raises(StoreError):
        run(engine.upgrade(wrong))
    assert rows_in(home, "SELECT number FROM later") == [(8,)]
    run(engine.make("CREATE TABLE half (number BIGINT);"))  # There is none.
    for refused in (engine.refuse_newer, engine.upgrade, engine.prepare):
        with pytest.raises(StoreError) as told:
            run(refused())
        assert str(told.value) == (
            f"{engine.name}: holds state of version {len(LATER) + 1}, and this program reads up to version {len(STEPS)}; "
            "use the newer program, or name another state with --state"
        )
    assert run(engine.refuse_newer(99)) == len(LATER) + 1


def test_one_version_back_goes_on_and_begins_anew_where_the_step_lets_it_be(home: Path | str, engine: Store) -> None:
    """Each of its statements, also those that PostgreSQL has prepared by then; a step that says nothing it does not outlive.

    Who may read a view may read it when it is another.
    """
    run(engine.upgrade())
    life = Life(engine)

    def goes_on() -> None:
        for _ in range(6):
            life.alert(f"alert-{life.now}")
            assert life.deliver()
            life.release()
            life.forget()
            life.goes_on(1)

    goes_on()
    if engine.is_shared:
        rows_in(home, "GRANT SELECT ON v_decisions TO pg_monitor")
    newer = engine_over(home) if isinstance(home, str) else StateFile(home)
    assert run(newer.upgrade(NEXT)) == 1
    goes_on()
    assert rows_in(home, "SELECT DISTINCT later FROM v_decisions") == [("",)]
    if engine.is_shared:
        assert rows_in(home, "SELECT has_table_privilege('pg_monitor', 'v_decisions', 'SELECT')") == [(True,)]
    assert "later" in tables_in(NEXT)["decisions"]
    older = open_store(home)
    run(older.prepare())
    assert [run(one.refuse_newer()) for one in (engine, older)] == [VERSION + 1, VERSION + 1]
    assert run(older.upgrade()) == 0
    assert run(newer.upgrade((*NEXT, "CREATE TABLE more (number BIGINT);"))) == 1
    for asked in (older.refuse_newer, older.upgrade, older.prepare):
        with pytest.raises(StoreError, match=f"holds state of version {VERSION + 2}, .* up to version {VERSION};"):
            run(asked())
    for one in (newer, older):
        run(one.close())


_SCHEMA = {
    False: "SELECT type, name, sql FROM sqlite_schema",
    True: "SELECT table_name, column_name, column_default FROM information_schema.columns WHERE table_schema=current_schema() "
    "UNION ALL SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname=current_schema()",
}


@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.soak)])
def test_a_step_is_whole_or_not_there_at_whichever_statement_its_process_dies(
    home: Path | str, engine: Store, every: int
) -> None:
    """Before the state hears of it, or before its answer is heard; the next one carries it out."""

    def found() -> tuple[object, ...]:
        said = rows_in(home, "SELECT name, value FROM meta WHERE name IN ('version', 'oldest') ORDER BY name")
        return sorted(rows_in(home, _SCHEMA[engine.is_shared]), key=str), said

    run(engine.upgrade())
    forms, step = [found()], step_over(["decisions"])
    for number in count(2, every):
        dying = Deadly(engine, number // 2, is_done=number % 2 == 1)
        with suppress(StoreError):
            run(dying.upgrade((*STEPS, step)))
        if (form := found()) != forms[-1]:
            forms.append(form)
        if not dying.died:
            break
    assert number > 2 * step.count(";")
    assert [said for _, said in forms] == [
        [("version", str(VERSION))],
        [("oldest", str(VERSION)), ("version", str(VERSION + 1))],
    ]


@awaited
async def test_a_step_that_waits_for_a_table_lets_those_on_who_wait_behind_it(postgres: Server) -> None:
    """Another program may look at a table for an hour: workers come through meanwhile, and the step when that has ended."""
    url = postgres.new_database()
    newer, worker, reader = engines = [engine_over(url) for _ in range(3)]
    await newer.upgrade()
    async with reader.transaction() as looking:
        await looking.fetch("SELECT key FROM decisions")
        step = asyncio.create_task(newer.upgrade(NEXT))

        async def waits() -> bool:
            return bool(await looking.value("SELECT count(*) FROM pg_locks WHERE NOT granted"))

        await until(waits)
        await within(worker, put_on_record, [an_entry()])
        assert not step.done()
    assert await step == 1
    for one in engines:
        await one.close()


@pytest.mark.soak  # It waits eight times two seconds.
@awaited
async def test_a_step_that_waits_for_a_table_in_vain_says_so_and_leaves_the_state_as_it_was(postgres: Server) -> None:
    """Who sees that ends what reads the table, or tries later."""
    url = postgres.new_database()
    newer, reader = engines = [engine_over(url) for _ in range(2)]
    await newer.upgrade()
    async with reader.transaction() as looking:
        await looking.fetch("SELECT key FROM decisions")
        with pytest.raises(StoreError, match="lock timeout"):
            await newer.upgrade(NEXT)
    assert await newer.refuse_newer() == VERSION
    for one in engines:
        await one.close()


def test_a_state_is_begun_once_where_another_process_begins_it_between_two_questions(postgres: Server) -> None:
    """As pods do that start together; the one that finds the other's tables takes them for its own."""
    url = postgres.new_database()
    other = engine_over(url)

    async def begun_by_another() -> None:
        assert await other.upgrade() == len(STEPS)
        await other.close()

    with Way(postgres.url) as way:
        engine = engine_over(way.to(url))
        way.cut_at(1, is_after=False, happens=lambda: asyncio.run(begun_by_another()))
        assert run(engine.upgrade()) == 0
        run(engine.close())


def test_a_program_that_starts_carries_a_state_forward_where_its_role_may(postgres: Server) -> None:
    """It begins none where there is none; where its role may not change tables, the line says who has to.

    What only PostgreSQL's schema says is carried out, too: dead rows of deliveries go soon.
    """
    url = postgres.new_database()
    owner, app = engine_over(url), engine_over(url, "SET ROLE pg_read_all_data")
    with pytest.raises(StoreError, match=r": holds no state; begin one there with alert-router state upgrade$"):
        run(app.prepare())
    run(owner.upgrade())
    assert rows_in(url, "SELECT 1 FROM pg_class WHERE relname='deliveries' AND reloptions IS NOT NULL")
    run(app.prepare())
    with pytest.raises(StoreError, match=r": permission denied .*; carry it forward with alert-router state upgrade$"):
        run(app.prepare(LATER))
    run(owner.prepare(LATER))
    assert run(owner.refuse_newer(99)) == len(LATER)
    for one in (owner, app):
        run(one.close())


def test_tables_of_something_else_are_left_alone(postgres: Server) -> None:
    """A database that another program uses, named by mistake."""
    for name in ("decisions", "meta"):
        url = postgres.new_database()
        rows_in(url, f"CREATE TABLE {name} (theirs TEXT)")
        engine = engine_over(url)
        for asked in (engine.upgrade, engine.prepare):
            with pytest.raises(StoreError, match=r"holds tables and says no version"):
                run(asked())
        run(engine.close())


# Where a state is, and what a server of PostgreSQL is told when a connection to it is opened.


SECRET = "s3cret/@:#?"


STATES: dict[str, str | Path] = {
    ".state": Path(".state"),
    "sqlite:some/where": Path("some/where"),
    "sqlite:///some/where": Path("/some/where"),
    "postgresql://soc@pg.contoso.com/alerts": "postgresql://soc@pg.contoso.com/alerts",
    "postgres://soc@PG.contoso.com:6432/alerts?sslmode=verify-full": "postgresql://soc@pg.contoso.com:6432/alerts",
    "POSTGRESQL://soc%40contoso@[::1]/a%20b": "postgresql://soc%40contoso@[::1]/a%20b",
    "postgresql://soc@/alerts?host=/run/pg&port=5433": "postgresql://soc@/alerts?host=/run/pg&port=5433",
    "postgresql://soc@%2FRun%2fPg:5433/alerts": "postgresql://soc@/alerts?host=/Run/Pg&port=5433",
    "postgres": Path("postgres"),
    "a:b": Path("a:b"),
    "/srv/a=b@c": Path("/srv/a=b@c"),
}
NO_STATES = {
    "": "names no directory",
    "sqlite:": "names no directory",
    "mysql://soc@pg/alerts": "is no address of a state; write DIRECTORY, sqlite:DIRECTORY or postgresql:",
    "host=pg.contoso.com dbname=alerts user=soc password=s3cret": "is no address of a state",
    "Server=pg.contoso.com;Database=alerts;User Id=soc;Password=s3cret": "is no address of a state",
    "jdbc:postgresql://pg.contoso.com/alerts?user=soc&password=s3cret": "is no address of a state",
    " soc:s3cret@pg.contoso.com/alerts": "is no address of a state",
    "postgresql//soc:s3cret@pg.contoso.com/alerts": "is no address of a state",
    "sqlite://soc:s3cret@pg.contoso.com/alerts": "is no address of a state",
    "sqlite:postgresql://soc:s3cret@pg.contoso.com/alerts": "is no address of a state",
    "postgresql:alerts": "is no address of a database",
    "postgresql://soc:s3cret@pg.contoso.com:0/alerts": "is no address of a database",
    "postgresql://soc@/alerts?host=/run/pg&port=0": "port: is no number of a port",
    "postgresql://soc@pg.contoso.com/alerts?port=5433": "port: stands behind the host",
    "postgresql://soc@/alerts?host=/run/pg&host=/run/other": "names a parameter twice",
    f"postgresql://soc:{SECRET}@pg.contoso.com/alerts": "is no address of a database",
    "postgresql://soc:s3cret@pg.contoso.com:port/alerts": "is no address of a database",
    "postgresql://soc:s3cret@[pg/alerts": "is no address of a database",
    "postgresql://:s3cret@pg.contoso.com/alerts": "names no role",
    "postgresql://soc:s3cret@pg.contoso.com": "names no database",
    "postgresql://soc:s3cret@/alerts": "names no host",
    "postgresql://soc:s3cret@one,other/alerts": "names no host",
    "postgresql://soc:s3cret@pg.contoso.example/alerts": "'pg.contoso.example' ends in .example",
    "postgresql://soc:s3cret@pg.contoso.com/alerts?host=/run/pg": "names a host twice",
    "postgresql://soc@/alerts?host=run": "host: names no directory",
    "postgresql://soc:s3cret%00@pg.contoso.com/alerts": "holds a NUL",
    "postgresql://soc:s3cret@pg.contoso.com/alerts\udcff": "holds a NUL, or bytes that are not UTF-8",
    "postgresql://soc@pg.contoso.com/alerts?sslmode=require": "sslmode: is verify-full beyond this machine",
    "postgresql://soc@pg.contoso.com/alerts?sslrootcert=system": "sslrootcert: is no parameter",
    "postgresql://soc@pg.contoso.com/alerts?password=s3cret": "password: is no parameter",
    "postgresql://soc@pg.contoso.com/alerts?options=-csearch_path%3Ds3cret": "options: is no parameter",
}


def test_a_state_is_a_directory_or_a_database_and_nothing_else(subtests: pytest.Subtests) -> None:
    """As it is said again, it means the same. Else one line names a parameter and never a value."""
    for written, meant in STATES.items():
        with subtests.test(ascii(written)):
            state = parse_state(written)
            assert state == meant or str(state) == meant
            assert parse_state(str(state)) == state
    for written, complaint in NO_STATES.items():
        with subtests.test(ascii(written)):
            with pytest.raises(ValueError, match=f"^{re.escape(complaint)}") as refused:
                parse_state(written)
            assert "s3cret" not in str(refused.value)


@given(st.text())
def test_any_text_is_an_address_or_refused(text: str) -> None:
    """Nothing else is raised, and no password is shown."""
    try:
        state = parse_state(f"postgresql://soc:s3cret@{text}")
    except ValueError as refused:
        assert "s3cret" not in str(refused)
    else:
        assert "s3cret" not in f"{state} {state!r}"


def test_a_token_goes_to_azures_servers_alone() -> None:
    """That of the cloud; where the address has a password, that one counts."""
    for host, cloud in {
        "SOC.postgres.database.azure.com.": "windows.net",
        "soc.postgres.database.usgovcloudapi.net": "usgovcloudapi.net",
        "soc.postgres.database.chinacloudapi.cn": "chinacloudapi.cn",
        "postgres.database.azure.com.contoso.com": None,
        "notpostgres.database.azure.com": None,
        "postgres.database.azure.com": None,
        "localhost": None,
    }.items():
        address = PostgresqlAddress(host=host, database="alerts", role="soc")
        assert address.token_scope == (f"https://ossrdbms-aad.database.{cloud}/.default" if cloud else None), host
        assert replace(address, password=SECRET).token_scope is None


def test_a_server_that_cannot_be_reached_is_named() -> None:
    """Server and database, in one line."""
    for place, said in {
        "127.0.0.1:1/alerts": "127.0.0.1, database alerts: cannot be reached: Connection refused",
        "nowhere.invalid/alerts": "nowhere.invalid, database alerts: cannot be reached: ",
        "/alerts?host=/nowhere": "/nowhere, database alerts: cannot be reached: ",
    }.items():
        with pytest.raises(StoreError, match=f"^{re.escape(said)}.*$") as refused:
            asyncio.run(Connector(parse_address(f"postgresql://soc:s3cret@{place}")).connect())
        assert "s3cret" not in str(refused.value)


def test_a_password_that_a_server_repeats_is_told_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a proxy does that says what it was told."""

    async def connect(password: str, **_: object) -> Never:
        raise psycopg.OperationalError(f"connection failed: FATAL:  the hour is late: {password}")

    monkeypatch.setattr(psycopg.AsyncConnection, "connect", connect)
    with pytest.raises(StoreError) as refused:
        asyncio.run(Connector(parse_address("postgresql://soc:s3cret%2F@pg.contoso.com/alerts")).connect())
    assert str(refused.value) == "pg.contoso.com, database alerts: refuses the connection: the hour is late: ..."
