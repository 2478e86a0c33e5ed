"""What runs on a clock."""

from router.watch.held import release
from router.watch.holes import GRACE, Filled, HoleFiller
from router.watch.sweeping import Sweeper
from router.watch.waiting import admit

__all__ = ["GRACE", "Filled", "HoleFiller", "Sweeper", "admit", "release"]
