"""How much one step of forgetting sees to: a transaction of its own, which is to be short."""

from __future__ import annotations

import json
from collections.abc import Iterable

STEP = 25
"""Decisions, signals or groups that one transaction sees to."""

MANY = 500
"""Rows that go unseen, of which one transaction takes so many."""

FEW = 10
"""Bodies, each of which may be as large as a message, of which one transaction takes so many."""

THOSE = "SELECT value FROM json_each(?)"
"""Selects the values of a list that is bound as JSON."""


def as_json(values: Iterable[str | int]) -> str:
    """Values as `THOSE` takes them."""
    return json.dumps(list(values))
