"""What a statement reads does not grow with the state: each one of the program, on both engines, as they plan it."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from copy import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from router.app.health import health_of
from router.app.lookback import look_back
from router.app.maintenance import Sweeper
from router.app.report import read_report
from router.app.rules import Rules
from router.app.signal_life import read_life
from router.app.signal_search import find_meant
from router.app.standing import read_standing
from router.decide.preview import rule_matcher
from router.domain.catalogue import Catalogue
from router.domain.deliveries import DeliveryState, Settlement
from router.domain.documents import DocumentKind
from router.domain.keys import signal_key
from router.domain.owners import NO_OWNERS
from router.domain.rulebook import By, Grouping, Lane, Limit
from router.domain.signals import Stream
from router.ingest.event_intake import EventIntake
from router.ingest.gaps import GapFiller
from router.ingest.intake import Intake
from router.store import changes, dead_letters, decisions, delivery_status, destinations, quarantine, rules, signals
from router.store.claims import Recipient, settle_claims
from router.store.dead_letters import DeadLetter, LetterFilter
from router.store.describing import describe
from router.store.documents import list_documents
from router.store.forgetting import forget
from router.store.quarantine import list_quarantined
from router.store.retention import Retention
from router.store.sqlite import StateFile
from router.store.standing import StandingFilter, list_standing
from router.store.store import Store, Transaction
from tests.builders import NOW, RESOURCE, a_destination, a_message, a_rule, a_rulebook, alert_body, an_ip, finding_body
from tests.constructed.weeks import row_of
from tests.destinations.builders import a_notice
from tests.hubs import Shelf
from tests.stack.postgres import Server
from tests.store.acts import DAY, run
from tests.store.life import TICKET, Life
from tests.store.opened import engine_over, open_store
from tests.store.watching import Around
from tests.store.within import claim_in, within

COPIED = {
    "signals": ("key",),
    "lookups": ("signal", "id", "id_end", "resource", "resource_end"),
    "decisions": ("key", "signal"),
    "deliveries": ("id", "key", "reference"),
    "notices": ("key",),
}
"""The tables that grow with signals, and the columns by which a copy differs."""

MOST = 5_000
"""Rows that no execution of a statement reads: a page has fewer."""
IN_ONE_GO = "\nSELECT ? AS place"
"""How the one statement begins that reads more of an index at once: a report counts a month of deliveries."""

_MANY = "WITH RECURSIVE many (n) AS (SELECT CAST(? AS BIGINT) UNION ALL SELECT n+1 FROM many WHERE n<?)"

_READ = """
SELECT COALESCE(sum(COALESCE(seq_tup_read, 0) + COALESCE(idx_tup_fetch, 0)), 0)::bigint FROM pg_stat_xact_user_tables
"""


async def copy_signals(store: Store, many: int) -> None:
    """Makes so many copies of all that a state holds of its signals, and has the engine look at what it holds."""
    async with store.transaction() as tx:
        for table, keys in COPIED.items():
            if store.is_shared:  # else the server looks again by itself, at times between the two sizes
                await tx.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
            row = await tx.find(f"SELECT * FROM {table} LIMIT 1")
            assert row is not None
            columns = [name for name in row._row if name != "place" or table == "signals"]
            named = ", ".join(columns)
            made = ", ".join(f"t.{name} || '~' || CAST(n AS TEXT)" if name in keys else f"t.{name}" for name in columns)
            copies = f"SELECT {made} FROM {table} t, many WHERE t.{keys[0]} NOT LIKE '%~%'"
            await tx.execute(f"{_MANY} INSERT INTO {table} ({named}) {copies}", 1, many)
    async with store.session() as tx:
        await tx.execute("ANALYZE")


async def forget_copies(store: Store, after: int) -> None:
    """Takes away the copies beyond some; what the engine knows of its tables stays, and so do its plans."""
    async with store.transaction() as tx:
        for table, (key, *_) in COPIED.items():
            number = f"CAST(substr({key}, {'strpos' if store.is_shared else 'instr'}({key}, '~') + 1) AS BIGINT)"
            await tx.execute(f"DELETE FROM {table} WHERE {key} LIKE '%~%' AND {number}>?", after)


async def rows_read(store: Store, scenario: Callable[[Store], Awaitable[None]]) -> Counter[str]:
    """What each statement of a scenario reads: rows, or in SQLite steps. All that the scenario does is taken back.

    A scenario that is run for the first time reads some more.
    """
    meter = _Meter(store)
    try:
        async with store.transaction():
            await scenario(meter)
            raise _TakenBack
    except _TakenBack:
        return meter.read


class _TakenBack(Exception):
    pass


class _Meter(Around):
    """A store that counts what statements read."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._one_at_a_time = asyncio.Lock()
        self.read: Counter[str] = Counter()

    async def asked[T](self, tx: Transaction, sql: str, values: Sequence[Any], ask: Callable[[], Awaitable[T]]) -> T:
        steps = 0
        async with self._one_at_a_time:
            if not isinstance(self._store, StateFile):
                before = await tx.value(_READ)
                answer = await ask()
                read = await tx.value(_READ) - before
                assert read < MOST or sql.startswith(IN_ONE_GO), f"one execution reads {read} rows: {sql}"
                self.read[_name_of(sql)] += read
                return answer

            def step() -> int:
                nonlocal steps
                steps += 1
                return 0

            self._store.db.set_progress_handler(step, 1)
            answer = await ask()
            self._store.db.set_progress_handler(None, 1)
            self.read[_name_of(sql)] += steps
            return answer


def _name_of(sql: str) -> str:
    """A statement in a line, each part of a union once."""
    parts = dict.fromkeys(" ".join(part.split()) for part in sql.split(" UNION ALL "))
    return re.sub(r"(\(\?(,\s?\?)*\),?\s*)+", "(?) ", " UNION ALL ".join(parts))


SCANNER = "203.0.113.7"
GROUPED = replace(a_destination("tickets"), group=Grouping((By.ALERT_TYPE,), DAY), limit=Limit(2, DAY))
BOOK = a_rulebook(a_rule(ip=(SCANNER,)), destinations=[GROUPED, a_destination("sentinel", Lane.ROWS)])
POSTURE = a_rulebook(stream=Stream.CSPM)

GROWING = {
    "the signals that `state` counts": r"^SELECT count\(\*\) AS many, max\(key\)",
    "the decisions that it counts": r"^SELECT outcome, count\(\*\) AS many, max\(place\)",
    "the deliveries that it counts": r"^SELECT stream, destination, state, count\(\*\) AS many, max\(place\)",
    "what stands, asked by previews": r"^SELECT key, outcome, severity, held_by",
    "what stands, looked through for a filter": r"^WITH looked AS",
    "what destinations took in the time that a report is on": r"^SELECT \? AS place",
    "the findings of a snapshot that is over": r"^SELECT kind, snapshot_days, count\(\*\) AS many, max\(key\)",
}
"""What reads more of a larger state, in pages; docs/state.md names the same."""
WEEKS = [NOW - days * DAY for days in (20, 13, 6)]


@pytest.fixture(params=["sqlite", "postgresql"])
def grown(request: pytest.FixtureRequest, tmp_path: object) -> Iterator[Store]:
    """A store that plans as if it knew no values, with ten signals that are over or stand for long."""
    if request.param == "sqlite":
        store = open_store(request.getfixturevalue("tmp_path"))
    else:
        postgres: Server = request.getfixturevalue("postgres")
        store = engine_over(postgres.new_database(), "SET plan_cache_mode = force_generic_plan")
        run(store.upgrade())
    life = Life(store, BOOK, now=NOW - 3 * DAY)
    life.ingest(*(a_message(alert_body(f"old-{n}", AzureResourceId=f"{RESOURCE}-{n}"), at=life.now) for n in range(8)))
    life.ingest(*(a_message(alert_body(f"old-{n}", Status="Resolved"), at=life.now + DAY) for n in range(4)))
    Life(store, POSTURE, now=life.now).ingest(a_message(finding_body("old"), at=life.now))
    for at in WEEKS:
        run(snapshot(store, at, "abcd"))
    life.deliver()
    Life(store, POSTURE, now=life.now).deliver()
    yield store
    run(store.close())


async def snapshot(store: Store, at: datetime, names: str) -> None:
    """A snapshot of findings comes in."""
    rows = [a_message(row_of(name), at=at) for name in names]
    await Intake(store, {Stream.CSPM: POSTURE}, Catalogue()).ingest(rows, at)


async def everything(store: Store) -> None:
    """A day of the router: intake, delivery, the clock, and what its commands ask."""
    intake = Intake(store, {Stream.CWPP: BOOK, Stream.CSPM: POSTURE}, Catalogue())
    others = [alert_body(f"{number}", AlertType=f"VM_{number}") for number in range(5)]
    bodies = [
        *others,
        alert_body("a"),
        alert_body("b", Entities=[an_ip(SCANNER)]),
        alert_body("old-1", Severity="Low"),
        b"{",
    ]
    # From the same places each time: what a group is called comes of them, and in what order rows are read.
    await intake.ingest([a_message(body, at=NOW, place=place) for place, body in enumerate(bodies, 1_000_000)], NOW)
    await intake.ingest([a_message(finding_body("f"), at=NOW), a_message(alert_body("a", Status="Resolved"))], NOW)
    await snapshot(store, WEEKS[0], "h")
    await _deliver(store)
    await _ask(store)
    for stream, book in ((Stream.CWPP, BOOK), (Stream.CSPM, POSTURE)):
        of_stream = Intake(store, {stream: book}, Catalogue(), stream)
        shelf = Shelf(name=stream.value)
        gap_filler = GapFiller(shelf, store, EventIntake(of_stream, store, "sweep"))
        sweeper = Sweeper(store, book, of_stream, gap_filler, named=["tickets"], retention=Retention())
        found, _ = await sweeper.sweep(NOW + 31 * DAY)
        assert found.ended == (stream is Stream.CSPM)
        await health_of(store, {stream: shelf}, {stream: book}, NOW)


async def _deliver(store: Store) -> None:
    """Each destination takes one, refuses one for good, and has one tried again."""
    for name in BOOK.destinations:
        recipient = Recipient("cwpp", BOOK.destinations[name].lane, name)
        claims = await claim_in(store, recipient, NOW + DAY, NOW + 2 * DAY, 100)
        states = [DeliveryState.SENT, DeliveryState.DEAD, DeliveryState.OWED]
        done = [
            Settlement(claim=one, state=state, at=NOW, receipt=TICKET, error="e", due=NOW)
            for one, state in zip(claims, itertools.cycle(states), strict=False)
        ]
        await within(store, settle_claims, done)
        opened = {(name, one.delivery.key): 1 for one in claims}
        keys = [key for _, key in opened]
        told = await within(store, delivery_status.list_deliveries_at, "cwpp", [name], keys)
        await within(store, delivery_status.find_histories, told, opened)
    letters = await within(store, dead_letters.list_dead_letters)
    assert letters
    for wanted in (LetterFilter(), LetterFilter("cwpp", "tickets")):
        latest = await within(store, dead_letters.list_latest_letters, wanted, None, 50)
        await within(store, dead_letters.list_latest_letters, wanted, latest[0].page_end, 50)
        await within(store, dead_letters.count_letters, wanted, 1_001)
        await within(store, dead_letters.find_letters, [one.id for one in latest])
    for letter in letters:
        assert isinstance(letter, DeadLetter)
        await within(store, dead_letters.redrive, letter.id, NOW)


async def _ask(store: Store) -> None:
    """What commands ask."""
    for text in ("a", signal_key(Stream.CWPP, "alert", "a"), TICKET.reference or "", f"{RESOURCE}-7", "nothing at all"):
        for meant in (await find_meant(store, text, None)).signals[:2]:
            await read_life(store, meant, NOW)
    async with store.session() as tx:
        question = decisions.EarlierQuestion(a_notice(resource=RESOURCE), NOW + DAY, ())
        await decisions.find_earlier(tx, {"asked": question})
        await rules.read_hits(tx, "cwpp")
        await signals.count_held(tx, "cwpp")
        for entry in await list_quarantined(tx):
            await quarantine.find_quarantined(tx, [entry.id])
        for one in await quarantine.list_latest_quarantined(tx, None, 50):
            await quarantine.list_latest_quarantined(tx, one.page_end, 50)
        await quarantine.count_quarantined(tx, 1_001)
        await decisions.list_came_out(tx, "cwpp", NOW - 30 * DAY, NOW + DAY, 1_001)
        await changes.list_changes(tx, None, 50, since=NOW, author="ana")
        await changes.list_authors(tx, NOW, 50)
        for kind in DocumentKind:
            await list_documents(tx, kind, NOW - DAY)
        await delivery_status.count_deliveries(tx, "cwpp", NOW)
        await destinations.list_delivered(tx, "cwpp")
        await destinations.find_last_delivered(tx, "cwpp")
        wanted = StandingFilter(paged_nobody=True, subscription="s", destination="tickets")
        assert not (await list_standing(tx, "cwpp", wanted, look_at=200)).rows
    assert (await read_standing(store, "cwpp", StandingFilter(), None, 2, NOW))["after"]
    rule = rule_matcher(a_rule(ip=(SCANNER,)), NO_OWNERS)
    await look_back(store, "cwpp", [rule], NOW - timedelta(hours=1), NOW + DAY)
    assert await describe(store, NOW) is not None
    assert await read_report(store, Rules({Stream.CWPP: BOOK, Stream.CSPM: POSTURE}, ()), "7d", NOW)


def _grown_statements(store: Store, sizes: tuple[int, int]) -> dict[str, tuple[int, int]]:
    """What reads more or less of a state of the second size than of the first, and how much of each.

    The larger state is asked first, so that the smaller one is asked by the plans for it.
    """
    run(copy_signals(store, sizes[1] // 10))
    run(rows_read(store, everything))
    large = run(rows_read(store, everything))
    run(forget_copies(store, sizes[0] // 10))
    small = run(rows_read(store, everything))
    assert len(large.keys() | small.keys()) > 90
    return {sql: (small[sql], large[sql]) for sql in large.keys() | small.keys() if small[sql] != large[sql]}


@pytest.mark.parametrize("size", [10_000, pytest.param(100_000, marks=pytest.mark.soak)])
def test_every_statement_reads_as_many_rows_of_a_larger_state(grown: Store, size: int) -> None:
    """To the row, but for those that are named and read in pages."""
    found = _grown_statements(grown, (1_000, size))
    known = {next((name for name, pattern in GROWING.items() if re.search(pattern, sql)), sql) for sql in found}
    assert known == set(GROWING), found


def test_old_decisions_are_found_by_their_index_however_like_they_are(tmp_path: Path) -> None:
    """SQLite, told by ANALYZE that most have one outcome, read all of them for each outcome that none has."""
    store = open_store(tmp_path)
    life = Life(store, BOOK, now=NOW)
    life.ingest(a_message(alert_body("a"), at=NOW))
    run(copy_signals(store, MOST))

    async def forget_some(store: Store) -> None:
        await forget(store, NOW + 365 * DAY, Retention(), 1)

    (steps,) = [
        many for sql, many in run(rows_read(store, forget_some)).items() if "FROM decisions" in sql and "at<=?" in sql
    ]
    run(store.close())
    assert steps < MOST
