"""What people ask of the record: outcomes, signals by the ends of ids and resources, views of docs/state.md, and its size."""

import hashlib
import itertools
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from copy import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from router.domain.decisions import Code, Outcome, Reason
from router.domain.deliveries import DeliveryState, FailedAttempt
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.hubs import Arrival, HubEpoch, Loss, Partition, Span
from router.domain.keys import same_id
from router.domain.notices import Notice
from router.store import describing
from router.store.changes import ChangeAction, ChangeEntry, write_change
from router.store.decisions import AT_RESOURCE, find_outcomes, put_on_record, search_signals
from router.store.delivery_status import find_last_notice, list_deliveries
from router.store.describing import StateReport, describe
from router.store.documents import put_document
from router.store.groups import States
from router.store.ledger import Held
from router.store.partitions import write_losses
from router.store.quarantine import put_in_quarantine
from router.store.sqlite import SqliteStore, opened_unchanged
from tests.builders import NOW, RESOURCE, a_rule, a_rulebook, an_ip
from tests.docs.pages import page, spans
from tests.store.acts import DAY, ask, claim, owe, run, settle, write_groups, write_rows
from tests.store.builders import a_delivery, a_group, a_member, a_quarantined, a_row, an_entry, noise
from tests.store.life import Life
from tests.store.opened import Place, Store, changed, open_store, rows_in


def put(store: Store, *outcomes: tuple[str, Outcome], at: str = "2026-11-24T12:00:00Z") -> None:
    """Puts decisions on record."""
    ask(store, put_on_record, [an_entry(key, outcome=outcome.value, at=at) for key, outcome in outcomes])


def outcomes(store: Store, *keys: str) -> Mapping[str, Outcome]:
    """The outcomes that are on record of messages."""
    return ask(store, find_outcomes, keys)


@pytest.mark.usefixtures("either")
def test_a_message_has_its_first_outcome_and_after_further_decisions_its_latest(store: Store) -> None:
    """Create-if-absent by its key, also within one batch that is partly on record. The signals of one message are apart."""
    put(store)
    put(store, ("h:7", Outcome.ROUTED), ("h:7", Outcome.REPEAT))
    put(store, ("h:7", Outcome.REPEAT), ("h:8", Outcome.NOTED))
    assert outcomes(store, "h:7", "h:8", "h:9") == {"h:7": Outcome.ROUTED, "h:8": Outcome.NOTED}
    put(store, ("h:7@9", Outcome.SUPPRESSED))
    put(store, ("h:7@10", Outcome.RESOLVED))
    assert outcomes(store, "h:7") == {"h:7": Outcome.RESOLVED}
    put(store, ("h:7@1", Outcome.REPEAT), at="2026-11-24T12:00:00.5Z")
    assert outcomes(store, "h:7", "h:7@1", "h:7@10") == {"h:7": Outcome.REPEAT}, "no key is that of a further decision"
    parts = [Arrival("p:0", 7, part=part).key for part in (0, 1, 10)]
    put(store, *zip(parts, (Outcome.NOTED, Outcome.ROUTED, Outcome.REPEAT), strict=True))
    put(store, (f"{parts[1]}@2", Outcome.RESOLVED), at="2026-11-24T12:00:01Z")
    assert outcomes(store, parts[2]) == {parts[2]: Outcome.REPEAT}
    ends = zip(parts, (Outcome.NOTED, Outcome.RESOLVED, Outcome.REPEAT), strict=True)
    assert outcomes(store, *parts) == dict(ends)


@pytest.fixture
def life(either: str, store: Store) -> Life:
    """A router over each store."""
    return Life(store)


def found(store: Store, id: str, most: int = 10) -> list[str]:
    """The ids of the signals that are found by an id."""
    return [one.id for one in ask(store, search_signals, id, most)]


def found_at(store: Store, resource: str) -> list[str]:
    """The ids of the signals that are found by a resource."""
    return [one.id for one in ask(store, search_signals, resource, 10, None, AT_RESOURCE)]


def test_a_signal_is_found_by_the_end_of_its_id_or_resource(life: Life) -> None:
    """Whatever the case in which somebody types it; whole ids first. One that moved is found where the latest decision says.

    PostgreSQL refuses an index row of more than 2,704 bytes; that neither id nor resource is one costs no message.
    """
    store, odd = life.store, ("a/b\\c#d?e%f", "ünïcode-İ", "tab\tand\x7f.", "'quoted'")
    for id in ("2517-AAAA-beef", "1111-beef", "beef", "beef-2", *odd):
        assert found(store, life.alert(id).id or "")[0] == same_id(id)
    assert (found(store, "AAAA-BEEF"), found(store, " Beef ")[0]) == (["2517-aaaa-beef"], "beef")
    assert sorted(found(store, "beef")) == ["1111-beef", "2517-aaaa-beef", "beef"]
    assert (len(found(store, "beef", most=2)), found(store, "ee"), found(store, "")) == (2, [], [])
    (one,) = ask(store, search_signals, "1111-beef", 10)
    assert (one.signal, one.stream, one.resource) == (life.key("1111-beef"), "cwpp", RESOURCE.lower())
    for id, resource in (("a", "b-1"), ("b", "b-12"), ("nowhere", "")):
        life.alert(id, AzureResourceId=resource and RESOURCE.replace("vm-1", resource))
    for text, ids in (
        ("b-1", ["a"]),
        (RESOURCE.replace("vm", "B").upper(), ["a"]),
        ("B-12", ["b"]),
        ("b", []),
        ("", []),
    ):
        assert found_at(store, text) == ids
    life.goes_on(1)
    life.alert("a", Severity="Critical", AzureResourceId=f"{RESOURCE}-moved")
    assert [one.resource for one in ask(store, search_signals, "a", 1)] == [f"{RESOURCE}-moved".lower()]
    assert found_at(store, "vm-1-moved") == ["a"]
    noisy = noise(3_000).hex()
    life.alert(f"{noisy}-id", AzureResourceId=f"{noisy}-machine")
    ends = found(store, f"{noisy}-id"), found(store, f"{noisy[-9:]}-id"), found_at(store, "-machine")
    assert [len(some) for some in ends] == [1, 1, 1]


def test_each_delivery_says_what_failed_before(life: Life) -> None:
    """The latest ten attempts, each with its time."""
    life.alert()
    (claim, *_) = life.claims("tickets")
    for number in range(12):
        life.settle(claim, DeliveryState.OWED, error=f"answered {500 + number}", due=life.now)
        life.goes_on(1 / 24)
        (claim,) = life.claims("tickets")
    life.settle(claim, DeliveryState.SENT)
    (status,) = [one for one in ask(life.store, list_deliveries, life.key()) if one.destination == "tickets"]
    expected = [FailedAttempt(NOW + timedelta(hours=number), f"answered {500 + number}") for number in range(2, 12)]
    assert list(status.failed) == expected
    assert (status.state, status.attempts, status.settled) == (DeliveryState.SENT, 13, life.now)


def test_the_last_notice_that_a_destination_took_is_known(life: Life) -> None:
    """What was skipped, refused or is owed was not taken."""
    life.alert()
    life.deliver()
    life.alert(Severity="Critical")
    assert _last(life) == "High"
    life.deliver(DeliveryState.DEAD)
    assert _last(life) == "High"
    life.alert(Severity="Medium")
    life.deliver()
    assert _last(life) == "Medium"
    assert ask(life.store, find_last_notice, "cwpp", "oncall", life.key()) is None


def _last(life: Life) -> str | None:
    notice = ask(life.store, find_last_notice, "cwpp", "tickets", life.key())
    assert isinstance(notice, Notice)
    return notice.severity


type Ask = Callable[[str], list[tuple[Any, ...]]]

PAGE = page("docs/state.md")
QUESTIONS = [fence.text for fence in PAGE.fences if fence.text.startswith("SELECT")]
BESIDE = (
    "SELECT type, severity, outcome, heard FROM v_signals "
    "WHERE stands = 'yes' AND resource LIKE '%/virtualmachines/vm-1' ORDER BY type, id",
    "SELECT substr(decided, 1, 10) AS day, stream, outcome, count(*) AS decisions "
    "FROM v_decisions GROUP BY day, stream, outcome ORDER BY day, stream, outcome",
)
"""What stands on a resource, and how many decisions of each kind there were on each day."""
GRANTS = next(fence.text for fence in PAGE.fences if fence.text.startswith("GRANT"))
VIEWS = {spans(row["view"])[0]: spans(row["columns"]) for row in PAGE.table("Views", "view")}
SCANNER = "203.0.113.7"
NOON, ONE, TWO = (f"2026-11-24T{hour}:00:00Z" for hour in (12, 13, 14))


@pytest.fixture
def asked(place: Place) -> Iterator[Ask]:
    """Asks a state in which a rule held one alert, one was sent, destinations refused the last, and a person holds one."""

    async def opened() -> Store:
        return open_store(place)

    store = run(opened())
    life = Life(store, a_rulebook(a_rule(ip=(SCANNER,))))
    life.alert("held", Entities=[an_ip(SCANNER)])
    life.goes_on(1 / 24)
    life.alert("sent")
    life.deliver()
    life.goes_on(1 / 24)
    life.alert("refused")
    life.deliver(DeliveryState.DEAD)
    ask(store, put_in_quarantine, [a_quarantined()])
    held = ChangeEntry(
        at=NOW,
        author="ana",
        action=ChangeAction.HELD,
        stream="cwpp",
        subject="oncall",
        reason="moved",
        detail={"ends": TWO},
    )
    ask(store, write_change, held)
    yield lambda question: rows_in(place, question)
    run(store.close())


def test_the_questions_of_a_soc_have_the_same_answers_on_both_engines(asked: Ask) -> None:
    """Each statement of the page, and two more; of what a rule held, where things lie, and what did not arrive."""
    there = RESOURCE.lower()
    assert [asked(question) for question in (*QUESTIONS, *BESIDE)] == [
        [("scanner", 1, NOON, NOON)],
        [(NOON, "VM_Test", there, "scanner", "2026-12-24T12:00:00Z")],
        [("sentinel", 1, 0), ("tickets", 1, 0)],
        [(NOON, "ana", "held", "cwpp", "oncall", "moved")],
        [(TWO, name, "VM_Test", there, "answered 400") for name in ("sentinel", "tickets")],
        [
            ("VM_Test", "High", "suppressed", NOON),
            ("VM_Test", "High", "routed", TWO),
            ("VM_Test", "High", "routed", ONE),
        ],
        [("2026-11-24", "cwpp", "routed", 2), ("2026-11-24", "cwpp", "suppressed", 1)],
    ]


def test_views_have_the_columns_of_the_page_and_no_bodies(asked: Ask) -> None:
    """A row of each shows a text, a number or nothing in every column."""
    for view, columns in VIEWS.items():
        named = ", ".join(column for column in columns if column not in {"yes", "no"})
        whole = asked(f"SELECT {named} FROM {view}")
        assert whole, view
        every = asked(f"SELECT * FROM {view}")
        assert sorted(map(repr, every)) == sorted(map(repr, whole)), view
        assert all(isinstance(value, str | int | None) for row in whole for value in row), view
    # A time that a wrong clock wrote hides no row: it is shown as none.
    assert asked("UPDATE decisions SET at=4611686018427387904 WHERE outcome='suppressed' RETURNING 1")
    assert sorted(map(str, asked("SELECT decided FROM v_decisions"))) == [f"('{ONE}',)", f"('{TWO}',)", "(None,)"]


def test_a_reader_of_a_database_sees_the_views_and_no_table(database: str) -> None:
    """By the grants of the page."""
    with psycopg.connect(database, autocommit=True) as server:
        server.execute("DROP ROLE IF EXISTS soc_reader")
        server.execute("CREATE ROLE soc_reader")
        try:
            server.execute(GRANTS.encode())
            server.execute("SET ROLE soc_reader")
            for question in QUESTIONS:
                assert server.execute(question.encode()).fetchall() == []
            for table in ("decisions", "signals", "deliveries", "quarantine", "notices"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    server.execute(f"SELECT * FROM {table}".encode())
        finally:
            server.execute("RESET ROLE")
            server.execute("DROP OWNED BY soc_reader")
            server.execute("DROP ROLE soc_reader")


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
    ask(store, put_on_record, entries)


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("page", [1, 2, 100])
def test_everything_is_counted(store: Store, monkeypatch: pytest.MonkeyPatch, page: int) -> None:
    """Signals, deliveries and decisions in pages of any size; events, not ranges of them; hours and rules once; no members.

    Nothing is counted where nothing is, and what a wrong clock put at the end of time is described too.
    """
    empty = described_by(store)
    assert (empty.oldest, empty.newest, empty.owed_since, empty.decisions, empty.documents) == (*[None] * 3, {}, {})
    assert (empty.signals, empty.lost, empty.groups, empty.deliveries) == (0, 0, 0, {})
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
    ask(store, put_in_quarantine, [whole, a_quarantined("c"), damaged])
    ask(store, write_losses, LOSSES)
    states = States(members={"k": a_member(), "l": a_member()}, groups={"g": a_group()})
    run(write_groups(store, "cwpp", "tickets", states))
    ask(store, put_document, SILENCE)

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
    last = datetime.max.replace(tzinfo=UTC)
    ask(store, put_on_record, [an_entry("late", outcome=Outcome.ROUTED.value, at=last.isoformat())])
    write_rows(store, [a_row("late", heard=last)])
    assert described_by(store).newest == last


# In a file.


def prints_of(directory: Path) -> dict[str, object]:
    """What each file of a directory holds, and who may read it; what processes share in memory is not the state's."""
    return {
        path.name: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mode)
        for path in directory.iterdir()
        if not path.name.endswith("-shm")
    }


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
    with opened_unchanged(directory) as closed:
        report = described_by(closed)
    assert (report.owed_since, "router.db-wal" in report.files) == (NOW, is_killed)
    assert prints_of(directory) == before


def test_damaged_rows_are_no_reason_to_say_nothing(sqlite: Store, tmp_path: Path) -> None:
    """Whichever column holds something that no row has; it counts somewhere or nowhere."""
    decide(sqlite, Outcome.ROUTED, DAY)
    write_rows(sqlite, [a_row("a", outcome=Outcome.SUPPRESSED, held=HELD), a_row("b", closed_at=NOW)])
    owe(sqlite, a_delivery())
    ask(sqlite, put_in_quarantine, [a_quarantined()])
    ask(sqlite, write_losses, LOSSES)
    ask(sqlite, put_document, SILENCE)
    path = tmp_path / "router.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        tables = db.execute("SELECT name FROM sqlite_schema WHERE type='table' AND name<>'meta'").fetchall()
        for (table,) in tables:
            columns = [column[1] for column in db.execute(f"PRAGMA table_info({table})").fetchall()]
            for column, garbage in itertools.product(columns, (b"\xff", "zz", -1, 2**63 - 1, 1.5)):
                db.execute("BEGIN")
                with suppress(sqlite3.IntegrityError):
                    if db.execute(f"UPDATE {table} SET {column}=?", (garbage,)).rowcount:
                        assert run(describe(SqliteStore(path, db), NOW)) is not None
                db.execute("ROLLBACK")
