"""docs/state.md says what is kept, where, and how long."""

from __future__ import annotations

import re

from router.domain.retention import Retention
from router.store.sqlite.private import FILES
from tests.docs.pages import page, spans

PAGE = page("docs/state.md")


def test_what_is_kept_how_long_is_as_told() -> None:
    """Retention is on the page as it is by default."""
    told = [
        int(found[1])
        for row in PAGE.table("Where it lies", "kept")
        if (found := re.match(r"(\d+) days", row["how long"]))
    ]
    is_kept = Retention()
    assert told == [is_kept.resolved.days, is_kept.held.days, is_kept.payloads.days]


def test_every_file_of_a_state_is_listed() -> None:
    """The files are those that are kept private."""
    named = [name for row in PAGE.table("Where it lies", "file") for name in spans(row["file"])]
    assert {*named, "router.db-journal"} == set(FILES)
