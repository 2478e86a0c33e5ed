"""A version beside the next, as processes: a step is carried out while workers write, and each version follows the other."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from itertools import count, cycle, islice
from pathlib import Path

import pytest

from router.cli import main
from router.store.store import VERSION
from tests.cli.test_serve import (
    Serving,
    assert_doubled_only_where_cut_off,
    ends,
    has_received,
    positions,
    publish,
    serving,
    slow_down,
)
from tests.stack.postgres import Server, Way
from tests.stack.stack import ROOT, Stack, stack_running
from tests.store.opened import open_store, rows_in
from tests.warm import WarmProcess, started

_SETTINGS = {"ALERT_ROUTER_LEASE": "2", "ALERT_ROUTER_GRACE": "1"}
_A_ROUND = 3


@pytest.fixture
def stack(postgres: Server) -> Iterator[Stack]:
    """A stack with a database of its own: what was carried forward is no other test's."""
    with stack_running(postgres.new_database()) as stack:
        yield stack


def version_in(stack: Stack) -> int:
    """The version that its state says."""
    ((version,),) = rows_in(stack.state, "SELECT value FROM meta WHERE name='version'")
    return int(version)


def upgrade_killed_at(trip: int, stack: Stack, way: Way, newer: Path, *, is_after: bool) -> bool:
    """Has the newer program carry the state forward, and kills it at a round trip to the server; whether it met that."""
    begun: list[WarmProcess] = []
    way.cut_at(trip, is_after=is_after, happens=lambda: os.kill(begun[0].pid, signal.SIGKILL))
    words = ("router", "state", "upgrade", "--state", way.to(stack.state))
    begun.append(started(*words, env=stack.environment, cwd=newer))
    return begun[0].wait() != 0


@pytest.mark.parametrize(("every", "replaced"), [(25, 2), pytest.param(1, 13, marks=pytest.mark.soak)])
def test_a_step_is_carried_out_beside_workers_and_each_version_replaces_the_other(
    stack: Stack, newer: Path, every: int, replaced: int
) -> None:
    """Killed at any round trip while a worker of the older version writes, the state is of one version or the other, and who
    tries next is done. Then forward and back, again and again, under load, each killed or stopped once the other is at work:
    nothing is lost, and what came twice was on its way."""
    chance, published = random.Random(20261201), 0  # noqa: S311  A seed, so that a failure can be had again.

    def publish_some() -> None:
        nonlocal published
        published += _A_ROUND
        publish(stack, range(published - _A_ROUND, published))

    def is_over() -> bool:
        return has_received(stack, range(published)) and positions(stack) == ends(stack)

    with ExitStack() as held:
        way = held.enter_context(Way(stack.state))

        def begun(home: Path) -> Serving:
            return held.enter_context(serving(stack, "tests.cli.hasty", home, **_SETTINGS))

        slow_down(stack, 0.2)  # So that deliveries are on their way.
        running = begun(ROOT)
        for number in count():
            publish_some()
            trip, is_after = 1 + number * every // 2, number % 2 == 1
            if not upgrade_killed_at(trip, stack, way, newer, is_after=is_after):
                break
            assert version_in(stack) in (VERSION, VERSION + 1)
        assert number > 1
        assert version_in(stack) == VERSION + 1
        for home in islice(cycle((newer, ROOT)), replaced):
            successor = begun(home)
            publish_some()
            if chance.random() < 0.5:
                running.kill()
            else:
                assert running.stop() == 0
            running = successor
            publish_some()
        running.until(is_over)
        assert running.stop() == 0
    assert_doubled_only_where_cut_off(stack)
    assert rows_in(stack.state, "SELECT DISTINCT later FROM v_decisions") == [("",)]


def is_written_to(directory: Path) -> bool:
    """Whether a process is in the midst of a transaction that writes to a state."""
    with closing(sqlite3.connect(directory / "router.db", isolation_level=None)) as db:
        db.execute("PRAGMA busy_timeout=0")
        try:
            db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        return False


_MANY = """
INSERT INTO decisions (at, key, stream, outcome, severity, plan, type, rule, body)
WITH RECURSIVE n (at) AS (SELECT 1 UNION ALL SELECT at+1 FROM n WHERE at<100000)
SELECT at, at, 'cwpp', 'routed', '', '', '', '', x'00' FROM n
"""


@pytest.mark.soak
def test_a_directory_is_of_one_version_or_the_next_whenever_its_upgrade_is_killed(tmp_path: Path, newer: Path) -> None:
    """In the midst of the step, each time much later; the older program reads it after each, also once it is done."""
    asyncio.run(open_store(tmp_path).close())
    rows_in(tmp_path, _MANY)
    rows_in(tmp_path, "DELETE FROM meta WHERE name='commit'")
    (tmp_path / "router.commit").unlink()
    killed, code = 0, -1
    for looks in (3**number for number in count()):
        with started("router", "state", "upgrade", "--state", tmp_path, env=os.environ, cwd=newer) as one:
            seen = 0
            while one.poll() is None and seen < looks:
                seen += is_written_to(tmp_path)
            one.kill()
            code = one.wait()
        killed += code != 0
        (version,) = {int(text) for (text,) in rows_in(tmp_path, "SELECT value FROM meta WHERE name='version'")}
        columns = rows_in(tmp_path, "SELECT count(*) FROM pragma_table_info('decisions') WHERE name='later'")
        assert columns == [(version - VERSION,)]
        assert main(["state", "--state", str(tmp_path)]) == 0
        if version > VERSION and code == 0:
            break
    assert killed > 2
