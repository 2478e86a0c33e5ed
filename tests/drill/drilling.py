"""Drills by the command line, in this process, over a router at work behind loopback hubs in a thread of its own.

Intake, rules, state and deliveries are the product's; what a hub holds is looked up in the double instead of asked for by AMQP.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest

from alert_router_demo.soc import Soc
from router.app.delivery import open_dispatcher
from router.app.destination_readiness import readiness_of
from router.app.rules import load_rules, new_intake
from router.app.settings import Settings, now
from router.cli import main
from router.domain.documents import DocumentKind
from router.domain.hubs import Event, Partition
from router.domain.signals import Stream
from router.ingest.event_intake import EventIntake
from router.store.partitions import write_sweep_end
from tests.builders import RULES
from tests.stack.defender import DefenderDouble
from tests.stack.event_hubs import EventHubs
from tests.store.opened import open_store, rows_in

HUB, PARTITION = "cwpp", "0"

POLICY = """
stream: cwpp
floor: {{default: Medium}}
destinations:
  oncall: {{kind: pagerduty, url: "{pagerduty}", routing_key: {{secret: CWPP_ROUTING_KEY}}}}
  tickets: {{kind: servicenow, url: "{servicenow}", auth: {{user: {user}, password: {{secret: CWPP_PASSWORD}}}}}}
routes:
  - {{name: page, when: {{at_least: High}}, to: [oncall]}}
  - {{name: tickets, when: {{at_least: Medium}}, to: [tickets]}}
always: []
otherwise: [tickets]
"""


@dataclass
class Grounds:
    """Where drills are held: hubs, a SOC, Defender, and a directory for rules and states."""

    hubs: EventHubs
    soc: Soc
    defender: DefenderDouble
    directory: Path
    number: int = field(default=0)

    def environment(self) -> dict[str, str]:
        """The settings of the router and of the drill."""
        account = self.soc.accounts["cwpp"]
        return {
            "ALERT_ROUTER_CA_FILE": str(self.soc.addresses.ca),
            "ALERT_ROUTER_RESOURCE_MANAGER": self.defender.url,
            "CWPP_ROUTING_KEY": account.routing_key,
            "CWPP_PASSWORD": account.servicenow_password,
        }

    def house(self, policy: str = POLICY) -> SmallHouse:
        """Rules and an empty state of their own; doubles behave again."""
        self.number += 1
        self.defender.end_exports()  # what an earlier drill did not wait for would be another's sample in this one
        place = self.directory / f"house-{self.number}"
        house = SmallHouse(self, place / "rules", place / "state", self.hubs.last_sequences(HUB)[PARTITION])
        rules = house.rules / HUB
        rules.mkdir(parents=True)
        addresses: Mapping[str, str] = {name: str(one) for name, one in asdict(self.soc.addresses).items()}
        user = self.soc.accounts["cwpp"].servicenow_user
        (rules / "policy.yaml").write_text(policy.format_map({**addresses, "user": user}))
        (house.rules / "attack.yaml").write_bytes((RULES / "attack.yaml").read_bytes())
        asyncio.run(open_store(house.state).close())
        self.defender.behave()
        self.soc.pagerduty.faults.clear()
        self.soc.servicenow.faults.clear()
        return house


@dataclass
class SmallHouse:
    """Rules, and the state of a router that goes by them; it takes in what the hub got after `seen`."""

    grounds: Grounds
    rules: Path
    state: Path
    seen: int

    def results(self) -> dict[str, Any]:
        """What lies in the state of drills, by the documents' ids."""
        query = "SELECT id, body FROM documents WHERE kind = ?"
        return {id: json.loads(body) for id, body in rows_in(self.state, query, DocumentKind.FACT.value)}

    @contextmanager
    def at_work(self, *, is_deaf: bool = False) -> Iterator[None]:
        """The router at work; a deaf one hears nothing of its hub, which so is as good as stopped."""
        ready, over = threading.Event(), threading.Event()
        thread = threading.Thread(target=lambda: asyncio.run(self._work(ready, over, is_deaf)), daemon=True)
        thread.start()
        assert ready.wait(60)
        try:
            yield
        finally:
            over.set()
            thread.join()

    async def _work(self, ready: threading.Event, over: threading.Event, is_deaf: bool) -> None:
        settings = Settings(self.grounds.environment())
        rules = load_rules(self.rules, [Stream.CWPP], now())
        async with AsyncExitStack() as stack:
            store = open_store(self.state)
            store.hold()
            stack.push_async_callback(store.close)
            dispatcher = await stack.enter_async_context(
                open_dispatcher(store, rules, readiness_of(rules, settings), settings, now, over.is_set)
            )
            intake = EventIntake(new_intake(store, rules, Stream.CWPP), store, "small")
            ready.set()
            while not over.is_set():
                if not is_deaf:
                    await self._take_in(intake)
                    await store.run(lambda tx: write_sweep_end(tx, HUB, now()))
                await dispatcher.deliver_due()
                await asyncio.sleep(0.05)

    async def _take_in(self, intake: EventIntake) -> None:
        events = [
            Event(one.sequence, one.enqueued, one.body)
            for one in self.grounds.hubs.published(HUB, PARTITION)
            if one.sequence > self.seen
        ]
        if events:
            await intake.ingest_events(Partition(HUB, PARTITION), events, now())
            self.seen = events[-1].sequence


SUBSCRIPTION = "d87e1b60-4a2c-4f93-b1d7-05c3e8a2f330"
CLUSTER = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/aks-pay"
)
SAMPLES = ("--subscription", SUBSCRIPTION, "--bundle", "VirtualMachines", "--yes")
HEARTBEAT = "ALERT_ROUTER_DRILL_HEARTBEAT"

SOON, LATE = "60s", ("2s", "10s", "60s")
"""How long a drill waits that is to end by itself, and one that waits for what never comes: longer where a machine is slow."""


@dataclass
class Outcome:
    """The exit code of a drill, its result, and what it printed on the way."""

    code: int
    result: dict[str, Any]
    said: str

    @property
    def end(self) -> tuple[int, str, str | None, int | None]:
        """How it ended, and how many samples it dismissed."""
        return self.code, self.result["verdict"], self.result["failed_hop"], self.result["dismissed"]

    @property
    def verdicts(self) -> dict[str, str]:
        """The verdict on each destination."""
        return {one["name"]: one["verdict"] for one in self.result["destinations"]}

    @property
    def ids(self) -> set[str]:
        """The ids of the alerts that were decided."""
        return {one["id"] for one in self.result["alerts"]}


@dataclass
class Drilling:
    """Runs `alert-router drill` in this process."""

    capsys: pytest.CaptureFixture[str]

    def __call__(self, house: SmallHouse, *more: str, within: str = SOON, about: tuple[str, ...] = SAMPLES) -> Outcome:
        """Return the outcome of a drill."""
        self.capsys.readouterr()
        code = main(arguments(house, "--within", within, "--format", "json", *more, about=about))
        out, err = self.capsys.readouterr()
        return Outcome(code, json.loads(out) if out else {}, err)

    def in_vain(self, house: SmallHouse, *words: str) -> Outcome:
        """Return the outcome of a drill that waits in vain, once its result says this much."""
        for seconds in LATE:
            drilled = self(house, within=seconds)
            if all(one in str(drilled.result) for one in words):
                break
        return drilled


def arguments(house: SmallHouse, *more: str, about: tuple[str, ...] = SAMPLES) -> list[str]:
    """Return the command line of a drill."""
    return ["drill", *about, "--state", str(house.state), "--rules", str(house.rules), *more]
