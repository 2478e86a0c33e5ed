"""The destinations that a drill is to prove, as rules, silences and holds stand before it begins."""

from __future__ import annotations

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
    """

    name: str
    lane: Lane
    kind: str
    types: int
    hindrance: str | None = None

    @property
    def is_called(self) -> bool:
        """Whether the drill is going to call it, as far as anybody can say before."""
        return self.hindrance is None
