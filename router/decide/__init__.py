"""Decides: a signal, a rulebook and an instant become a decision that carries its reason. Pure.

`explanation` says all of it in words; only commands and tests ask it.
"""

from router.decide.decision import decide, entry_document, entry_for, quarantined
from router.decide.notice import iso, notice_for
from router.decide.signal_facts import with_coverage_level

__all__ = [
    "decide",
    "entry_document",
    "entry_for",
    "iso",
    "notice_for",
    "quarantined",
    "with_coverage_level",
]
