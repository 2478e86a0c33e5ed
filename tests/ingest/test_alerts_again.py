"""An alert that comes again: what a pager and a ticket destination hear of any history of it, from whatever source."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.catalogue import Catalogue
from router.domain.deliveries import DeliveryState, Pointer, Settlement
from router.domain.ledger import Arrival
from router.domain.notices import RecordEntry
from router.domain.ports.store import Store
from router.domain.rulebook import By, Clause, Grouping, Lane, Rulebook
from router.domain.severity import Severity
from router.domain.signals import Stream
from router.ingest.intake import Intake, Message
from router.store.azure import Account, Address, AzureStore
from router.store.sqlite import SqliteStore
from tests.builders import NOW, a_destination, a_message, a_route, a_rule, a_rulebook, alert_body, an_ip
from tests.stack.azurite import Azurite

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
            pointer = Pointer("cwpp", LANES[name], name)
            while claims := await self.store.outbox.claim(pointer, NOW, NOW + MINUTE, 10):
                done = [Settlement(delivery=one.delivery, state=DeliveryState.SENT, at=NOW) for one in claims]
                await self.store.outbox.settle(done)
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


STANDING, OVER = ["New", "Active", "InProgress"], ["Resolved", "Dismissed"]
SEVERITIES = st.sampled_from(["Medium", "High", "High"])


@st.composite
def histories(draw: st.DrawFn) -> list[Said]:
    """Minute by minute, each with one state in which the alert stands, one in which it is over, or both at once."""
    said: list[Said] = []
    for minute in range(draw(st.integers(1, 4))):
        standing = Said(draw(st.sampled_from(STANDING)), minute, draw(SEVERITIES))
        over = Said(draw(st.sampled_from(OVER)), minute, standing.severity)
        said += draw(st.sampled_from([[standing], [over], [standing, over]]))
    return said


class Come(NamedTuple):
    """How the messages of a history come in: which, from where, any of them often."""

    which: int
    source: str


COMING = st.lists(st.builds(Come, st.integers(0, 7), st.sampled_from(["hub/0", "hub/1", "file"])), max_size=8)
UNTIMED = st.lists(
    st.builds(Said, st.sampled_from(STANDING + OVER), st.sampled_from([None, 1, 2, 3]), SEVERITIES), max_size=8
)
ALIKE = Grouping((By.ALERT_TYPE, By.RESOURCE), timedelta(days=1))
GROUPINGS = st.sampled_from([None, "alone", "beside another"])
"""Where destinations are not grouped, where the alert is a group by itself, and where its group has another alert."""


def arrive(history: Sequence[Said], coming: Sequence[Come]) -> list[tuple[Said, Message]]:
    """The messages of a history as they come in; at the end all of them come from a hub, and then all from files."""
    all = [*coming, *(Come(which, source) for source in ("hub/0", "file") for which in range(len(history)))]
    found = []
    for number, one in enumerate(all):
        which = one.which % len(history)
        place, origin = which + 1, one.source
        arrival = Arrival(origin, place, NOW + place * MINUTE) if origin != "file" else Arrival(f"file-{number}", 1)
        found.append((history[which], Message(history[which].body(), f"{origin}:{place}", arrival)))
    return found


async def keeps_its_promise(store: Store, arrived: Sequence[tuple[Said, Message]], grouped: str | None) -> None:
    soc, promise = Soc(store, a_book(None if grouped is None else ALIKE)), Promise()
    if grouped == "beside another":
        await soc.take(Message(alert_body("another"), "another", Arrival("another", 1)))
        soc.heard = {name: [] for name in LANES}
    for said, message in arrived:
        await soc.take(message)
        promise.come(said)
    promised = promise.beside_another() if grouped == "beside another" else promise.heard
    assert {name: soc.heard[name] for name in promised} == promised


async def in_a_directory(arrived: Sequence[tuple[Said, Message]], grouped: str | None) -> None:
    """In a store that is in a directory."""
    with TemporaryDirectory() as directory:
        store = SqliteStore(Path(directory))
        try:
            await keeps_its_promise(store, arrived, grouped)
        finally:
            await store.close()


type Build = Callable[[Rulebook], Soc]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """Builds a SOC under a rulebook over a store in a directory."""
    store = SqliteStore(tmp_path)
    yield lambda book: Soc(store, book)
    asyncio.run(store.close())


def take(soc: Soc, *bodies: bytes) -> list[RecordEntry]:
    """Takes in messages, each later than those before."""

    async def taken() -> list[RecordEntry]:
        return [await soc.take(a_message(body)) for body in bodies]

    return asyncio.run(taken())


def test_a_mere_status_is_on_record_as_an_update_that_no_pager_heard(build: Build) -> None:
    """It is routed as before; of the destinations where it is open, those are named that are told."""
    soc = build(a_book())
    _, entry = take(soc, alert_body(), alert_body(Status="InProgress"))
    assert (entry.outcome, entry.notice, entry.destinations) == ("routed", "updated", ("sentinel", "tickets"))
    assert entry.steps[-2:] == ("ledger.open", "ledger.status")
    assert soc.heard == {"oncall": ["opened"], "tickets": ["opened", "note"], "sentinel": ["opened", "updated"]}


def test_a_mere_status_that_only_pagers_would_hear_of_is_told_to_nobody(build: Build) -> None:
    """The alert is open at the pager all the same: its end gets there."""
    soc = build(a_book(routes=[a_route("page", "oncall")], always=[]))
    _, entry, _ = take(soc, alert_body(), alert_body(Status="InProgress"), alert_body(Status="Dismissed"))
    assert (entry.outcome, entry.notice, entry.destinations) == ("routed", None, ())
    assert soc.heard == {"oncall": ["opened", "resolved"], "tickets": [], "sentinel": []}


@pytest.mark.parametrize("group", [None, ALIKE])
def test_rules_that_page_what_was_no_page_before_still_page_it(build: Build, group: Grouping | None) -> None:
    """A status is enough for that, and the ticket that is open gets its note."""
    soc = build(a_book(group, routes=[a_route("all", "tickets")]))
    take(soc, alert_body())
    soc.book = a_book(group)
    (entry,) = take(soc, alert_body(Status="InProgress"))
    assert (entry.notice, entry.destinations) == ("opened", ("oncall", "sentinel", "tickets"))
    assert soc.heard["oncall"] == ["opened"]
    assert soc.heard["tickets"] == ["opened", "note"]


def test_a_place_that_the_policy_no_longer_names_hears_of_no_mere_status(build: Build) -> None:
    """It may be a pager, and somebody may redrive the dead letter when it is named again; the end is owed there."""
    soc = build(a_book())
    take(soc, alert_body())
    soc.book = a_book(routes=[a_route("all", "tickets")], destinations=[a_destination("tickets")], always=[])
    take(soc, alert_body(Status="InProgress"), alert_body(Status="Resolved"))
    assert soc.heard["oncall"] == ["opened", "resolved"]


def test_what_a_rule_held_is_told_to_pagers_when_it_comes_out(build: Build) -> None:
    """What changed while it was held, nobody knows."""
    held: dict[str, Any] = {"Entities": [an_ip("10.20.0.5")]}
    soc = build(a_book())
    take(soc, alert_body(**held))
    soc.book = replace(a_book(), suppressions=a_rulebook(a_rule()).suppressions)
    take(soc, alert_body(Status="InProgress", Severity="Medium", **held))
    soc.book = a_book()
    take(soc, alert_body(Status="New", Severity="Medium", **held))
    assert soc.heard["oncall"] == ["opened", "updated"]


def test_a_group_that_somebody_joins_tells_more_than_a_status(build: Build) -> None:
    """One message says a status of one member, another one is news: the ticket's note may open a new one."""
    soc = build(a_book(ALIKE))
    take(soc, alert_body("a"))

    async def at_once() -> None:
        messages = [a_message(alert_body("a", Status="InProgress")), a_message(alert_body("b"))]
        await Intake(soc.store, {Stream.CWPP: soc.book}, Catalogue()).ingest(messages, NOW)
        await soc.take(a_message(alert_body("a", Status="InProgress")))

    asyncio.run(at_once())
    assert soc.heard["tickets"] == ["opened", "updated"]
    assert soc.heard["oncall"] == ["opened", "updated"]


@settings(max_examples=60, deadline=None)
@given(histories(), COMING, GROUPINGS)
def test_in_any_order_from_any_source_an_alert_is_told_once_for_each_time_it_began_to_stand(
    history: list[Said], coming: list[Come], grouped: str | None
) -> None:
    """However often its messages come: a status tells pagers nothing and tickets a note; an older copy tells nobody."""
    asyncio.run(in_a_directory(arrive(history, coming), grouped))


@settings(max_examples=40, deadline=None)
@given(UNTIMED, GROUPINGS)
def test_what_has_no_time_of_its_own_counts_when_it_comes(said: list[Said], grouped: str | None) -> None:
    """Of one partition: nothing that changed is silenced for the lack of a time."""
    arrived = [(one, a_message(one.body(), place=place)) for place, one in enumerate(said, 1)]
    asyncio.run(in_a_directory(arrived, grouped))


@settings(max_examples=3, deadline=None)
@given(histories(), COMING, GROUPINGS)
def test_an_account_keeps_the_same_promise(
    azurite: Azurite, history: list[Said], coming: list[Come], grouped: str | None
) -> None:
    """The same, in an account."""

    async def played() -> None:
        store = AzureStore(Account(Address(azurite.new_account())))
        await store.prepare()
        try:
            await keeps_its_promise(store, arrive(history, coming), grouped)
        finally:
            await store.close()

    asyncio.run(played())
