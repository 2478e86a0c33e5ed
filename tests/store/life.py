"""A router over one store as days go by: messages come in, deliveries go out, and what is old is forgotten."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from router.domain.catalogue import Catalogue
from router.domain.deliveries import Claim, DeliveryState, Receipt, Settlement
from router.domain.keys import signal_key
from router.domain.notices import RecordEntry
from router.domain.rulebook import Lane, Rulebook
from router.domain.signals import Stream
from router.ingest.intake import Intake, Message, release_held
from router.store.claims import Recipient, settle_claims
from router.store.decisions import find_decisions
from router.store.delivery_status import list_deliveries
from router.store.forgetting import forget
from router.store.ledger import LedgerRow
from router.store.retention import Forgotten, Retention
from router.store.store import Store
from tests.builders import NOW, a_message, a_rulebook, alert_body
from tests.store.acts import an_empty_store, ask, find_rows, run
from tests.store.opened import Place
from tests.store.within import claim_in

LEASE = timedelta(minutes=5)
TICKET = Receipt(reference="INC0012345", handles={"sys_id": "s"})


@dataclass
class Life:
    """What happens in one store, by the rules of cwpp and of the other stream, if it has any; messages come of `only`."""

    store: Store
    book: Rulebook = field(default_factory=a_rulebook)
    retention: Retention = field(default_factory=Retention)
    now: datetime = NOW
    other: Rulebook | None = None
    only: Stream | None = None

    def goes_on(self, days: float) -> None:
        """Time goes by."""
        self.now += timedelta(days=days)

    def ingest(self, *messages: Message) -> list[RecordEntry]:
        """Messages come in."""
        return run(self._intake.ingest(messages, self.now))

    def alert(self, id: str = "alert-1", **fields: object) -> RecordEntry:
        """An alert comes in."""
        (entry,) = self.ingest(a_message(alert_body(id, **fields), at=self.now))
        return entry

    def release(self) -> list[RecordEntry]:
        """What a rule held is decided again if the rule ended."""
        return run(release_held(self._intake, self.store, self.book, self.now))

    def deliver(self, state: DeliveryState = DeliveryState.SENT) -> list[Claim]:
        """Everything that is due is tried, and ends in some state."""
        delivered: list[Claim] = []
        error = None if state is DeliveryState.SENT else "answered 400"
        for destination in self.book.destinations:
            while claims := self.claims(destination):
                ask(self.store, settle_claims, [self._settlement(one, state, error=error) for one in claims])
                delivered += claims
        return delivered

    def owed(self, destination: str) -> list[Claim]:
        """What a destination is owed, whatever the rules name by now; it takes all of it."""
        owed: list[Claim] = []
        recipient = Recipient(self.book.stream.value, Lane.TICKET, destination)
        while claims := run(claim_in(self.store, recipient, self.now, self.now + LEASE, 10)):
            ask(self.store, settle_claims, [self._settlement(one, DeliveryState.SENT) for one in claims])
            owed += claims
        return owed

    def changes_at(self, destination: str) -> list[str]:
        """The changes that a destination is told, in order."""
        return [claim.delivery.change.value for claim in self.owed(destination)]

    def claims(self, destination: str) -> Sequence[Claim]:
        """What is due at a destination."""
        spec = self.book.destinations[destination]
        recipient = Recipient(self.book.stream.value, spec.lane, destination)
        return run(claim_in(self.store, recipient, self.now, self.now + LEASE, 100))

    def settle(
        self, claim: Claim, state: DeliveryState, *, error: str | None = None, due: datetime | None = None
    ) -> None:
        """Writes down what became of a claim."""
        ask(self.store, settle_claims, [self._settlement(claim, state, error=error, due=due)])

    def forget(self, most: int = 100_000) -> Forgotten:
        """What is old enough is forgotten."""
        return run(forget(self.store, self.now, self.retention, most))

    def key(self, id: str = "alert-1") -> str:
        """The key of an alert."""
        return signal_key(Stream.CWPP, "alert", id)

    def row(self, id: str = "alert-1") -> LedgerRow | None:
        """What is known of an alert."""
        return find_rows(self.store, [self.key(id)]).get(self.key(id))

    def decisions(self, id: str = "alert-1") -> list[str]:
        """The outcomes of the decisions on an alert that are on record, the latest first."""
        return [entry.outcome for entry in ask(self.store, find_decisions, self.key(id), 100)]

    def deliveries(self, id: str = "alert-1") -> list[tuple[str, int]]:
        """The deliveries that are kept of an alert, by destination and turn."""
        return [(one.destination, one.turn) for one in ask(self.store, list_deliveries, self.key(id))]

    def _settlement(
        self, claim: Claim, state: DeliveryState, *, error: str | None = None, due: datetime | None = None
    ) -> Settlement:
        receipt = TICKET if state is DeliveryState.SENT else None
        return Settlement(claim=claim, state=state, at=self.now, receipt=receipt, error=error, due=due)

    @property
    def _intake(self) -> Intake:
        books = {book.stream: book for book in (self.book, self.other) if book is not None}
        return Intake(self.store, books, Catalogue(), self.only)


@contextmanager
def a_life(book: Rulebook, place: Place | None = None) -> Iterator[Life]:
    """A router over an empty store, for one example: in a file, or in a database that is emptied."""
    with an_empty_store(place) as store:
        yield Life(store, book)
