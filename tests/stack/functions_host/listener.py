"""What every trigger that listens by itself has to offer to its host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Listener(Protocol):
    """Calls one function for as long as the host runs."""

    async def open(self) -> None:
        """Makes ready what it needs, before anything is run."""
        ...

    async def run(self) -> None:
        """Listens until it is cancelled; what it began goes on after that."""
        ...

    async def close(self) -> None:
        """Lets go of its clients, and of what is still under way."""
        ...

    async def backlog(self) -> Sequence[str]:
        """Gives in words what waits for its function, beside what is under way."""
        ...
