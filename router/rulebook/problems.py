"""What is wrong with a rules file, and where."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from router.domain.values import Value

type Level = Literal["problem", "warning"]
type KeyPath = tuple[str | int, ...]
"""The keys and list positions that lead from the top of a document to one value."""

INVALID = "invalid"
"""The code of what no other code names: a value that is not of the form that is wanted there."""


class Problem(Value):
    """One thing to mend in one file.

    Attributes:
        root: the rules directory as it was given.
        code: the sort of problem, such as unknown-alert-type; other programs read it, so it never changes.
    """

    file: str
    line: int | None
    message: str
    level: Level = "problem"
    root: str = "rules"
    code: str = INVALID

    def __str__(self) -> str:
        where = f"{self.root}/{self.file}" if self.root not in ("", ".") else self.file
        return f"{position_in(where, self.line)}: {self.message}"


def position_in(file: str, line: int | None) -> str:
    """A line of a file, as people and editors find it."""
    return f"{file}:{line}" if line else file


def dotted(path: KeyPath) -> str:
    """A key path as people write it: `routes[0].when.tactics`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Problems by file and line, each once."""
    distinct = dict.fromkeys(problems)
    return tuple(sorted(distinct, key=lambda problem: (problem.file, problem.line or 0, problem.message)))


class Fault(NamedTuple):
    """One thing that is wrong with a rule."""

    path: KeyPath
    message: str
    level: Level
    code: str = INVALID


class Faults:
    """Everything that is wrong with a rule."""

    __slots__ = ("all",)

    def __init__(self) -> None:
        self.all: list[Fault] = []

    def blame(self, path: KeyPath, message: str, code: str = INVALID) -> None:
        """Notes what makes the rule unusable."""
        self.all.append(Fault(path, message, "problem", code))

    def warn(self, path: KeyPath, message: str, code: str = INVALID) -> None:
        """Notes what is worth a look."""
        self.all.append(Fault(path, message, "warning", code))
