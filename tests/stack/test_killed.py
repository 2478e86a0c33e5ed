"""The worker may be killed, or told to end, at any step: nothing is lost, and nobody is told twice who can tell it.

What kills a worker, or is not understood, costs nothing beside it: messages and deliveries. A state that writes nothing costs
time, and never a message: the health page and the log say so.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from copy import replace
from functools import partial
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql

from alert_router_demo.soc import Hang
from router.domain.deliveries import SUSPECT
from router.store.delivery_lifecycle import DEADLY
from tests.builders import alert_body
from tests.stack.accounting import (
    QUICK,
    Letter,
    Post,
    asleep,
    books_of,
    conditions,
    high,
    is_delivered,
    junk,
    key_of,
    kill,
    left_over,
    low,
    medium,
    quick,
    rows_in,
    runs,
    settle,
    sweep,
)
from tests.stack.functions_host import Death, FunctionsHost, Outcome
from tests.stack.gate import Gate, Order, to
from tests.stack.postgres import Postgres, Way, postgres_running
from tests.stack.stack import ROOT, Stack, stack_running
from tests.stack.test_doors import wake
from tests.store.acts import letters_in
from tests.waiting import until, wait_until


def some(trips: int) -> Sequence[int]:
    """A round trip near the beginning of a batch, one in the midst of it, and one near its end."""
    return (2, trips // 2, trips - 1)


def every(trips: int) -> Sequence[int]:
    """Each round trip of a batch."""
    return range(1, trips)


@pytest.mark.parametrize("death", Death)
@pytest.mark.parametrize("chosen", [some, pytest.param(every, marks=pytest.mark.soak)])
def test_killed_at_any_round_trip_of_its_intake_a_batch_is_taken_in_once(
    stack: Stack, death: Death, chosen: Callable[[int], Sequence[int]]
) -> None:
    """Before the state hears of it, or before the worker hears what came of it. The sweep takes a batch in that the platform
    counts as done; one that it brings again needs no sweep. Each message is on record once, and is told once."""
    post = Post(stack)

    async def run() -> None:
        with Way(stack.state) as way:
            settings = {**QUICK, **asleep(), "ALERT_ROUTER_STATE": way.to(stack.state)}
            async with stack.host(conditions=conditions(death), **settings).running() as host:
                for name in ("before", "counted"):
                    before = way.trips
                    await post.send(high(f"h-{name}"), junk(), low(f"l-{name}"), medium(f"m-{name}"))
                    await host.idle()
                for number, trip in enumerate(chosen(way.trips - before)):
                    way.cut_at(trip, is_after=number % 2 == 1, happens=partial(kill, host))
                    await post.send(high(f"h-{number}"), junk(), low(f"l-{number}"), medium(f"m-{number}"))
                    await until(lambda deaths=number + 1: runs(host, "take_cwpp", Outcome.DIED) == deaths)  # type: ignore[misc]  # mypy infers no type of a default.
                    await host.idle()
                assert death is Death.CHECKPOINTED or (await books_of(stack)).record == post.due.record
        async with stack.host(conditions=conditions(), **QUICK).running() as host:
            await settle(stack, lambda: sweep(host))
            assert await books_of(stack) == post.due

    asyncio.run(run())


def moments_of(gate: Gate) -> dict[str, Order]:
    """Alerts whose delivery is held up before it arrives, or before its answer does."""
    return {
        "on its way": gate.hold(to("pagerduty", key_of("on its way"))),
        "paged": gate.hold(to("pagerduty", key_of("paged")), is_after=True),
        "opened": gate.hold(to("servicenow", f'"correlation_id":"{key_of("opened")}"'), is_after=True),
    }


def test_killed_at_any_moment_of_a_delivery_nobody_is_told_twice_who_can_tell_it(stack: Stack, gate: Gate) -> None:
    """A delivery whose worker died is made again when its claim ends. The pager folds what it had already, a ticket that is
    there is found, a row keeps its EventUid; what is on record as sent is never sent again."""
    post, moments = Post(stack), moments_of(gate)

    async def run() -> None:
        async with stack.host(conditions=conditions(), **quick(lease=6)).running() as host:
            await post.send(*map(high, moments))
            await asyncio.gather(*(order.met() for order in moments.values()))
            await host.kill_worker()
            for order in moments.values():
                order.end()
            await settle(stack, lambda: sweep(host))
            assert await books_of(stack) == post.due

    asyncio.run(run())
    (paged,) = [page for page in stack.soc.pagerduty.pages if page.dedup_key == key_of("paged")]
    assert paged.triggers >= 2, "no kill met a page under way, so nothing was proven"


AT_ONCE = {"ALERT_ROUTER_GRACE": "1"}
"""Claims have their usual leases, minutes long, as in Azure."""

DOORS = ("deliver_cwpp_page", "deliver_cwpp_ticket", "deliver_cwpp_rows", "take_cwpp")


async def replace_worker(
    host: FunctionsHost, orders: Sequence[Order], meanwhile: Callable[[], Awaitable[object]] | None = None
) -> None:
    """Sends a worker SIGTERM in the midst of what some orders hold up, and lets that go on once it has heeded it."""
    async with asyncio.TaskGroup() as group:
        group.create_task(host.terminate_worker())
        await until(lambda: "ending; what is in hand has" in host.log)
        if meanwhile is not None:
            await meanwhile()
        for order in orders:
            order.end()


def test_what_is_in_hand_is_finished_and_the_rest_is_the_next_workers(stack: Stack, gate: Gate) -> None:
    """In the midst of claims, requests, answers and settlements of every lane. Nothing is lost, nobody is told twice, no call
    dies, and no lease has to run out: the next worker sends at once what this one had claimed and not sent."""
    post, moments = Post(stack), moments_of(gate)

    async def run() -> None:
        async with stack.host(conditions=conditions(), **AT_ONCE).running() as host:
            await post.send(*map(high, moments))
            await asyncio.gather(*(order.met() for order in moments.values()))
            await replace_worker(host, list(moments.values()))
            await until(lambda: _is_done(stack), look=1)
            assert await books_of(stack) == post.due
            assert [runs(host, door, Outcome.DIED) for door in DOORS] == [0] * len(DOORS)

    asyncio.run(run())
    assert asyncio.run(rows_in(stack, "SELECT id FROM deliveries WHERE lost > 0")) == []
    assert {page.triggers for page in stack.soc.pagerduty.pages} == {1}
    assert set(stack.soc.counts()["duplicates"].values()) == {0}


def test_a_batch_in_hand_is_taken_in_and_the_next_one_is_the_next_workers(stack: Stack) -> None:
    """The platform would count a batch as done whose worker dies, and the sweep would have to bring it back."""
    post = Post(stack)

    async def run() -> None:
        async with stack.host(conditions=conditions(), **AT_ONCE).running() as host:
            await post.send(low("first"))
            await host.idle()
            with psycopg.connect(stack.state) as held:  # Nothing else writes to the state meanwhile.
                held.execute("LOCK TABLE partitions, signals, admissions, deliveries IN EXCLUSIVE MODE")
                await post.send(high("in hand"), low("low"))
                await until(lambda: host.under_way("take_cwpp") == 1)

                async def refused() -> None:
                    await post.send(high("comes later"), partition=1)
                    await until(lambda: runs(host, "take_cwpp", Outcome.FAILED) >= 1)
                    held.rollback()

                await replace_worker(host, [], refused)
            await until(lambda: _is_done(stack), look=1)
            assert await books_of(stack) == post.due
            assert runs(host, "take_cwpp", Outcome.DIED) == 0
            await settle(stack, lambda: sweep(host))

    asyncio.run(run())


async def _is_done(stack: Stack) -> bool:
    """Whether every delivery was sent; that the hub is settled is a sweep's to say."""
    return not [one for one in await left_over(stack) if "settled up to" not in one]


DEATHS = 5
"""So many workers die of a message that kills, while they try 20 messages, 10, 5, 2, and it alone."""

DEADLY_APP = """
import os, signal, sys
from importlib.util import module_from_spec, spec_from_file_location
from router.ingest import messages


read = messages.read_signals

def read_or_die(body, *others, **named):
    if b"killer" in body:
        with open(os.environ["DEATHS"], "a") as deaths:
            deaths.write("x")
        os.kill(os.getpid(), signal.SIGKILL)
    return read(body, *others, **named)

messages.read_signals = read_or_die
spec = spec_from_file_location("the_app", os.environ["APP"])
sys.modules["the_app"] = the_app = module_from_spec(spec)
spec.loader.exec_module(the_app)
app = the_app.app
"""
"""The app, in which a message kills its worker as one does that takes all its memory."""


@pytest.mark.soak  # It waits for leases, graces and retries to pass, as the next does, for a minute or two.
@pytest.mark.parametrize("death", Death)
def test_a_message_that_kills_is_quarantined_unread_and_its_neighbours_get_through(
    stack: Stack, tmp_path: Path, death: Death
) -> None:
    """After each death half of the batch is tried, down to the message that kills, which costs nothing else anything, in its
    batch or in another partition's: so many deaths and no more, whether the platform brings a batch again or only the sweep
    does."""
    post, deaths, app = Post(stack), tmp_path / "deaths", tmp_path / "app"
    killer = Letter(alert_body("killer"), "quarantined")
    app.mkdir()
    (app / "function_app.py").write_text(DEADLY_APP)
    shutil.copy(ROOT / "host.json", app)
    settings = QUICK | {"APP": str(ROOT / "function_app.py"), "DEATHS": str(deaths)}

    async def run() -> None:
        async with stack.host(app, conditions=conditions(death), **settings).running() as host:
            await post.send(high("before"), killer, high("after"), *(low(f"n-{number}") for number in range(17)))
            await post.send(*(low(f"m-{number}") for number in range(20)), partition=1)
            if death is Death.RETRIED:
                await until(lambda: runs(host, "take_cwpp", Outcome.OK) == 2)
            else:
                await until(lambda: runs(host, "take_cwpp", Outcome.DIED) > 0)
                # A sweep that comes before the dead worker's lease has ended finds nothing to do.
                while (await host.fire("sweep")).outcome is not Outcome.OK or len(deaths.read_text()) < DEATHS:
                    assert len(deaths.read_text()) <= DEATHS
            await settle(stack, lambda: sweep(host))
            assert await books_of(stack) == post.due
        assert len(deaths.read_text()) == DEATHS

    asyncio.run(run())


PAGES_ONLY = """
stream: cwpp
floor: {{default: Medium}}
destinations: {{oncall: {{kind: pagerduty, url: "{pagerduty}", routing_key: {{secret: CWPP_ROUTING_KEY}}}}}}
routes: []
always: []
otherwise: [oncall]
"""


@pytest.mark.soak
def test_a_delivery_that_kills_is_given_up_on_and_what_is_beside_it_gets_through(stack: Stack, gate: Gate) -> None:
    """A page during which a worker dies each time is tried once more than makes it a suspect, and then it is a dead letter.
    A page that is in hand each time it kills gets through: what is suspected with it is tried without it."""
    stack.write_policy("cwpp", PAGES_ONLY)
    post = Post(stack)
    killer = replace(high("killer"), tells=frozenset())
    killed = set[int]()

    async def run() -> None:
        def kill_it() -> None:
            if host.worker_pid not in killed:
                killed.add(host.worker_pid)
                kill(host)

        async with stack.host(conditions=conditions(), **quick(lease=2)).running() as host:
            gate.hold(to("pagerduty", key_of("killer")), kill_it)
            stack.soc.pagerduty.faults.add(Hang(0.3), times=None)
            await post.send(killer, high("beside"))
            await until(lambda: len(killed) == SUSPECT + 1)
            await until(lambda: is_delivered(stack), look=0.5)
            async with stack.store() as store:
                (letter,) = await letters_in(store)
            assert (letter.delivery.key, letter.attempts, letter.error) == (key_of("killer"), SUSPECT + 1, DEADLY)  # type: ignore[union-attr]
            assert len(killed) == SUSPECT + 1
            assert (await books_of(stack)).pages == post.due.pages

    asyncio.run(run())


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
        wait_until(lambda value=value: server.execute("SHOW default_transaction_read_only") == [(value,)])  # type: ignore[misc]  # mypy infers no type of a default.
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
