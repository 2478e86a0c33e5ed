"""Numbered steps carry the tables of a state forward: each once, in order, by one of several processes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from router.domain.errors import StoreError
from router.store.sqlite import StateFile, at_once
from router.store.store import STEPS
from tests.stack.postgres import Server, Way
from tests.store.acts import run
from tests.store.opened import Store, engine_over, rows_in

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
