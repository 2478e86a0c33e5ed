"""Aggregation: which signals a destination is notified of as one group, what a turn changes in it, and its notices."""

from router.ingest.grouping.aggregator import aggregate_turns, tell_waiting
from router.ingest.grouping.grouping_keys import explain_grouping

__all__ = ["aggregate_turns", "explain_grouping", "tell_waiting"]
