"""What is refused, over, or of the other stream moves no decision."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide import decide
from router.domain.decisions import Decision, Outcome
from router.domain.rulebook import Rulebook
from router.domain.signals import Stream
from tests.builders import an_alert, an_ip
from tests.rulebook.builders import NOW, a_sound_rulebook
from tests.rulebook.test_bad_rules import BAD

REFUSED = [
    path
    for path in sorted((BAD / "cwpp" / "suppressions").glob("*.json"))
    if path.with_name(f"{path.name}.txt").read_text(encoding="utf-8").startswith("problem") and "list" not in path.stem
]
ALERT = an_alert(AlertType="VM_Test", Entities=[an_ip("10.20.0.5")])


def decision_under(book: Rulebook) -> Decision:
    """What becomes of the alert, but for the hash of the rules."""
    return replace(decide(ALERT, book, NOW), rulebook="")


def a_body(days: float, state: str = "Enabled") -> dict[str, object]:
    """A rule that covers the alert, and ends so many days from now."""
    end = (NOW + timedelta(days=days)).isoformat().replace("+00:00", "Z")
    scope = {"allOf": [{"field": "entities.ip.address", "in": ["10.20.0.5"]}]}
    return {
        "properties": {
            "alertType": "VM_Test",
            "state": state,
            "reason": "Noise",
            "comment": "owner secops@example.com",
            "expirationDateUtc": end,
            "suppressionAlertsScope": scope,
        }
    }


def test_the_rule_that_is_varied_here_does_hold_the_alert(tmp_path: Path) -> None:
    """Otherwise nothing below would say anything."""
    held = a_sound_rulebook(tmp_path, {"cwpp/suppressions/rule.json": a_body(1)})
    assert decision_under(held).outcome is Outcome.SUPPRESSED


@pytest.mark.parametrize("path", REFUSED, ids=lambda path: path.stem)
def test_a_refused_rule_moves_no_decision(path: Path, tmp_path: Path) -> None:
    """It is left out and reported: in doubt the router stays loud."""
    without = decision_under(a_sound_rulebook(tmp_path / "without"))
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    book = a_sound_rulebook(tmp_path / "with", {f"cwpp/suppressions/{path.name}": text})
    assert decision_under(book) == without


@given(
    st.lists(st.tuples(st.floats(-400, 0), st.sampled_from(["Enabled", "Disabled", "Expired"])), max_size=4),
    st.lists(st.floats(0.1, 300), max_size=3),
)
def test_rules_that_are_over_and_rules_of_the_other_stream_move_no_decision(
    over: list[tuple[float, str]], others: list[float]
) -> None:
    """However many there are, and however well they would fit."""
    files: dict[str, object] = {f"cwpp/suppressions/over-{n}.json": a_body(*one) for n, one in enumerate(over)}
    files |= {f"cspm/suppressions/other-{n}.json": json.dumps(a_body(days)) for n, days in enumerate(others)}
    with TemporaryDirectory() as one, TemporaryDirectory() as two:
        assert decision_under(a_sound_rulebook(Path(one), files)) == decision_under(a_sound_rulebook(Path(two)))
    assert Stream.CSPM is not ALERT.stream
