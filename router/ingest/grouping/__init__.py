"""Which signals a destination is notified of as one group, what a turn changes in it, and its notices.

group_turns      applies the turns of a batch to groups in the state, and tells on the clock what is due of them
aggregation      what a turn changes in the groups of a destination; pure      lasting_groups  the same of groups that last
grouping_keys    which turns belong together; pure                             limits          how many groups may open; pure
group_notices    the notices of groups; pure
"""

from router.ingest.grouping.group_turns import aggregate_turns, tell_waiting
from router.ingest.grouping.grouping_keys import explain_grouping

__all__ = ["aggregate_turns", "explain_grouping", "tell_waiting"]
