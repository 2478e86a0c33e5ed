"""docs/state.md says what is kept, where, and how long."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from router.store.permissions import FILES
from router.store.store import STEPS
from tests.docs.pages import page, spans
from tests.store.acts import run
from tests.store.opened import open_store, rows_in
from tests.store.test_growth import GROWING

PAGE = page("docs/state.md")


def test_every_file_of_a_state_is_listed() -> None:
    """The files are those that are kept private."""
    named = [name for row in PAGE.table("Where it lies", "file") for name in spans(row["file"])]
    assert {*named, "router.db-journal"} == set(FILES)


def test_stored_names_are_those_that_are_stored() -> None:
    """Tables and columns."""
    table = PAGE.table("Names in storage", "word")
    schema = "\n".join(STEPS)
    tables = set(re.findall(r"EXISTS (\w+) \(", schema))
    columns = set(re.findall(r"\b(\w+) (?:TEXT|BYTEA|BIGINT)\b", schema))
    named = {name for row in table for name in spans(row["in the state"])}
    assert named <= tables | columns


def test_every_table_is_listed_with_its_key(tmp_path: Path) -> None:
    """As both engines make it; what is written of a table's columns is one of them."""
    run(open_store(tmp_path).close())
    with closing(sqlite3.connect(tmp_path / "router.db")) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type='table'")]
        columns = {name: [row[1] for row in db.execute(f"PRAGMA table_info({name})")] for name in tables}
        keys = {name: [names for names in _unique_in(db, name) if names != ["place"]] or [["place"]] for name in tables}
        listed = {spans(row["table"])[0]: row for row in PAGE.table("Tables", "table")}
        assert listed.keys() == set(tables)
        for name, row in listed.items():
            assert spans(row["its key"]) in keys[name], name
            assert set(spans(row["holds"])) <= {*columns[name], "damaged", "version", "commit"}, name


def _unique_in(db: sqlite3.Connection, table: str) -> list[list[str]]:
    """The columns by which the rows of a table differ: of its primary key, and of what else is unique."""
    indexes = [index[1] for index in db.execute(f"PRAGMA index_list({table})") if index[2]]
    found = [[row[2] for row in db.execute(f"PRAGMA index_info({name})")] for name in indexes]
    return [[row[1] for row in db.execute(f"PRAGMA table_info({table})") if row[5]], *found]


def test_each_statement_that_reads_more_of_a_larger_state_is_listed() -> None:
    """As the test of what each reads names them."""
    heading = "reads more of a larger state"
    assert [row[heading] for row in PAGE.table("Tables", heading)] == list(GROWING)


def test_its_questions_can_be_asked(tmp_path: Path) -> None:
    """Each statement of the page is one that a state answers."""
    run(open_store(tmp_path).close())
    asked = [fence.text for fence in PAGE.fences if fence.text.startswith("SELECT")]
    assert len(asked) > 1
    for statement in asked:
        assert rows_in(tmp_path, statement) == []
