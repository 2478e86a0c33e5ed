"""A state that writes nothing costs time, and never a message: the health page and the log say so."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import LiteralString

from psycopg import sql

from tests.stack.accounting import (
    QUICK,
    Post,
    books_of,
    conditions,
    high,
    junk,
    low,
    medium,
    runs,
    settle,
    sweep,
)
from tests.stack.functions_host import FunctionsHost, Outcome
from tests.stack.postgres import Postgres, postgres_running
from tests.stack.stack import Stack, stack_running
from tests.stack.test_doors import wake
from tests.waiting import until, wait_until

TOKEN = "the-first-token"


@contextmanager
def killed(server: Postgres) -> Iterator[str]:
    """It is gone in the middle of what it did, and recovers when it is started."""
    server.kill()
    yield "cannot be reached"
    server.start()


@contextmanager
def read_only(server: Postgres) -> Iterator[str]:
    """It answers, and writes nothing, as a server in Azure whose disk is nearly full."""
    values: tuple[LiteralString, LiteralString] = ("on", "off")
    for value in values:
        server.execute(sql.SQL("ALTER SYSTEM SET default_transaction_read_only = {}").format(sql.SQL(value)))
        server.execute("SELECT pg_reload_conf()")
        wait_until(lambda value=value: server.execute("SHOW default_transaction_read_only") == [(value,)])  # type: ignore[misc]
        server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name='alert-router'")
        if value == "on":
            yield "is read-only"


TROUBLES: tuple[Callable[[Postgres], AbstractContextManager[str]], ...] = (killed, read_only)
"""What is wrong with the server for a while, and its words on the health page; the engine's tests have every other trouble."""

LANE = re.compile(r"^ERROR \S+: cwpp page: (.*)$", re.MULTILINE)
SWEEP = re.compile(r"^ERROR \S+: sweep: (.*)$", re.MULTILINE)


def test_whatever_is_wrong_with_the_state_for_a_while_nothing_is_lost_and_nobody_is_told_twice() -> None:
    """Messages wait in the hub, and what was delivered meanwhile is written down later. As long as something is wrong, the
    health page says what, and so does one line of the log wherever a function has to do with it: no sweep and no wake-up
    fails, and the next one says the same."""

    async def run(server: Postgres, stack: Stack, post: Post) -> None:
        async with stack.host(conditions=conditions(), **QUICK).running() as host:
            for number, trouble in enumerate(TROUBLES):
                await post.send(high(f"before-{number}"), medium(f"open-{number}"))
                failures = len(failed(host))
                with trouble(server) as words:
                    await post.send(high(f"during-{number}"), junk(), low(f"low-{number}"))
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
                assert re.fullmatch(r"StoreError: [^\n]+, database \w+: [^\n]+", error)
            assert TOKEN not in host.log

    with (
        postgres_running() as server,
        stack_running(server.new_database().replace("//postgres@", f"//postgres:{TOKEN}@")) as stack,
    ):
        asyncio.run(run(server, stack, Post(stack)))


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
