"""`silences add|list|extend|end`: a person holds signals back for some hours, while the router runs."""

from __future__ import annotations

import pytest

from tests.builders import alert_body
from tests.cli.house import House, Said

AT = "2026-11-24T12:00:00Z"
WHO = ("--reason", "patching", "--author", "ana@contoso.example")


@pytest.fixture
def state(house: House) -> House:
    """A house with a state in which nothing has happened."""
    house.writes("empty.ndjson", b"")
    assert house.says("run", "--now", AT, "empty.ndjson").code == 0
    return house


def silenced(house: House, *arguments: str, now: str = AT) -> Said:
    """What comes of a silence that needs no asking."""
    return house.says("silences", "add", *arguments, *WHO, "--yes", "--now", now)


def test_a_machine_is_silenced_for_two_hours_by_one_command_and_then_what_stands_comes_out_once(state: House) -> None:
    """From the moment on, until its end and not longer."""
    state.writes("alert.ndjson", alert_body())
    assert silenced(state, "--resource", "vm-1", "--for", "2h").code == 0
    assert state.says("run", "--now", "2026-11-24T12:30:00Z", "alert.ndjson").code == 0
    assert state.lines("people.ndjson") == []
    assert state.says("run", "--now", "2026-11-24T13:59:59Z", "empty.ndjson").code == 0
    assert state.lines("people.ndjson") == []
    for now in ("2026-11-24T14:00:00Z", "2026-11-24T14:01:00Z"):
        assert state.says("run", "--now", now, "empty.ndjson").code == 0
        assert [notice["id"] for notice in state.lines("people.ndjson")] == ["alert-1"]
