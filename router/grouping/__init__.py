"""Groups of signals that a destination is told of as one: who belongs together, what a turn makes of it, what is told."""

from router.grouping.gatherer import Gatherer
from router.grouping.gravity import gravity_of
from router.grouping.likeness import account_of

__all__ = ["Gatherer", "account_of", "gravity_of"]
