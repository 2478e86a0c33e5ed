"""What storage that fails, and what kills a worker, cost: time, and never a message."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from router.assembly import load_rules, now, service_over
from router.domain.journal import Event, Partition
from router.domain.ports import SUSPECT, DeadLetter, DeliveryState
from router.domain.signals import Stream
from router.settings import STORAGE, Settings
from router.store.endings import DEADLY
from router.taking import CERTAINTY, SUSPICION
from tests.builders import alert_body, finding_body
from tests.stack.accounting import (
    QUICK,
    Letter,
    Post,
    books_of,
    high,
    junk,
    key_of,
    low,
    medium,
    settle,
    sweep,
)
from tests.stack.azurite import Azurite, azurite_running
from tests.stack.functions_host import Conditions, Death, FunctionsHost, Outcome
from tests.stack.gate import GatedStack, Matching, Seen, gated, moves, reads, to, writes
from tests.stack.stack import Stack, stack_running

DEATHS = SUSPICION + CERTAINTY
"""So many workers die of a message that kills: some beside its neighbours, some alone with it."""


@pytest.fixture
def stack(azurite: Azurite) -> Iterator[GatedStack]:
    """A stack with an empty account, behind a gate."""
    with stack_running(azurite) as stack, gated(stack) as stack:
        yield stack


def conditions(death: Death = Death.CHECKPOINTED) -> Conditions:
    """A platform that is quick."""
    return Conditions(speed=20, death=death, restart_delay=0.05)


def to_storage(seen: Seen) -> bool:
    """Any request to storage."""
    return seen.service in ("blob", "queue", "table")


def runs(host: FunctionsHost, function: str, outcome: Outcome) -> int:
    """How many runs of a function ended so."""
    return sum(1 for run in host.invocations if run.function == function and run.outcome is outcome)


async def until(is_so: Callable[[], bool]) -> None:
    """Returns once something is so; gives up after a while."""
    async with asyncio.timeout(30):
        while not is_so():
            await asyncio.sleep(0.02)


def test_while_storage_fails_messages_wait_in_the_hub_and_nobody_is_suspected(stack: GatedStack) -> None:
    """Storage that is busy is asked again; storage that refuses fails the call, which comes again with the same messages. A
    process that lives and tries again is nobody's death, so nothing is ever taken alone."""
    post, gate = Post(stack), stack.gate
    alone = gate.watch(writes("journal", '"alone": true'))

    async def run() -> None:
        async with stack.host(conditions=conditions(), **QUICK).running() as host:
            closed = gate.fail(to_storage, 403, "AuthorizationFailure")
            await post.send(high("from the start"), junk(), low("low"))
            # More often than makes an event suspect, and before the service was ever ready.
            await until(lambda: runs(host, "take_cwpp", Outcome.FAILED) > SUSPICION)
            closed.end()
            await until(lambda: runs(host, "take_cwpp", Outcome.OK) == 1)
            half = gate.fail(writes("record"), 403, "AuthorizationFailure")
            await post.send(high("half-way"), medium("half-way, too"))
            failed = runs(host, "take_cwpp", Outcome.FAILED) + SUSPICION
            await until(lambda: runs(host, "take_cwpp", Outcome.FAILED) > failed)
            half.end()
            busy = gate.fail(to_storage, 503, "ServerBusy")
            await post.send(high("under load"))
            await busy.met()
            await asyncio.sleep(1)
            busy.end()
            await settle(stack, lambda: sweep(host))
            assert await books_of(stack) == post.due
            assert runs(host, "take_cwpp", Outcome.DIED) == 0

    asyncio.run(run())
    assert alone == []


def test_what_the_soc_took_while_storage_failed_is_written_down_later_and_sent_once(stack: GatedStack) -> None:
    """A settlement that storage did not take stays with the worker as long as it lives."""
    post, gate = Post(stack), stack.gate

    async def run() -> None:
        async with stack.host(conditions=conditions(), **QUICK).running() as host:
            closed = gate.fail(moves("oncall", key_of("told"), "sent"), 403, "AuthorizationFailure")
            await post.send(high("told"))
            await until(lambda: runs(host, "deliver_cwpp_page", Outcome.FAILED) == 1)
            closed.end()
            assert await dead_letters(stack) == []
            assert await books_of(stack) == post.due

    asyncio.run(run())
    assert [page.triggers for page in stack.soc.pagerduty.pages] == [1]


def test_storage_that_hangs_costs_time_only() -> None:
    """Messages that come, and deliveries that are under way, while storage says nothing are all accounted for."""
    with azurite_running() as azurite, stack_running(azurite) as stack:
        post = Post(stack)

        async def run() -> None:
            async with stack.host(conditions=conditions(), **QUICK).running() as host:
                await post.send(*(high(f"before-{number}") for number in range(8)))
                await until(lambda: len(stack.soc.pagerduty.pages) > 0)
                azurite.pause()
                await post.send(*(high(f"meanwhile-{number}") for number in range(8)))
                # Longer than a claim lasts.
                await asyncio.sleep(4)
                azurite.resume()
                await settle(stack, lambda: sweep(host))
                assert await books_of(stack) == post.due
                assert not [run for run in host.invocations if run.outcome is Outcome.DIED]

        asyncio.run(run())


@pytest.mark.parametrize("death", Death)
def test_a_message_that_kills_is_quarantined_unread_and_its_neighbours_get_through(
    stack: GatedStack, death: Death
) -> None:
    """After some deaths each message of the batch is taken alone, and the one that kills then too costs nobody else
    anything: so many deaths and no more, whether the platform brings the batch again or only the sweep does."""
    post = Post(stack)
    neighbours = [high(f"n-{number}") for number in range(19)]
    killer = Letter(alert_body("killer"), "quarantined")

    async def run() -> None:
        async with stack.host(conditions=conditions(death), **QUICK).running() as host:
            killed = kill_on(stack, host, reads("ledger", key_of("killer")))
            await post.send(*neighbours[:7], killer, *neighbours[7:])
            if death is Death.RETRIED:
                await until(lambda: runs(host, "take_cwpp", Outcome.OK) == 1)
            else:
                await until(lambda: runs(host, "take_cwpp", Outcome.DIED) == 1)
                while (await host.fire("sweep")).outcome is not Outcome.OK:
                    assert len(killed) <= DEATHS
            assert len(killed) == DEATHS
            await settle(stack, lambda: sweep(host))
            assert await books_of(stack) == post.due

    asyncio.run(run())


def test_a_delivery_that_kills_is_given_up_on_and_others_get_through(stack: GatedStack) -> None:
    """A page during which a worker dies each time is tried once more than makes it a suspect, and then it is a dead letter.
    Its alert's ticket and row, and everybody else's pages, get through."""
    post = Post(stack)
    killer = replace(high("killer"), tells=frozenset({"tickets", "rows"}))

    async def run() -> None:
        async with stack.host(conditions=conditions(Death.RETRIED), **QUICK).running() as host:
            killed = kill_on(stack, host, to("pagerduty", key_of("killer")))
            await post.send(killer)
            for death in range(1, SUSPECT + 2):
                await until(lambda death=death: len(killed) == death)  # type: ignore[misc]
                await post.send(high(f"n-{death}"), medium(f"m-{death}"))
            dead = await dead_letters(stack)
            assert [(one.delivery.key, one.attempts) for one in dead] == [(key_of("killer"), SUSPECT + 1)]
            assert dead[0].error == DEADLY
            assert len(killed) == SUSPECT + 1
            assert await books_of(stack) == post.due

    asyncio.run(run())


async def dead_letters(stack: Stack) -> list[DeadLetter]:
    """The dead letters, once every delivery has ended."""
    store = stack.store()
    try:
        async with asyncio.timeout(30):
            while {state for _, state in await store.outbox.counts("cwpp")} & {
                DeliveryState.OWED,
                DeliveryState.CLAIMED,
            }:
                await asyncio.sleep(0.3)
        return list(await store.outbox.dead())
    finally:
        await store.close()


@pytest.mark.xfail(
    strict=True, reason="A claim that waits for a suspect's trial counts as a trial if the worker dies of that."
)
def test_what_was_not_tried_yet_is_not_given_up_on_because_another_kills(stack: GatedStack) -> None:
    """Of two suspects one is tried and kills; the other was claimed and waits its turn, which is no trial of its own."""
    post, gate = Post(stack), stack.gate
    killer = replace(high("killer"), tells=frozenset({"tickets", "rows"}))
    waiting = gate.withhold(moves("oncall", key_of("innocent"), "claimed"), times=1)
    put_back = gate.hold(moves("oncall", key_of("innocent"), "owed"), times=1)
    trial = gate.hold(to("pagerduty", key_of("killer")))

    async def run() -> None:
        await post.send(killer, high("innocent"))
        await make_suspects(stack)
        async with stack.host(conditions=conditions(), **QUICK).running() as host:
            await asyncio.gather(trial.met(), waiting.met())
            waiting.end()
            await put_back.met()
            await host.kill_worker()
            trial.end()
            assert [one.delivery.key for one in await dead_letters(stack)] == [key_of("killer")]
            assert await books_of(stack) == post.due

    asyncio.run(run())


async def make_suspects(stack: Stack) -> None:
    """Has what the hub holds taken in, and each page claimed and lost as often as makes it a suspect."""
    rules, settings = (
        load_rules(stack.rules, list(Stream), now()),
        Settings(stack.environment | {STORAGE: stack.storage}),
    )
    async with service_over(rules, settings, now) as service:
        held = stack.hubs.published("cwpp", 0)
        await service.take(Partition("cwpp", "0"), [Event(one.sequence, one.enqueued, one.body) for one in held])
        for _ in range(SUSPECT):
            over = now()
            await service.store.outbox.claim("cwpp", "oncall", over, over, len(held))


def kill_on(stack: GatedStack, host: FunctionsHost, matching: Matching) -> set[int]:
    """Has every worker killed that makes such a request, which gets no answer; returns the workers that were."""
    loop, killed = asyncio.get_running_loop(), set[int]()

    def kill() -> None:
        killed.add(host.worker_pid)
        asyncio.run_coroutine_threadsafe(host.kill_worker(), loop)

    stack.gate.on(matching, kill)
    return killed


ROWS_ONLY = """
stream: cwpp
floor: {{default: Medium}}
destinations: {{sentinel: {{kind: log_analytics, endpoint: "{logs}", rule: dcr-1, table: ASimAlertEventLogs}}}}
routes: []
always: []
otherwise: [sentinel]
record: {{kind: log_analytics, endpoint: "{logs}", rule: dcr-2, table: AlertRouterDecisions_CL}}
"""

POISONS = {
    "no JSON": junk(b"\xff\x00{"),
    "of the other stream": junk(finding_body()),
    "of 5 MB": junk(alert_body("big", Description="x" * 5_000_000)),
    "that nothing identifies": junk(alert_body(["no", "text"], Severity={}, Status=[None])),  # type: ignore[arg-type]
}


def test_a_poison_message_costs_its_neighbours_nothing(azurite: Azurite) -> None:
    """Of a hundred messages in one batch, 99 are routed and one is quarantined, whole, whatever is wrong with it."""
    with stack_running(azurite, partitions=len(POISONS)) as stack:
        stack.write_policy("cwpp", ROWS_ONLY)
        post = Post(stack)

        async def run() -> None:
            async with stack.host(conditions=conditions(), **QUICK).running() as host:
                for partition, (what, poison) in enumerate(POISONS.items()):
                    letters = [row(f"{what} {number}") for number in range(99)]
                    await post.send(*letters[:50], poison, *letters[50:], partition=partition)
                await host.idle()
                assert await dead_letters(stack) == []
                batches = [run.events for run in host.invocations if run.function == "take_cwpp"]
                assert max(batches) == 100
                assert await books_of(stack) == post.due

        asyncio.run(run())


def row(name: str) -> Letter:
    """An alert that is a row, and nothing else."""
    return replace(high(name), tells=frozenset({"rows"}))
