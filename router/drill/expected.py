"""The destinations that a drill is to prove, as rules, silences and holds stand before it begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from router.domain.rulebook import Lane


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedDestination:
    """A destination to which rules lead alerts of a drill's plan.

    Attributes:
        name: its name.
        lane: its lane.
        kind: its kind.
        types: how many of the known alert types of the plan lead there.
        hindrance: why no alert of the drill can prove it, in words; None where one can.
        owners: the owners whose own pager is called by its means.
    """

    name: str
    lane: Lane
    kind: str
    types: int
    hindrance: str | None = None
    owners: tuple[str, ...] = ()

    @property
    def is_called(self) -> bool:
        """Whether the drill is going to call it, as far as anybody can say before."""
        return self.hindrance is None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillForecast:
    """Whom a drill is going to call, by the rules that were read.

    Attributes:
        rulebook: the hash of those rules.
        expected: the destinations to which they lead an alert of a known type, by name.
        possible: the names of all destinations to which they may lead one, whatever else it says.
    """

    rulebook: str
    expected: Sequence[ExpectedDestination]
    possible: frozenset[str] = frozenset()

    @property
    def named(self) -> frozenset[str]:
        """The names of all who are named before anything is raised."""
        return self.possible.union(one.name for one in self.expected)

    @property
    def unlikely(self) -> list[str]:
        """Those that are called only by an alert of which nobody knows beforehand that there is one."""
        return sorted(self.possible.difference(one.name for one in self.expected if one.types))
