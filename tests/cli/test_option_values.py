"""What a person gives with a command that goes on record: for how long, and under which name."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.cli.arguments import duration_in, written
from router.cli.option_values import author_given, words_given
from router.domain.errors import BadUsage

MINUTE = timedelta(minutes=1)


@given(st.integers(1, 9_999))
def test_a_duration_is_read_as_it_is_written(minutes: int) -> None:
    """To the minute."""
    assert duration_in(written(minutes * MINUTE)) == minutes * MINUTE


@pytest.mark.parametrize(
    ("text", "minutes"), [("2h", 120), ("30m", 30), ("1h30m", 90), ("90m", 90), ("2d", 2880), (" 1D2H ", 1560)]
)
def test_days_hours_and_minutes_make_a_duration(text: str, minutes: int) -> None:
    """In this order, each at most once."""
    assert duration_in(text) == minutes * MINUTE


@pytest.mark.parametrize("text", ["", "2", "h", "0h", "-2h", "2h2h", "30m1h", "2 h", "2s", "1.5h", "٢h", "99999999d"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """With one that can be copied."""
    with pytest.raises(ArgumentTypeError, match="write one such as 2h"):
        duration_in(text)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without a git configuration, where nobody's rules apply."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("LOGNAME", "os-user")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_author_is_who_is_named_else_whom_git_knows_else_who_is_logged_in(home: Path) -> None:
    """And it is said which; git's address comes first, since it can be written to."""
    assert author_given(" ana\n") == ("ana", None)
    assert author_given(None) == ("os-user", "the name that is logged in")
    (home / ".gitconfig").write_text("[user]\n  name = Ben\n")
    assert author_given(None) == ("Ben", "git's user.name")
    (home / ".gitconfig").write_text("[user]\n  name = Ben\n  email = ben@example.com\n")
    assert str(author_given(None)) == "ben@example.com (by git's user.email)"
    assert str(author_given("ana")) == "ana"


def test_without_git_the_author_is_who_is_logged_in(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody needs git to silence a host."""
    (home / ".gitconfig").write_text("[user]\n  email = ben@example.com\n")
    monkeypatch.setenv("PATH", str(home))
    assert author_given(None).name == "os-user"


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_nobody_and_nothing_are_refused(text: str) -> None:
    """The option is named."""
    with pytest.raises(BadUsage, match="--author: is empty"):
        author_given(text)
    with pytest.raises(BadUsage, match="--reason: is empty"):
        words_given("--reason", text)
