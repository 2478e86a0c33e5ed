"""One alert that comes again and again: a SOC that hears of it, and a model of what it should hear."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

from router.domain.catalogue import Catalogue
from router.domain.deliveries import DeliveryState, Recipient, Settlement
from router.domain.notices import RecordEntry
from router.domain.rulebook import Clause, Grouping, Lane, Rulebook
from router.domain.severity import Severity
from router.domain.signals import Stream
from router.ingest.intake import Intake, Message
from router.store.claims import settle_claims
from router.store.store import Store
from tests.builders import NOW, a_destination, a_route, a_rulebook, alert_body
from tests.store.within import claim_in, within

MINUTE = timedelta(minutes=1)
HIGH = Clause("severity", "High", lambda signal, _: signal.severity is Severity.HIGH)
LANES = {"oncall": Lane.PAGE, "tickets": Lane.TICKET, "sentinel": Lane.ROWS}


def a_book(group: Grouping | None = None, **others: object) -> Rulebook:
    """Everything is a ticket, and what is High is a page; rows have all of it."""
    places = [a_destination(name, lane) for name, lane in LANES.items()]
    grouped = [place if place.lane is Lane.ROWS else replace(place, group=group) for place in places]
    routes = [a_route("all", "tickets"), a_route("page", "oncall", when=[HIGH])]
    return a_rulebook(**({"destinations": grouped, "routes": routes} | others))  # type: ignore[arg-type]


class Soc:
    """Takes in messages one by one; its destinations take at once what they are owed."""

    def __init__(self, store: Store, book: Rulebook) -> None:
        self.store = store
        self.book = book
        self.heard: dict[str, list[str]] = {name: [] for name in LANES}

    async def take(self, message: Message) -> RecordEntry:
        """Takes in one message. A destination hears of a change, or a note that is to open nothing."""
        (entry,) = await Intake(self.store, {Stream.CWPP: self.book}, Catalogue()).ingest([message], NOW)
        for name, heard in self.heard.items():
            recipient = Recipient("cwpp", LANES[name], name)
            while claims := await claim_in(self.store, recipient, NOW, NOW + MINUTE, 10):
                done = [
                    Settlement(delivery=one.delivery, claim=one.id, state=DeliveryState.SENT, at=NOW) for one in claims
                ]
                await within(self.store, settle_claims, done)
                heard += ["note" if one.is_note else one.delivery.change.value for one in claims]
        return entry


class Said(NamedTuple):
    """What one message says of the alert, and at which minute by its own time; None where it has no time."""

    status: str
    at: int | None
    severity: str = "High"

    def body(self) -> bytes:
        """The body of such a message."""
        times = {"ProcessingEndTime": (NOW - (100 - self.at) * MINUTE).isoformat()} if self.at is not None else {}
        return alert_body(Status=self.status, Severity=self.severity, **times)


class Promise:
    """What should be heard of one alert, by what is promised alone: what comes counts as later unless its time says not."""

    def __init__(self) -> None:
        self.heard: dict[str, list[str]] = {"oncall": [], "tickets": []}
        self.at: int | None = None
        self.known: Said | None = None
        self.is_paged = False

    def come(self, said: Said) -> None:
        """A message comes."""
        before, is_over = self.known, said.status in ("Resolved", "Dismissed")
        stood = before is not None and before.status in ("New", "Active", "InProgress")
        if before is not None and said.at is not None and self.at is not None:
            is_copy = said.at == self.at and not stood and not is_over
            if said.at < self.at or is_copy:
                return
        self.at, self.known = said.at if said.at is not None else self.at, said
        if is_over:
            self._tell("resolved" if stood else None, "resolved" if stood and self.is_paged else None)
            self.is_paged = False
            return
        pages = said.severity == "High" and not self.is_paged
        if not stood or before is None:
            self._tell("opened", "opened" if pages else None)
        elif before.severity != said.severity:
            self._tell("updated", "opened" if pages else "updated")
        elif {before.status, said.status} - {"New", "Active"} and before.status != said.status:
            self._tell("note", None)
        self.is_paged = self.is_paged or pages

    def _tell(self, ticket: str | None, page: str | None) -> None:
        self.heard["tickets"] += [ticket] if ticket else []
        self.heard["oncall"] += [page] if page else []

    def beside_another(self) -> dict[str, list[str]]:
        """The same of groups in which another alert stands all the while: to join is an update, to leave is nothing."""
        joined = {name: ["updated" if one == "opened" else one for one in heard] for name, heard in self.heard.items()}
        return {name: [one for one in heard if one != "resolved"] for name, heard in joined.items()}
