"""The router itself at work, minute by minute, over hubs in memory, and the telemetry of it as rows of AppMetrics."""

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource

from router.app.maintenance import Sweeper
from router.app.rules import Rules
from router.app.service import Service
from router.deliver.delivery_loop import DeliveryLoop
from router.deliver.destination_holds import HoldReader
from router.deliver.isolation import Isolation
from router.deliver.sender import ConversationRunner, Sender
from router.domain.catalogue import Catalogue
from router.domain.conversation import Result
from router.domain.deliveries import LEASE, Receipt
from router.domain.hubs import Partition
from router.domain.rulebook import Lane, Route, Rulebook
from router.domain.signals import Stream
from router.domain.suppression import SuppressionRule
from router.ingest.event_intake import EventIntake
from router.ingest.gaps import GapFiller
from router.ingest.intake import Intake
from router.store.dead_letters import discard
from router.store.retention import Retention
from router.telemetry import Telemetry
from tests.builders import NOW, a_rulebook
from tests.deliver.engines import InBatches
from tests.hubs import Shelf
from tests.infra.queries.workspace import QUERIES, Row
from tests.store.acts import letters_in, run
from tests.store.opened import open_new_store
from tests.store.within import within


@cache
def _exporter() -> Any:
    """Azure's exporter, which takes a second to import: of several workers that collect tests one needs it."""
    return import_module("azure.monitor.opentelemetry.exporter.export.metrics._exporter")


class Exported:
    """A router's telemetry, exported when a test says so; `seconds` is its clock."""

    def __init__(self) -> None:
        self.seconds = 0.0
        # A counter tells what it counted since the last time, and not since the start.
        self._reader = InMemoryMetricReader(_exporter().APPLICATION_INSIGHTS_METRIC_TEMPORALITIES)
        meters = MeterProvider([self._reader], Resource.get_empty(), shutdown_on_exit=False)
        log = logging.Logger("unheard", logging.CRITICAL)
        self.telemetry = Telemetry(meters.get_meter("test"), log=log, clock=lambda: self.seconds)

    def rows(self, at: datetime) -> Sequence[Row]:
        """What the exporter sends now, each metric's point as the row that it becomes."""
        data = self._reader.get_metrics_data()
        metrics = [
            metric
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            if scope.scope.name == "test"
            for metric in scope.metrics
            if _is_asked_for(metric.name)
        ]
        return [_row(metric.name, point, at) for metric in metrics for point in metric.data.data_points]


@cache
def _is_asked_for(metric: str) -> bool:
    """Whether a query names it: the exporter takes longer for the others than the router's own minute."""
    return any(f'"{metric}"' in query for query in QUERIES.values())


def _row(name: str, point: Any, at: datetime) -> Row:
    """What Application Insights makes of an envelope: a point's value is Sum, its count ItemCount."""
    envelope: Any = _exporter()._convert_point_to_envelope(point, name)
    data = envelope.data.base_data
    (said,) = data.metrics
    return {
        "TimeGenerated": at,
        "Name": said.name,
        "Sum": float(said.value),
        "Min": said.min if said.min is not None else float(said.value),
        "Max": said.max if said.max is not None else float(said.value),
        "ItemCount": said.count,
        "Properties": dict(data.properties),
    }


MINUTE = timedelta(minutes=1)


class AtWork:
    """A router that takes, delivers and sweeps; `rows` is what AppMetrics has by now."""

    def __init__(self, directory: Path, *rules: SuppressionRule, routes: Sequence[Route] | None = None) -> None:
        self.now = NOW
        self.says: dict[str, Result] = {}
        self.rows: list[Row] = []
        self.hubs = {stream: Shelf(partitions=2, name=stream.value) for stream in Stream}
        self._next: Counter[Partition] = Counter()
        self._exported = Exported()
        self._store = open_new_store(directory)
        self._service = self._wired({stream: a_rulebook(*rules, stream=stream, routes=routes) for stream in Stream})

    def publish(self, count: int, partition: int = 0) -> None:
        """Messages come into the hub of alerts, which has two partitions."""
        self.hubs[Stream.CWPP].publish(count, at=self.now, partition=partition)

    def take(self, most: int | None = None, partition: int = 0) -> None:
        """The trigger takes in what a partition of that hub holds and it did not take yet, or only so much of it."""
        place = Partition("cwpp", str(partition))
        began = self._next[place]
        events = [event for event in self.hubs[Stream.CWPP].events[place] if event.sequence >= began][:most]
        if events:
            self._next[place] = events[-1].sequence + 1
            run(self._service.ingest_events(place, events))

    def trim(self, before: int) -> None:
        """The hub of alerts forgets what came before a number."""
        self.hubs[Stream.CWPP].trim(before)

    def silence_hub(self) -> None:
        """The hub of alerts says nothing of its partitions any more."""
        self.hubs[Stream.CWPP].silent |= {"0", "1"}

    def discard_dead_letters(self) -> None:
        """Somebody has seen to them."""
        for letter in run(letters_in(self._store)):
            run(within(self._store, discard, letter.id, self.now))

    def receive(self, count: int = 1) -> None:
        """Messages come, and are taken in at once."""
        self.publish(count)
        self.take()

    def deliver(self, destination: str, lane: Lane, answer: Result | None = None) -> None:
        """A destination is told what is due there, and takes it unless it answers otherwise."""
        self.says = {} if answer is None else {destination: answer}
        run(self._loop(destination, lane).deliver_due(lambda: False))

    def minutes(self, count: int = 1, *, sweeping: bool = True) -> None:
        """Time passes; each minute ends with a sweep, and with an export of what there is to tell."""
        for _ in range(count):
            self.now += MINUTE
            self._exported.seconds += MINUTE.total_seconds()
            if sweeping:
                run(self._service.sweep())
            self.rows += self._exported.rows(self.now)

    def close(self) -> None:
        """Lets go of the store."""
        run(self._store.close())

    def _clock(self) -> datetime:
        return self.now

    def _wired(self, books: dict[Stream, Rulebook]) -> Service:
        intakes = {stream: Intake(self._store, books, Catalogue(), stream) for stream in books}
        event_intakes = {stream: EventIntake(intake, self._store, "process") for stream, intake in intakes.items()}
        sweepers = {
            stream: Sweeper(
                self._store,
                book,
                intakes[stream],
                GapFiller(self.hubs[stream], self._store, event_intakes[stream]),
                named=list(book.destinations),
                retention=Retention(),
            )
            for stream, book in books.items()
        }
        return Service(
            store=self._store,
            rules=Rules(books, ()),
            event_intakes=event_intakes,
            loops={},
            holds=HoldReader(self._store),
            sweepers=lambda: sweepers,
            hubs=self.hubs,
            telemetry=self._exported.telemetry,
            clock=self._clock,
        )

    def _loop(self, destination: str, lane: Lane) -> DeliveryLoop:
        answers = ConversationRunner(*cast(Any, [None] * 4))  # its destinations ask for nothing
        kind = InBatches(lambda _: self.says.get(destination, Receipt()))
        tracing = self._exported.telemetry.delivering
        return DeliveryLoop(
            "cwpp",
            lane,
            {destination: Sender(kind, answers.converse, {}, self._clock, LEASE[lane], tracing)},
            store=self._store,
            clock=self._clock,
            concurrency=6,
            isolation=Isolation(),
            on_settled=self._exported.telemetry.record_delivered,
        )
