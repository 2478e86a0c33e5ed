"""What an incident's row knows of the alerts that the incident named: a short mark of each, as many as a row has room for.

Beyond that it keeps the smallest marks, which are the same whatever order the alerts come in, and how many alerts one message
named at most. So more of them than ever are news, and so are others whose marks are among the smallest; the same again and
fewer are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Set

from router.domain.keys import alert_mark

MOST = 1_000
"""The most alerts that a row knows by their marks."""

_COUNT = re.compile(r"\+([0-9]{1,7})")


def marks_after(known: Set[str], named: Iterable[str]) -> frozenset[str]:
    """What is known once a message has named some alerts, given what was known before."""
    said = {alert_mark(alert) for alert in named}
    counts = {mark: int(found[1]) for mark in known if (found := _COUNT.fullmatch(mark))}
    marks = (known - counts.keys()) | said
    if not counts and len(said) <= MOST:
        return frozenset(marks)
    most = max(len(said), *counts.values()) if counts else len(said)
    return frozenset([*sorted(marks)[:MOST], f"+{most}"])
