"""Decides: a signal, a rulebook and an instant become a decision that carries its reason. Pure."""

from router.decide.decision import decide, entry_for, quarantined
from router.decide.explanation import Explanation, explain
from router.decide.notice import iso, notice_for
from router.decide.signal_facts import with_coverage_level

__all__ = [
    "Explanation",
    "decide",
    "entry_for",
    "explain",
    "iso",
    "notice_for",
    "quarantined",
    "with_coverage_level",
]
