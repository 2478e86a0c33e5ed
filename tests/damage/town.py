"""A router at work on a store: messages are taken in from a hub, delivered, swept and listed; only the vendors are not real."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from router.app.health import Health, health_of
from router.app.maintenance import give_up_undeliverable
from router.domain.catalogue import Catalogue
from router.domain.conversation import Result
from router.domain.deliveries import Attempt, DeliveryState, Pause, Receipt
from router.domain.errors import Rejected
from router.domain.hubs import Event, HubEpoch, Loss, Partition, Span
from router.domain.notices import Notice
from router.domain.rulebook import By, Grouping, Lane, Limit, Rulebook
from router.domain.signals import Stream
from router.ingest.event_intake import EventIntake
from router.ingest.gaps import GapFiller
from router.ingest.intake import Intake, release_held
from router.store import partitions
from router.store.dead_letters import list_dead_letters
from router.store.delivery_status import count_deliveries, list_backlogs
from router.store.destinations import list_pauses, pause_destination
from router.store.forgetting import forget
from router.store.partitions import Try
from router.store.quarantine import list_quarantined
from router.store.retention import Retention
from router.store.store import Store
from tests.builders import NOW, a_destination, a_route, a_rule, a_rulebook, alert_body, an_ip, without_rules
from tests.deliver.engines import Engine, Scripted
from tests.hubs import LONG_AGO, Shelf
from tests.store.within import within

PLACE = Partition("cwpp", "0")
HOUR = timedelta(hours=1)
LANES = {
    "tickets": Lane.TICKET,
    "oncall": Lane.PAGE,
    "chat": Lane.TICKET,
    "summary": Lane.TICKET,
    "sentinel": Lane.ROWS,
}
HELD = {"Entities": [an_ip("10.20.0.5")]}


def a_book() -> Rulebook:
    """Everything goes to tickets, to a pager, to a chat that is told of groups, to a place with a limit, and to rows."""
    specs = [a_destination(name, lane) for name, lane in LANES.items()]
    grouped, limit = Grouping((By.ALERT_TYPE,), HOUR), Limit(1, 2 * HOUR)
    return a_rulebook(
        a_rule(),
        routes=[a_route("all", "tickets", "oncall", "chat", "summary")],
        destinations=[
            replace(one, group=grouped if one.name == "chat" else None, limit=limit if one.name == "summary" else None)
            for one in specs
        ],
    )


class Town:
    """A store with its shell; `told` is what destinations took, as (destination, change, id of the alert)."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.book = a_book()
        self.now = NOW
        self.hub = Shelf()
        self.notified: list[tuple[str, str, str]] = []
        self.refused: set[str] = set()

    @property
    def intake(self) -> Intake:
        return Intake(self.store, {Stream.CWPP: self.book}, Catalogue(), Stream.CWPP)

    @property
    def event_intake(self) -> EventIntake:
        return EventIntake(self.intake, self.store, "me")

    async def ingest(self, *bodies: bytes) -> None:
        """Takes events in as the hub brings them."""
        await self.event_intake.ingest_events(PLACE, [self.publish(body) for body in bodies], self.now)

    def publish(self, body: bytes) -> Event:
        """An event that the hub holds."""
        (event,) = self.hub.publish(at=LONG_AGO + timedelta(seconds=len(self.hub.events[PLACE])))
        self.hub.events[PLACE][-1] = replace(event, body=body)
        return self.hub.events[PLACE][-1]

    async def deliver(self) -> None:
        """Delivers until nothing is due."""

        def answer(attempt: Attempt) -> Result:
            it = attempt.delivery
            if isinstance(it.content, Notice) and it.content.id in self.refused and it.destination == "tickets":
                return Rejected("400 Bad Request")
            if isinstance(it.content, Notice):
                self.notified.append((it.destination, it.change.value, it.content.id))
            return Receipt(reference="INC1")

        await give_up_undeliverable(self.store, {"cwpp": list(LANES)}, (), {}, self.now, self.now)
        engine = Engine(asyncio.run, self.store)
        engine.clock.now = self.now
        for name, lane in LANES.items():
            worker = engine.worker(Scripted(answer), lane=lane, concurrency=2, destination=name)
            await worker.deliver_due(lambda: False)

    async def sweep(self) -> None:
        """What runs on a clock."""
        gap_filler = GapFiller(self.hub, self.store, self.event_intake)
        await gap_filler.fill_gaps(self.now)
        await self.intake.admit_waiting(Stream.CWPP, self.now)
        await release_held(self.intake, self.store, self.book, self.now)
        await forget(self.store, self.now, Retention(), 10_000)
        await self.store.run(lambda tx: partitions.write_sweep_end(tx, "cwpp", self.now))

    async def look(self) -> Health:
        """Asks for everything that can be asked."""
        await within(self.store, list_dead_letters)
        await within(self.store, list_quarantined)
        await within(self.store, count_deliveries, "cwpp")
        await within(self.store, list_backlogs, "cwpp")
        await within(self.store, list_pauses, "cwpp")
        return await health_of(self.store, {Stream.CWPP: self.hub}, {Stream.CWPP: self.book}, self.now)

    async def begin(self) -> None:
        """A morning: what is open, owed, held, dead, over and in quarantine, a pause, and all that is known of partitions."""
        self.refused = {"dead"}
        await self.ingest(*(alert_body(id) for id in ("open", "dead", "over")), alert_body("held", **HELD), b"?")
        await self.deliver()
        self.refused = set()
        await self.ingest(alert_body("over", Status="Resolved"))
        await self.deliver()
        await self.sweep()
        await self.ingest(alert_body("owed"))
        epoch = HubEpoch(PLACE, 1)
        losses = [Loss(epoch, Span(800, 801), self.now, "gone")]
        await within(self.store, partitions.begin_try, Try(PLACE, Span(900, 901), "another"))
        await within(self.store, partitions.write_losses, losses)
        await within(
            self.store,
            pause_destination,
            Pause(stream="cwpp", destination="sentinel", since=NOW, probe=NOW, error="401 Unauthorized"),
        )
        self.notified.clear()

    async def go_on(self) -> Health:
        """An hour later: the rule has ended, what is open changes, something new comes, and then all of it is over."""
        self.now += HOUR
        self.book = without_rules(self.book)
        self.publish(alert_body("missed"))
        await self.ingest(alert_body("open", Status="InProgress"), alert_body("fresh", AlertType="VM_Other"))
        # Who reads the hub may still be at what is missing.
        self.now += timedelta(minutes=5)
        await self.sweep()
        await self.deliver()
        await self.look()
        self.now += timedelta(minutes=20)
        over = ("open", "owed", "held", "dead", "fresh", "missed")
        await self.ingest(
            *(alert_body(id, Status="Resolved", **({"AlertType": "VM_Other"} if id == "fresh" else {})) for id in over)
        )
        await self.deliver()
        health = await self.look()
        self.now += timedelta(days=4)
        await self.deliver()
        await self.sweep()
        return health

    async def open_deliveries(self) -> int:
        """How many deliveries are still owed, or claimed."""
        counts = await within(self.store, count_deliveries, "cwpp")
        return sum(
            count for (_, state), count in counts.items() if state in (DeliveryState.OWED, DeliveryState.CLAIMED)
        )

    async def visible(self) -> int:
        """How many damaged rows people are shown, beside the message that nobody understood in the morning."""
        letters = [one for one in await within(self.store, list_dead_letters) if one.delivery is None]
        return len(letters) + len(await within(self.store, list_quarantined)) - 1


def by_signal(notified: Sequence[tuple[str, str, str]]) -> dict[str, set[tuple[str, str]]]:
    """What each destination that is told of every signal was told of each."""
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for destination, change, id in notified:
        if destination not in ("chat", "summary"):
            found[id].add((destination, change))
    return found
