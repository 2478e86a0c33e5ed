"""A run, and the lists, on a state with damaged rows."""

from __future__ import annotations

import json
import sqlite3

import pytest

from tests.cli.conftest import house
from tests.cli.house import House, ndjson
from tests.parse.messages import a_flat_alert

__all__ = ["house"]

NOW = ("--now", "2026-11-24T12:00:00Z")


def spoil(house: House, statement: str) -> None:
    """Damages the state, beside the router."""
    db = sqlite3.connect(house.directory / ".state" / "router.db")
    with db:
        assert db.execute(statement).rowcount
    db.close()


@pytest.fixture
def owed(house: House) -> House:
    """A state in which two alerts are owed to people, the notice of one of them damaged."""
    (house.directory / "people.ndjson").mkdir()
    house.writes("a.ndjson", ndjson(*(a_flat_alert(SystemAlertId=id) for id in ("one", "two"))))
    assert house.says("run", *NOW, "a.ndjson").code == 0
    (house.directory / "people.ndjson").rmdir()
    spoil(house, "UPDATE notices SET body=x'7b' WHERE rowid=(SELECT min(rowid) FROM notices WHERE type='Notice')")
    return house


def test_a_run_goes_on_past_a_damaged_notice_and_ends_as_with_any_dead_letter(owed: House) -> None:
    """The other alert arrives; what died is listed as what it is, in text and as JSON, and is shown whole."""
    said = owed.says("run", "--now", "2026-11-24T12:30:00Z", "a.ndjson")
    assert (said.code, said.err) == (1, "")
    assert "1 damaged row of the state set aside; see alert-router quarantine list --state .state" in said.out
    assert [line["id"] for line in owed.lines("people.ndjson")] == ["two"]
    listed = owed.says("dead-letters", "list").out
    assert "damaged: it cannot be decoded" in listed
    (letter,) = json.loads(owed.says("dead-letters", "list", "--format", "json").out)
    assert letter["damaged"]
    shown = json.loads(owed.says("dead-letters", "show", "--format", "json", letter["id"]).out)
    assert (shown["content"]["destination"], shown["content"]["body"]) == ("people", "{")
    assert owed.says("dead-letters", "show", letter["id"]).code == 0
    assert "damaged" in owed.says("quarantine", "list").out


def test_redriving_what_is_damaged_says_in_one_line_why_it_stays(owed: House) -> None:
    """And discarding it takes it off the list."""
    owed.says("run", "--now", "2026-11-24T12:30:00Z", "a.ndjson")
    stays, total = owed.says("dead-letters", "redrive", "--all").out.splitlines()
    assert "stays, it cannot be sent again: damaged" in stays
    assert total == "redriven: 0; the next run sends them"
    assert owed.says("dead-letters", "discard", "--yes", "--all").out == "discarded: 1\n"
    assert owed.says("dead-letters", "list").out == "no dead letters\n"


def test_a_damaged_row_in_quarantine_is_no_message_to_retake(owed: House) -> None:
    """It says so, and stays until somebody discards it."""
    owed.says("run", "--now", "2026-11-24T12:30:00Z", "a.ndjson")
    stays, total = owed.says("quarantine", "retake", "--all").out.splitlines()
    assert "stays, it is a row of the state and no message: damaged" in stays
    assert total.startswith("retaken: 0")
    assert owed.says("quarantine", "discard", "--yes", "--all").out == "discarded: 1\n"


@pytest.mark.parametrize("column", ["state", "due", "destination", "lane", "key", "id", "settled", "error", "stream"])
def test_whatever_a_row_holds_the_lists_list(owed: House, column: str) -> None:
    """Also before any run has seen the damage."""
    value = 2**63 - 1 if column in ("due", "settled") else "CAST(x'ff80' AS TEXT)"
    spoil(owed, f"UPDATE deliveries SET {column}={value} WHERE rowid=1")  # noqa: S608
    text, number = "CAST(x'ff' AS TEXT)", 2**63 - 1
    values = ("'id'", text, text, number, text, number, -1, number, "'?'", text, text, "x''")
    spoil(owed, f"INSERT INTO quarantine VALUES ({', '.join(map(str, values))})")  # noqa: S608
    for command in (("dead-letters", "list"), ("quarantine", "list"), ("quarantine", "list", "--format", "json")):
        assert owed.says(*command).code == 0, command
    assert owed.says("run", "--now", "2026-11-24T12:30:00Z", "a.ndjson").code == 1
    assert owed.says("dead-letters", "list", "--format", "json").code == 0
    assert owed.says("quarantine", "discard", "--yes", "--all").code == 0
    assert owed.says("quarantine", "list").out == "nothing is in quarantine\n"
