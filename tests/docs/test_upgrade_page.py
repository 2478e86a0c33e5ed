"""docs/upgrade.md says what becomes of older state, in the words that programs use."""

from __future__ import annotations

import re
import subprocess
from inspect import getsource
from pathlib import Path

import pytest

from router.cli.opened_state import opening_storage
from router.domain.errors import StoreError
from router.store.azure.state_version import OURS, PARTITION, ROW, StateVersion, refuse_older
from router.store.sqlite import damage, migrations, state_copy
from router.store.sqlite.migrations import OLDEST
from router.store.sqlite.private import FILES
from router.store.sqlite.schema import VERSION
from router.store.sqlite.state_copy import StateCopy
from tests.docs.pages import ROOT, page, spans

PAGE = page("docs/upgrade.md")
OLD = "930b370"

PROSE = " ".join(PAGE.prose.split())


def test_versions_are_those_of_the_code() -> None:
    """What is written now, what is carried forward, and that both stores speak of the same versions."""
    said = [row["version of the state"] for row in PAGE.table("A newer version, and back", "version of the state")]
    assert said == [str(VERSION), str(OLDEST), ", ".join(map(str, range(1, OLDEST)))]
    assert OURS == (VERSION, VERSION - 1)
    assert f"This program writes version {OURS.version}, and {OURS.oldest} as the oldest." in PROSE
    assert f"It is of version {OLDEST}, knows no such row" in PROSE
    assert f"The row (`{PARTITION}`, `{ROW}`) of the table `journal`" in PROSE


def test_files_are_called_as_they_are() -> None:
    """The copy has the name that the page says, also while it is made; no file is named that there is not."""
    copy = StateCopy(Path("router.db"), OLDEST)
    assert f"`{copy.path}`, which is called `{copy.unfinished}` until" in PROSE
    named = {name for name in spans(PAGE.prose) if re.fullmatch(r"router\.[\w.-]+", name)}
    assert named <= {*FILES}


def test_lines_are_quoted_as_they_are_printed() -> None:
    """Each line of the table is one of the code's."""
    source = "".join(map(getsource, (migrations, state_copy, damage)))
    source = source.replace("{VERSION}", str(VERSION)).replace("{self._version}", str(OLDEST))
    lines = [spans(row["the line says"])[0] for row in PAGE.table("A directory", "the line says")]
    assert len(lines) > 3
    assert [line for line in lines if line not in source] == []


def test_an_account_that_is_too_new_is_refused_in_the_words_of_the_page() -> None:
    """To the letter."""
    newer = StateVersion(VERSION + 2, VERSION + 1)
    with pytest.raises(StoreError) as told, opening_storage():
        refuse_older(OURS, newer)
    assert f"{told.value}\n" in [fence.text for fence in PAGE.fences]


def test_the_older_program_says_what_the_page_quotes() -> None:
    """As its code has it, where git's history holds that."""
    quoted = f"router.db: holds state of version {VERSION}, this program reads version {OLDEST}\n"
    assert [fence.text for fence in PAGE.fences if fence.text.endswith(quoted)]
    file = f"{OLD}:router/store/sqlite/connection.py"
    try:
        code = subprocess.run(["git", "show", file], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as fault:
        pytest.skip(f"{OLD} is not in git's history here, as in a shallow clone: {fault}")
    assert "{self._path}: holds state of version {found}, this program reads version {VERSION}" in code
