"""What command-line options stand for: streams, rules, a clock."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import replace
from datetime import datetime
from os.path import relpath
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from router.app.fields import read_words
from router.app.settings import Clock
from router.app.settings import now as by_the_machine
from router.cli.streams import complain
from router.domain.errors import BadField, BadFile, BadUsage
from router.domain.readable import one_line
from router.domain.signals import Stream

if TYPE_CHECKING:
    from router.app.rules import Rules
    from router.domain.rulebook import Rulebook
    from router.rulebook import Problem


def clock_for(now: datetime | None, clock: Clock = by_the_machine) -> Clock:
    """Return a clock, such as a store's, or where a time is given one that stands still."""
    return clock if now is None else (lambda: now)


def stream_for(name: str | None) -> Stream | None:
    """Return the stream of that name, or None for none."""
    return Stream(name) if name is not None else None


def streams_in(directory: Path, only: Stream | None = None) -> list[Stream]:
    """Return the streams that a rules directory has rules for, or the one asked for; raises BadFile where there is none."""
    if not directory.is_dir():
        what = "is a file, and no directory of rules" if directory.exists() else "is no directory of rules"
        raise BadFile(f"{directory}: {what}{_remedy_for(directory)}")
    if not _streams_below(directory):
        raise BadFile(f"{directory}: has neither cwpp/ nor cspm/{_remedy_for(directory)}")
    # What has a stream's name and is no directory was meant to be one; reading it says what is wrong.
    meant = [stream for stream in Stream if (directory / stream).exists(follow_symlinks=False)]
    return meant if only is None else [only]


def _streams_below(directory: Path) -> list[Stream]:
    return [stream for stream in Stream if (directory / stream).is_dir()]


def _remedy_for(given: Path) -> str:
    """Return what to give in place of a path that holds no rules: one below it, around it, or the usual one."""
    for directory in (given / "rules", *given.absolute().parents, Path("rules")):
        if _streams_below(directory):
            return f"; did you mean {directory if given.is_absolute() else relpath(directory)}?"
    return "; name the one in which cwpp/ or cspm/ is, with --rules, or behind rules check and rules test"


def rules_given(directory: Path, only: Stream | None, now: datetime) -> Rules:
    """Return the rules to work with. Their problems and warnings are printed on stderr. Raises BadFile and BadPolicy."""
    from router.app.rules import load_rules  # for which no command waits that only looks at rules

    rules = load_rules(directory, streams_in(directory, only), now)
    for line in lines_for(rules.problems):
        complain(line)
    return rules


def check_notice(name: str, books: Iterable[Rulebook]) -> None:
    """Raise BadUsage where `--notice` names no destination of a policy that notices go to."""
    from router.app.notice_preview import check_destination  # for which only `explain` waits

    try:
        check_destination(name, books)
    except BadUsage as fault:
        raise BadUsage(f"--notice {fault}") from fault


def lines_for(problems: Iterable[Problem]) -> list[str]:
    """Return a line for each problem, each once; that of a warning says so."""
    return list(dict.fromkeys(str(_with_level(problem)) for problem in problems))


def _with_level(problem: Problem) -> Problem:
    return problem if problem.level == "problem" else replace(problem, message=f"warning: {problem.message}")


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
    """Return the author that is written, else the one that git knows, else the user that is logged in; raises BadUsage."""
    from getpass import getuser  # for which no other command waits

    if written is not None:
        return Author(words_given("author", written), None)
    for name in _ASKED:
        if found := _ask_git(name):
            return Author(found, f"git's {name}")
    try:
        user = one_line(getuser()).strip()
    except (OSError, KeyError):
        user = ""
    if not user:
        raise BadUsage("--author: is missing, and neither git nor this machine knows who you are")
    return Author(user, "the name that is logged in")


def words_given(field: str, written: str) -> str:
    """Return what a person wrote for the option of a field, on one line; raises BadUsage where that is nothing."""
    with as_options():
        return read_words(field, written)


_NAMED_FIELD = re.compile(r"`(\w+)`")


def in_options(words: str) -> str:
    """Return words in which the fields that they name are called as the options for them: `until` is --until."""
    return _NAMED_FIELD.sub(r"--\1", words)


@contextmanager
def as_options(at_fault: str = "") -> Iterator[None]:
    """A context in which a BadField is a BadUsage that names the option, or, of no single field, what is at fault."""
    try:
        yield
    except BadField as fault:
        raise BadUsage(f"{f'--{fault.field}' if fault.field else at_fault}: {in_options(fault.words)}") from fault


def _ask_git(name: str) -> str:
    """Return what git's configuration has under a name; empty where there is no git, or nothing."""
    try:
        answer = subprocess.run(  # noqa: S603  All of it is written here.
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
