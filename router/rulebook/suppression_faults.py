"""What is wrong with one suppression rule, collected while it is parsed."""

from __future__ import annotations

from typing import NamedTuple

from router.rulebook.problems import INVALID, KeyPath, Level


class Fault(NamedTuple):
    """One thing that is wrong with a rule.

    Attributes:
        path: where in the rule it is.
        message: what is wrong and what to do.
        level: whether the rule cannot be used, or is only warned about.
        code: the sort of problem.
    """

    path: KeyPath
    message: str
    level: Level
    code: str = INVALID

    @property
    def is_of_defender(self) -> bool:
        """Whether it matters in Defender only."""
        return self.code == "not-portable"


class Faults:
    """Everything that is wrong with a rule.

    Attributes:
        all: the faults, in the order in which they were found.
    """

    __slots__ = ("all",)

    def __init__(self) -> None:
        self.all: list[Fault] = []

    @property
    def are_warnings(self) -> bool:
        """Whether the rule can be used all the same."""
        return all(fault.level == "warning" for fault in self.all)

    def blame(self, path: KeyPath, message: str, code: str = INVALID) -> None:
        """Notes what makes the rule unusable."""
        self.all.append(Fault(path, message, "problem", code))

    def warn(self, path: KeyPath, message: str, code: str = INVALID) -> None:
        """Notes what is worth a look."""
        self.all.append(Fault(path, message, "warning", code))
