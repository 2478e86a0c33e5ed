"""What chance there is in retries: how long to wait after an attempt, and by how much to spread what would come together."""

from __future__ import annotations

from random import random

from tenacity import RetryCallState, Retrying
from tenacity.wait import wait_base, wait_exponential_jitter

WAITS: wait_base = wait_exponential_jitter(multiplier=2, max=600, jitter=2)
"""Seconds between attempts where the destination has no wish of its own: 2, 4, 8, ..., up to 2 more, never above 600."""


def seconds_after(attempt: int, waits: wait_base = WAITS) -> float:
    """How long to wait after the attempt of that number."""
    state = RetryCallState(retry_object=Retrying(), fn=None, args=(), kwargs={})
    state.attempt_number = attempt
    return float(waits(state))


def chance() -> float:
    """A number from 0 up to 1."""
    return random()  # noqa: S311  It keeps no secret.
