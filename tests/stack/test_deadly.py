"""What kills a worker, or is not understood, costs nothing beside it: messages and deliveries."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from router.app.clock import now
from router.app.rules import load_rules
from router.app.settings import STORAGE, Settings
from router.app.wiring import service_over
from router.domain.deliveries import SUSPECT, Pointer
from router.domain.delivery_errors import DEADLY
from router.domain.journal import Event, Partition
from router.domain.rulebook import Lane
from router.domain.signals import Stream
from router.ingest.poison import CERTAINTY, SUSPICION
from tests.builders import alert_body, finding_body
from tests.stack.accounting import QUICK, Letter, Post, books_of, high, junk, key_of, low, quick, settle, sweep
from tests.stack.acts import conditions, dead_letters, kill_on, runs
from tests.stack.azurite import Azurite
from tests.stack.functions_host import Death, Outcome
from tests.stack.gate import GatedStack, gated, moves, reads, sends, to
from tests.stack.stack import Stack, stack_running
from tests.store.builders import noise
from tests.waiting import until

DEATHS = SUSPICION + CERTAINTY
"""So many workers die of a message that kills: some beside its neighbours, some alone with it."""


@pytest.fixture
def stack(azurite: Azurite) -> Iterator[GatedStack]:
    """A stack with an empty account, behind a gate."""
    with stack_running(azurite) as stack, gated(stack) as stack:
        yield stack


@pytest.mark.parametrize("death", Death)
def test_a_message_that_kills_is_quarantined_unread_and_its_neighbours_get_through(
    stack: GatedStack, death: Death
) -> None:
    """After some deaths each message of the batch is taken alone, and the one that kills then too costs nobody else
    anything, in its batch or in another partition's: so many deaths and no more, whether the platform brings a batch again
    or only the sweep does."""
    post = Post(stack)
    killer = Letter(alert_body("killer"), "quarantined")

    async def run() -> None:
        async with stack.host(conditions=conditions(death), **QUICK).running() as host:
            killed = kill_on(stack, host, reads("ledger", key_of("killer")), after=0.2)
            # The other partition's batch is under way whenever the killer kills, and at this one of its messages.
            stack.gate.delay(reads("ledger", key_of("beside")), 1.0)
            await post.send(high("before"), killer, high("after"), *(low(f"n-{number}") for number in range(17)))
            await post.send(low("beside"), *(low(f"m-{number}") for number in range(19)), partition=1)
            if death is Death.RETRIED:
                await until(lambda: runs(host, "take_cwpp", Outcome.OK) == 2)
            else:
                await until(lambda: runs(host, "take_cwpp", Outcome.DIED) > 0)
                while (await host.fire("sweep")).outcome is not Outcome.OK:
                    assert len(killed) <= DEATHS
            assert len(killed) == DEATHS
            await settle(stack, lambda: sweep(host))
            assert await books_of(stack) == post.due

    asyncio.run(run())


PAGES_ONLY = """
stream: cwpp
floor: {{default: Medium}}
destinations: {{oncall: {{kind: pagerduty, url: "{pagerduty}", routing_key: {{secret: CWPP_ROUTING_KEY}}}}}}
routes: []
always: []
otherwise: [oncall]
"""


def test_a_delivery_that_kills_is_given_up_on_and_what_is_beside_it_gets_through(stack: GatedStack) -> None:
    """A page during which a worker dies each time is tried once more than makes it a suspect, and then it is a dead letter.
    A page that is in hand each time it kills gets through: what is suspected with it is tried without it."""
    stack.write_policy("cwpp", PAGES_ONLY)
    post = Post(stack)
    killer = replace(high("killer"), tells=frozenset())

    async def run() -> None:
        async with stack.host(conditions=conditions(), **quick(lease=2)).running() as host:
            killed = kill_on(stack, host, to("pagerduty", key_of("killer")))
            stack.gate.delay(to("pagerduty", key_of("beside")), 0.3)
            await post.send(killer, high("beside"))
            await until(lambda: len(killed) == SUSPECT + 1)
            (letter,) = await dead_letters(stack)
            assert (letter.delivery.key, letter.attempts, letter.error) == (key_of("killer"), SUSPECT + 1, DEADLY)
            assert len(killed) == SUSPECT + 1
            assert (await books_of(stack)).pages == post.due.pages

    asyncio.run(run())


def test_what_was_not_tried_yet_is_not_given_up_on_because_another_kills(stack: GatedStack) -> None:
    """Of two suspects one is tried, and kills; the other was claimed and waits its turn, which is no trial of its own. Before
    it is put back nothing is tried, and meanwhile nothing further is claimed there."""
    post, gate = Post(stack), stack.gate
    killer = replace(high("killer"), tells=frozenset({"tickets", "rows"}))
    claiming = gate.withhold(moves("oncall", key_of("innocent"), "claimed"), times=1)
    put_back = gate.hold(moves("oncall", key_of("innocent"), "owed"), times=1)
    put_off = gate.delay(lambda seen: sends("cwpp-page")(seen) and "visibilitytimeout=0" not in seen.path, 0.0)
    trial = gate.hold(to("pagerduty", key_of("killer")))

    async def run() -> None:
        await post.send(killer, high("innocent"))
        await make_suspects(stack)
        async with stack.host(conditions=conditions(), **quick(lease=6)).running() as host:
            await claiming.met()
            await post.send(high("another"))
            await put_off.met()
            claiming.end()
            await put_back.met()
            assert trial.count == 0, "nothing is tried while the worker's death would cost what is not"
            put_back.end()
            await trial.met()
            await host.kill_worker()
            trial.end()
            assert [one.delivery.key for one in await dead_letters(stack)] == [key_of("killer")]
            assert await books_of(stack) == post.due

    asyncio.run(run())


async def make_suspects(stack: Stack) -> None:
    """Has what the hub holds taken in, and each page claimed and lost as often as makes it a suspect."""
    rules = load_rules(stack.rules, list(Stream), now())
    settings = Settings(stack.environment | {STORAGE: stack.storage})
    async with service_over(rules, settings, now) as service:
        held = stack.hubs.published("cwpp", 0)
        await service.ingest_events(
            Partition("cwpp", "0"), [Event(one.sequence, one.enqueued, one.body) for one in held]
        )
        for _ in range(SUSPECT):
            over = now()
            await service.store.outbox.claim(Pointer("cwpp", Lane.PAGE, "oncall"), over, over, len(held))


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
    "of 5 MB": junk(alert_body("big", Description=noise(2_500_000).hex())),
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
