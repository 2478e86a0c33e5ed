"""An alert that comes again: what a pager and a ticket destination hear of any history of it, from whatever source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.hubs import Arrival
from router.domain.notices import RecordEntry
from router.domain.rulebook import By, Clause, Grouping, Lane, Rulebook
from router.domain.severity import Severity
from router.ingest.intake import Message
from router.store.store import Store
from tests.builders import NOW, a_destination, a_message, a_route, a_rule, a_rulebook, alert_body, an_ip
from tests.examples import some_of
from tests.store.life import Life, a_life

MINUTE = timedelta(minutes=1)
HIGH = Clause("severity", "High", lambda signal, _: signal.severity is Severity.HIGH)
LANES = {"oncall": Lane.PAGE, "tickets": Lane.TICKET, "sentinel": Lane.ROWS}
ALIKE = Grouping((By.ALERT_TYPE, By.RESOURCE), timedelta(days=1))
STANDING, OVER = ["New", "Active", "InProgress"], ["Resolved", "Dismissed"]
SEVERITIES = st.sampled_from(["Medium", "High", "High"])


def a_book(group: Grouping | None = None, **others: Any) -> Rulebook:
    """Everything is a ticket, and what is High is a page; rows have all of it."""
    places = [a_destination(name, lane) for name, lane in LANES.items()]
    grouped = [place if place.lane is Lane.ROWS else replace(place, group=group) for place in places]
    routes = [a_route("all", "tickets"), a_route("page", "oncall", when=[HIGH])]
    return a_rulebook(**({"destinations": grouped, "routes": routes} | others))  # type: ignore[arg-type]


class Soc:
    """Takes in messages one by one; its destinations take at once what they are owed, and some of it is no more than a note."""

    def __init__(self, life: Life) -> None:
        self.life = life
        self.heard: dict[str, list[str]] = {name: [] for name in LANES}

    def take(self, *messages: Message) -> list[RecordEntry]:
        """Takes in messages at once."""
        entries = self.life.ingest(*messages)
        for name, heard in self.heard.items():
            heard += ["note" if one.is_note else one.delivery.change.value for one in self.life.owed(name)]
        return entries

    def alert(self, **fields: Any) -> RecordEntry:
        """Takes in a message about an alert, which is later than those before."""
        (entry,) = self.take(a_message(alert_body(**fields)))
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
        before, is_over = self.known, said.status in OVER
        stood = before is not None and before.status in STANDING
        if before is not None and said.at is not None and self.at is not None:
            is_copy = said.at == self.at and not stood and not is_over
            if said.at < self.at or is_copy:
                return
        self.at, self.known = said.at if said.at is not None else self.at, said
        if is_over:
            self._hear("resolved" if stood else None, "resolved" if stood and self.is_paged else None)
            self.is_paged = False
            return
        pages = said.severity == "High" and not self.is_paged
        if not stood or before is None:
            self._hear("opened", "opened" if pages else None)
        elif before.severity != said.severity:
            self._hear("updated", "opened" if pages else "updated")
        elif {before.status, said.status} - {"New", "Active"} and before.status != said.status:
            self._hear("note", None)
        self.is_paged = self.is_paged or pages

    def _hear(self, ticket: str | None, page: str | None) -> None:
        self.heard["tickets"] += [ticket] if ticket else []
        self.heard["oncall"] += [page] if page else []

    def beside_another(self) -> dict[str, list[str]]:
        """The same of groups in which another alert stands all the while: to join is an update, to leave is nothing."""
        joined = {name: ["updated" if one == "opened" else one for one in heard] for name, heard in self.heard.items()}
        return {name: [one for one in heard if one != "resolved"] for name, heard in joined.items()}


@st.composite
def histories(draw: st.DrawFn) -> list[Said]:
    """Minute by minute, each with one state in which the alert stands, one in which it is over, or both at once."""
    said: list[Said] = []
    for minute in range(draw(st.integers(1, 4))):
        standing = Said(draw(st.sampled_from(STANDING)), minute, draw(SEVERITIES))
        over = Said(draw(st.sampled_from(OVER)), minute, standing.severity)
        said += draw(st.sampled_from([[standing], [over], [standing, over]]))
    return said


type Come = tuple[int, str]
"""How a message of a history comes in: which, and from where."""

COMING = st.lists(st.tuples(st.integers(0, 7), st.sampled_from(["hub/0", "hub/1", "file"])), max_size=8)
UNTIMED = st.lists(
    st.builds(Said, st.sampled_from(STANDING + OVER), st.sampled_from([None, 1, 2, 3]), SEVERITIES), max_size=8
)
GROUPINGS = st.sampled_from([None, "alone", "beside another"])
"""Where destinations are not grouped, where the alert is a group by itself, and where its group has another alert."""


def arrive(history: Sequence[Said], coming: Sequence[Come]) -> list[tuple[Said, Message]]:
    """The messages of a history as they come in; at the end all of them come from a hub, and then all from files."""
    all = [*coming, *((which, source) for source in ("hub/0", "file") for which in range(len(history)))]
    found = []
    for number, (which, origin) in enumerate(all):
        place = which % len(history) + 1
        arrival = Arrival(origin, place, NOW + place * MINUTE) if origin != "file" else Arrival(f"file-{number}", 1)
        said = history[place - 1]
        found.append((said, Message(said.body(), f"{origin}:{place}", arrival)))
    return found


def keeps_its_promise(arrived: Sequence[tuple[Said, Message]], grouped: str | None) -> None:
    promise = Promise()
    with a_life(a_book(None if grouped is None else ALIKE)) as life:
        if grouped == "beside another":
            Soc(life).take(Message(alert_body("another"), "another", Arrival("another", 1)))
        soc = Soc(life)
        for said, message in arrived:
            soc.take(message)
            promise.come(said)
    promised = promise.beside_another() if grouped == "beside another" else promise.heard
    assert {name: soc.heard[name] for name in promised} == promised


@settings(max_examples=some_of(60), deadline=None)
@given(histories(), COMING, GROUPINGS)
def test_in_any_order_from_any_source_an_alert_is_told_once_for_each_time_it_began_to_stand(
    history: list[Said], coming: list[Come], grouped: str | None
) -> None:
    """However often its messages come: a status tells pagers nothing and tickets a note; an older copy tells nobody."""
    keeps_its_promise(arrive(history, coming), grouped)


@settings(max_examples=some_of(40), deadline=None)
@given(UNTIMED, GROUPINGS)
def test_what_has_no_time_of_its_own_counts_when_it_comes(said: list[Said], grouped: str | None) -> None:
    """Of one partition: nothing that changed is silenced for the lack of a time."""
    keeps_its_promise([(one, a_message(one.body(), place=place)) for place, one in enumerate(said, 1)], grouped)


@pytest.fixture
def soc(sqlite: Store) -> Soc:
    """A SOC over an empty store."""
    return Soc(Life(sqlite, a_book()))


def test_a_mere_status_is_on_record_as_an_update_that_no_pager_heard(soc: Soc) -> None:
    """It is routed as before; of the destinations where it is open, those are named that are told, which may be none."""
    soc.alert()
    entry = soc.alert(Status="InProgress")
    assert (entry.outcome, entry.notice, entry.destinations) == ("routed", "updated", ("sentinel", "tickets"))
    assert entry.steps[-2:] == ("ledger.open", "ledger.status")
    assert soc.heard == {"oncall": ["opened"], "tickets": ["opened", "note"], "sentinel": ["opened", "updated"]}
    soc.life.book = a_book(routes=[a_route("page", "oncall")], always=[])
    soc.alert(id="paged")
    entry = soc.alert(id="paged", Status="InProgress")
    soc.alert(id="paged", Status="Dismissed")
    assert (entry.outcome, entry.notice, entry.destinations) == ("routed", None, ())
    assert soc.heard["oncall"] == ["opened", "opened", "resolved"]


def test_rules_that_page_what_was_no_page_before_still_page_it(soc: Soc) -> None:
    """A status is enough for that, and the ticket that is open gets its note."""
    soc.life.book = a_book(ALIKE, routes=[a_route("all", "tickets")])
    soc.alert()
    soc.life.book = a_book(ALIKE)
    entry = soc.alert(Status="InProgress")
    assert (entry.notice, entry.destinations) == ("opened", ("oncall", "sentinel", "tickets"))
    assert (soc.heard["oncall"], soc.heard["tickets"]) == (["opened"], ["opened", "note"])


def test_a_place_that_the_policy_no_longer_names_hears_of_no_mere_status(soc: Soc) -> None:
    """It may be a pager, and a person may redrive the dead letter when it is named again; the end is owed there."""
    soc.alert()
    soc.life.book = a_book(routes=[a_route("all", "tickets")], destinations=[a_destination("tickets")], always=[])
    soc.alert(Status="InProgress"), soc.alert(Status="Resolved")
    assert soc.heard["oncall"] == ["opened", "resolved"]


def test_what_a_rule_held_is_told_to_pagers_when_it_comes_out(soc: Soc) -> None:
    """What changed while it was held, nobody knows."""
    held: dict[str, Any] = {"Entities": [an_ip("10.20.0.5")]}
    soc.alert(**held)
    soc.life.book = replace(a_book(), suppressions=a_rulebook(a_rule()).suppressions)
    soc.alert(Status="InProgress", Severity="Medium", **held)
    soc.life.book = a_book()
    soc.alert(Severity="Medium", **held)
    assert soc.heard["oncall"] == ["opened", "updated"]


def test_a_group_that_another_alert_joins_is_told_more_than_a_status(soc: Soc) -> None:
    """One message says a status of one member, another one is news: the ticket's note may open a new one."""
    soc.life.book = a_book(ALIKE)
    soc.alert(id="a")
    soc.take(a_message(alert_body("a", Status="InProgress")), a_message(alert_body("b")))
    assert soc.heard["oncall"] == soc.heard["tickets"] == ["opened", "updated"]
    soc.alert(id="a", Status="Resolved")
    row = soc.life.row("a")
    assert row is not None and (row.open, row.grouped) == ({}, frozenset())
