"""An event loop in which waiting takes no time: its clock goes on as far as anybody waits."""

import asyncio
import selectors
from collections.abc import Coroutine, Sequence
from typing import Any


class _Skipping(selectors.SelectSelector):
    """A selector that does not wait, and counts the seconds for which it should have, where nothing was there at once."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def select(self, timeout: float | None = None) -> Sequence[tuple[selectors.SelectorKey, int]]:  # type: ignore[override]
        found = super().select(0)
        self.seconds += 0.0 if found else timeout or 0.0
        return found


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        return self._skipping.seconds


def run_at_once[T](work: Coroutine[Any, Any, T]) -> T:
    """What comes of some work whose clock begins at 0; it has a day."""

    async def bounded() -> T:
        async with asyncio.timeout(24 * 3600):
            return await work

    with asyncio.Runner(loop_factory=_VirtualLoop) as runner:
        return runner.run(bounded())


def clock() -> float:
    """The seconds since the work began."""
    return asyncio.get_running_loop().time()
