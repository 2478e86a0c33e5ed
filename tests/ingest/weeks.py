"""Weeks in the life of the posture stream: snapshots come in from a hub or from files, and a clock looks what has ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from router.domain.catalogue import Catalogue
from router.domain.deliveries import Claim, DeliveryState, Recipient, Settlement
from router.domain.hubs import Event, Partition
from router.domain.ledger import Arrival
from router.domain.notices import Notice, RecordEntry
from router.domain.rulebook import Lane, Rulebook
from router.domain.signals import Stream
from router.ingest.event_intake import EventIntake
from router.ingest.gaps import GapFiller
from router.ingest.intake import Intake, Message, release_held
from router.ingest.snapshot_ends import SnapshotEnds
from router.store.claims import settle_claims
from router.store.store import Store
from tests.builders import NOW, a_rulebook
from tests.constructed.weeks import row_of
from tests.hubs import Shelf
from tests.ingest.snapshot_model import Said
from tests.store.within import claim_in, within

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def body_of(one: Said) -> bytes:
    """The message as Event Hubs carries it."""
    return row_of(one.finding, one.kind, is_snapshot=one.is_snapshot, action="Delete" if one.is_delete else "Insert")


@dataclass
class Weeks:
    """A router over one store, and a hub before it.

    Attributes:
        store: the store.
        book: the rules of the cspm stream.
        shelf: the hub.
        now: the present.
    """

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

    async def sweep(self) -> tuple[datetime | None, list[RecordEntry]]:
        """The clock takes in what the hub holds, and ends what has ended; up to when all was taken in, and the entries."""
        report = await GapFiller(self.shelf, self.store, self.event_intake).fill_gaps(self.now)
        until = report.find_taken_until()
        return until, [] if until is None else await self.end(until)

    async def end(self, until: datetime) -> list[RecordEntry]:
        """Ends what has ended at an instant up to which all was taken in."""
        return await SnapshotEnds(self.intake, self.store, self.book).end_unseen(until, self.now)

    async def run(self, bodies: Sequence[bytes], name: str | None = None) -> list[RecordEntry]:
        """A run over a file, and what ended at its end."""
        origin = name or f"file-{next(self.files)}"
        await self.intake.ingest(
            [Message(body, name or "f", Arrival(origin, n)) for n, body in enumerate(bodies)], self.now
        )
        return await self.end(self.now)

    async def release(self) -> list[RecordEntry]:
        """What rules held is decided again."""
        return await release_held(self.intake, self.store, self.book, self.now)

    async def deliver(self, destination: str = "tickets") -> list[Claim]:
        """What a destination is told now, each acknowledged."""
        claimed: list[Claim] = []
        recipient = Recipient("cspm", Lane.TICKET, destination)
        while claims := await claim_in(self.store, recipient, self.now, self.now + MINUTE, 100):
            sent = [
                Settlement(delivery=claim.delivery, claim=claim.id, state=DeliveryState.SENT, at=self.now)
                for claim in claims
            ]
            await within(self.store, settle_claims, sent)
            claimed += claims
        return claimed


def notices(claims: Iterable[Claim]) -> list[tuple[str, str]]:
    """Of each notice what it says of which finding."""
    return [(one.delivery.change.value, title_of(one)) for one in claims]


def title_of(claim: Claim) -> str:
    """What a notice is about, by the last word of its title."""
    assert isinstance(claim.delivery.content, Notice)
    return claim.delivery.content.title.split()[-1]
