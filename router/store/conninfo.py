"""Where a state is, as a directory or as the address of a PostgreSQL database, and how that is connected to.

No password is ever repeated: not in an error, not in a repr.

https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from router.domain.errors import StoreError
from router.domain.readable import storable
from router.domain.urls import is_example, is_host, is_loopback
from router.domain.values import Value, repr_without

if TYPE_CHECKING:
    import psycopg

SCHEMES = ("postgresql", "postgres")

FORM = "postgresql://ROLE@HOST/DATABASE"
"""How an address is written; for a Unix socket `postgresql://ROLE@/DATABASE?host=DIRECTORY`."""

_NO_ADDRESS = f"is no address of a database; write {FORM}, and other characters than letters and digits as %XX"

_NO_SOCKET = "host: names no directory of a Unix socket; the name of a server stands behind the @"
_NO_PORT = "port: stands behind the host, as HOST:PORT, or once behind the directory of a socket"

TOKEN_SCOPES = {
    "postgres.database.azure.com": "https://ossrdbms-aad.database.windows.net/.default",
    "postgres.database.usgovcloudapi.net": "https://ossrdbms-aad.database.usgovcloudapi.net/.default",
    "postgres.database.chinacloudapi.cn": "https://ossrdbms-aad.database.chinacloudapi.cn/.default",
}
"""The scope of the token that is the password at Azure's servers, by the end of their names, one for each cloud.

https://learn.microsoft.com/azure/postgresql/security/security-entra-configure#authenticate-with-microsoft-entra-id
"""

_OTHER_ADDRESS = re.compile(r"[^/]*[=@]|[^/]+//")
"""How addresses begin of which a directory would be made: `host=...`, `jdbc:postgresql://`, `postgresql//`, `soc@host`."""

# What fails is raised; psycopg would say it once more, on stderr where no log is set up.
logging.getLogger("psycopg").setLevel(logging.CRITICAL + 1)

_PORT = 5432

_NO_FILE = "/dev/null/none"
"""A file that cannot be there: without a name libpq would look for ~/.pgpass."""

_TOLD: dict[str, Any] = {
    "passfile": _NO_FILE,
    "sslcertmode": "disable",
    "gssencmode": "disable",
    "client_encoding": "UTF8",
    "application_name": "alert-router",
    "options": " ".join(
        f"-c {setting}"
        for setting in (
            "lock_timeout=30s",
            "idle_in_transaction_session_timeout=60s",
            r"default_transaction_isolation=read\ committed",
            "synchronous_commit=on",
            "client_min_messages=warning",
        )
    ),
    "connect_timeout": 10,
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""What libpq is told of each connection, so that it looks for nothing by itself, and a session is set up by us.

A server that is gone is waited for some seconds, and some milliseconds for what it does not acknowledge.
"""

_ENDS_TRANSACTIONS = 170_000
_END_TRANSACTIONS = "SET transaction_timeout = '120s'"
"""A client that hangs between two statements which it sends together is not idle in its transaction, and holds its locks.

Servers from 17 on end that transaction, too. An older one refuses a session that begins with a setting which it does not know.
"""


class PostgresqlAddress(Value, kw_only=True):
    """A database of a server, whose host is its name or address, or the directory of its Unix socket; and who works on it."""

    host: str
    port: int = _PORT
    database: str
    role: str
    password: str | None = None

    __repr__ = repr_without("password")

    def __str__(self) -> str:
        """The address without the password."""
        role, database = quote(self.role, safe=""), quote(self.database, safe="")
        if self.is_socket:
            port = f"&port={self.port}" if self.port != _PORT else ""
            return f"postgresql://{role}@/{database}?host={quote(self.host)}{port}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"postgresql://{role}@{host}{f':{self.port}' if self.port != _PORT else ''}/{database}"

    @property
    def name(self) -> str:
        """The server and the database in words, as errors begin."""
        return f"{self.host}, database {self.database}"

    @property
    def is_socket(self) -> bool:
        """Whether the server is reached by a Unix socket."""
        return self.host.startswith("/")

    @property
    def is_here(self) -> bool:
        """Whether the server is on this machine, so that nothing is encrypted on the way to it."""
        return self.is_socket or is_loopback(self.host)

    @property
    def token_scope(self) -> str | None:
        """The scope of the token that is the password; None where the server is none of Azure's, or a password is there."""
        if self.password is not None:
            return None
        host = self.host.rstrip(".").lower()
        return next((scope for end, scope in TOKEN_SCOPES.items() if host.endswith(f".{end}")), None)


def parse_state(text: str) -> Path | PostgresqlAddress:
    """The directory or the database that a text names; raises ValueError as `parse_address` does."""
    scheme, colon, rest = text.strip().partition(":")
    if scheme.lower() in SCHEMES and colon:
        return parse_address(text.strip())
    if scheme.lower() == "sqlite" and colon:
        text = rest.removeprefix("//")
    if _OTHER_ADDRESS.match(text):
        raise ValueError(f"is no address of a state; write DIRECTORY, sqlite:DIRECTORY or {FORM}")
    if not text.strip():
        raise ValueError("names no directory; name one, such as . for this one")
    return Path(text)


def parse_address(text: str) -> PostgresqlAddress:
    """The address that a URL names; raises ValueError, whose text repeats nothing of it but names of parameters."""
    try:
        url = urlsplit(text)
        port, host = url.port, unquote(url.hostname or "")
    except ValueError:
        raise ValueError(_NO_ADDRESS) from None
    pairs = parse_qsl(url.query, keep_blank_values=True)
    given = dict(pairs)
    mode, directory, beside = given.pop("sslmode", "verify-full"), given.pop("host", None), given.pop("port", None)
    # A database or a role may have any characters, which are escaped in a URL.
    role, database = unquote(url.username or ""), unquote(url.path.removeprefix("/"))
    password = unquote(url.password) if url.password else None
    names, host = f"{role}{database}{host}{directory}{password}", directory or host
    is_url = url.scheme in SCHEMES and text.lower().startswith(f"{url.scheme}://")
    is_number = beside is None or (beside.isdecimal() and beside.isascii() and 0 < int(beside) < 2**16)
    for is_wrong, words in (
        (not is_url or url.fragment or port == 0, _NO_ADDRESS),
        (len({name for name, _ in pairs}) < len(pairs), "names a parameter twice; name it once"),
        (mode != "verify-full", "sslmode: is verify-full beyond this machine, and cannot be another one; leave it out"),
        (given, f"{next(iter(given), '')}: is no parameter that an address may have; leave it out"),
        (directory is not None and not directory.startswith("/"), _NO_SOCKET),
        (beside is not None and (directory is None or port is not None), _NO_PORT),
        (not is_number, "port: is no number of a port"),
        (names != storable(names), "holds a NUL, or bytes that are not UTF-8, which PostgreSQL takes in no name"),
        (directory and url.hostname, "names a host twice; name it once"),
        (not role, f"names no role; write {FORM}"),
        (not database, f"names no database; write {FORM}"),
        (not host.startswith("/") and not is_host(host), f"names no host; write {FORM}"),
        (is_example(host), f"{host!r} ends in .example, which is nobody's and never asked; name your own"),
    ):
        if is_wrong:
            raise ValueError(words)
    port = port or (int(beside) if beside is not None else _PORT)
    return PostgresqlAddress(host=host, port=port, database=database, role=role, password=password)


class Connector(Value):
    """Opens connections to a database.

    Attributes:
        ca_file: the certificate authorities that are trusted; not read where the server is on this machine.
        token: gives the token that is the password. It is asked for each connection: a token ends, and a server looks at it
            only there.
    """

    address: PostgresqlAddress
    ca_file: str | None = None
    token: Callable[[], Awaitable[str]] | None = None

    async def connect(self) -> psycopg.AsyncConnection[Any]:
        """Open a connection, which commits each statement by itself; raises StoreError."""
        import psycopg

        password = await self.token() if self.token is not None else self.address.password
        try:
            connection = await psycopg.AsyncConnection.connect(
                autocommit=True,
                host=self.address.host,
                port=self.address.port,
                dbname=self.address.database,
                user=self.address.role,
                password=password,
                sslmode="prefer" if self.address.is_here else "verify-full",
                sslrootcert=self.ca_file or _NO_FILE,
                **_TOLD,
            )
            if connection.info.server_version >= _ENDS_TRANSACTIONS:
                await connection.execute(_END_TRANSACTIONS)
            return connection
        except (psycopg.Error, OSError) as fault:
            raise StoreError(f"{self.address.name}: {_words_for(fault, password)}") from None


def _words_for(fault: Exception, password: str | None) -> str:
    """What kept a connection from being opened, in one line, without what the server was told."""
    lines = str(fault).strip().splitlines() or [type(fault).__name__]
    # Of several addresses of a host the last one's fault is first; what a server says stands behind its severity.
    said = re.sub("^(connection (failed|is bad): )?(connection to server.* failed: )?", "", lines[0])
    said = said.replace(
        "fe_sendauth: no password supplied", "FATAL: asks for a password; ALERT_ROUTER_STATE may hold it"
    )
    refused = said.partition("FATAL:")[2].strip()
    said = f"refuses the connection: {refused}" if refused else f"cannot be reached: {said}"
    return said.replace(password, "...") if password else said
