"""`state backup`: a state is copied, beside a run, and no file is written over."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from errno import ENOSPC
from pathlib import Path

import pytest

from tests.cli.house import House, ndjson, routing
from tests.cli.test_interrupts import is_read, until
from tests.parse.messages import a_flat_alert

AT = ("--now", "2026-11-24T12:00:00Z")


def routes_one(house: House, id: str, *arguments: str) -> None:
    """Takes an alert in."""
    house.writes("a.ndjson", ndjson(a_flat_alert(SystemAlertId=id)))
    assert house.says("run", *AT, "a.ndjson", *arguments).code == 0


def decisions_in(database: Path) -> int:
    """How many decisions a database has."""
    with closing(sqlite3.connect(database)) as db:
        return int(db.execute("SELECT count(*) FROM decisions").fetchone()[0])


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
    assert decisions_in(house.directory / "restored" / "router.db") == 1


def test_a_copy_is_made_beside_a_run(house: House) -> None:
    """Neither waits for the other; what is not committed is not in it."""
    with routing("run", "-", "--state", "busy") as run:
        assert run.stdin is not None
        run.stdin.write(ndjson(a_flat_alert(SystemAlertId="one")).decode())
        run.stdin.flush()
        until(run, lambda: is_read(run) and len(house.lines("people.ndjson")) == 1)
        assert house.says("state", "--state", "busy", "backup", "copy.db").code == 0
        assert decisions_in(house.directory / "copy.db") == 1
        run.communicate("")
    assert run.returncode == 0


def test_no_file_is_written_over(house: House) -> None:
    """It may be the only copy there is; nor is anything begun where there is no state, or left of a copy that failed."""
    assert house.says("state", "backup", "copy.db").complaint.startswith(".state: holds no state; ")
    assert "FILE: is missing; name the file to write" in house.says("state", "backup").complaint
    routes_one(house, "one")
    house.writes("copy.db", "mine")
    assert house.says("state", "backup", "copy.db").complaint == (
        "copy.db: is there already, and no copy is written over; name another file"
    )
    assert (house.directory / "copy.db").read_text() == "mine"
    for name in ("link.db", "other.db.new"):
        (house.directory / name).symlink_to("nowhere")
        assert house.says("state", "backup", name.removesuffix(".new")).complaint == (
            f"{name}: is there already, and no copy is written over; name another file"
        )
        assert (house.directory / name).is_symlink()
    complaint = house.says("state", "backup", "none/copy.db").complaint
    assert complaint.startswith("none/copy.db: the copy cannot be written: No such file or directory; ")


def test_a_state_on_a_server_is_copied_by_its_own_tools(house: House) -> None:
    """One line, before anything is asked of the server."""
    complaint = house.says("state", "backup", "copy.db", "--state", "postgresql://soc@127.0.0.1:1/alerts").complaint
    assert complaint == (
        "postgresql://soc@127.0.0.1:1/alerts: is kept by a server, whose own tools copy it: "
        "pg_dump, or in Azure point-in-time restore"
    )


@pytest.mark.parametrize("order", [("--state", "{}", "backup"), ("backup", "--state", "{}")])
def test_a_state_is_named_before_the_command_or_behind_it(house: House, order: tuple[str, ...]) -> None:
    """Neither place takes the other one's word away."""
    routes_one(house, "one", "--state", "other")
    assert house.says("state", *(one.format("other") for one in order), "copy.db").code == 0


def test_what_ends_a_copy_leaves_nothing_under_its_name(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full, or Ctrl-C: half a copy would be taken for a state that has little in it."""
    routes_one(house, "one")

    def fails(*_: object) -> None:
        raise OSError(ENOSPC, "No space left on device")

    monkeypatch.setattr("router.store.sqlite.os.fsync", fails)
    complaint = house.says("state", "backup", "copy.db").complaint
    assert complaint == (
        "copy.db: the copy cannot be written: No space left on device; name a file where there is room"
    )
    assert [path.name for path in house.directory.glob("copy.db*")] == []
