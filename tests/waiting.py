"""Waiting for what is sure to come: a test looks until it sees it, and gives up only where it would wait for ever."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from inspect import isawaitable

PATIENCE = 300.0
"""Seconds after which what has not come never will. No test is about speed: a machine that is busy takes its time."""

_LOOK = 0.02
"""Seconds between two looks."""


async def until(is_so: Callable[[], bool | Awaitable[bool]], *, look: float = _LOOK, within: float = PATIENCE) -> None:
    """Returns once something is so, asked again every `look` seconds; raises TimeoutError after `within`."""
    async with asyncio.timeout(within):
        while not (await answer if isawaitable(answer := is_so()) else answer):
            await asyncio.sleep(look)


def wait_until(
    is_so: Callable[[], bool],
    *,
    goes_on: Callable[[], bool] = lambda: True,
    about: Callable[[], object] = lambda: "it never came true",
    look: float = _LOOK,
) -> None:
    """Returns once something is so; fails, and says what it is about, where something else does not go on until then."""
    patience_ends = time.monotonic() + PATIENCE
    while not is_so():
        assert goes_on(), about()
        assert time.monotonic() < patience_ends, about()
        time.sleep(look)
