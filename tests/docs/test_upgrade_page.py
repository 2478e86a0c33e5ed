"""docs/upgrade.md says what becomes of state of another version, in the words that programs use."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from router.domain.errors import BadFile
from router.store.store import VERSION
from tests.docs.pages import page
from tests.store.acts import run
from tests.store.opened import open_store

PAGE = page("docs/upgrade.md")

PROSE = " ".join(PAGE.prose.split())


def test_versions_are_those_of_the_code() -> None:
    """What is written."""
    assert f"This program writes version {VERSION}, which" in PROSE


def test_a_state_of_another_form_is_refused_in_the_words_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the letter."""
    monkeypatch.chdir(tmp_path)
    run(open_store(Path(".state")).close())
    with closing(sqlite3.connect(Path(".state") / "router.db")) as db, db:
        db.execute("UPDATE meta SET value=? WHERE name='version'", (str(VERSION + 1),))
    with pytest.raises(BadFile) as told:
        open_store(Path(".state"))
    assert f"{told.value}\n" in [fence.text for fence in PAGE.fences]
