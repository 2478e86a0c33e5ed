"""A state that is down, full, or slow costs time, and never a message: it is said on the health page and in the log."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import LiteralString
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from tests.stack.accounting import QUICK, Post, books_of, high, junk, low, medium, settle, sweep
from tests.stack.acts import HOLD, conditions, runs
from tests.stack.functions_host import FunctionsHost, Outcome
from tests.stack.postgres import BY_PASSWORD, Postgres, Way, postgres_running, small_disk, standby_of
from tests.stack.stack import Stack, stack_running
from tests.stack.test_wake_ups import wake
from tests.store.builders import noise
from tests.waiting import until, wait_until

TOKEN = "the-first-token"
ROLE = sql.Identifier(BY_PASSWORD)


@dataclass
class House:
    """A stack whose state is in a server of its own, by a way that may lead elsewhere; `held` is let go of in the end."""

    stack: Stack
    server: Postgres
    way: Way
    held: ExitStack

    def end_connections(self) -> None:
        """Ends those of the router."""
        self.server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name='alert-router'"
        )

    def move_to(self, tablespace: str) -> None:
        """Moves the state to another disk, while no connection is open."""
        database = sql.Identifier(name_in(self.stack.state))
        self.server.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(database))
        self.end_connections()
        self.server.execute(sql.SQL("ALTER DATABASE {} SET TABLESPACE {}").format(database, sql.Identifier(tablespace)))
        self.server.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(database))

    def set_read_only(self, value: LiteralString) -> None:
        """Has new connections be read-only, or not, and no others be there."""
        self.server.execute(sql.SQL("ALTER SYSTEM SET default_transaction_read_only = {}").format(sql.SQL(value)))
        self.server.execute("SELECT pg_reload_conf()")
        wait_until(lambda: self.server.execute("SHOW default_transaction_read_only") == [(value,)])
        self.end_connections()


@pytest.fixture
def house() -> Iterator[House]:
    """A house whose router is a user of its server like any other."""
    with ExitStack() as held:
        server = held.enter_context(postgres_running())
        way = held.enter_context(Way(server.url))
        database = server.new_database()
        server.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(ROLE, TOKEN))
        server.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(name_in(database)), ROLE))
        url = way.to(database.replace("//postgres@", f"//{BY_PASSWORD}:{TOKEN}@"))
        stack = held.enter_context(stack_running(url))
        yield House(stack, server, way, held)


def name_in(url: str) -> str:
    """The name of the database of a URL."""
    return urlsplit(url).path.removeprefix("/")


type Trouble = Callable[[House], AbstractAsyncContextManager[str]]
"""What is wrong with the server for a while; its words on the health page."""


@asynccontextmanager
async def killed(house: House) -> AsyncIterator[str]:
    """It is gone in the middle of what it did, and recovers when it is started."""
    house.server.kill()
    yield "cannot be reached"
    house.server.start()


@asynccontextmanager
async def without_connections(house: House) -> AsyncIterator[str]:
    """Others have all of them."""
    house.server.execute(sql.SQL("ALTER ROLE {} CONNECTION LIMIT 0").format(ROLE))
    house.end_connections()
    yield "too many connections"
    house.server.execute(sql.SQL("ALTER ROLE {} CONNECTION LIMIT -1").format(ROLE))


@asynccontextmanager
async def expired(house: House) -> AsyncIterator[str]:
    """The token that is its password counts no more, and connections are asked for it anew."""
    house.server.execute(sql.SQL("ALTER ROLE {} PASSWORD 'another'").format(ROLE))
    house.end_connections()
    yield "password authentication failed"
    house.server.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(ROLE, TOKEN))


@asynccontextmanager
async def full(house: House) -> AsyncIterator[str]:
    """Its disk has no room. Where none may be mounted that is, it is read-only, as in Azure some time before that."""
    async with AsyncExitStack() as held:
        try:
            disk = held.enter_context(small_disk(house.server))
        except PermissionError:
            yield await held.enter_async_context(read_only(house))
            return
        house.move_to("small")
        # The first connection writes a file without which none is taken.
        psycopg.connect(house.server.of(name_in(house.stack.state))).close()
        disk.fill()
        yield "has no room left on its disk"
        disk.free()
        house.move_to("pg_default")


@asynccontextmanager
async def read_only(house: House) -> AsyncIterator[str]:
    """As a server in Azure is whose disk is nearly full."""
    house.set_read_only("on")
    yield "is read-only"
    house.set_read_only("off")


@asynccontextmanager
async def locked(house: House) -> AsyncIterator[str]:
    """Another program has the lock, and does not let go of it for longer than it is waited for."""
    with psycopg.connect(house.server.of(name_in(house.stack.state))) as other:
        other.execute(HOLD)
        yield "no answer within"


@asynccontextmanager
async def silent(house: House) -> AsyncIterator[str]:
    """It hangs, and all connections with it; what was asked is answered in the end."""
    house.server.pause()
    yield "no answer within"
    house.server.resume()


@asynccontextmanager
async def failed_over(house: House) -> AsyncIterator[str]:
    """It is gone for good, and a second one takes over after a while, with all that was committed."""
    second = house.held.enter_context(standby_of(house.server))
    house.server.kill()
    yield "cannot be reached"
    house.server, house.way.server = second, second.url
    second.promote()


SOME: tuple[Trouble, ...] = (killed, expired, full)
AT_ONCE: tuple[Trouble, ...] = (*SOME, read_only, without_connections, failed_over)
"""Troubles of which each call hears at once."""

ALL: tuple[Trouble, ...] = (*AT_ONCE, silent, locked, killed)
LANE = re.compile(r"^ERROR \S+: cwpp page: (.*)$", re.MULTILINE)
SWEEP = re.compile(r"^ERROR \S+: sweep: (.*)$", re.MULTILINE)


@pytest.mark.parametrize("troubles", [SOME, pytest.param(ALL, marks=pytest.mark.soak)], ids=["some", "all"])
def test_whatever_is_wrong_with_the_state_for_a_while_nothing_is_lost_and_nobody_is_told_twice(
    house: House, troubles: Sequence[Trouble]
) -> None:
    """Messages wait in the hub, and what was delivered meanwhile is written down later. As long as something is wrong, the
    health page says what, and so does one line of the log wherever a function has to do with it: no sweep and no wake-up
    fails, and the next one says the same."""
    stack, post = house.stack, Post(house.stack)

    async def run() -> None:
        async with stack.host(conditions=conditions(), **QUICK).running() as host:
            for number, trouble in enumerate(troubles):
                await post.send(high(f"before-{number}"), medium(f"open-{number}"))
                failures = len(failed(host))
                async with trouble(house) as words:
                    # One that finds no room, and one that is short.
                    await post.send(high(f"during-{number}"), junk(noise(1 << 20)), low(f"low-{number}"))
                    if trouble is not silent:
                        await until(lambda failures=failures: len(failed(host)) > failures)  # type: ignore[misc]
                    answer = await host.request("GET", "/api/health")
                    assert answer.status == 503
                    assert any(words in str(one) for one in json.loads(answer.body)["problems"]), answer.body
                    if trouble in AT_ONCE:
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
