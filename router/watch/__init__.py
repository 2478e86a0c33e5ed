"""What runs on a clock."""

from router.watch.held import release

__all__ = ["release"]
