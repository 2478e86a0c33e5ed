"""Who gives a command that goes on record under a person's name."""

from __future__ import annotations

import subprocess
from getpass import getuser
from typing import NamedTuple

from router.domain.errors import BadUsage
from router.domain.legible import one_line

_ASKED = ("user.email", "user.name")
"""What git is asked for, in this order: an address can be written to."""

_PATIENCE = 5.0
"""Seconds for git to answer."""


class Author(NamedTuple):
    """Who it is, and where that is known from; None where it was written."""

    name: str
    source: str | None

    def __str__(self) -> str:
        return f"{self.name} (by {self.source})" if self.source is not None else self.name


def author_given(written: str | None) -> Author:
    """The author that is meant: the one that is written, else whom git knows, else who is logged in; raises BadUsage."""
    if written is not None:
        return Author(words_given("--author", written), None)
    for name in _ASKED:
        if found := _of_git(name):
            return Author(found, f"git's {name}")
    try:
        user = one_line(getuser()).strip()
    except (OSError, KeyError):
        user = ""
    if not user:
        raise BadUsage("--author: is missing, and neither git nor this machine knows who you are")
    return Author(user, "the name that is logged in")


def words_given(option: str, written: str) -> str:
    """What a person wrote for an option, on one line; raises BadUsage where that is nothing."""
    words = one_line(written).strip()
    if not words:
        raise BadUsage(f"{option}: is empty; people will read it")
    return words


def _of_git(name: str) -> str:
    """What git's configuration has under a name; empty where there is no git, or nothing."""
    try:
        answer = subprocess.run(  # noqa: S603  Nothing in it comes from anybody.
            ["git", "config", "--get", name],  # noqa: S607  Whichever git the person uses.
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return one_line(answer.stdout).strip() if answer.returncode == 0 else ""
