"""Takes what is old out of the file.

forgetting      in which order, and how much of it
old_decisions   decisions, with what was delivered for them
old_signals     signals of which nothing came for long enough
old_groups      states of members, groups and windows
old_deliveries  how the deliveries of any of these go
expired         what goes by its date alone: bodies, counts, hits, documents
"""

from router.store.sqlite.forgetting.forgetting import SqliteForgetting
from router.store.sqlite.forgetting.steps import STEP

__all__ = ["STEP", "SqliteForgetting"]
