"""What holds of every sequence of messages, and what a pager and a ticket destination hear of an alert that comes again."""

import asyncio
from collections.abc import Iterator, Sequence
from copy import replace
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.catalogue import Catalogue
from router.domain.decisions import Outcome
from router.domain.hubs import Arrival, message_of
from router.domain.keys import signal_key
from router.domain.notices import RecordEntry
from router.domain.rulebook import By, Clause, Grouping, Lane, Rulebook
from router.domain.severity import Severity
from router.domain.signals import Stream
from router.ingest.intake import Intake, Message
from router.store.decisions import find_decisions
from router.store.store import Store, Transaction
from tests.builders import NOW, a_destination, a_message, a_route, a_rule, a_rulebook, alert_body, an_ip, finding_body
from tests.examples import some_of
from tests.grouping.test_grouping import a_grouping_book
from tests.store.acts import find_rows, run
from tests.store.life import Life, a_life
from tests.store.opened import open_store
from tests.store.within import within

MINUTE = timedelta(minutes=1)
few = settings(max_examples=some_of(60))
STATES = ["Unhealthy", "Healthy", "Unhealthy"]
BODIES = [finding_body(status=status, changed=NOW + place * MINUTE) for place, status in enumerate(STATES)]
CUTS = st.lists(st.integers(0, 20), max_size=4)


def batches(messages: Sequence[Message], cuts: Sequence[int]) -> Iterator[Sequence[Message]]:
    """The messages cut into batches at some places."""
    start = 0
    for end in sorted({cut % (len(messages) + 1) for cut in cuts} | {len(messages)}):
        if end > start:
            yield messages[start:end]
        start = end


@few
@given(st.permutations(range(3)), CUTS, st.lists(st.integers(0, 2), max_size=6))
def test_open_resolve_reopen_makes_three_notices_and_any_replays_none(
    order: list[int], cuts: list[int], replays: list[int]
) -> None:
    """In order in one batch or many, or in any order in one batch; with any of the three replayed afterwards."""
    with a_life(a_rulebook(stream=Stream.CSPM)) as life:
        if cuts:
            order = sorted(order)
        messages = [a_message(BODIES[place]) for place in order]
        for batch in [*batches(messages, cuts), *batches([a_message(BODIES[place]) for place in replays], cuts)]:
            life.ingest(*batch)
        assert life.changes_at("sentinel") == ["opened", "resolved", "opened"]


MESSAGES = st.one_of(
    st.builds(
        lambda name, severity, status, ip: alert_body(name, Severity=severity, Status=status, Entities=[an_ip(ip)]),
        st.sampled_from("abc"),
        st.sampled_from(["Low", "Medium", "High", None]),
        st.sampled_from(["New", "Active", "InProgress", "Resolved", "Dismissed"]),
        st.sampled_from(["10.20.0.5", "192.0.2.1"]),
    ),
    st.builds(finding_body, st.sampled_from("abc"), st.sampled_from(["Healthy", "Unhealthy", "NotApplicable"])),
    st.binary(max_size=20),
)


@few
@given(st.lists(MESSAGES, max_size=12), CUTS)
def test_every_message_ends_in_exactly_one_outcome_and_no_stream_reaches_the_others_destinations(
    bodies: list[bytes], cuts: list[int]
) -> None:
    """Each message is on record once; alerts never reach posture's destinations, nor findings the SOC's."""
    names = {Stream.CWPP: ("tickets", "sentinel"), Stream.CSPM: ("backlog", "posture")}
    books = {
        stream: a_rulebook(
            a_rule(),
            stream=stream,
            routes=[a_route("all", people)],
            always=[rows],
            otherwise=[people],
            destinations=[a_destination(people), a_destination(rows, Lane.ROWS)],
        )
        for stream, (people, rows) in names.items()
    }
    messages = [a_message(body) for body in bodies]
    with a_life(books[Stream.CWPP]) as life:
        life.other = books[Stream.CSPM]
        entries = [entry for batch in batches(messages, cuts) for entry in life.ingest(*batch)]
        assert [entry.key for entry in entries] == [message.arrival.key for message in messages]
        assert {entry.outcome for entry in entries} <= {outcome.value for outcome in Outcome}
        for stream, others in ((Stream.CWPP, Stream.CSPM), (Stream.CSPM, Stream.CWPP)):
            life.book = books[stream]
            assert [life.owed(name) for name in names[others]] == [[], []]
            assert {claim.delivery.stream for name in names[stream] for claim in life.owed(name)} <= {stream.value}


@few
@given(st.lists(st.sampled_from(["New", "InProgress", "Resolved"]), min_size=1, max_size=8), st.data())
def test_a_resolution_reaches_every_open_place_whatever_rules_changed_and_never_overtakes_the_opening(
    statuses: list[str], data: st.DataObject
) -> None:
    """After any history under changing routes, a resolution closes each place that is open, and points at its opening."""
    routes = [[a_route("tickets", "tickets")], [a_route("page", "oncall")], [a_route("quiet")]]
    with a_life(a_rulebook()) as life:
        for status in [*statuses, "Resolved"]:
            floor = data.draw(st.sampled_from([Severity.LOW, Severity.CRITICAL]))
            life.book = a_rulebook(routes=data.draw(st.sampled_from(routes)), floor=floor)
            life.alert(Status=status)
        for name in ("tickets", "oncall", "sentinel"):
            told = [(claim.delivery.change.value, claim.delivery) for claim in life.owed(name)]
            assert is_well_formed([change for change, _ in told]), (name, told)
            for (earlier, before), (change, after) in pairwise(told):
                assert change != "resolved" or earlier == "resolved" or after.opened == before.opened
        row = life.row()
        assert row is not None and row.open == {}


def is_well_formed(told: Sequence[str]) -> bool:
    """Openings and resolutions alternate, updates only in between, and nothing stays open; a stray resolution may go to
    `always` for what the ledger never saw."""
    is_open = False
    for change in told:
        if (change == "updated" and not is_open) or (change == "opened" and is_open):
            return False
        is_open = change != "resolved"
    return not is_open


DAY = timedelta(days=1)
FAR = datetime.fromisoformat("9999-12-31T23:59:59Z")


class Timed(NamedTuple):
    """A message says that a signal stands or is over, since when, and comes from a hub or a file; by a clock that is off."""

    is_over: bool
    changed: datetime | None
    is_from_hub: bool
    clock: datetime
    hubs_clock: datetime


TIMES = [NOW - DAY, NOW - timedelta(minutes=1), NOW + 2 * DAY, NOW + 400 * DAY, FAR]
CLOCKS = st.sampled_from([NOW, NOW, NOW + 3 * DAY, NOW + 3_000 * DAY])
TIMED = st.builds(Timed, st.booleans(), st.sampled_from([None, *TIMES]), st.booleans(), CLOCKS, CLOCKS)


def outcome_of(life: Life, place: int, one: Timed) -> str:
    """The outcome of a message that comes in."""
    life.now = one.clock
    times = {"ProcessingEndTime": one.changed.isoformat()} if one.changed is not None else {}
    arrival = Arrival("hub/0", place, one.hubs_clock) if one.is_from_hub else Arrival(f"file-{place}", 1)
    body = alert_body(Status="Resolved" if one.is_over else "New", **times)
    (entry,) = life.ingest(Message(body, f"test:{place}", arrival))
    return entry.outcome


@few
@given(st.lists(TIMED, max_size=5), st.booleans())
def test_no_time_silences_what_comes_later(timed: list[Timed], is_from_hub: bool) -> None:
    """What is impossible counts for nothing; once the clock is right the signal stands, is over, and stands again."""
    with a_life(a_rulebook()) as life:
        for place, one in enumerate(timed):
            outcome_of(life, place, one)
        row = life.row()
        is_over = row is not None and not row.state.resolved
        for step in range(3):
            now = NOW + timedelta(minutes=step)
            outcome = outcome_of(life, len(timed) + step, Timed(is_over, now, is_from_hub, now, now))
            assert outcome == ("resolved" if is_over else "routed")
            is_over = not is_over


@pytest.mark.parametrize("book", [a_rulebook(), a_grouping_book()], ids=["alone", "grouped"])
def test_what_several_workers_take_in_at_once_is_decided_once_each(
    database: str, postgres_store: Store, book: Rulebook
) -> None:
    """Four, each with a connection of its own, whose batches overlap: new signals, changes and ends, in any order, and as an
    alert or an incident of the same id."""
    statuses = ["New", "InProgress", "Resolved"]
    messages = [a_message(b"?", origin="hub/0", place=100 + n) for n in range(5)]
    for n in range(30):
        at, status, is_incident = NOW + n * MINUTE, statuses[n // 10], n // 10 == 1
        body = alert_body(f"a-{n % 10}", Status=status, ProcessingEndTime=at.isoformat(), IsIncident=is_incident)
        messages.append(a_message(body, origin=f"hub/{n % 4}", place=n, at=at))
    shuffled = Random(7)  # noqa: S311  It keeps no secret.

    async def work() -> None:
        store = open_store(database)
        for _ in range(3):
            await Intake(store, {Stream.CWPP: book}, Catalogue()).ingest(shuffled.sample(messages, 15), NOW)
        await store.close()

    async def raced() -> None:
        await asyncio.gather(*(work() for _ in range(4)))
        await Intake(postgres_store, {Stream.CWPP: book}, Catalogue()).ingest(messages, NOW)

    run(raced())
    assert run(within(postgres_store, _count_twice)) == (35, 35)
    kinds = ("alert", "incident")
    rows = find_rows(postgres_store, [signal_key("cwpp", kind, f"a-{n}") for n in range(10) for kind in kinds])
    assert [row.state.resolved for row in rows.values()] == [True] * 10
    for row in rows.values():
        entries = run(within(postgres_store, find_decisions, row.key, 100))
        turns = sorted(entry.turn for entry in entries if entry.turn is not None)
        assert turns == list(range(1, row.turn + 1))
        assert len({message_of(entry.key) for entry in entries}) == 3


async def _count_twice(tx: Transaction) -> tuple[int, int]:
    """How many messages are on record, and how many of the decisions were not counted, or twice."""
    decided = await tx.value("SELECT count(*) FROM decisions")
    counted = await tx.value("SELECT sum(count) FROM counts")
    messages = await tx.value("SELECT count(*) FROM decisions WHERE message IS NULL")
    return messages, messages + decided - int(counted)


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
