"""Takes what is old out of the state.

forgetting  in which order, and what goes by its date alone: bodies, counts, hits, documents
decisions   decisions, and what people were told of rules, with their deliveries
signals     signals of which nothing came for long enough, and states of members, groups and windows
deliveries  how the deliveries of any of these go
"""

from router.store.forgetting.deliveries import STEP
from router.store.forgetting.forgetting import SqlForgetting

__all__ = ["STEP", "SqlForgetting"]
