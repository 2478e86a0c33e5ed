"""What a destination's trouble costs: time, there and nowhere else; never a notice, and nobody is told twice who can tell."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from alert_router_demo.soc import Drop, Fault, LoseAnswer, Status
from router.app.clock import now
from router.app.rules import load_rules
from router.app.settings import Settings
from router.app.wiring import service_over
from router.cli import main
from router.domain.rulebook import Lane
from router.domain.signals import Stream
from router.store.destinations import PROBE
from tests.builders import finding_body
from tests.stack.accounting import QUICK, Post, books_of, high, medium, settle, sweep
from tests.stack.azurite import Azurite
from tests.stack.functions_host import Conditions, FunctionsHost, Outcome
from tests.stack.gate import Seen, gated
from tests.stack.stack import Stack, stack_running
from tests.waiting import until

WISH = 6
"""Seconds that the pager wishes to be left alone for."""

SOON = timedelta(minutes=1)
"""A little longer than a destination waits for its probe."""


@pytest.fixture
def stack(azurite: Azurite, postgresql: str) -> Iterator[Stack]:
    """A stack with an empty account."""
    with stack_running(azurite, postgresql) as stack:
        yield stack


def host(stack: Stack, **settings: str) -> FunctionsHost:
    """A host whose platform is quick."""
    return stack.host(conditions=Conditions(speed=100, grace=0.5), **(QUICK | settings))


def received(stack: Stack, what: str) -> int:
    """How many pages, tickets or rows are at the SOC."""
    return int(stack.soc.counts()["received"][what])


async def problems(host: FunctionsHost) -> list[str]:
    """What the health page complains of, but for sweeps, which only come when a test fires them."""
    answer = await host.request("GET", "/api/health")
    found = json.loads(answer.body)["problems"]
    assert answer.status == (503 if found else 200)
    return [one for one in found if "the last sweep" not in one]


def test_a_pager_that_says_when_is_asked_then_and_not_before(stack: Stack) -> None:
    """As long as it answers 429, no page is tried again before the time that it wishes to be left alone for; tickets do not
    wait for it. Then every page is there, once."""
    letters = [high(f"h-{number}") for number in range(6)]
    tries: defaultdict[str, list[float]] = defaultdict(list)

    def note(seen: Seen) -> bool:
        if seen.service == "pagerduty":
            tries[json.loads(seen.body)["dedup_key"]].append(time.monotonic())
        return False

    async def run() -> None:
        with gated(stack) as behind:
            post, pager = Post(behind), stack.soc.pagerduty
            behind.gate.watch(note)
            pager.faults.add(Status(429, retry_after=str(WISH)), times=None)
            async with host(behind).running() as running:
                await post.send(*letters)
                await until(lambda: pager.answers["429"] >= 2 * len(letters))
                await until(lambda: received(stack, "tickets") == len(letters))
                assert received(stack, "pages") == 0
                pager.faults.clear()
                await settle(behind, lambda: sweep(running))
                assert await books_of(behind) == post.due
            assert pager.answers["202"] == len(letters)

    asyncio.run(run())
    assert min(after - before for times in tries.values() for before, after in pairwise(times)) >= WISH


def test_what_is_over_soon_costs_an_attempt_and_no_more(stack: Stack) -> None:
    """Errors, cut connections and answers that are none are tried again, and so is what was done but never answered: the
    pager folds that, a look-up finds the ticket, and the row keeps its EventUid."""
    post, soc = Post(stack), stack.soc
    fault: Fault
    asleep = Status(200, body="Your instance is hibernating")
    cancelled = Status(200, body={"error": {"message": "Transaction cancelled"}, "status": "failure"})
    for fault in (Status(200, body={"status": "queued"}), Status(502), LoseAnswer()):
        soc.pagerduty.faults.add(fault)
    for fault in (Drop(), asleep, cancelled):
        soc.servicenow.faults.add(fault)
    soc.servicenow.faults.add(LoseAnswer(), method="POST")
    for fault in (Status(500), Drop(), LoseAnswer()):
        soc.logs.faults.add(fault)

    async def run() -> None:
        async with host(stack).running() as running:
            await post.send(*(high(f"h-{number}") for number in range(3)))
            await settle(stack, lambda: sweep(running))
            assert await books_of(stack) == post.due

    asyncio.run(run())
    assert sum(page.triggers for page in soc.pagerduty.pages) == 3 + 1
    assert received(stack, "rows") > 3 + 3, "nothing was written twice, so nothing was proven of rows"


def test_what_is_refused_is_a_dead_letter_until_it_is_redriven(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A page that is no event to the pager, and a success around an error at the tickets: each is tried once and dead, and
    nobody else hears of it. Redriven, it is there, once."""
    post, soc = Post(stack), stack.soc
    soc.pagerduty.faults.add(Status(400))
    soc.servicenow.faults.add(Status(200, body={"error": {"message": "Insert aborted"}, "status": "failure"}))
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)

    async def run() -> None:
        async with host(stack).running() as running:
            await post.send(high("refused"))
            await until(lambda: soc.pagerduty.answers["400"] + soc.servicenow.answers["200"] == 2)
            await running.idle()
            await post.send(high("neighbour"))
            await running.idle()
            assert await problems(running) == ["cwpp oncall: 1 dead letters", "cwpp tickets: 1 dead letters"]
            assert (received(stack, "pages"), received(stack, "tickets")) == (1, 1)
            assert await asyncio.to_thread(main, ["dead-letters", "redrive", "--all", "--state", stack.state]) == 0
            await settle(stack, lambda: sweep(running))
            assert await books_of(stack) == post.due
            assert await problems(running) == []

    asyncio.run(run())
    assert capsys.readouterr().out.startswith("redriven: 2;")
    assert soc.pagerduty.answers == {"400": 1, "202": 2}


def test_a_destination_that_refuses_our_credentials_is_paused_and_probed(stack: Stack) -> None:
    """One request, and the health page names the pause: whatever else is owed there, and when it is swept. When
    the pause is over one delivery probes; once our credentials are good again, all of it comes."""
    post, tickets = Post(stack), stack.soc.servicenow

    async def run() -> None:
        async with host(stack, CWPP_PASSWORD="of yesterday").running() as running:
            await post.send(medium("first"))
            await until(lambda: tickets.answers["401"] == 1)
            await running.idle()
            await post.send(*(high(f"h-{number}") for number in range(8)))
            await until(lambda: received(stack, "pages") == 8)
            await sweep(running)
            await running.idle()
            assert tickets.answers == {"401": 1}
            (complaint,) = await problems(running)
            assert complaint.startswith("cwpp tickets: refuses our credentials since ")
            # The stream that has other credentials there is not paused.
            stack.hubs.append("cspm", 0, finding_body("f-1"))
            await until(lambda: received(stack, "tickets") == 1)
        await sweep_and_deliver(stack, PROBE + SOON, CWPP_PASSWORD="of the day before")
        assert tickets.answers["401"] == 2
        await sweep_and_deliver(stack, 2 * (PROBE + SOON))
        books = await books_of(stack)
        assert {key: books.tickets[key] for key in post.due.tickets} == dict(post.due.tickets)

    asyncio.run(run())
    assert tickets.answers["401"] == 2


async def sweep_and_deliver(stack: Stack, later: timedelta, **settings: str) -> None:
    """An instance whose clock says that it is later by so much sweeps, and delivers what tickets are due then."""

    def clock() -> datetime:
        return now() + later

    rules = load_rules(stack.rules, list(Stream), now())
    async with service_over(rules, Settings(stack.environment | QUICK | settings), clock) as service:
        await service.sweep()
        await service.loops[Stream.CWPP, Lane.TICKET].deliver_due(lambda: False)


def test_a_destination_that_is_not_there_yet_keeps_nobody_waiting(stack: Stack) -> None:
    """Everybody else is told, the health page is green and names it, and once its secret is there it is told all of it.
    Then the same secret is missed: that is a problem, named at once."""
    post = Post(stack)
    missing = "cwpp tickets: {}: CWPP_PASSWORD is still a reference to Key Vault"
    reference = "@Microsoft.KeyVault(VaultName=v;SecretName=cwpp-password)"

    async def run() -> None:
        async with host(stack, CWPP_PASSWORD=reference).running() as running:
            await post.send(high("early"))
            await until(lambda: received(stack, "pages") == 1)
            await sweep(running)
            await running.idle()
            page = await running.request("GET", "/api/health")
            found = json.loads(page.body)
            assert (page.status, found["problems"], found["not_yet"]) == (200, [], [missing.format("not yet")])
            assert {run.outcome for run in running.invocations} == {Outcome.OK}
        assert received(stack, "tickets") == 0
        await sweep_and_deliver(stack, SOON)
        async with host(stack).running() as running:
            await settle(stack, lambda: sweep(running))
            assert await books_of(stack) == post.due
        async with host(stack, CWPP_PASSWORD=reference).running() as running:
            assert await problems(running) == [missing.format("cannot be asked")]

    asyncio.run(run())
    assert set(stack.soc.servicenow.answers) <= {"200", "201"}
