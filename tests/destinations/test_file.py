"""The file: NDJSON that another program reads."""

from __future__ import annotations

from dataclasses import asdict

import orjson

from router.domain.conversation import AppendLines
from router.domain.decisions import Change
from router.domain.errors import Unavailable
from tests.destinations.builders import a_destination, a_finding, a_huge_notice, a_notice, an_attempt, an_entry
from tests.destinations.conversations import converse


def test_a_send_is_one_append() -> None:
    """Many deliveries are appended at once, a line each, in their order."""
    attempts = [an_attempt(a_notice(turn=turn, title="two\nlines")) for turn in range(3)]
    asks, results = converse(a_destination("file", path="out.ndjson"), attempts, lambda ask: None)
    (append,) = asks
    assert isinstance(append, AppendLines)
    assert append.path == "out.ndjson"
    assert [orjson.loads(line)["turn"] for line in append.lines.splitlines()] == [0, 1, 2]
    assert append.lines.endswith(b"}\n")
    assert len(results) == 3


def test_a_line_always_has_the_same_keys() -> None:
    """An alert with everything and a finding with little are lines of the same keys."""
    asks, _ = converse(
        a_destination("file"),
        [an_attempt(a_notice()), an_attempt(a_finding(owner=None, link=None), Change.RESOLVED)],
        lambda ask: None,
    )
    assert isinstance(asks[0], AppendLines)
    alert, finding = map(orjson.loads, asks[0].lines.splitlines())
    assert list(alert) == list(finding)
    assert list(alert)[:4] == ["change", "key", "turn", "destination"]
    assert finding["owner"] is None


def test_a_file_keeps_all_of_a_huge_notice() -> None:
    """Nothing is cut in a file."""
    asks, _ = converse(a_destination("file"), [an_attempt(a_huge_notice())], lambda ask: None)
    assert isinstance(asks[0], AppendLines)
    assert orjson.loads(asks[0].lines)["description"] == a_huge_notice().description


def test_an_entry_of_the_record_is_written_as_it_is() -> None:
    """The record's line has the values of the entry under its keys, but for what only the state keeps."""
    kept = {key: value for key, value in asdict(an_entry()).items() if key not in ("signal", "turn", "steps")}
    asks, _ = converse(a_destination("file"), [an_attempt(an_entry())], lambda ask: None)
    assert isinstance(asks[0], AppendLines)
    assert orjson.loads(asks[0].lines) == orjson.loads(orjson.dumps(kept))


def test_a_file_that_cannot_be_written_is_tried_again() -> None:
    """Trouble with the file is every delivery's."""
    attempts = [an_attempt(), an_attempt()]
    _, results = converse(a_destination("file"), attempts, lambda ask: Unavailable("disk full"))
    assert [type(result) for result in results] == [Unavailable, Unavailable]
