"""Whether a destination can be asked at all, and how people are told that it cannot.

| what keeps it from being asked | it never took a delivery | it took one before |
|---|---|---|
| a secret or a setting that is missing, or still a reference | not yet | a problem |
| an address that ends in `.example` | not yet | a problem |
| Azure's own client, which is not installed | not yet | a problem |
| a setting that holds what its place does not take | a problem | a problem |
| a setting that leads to where the other stream writes | a problem | a problem |

Nothing is claimed there. What is due is owed for as long as any delivery of its lane, and is then a dead letter. So a
destination that is not there yet is nothing to worry about until something is late or dead there, which is said as anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from router.domain.lane_limits import LONGEST
from router.domain.rulebook import Lane


class Why(StrEnum):
    """Why something that a destination needs cannot be used, in words that follow its name."""

    MISSING = "is missing"
    REFERENCE = "is still a reference to Key Vault"
    NOT_INSTALLED = "is not installed"
    EXAMPLE = "ends in .example, which is never asked"
    UNFIT = "holds what its place in the rules does not take"
    SHARED = "leads to where the other stream writes, and streams share no destination"


_MISTAKES = frozenset({Why.UNFIT, Why.SHARED})
"""What no later step of a deployment mends: it is a problem from the first."""


@dataclass(frozen=True, slots=True, order=True)
class Lack:
    """Something that a destination needs and that cannot be used.

    Attributes:
        name: the name of an app setting, what would have to be installed, or a host; never a value.
        why: why it cannot be used.
    """

    name: str
    why: Why

    def __str__(self) -> str:
        return f"{self.name} {self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unready:
    """A destination that cannot be asked.

    Attributes:
        stream: its stream.
        destination: its name.
        lane: its lane.
        lacks: what it needs and cannot use.
    """

    stream: str
    destination: str
    lane: Lane
    lacks: tuple[Lack, ...]

    @property
    def why(self) -> str:
        """What it lacks, in words."""
        return ", ".join(map(str, self.lacks))

    @property
    def error(self) -> str:
        """The error of a delivery that was given up on here."""
        return f"never tried: {self.why}"


@dataclass(frozen=True, slots=True)
class Remark:
    """One line for people about a destination that cannot be asked.

    Attributes:
        text: the line.
        is_problem: whether it needs somebody's attention.
    """

    text: str
    is_problem: bool


def remark_on(one: Unready, *, has_delivered: bool) -> Remark:
    """The remark on a destination that cannot be asked, given whether it ever took a delivery."""
    is_problem = has_delivered or any(lack.why in _MISTAKES for lack in one.lacks)
    words = "cannot be asked" if is_problem else "not yet"
    return Remark(f"{one.stream} {one.destination}: {words}: {one.why}", is_problem)


def given_up_until(one: Unready, now: datetime) -> datetime:
    """The instant before which a delivery was owed that is given up on now, because the longest life of its lane is over."""
    return now - LONGEST[one.lane]
