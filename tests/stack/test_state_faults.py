"""A state that writes nothing, and hubs that are away, cost time, and never a message: the health page and the log say so."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import LiteralString
from urllib.parse import urlsplit

import pytest
from psycopg import sql

from tests.stack.accounting import (
    QUICK,
    Post,
    books_of,
    conditions,
    forget_checkpoints,
    high,
    junk,
    low,
    medium,
    runs,
    settle,
    sweep,
)
from tests.stack.functions_host import FunctionsHost, Outcome
from tests.stack.postgres import BY_PASSWORD, Postgres, Way, postgres_running
from tests.stack.stack import Stack, stack_running
from tests.stack.test_doors import wake
from tests.store.builders import noise
from tests.waiting import until, wait_until

TOKEN = "the-first-token"
ROLE = sql.Identifier(BY_PASSWORD)


@dataclass
class House:
    """A stack whose state is in a server of its own, of which its router is a user like any other."""

    stack: Stack
    server: Postgres

    def end_connections(self) -> None:
        """Ends those of the router."""
        self.server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name='alert-router'"
        )

    def set_read_only(self, value: LiteralString) -> None:
        """Has new connections be read-only, or not, and no others be there."""
        self.server.execute(sql.SQL("ALTER SYSTEM SET default_transaction_read_only = {}").format(sql.SQL(value)))
        self.server.execute("SELECT pg_reload_conf()")
        wait_until(lambda: self.server.execute("SHOW default_transaction_read_only") == [(value,)])
        self.end_connections()

    def set_password(self, password: str) -> None:
        """Has the role of the router have another password, and be asked for it anew."""
        self.server.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(ROLE, password))
        self.end_connections()


@pytest.fixture
def house() -> Iterator[House]:
    """A house in which nothing is wrong."""
    with postgres_running() as server, Way(server.url) as way:
        database = server.new_database()
        name = sql.Identifier(urlsplit(database).path.removeprefix("/"))
        server.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(ROLE, TOKEN))
        server.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, ROLE))
        url = way.to(database.replace("//postgres@", f"//{BY_PASSWORD}:{TOKEN}@"))
        with stack_running(url) as stack:
            yield House(stack, server)


@contextmanager
def killed(house: House) -> Iterator[str]:
    """It is gone in the middle of what it did, and recovers when it is started."""
    house.server.kill()
    yield "cannot be reached"
    house.server.start()


@contextmanager
def expired(house: House) -> Iterator[str]:
    """The token that is its password counts no more, and connections are asked for it anew."""
    house.set_password("another")
    yield "password authentication failed"
    house.set_password(TOKEN)


@contextmanager
def read_only(house: House) -> Iterator[str]:
    """It answers, and writes nothing, as a server in Azure whose disk is nearly full."""
    house.set_read_only("on")
    yield "is read-only"
    house.set_read_only("off")


TROUBLES: tuple[Callable[[House], AbstractContextManager[str]], ...] = (killed, expired, read_only)
"""What is wrong with the server for a while, and its words on the health page; the engine's tests have every other trouble."""

LANE = re.compile(r"^ERROR \S+: cwpp page: (.*)$", re.MULTILINE)
SWEEP = re.compile(r"^ERROR \S+: sweep: (.*)$", re.MULTILINE)


def test_whatever_is_wrong_with_the_state_for_a_while_nothing_is_lost_and_nobody_is_told_twice(house: House) -> None:
    """Messages wait in the hub, and what was delivered meanwhile is written down later. As long as something is wrong, the
    health page says what, and so does one line of the log wherever a function has to do with it: no sweep and no wake-up
    fails, and the next one says the same."""
    stack, post = house.stack, Post(house.stack)

    async def run() -> None:
        async with stack.host(conditions=conditions(), **QUICK).running() as host:
            for number, trouble in enumerate(TROUBLES):
                await post.send(high(f"before-{number}"), medium(f"open-{number}"))
                failures = len(failed(host))
                with trouble(house) as words:
                    # One that finds no room, and one that is short.
                    await post.send(high(f"during-{number}"), junk(noise(1 << 20)), low(f"low-{number}"))
                    await until(lambda failures=failures: len(failed(host)) > failures)  # type: ignore[misc]
                    answer = await host.request("GET", "/api/health")
                    assert answer.status == 503
                    assert any(words in str(one) for one in json.loads(answer.body)["problems"]), answer.body
                    await one_line_is_said(host, stack)
            await settle(stack, lambda: sweep(host))
            assert await books_of(stack) == post.due
            assert runs(host, "take_cwpp", Outcome.DIED) == 0
            assert {run.outcome for run in host.invocations if run.function != "take_cwpp"} == {Outcome.OK}
            for error in failed(host):
                assert re.fullmatch(r"StoreError: 127\.0\.0\.1, database \w+: [^\n]+", error)
            assert TOKEN not in host.log

    asyncio.run(run())


async def one_line_is_said(host: FunctionsHost, stack: Stack) -> None:
    """Has two sweeps and two wake-ups meet a trouble: each says it in one line, and both say the same."""
    begin, done = len(host.log), runs(host, "deliver_cwpp_page", Outcome.OK)
    for times in (1, 2):
        await sweep(host)
        wake(stack, "page")
        await until(lambda end=done + times: runs(host, "deliver_cwpp_page", Outcome.OK) >= end)  # type: ignore[misc]
    said = host.log[begin:]
    sweeps, lanes = SWEEP.findall(said), LANE.findall(said)
    assert (len(sweeps), len({*sweeps})) == (2, 1), said
    # A lane in which nothing is due has nothing to write.
    assert len({*lanes}) <= 1, said
    assert "Traceback" not in said


def failed(host: FunctionsHost) -> list[str]:
    """What calls of intake failed of, which the host writes to its log."""
    return [run.error for run in host.invocations if run.function == "take_cwpp" and run.outcome is Outcome.FAILED]


@pytest.mark.soak  # What hubs do wrong is told by tests/ingest and tests/eventhubs.
def test_hubs_that_stay_away_and_bring_all_of_it_again_cost_time_only(stack: Stack) -> None:
    """What comes in meanwhile is taken by the trigger, without a sweep; a sweep meanwhile ends, and blames nobody. When the
    platform has forgotten how far it had read, the SOC gets not one more request."""
    post = Post(stack)

    async def run() -> None:
        async with stack.host(conditions=conditions(), **QUICK).running() as host:
            await post.send(high("before"), junk(), low("l-before"), medium("m-before"))
            await host.idle()
            stack.hubs.stop_accepting()
            await post.send(high("away"), junk(), low("l-away"), medium("m-away"))
            await post.send(low("away, too"), partition=1)
            await sweep(host)
            stack.hubs.resume_accepting()
            await host.idle()
            assert (await books_of(stack)).record == post.due.record
            await settle(stack, lambda: sweep(host))
            assert await books_of(stack) == post.due
        heard = stack.soc.counts()
        forget_checkpoints(stack)
        async with stack.host(conditions=conditions(), **QUICK).running() as host:
            await host.idle()
            assert sum(run.events for run in host.invocations if run.function == "take_cwpp") == 9
            assert stack.soc.counts() == heard

    asyncio.run(run())
