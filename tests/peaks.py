"""How much memory an act takes."""

import tracemalloc
from collections.abc import Callable


def peak_of(act: Callable[[], object], *, times: int = 3) -> int:
    """The bytes that an act asks for at once at most: the least of several, as other threads' bytes are counted too."""
    return min(_once(act) for _ in range(times))


def _once(act: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        act()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
