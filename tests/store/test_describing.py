"""What every store says of what is in it, and that saying so changes nothing."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from router.domain.decisions import Code, Outcome, Reason
from router.domain.deliveries import DeliveryState
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.errors import BadFile
from router.domain.hubs import HubEpoch, Loss, Partition, Span
from router.store import describing
from router.store.decisions import put_on_record
from router.store.describing import StateReport, describe
from router.store.documents import put_document
from router.store.groups import States
from router.store.ledger import Held
from router.store.partitions import write_losses
from router.store.quarantine import put_in_quarantine
from router.store.sqlite import SqliteStore, opened_unchanged
from tests.builders import NOW
from tests.store.acts import DAY, claim, owe, run, settle, write_groups, write_rows
from tests.store.builders import a_delivery, a_group, a_row, an_entry
from tests.store.opened import Store, changed, open_store
from tests.store.test_groups import a_member
from tests.store.test_quarantine import a_quarantined
from tests.store.within import within

EPOCH = HubEpoch(Partition("cwpp", "0"), 1)
HELD = Held(rule="maintenance", until=NOW, rulebook="hash", source="f", body=b"{}")
LOSSES = [Loss(EPOCH, Span(1, 4), NOW, "gone"), Loss(EPOCH, Span(8, 8), NOW, "gone")]
SILENCE = StoredDocument(kind=DocumentKind.SILENCE, id="s", at=NOW, body=b"{}")


def described_by(store: Store) -> StateReport:
    """What a store says of itself."""
    report = run(describe(store, NOW))
    assert report is not None
    return report


def decide(store: Store, outcome: Outcome, *ages: timedelta, **given: Any) -> None:
    """Puts decisions with an outcome on record that are so old."""
    entries = [
        an_entry(f"hub/{outcome}:{number}", outcome=outcome.value, at=(NOW - age).isoformat(), stream="cwpp", **given)
        for number, age in enumerate(ages)
    ]
    run(within(store, put_on_record, entries))


def test_a_state_that_holds_nothing_says_so(store: Store) -> None:
    """Nothing is counted, and nothing is old."""
    report = described_by(store)
    assert (report.oldest, report.newest, report.owed_since, report.decisions, report.documents) == (
        *[None] * 3,
        {},
        {},
    )
    assert (report.signals, report.lost, report.groups, report.deliveries) == (0, 0, 0, {})


@pytest.mark.parametrize("page", [1, 2, 100])
def test_everything_is_counted(store: Store, monkeypatch: pytest.MonkeyPatch, page: int) -> None:
    """Signals, deliveries and decisions in pages of any size; events, not ranges of them; hours and rules once; no members."""
    monkeypatch.setattr(describing, "PAGE", page)
    ended = a_row("d", outcome=Outcome.RESOLVED, closed_at=NOW)
    write_rows(store, [a_row("a"), a_row("b"), a_row("c", outcome=Outcome.SUPPRESSED, held=HELD), ended])
    owe(store, *(a_delivery(key=f"k{number}") for number in range(4)))
    first, second, _ = claim(store, limit=3)
    settle(store, first, DeliveryState.SENT)
    settle(store, second, DeliveryState.DEAD, error="refused")
    decide(store, Outcome.ROUTED, 3 * DAY, DAY, DAY)
    decide(store, Outcome.SUPPRESSED, 3 * DAY, 2 * DAY, suppressed_by="maintenance")
    run(changed(store, "INSERT INTO rules (stream, name, known_since) VALUES ('cwpp', 'never hit', 0)"))
    whole = a_quarantined("a")
    damaged = replace(whole, id="b", quarantined=replace(whole.quarantined, reason=Reason(Code.DAMAGED, "x")))
    run(within(store, put_in_quarantine, [whole, a_quarantined("c"), damaged]))
    run(within(store, write_losses, LOSSES))
    states = States(members={"k": a_member(), "l": a_member()}, groups={"g": a_group()})
    run(write_groups(store, "cwpp", "tickets", states))
    run(within(store, put_document, SILENCE))

    report = described_by(store)
    assert (report.signals, report.standing, report.held) == (4, 3, 1)
    each_once = {state: 1 for state in DeliveryState if state is not DeliveryState.SKIPPED}
    assert report.deliveries == {("cwpp", "tickets"): each_once}
    assert report.owed_since == NOW
    assert report.decisions == {Outcome.ROUTED: 3, Outcome.SUPPRESSED: 2}
    assert (report.oldest, report.newest) == (NOW - 3 * DAY, NOW - DAY)
    assert (report.quarantined, report.damaged, report.lost) == (2, 1, 5)
    assert (report.groups, report.hours, report.rules) == (1, 3, 1)
    assert report.documents == {DocumentKind.SILENCE: 1, DocumentKind.RULES: 1}


def test_what_a_wrong_clock_put_at_the_end_of_time_is_described_too(store: Store) -> None:
    """No sweep has seen to it yet."""
    last = datetime.max.replace(tzinfo=UTC)
    run(within(store, put_on_record, [an_entry(outcome=Outcome.ROUTED.value, at=last.isoformat())]))
    write_rows(store, [a_row(heard=last)])
    assert described_by(store).newest == last


# In a file.


def prints_of(directory: Path) -> dict[str, object]:
    """What each file of a directory holds, and who may read it; what processes share in memory is not the state's."""
    return {
        path.name: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mode)
        for path in directory.iterdir()
        if not path.name.endswith("-shm")
    }


def described(directory: Path) -> StateReport | None:
    """What is in a directory."""
    with opened_unchanged(directory) as store:
        return run(describe(store, NOW))


@pytest.mark.parametrize("is_killed", [True, False])
def test_the_files_stay_as_they_are(tmp_path: Path, *, is_killed: bool) -> None:
    """The log of a run that was killed counts, and stays where it is; beside a state that was closed nothing is made."""
    store = open_store(tmp_path / "run")
    owe(store, a_delivery())
    (tmp_path / "run" / "router.db").chmod(0o640)
    shutil.copytree(tmp_path / "run", tmp_path / "killed")
    run(store.close())
    directory = tmp_path / ("killed" if is_killed else "run")
    before = prints_of(directory)
    report = described(directory)
    assert report is not None
    assert (report.owed_since, "router.db-wal" in report.files) == (NOW, is_killed)
    assert prints_of(directory) == before


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


@pytest.mark.parametrize("garbage", [b"\xff", "zz", -1, 2**63 - 1, 1.5])
def test_damaged_rows_are_no_reason_to_say_nothing(sqlite: Store, tmp_path: Path, garbage: object) -> None:
    """Whichever column holds something that no row has; it counts somewhere or nowhere."""
    decide(sqlite, Outcome.ROUTED, DAY)
    write_rows(sqlite, [a_row("a", outcome=Outcome.SUPPRESSED, held=HELD), a_row("b", closed_at=NOW)])
    owe(sqlite, a_delivery())
    run(within(sqlite, put_in_quarantine, [a_quarantined()]))
    run(within(sqlite, write_losses, LOSSES))
    run(within(sqlite, put_document, SILENCE))
    path = tmp_path / "router.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        tables = db.execute("SELECT name FROM sqlite_schema WHERE type='table' AND name<>'meta'").fetchall()
        for (table,) in tables:
            for column in db.execute(f"PRAGMA table_info({table})").fetchall():
                db.execute("BEGIN")
                with suppress(sqlite3.IntegrityError):
                    db.execute(f"UPDATE {table} SET {column[1]}=?", (garbage,))  # noqa: S608
                    assert run(describe(SqliteStore(path, db), NOW)) is not None
                db.execute("ROLLBACK")
