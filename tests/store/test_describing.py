"""What every store says of what is in it, and that saying so changes nothing."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from router.domain.decisions import Outcome
from router.domain.deliveries import DeliveryState
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.errors import BadFile
from router.domain.groups import States
from router.domain.hubs import HubEpoch, Loss, Partition, Span
from router.domain.ledger import Held
from router.domain.reasons import Code, Reason
from router.domain.retention import DAYS, Retention
from router.domain.state_report import NONE, SOON, Count, NextForgotten, StateReport
from router.store.decisions import put_on_record
from router.store.deliveries import add_deliveries
from router.store.describing import describe as describe_state
from router.store.documents import put_document
from router.store.engine import SqliteEngine
from router.store.file import UnchangedFile, opened_unchanged
from router.store.partitions import write_losses
from router.store.quarantine import put_in_quarantine
from tests.builders import NOW
from tests.store.acts import DAY, claim, owe, run, settle, write_groups, write_rows
from tests.store.builders import a_delivery, a_group, a_row, an_entry
from tests.store.opened import Store, open_store
from tests.store.test_groups import a_member
from tests.store.test_quarantine import a_quarantined
from tests.store.within import within

INSTANT = timedelta(microseconds=1)
EPOCH = HubEpoch(Partition("cwpp", "0"), 1)
HELD = Held(rule="maintenance", until=NOW, rulebook="hash", source="f", body=b"{}")
RETENTION = Retention()


def describe(store: Store, now: datetime = NOW, retention: Retention = RETENTION) -> StateReport:
    """What a store says of itself."""
    report = run(store.describe(now, retention))
    assert report is not None
    return report


def decide(store: Store, outcome: Outcome, *ages: timedelta) -> None:
    """Puts decisions with an outcome on record that are so old."""
    entries = [
        an_entry(f"hub/{outcome}:{number}", outcome=outcome.value, at=(NOW - age).isoformat(), stream="cwpp")
        for number, age in enumerate(ages)
    ]
    run(within(store, put_on_record, entries))


def next_of(report: StateReport, outcome: Outcome | None) -> NextForgotten:
    """What is forgotten next of the decisions with an outcome, or of signals."""
    return next(one for one in report.forgotten_next if one.outcome == outcome)


def test_a_state_that_holds_nothing_says_so(store: Store) -> None:
    """Every count is whole, and nothing is old."""
    report = describe(store)
    assert (report.at, report.oldest, report.newest, report.owed_since) == (NOW, None, None, None)
    assert (report.signals, report.owed, report.dead, report.lost, report.groups) == (NONE,) * 5
    assert (report.decisions, report.documents, report.deliveries) == ({}, {}, [])
    assert all(one == replace(one, next=None, overdue=NONE, soon=NONE) for one in report.forgotten_next)


def test_signals_are_counted(store: Store) -> None:
    """Also those that have not ended, and those that a rule holds."""
    rows = [
        a_row("a"),
        a_row("b"),
        a_row("c", outcome=Outcome.SUPPRESSED, held=HELD),
        a_row("d", outcome=Outcome.RESOLVED, closed_at=NOW),
    ]
    write_rows(store, rows)
    report = describe(store)
    assert (report.signals, report.standing) == (Count(4), Count(3))
    assert report.held == Count(1)


def test_deliveries_are_counted_by_destination_and_state(store: Store) -> None:
    """With what is owed and dead in all, and since when the oldest is owed."""
    owe(store, *(a_delivery(key=f"k{number}") for number in range(4)))
    first, second, _ = claim(store, limit=3)
    settle(store, first, DeliveryState.SENT)
    settle(store, second, DeliveryState.DEAD, error="refused")
    report = describe(store)
    (tickets,) = report.deliveries
    assert (tickets.stream, tickets.destination) == ("cwpp", "tickets")
    assert tickets.states == {state: Count(1) for state in DeliveryState if state is not DeliveryState.SKIPPED}
    assert (report.owed, report.dead, report.owed_since) == (Count(2), Count(1), NOW)


def test_decisions_are_counted_by_outcome(store: Store) -> None:
    """And the oldest and the newest of them are named."""
    decide(store, Outcome.ROUTED, 3 * DAY, DAY)
    decide(store, Outcome.BELOW_FLOOR, 2 * DAY)
    report = describe(store)
    assert report.decisions == {Outcome.ROUTED: Count(2), Outcome.BELOW_FLOOR: Count(1)}
    assert (report.oldest, report.newest) == (NOW - 3 * DAY, NOW - DAY)


def test_what_nobody_understood_and_what_was_lost_is_counted(store: Store) -> None:
    """Messages apart from damaged rows of the state, and events, not ranges of them."""
    damaged = replace(
        a_quarantined("d"), quarantined=replace(a_quarantined().quarantined, reason=Reason(Code.DAMAGED, "x"))
    )
    run(within(store, put_in_quarantine, [a_quarantined("a"), a_quarantined("b"), damaged]))
    run(within(store, write_losses, [Loss(EPOCH, Span(1, 4), NOW, "gone"), Loss(EPOCH, Span(8, 8), NOW, "gone")]))
    report = describe(store)
    assert (report.quarantined, report.damaged, report.lost) == (Count(2), Count(1), Count(5))


def test_groups_are_counted(store: Store) -> None:
    """Not their members."""

    async def written() -> None:
        states = States(members={"k": a_member(), "l": a_member()}, groups={"g": a_group()})
        await write_groups(store, "cwpp", "tickets", states)

    run(written())
    assert describe(store).groups == Count(1)


def test_hours_rules_and_documents_are_counted(store: Store) -> None:
    """An hour once, however many cells it has, and a rule however often it held a signal."""
    decide(store, Outcome.ROUTED, timedelta(), timedelta(), 2 * DAY)
    decide(store, Outcome.NOTED, timedelta())
    held = {"outcome": Outcome.SUPPRESSED.value, "suppressed_by": "maintenance", "stream": "cwpp"}
    run(within(store, put_on_record, [an_entry("h:1", **held), an_entry("h:2", **held)]))
    silence = StoredDocument(kind=DocumentKind.SILENCE, id="s", at=NOW, body=b"{}")
    assert run(within(store, put_document, silence)) is not None
    report = describe(store)
    assert (report.hours, report.rules) == (Count(2), Count(1))
    assert report.documents == {DocumentKind.SILENCE: Count(1)}


def test_decisions_fall_due_when_retention_says(store: Store) -> None:
    """To the instant: what is due waits for the next sweep, and what is due within a week is counted apart."""
    age = DAYS[Outcome.BELOW_FLOOR]
    decide(store, Outcome.BELOW_FLOOR, age, age - INSTANT, age - SOON, age - SOON - INSTANT)
    found = next_of(describe(store), Outcome.BELOW_FLOOR)
    assert (found.age, found.next, found.overdue, found.soon) == (age, NOW, Count(1), Count(2))
    kept = describe(store, retention=Retention(decisions={**DAYS, Outcome.BELOW_FLOOR: 30 * DAY}))
    found = next_of(kept, Outcome.BELOW_FLOOR)
    assert (found.age, found.next, found.overdue, found.soon) == (30 * DAY, NOW + 16 * DAY, NONE, NONE)


def test_what_a_wrong_clock_put_at_the_end_of_time_is_described_too(store: Store) -> None:
    """No sweep has seen to it yet."""
    last = datetime.max.replace(tzinfo=UTC)
    run(within(store, put_on_record, [an_entry(outcome=Outcome.ROUTED.value, at=last.isoformat())]))
    write_rows(store, [a_row(heard=last)])
    assert [one.next for one in describe(store).forgotten_next if one.outcome is Outcome.ROUTED] == [last]


def test_signals_fall_due_when_they_are_looked_at(sqlite: Store) -> None:
    """After their last message, sooner below the floor."""
    rows = [
        a_row("a", heard=NOW - 90 * DAY),
        a_row("b", heard=NOW - 83 * DAY),
        a_row("c", heard=NOW - 80 * DAY),
        a_row("d", heard=NOW - 10 * DAY, outcome=Outcome.BELOW_FLOOR),
    ]
    write_rows(sqlite, rows)
    found = next_of(describe(sqlite), None)
    assert (found.next, found.overdue, found.soon) == (NOW, Count(1), Count(2))
    found = next_of(describe(sqlite, NOW - 4 * DAY), None)
    assert (found.next, found.overdue, found.soon) == (NOW, Count(0), Count(1))


def test_a_description_agrees_with_what_is_forgotten(store: Store) -> None:
    """What is said to be overdue goes at the next sweep, and nothing is overdue after it."""
    decide(store, Outcome.ROUTED, 91 * DAY, 90 * DAY, 89 * DAY)
    before = next_of(describe(store), Outcome.ROUTED)
    gone = run(store.forget(NOW, RETENTION, (), 1000))
    assert before.overdue == Count(gone.number) == Count(2)
    after = next_of(describe(store), Outcome.ROUTED)
    assert (after.overdue, after.next) == (NONE, NOW + DAY)


# In a file.


def prints_of(directory: Path) -> dict[str, str]:
    """What each file of a directory holds; what processes share in memory is not the state's."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in directory.iterdir()
        if not path.name.endswith("-shm")
    }


def described(directory: Path, now: datetime = NOW) -> StateReport | None:
    """What is in a directory."""
    return run(Store.describe_in(directory, now, RETENTION))


def test_a_state_is_described_beside_a_run(tmp_path: Path) -> None:
    """Which holds it and is in the middle of a transaction; what is not committed is not there."""
    store = open_store(tmp_path)
    store.hold()
    owe(store, a_delivery())

    async def beside() -> StateReport | None:
        async with store.transaction():
            await within(store, add_deliveries, [a_delivery(key="other")], NOW)
            return await Store.describe_in(tmp_path, NOW, RETENTION)

    report = run(beside())
    assert report is not None
    assert report.owed == Count(1)
    run(store.close())


def test_the_log_of_a_run_that_was_killed_stays_where_it_is(tmp_path: Path) -> None:
    """It holds what was committed, which is counted; only a run puts it into the file."""
    store = open_store(tmp_path / "a")
    owe(store, a_delivery())
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    run(store.close())
    before = prints_of(tmp_path / "b")
    report = described(tmp_path / "b")
    assert report is not None
    assert report.owed == Count(1)
    assert report.files["router.db-wal"].number > 0
    assert prints_of(tmp_path / "b") == before


def test_a_state_that_was_closed_is_left_with_the_same_files(tmp_path: Path) -> None:
    """Nothing is made beside them, and their permissions stay."""
    run(open_store(tmp_path).close())
    (tmp_path / "router.db").chmod(0o640)
    before = prints_of(tmp_path)
    assert described(tmp_path) is not None
    assert {path.name for path in tmp_path.iterdir()} == before.keys()
    assert prints_of(tmp_path) == before
    assert (tmp_path / "router.db").stat().st_mode & 0o777 == 0o640


def test_a_file_in_which_no_run_wrote_anything_holds_no_state(tmp_path: Path) -> None:
    """It may be one that a run just makes."""
    (tmp_path / "router.db").touch()
    assert described(tmp_path) is None
    assert (tmp_path / "router.db").stat().st_size == 0


def cut(directory: Path) -> None:
    """Cuts a database in half."""
    path = directory / "router.db"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def make_newer(directory: Path) -> None:
    """Makes a state one that a newer program wrote."""
    with closing(sqlite3.connect(directory / "router.db")) as db, db:
        db.execute("UPDATE meta SET value='99' WHERE name='version'")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (cut, r"router\.db: is damaged: "),
        (lambda directory: (directory / "router.db").unlink(), r"router\.db: is damaged: it is missing"),
        (lambda directory: (directory / "router.db").write_bytes(b"no database" * 999), r"router\.db: is damaged: "),
        (lambda directory: (directory / "router.commit").write_bytes(b"?"), r"router\.db: is damaged: "),
        (make_newer, "holds state of version 99"),
    ],
)
def test_what_cannot_be_described_is_named(tmp_path: Path, harm: Any, said: str) -> None:
    """And is left as it is, as by every other command."""
    run(open_store(tmp_path).close())
    harm(tmp_path)
    before = prints_of(tmp_path)
    with pytest.raises(BadFile, match=said):
        described(tmp_path)
    assert prints_of(tmp_path) == before


def test_a_state_that_lost_commits_is_refused(tmp_path: Path) -> None:
    """An older copy beside the small file that names a later commit: what it says would be wrong."""
    store = open_store(tmp_path)
    owe(store, a_delivery())
    run(store.close())
    older = (tmp_path / "router.db").read_bytes()
    store = open_store(tmp_path)
    owe(store, a_delivery(key="other"))
    run(store.close())
    (tmp_path / "router.db").write_bytes(older)
    with pytest.raises(BadFile, match=r"is damaged: it ends with commit \d+, and .* names commit"):
        described(tmp_path)


def test_nothing_can_be_written_while_a_state_is_described(tmp_path: Path) -> None:
    """Whatever a query is made into."""
    run(open_store(tmp_path).close())
    with (
        pytest.raises(BadFile, match="readonly"),
        opened_unchanged(tmp_path) as file,
        file.reading() as db,
    ):
        db.execute("DELETE FROM signals")


@pytest.mark.parametrize("garbage", [b"\xff", "zz", -1, 2**63 - 1, 1.5])
def test_damaged_rows_are_no_reason_to_say_nothing(sqlite: Store, tmp_path: Path, garbage: object) -> None:
    """Whichever column holds something that no row has; it counts somewhere or nowhere."""
    decide(sqlite, Outcome.ROUTED, DAY)
    write_rows(sqlite, [a_row("a", outcome=Outcome.SUPPRESSED, held=HELD), a_row("b", closed_at=NOW)])
    owe(sqlite, a_delivery())
    run(within(sqlite, put_in_quarantine, [a_quarantined()]))
    run(within(sqlite, write_losses, [Loss(EPOCH, Span(1, 4), NOW, "gone"), Loss(EPOCH, Span(8, 8), NOW, "gone")]))
    run(within(sqlite, put_document, StoredDocument(kind=DocumentKind.FACT, id="s", at=NOW, body=b"{}")))
    path = tmp_path / "router.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for table, column in columns_in(db):
            db.execute("BEGIN")
            with suppress(sqlite3.IntegrityError):
                db.execute(f"UPDATE {table} SET {column}=?", (garbage,))  # noqa: S608
                assert isinstance(
                    run(describe_state(SqliteEngine(UnchangedFile(path, db)), NOW, RETENTION)), StateReport
                )
            db.execute("ROLLBACK")


def columns_in(db: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """Every column of every table."""
    for (table,) in db.execute("SELECT name FROM sqlite_schema WHERE type='table' AND name<>'meta'").fetchall():
        for column in db.execute(f"PRAGMA table_info({table})").fetchall():
            yield table, column[1]


# In an account.
