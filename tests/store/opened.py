"""How tests open a store: nothing else says of what it is made."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from router.store.sqlite import SqliteStore as SqlStore

__all__ = ["SqlStore", "open_store"]


def open_store(place: Path, clock: Callable[[], datetime] | None = None) -> SqlStore:
    """Gives the store in a directory, which is made where there is none; by the clock that a test sets, if it sets one."""
    return SqlStore(place) if clock is None else SqlStore(place, clock)
