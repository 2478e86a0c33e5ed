"""Weeks in the life of the posture stream: a router over them, and a model that knows nothing of it and says what ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import replace
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

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
from tests.store.acts import find_rows, run
from tests.store.life import Life
from tests.store.opened import open_new_store
from tests.store.within import within

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
        weeks = Weeks(open_new_store(Path(directory)))
        try:
            yield weeks
        finally:
            run(weeks.store.close())


class Said(NamedTuple):
    """One message: which finding of which kind it names, when the hub got it, and what it says."""

    finding: str
    kind: str
    at: datetime
    is_snapshot: bool = True
    is_delete: bool = False


class Judged(NamedTuple):
    """A snapshot that is over: when its rows came, which findings it named, and whether it counts."""

    first: datetime
    last: datetime
    rows: set[str]
    kinds: set[str]
    counts: bool


@dataclass
class Model:
    """What people should have been told.

    Attributes:
        unheard: the changes of each finding that were not asked for yet, in order.
        latest: when the latest state of each finding came.
        unseen: when each finding ended that was not seen any more, and of which nothing was heard since.
    """

    heard: list[Said] = field(default_factory=list)
    judged: list[Judged] = field(default_factory=list)
    unheard: dict[str, list[str]] = field(default_factory=dict)
    stands: set[str] = field(default_factory=set)
    latest: dict[str, datetime] = field(default_factory=dict)
    unseen: dict[str, datetime] = field(default_factory=dict)

    def hears(self, messages: Iterable[Said]) -> None:
        """Messages are taken in."""
        for one in messages:
            self.heard.append(one)
            if one.finding in self.latest and one.at < self.latest[one.finding]:
                continue
            self.latest[one.finding] = one.at
            self.unseen.pop(one.finding, None)
            self._becomes(one.finding, stands=not one.is_delete)

    def hears_again(self, messages: Iterable[Said], at: datetime) -> None:
        """A file is taken in again: what it names is there, and after half a week it is the next snapshot, and news."""
        for one in messages:
            known = [row.at for row in self.heard if row.finding == one.finding and row.is_snapshot >= one.is_snapshot]
            is_news = at - max(known) >= 3.5 * DAY
            self.heard.append(one._replace(at=at, is_snapshot=one.is_snapshot and is_news))
            if is_news and not one.is_delete and one.finding in self.unseen:
                del self.unseen[one.finding]
                self.latest[one.finding] = at
                self._becomes(one.finding, stands=True)

    def looks(self, until: datetime) -> None:
        """Snapshots are judged that are over, and what the last two that count came without has ended."""
        for rows in self._snapshots():
            if rows[-1].at + DAY <= until and not any(rows[0].at <= one.last for one in self.judged):
                self._judge(rows)
        counting = [one for one in self.judged if one.counts][-2:]
        if len(counting) < 2:
            return
        earlier, later = counting
        for finding in sorted(self.stands):
            named = [one for one in self.heard if one.finding == finding]
            if named[0].kind not in earlier.kinds & later.kinds or finding in earlier.rows | later.rows:
                continue
            if all(one.at < earlier.first for one in named):
                self.latest[finding] = self.unseen[finding] = until
                self._becomes(finding, stands=False)

    def tells(self) -> dict[str, list[str]]:
        """What was told of each finding since it was last asked: what opened and ended in between need not be said."""
        told: dict[str, list[str]] = {}
        for finding, changes in self.unheard.items():
            for change in changes:
                said = told.setdefault(finding, [])
                if change == "resolved" and said[-1:] == ["opened"]:
                    said.pop()
                else:
                    said.append(change)
        self.unheard.clear()
        return {finding: said for finding, said in told.items() if said}

    def _becomes(self, finding: str, *, stands: bool) -> None:
        if stands != (finding in self.stands):
            self.unheard.setdefault(finding, []).append("opened" if stands else "resolved")
        self.stands = self.stands | {finding} if stands else self.stands - {finding}

    def _snapshots(self) -> list[list[Said]]:
        found: list[list[Said]] = []
        for row in sorted((one for one in self.heard if one.is_snapshot), key=lambda one: one.at):
            if found and row.at - found[-1][-1].at < DAY:
                found[-1].append(row)
            else:
                found.append([row])
        return found

    def _judge(self, found: Sequence[Said]) -> None:
        rows = {one.finding for one in found}

        def again(before: Judged) -> bool:
            return len(rows & before.rows) >= 0.75 * len(before.rows)

        last = next((one for one in reversed(self.judged) if one.counts), None)
        counts = last is None or again(last) or (len(self.judged) > 1 and all(map(again, self.judged[-2:])))
        self.judged.append(Judged(found[0].at, found[-1].at, rows, {one.kind for one in found}, counts))
