"""`state`: what is in a state, how large and how old, and what of it is forgotten next."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from router.domain.decisions import Outcome
from router.domain.deliveries import DeliveryState
from tests.cli.house import House, a_process, ndjson, routing
from tests.cli.test_interrupts import is_read, until
from tests.parse.messages import a_flat_alert

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
    assert lines[:13] == [
        "state          .state",
        "version        1",
        f"size           router.db {size:.1f} KB",
        "decisions      3, from 2026-11-24T12:00:00Z to 2026-11-24T12:00:00Z",
        "owed           0",
        "dead letters   0",
        "quarantine     messages 1, damaged rows 0",
        "lost events    0",
        "signals        2: not ended 2, held 0",
        "groups         0",
        "counted        hours 1, rules with hits 0",
        "documents      source 2",
        "",
    ]
    assert re.split(r"  +", lines[13]) == ["on record", "number"]
    rows = dict(re.split(r"  +", line) for line in lines[14:21])
    assert (rows["below the floor"], rows["routed"], rows["repeats"]) == ("1", "1", "0")
    assert ["cwpp", "people", "0", "0", "1", "0", "0"] in [line.split() for line in lines]
    assert any(line.startswith("deliveries ") and line.endswith(" KB") for line in lines)


def test_a_program_reads_the_same_under_keys_that_stay(worked: House) -> None:
    """Every outcome, state and kind of document is there, also where there is none of it."""
    document = described(worked, *LATER)
    assert list(document) == [
        "state", "at", "version", "next_version", "bytes", "files", "decisions", "owed", "owed_since", "dead_letters",
        "quarantine", "lost_events", "signals", "groups", "hours_counted", "rules_with_hits", "documents",
        "destination_holds", "deliveries", "tables", "at_least",
    ]  # fmt: skip
    assert (document["state"], document["at"], document["at_least"]) == (".state", "2026-12-05T12:00:00Z", [])
    assert document["decisions"] == {
        "total": 3,
        "oldest": "2026-11-24T12:00:00Z",
        "newest": "2026-11-24T12:00:00Z",
        "by_outcome": dict.fromkeys(document["decisions"]["by_outcome"], 0)
        | {"routed": 1, "below_floor": 1, "quarantined": 1},
    }
    assert set(document["decisions"]["by_outcome"]) == set(Outcome)
    kinds = [
        "silence",
        "hold",
        "change",
        "fact",
        "source",
        "tags",
        "snapshots",
        "rules",
        "rule_events",
        "silent_sources",
    ]
    assert document["documents"] == {**dict.fromkeys(kinds, 0), "source": 2}
    none: dict[str, object] = dict.fromkeys(map(str, DeliveryState), 0)
    assert none | {"stream": "cwpp", "destination": "people", "sent": 1} in document["deliveries"]
    assert document["bytes"] == document["files"]["router.db"] > sum(one["bytes"] for one in document["tables"]) > 0


def test_what_is_owed_is_said_with_since_when(house: House) -> None:
    """A destination that cannot be written to."""
    (house.directory / "people.ndjson").mkdir()
    house.says("run", *AT, house.writes("a.ndjson", ndjson(a_flat_alert())))
    assert "owed           1, the oldest since 2026-11-24T12:00:00Z" in house.says("state").out.splitlines()
    document = described(house)
    assert (document["owed"], document["owed_since"], document["dead_letters"]) == (1, "2026-11-24T12:00:00Z", 0)


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


def test_a_state_is_looked_at_while_a_run_is_at_work_on_it(house: House) -> None:
    """Neither waits for the other, and the run takes in what comes next."""
    with routing("run", "-", "--state", "busy") as run:
        assert run.stdin is not None
        run.stdin.write(ndjson(a_flat_alert(SystemAlertId="one")).decode())
        run.stdin.flush()
        until(run, lambda: is_read(run) and _sent(house) == 1)
        said = a_process("state", "--state", "busy", within=house.directory)
        assert (said.code, said.err) == (0, "")
        assert "signals        1: not ended 1, held 0" in said.out.splitlines()
        run.communicate(ndjson(a_flat_alert(SystemAlertId="two")).decode())
    assert run.returncode == 0
    assert _sent(house) == 2


def _sent(house: House) -> int:
    return len(house.lines("people.ndjson"))


def _cut(directory: Path) -> None:
    path = directory / "router.db"
    path.write_bytes(path.read_bytes()[:8192])


def _make_newer(directory: Path) -> None:
    with closing(sqlite3.connect(directory / "router.db")) as db, db:
        db.execute("UPDATE meta SET value='99' WHERE name='version'")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (shutil.rmtree, r"\.state: holds no state; name where it is with --state, or by ALERT_ROUTER_STATE"),
        (lambda directory: (directory / "router.db").unlink(), r"\.state/router\.db: is damaged: it is missing, and "),
        (_cut, r"\.state/router\.db: is damaged: "),
        (
            _make_newer,
            r"\.state: holds state of version 99, and this program reads up to version 1; use the newer program",
        ),
    ],
)
def test_what_cannot_be_looked_at_is_named(worked: House, harm: Callable[[Path], None], said: str) -> None:
    """In one line, with exit code 2, as every command does; nothing is made in its stead."""
    state = worked.directory / ".state"
    harm(state)
    before = sorted(path.name for path in state.iterdir()) if state.exists() else None
    assert re.match(said, worked.says("state").complaint)
    assert (sorted(path.name for path in state.iterdir()) if state.exists() else None) == before


def test_a_state_may_lie_under_a_name_that_is_no_text(worked: House) -> None:
    """A file system allows bytes that are not UTF-8."""
    name = os.fsdecode(b"st\xffate ?#%41")
    (worked.directory / ".state").rename(worked.directory / name)
    assert described(worked, "--state", name)["decisions"]["total"] == 3


def test_a_state_that_no_run_wrote_holds_nothing_yet(house: House) -> None:
    """A file that a run is just about to fill."""
    (house.directory / ".state").mkdir()
    (house.directory / ".state" / "router.db").touch()
    assert house.says("state").complaint == ".state: holds no state yet; a run begins one"


def test_no_upgrade_begins_a_state_in_a_directory(house: House) -> None:
    """A name that was misspelled is told, and nothing is made there."""
    assert house.says("state", "upgrade", "--state", "stat").complaint.startswith("stat: holds no state; name where")
    assert not (house.directory / "stat").exists()


@pytest.mark.parametrize(
    "options", [("--now", "soon"), ("--format", "yaml"), ("--state", "azure:", "--state", "x"), ("x",)]
)
def test_what_the_command_does_not_know_is_refused(house: House, options: tuple[str, ...]) -> None:
    """One line, with exit code 2."""
    assert house.says("state", *options).complaint
