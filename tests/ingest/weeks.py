"""Weeks in the life of the posture stream: snapshots come in from a hub or from files, and a clock looks what has ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from router.domain.catalogue import Catalogue
from router.domain.deliveries import Claim
from router.domain.hubs import Arrival, Event, Partition
from router.domain.notices import Notice, RecordEntry
from router.domain.rulebook import Rulebook
from router.domain.signals import Stream
from router.ingest.event_intake import EventIntake
from router.ingest.gaps import GapFiller
from router.ingest.intake import Intake, Message, release_held
from router.ingest.snapshot_ends import SnapshotEnds
from router.store.decisions import search_signals
from router.store.ledger import LedgerRow
from router.store.store import Store
from tests.builders import NOW, a_rulebook
from tests.constructed.weeks import row_of
from tests.hubs import Shelf
from tests.ingest.snapshot_model import Said
from tests.store.acts import find_rows, run
from tests.store.life import Life
from tests.store.opened import open_store
from tests.store.within import within

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
WEEK = 7 * DAY


def body_of(one: Said) -> bytes:
    """The message as Event Hubs carries it."""
    return row_of(one.finding, one.kind, is_snapshot=one.is_snapshot, action="Delete" if one.is_delete else "Insert")


@dataclass
class Weeks:
    """A router over one store of the cspm stream, and a hub before it."""

    store: Store
    book: Rulebook = field(default_factory=lambda: a_rulebook(stream=Stream.CSPM))
    shelf: Shelf = field(default_factory=lambda: Shelf(2, name="cspm"))
    now: datetime = NOW
    files: count[int] = field(default_factory=count)
    published: list[tuple[str, Said]] = field(default_factory=list)
    taken: dict[str, list[Said]] = field(default_factory=dict)

    @property
    def intake(self) -> Intake:
        """The intake, as a process just begun has it."""
        return Intake(self.store, {Stream.CSPM: self.book}, Catalogue(), Stream.CSPM)

    @property
    def event_intake(self) -> EventIntake:
        """What takes events in, as a process just begun has it."""
        return EventIntake(self.intake, self.store, "trigger")

    def publish(self, messages: Iterable[Said], partition: int = 0) -> None:
        """The hub gets messages."""
        for one in messages:
            self.publish_body(body_of(one), one.at, partition)
            self.published.append((str(partition), one))

    def publish_body(self, body: bytes, at: datetime, partition: int = 0) -> None:
        """The hub gets a message."""
        events = self.shelf.events[Partition("cspm", str(partition))]
        events.append(Event(events[-1].sequence + 1 if events else 0, at, body))

    def publish_rows(self, names: Iterable[str], kind: str = "recommendation", after: timedelta = timedelta()) -> None:
        """The hub gets a snapshot of some findings now, or a while later."""
        self.publish([Said(name, kind, self.now + after + timedelta(seconds=n)) for n, name in enumerate(names)])

    def lives(self, *snapshots: Iterable[str]) -> None:
        """Weekly snapshots come in, each looked at two days later; it is when the next one comes."""
        for names in snapshots:
            self.publish_rows(names)
            start = self.now
            self.sweeps(2 * DAY)
            self.now = start + WEEK

    def sweeps(self, after: timedelta) -> list[tuple[str, str]]:
        """Time goes by, the clock ticks, and people are told."""
        self.now += after
        run(self.sweep())
        return notices(self.deliver())

    async def sweep(self) -> tuple[datetime | None, list[RecordEntry]]:
        """The clock takes in what the hub holds, and ends what has ended; up to when all was taken in, and the entries."""
        report = await GapFiller(self.shelf, self.store, self.event_intake).fill_gaps(self.now)
        until = report.find_taken_until()
        return until, [] if until is None else await self.end(until)

    async def end(self, until: datetime) -> list[RecordEntry]:
        """Ends what has ended at an instant up to which all was taken in."""
        return await SnapshotEnds(self.intake, self.store, self.book).end_unseen(until, self.now)

    def reads(self, day: float, bodies: Sequence[bytes], name: str | None = None) -> list[tuple[str, str]]:
        """What people are told after a run over a file on a day; a file is the same one by its name, if it has one."""
        self.now = NOW + day * DAY
        self.take(bodies, name)
        return notices(self.deliver())

    def take(self, bodies: Sequence[bytes], name: str | None = None) -> None:
        """A run over a file, which ends what has ended."""
        origin = name or f"file-{next(self.files)}"
        messages = [Message(body, name or "f", Arrival(origin, n)) for n, body in enumerate(bodies)]
        run(self.intake.ingest(messages, self.now))
        run(self.end(self.now))

    def release(self) -> list[RecordEntry]:
        """What rules held is decided again."""
        return run(release_held(self.intake, self.store, self.book, self.now))

    def deliver(self) -> list[Claim]:
        """What people are told now, each acknowledged."""
        tickets = replace(self.book, destinations={"tickets": self.book.destinations["tickets"]})
        return Life(self.store, tickets, now=self.now).deliver()

    def row(self, name: str) -> LedgerRow:
        """The row of a recommendation."""
        (entry,) = run(within(self.store, search_signals, f"assessments/{name}", 2))
        (row,) = find_rows(self.store, [entry.signal]).values()
        return row

    def has_ended(self, name: str) -> bool:
        """Whether a recommendation is over."""
        return self.row(name).state.resolved


def notices(claims: Iterable[Claim]) -> list[tuple[str, str]]:
    """Of each notice what it says of which finding, by the last word of its title."""
    told = [(one.delivery.change.value, one.delivery.content) for one in claims]
    return [(change, content.title.split()[-1]) for change, content in told if isinstance(content, Notice)]


@contextmanager
def a_life_of_weeks() -> Iterator[Weeks]:
    """Such a router for one example."""
    with TemporaryDirectory() as directory:
        weeks = Weeks(open_store(Path(directory)))
        try:
            yield weeks
        finally:
            run(weeks.store.close())
