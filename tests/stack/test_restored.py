"""A state that is put back as it was before, under `serve` as a process, over hubs that hold the rest and a SOC that counts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from router.store.sqlite import back_up
from tests.cli.test_serve import Received, publish, serving
from tests.stack.postgres import Server
from tests.stack.stack import stack_running
from tests.store.opened import Place, rows_in

pytestmark = pytest.mark.soak

BEFORE, LOST = 20, 200
"""Alerts, and as many findings, that came before the copy was made, and after it."""


def is_idle(state: Place, many: int) -> bool:
    """Whether so many messages are decided, and nothing is owed."""
    owed = "SELECT count(*) FROM deliveries WHERE state IN ('owed', 'claimed')"
    return rows_in(state, "SELECT count(*) FROM decisions") == [(many,)] and rows_in(state, owed) == [(0,)]


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_the_hubs_bring_the_rest(engine: str, postgres: Server, tmp_path: Path) -> None:
    """No second page is opened and no second ticket. Rows are there once more of what the copy lacks, and of nothing else."""
    copy, all = tmp_path / "copy.db", 2 * (BEFORE + LOST)
    with stack_running(postgres.new_database()) as stack:
        state: Place = tmp_path / "state" if engine == "sqlite" else stack.state
        with serving(stack, ALERT_ROUTER_STATE=str(state)) as one:
            publish(stack, range(BEFORE))
            one.until(lambda: is_idle(state, 2 * BEFORE))
            if isinstance(state, Path):
                back_up(state, copy)
            else:
                postgres.dump(state, copy)
            known = Received.at(stack)
            publish(stack, range(BEFORE, BEFORE + LOST))
            one.until(lambda: is_idle(state, all))
        before = Received.at(stack)
        if isinstance(state, Path):
            shutil.rmtree(state)
            state.mkdir()
            copy.rename(state / "router.db")
        else:
            state = postgres.restore(copy)
        with serving(stack, ALERT_ROUTER_STATE=str(state)) as one:
            one.until(lambda: is_idle(state, all))
            assert one.stop() == 0
        after = Received.at(stack)
        assert (after.pages, after.tickets) == (before.pages, before.tickets)
        for name, rows in after.rows.items():
            assert rows == before.rows[name] + (before.rows[name] - known.rows[name])
        assert after.decisions == before.decisions + (before.decisions - known.decisions)
        assert rows_in(state, "SELECT action FROM changes") == [("restored",)]
