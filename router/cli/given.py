"""What command-line options stand for: streams, rules, a clock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from os.path import relpath
from pathlib import Path

from router.app.clock import Clock
from router.app.clock import now as by_the_machine
from router.app.rules import Rules, load_rules
from router.cli.complaints import complain
from router.domain.errors import BadFile
from router.domain.signals import Stream
from router.rulebook import Problem


def clock_for(now: datetime | None, clock: Clock = by_the_machine) -> Clock:
    """A clock, such as a store's, or where a time is given one that stands still."""
    return clock if now is None else (lambda: now)


def stream_for(name: str | None) -> Stream | None:
    """The stream of that name, or None for none."""
    return Stream(name) if name is not None else None


def streams_in(directory: Path, only: Stream | None = None) -> list[Stream]:
    """The streams that a rules directory has rules for, or the one asked for; raises BadFile where there is none."""
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
    """What to give in place of a path that is no directory of rules: one below it, around it, or where they usually are."""
    for directory in (given / "rules", *given.absolute().parents, Path("rules")):
        if _streams_below(directory):
            return f"; did you mean {directory if given.is_absolute() else relpath(directory)}?"
    return "; name the one in which cwpp/ or cspm/ is, with --rules, or behind rules check and rules test"


def rules_given(directory: Path, only: Stream | None, now: datetime) -> Rules:
    """The rules to work with. Their problems and warnings are printed on stderr. Raises BadFile and BadPolicy."""
    rules = load_rules(directory, streams_in(directory, only), now)
    for line in lines_for(rules.problems):
        complain(line)
    return rules


def lines_for(problems: Iterable[Problem]) -> list[str]:
    """A line for each problem, each once; that of a warning says so."""
    return list(dict.fromkeys(str(_with_level(problem)) for problem in problems))


def _with_level(problem: Problem) -> Problem:
    return problem if problem.level == "problem" else replace(problem, message=f"warning: {problem.message}")
