"""`dead-letters` and `quarantine`: nothing is lost, and somebody can see to it."""

from __future__ import annotations

import asyncio
import json
from io import StringIO
from typing import Any

import pytest

from tests.cli.house import House, a_suppression, column, ndjson
from tests.cli.transcripts import Transcript
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
    house.routes("--now", NOW, "--stream", "cwpp", house.writes("q.ndjson", ndjson(b"?\x1b", an_assessment())))
    return _entries(house)


def test_dead_letters_are_listed_and_shown_and_sent_by_the_run_after_they_were_redriven(
    house: House, dead: list[dict[str, Any]], transcript: Transcript
) -> None:
    """Each with its destination, its signal and what it died of; one whole, with the notice that was not taken."""
    assert sorted(column(dead, "signal")) == ["one", "two"]
    transcript("dead-letters list", f"dead-letters show {dead[0]['id'][:8].upper()}")
    shown = json.loads(house.says("dead-letters", "show", "--format", "json", dead[0]["id"]).out)
    assert shown["content"]["id"] == dead[0]["signal"]
    assert {key: shown[key] for key in dead[0]} == dead[0]
    for which, ids in ((dead[0]["id"], [dead[0]["signal"]]), ("--all", ["one", "two"])):
        transcript(f"dead-letters redrive --now {NOW} {which}")
        house.says("run", "--now", LATER, "a.ndjson")
        assert sorted(column(house.lines("people.ndjson"), "id")) == ids
    transcript("dead-letters list", "dead-letters redrive --all")


def test_letters_are_discarded_by_a_person_who_is_asked(
    house: House, dead: list[dict[str, Any]], transcript: Transcript, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or by --yes, also where --all needs no ids; what is discarded is never sent.

    Nothing is done where one of the ids is unknown, or begins several; what a run sends just now is the run's.
    """
    transcript("dead-letters discard --all", "dead-letters show xyz", "dead-letters redrive ''")
    for command in ("redrive", "discard"):
        transcript(f"dead-letters {command} xyz")
        assert (
            house.says("dead-letters", command, "--yes" if command == "discard" else "xyz", dead[0]["id"], "xyz").code
            == 2
        )
    store = open_store(house.directory / ".state")
    store.hold()
    try:
        assert "another run is at work" in house.says("dead-letters", "redrive", "--all").complaint
    finally:
        asyncio.run(store.close())
    assert _letters(house) == dead
    for answer, code in (("n", 2), ("y", 0)):
        with monkeypatch.context() as patched:
            patched.setattr("sys.stdin", terminal := StringIO(answer))
            patched.setattr(terminal, "isatty", lambda: True)
            asked = house.says("dead-letters", "discard", dead[0]["id"])
        assert (asked.code, "discard 1 dead letter for good?" in asked.err) == (code, True)
    transcript(f"dead-letters discard --yes {dead[1]['id']} {dead[1]['id']}", "dead-letters discard --all --yes")
    house.says("run", "--now", LATER, "a.ndjson")
    assert (_letters(house), house.lines("people.ndjson")) == ([], [])


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


def test_an_ambiguous_id_is_refused(house: House) -> None:
    """A beginning that several ids share says too little."""
    house.routes(house.writes("q.ndjson", b"?\n" * 40))
    begins = {entry["id"][0] for entry in _entries(house)}
    letter = next(letter for letter in begins if sum(one["id"][0] == letter for one in _entries(house)) > 1)
    assert "ids; write more of it" in house.says("quarantine", "show", letter).complaint


def test_what_is_understood_now_is_taken_in_and_what_is_not_is_discarded(
    house: House, entries: list[dict[str, Any]], transcript: Transcript
) -> None:
    """Each is listed with its source and reason, and shown whole; a retaken message goes where it belongs.

    With --stream the other stream's stays, and an unknown id does nothing.
    """
    transcript(*(f"quarantine {command} xyz" for command in ("show", "retake", "discard")))
    wrong, odd = sorted(entries, key=lambda one: str(one["source"]), reverse=True)
    assert [one["reason"].partition(":")[0] for one in (wrong, odd)] == ["wrong_stream", "not_json"]
    transcript("quarantine list", f"quarantine show {odd['id'][:8]}", f"quarantine show {wrong['id']}")
    shown = json.loads(house.says("quarantine", "show", "--format", "json", wrong["id"]).out)
    assert json.loads(shown["body"]) == an_assessment()
    transcript(f"quarantine retake --stream cwpp {wrong['id']} {odd['id']}")
    assert _entries(house) == entries
    transcript("quarantine retake --all", "quarantine discard --all", f"quarantine discard --yes {odd['id']}")
    transcript("quarantine discard --yes --all", "quarantine list")
    house.says("run", house.writes("none.ndjson", b""))
    assert column(house.lines("backlog.ndjson"), "id") == [an_assessment()["id"].lower()]


def test_a_retaken_message_that_is_known_is_a_repeat(house: House, entries: list[dict[str, Any]]) -> None:
    """Retaking cannot tell anybody twice."""
    house.routes(house.writes("f.ndjson", ndjson(an_assessment())))
    wrong = next(one["id"] for one in entries if "wrong_stream" in one["reason"])
    assert f"{wrong}: repeat, same\n" in house.says("quarantine", "retake", "--all").out


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


def test_a_setting_says_where_the_state_is_unless_the_command_does(
    house: House, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    """A database may be meant by both; only the setting may hold its password, which is said by neither."""
    house.writes("a.ndjson", ndjson(a_flat_alert()))
    house.writes("rule.json", a_suppression("VM_Example", "2027-01-01T00:00:00Z"))
    secret, port = "s3cret", 1
    monkeypatch.setenv("ALERT_ROUTER_STATE", f"postgresql://soc:{secret}@127.0.0.1:{port}/by_setting")
    for command in COMMANDS:
        with subtests.test(command=command):
            assert "127.0.0.1, database by_setting: " in house.says(*command).complaint
            named = house.says(*command, "--state", f"postgresql://soc@127.0.0.1:{port}/by_option")
            assert "127.0.0.1, database by_option: " in named.complaint
            refused = house.says(*command, "--state", f"postgresql://soc:{secret}@127.0.0.1/alerts").complaint
            assert refused.startswith("--state: holds a password, which others on this machine can read there; put")
            assert secret not in refused
    for before in ((), ("--rules",)):
        complaint = house.says("state", *before, "postgres://soc:s3cret@h/alerts").complaint
        assert "postgres://soc:...@h/alerts" in complaint and secret not in complaint
    house.writes("odd/router.db", b"this is no database, not even nearly, however long one looks at it" * 20)
    assert house.says("quarantine", "list", "--state", "odd").complaint.startswith("odd/router.db: ")


def _letters(house: House) -> list[dict[str, Any]]:
    letters: list[dict[str, Any]] = json.loads(house.says("dead-letters", "list", "--format", "json").out)
    return letters


def _entries(house: House) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(house.says("quarantine", "list", "--format", "json").out)
    return entries
