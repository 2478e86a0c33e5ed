"""What becomes of a state that was put back as it was before: nothing is lost, little is told again, and the health page says
what it cannot know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import psycopg
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql

from router.app.connections import held_state
from router.app.health import read_state_health
from router.app.maintenance import Sweeper
from router.app.repairs import discard_letters, redrive_letters
from router.app.settings import Settings
from router.app.silences import add_silence, end_silence, stored_silences
from router.deliver.destination_holds import HoldReader
from router.domain.catalogue import Catalogue
from router.domain.deliveries import DeliveryState
from router.domain.hubs import Event, Partition, PartitionClaim
from router.domain.keys import signal_key
from router.domain.readable import timestamp
from router.domain.rulebook import Lane
from router.domain.silences import Silence
from router.domain.suppression import Element
from router.ingest.event_intake import EventIntake
from router.ingest.gaps import GapFiller
from router.ingest.intake import Intake
from router.store.changes import list_changes
from router.store.conninfo import parse_address
from router.store.partitions import claim_partitions, list_claims
from router.store.retention import Retention
from router.store.sessions import Session, begin_session, list_sessions
from router.store.sqlite import back_up
from router.store.store import Store
from tests.builders import NOW, RESOURCE, a_destination, a_route, a_rulebook, alert_body
from tests.examples import some_of
from tests.hubs import Shelf
from tests.silences import a_silence, named
from tests.stack.postgres import EmptiedDatabase, copy_of, postgres_running, standby_of
from tests.store.acts import ask, letters_in, run
from tests.store.life import Life
from tests.store.opened import Place, open_store, rows_in

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
LANES = {"oncall": Lane.PAGE, "tickets": Lane.TICKET, "sentinel": Lane.ROWS}
BOOK = a_rulebook(
    routes=[a_route("all", "oncall", "tickets")],
    destinations=[a_destination(name, lane) for name, lane in LANES.items()],
)
NAMES = "abcd"
HUB = Partition("cwpp", "0")
RESOURCES = {name: RESOURCE.replace("vm-1", f"vm-{name}") for name in NAMES}

type Acts = list[tuple[Any, ...]]

type Notified = tuple[str, str, int]
"""Where something was told, under which key, and of which turn."""


@dataclass
class Hour:
    """A router over one state, its hub and its SOC, which a person puts back as it was and starts again."""

    state: Place
    held: AbstractAsyncContextManager[Store] = field(init=False)
    store: Store = field(init=False)
    life: Life = field(init=False)
    hub: Shelf = field(default_factory=Shelf)
    now: datetime = NOW
    copy: Any = None
    received: Counter[Notified] = field(default_factory=Counter)
    open_at: dict[tuple[str, str], bool] = field(default_factory=dict)
    statuses: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """A process begins."""
        place = self.state if isinstance(self.state, Path) else parse_address(self.state)
        self.held = held_state(place, Settings({}), lambda: self.now)
        self.store = run(self.held.__aenter__())
        self.life = Life(self.store, BOOK, now=self.now)
        intake = Intake(self.store, {BOOK.stream: BOOK}, Catalogue(), BOOK.stream)
        self.events = EventIntake(intake, self.store, f"process-{self.now:%H%M}")
        gaps = GapFiller(self.hub, self.store, self.events)
        self.sweeper = Sweeper(self.store, BOOK, intake, gaps, named=list(LANES), retention=Retention())

    def end(self) -> None:
        """The process ends."""
        run(self.held.__aexit__(None, None, None))

    def goes_on(self, minutes: int) -> None:
        self.now += minutes * MINUTE
        self.life.now = self.now

    def says(self, name: str, status: str) -> None:
        """Defender says something of an alert."""
        self.statuses[name] = status
        events = self.hub.events[HUB]
        at = {"ProcessingEndTime": self.now.isoformat()}
        body = alert_body(name, Status=status, AzureResourceId=RESOURCES[name], **at)
        events.append(Event(len(events), self.now, body))

    def take(self) -> None:
        """The consumer goes on where the state says."""
        taken = [one.sequence for one in ask(self.store, list_claims, HUB.hub) if one.sequence is not None]
        reach = max(taken, default=-1)
        if fresh := [event for event in self.hub.events[HUB] if event.sequence > reach]:
            run(self.events.ingest_events(HUB, fresh, self.now))

    def sweep(self) -> None:
        run(self.sweeper.sweep(self.now))

    def deliver(self, state: DeliveryState = DeliveryState.SENT) -> None:
        """The SOC takes what is due, or refuses it for good."""
        for one in self.life.deliver(state):
            it = one.delivery
            if state is DeliveryState.SENT:
                self.received[it.destination, it.key, it.turn] += 1
                self.open_at[it.destination, it.key] = it.change.value != "resolved"

    def is_down(self, destination: str) -> None:
        """A destination fails, and is asked again three minutes later."""
        for one in self.life.claims(destination):
            self.life.settle(one, DeliveryState.OWED, error="answered 503", due=self.now + 3 * MINUTE)

    def live(self, acts: Acts) -> None:
        """This and that happens, a minute apart."""
        for name, *arguments in acts:
            self.goes_on(1)
            getattr(self, name)(*arguments)

    def silence(self, name: str) -> None:
        """A person silences a resource for two hours."""
        run(add_silence(self.store, a_silence("", begins=self.now, groups=_scope(name), made=self.now)))

    def end_silences(self) -> None:
        for one in self.silences(self.now):
            run(end_silence(self.store, one.id, self.now, author="bo"))

    def silences(self, now: datetime) -> list[Silence]:
        """Those that hold something at an instant."""
        return [one for one in run(stored_silences(self.store, now)).values if one.end > now]

    def owed(self) -> set[Notified]:
        """What is to be told yet."""
        open = "SELECT destination, key, turn FROM deliveries WHERE state NOT IN ('sent', 'skipped')"
        return {(destination, key, turn) for destination, key, turn in rows_in(self.state, open)}

    def redrive(self) -> None:
        run(redrive_letters(self.store, run(letters_in(self.store)), self.now, author="bo"))

    def discard(self) -> None:
        run(discard_letters(self.store, run(letters_in(self.store)), self.now, author="bo"))

    def back_up(self) -> None:
        """A person keeps a copy."""
        if isinstance(self.state, Path):
            self.copy = self.state.parent / f"{self.now:%H%M%S}.db"
            back_up(self.state, self.copy)
        else:
            with psycopg.connect(self.state) as server:
                names = [
                    name for (name,) in server.execute("SELECT tablename FROM pg_tables WHERE schemaname='public'")
                ]
                self.copy = {name: server.execute(_all(name)).fetchall() for name in names}

    def restore(self) -> None:
        """All processes end, a person puts the copy back, and one begins."""
        self.end()
        if isinstance(self.state, Path):
            rmtree(self.state)
            self.state.mkdir()
            (self.state / "router.db").write_bytes(self.copy.read_bytes())
        else:
            with psycopg.connect(self.state) as server:
                for name, rows in self.copy.items():
                    server.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(name)))
                    if rows:
                        places = sql.SQL(",").join([sql.Placeholder()] * len(rows[0]))
                        server.cursor().executemany(
                            sql.SQL("INSERT INTO {} VALUES ({})").format(sql.Identifier(name), places), rows
                        )
        self.start()

    def problems(self) -> list[str]:
        """What the health page says of it."""
        health = run(read_state_health(self.store, "cwpp", (), HoldReader(self.store), self.now))
        return [line for line in health.problems if " back" in line]


def _scope(name: str) -> tuple[tuple[Element, ...], ...]:
    return (named(RESOURCES[name].rpartition("/")[2]),)


async def _made(url: str) -> None:
    store = open_store(url)
    await store.upgrade()
    await store.close()


@contextmanager
def over(url: str, now: datetime = NOW) -> Iterator[Hour]:
    """A router over a state that is there."""
    hour = Hour(url, now=now)
    try:
        yield hour
    finally:
        hour.end()


def _all(name: str) -> sql.Composed:
    return sql.SQL("SELECT * FROM {}").format(sql.Identifier(name))


@contextmanager
def an_hour(engine: str, emptied: EmptiedDatabase) -> Iterator[Hour]:
    """A router over an empty state."""
    with TemporaryDirectory() as directory:
        hour = Hour(Path(directory) / "state" if engine == "sqlite" else emptied.url)
        hour.sweep()
        try:
            yield hour
        finally:
            hour.end()
            emptied.empty()


SAYS = st.tuples(st.just("says"), st.sampled_from(NAMES), st.sampled_from(["New", "New", "InProgress", "Resolved"]))
ACTS = st.one_of(
    SAYS,
    SAYS,
    SAYS,
    st.tuples(st.sampled_from(["take", "take", "deliver", "deliver", "sweep"])),
    st.tuples(st.just("deliver"), st.just(DeliveryState.DEAD)),
    st.tuples(st.just("is_down"), st.sampled_from(sorted(LANES))),
    st.tuples(st.just("silence"), st.sampled_from(NAMES)),
    st.tuples(st.sampled_from(["end_silences", "redrive"])),
)
HISTORY = st.lists(ACTS, max_size=12)
LOST = st.lists(st.one_of(ACTS, ACTS, st.just(("discard",))), max_size=12)


@settings(max_examples=some_of(100))
@given(st.sampled_from(["sqlite", "postgresql"]), HISTORY, LOST, HISTORY, st.integers(1, 400))
def test_nothing_is_lost_and_nothing_is_told_a_third_time(
    emptied: EmptiedDatabase, lasting: Store, engine: str, before: Acts, lost: Acts, after: Acts, minutes: int
) -> None:
    """Whatever Defender said and people did before, in the time that is lost and after it, each message is decided, and told at
    most once more. Pagers and tickets are open where their alert stands and closed where it is over, but for what a silence
    held that is back. Nothing is told again that was told before the copy was made."""
    with an_hour(engine, emptied) as hour:
        hour.live(before)
        hour.sweep()
        hour.back_up()
        kept, known, is_owed = Counter(hour.received), hour.now, hour.owed()
        hour.live(lost)
        back = {one.groups for one in hour.silences(known)}
        hour.goes_on(minutes)
        hour.restore()
        assert [line.partition(" as it was ")[2][:20] for line in hour.problems()][:1] == [timestamp(known)]
        hour.live(after)
        for _ in range(2):
            hour.goes_on(5)
            hour.take()
            hour.sweep()
            hour.redrive()
            hour.deliver()
        decided = {key for (key,) in rows_in(hour.state, "SELECT coalesce(message, key) FROM decisions")}
        assert len(decided) == len(hour.hub.events[HUB])
        assert max(hour.received.values(), default=0) <= 2
        assert [one for one in kept if hour.received[one] > kept[one] and one not in is_owed] == []
        holding = {key for (key,) in rows_in(hour.state, "SELECT key FROM signals WHERE held_by IS NOT NULL")}
        for name, status in hour.statuses.items():
            key = signal_key("cwpp", "alert", name)
            for destination in ("oncall", "tickets"):
                if key not in holding and _scope(name) not in back:
                    assert hour.open_at.get((destination, key), False) == (status != "Resolved"), (destination, name)


def test_an_end_that_comes_with_its_beginning_closes_what_was_opened(
    emptied: EmptiedDatabase, lasting: Store, either: str
) -> None:
    """Nobody is paged for it again: the pager and the ticket hear of the end alone, which the copy cannot know to be news, also
    where it owed the beginning. An
    hour after the restore what is over before it was told is told to nobody, as ever."""
    with an_hour(either, emptied) as hour:
        hour.live([("says", "c", "New"), ("take",)])
        hour.back_up()
        hour.live([("says", "a", "New"), ("take",), ("deliver",), ("says", "a", "Resolved"), ("says", "c", "Resolved")])
        assert hour.open_at["oncall", signal_key("cwpp", "alert", "a")]
        hour.restore()
        hour.live([("take",), ("deliver",), ("sweep",)])
        for destination, name in product(("oncall", "tickets"), "ac"):
            key = destination, signal_key("cwpp", "alert", name)
            assert (hour.open_at[key], hour.received[*key, 1], hour.received[*key, 2]) == (False, 1, 1)
        hour.goes_on(60)
        hour.live([("says", "b", "New"), ("says", "b", "Resolved"), ("take",), ("deliver",)])
        assert ("oncall", signal_key("cwpp", "alert", "b")) not in hour.open_at


def test_the_health_page_names_what_may_be_wrong_until_people_looked(
    emptied: EmptiedDatabase, lasting: Store, either: str
) -> None:
    """From when to when nothing is known, and each silence that was in force, until a person extends or ends it; for a week.
    All sessions are over, no process counts as alive, and the record of changes has the restore."""
    with an_hour(either, emptied) as hour:
        hour.silence("a")
        hour.silence("b")
        one, other = sorted(hour.silences(hour.now), key=lambda one: one.groups != _scope("a"))
        hour.goes_on(1)
        times = {"since": hour.now, "seen": hour.now + HOUR, "until": hour.now + 8 * HOUR}
        ask(hour.store, begin_session, Session(id="a", attempt="b", name="ana", subject="1", role="Reader", **times))
        hour.sweep()
        ask(hour.store, claim_partitions, [PartitionClaim(HUB, "a process")])
        hour.back_up()
        assert hour.problems() == []
        hour.goes_on(60)
        hour.end_silences()
        hour.restore()
        hour.sweep()
        gone = "silences and holds made, extended or ended in between are as if they were not"
        at_all = f"cwpp: the state was put back 2026-11-24T13:01:00Z as it was 2026-11-24T12:01:00Z; {gone}"
        back = "cwpp: silence {} of ana@contoso.example until 2026-11-24T14:00:00Z is back, if it was ended before that"
        assert sorted(hour.problems()) == sorted([at_all, back.format(one.id), back.format(other.id)])
        assert ask(hour.store, list_sessions) == []
        assert [one.owner for one in ask(hour.store, list_claims, HUB.hub)] == [""]
        run(end_silence(hour.store, one.id, hour.now, author="bo"))
        assert hour.problems() == [at_all, back.format(other.id)]
        assert [one.action for one in ask(hour.store, list_changes, None, 2)] == ["silence_ended", "restored"]
        hour.restore()
        hour.sweep()
        assert len(hour.problems()) == 3, "it is put back once more, as it was then"
        hour.goes_on(7 * 24 * 60 - 1)
        assert hour.problems() == [at_all]
        hour.goes_on(1)
        assert hour.problems() == []


def test_a_state_that_is_the_same_as_ever_is_not_called_restored(
    emptied: EmptiedDatabase, lasting: Store, either: str
) -> None:
    """However long nothing was at work on it; neither is a new one."""
    with an_hour(either, emptied) as hour:
        hour.says("a", "New")
        hour.take()
        for minutes in (1, 600, 60_000):
            hour.goes_on(minutes)
            hour.end()
            hour.start()
            hour.sweep()
            assert hour.problems() == []


def test_a_server_is_known_to_have_been_put_back(tmp_path: Path) -> None:
    """By pg_restore into an empty database, and by its log to a moment; not where another one took over from it, which lacks
    nothing. Where disks were put back the server cannot know: the mark is taken away by hand."""
    kept = "mkdir -p ../archive && cp %p ../archive/%f"
    with postgres_running(archive_mode="on", archive_command=kept) as server:
        url = server.new_database()
        run(_made(url))
        with over(url) as hour, copy_of(server) as earlier:
            hour.sweep()
            server.dump(url, tmp_path / "dump")
            server.execute("SELECT pg_create_restore_point('then')")
            hour.goes_on(60)
            hour.silence("a")
            server.execute("SELECT pg_switch_wal()")
            assert hour.problems() == []
            with over(server.restore(tmp_path / "dump"), hour.now) as restored:
                restored.sweep()
                assert len(restored.problems()) == 1
                restored.sweep()
                assert len(restored.problems()) == 1
            earlier.go_back(server, "then")
            there = earlier.of(urlsplit(url).path.strip("/"))
            with over(there, hour.now) as restored:
                restored.sweep()
                assert len(restored.problems()) == 1
                assert restored.silences(restored.now) == []
            with over(there, hour.now) as restored, standby_of(earlier) as standby:
                restored.goes_on(3)
                standby.promote()
                restored.state = standby.of(urlsplit(url).path.strip("/"))
                restored.end()
                restored.start()
                restored.sweep()
                assert len(restored.problems()) == 1
                rows_in(restored.state, "UPDATE meta SET value='' WHERE name='server'")
                restored.goes_on(1)
                restored.sweep()
                assert len(restored.problems()) == 2
