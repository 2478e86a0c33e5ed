"""What a SOC asks of the record: the views and the questions of docs/state.md, on both engines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from router.domain.deliveries import DeliveryState
from router.store.quarantine import put_in_quarantine
from tests.builders import RESOURCE, a_rule, a_rulebook, an_ip
from tests.docs.pages import page, spans
from tests.store.acts import run
from tests.store.life import Life
from tests.store.opened import Place, Store, open_store, rows_in
from tests.store.test_quarantine import a_quarantined
from tests.store.within import within

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
    """Asks a state in which a rule held one alert, one was sent, and destinations refused the last."""

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
    run(within(store, put_in_quarantine, [a_quarantined()]))
    yield lambda question: rows_in(place, question)
    run(store.close())


def test_the_questions_of_a_soc_have_the_same_answers_on_both_engines(asked: Ask) -> None:
    """Each statement of the page, and two more; of what a rule held, where things lie, and what did not arrive."""
    there = RESOURCE.lower()
    assert [asked(question) for question in (*QUESTIONS, *BESIDE)] == [
        [("scanner", 1, NOON, NOON)],
        [(NOON, "VM_Test", there, "scanner", "2026-12-24T12:00:00Z")],
        [("sentinel", 1, 0), ("tickets", 1, 0)],
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
        whole = asked(f"SELECT {named} FROM {view}")  # noqa: S608
        assert whole, view
        every = asked(f"SELECT * FROM {view}")  # noqa: S608
        assert sorted(map(repr, every)) == sorted(map(repr, whole)), view
        assert all(isinstance(value, str | int | None) for row in whole for value in row), view


def test_a_time_that_a_wrong_clock_wrote_hides_no_row(asked: Ask) -> None:
    """It is shown as none."""
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
                    server.execute(f"SELECT * FROM {table}".encode())  # noqa: S608
        finally:
            server.execute("RESET ROLE")
            server.execute("DROP OWNED BY soc_reader")
            server.execute("DROP ROLE soc_reader")
