"""A run that is killed loses nothing, and opens nothing twice where that can be told.

Nor does one of the version after, or before: every other run is one, on the state of the one before it or beside it.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import product
from pathlib import Path

import pytest

from alert_router_demo.soc import Soc, soc_in_thread
from router.cli import main
from router.domain.keys import signal_key
from router.store.store import VERSION
from tests.builders import RULES, alert_body
from tests.stack.postgres import Postgres, Way, postgres_running
from tests.stack.stack import ROOT
from tests.store.opened import Place, rows_in
from tests.waiting import PATIENCE, wait_until
from tests.warm import WarmProcess, started

IN_A_ROW = 5
VERSIONS = "SELECT value FROM meta WHERE name='version'"
ALERTS = 40

POLICY = """
stream: cwpp
floor: {{default: Low}}
destinations:
  oncall: {{kind: pagerduty, url: "{pagerduty}", routing_key: {{secret: ROUTING_KEY}}}}
  tickets: {{kind: servicenow, url: "{servicenow}", auth: {{user: {user}, password: {{secret: PASSWORD}}}}}}
routes: [{{name: everything, when: {{}}, to: [oncall, tickets]}}]
always: []
otherwise: [tickets]
"""

type Run = Callable[..., WarmProcess]
"""Starts the router with a state and files of messages."""


@contextmanager
def a_soc(directory: Path, *, lag: float, **more: str) -> Iterator[tuple[Soc, Run]]:
    """A SOC that outlives the router, and what starts the router under rules by which every alert pages and opens a ticket."""
    rules = directory / "rules"
    (rules / "cwpp").mkdir(parents=True)
    (rules / "attack.yaml").write_bytes((RULES / "attack.yaml").read_bytes())
    with soc_in_thread(lag=lag) as soc:
        account = soc.accounts["cwpp"]
        where = {"pagerduty": soc.addresses.pagerduty, "servicenow": soc.addresses.servicenow}
        (rules / "cwpp" / "policy.yaml").write_text(POLICY.format(**where, user=account.servicenow_user))
        settings = os.environ | {"ROUTING_KEY": account.routing_key, "PASSWORD": account.servicenow_password} | more
        yield soc, partial(a_run, rules, settings)


def a_run(rules: Path, settings: Mapping[str, str], state: Place, *messages: Path, home: Path = ROOT) -> WarmProcess:
    """A router at work, of the version that has its home there."""
    words = ("router", "run", "--rules", rules, "--state", state, *messages)
    return started(*words, env=settings, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def kill_again_and_again(soc: Soc, run: Run, directory: Path, homes: Sequence[Path], kills: int) -> list[str]:
    """Starts runs on fresh alerts, kills each at a moment that chance chose, and lets every fifth kill be followed by a run
    that finishes what all of them began; returns the alerts' ids.

    A moment is told by what was written by then, or by what the SOC was asked, so that it is one on any machine.
    """
    chance = random.Random(20261124)  # noqa: S311  A seed, so that a failure can be had again.
    state, killed, ids = directory / "state", 0, []
    for number in range(0, kills, IN_A_ROW):
        files: list[Path] = []
        for place in range(number, number + IN_A_ROW):
            fresh = [f"kill-{place}-{n}" for n in range(ALERTS)]
            ids += fresh
            files.append(directory / f"{place}.ndjson")
            files[-1].write_bytes(b"\n".join(map(alert_body, fresh)))
            most = 2 * ALERTS * len(files)
            measure = chance.choice([partial(asked, soc), partial(asked, soc), partial(written, state)])
            begun = run(state, files[-1], home=homes[place % 2])
            killed += is_killed(begun, measure, measure() + chance.randint(1, most))
        with run(state, *files, home=homes[number // IN_A_ROW % 2]) as last:
            out, err = last.communicate(timeout=PATIENCE)
        assert (last.returncode, err) == (0, ""), out
    assert killed > kills // 2
    assert rows_in(state, VERSIONS) == [(str(VERSION + 1),)]
    return ids


def is_killed(running: WarmProcess, measure: Callable[[], int], enough: int) -> bool:
    """Kills a run when there is enough of something; whether it had not ended before."""
    with running:
        wait_until(lambda: measure() >= enough or running.poll() is not None)
        has_ended = running.poll() is not None
        running.kill()
        running.communicate()
    return not has_ended


def asked(soc: Soc) -> int:
    """How many requests the SOC has answered."""
    return sum(count for answers in soc.counts()["requests"].values() for count in answers.values())


def written(state: Path) -> int:
    """How many pages of the state's write-ahead log are in use, and of the state itself."""
    return sum(path.stat().st_size for path in state.glob("router.db*")) // 4096


@pytest.mark.parametrize("kills", [IN_A_ROW, pytest.param(50, marks=pytest.mark.soak)])
def test_killed_again_and_again_it_accounts_for_every_message_and_opens_nothing_twice(
    tmp_path: Path, newer: Path, kills: int
) -> None:
    """Kill -9 at a random moment of each run, then run again: every message is on record with one outcome, every delivery
    ended, each signal has one page, and one ticket, since there is one deliverer and look-ups are consistent."""
    with a_soc(tmp_path, lag=0) as (soc, run):
        ids = kill_again_and_again(soc, run, tmp_path, (ROOT, newer), kills)
        keys = {signal_key("cwpp", "alert", id) for id in ids}
        state = tmp_path / "state"
        assert dict(rows_in(state, "SELECT outcome, count(*) FROM decisions GROUP BY outcome"))["routed"] == len(ids)
        assert dict(rows_in(state, "SELECT state, count(*) FROM deliveries GROUP BY state")) == {"sent": 2 * len(ids)}
        assert Counter(page.dedup_key for page in soc.pagerduty.pages) == dict.fromkeys(keys, 1)
        assert Counter(ticket["correlation_id"] for ticket in soc.state()["tickets"]) == dict.fromkeys(keys, 1)
        assert soc.counts()["duplicates"]["pages"] > 0, "no kill met a page under way, so nothing was proven"


@pytest.mark.parametrize("kills", [IN_A_ROW, pytest.param(20, marks=pytest.mark.soak)])
def test_where_look_ups_lag_a_ticket_is_doubled_only_if_its_delivery_was_cut_off(
    tmp_path: Path, newer: Path, kills: int
) -> None:
    """A ticket that a look-up does not show yet is opened again: at least once, never without a kill, and counted."""
    with a_soc(tmp_path, lag=30) as (soc, run):
        ids = kill_again_and_again(soc, run, tmp_path, (newer, ROOT), kills)
        tickets = Counter(ticket["correlation_id"] for ticket in soc.state()["tickets"])
        retried = "SELECT key, attempts FROM deliveries WHERE destination='tickets' AND attempts>1"
        cut_off = dict(rows_in(tmp_path / "state", retried))
        assert set(tickets) == {signal_key("cwpp", "alert", id) for id in ids}
        assert {key for key, tickets in tickets.items() if tickets > 1} <= set(cut_off)


def a_run_is_killed(_server: Postgres, _way: Way, running: Sequence[WarmProcess]) -> None:
    """One of the workers is gone."""
    running[0].kill()


def the_server_is_killed(server: Postgres, _way: Way, _running: Sequence[WarmProcess]) -> None:
    """So is the server, which begins again when all workers have ended."""
    server.kill()


def the_lines_are_cut(_server: Postgres, way: Way, _running: Sequence[WarmProcess]) -> None:
    """Neither side hears of the other any more."""
    way.cut()


TROUBLES = (a_run_is_killed, the_server_is_killed, the_lines_are_cut)
AT_A_TIME = 2
FEW = 12
MOST_TRIPS = 40
"""Round trips within which trouble comes: about as many as a run of so few alerts takes."""


@pytest.mark.parametrize("rounds", [1, pytest.param(15, marks=pytest.mark.soak)])
def test_workers_that_share_a_database_lose_nothing_whichever_of_them_or_the_server_dies(
    tmp_path: Path, newer: Path, rounds: int
) -> None:
    """At a round trip that chance chose, before the server hears of it or before its answer is heard. What a dead worker had
    claimed is free when its lease ends; every message has one outcome in the end, and every signal one page and one ticket."""
    chance = random.Random(20261130)  # noqa: S311  A seed, so that a failure can be had again.
    with ExitStack() as held:
        server = held.enter_context(postgres_running())
        way = held.enter_context(Way(server.url))
        soc, run = held.enter_context(a_soc(tmp_path, lag=0, ALERT_ROUTER_LEASE="2"))
        place = server.new_database()
        url = way.to(place)
        assert main(["state", "upgrade", "--state", url]) == 0
        files: list[Path] = []
        broken_off = 0
        for number, trouble in product(range(rounds), TROUBLES):
            fresh = [tmp_path / f"{number}-{trouble.__name__}-{worker}.ndjson" for worker in range(AT_A_TIME)]
            for file in fresh:
                file.write_bytes(b"\n".join(alert_body(f"{file.stem}-{n}") for n in range(FEW)))
            files += fresh
            running: list[WarmProcess] = []
            trip, is_after = chance.randint(1, MOST_TRIPS), chance.random() < 0.5
            way.cut_at(trip, is_after=is_after, happens=partial(trouble, server, way, running))
            for file, home in zip(fresh, (ROOT, newer), strict=True):
                running.append(run(url, file, home=home))
            for one in running:
                with one:
                    _, err = one.communicate(timeout=PATIENCE)
                assert "Traceback" not in err
                assert one.returncode in (0, 2, -signal.SIGKILL), err
                broken_off += one.returncode != 0
            if not server.is_running:
                server.start()
        way.cut_at(
            0, is_after=False
        )  # Trouble that the last round was too short for does not come to those who finish.
        assert broken_off >= 2 * rounds, "hardly any trouble met a worker, so nothing was proven"
        due = [signal_key("cwpp", "alert", f"{file.stem}-{n}") for file in files for n in range(FEW)]

        def is_over() -> bool:
            with run(url, *files) as last:
                out, err = last.communicate(timeout=PATIENCE)
            assert (last.returncode, err) == (0, ""), out
            return rows_in(place, "SELECT state, count(*) FROM deliveries GROUP BY state") == [("sent", 2 * len(due))]

        wait_until(is_over)
        assert rows_in(place, VERSIONS) == [(str(VERSION + 1),)]
        outcomes = dict(rows_in(place, "SELECT outcome, count(*) FROM decisions GROUP BY outcome"))
        assert outcomes["routed"] == len(due)
        assert Counter(page.dedup_key for page in soc.pagerduty.pages) == dict.fromkeys(due, 1)
        assert Counter(ticket["correlation_id"] for ticket in soc.state()["tickets"]) == dict.fromkeys(due, 1)
