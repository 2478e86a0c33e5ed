"""What kills a worker, or is not understood, costs nothing beside it: messages and deliveries."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from alert_router_demo.soc import Hang
from router.domain.deliveries import SUSPECT
from router.store.delivery_lifecycle import DEADLY
from tests.builders import alert_body
from tests.stack.accounting import (
    QUICK,
    Letter,
    Post,
    books_of,
    conditions,
    high,
    key_of,
    kill,
    low,
    quick,
    runs,
    settle,
    sweep,
)
from tests.stack.functions_host import Death, Outcome
from tests.stack.gate import Gate, to
from tests.stack.stack import ROOT, Stack
from tests.stack.test_doors import delivered
from tests.store.acts import letters_in
from tests.waiting import until

pytestmark = pytest.mark.soak  # Each waits for leases, graces and retries to pass, for a minute or two.

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
            await delivered(stack)
            store = stack.store()
            (letter,) = await letters_in(store)
            await store.close()
            assert (letter.delivery.key, letter.attempts, letter.error) == (key_of("killer"), SUSPECT + 1, DEADLY)  # type: ignore[union-attr]
            assert len(killed) == SUSPECT + 1
            assert (await books_of(stack)).pages == post.due.pages

    asyncio.run(run())
