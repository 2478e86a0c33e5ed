"""The engines of the state: new states on each, and what its server takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import psutil

from benchmarks.checkouts import Checkout
from tests.stack.postgres import Postgres, postgres_running
from tests.store.opened import Place

ENGINES = ("SQLite", "PostgreSQL")


class Engine(NamedTuple):
    """An engine, and where its states are.

    Attributes:
        server: PostgreSQL's, which flushes each commit to disk as SQLite does; None for SQLite.
    """

    name: str
    directory: Path
    server: Postgres | None

    def new_state(self, checkout: Checkout | None = None) -> Place:
        """Name a place for a state; in a database a checkout's router makes it, in a file who first uses it does."""
        if self.server is None:
            place = self.directory / str(len(list(self.directory.iterdir())))
            place.mkdir()
            return place
        url = self.server.new_database()
        (checkout or Checkout()).run("-m", "router", "state", "upgrade", "--state", url)
        return url

    def cpu(self) -> float:
        """CPU seconds of all of the server's processes so far; 0 for SQLite, which has none."""
        if self.server is None:
            return 0.0
        first = psutil.Process(self.server.process.pid)
        # The first four are its own, and those of its children that have ended.
        return float(sum(sum(one.cpu_times()[:4]) for one in (first, *first.children())))


@contextmanager
def engine_running(name: str) -> Iterator[Engine]:
    """An engine whose states are on disk, and gone when the context ends."""
    with TemporaryDirectory(prefix="states-") as scratch:
        directory = Path(scratch)
        if name == "SQLite":
            yield Engine(name, directory, None)
            return
        # The server has a user of its own.
        directory.chmod(0o711)
        with postgres_running(directory / "server") as server:
            yield Engine(name, directory, server)
