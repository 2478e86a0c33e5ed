"""`explain ID`: the life of a signal, from a state."""

from __future__ import annotations

from tests.cli.house import House, ndjson
from tests.parse.messages import a_flat_alert

NOW = "2026-11-24T12:00:00Z"


def lines_of(out: str) -> list[str]:
    """Lines as words with one blank between them."""
    return [" ".join(line.split()) for line in out.splitlines()]


def test_the_life_of_a_signal_is_told_from_the_state(house: House) -> None:
    """The answer first, each message with its outcome and stored steps, each delivery; and the rules may have changed since."""
    house.writes("a.ndjson", ndjson(a_flat_alert()))
    house.says("run", "--now", NOW, "a.ndjson")
    house.writes("rules/cwpp/policy.yaml", "stream: cwpp\nfloor: {default: Critical}\n")
    said = house.says("explain", a_flat_alert()["SystemAlertId"], "--state", ".state", "--now", NOW)
    assert (said.code, said.err) == (0, "")
    lines = lines_of(said.out)
    assert lines[0] == "It paged nobody: its routes (high) lead to everything, people, none of which is a pager."
    for line in (
        "what High alert VM_Example: Something happens",
        "2026-11-24T12:00:00Z routed, routes: high (turn 1)",
        "from a.ndjson:1",
        "people (rows lane)",
        "1 opened sent 2026-11-24T12:00:00Z 1 2026-11-24T12:00:00Z taken -",
    ):
        assert line in lines, said.out
    assert any(line.startswith("steps ") and "route high takes it" in line for line in lines)
