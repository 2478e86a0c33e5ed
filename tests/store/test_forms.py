"""The form of a state: what is written of each value, what is damage, and the steps that carry tables forward."""

from __future__ import annotations

import asyncio
import builtins
import json
import types
from collections import abc
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, is_dataclass
from pathlib import Path
from threading import Barrier
from typing import Any, TypeAliasType, get_args, get_origin, get_type_hints

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain.deliveries import Receipt
from router.domain.errors import StoreError, Undecodable
from router.domain.notices import Notice, RecordEntry
from router.domain.rule_fields import RuleFields
from router.domain.signals import Stream
from router.store.codec import Columns, content_of, decision_in, decode, encode, tag_of
from router.store.groups import GroupState
from router.store.sqlite import StateFile, at_once
from router.store.store import STEPS
from tests.stack.postgres import Server, Way
from tests.store.acts import run
from tests.store.builders import an_entry
from tests.store.opened import Store, engine_over, rows_in

TYPES: Mapping[str, type[Any]] = {one.__name__: one for one in (Notice, RecordEntry, Receipt, GroupState, RuleFields)}
FORMS: Mapping[str, Any] = json.loads((Path(__file__).with_name("forms.json")).read_bytes())
"""One value of each type with everything in it, as it has always been written."""


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a type, at every depth also of what has a default."""
    if isinstance(hint, type) and is_dataclass(hint):
        hints = get_type_hints(hint)
        return st.builds(hint, **{one.name: values_of(hints[one.name]) for one in fields(hint)})
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
                assert content_of(tag_of(value), text) == value
    assert TYPES.keys() <= FORMS.keys()


@given(st.one_of([values_of(type) for type in TYPES.values()]))
def test_values_come_back(value: Any) -> None:
    """Whatever is in them."""
    assert decode(type(value), encode(value)) == value


NO_ANSWERS: Sequence[tuple[str, object, str]] = (
    ("text", "\udcff", "is no text"),
    ("text", None, "is no text"),
    ("whole", True, "is no number from 0 to"),
    ("whole", -1, "is no number from 0 to"),
    ("flag", 2, "is no yes or no"),
    ("time", 2**62, "is no instant"),
    ("time", None, "is no instant"),
    ("find_time", "", "is no instant"),
    ("body", "{}", "is no body"),
    ("names", "{", "is no JSON"),
    ("names", "[1]", "is no list of names"),
    ("turns", '{"a":0}', "is no list of turns"),
    ("turns", "[]", "is no list of turns"),
)


def test_a_column_that_has_no_answer_is_named() -> None:
    """The line says what is at fault, and quotes nothing of it."""
    for column, value, why in NO_ANSWERS:
        with pytest.raises(Undecodable, match=f"^a: {why}"):
            getattr(Columns({"a": value}), column)("a")


def test_a_body_or_a_word_that_this_version_does_not_know_is_named() -> None:
    """A word may be of a later version; a body may have lost a part, its tag, or itself."""
    with pytest.raises(Undecodable, match=r"^a: is no word that this version knows$"):
        Columns({"a": "nonsense"}).word("a", Stream)
    with pytest.raises(Undecodable, match=r"^Notice at tactics\.0\.name: Field required$"):
        decode(Notice, orjson.dumps(FORMS["Notice"] | {"tactics": [{"id": "TA0002"}]}))
    with pytest.raises(Undecodable, match=r"^type: is nothing that a delivery tells$"):
        content_of("Receipt", b"{}")
    with pytest.raises(Undecodable, match=r"^body: what it tells is there no more$"):
        content_of("Notice", None)


def test_a_decision_with_a_time_or_an_outcome_that_is_none_is_damaged() -> None:
    """Decisions are sorted and counted by a time with its zone. One that is whole is read as it was written."""
    for field in ("at", "suppressed_until"):
        for written in ("", "no time", "2026-11-24T12:00:00", "9999-12-31T23:59:59-23:59"):
            with pytest.raises(Undecodable, match=f"^{field}: is no instant$"):
                decision_in(encode(an_entry(**{field: written})))
    with pytest.raises(Undecodable, match=r"^outcome: "):
        decision_in(encode(an_entry(outcome="lost")))
    for entry in (an_entry(), an_entry(outcome="suppressed", suppressed_until="2026-12-31T00:00:00+01:00")):
        assert decision_in(encode(entry)) == entry


# Steps carry the tables of a state forward: each once, in order, by one of several processes.


LATER = (*STEPS, "CREATE TABLE later (number BIGINT);", "INSERT INTO later (number) VALUES (7);")
"""What a program two versions ahead would carry out: the last step needs the one before, and is noticed if it is done twice."""

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


def test_each_step_is_carried_out_once_and_in_order_by_one_of_several_processes(
    home: Path | str, engine: Store
) -> None:
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
    assert "half" not in run(engine.table_names())
    for refused in (engine.refuse_newer, engine.upgrade, engine.prepare):
        with pytest.raises(StoreError) as told:
            run(refused())
        assert str(told.value) == (
            f"{engine.name}: holds state of version {len(LATER) + 1}, and this program reads up to version {len(STEPS)}; "
            "use the newer program, or name another state with --state"
        )
    assert run(engine.refuse_newer(99)) == len(LATER) + 1


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
    """It begins none where there is none; where its role may not change tables, the line says who has to."""
    url = postgres.new_database()
    owner, app = engine_over(url), engine_over(url, "SET ROLE pg_read_all_data")
    with pytest.raises(StoreError, match=r": holds no state; begin one there with alert-router state upgrade$"):
        run(app.prepare())
    run(owner.upgrade())
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
