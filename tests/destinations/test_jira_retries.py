"""A resolution of an issue that Jira cannot finish just now: it is tried again, for days."""

from __future__ import annotations

from dataclasses import replace

from router.domain.decisions import Change
from router.domain.errors import Unavailable
from tests.destinations.conversations import replied
from tests.destinations.test_jira import COMMENTED, WAYS, later, shown, steps


def test_a_resolution_that_is_tried_again_is_told_once() -> None:
    """What its first attempt wrote into the issue stands there; each attempt behind it only tries the transition."""
    comments = 0
    for number in range(1, 6):
        attempt = replace(later(Change.RESOLVED), number=number)
        asked, result, _ = steps(attempt, shown(), WAYS, COMMENTED, replied(503))
        assert isinstance(result, Unavailable)
        comments += sum(step.endswith("/comment") for step in asked)
    assert comments == 1
