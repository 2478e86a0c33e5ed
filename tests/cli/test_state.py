"""`dead-letters` and `quarantine`: nothing is lost, and somebody can see to it."""

from __future__ import annotations

import asyncio
import json
from io import StringIO
from typing import Any

import pytest

from tests.cli.house import House, a_suppression, column, ndjson
from tests.parse.messages import a_flat_alert, an_assessment
from tests.store.opened import open_store

BEFORE, NOW, LATER = "2026-11-20T12:00:00Z", "2026-11-24T12:00:00Z", "2026-11-24T12:01:00Z"


@pytest.fixture
def dead(house: House) -> list[dict[str, Any]]:
    """Two dead letters, of a destination that could not be written to for four days."""
    (house.directory / "people.ndjson").mkdir()
    house.writes("a.ndjson", ndjson(*(a_flat_alert(SystemAlertId=id) for id in ("one", "two"))))
    assert house.says("run", "--now", BEFORE, "a.ndjson").code == 0
    assert house.says("run", "--now", NOW, "a.ndjson").code == 1
    (house.directory / "people.ndjson").rmdir()
    return _letters(house)


@pytest.fixture
def entries(house: House) -> list[dict[str, Any]]:
    """Two messages in quarantine: one that is none, and a finding that came in on the alerts' stream."""
    house.routes("--stream", "cwpp", house.writes("q.ndjson", ndjson(b"?\x1b", an_assessment())))
    return _entries(house)


def test_dead_letters_are_listed(house: House, dead: list[dict[str, Any]]) -> None:
    """Each with its destination, its signal and what it died of; oldest first."""
    assert sorted(column(dead, "signal")) == ["one", "two"]
    assert column(dead, "destination") == ["people", "people"]
    assert all(
        "people.ndjson: cannot be written" in error or error == "too old to be sent" for error in column(dead, "error")
    )
    out = house.says("dead-letters", "list").out
    assert len(out.splitlines()) == 3
    assert all(letter["id"][:12] in out for letter in dead)


def test_a_dead_letter_is_shown_whole(house: House, dead: list[dict[str, Any]]) -> None:
    """With the notice that nobody took; the beginning of its id will do."""
    id = dead[0]["id"]
    out = house.says("dead-letters", "show", id[:8].upper()).out
    assert id in out
    assert '"title": "Something happens"' in out
    shown = json.loads(house.says("dead-letters", "show", "--format", "json", id).out)
    assert shown["content"]["id"] == dead[0]["signal"]
    assert {key: shown[key] for key in dead[0]} == dead[0]


def test_a_redriven_letter_is_sent_by_the_next_run(house: House, dead: list[dict[str, Any]]) -> None:
    """One of them, then all of them."""
    assert (
        house.says("dead-letters", "redrive", "--now", NOW, dead[0]["id"]).out
        == "redriven: 1; the next run sends them\n"
    )
    assert column(_letters(house), "id") == [dead[1]["id"]]
    house.says("run", "--now", LATER, "a.ndjson")
    assert column(house.lines("people.ndjson"), "id") == [dead[0]["signal"]]
    assert house.says("dead-letters", "redrive", "--now", NOW, "--all").out.startswith("redriven: 1;")
    house.says("run", "--now", LATER, "a.ndjson")
    assert sorted(column(house.lines("people.ndjson"), "id")) == ["one", "two"]
    assert house.says("dead-letters", "list").out == "no dead letters\n"
    assert house.says("dead-letters", "redrive", "--all").out.startswith("redriven: 0;")


def test_an_overtaken_letter_is_let_go(house: House) -> None:
    """Where the signal was opened again and told since, an old opening and its end would close what is open."""
    (house.directory / "people.ndjson").mkdir()
    states = [("New", "01"), ("Resolved", "02"), ("New", "03")]
    messages = [a_flat_alert(Status=status, ProcessingEndTime=f"2026-11-{day}T00:00:00Z") for status, day in states]
    house.writes("a.ndjson", ndjson(*messages[:2]))
    house.writes("b.ndjson", ndjson(messages[2]))
    assert house.says("run", "--now", BEFORE, "a.ndjson").code == 0
    assert house.says("run", "--now", NOW, "a.ndjson").code == 1
    (house.directory / "people.ndjson").rmdir()
    assert house.says("run", "--now", NOW, "b.ndjson").code == 0
    assert house.says("dead-letters", "redrive", "--now", NOW, "--all").out.splitlines() == [
        "redriven: 0; the next run sends them",
        "let go: 2; what was told since leaves nothing to say for them",
    ]


def test_a_discarded_letter_is_forgotten(house: House, dead: list[dict[str, Any]]) -> None:
    """And is never sent."""
    ids = column(dead, "id")
    assert house.says("dead-letters", "discard", "--yes", *ids, ids[0]).out == "discarded: 2\n"
    assert house.says("dead-letters", "list").out == "no dead letters\n"
    house.says("run", "--now", LATER, "a.ndjson")
    assert house.lines("people.ndjson") == []


def test_all_letters_are_discarded_at_once(
    house: House, dead: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """--all needs no ids, and as any discard a person who is asked, or --yes."""
    for meant in ("--all", column(dead, "id")[0]):
        assert house.says("dead-letters", "discard", meant).complaint.startswith("--yes: is missing")
    for answer, code in (("n", 2), ("y", 0)):
        with monkeypatch.context() as patched:
            patched.setattr("sys.stdin", terminal := StringIO(answer))
            patched.setattr(terminal, "isatty", lambda: True)
            asked = house.says("dead-letters", "discard", column(dead, "id")[0])
        assert (asked.code, "discard 1 dead letter for good?" in asked.err) == (code, True)
    assert house.says("dead-letters", "discard", "--all", "--yes").out == "discarded: 1\n"
    assert house.says("dead-letters", "list").out == "no dead letters\n"


@pytest.mark.parametrize("command", ["show", "redrive", "discard"])
def test_an_unknown_letter_is_named(house: House, dead: list[dict[str, Any]], command: str) -> None:
    """Nothing is done where one of the ids is unknown, or begins several."""
    assert house.says("dead-letters", command, "xyz").complaint.startswith("xyz: is no id in the list")
    assert house.says("dead-letters", command, "").complaint.startswith("(nothing): is no id")
    assert house.says("dead-letters", command, *(() if command == "show" else (dead[0]["id"],)), "xyz").code == 2
    assert _letters(house) == dead


def test_an_ambiguous_id_is_refused(house: House) -> None:
    """A beginning that several ids share says too little."""
    house.routes(house.writes("q.ndjson", b"?\n" * 40))
    begins = {entry["id"][0] for entry in _entries(house)}
    letter = next(letter for letter in begins if sum(one["id"][0] == letter for one in _entries(house)) > 1)
    assert "ids; write more of it" in house.says("quarantine", "show", letter).complaint


def test_the_quarantine_is_listed_and_shown(house: House, entries: list[dict[str, Any]]) -> None:
    """Each with its source and reason; and the body, whole."""
    assert column(entries, "source") == ["q.ndjson:1", "q.ndjson:2"] or column(entries, "source") == [
        "q.ndjson:2",
        "q.ndjson:1",
    ]
    assert {one["reason"].split(":")[0] for one in entries} == {"not_json", "wrong_stream"}
    assert len(house.says("quarantine", "list").out.splitlines()) == 3
    for one in entries:
        out = house.says("quarantine", "show", one["id"][:8]).out
        assert one["reason"] in out
        assert "\x1b" not in out
        assert "None" not in out
        assert ["stream", one["stream"] or "-"] in [line.split() for line in out.splitlines()]
    wrong = next(one for one in entries if "wrong_stream" in one["reason"])
    shown = json.loads(house.says("quarantine", "show", "--format", "json", wrong["id"]).out)
    assert json.loads(shown["body"]) == an_assessment()


def test_what_is_understood_now_is_taken_in(house: House, entries: list[dict[str, Any]]) -> None:
    """A retaken message goes where it belongs and leaves the quarantine; what is still not understood stays."""
    said = house.says("quarantine", "retake", *column(entries, "id"))
    assert said.code == 0
    *lines, summary = said.out.splitlines()
    assert sorted(line.split(": ")[1].split(",")[0] for line in lines) == ["routed", "stays"]
    assert summary == "retaken: 1; the next run sends what was routed"
    assert column(_entries(house), "source") == ["q.ndjson:1"]
    house.says("run", house.writes("none.ndjson", b""))
    assert column(house.lines("backlog.ndjson"), "id") == [an_assessment()["id"].lower()]


def test_on_its_own_stream_the_wrong_one_stays(house: House, entries: list[dict[str, Any]]) -> None:
    """With --stream, as in a run, the other stream's messages stay where they are."""
    said = house.says("quarantine", "retake", "--stream", "cwpp", *column(entries, "id"))
    assert "stays, it is still not understood: wrong_stream" in said.out
    assert len(_entries(house)) == 2


def test_a_retaken_message_that_is_known_is_a_repeat(house: House, entries: list[dict[str, Any]]) -> None:
    """Retaking cannot tell anybody twice."""
    house.routes(house.writes("f.ndjson", ndjson(an_assessment())))
    wrong = next(one["id"] for one in entries if "wrong_stream" in one["reason"])
    assert house.says("quarantine", "retake", wrong).out.startswith(f"{wrong}: repeat, same\n")


def test_all_are_retaken_or_discarded_at_once(house: House, entries: list[dict[str, Any]]) -> None:
    """--all means whatever is kept, also where that is nothing."""
    assert house.says("quarantine", "retake", "--all").out.endswith("retaken: 1; the next run sends what was routed\n")
    assert house.says("quarantine", "discard", "--all").complaint.startswith("--yes: is missing")
    assert house.says("quarantine", "discard", "--yes", "--all").out == "discarded: 1\n"
    assert house.says("quarantine", "discard", "--yes", "--all").out == "discarded: 0\n"
    assert house.says("quarantine", "retake", "--all").out.startswith("retaken: 0;")


def test_discarded_messages_are_forgotten(house: House, entries: list[dict[str, Any]]) -> None:
    """And nothing else is."""
    assert house.says("quarantine", "discard", "--yes", entries[0]["id"]).out == "discarded: 1\n"
    assert _entries(house) == entries[1:]
    assert house.says("quarantine", "discard", "--yes", entries[1]["id"]).code == 0
    assert house.says("quarantine", "list").out == "nothing is in quarantine\n"


@pytest.mark.parametrize("command", ["show", "retake", "discard"])
def test_an_unknown_message_is_named(house: House, entries: list[dict[str, Any]], command: str) -> None:
    """One line, and nothing happened."""
    assert house.says("quarantine", command, "xyz").complaint.startswith("xyz: is no id in the list")
    assert _entries(house) == entries


COMMANDS = [
    ("run", "a.ndjson"),
    ("explain", "a.ndjson"),
    ("explain", "one"),
    ("rules", "list"),
    ("rules", "preview", "--stream", "cwpp", "rule.json"),
    ("attack", "layer"),
    ("silences", "list"),
    ("coverage", "init"),
    ("drill", "--cluster", "aks", "--yes"),
    ("state",),
    ("dead-letters", "list"),
    ("quarantine", "retake", "--all"),
    ("destinations", "list"),
]
"""One of each sort that works on a state."""


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_setting_says_where_the_state_is_unless_the_command_does(
    house: House, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """A database may be meant by both; only the setting may hold its password, which is said by neither."""
    house.writes("a.ndjson", ndjson(a_flat_alert()))
    house.writes("rule.json", a_suppression("VM_Example", "2027-01-01T00:00:00Z"))
    secret, port = "s3cret", 1
    monkeypatch.setenv("ALERT_ROUTER_STATE", f"postgresql://soc:{secret}@127.0.0.1:{port}/by_setting")
    assert "127.0.0.1, database by_setting: " in house.says(*command).complaint
    named = house.says(*command, "--state", f"postgresql://soc@127.0.0.1:{port}/by_option")
    assert "127.0.0.1, database by_option: " in named.complaint
    refused = house.says(*command, "--state", f"postgresql://soc:{secret}@127.0.0.1/alerts").complaint
    assert refused.startswith("--state: holds a password, which others on this machine can read there; put")
    assert secret not in refused


@pytest.mark.parametrize("word", ["one", "two"])
def test_no_complaint_repeats_the_password_of_an_address(house: House, word: str) -> None:
    """Wherever it was written."""
    complaint = house.says("state", *(["--rules"] if word == "two" else []), "postgres://soc:s3cret@h/alerts").complaint
    assert "postgres://soc:...@h/alerts" in complaint
    assert "s3cret" not in complaint


def test_a_state_that_is_no_state_is_named(house: House) -> None:
    """A file that no run left is told from a state."""
    house.writes("odd/router.db", b"this is no database, not even nearly, however long one looks at it" * 20)
    assert house.says("quarantine", "list", "--state", "odd").complaint.startswith("odd/router.db: ")


def _letters(house: House) -> list[dict[str, Any]]:
    letters: list[dict[str, Any]] = json.loads(house.says("dead-letters", "list", "--format", "json").out)
    return letters


def _entries(house: House) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(house.says("quarantine", "list", "--format", "json").out)
    return entries


def test_nothing_is_redriven_while_a_run_is_at_work(house: House, dead: list[dict[str, Any]]) -> None:
    """What the run sends just now belongs to the run."""
    store = open_store(house.directory / ".state")
    store.hold()
    try:
        said = house.says("dead-letters", "redrive", "--all")
    finally:
        asyncio.run(store.close())
    assert said.code == 2
    assert "another run is at work" in said.complaint
