"""`state`, `dead-letters`, `quarantine`: what a state holds, what of it is forgotten, and what a person can see to."""

from __future__ import annotations

import json
import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from errno import ENOSPC
from io import StringIO
from signal import SIGKILL
from typing import Any

import pytest

from router.domain.decisions import Outcome
from router.domain.deliveries import DeliveryState
from router.store.conninfo import parse_address
from tests.cli.house import House, Transcript, a_suppression, column, ndjson, over_both, routing
from tests.cli.test_interrupts import until
from tests.parse.messages import a_flat_alert, an_assessment
from tests.stack.postgres import Server
from tests.store.opened import rows_in

BEFORE, NOW, SOON = "2026-11-20T12:00:00Z", "2026-11-24T12:00:00Z", "2026-11-24T12:01:00Z"


@pytest.fixture
def dead(house: House) -> list[dict[str, Any]]:
    """Two dead letters, of a destination that could not be written to for four days."""
    (house.directory / "people.ndjson").mkdir()
    house.writes("a.ndjson", ndjson(*(a_flat_alert(SystemAlertId=id) for id in ("one", "two"))))
    assert house.says("run", "--now", BEFORE, "a.ndjson").code == 0
    assert house.says("run", "--now", NOW, "a.ndjson").code == 1
    (house.directory / "people.ndjson").rmdir()
    return _listed(house, "dead-letters")


@pytest.fixture
def entries(house: House) -> list[dict[str, Any]]:
    """Two messages in quarantine: one that is none, and a finding that came in on the alerts' stream."""
    house.routes("--now", NOW, "--stream", "cwpp", house.writes("q.ndjson", ndjson(b"?\x1b", an_assessment())))
    return _listed(house, "quarantine")


@over_both
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
        house.says("run", "--now", SOON, "a.ndjson")
        assert sorted(column(house.lines("people.ndjson"), "id")) == ids
    transcript("dead-letters list", "dead-letters redrive --all")


@over_both
def test_letters_are_discarded_by_a_person_who_is_asked(
    house: House, dead: list[dict[str, Any]], transcript: Transcript, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or by --yes, also where --all needs no ids; what is discarded is never sent.

    Nothing is done where one of the ids is unknown, or begins several.
    """
    transcript("dead-letters discard --all", "dead-letters show xyz", "dead-letters redrive ''")
    for command in ("redrive", "discard"):
        transcript(f"dead-letters {command} xyz")
        assert (
            house.says("dead-letters", command, "--yes" if command == "discard" else "xyz", dead[0]["id"], "xyz").code
            == 2
        )
    assert _listed(house, "dead-letters") == dead
    for answer, code in (("n", 2), ("y", 0)):
        with monkeypatch.context() as patched:
            patched.setattr("sys.stdin", terminal := StringIO(answer))
            patched.setattr(terminal, "isatty", lambda: True)
            asked = house.says("dead-letters", "discard", dead[0]["id"])
        assert (asked.code, "discard 1 dead letter for good?" in asked.err) == (code, True)
    transcript(f"dead-letters discard --yes {dead[1]['id']} {dead[1]['id']}", "dead-letters discard --all --yes")
    house.says("run", "--now", SOON, "a.ndjson")
    assert (_listed(house, "dead-letters"), house.lines("people.ndjson")) == ([], [])


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
    begins = {entry["id"][0] for entry in _listed(house, "quarantine")}
    letter = next(
        letter for letter in begins if sum(one["id"][0] == letter for one in _listed(house, "quarantine")) > 1
    )
    assert "ids; write more of it" in house.says("quarantine", "show", letter).complaint


@over_both
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
    assert _listed(house, "quarantine") == entries
    transcript("quarantine retake --all", "quarantine discard --all", f"quarantine discard --yes {odd['id']}")
    transcript("quarantine discard --yes --all", "quarantine list")
    house.says("run", house.writes("none.ndjson", b""))
    assert column(house.lines("backlog.ndjson"), "id") == [an_assessment()["id"].lower()]


def test_a_retaken_message_that_is_known_is_a_repeat(house: House, entries: list[dict[str, Any]]) -> None:
    """Retaking cannot tell anybody twice."""
    house.routes(house.writes("f.ndjson", ndjson(an_assessment())))
    wrong = next(one["id"] for one in entries if "wrong_stream" in one["reason"])
    assert f"{wrong}: repeat, same\n" in house.says("quarantine", "retake", "--all").out


COMMANDS = (
    *(
        "run a.ndjson",
        "explain a.ndjson",
        "explain one",
        "rules list",
        "rules preview --stream cwpp rule.json",
        "attack layer",
    ),
    *("silences list", "coverage init", "drill --cluster aks --yes", "state", "dead-letters list"),
    *("quarantine retake --all", "destinations list"),
)
"""One of each sort that works on a state."""


def test_a_setting_says_where_the_state_is_unless_the_command_does(
    house: House, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    """A database may be meant by both; only the setting may hold its password, which is said by neither."""
    house.writes("a.ndjson", ndjson(a_flat_alert()))
    house.writes("rule.json", a_suppression("VM_Example", "2027-01-01T00:00:00Z"))
    secret, port = "s3cret", 1
    monkeypatch.setenv("ALERT_ROUTER_STATE", f"postgresql://soc:{secret}@127.0.0.1:{port}/by_setting")
    for line in COMMANDS:
        command = line.split()
        with subtests.test(line):
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


def _listed(house: House, what: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads(house.says(what, "list", "--format", "json").out)
    return listed


def test_a_database_without_tables_or_with_newer_ones_is_refused(house: House, postgres: Server) -> None:
    """They are made only where an operator says so."""
    database = postgres.new_database()
    house.writes("a.ndjson", ndjson(a_flat_alert()))
    commands = (("run", "a.ndjson"), ("state",), ("dead-letters", "list"), ("silences", "list"))
    for command in commands:
        complaint = house.says(*command, "--state", database).complaint
        assert complaint.startswith(f"{parse_address(database).name}: holds no state")
        assert "alert-router state upgrade" in complaint
    assert house.says("state", "upgrade", "--state", database).code == 0
    assert [house.says(*command, "--state", database).code for command in commands] == [0, 0, 0, 0]
    rows_in(database, "UPDATE meta SET value='99' WHERE name='version'")
    for command in commands:
        assert ": holds state of version 99, and this" in house.says(*command, "--state", database).complaint


AT = ("--now", "2026-11-24T12:00:00Z")
LATER = ("--now", "2026-12-05T12:00:00Z")
MUCH_LATER = ("--now", "2026-12-05T13:00:00Z")


@pytest.fixture
def worked(house: House) -> House:
    """A house whose state has two alerts, one of them below the floor, and nonsense."""
    alerts = [a_flat_alert(SystemAlertId="one"), a_flat_alert(SystemAlertId="two", Severity="Low")]
    assert house.says("run", *AT, house.writes("a.ndjson", ndjson(*alerts, b"?"))).code == 0
    return house


def described(house: House, *arguments: str) -> dict[str, Any]:
    """What the command says as JSON."""
    said = house.says("state", "--format", "json", *arguments)
    assert (said.code, said.err) == (0, "")
    document: dict[str, Any] = json.loads(said.out)
    return document


def test_a_person_sees_first_what_they_want_to_know(worked: House) -> None:
    """Where, which version, how large, how much and how old; then what is owed; then the rest in aligned columns."""
    lines = worked.says("state", *LATER).out.splitlines()
    size = (worked.directory / ".state" / "router.db").stat().st_size / 1000
    assert [re.split(r"  +", line) for line in lines[:12]] == [
        ["state", ".state"],
        ["version", "1"],
        ["size", f"router.db {size:.1f} KB"],
        ["decisions", "3, from 2026-11-24T12:00:00Z to 2026-11-24T12:00:00Z"],
        ["owed", "0"],
        ["dead letters", "0"],
        ["quarantine", "messages 1, damaged rows 0"],
        ["lost events", "0"],
        ["signals", "2: not ended 2, held 0"],
        ["groups", "0"],
        ["counted", "hours 1, rules with hits 0"],
        ["documents", "source 2"],
    ]
    assert re.split(r"  +", lines[13]) == ["on record", "number"]
    rows = dict(re.split(r"  +", line) for line in lines[14:21])
    assert (rows["below the floor"], rows["routed"], rows["repeats"]) == ("1", "1", "0")
    assert ["cwpp", "people", "0", "0", "1", "0", "0"] in [line.split() for line in lines]
    assert any(line.startswith("deliveries ") and line.endswith(" KB") for line in lines)


def test_a_program_reads_the_same_under_keys_that_stay(worked: House, transcript: Transcript) -> None:
    """Every outcome, state and kind of document is there, also where there is none of it."""
    document = described(worked, *LATER)
    assert document["bytes"] == document["files"]["router.db"] > sum(one["bytes"] for one in document["tables"]) > 0
    assert set(document["decisions"]["by_outcome"]) == set(Outcome)
    none: dict[str, object] = dict.fromkeys(map(str, DeliveryState), 0)
    assert none | {"stream": "cwpp", "destination": "people", "sent": 1} in document["deliveries"]
    # How large each is differs with the version of SQLite.
    stays = {key: value for key, value in document.items() if key not in ("bytes", "files", "tables")}
    transcript.notes("what stays", json.dumps(stays, indent=1))


def test_what_is_owed_is_said_with_since_when(house: House) -> None:
    """A destination that cannot be written to; also of a state under a name that is not UTF-8."""
    (house.directory / "people.ndjson").mkdir()
    house.says("run", *AT, house.writes("a.ndjson", ndjson(a_flat_alert())))
    assert "owed           1, the oldest since 2026-11-24T12:00:00Z" in house.says("state").out.splitlines()
    name = os.fsdecode(b"st\xffate ?#%41")
    (house.directory / ".state").rename(house.directory / name)
    document = described(house, "--state", name)
    assert (document["owed"], document["owed_since"], document["dead_letters"]) == (1, "2026-11-24T12:00:00Z", 0)


def test_what_the_command_does_not_know_is_refused(house: House) -> None:
    """One line, with exit code 2. No upgrade begins a state in a directory whose name was misspelled."""
    for options in (("--now", "soon"), ("--format", "yaml"), ("--state", "azure:", "--state", "x"), ("x",)):
        assert house.says("state", *options).complaint
    assert house.says("state", "upgrade", "--state", "stat").complaint.startswith("stat: holds no state; name where")
    assert not (house.directory / "stat").exists()
    (house.directory / ".state").mkdir()
    (house.directory / ".state" / "router.db").touch()
    assert house.says("state").complaint == ".state: holds no state yet; a run begins one"


def test_the_setting_says_how_long_decisions_stay(worked: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run forgets them, and names what is no such setting before it does anything."""
    monkeypatch.setenv("ALERT_ROUTER_RETENTION", "below_floor=5")
    left = []
    # The first run since ten days is not believed to know what day it is; the next one confirms it.
    for when in (LATER, MUCH_LATER):
        assert worked.says("run", *when, worked.writes("none.ndjson", "")).code == 0
        left.append(described(worked, *when)["decisions"]["by_outcome"]["below_floor"])
    assert left == [1, 0]
    monkeypatch.setenv("ALERT_ROUTER_RETENTION", "below_floor=never")
    shutil.rmtree(worked.directory / ".state")
    said = worked.says("run", "a.ndjson").complaint
    assert said == "ALERT_ROUTER_RETENTION: below_floor: 'never' is no number of days from 1 to 9999"
    assert not (worked.directory / ".state").exists()


def test_what_cannot_be_looked_at_is_named(worked: House) -> None:
    """In one line, with exit code 2, as every command does; nothing is made in its stead."""
    state, elsewhere = worked.directory / ".state", worked.directory / "elsewhere"
    newer = "UPDATE meta SET value='99' WHERE name='version'"
    for damage, said in (
        (lambda: os.truncate(state / "router.db", 8192), ".state/router.db: is damaged: "),
        (
            lambda: rows_in(state, newer),
            ".state: holds state of version 99, and this program reads up to version 1; use the",
        ),
        ((state / "router.db").unlink, ".state/router.db: is damaged: it is missing, and "),
        (
            lambda: shutil.rmtree(state),
            ".state: holds no state; name where it is with --state, or by ALERT_ROUTER_STATE",
        ),
    ):
        shutil.copytree(state, elsewhere)
        damage()
        before = sorted(worked.directory.rglob("*"))
        assert worked.says("state").complaint.startswith(said)
        assert sorted(worked.directory.rglob("*")) == before
        shutil.rmtree(state, ignore_errors=True)
        elsewhere.rename(state)


COUNT = "SELECT count(*) FROM decisions"


def routes_one(house: House, id: str, *arguments: str) -> None:
    """Takes an alert in."""
    house.writes("a.ndjson", ndjson(a_flat_alert(SystemAlertId=id)))
    assert house.says("run", *AT, "a.ndjson", *arguments).code == 0


def test_a_copy_is_a_state_that_goes_on(house: House) -> None:
    """Put in a directory of its own it needs nothing beside it: what it knows is neither decided nor told again."""
    routes_one(house, "one")
    said = house.says("state", "backup", "copy.db")
    assert (said.code, said.out) == (0, "copy.db: holds the state of .state, as it was last committed\n")
    assert (house.directory / "copy.db").stat().st_mode & 0o777 == 0o600
    (house.directory / "restored").mkdir()
    (house.directory / "copy.db").rename(house.directory / "restored" / "router.db")
    routes_one(house, "one", "--state", "restored")
    assert len(house.lines("people.ndjson")) == 1
    assert rows_in(house.directory / "restored", COUNT) == [(1,)]
    assert house.says("state", "backup", "--state", "restored", "again.db").code == 0


def test_a_copy_is_made_beside_a_run_at_work(house: House) -> None:
    """Neither waits for the other, nor does a look at the state. In each copy what is decided is owed to both, or sent."""
    whole = "SELECT count(*), (SELECT count(*) FROM signals), (SELECT count(*) FROM deliveries) / 2 FROM decisions"
    lines = [ndjson(a_flat_alert(SystemAlertId=f"a-{n}")).decode() for n in range(200)]
    with routing("run", "-", "--state", "busy") as run, ThreadPoolExecutor(1) as beside:
        assert run.stdin is not None
        run.stdin.write("".join(lines[:10]))
        run.stdin.flush()
        until(run, lambda: len(house.lines("people.ndjson")) == 10)
        ended = beside.submit(run.communicate, "".join(lines[10:]))
        counts: list[int] = []
        for n in range(4):
            (house.directory / f"copy-{n}").mkdir()
            assert house.says("state", "--state", "busy", "backup", f"copy-{n}/router.db").code == 0
            (found,) = rows_in(house.directory / f"copy-{n}", whole)
            assert len({*found}) == 1
            counts += found[:1]
        said = house.says("state", "--state", "busy")
        assert (said.code, said.err) == (0, "")
        ended.result()
    assert run.returncode == 0
    assert 10 <= counts[0] == sorted(counts)[0]
    assert len(house.lines("people.ndjson")) == 200


def test_a_copy_that_is_cut_short_never_has_the_name(house: House) -> None:
    """It dies while it writes, before all is on disk, or before that has its name; what is left of it is the owner's alone."""
    routes_one(house, "one")
    for step in ("sqlite._find_problem", "sqlite.os.fsync", "permissions.Path.replace"):
        if not (child := os.fork()):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(f"router.store.{step}", lambda *_: os.kill(os.getpid(), SIGKILL))
                house.says("state", "backup", f"{step}.db")
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -SIGKILL
        assert not (house.directory / f"{step}.db").exists()
        (left,) = house.directory.glob(f"{step}.db*.new")
        assert left.stat().st_mode & 0o777 == 0o600
        assert house.says("state", "backup", f"{step}-again.db").code == 0


def test_a_damaged_state_is_not_copied(house: House) -> None:
    """The copy that took its name would be found to be worth nothing when it is needed; nothing is left of it."""
    routes_one(house, "one")
    place = house.directory / ".state" / "router.db"
    (page,) = rows_in(place.parent, "SELECT rootpage FROM sqlite_schema WHERE name='signals'")[0]
    (size,) = rows_in(place.parent, "PRAGMA page_size")[0]
    with place.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(bytes(size))
    before = sorted(house.directory.rglob("*"))
    assert house.says("state", "backup", "copy.db").complaint.startswith(".state/router.db: is damaged: ")
    assert sorted(house.directory.rglob("*")) == before


def test_no_file_is_written_over(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be the only copy there is; nor is anything begun where there is no state, or left of a copy that failed.

    Half a copy would be taken for a state that has little in it. A state on a server is copied by its own tools.
    """
    assert house.says("state", "backup", "copy.db").complaint.startswith(".state: holds no state; ")
    assert "FILE: is missing; name the file to write" in house.says("state", "backup").complaint
    assert house.says("state", "backup", "copy.db", "--state", "postgresql://soc@127.0.0.1:1/alerts").complaint == (
        "postgresql://soc@127.0.0.1:1/alerts: is kept by a server, whose own tools copy it: "
        "pg_dump, or in Azure point-in-time restore"
    )
    routes_one(house, "one")
    house.writes("copy.db", "mine")
    (house.directory / "link.db").symlink_to("nowhere")
    (house.directory / "other.db.new").symlink_to("nowhere")
    before = sorted(house.directory.rglob("*"))
    for name, there in (("copy.db", "copy.db"), ("link.db", "link.db"), ("other.db", "other.db.new")):
        assert house.says("state", "backup", name).complaint == (
            f"{there}: is there already, and no copy is written over; name another file"
        )
    assert (house.directory / "copy.db").read_text() == "mine"
    complaint = house.says("state", "backup", "none/copy.db").complaint
    assert complaint.startswith("none/copy.db: the copy cannot be written: No such file or directory; ")

    def fails(*_: object) -> None:
        raise OSError(ENOSPC, "No space left on device")

    monkeypatch.setattr("router.store.sqlite.os.fsync", fails)
    complaint = house.says("state", "backup", "full.db").complaint
    assert complaint == "full.db: the copy cannot be written: No space left on device; name a file where there is room"
    assert sorted(house.directory.rglob("*")) == before
