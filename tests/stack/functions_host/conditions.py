"""What the platform, and not the app, decides."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Death(Enum):
    """What becomes of a batch of events whose worker process died."""

    CHECKPOINTED = auto()
    """It counts as done: a failed execution is followed by a checkpoint, and no retry policy stands in between."""

    RETRIED = auto()
    """It is a failure like any other, so that a retry policy covers it, as in the sources of the WebJobs SDK."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """How the platform behaves; times in seconds."""

    speed: float = 1.0
    """By how much the waits of retry policies and between looks at an empty queue are shortened."""

    death: Death = Death.CHECKPOINTED

    restart_delay: float = 0.2
    """How long the app has no worker after one died."""

    visibility: int = 600
    """For how long a queue message is hidden while it is worked on; renewed at half of it."""

    load_balancing: float = 0.5
    """How often instances look whose partitions are whose; an owner that is silent for six times that has lost them."""

    grace: float = 5.0
    """How long calls under way may take when the host stops; with 0 it goes as an instance that is lost."""

    timers: float | None = None
    """How often timers fire by themselves; None for never, then only `fire` does it."""


USUAL = Conditions()
"""Conditions as they are in Azure, but for restarts and load balancing, which are quicker."""
