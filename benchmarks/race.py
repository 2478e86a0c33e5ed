"""What one contender did with one workload."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """How many alerts arrived at the receiver, in how many seconds, at how many CPU seconds of the contender."""

    delivered: int
    cpu: float
    seconds: float

    def cpu_each(self) -> float:
        """CPU seconds for each alert that arrived."""
        return self.cpu / self.delivered

    def speed(self) -> float:
        """Alerts that arrived each second."""
        return self.delivered / self.seconds
