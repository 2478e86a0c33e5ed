"""Where a state is, and what a server of PostgreSQL is told when a connection to it is opened."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from struct import unpack

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from router.domain.errors import StoreError
from router.store.conninfo import Connector, PostgresqlAddress, parse_state

SECRET = "s3cret/@:#?"
ELSEWHERE = "0.0.0.0"  # noqa: S104  Linux takes it for this machine; by its name it is beyond loopback.


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (".state", Path(".state")),
        ("sqlite:some/where", Path("some/where")),
        ("sqlite:///some/where", Path("/some/where")),
        ("postgresql://soc@pg.contoso.com/alerts", "postgresql://soc@pg.contoso.com/alerts"),
        (
            "postgres://soc@PG.contoso.com:6432/alerts?sslmode=verify-full",
            "postgresql://soc@pg.contoso.com:6432/alerts",
        ),
        ("POSTGRESQL://soc%40contoso@[::1]/a%20b", "postgresql://soc%40contoso@[::1]/a%20b"),
        ("postgresql://soc@/alerts?host=/run/pg&port=5433", "postgresql://soc@/alerts?host=/run/pg&port=5433"),
        ("postgresql://soc@%2Frun%2Fpg/alerts", "postgresql://soc@/alerts?host=/run/pg"),
        ("postgresql://soc@%2FRun%2fPg:5433/alerts", "postgresql://soc@/alerts?host=/Run/Pg&port=5433"),
        ("sqlite", Path("sqlite")),
        ("postgres", Path("postgres")),
        ("a:b", Path("a:b")),
        ("/srv/a=b@c", Path("/srv/a=b@c")),
    ],
)
def test_a_state_is_a_directory_or_a_database(written: str, meant: object) -> None:
    """As it is said again, it means the same."""
    state = parse_state(written)
    assert state == meant or str(state) == meant
    assert parse_state(str(state)) == state


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("", "names no directory"),
        ("sqlite:", "names no directory"),
        (
            "mysql://soc@pg.contoso.com/alerts",
            "is no address of a state; write DIRECTORY, sqlite:DIRECTORY or postgresql:",
        ),
        ("host=pg.contoso.com dbname=alerts user=soc password=s3cret", "is no address of a state"),
        ("Server=pg.contoso.com;Database=alerts;User Id=soc;Password=s3cret", "is no address of a state"),
        ("jdbc:postgresql://pg.contoso.com/alerts?user=soc&password=s3cret", "is no address of a state"),
        (" soc:s3cret@pg.contoso.com/alerts", "is no address of a state"),
        ("postgresql//soc:s3cret@pg.contoso.com/alerts", "is no address of a state"),
        ("sqlite://soc:s3cret@pg.contoso.com/alerts", "is no address of a state"),
        ("sqlite:postgresql://soc:s3cret@pg.contoso.com/alerts", "is no address of a state"),
        ("postgresql:alerts", "is no address of a database"),
        ("postgresql:", "is no address of a database"),
        ("postgresql://soc:s3cret@pg.contoso.com:0/alerts", "is no address of a database"),
        ("postgresql://soc@/alerts?host=/run/pg&port=0", "port: is no number of a port"),
        ("postgresql://soc@pg.contoso.com/alerts?port=5433", "port: stands behind the host"),
        ("postgresql://soc@/alerts?host=/run/pg&host=/run/other", "names a host twice"),
        (f"postgresql://soc:{SECRET}@pg.contoso.com/alerts", "is no address of a database"),
        ("postgresql://soc:s3cret@pg.contoso.com:port/alerts", "is no address of a database"),
        ("postgresql://soc:s3cret@[pg/alerts", "is no address of a database"),
        ("postgresql://:s3cret@pg.contoso.com/alerts", "names no role"),
        ("postgresql://soc:s3cret@pg.contoso.com", "names no database"),
        ("postgresql://soc:s3cret@/alerts", "names no host"),
        ("postgresql://soc:s3cret@one,other/alerts", "names no host"),
        ("postgresql://soc:s3cret@pg.contoso.example/alerts", "'pg.contoso.example' ends in .example"),
        ("postgresql://soc:s3cret@pg.contoso.com/alerts?host=/run/pg", "names a host twice"),
        ("postgresql://soc@/alerts?host=run", "host: names no directory"),
        ("postgresql://soc:s3cret%00@pg.contoso.com/alerts", "holds a NUL"),
        ("postgresql://soc:s3cret@pg.contoso.com/alerts\udcff", "holds a NUL, or bytes that are not UTF-8"),
        ("postgresql://soc@pg.contoso.com/alerts?sslmode=require", "sslmode: is verify-full beyond this machine"),
        ("postgresql://soc@pg.contoso.com/alerts?sslrootcert=system", "sslrootcert: is not taken here"),
        ("postgresql://soc@pg.contoso.com/alerts?password=s3cret", "password: is no parameter"),
        ("postgresql://soc@pg.contoso.com/alerts?options=-csearch_path%3Ds3cret", "options: is no parameter"),
        ("postgresql://soc@pg.contoso.com/alerts?hostaddr=127.0.0.1", "hostaddr: is no parameter"),
    ],
)
def test_what_is_no_state_is_refused_without_what_it_holds(written: str, complaint: str) -> None:
    """One line, which names a parameter and never a value."""
    with pytest.raises(ValueError, match=re.escape(complaint)) as refused:
        parse_state(written)
    assert str(refused.value).startswith(complaint)
    assert "s3cret" not in str(refused.value)


@given(st.text())
def test_any_text_is_an_address_or_refused(text: str) -> None:
    """Nothing else is raised, and no password is shown."""
    try:
        state = parse_state(f"postgresql://soc:s3cret@{text}")
    except ValueError as refused:
        assert "s3cret" not in str(refused)
    else:
        assert "s3cret" not in f"{state} {state!r}"


@pytest.mark.parametrize(
    ("host", "scope"),
    [
        ("soc.postgres.database.azure.com", "https://ossrdbms-aad.database.windows.net/.default"),
        ("SOC.postgres.database.azure.com.", "https://ossrdbms-aad.database.windows.net/.default"),
        ("soc.postgres.database.usgovcloudapi.net", "https://ossrdbms-aad.database.usgovcloudapi.net/.default"),
        ("soc.postgres.database.chinacloudapi.cn", "https://ossrdbms-aad.database.chinacloudapi.cn/.default"),
        ("postgres.database.azure.com.contoso.com", None),
        ("notpostgres.database.azure.com", None),
        ("postgres.database.azure.com", None),
        ("localhost", None),
    ],
)
def test_a_token_goes_to_azures_servers_alone(host: str, scope: str | None) -> None:
    """That of the cloud; where the address has a password, that one counts."""
    address = PostgresqlAddress(host=host, database="alerts", role="soc")
    assert address.token_scope == scope
    assert PostgresqlAddress(host=host, database="alerts", role="soc", password=SECRET).token_scope is None


@dataclass(slots=True)
class Login:
    """What a server was told by one who wants to log in, and whether the way there was encrypted."""

    parameters: dict[str, str] = field(default_factory=dict)
    password: str = ""
    is_encrypted: bool = False


@dataclass(slots=True)
class Turnstile:
    """A server that asks for a password, writes down what it is told, and lets nobody in."""

    port: int = 0
    authority: trustme.CA = field(default_factory=trustme.CA)
    has_tls: bool = True
    certificate_of: str = ELSEWHERE
    refusal: str = "the hour is late"
    logins: list[Login] = field(default_factory=list)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Turnstile]:
        """At work on a port of its own."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # https://www.postgresql.org/docs/current/protocol-message-formats.html
        login = Login()
        try:
            body = await _startup(reader)
            if body[:4] == b"\x04\xd2\x16\x2f":  # SSLRequest
                writer.write(b"S" if self.has_tls else b"N")
                if not self.has_tls:
                    return
                context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
                self.authority.issue_cert(self.certificate_of).configure_cert(context)
                await writer.start_tls(context)
                login.is_encrypted, body = True, await _startup(reader)
            words = body[4:].rstrip(b"\0").decode().split("\0")
            login.parameters = dict(zip(words[::2], words[1::2], strict=True))
            self.logins.append(login)
            writer.write(b"R" + (8).to_bytes(4) + (3).to_bytes(4))  # AuthenticationCleartextPassword
            await reader.readexactly(1)
            login.password = (await _startup(reader)).rstrip(b"\0").decode()
            words_of_error = f"SFATAL\0C28P01\0M{self.refusal}: {login.password}\0\0".encode()
            writer.write(b"E" + (4 + len(words_of_error)).to_bytes(4) + words_of_error)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # it went away by itself
        finally:
            writer.close()


async def _startup(reader: asyncio.StreamReader) -> bytes:
    (length,) = unpack("!i", await reader.readexactly(4))
    return await reader.readexactly(length - 4)


def refused_by(
    turnstile: Turnstile,
    address: str,
    ca_file: Path | None = None,
    token: Callable[[], Awaitable[str]] | None = None,
    times: int = 1,
) -> list[str]:
    """What is said where a connection is opened, some times over."""

    async def opened() -> list[str]:
        async with turnstile.running():
            state = parse_state(address.format(port=turnstile.port))
            assert isinstance(state, PostgresqlAddress)
            connector = Connector(state, str(ca_file) if ca_file else None, token)
            said = []
            for _ in range(times):
                with pytest.raises(StoreError) as refused:
                    await connector.connect()
                said.append(str(refused.value))
            return said

    return asyncio.run(opened())


@pytest.fixture
def turnstile(tmp_path: Path) -> Turnstile:
    """A turnstile whose authority is in a file."""
    made = Turnstile()
    made.authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    return made


def test_a_server_elsewhere_is_told_all_over_tls_that_is_verified(turnstile: Turnstile, tmp_path: Path) -> None:
    """Who, which database, and what a session sets; the password comes last. Its answer is told without what it repeats."""
    address = "postgresql://soc:s3cret%2F@0.0.0.0:{port}/alerts"
    (said,) = refused_by(turnstile, address, tmp_path / "authority.pem")
    (login,) = turnstile.logins
    assert said == "0.0.0.0, database alerts: refuses the connection: the hour is late: ..."
    assert (login.password, login.is_encrypted) == ("s3cret/", True)
    assert {name: login.parameters.pop(name) for name in ("user", "database", "application_name", "client_encoding")} == {
        "user": "soc", "database": "alerts", "application_name": "alert-router", "client_encoding": "UTF8",
    }  # fmt: skip
    set_ = login.parameters.pop("options")
    assert "lock_timeout=30s" in set_
    assert "idle_in_transaction_session_timeout=60s" in set_
    assert login.parameters == {}


def test_no_password_goes_where_the_certificate_is_another_ones(turnstile: Turnstile, tmp_path: Path) -> None:
    """Of another name, of an unknown authority, or none at all: nothing is told."""
    address, authority = "postgresql://soc:s3cret@0.0.0.0:{port}/alerts", tmp_path / "authority.pem"
    turnstile.certificate_of = "pg.contoso.com"
    (said,) = refused_by(turnstile, address, authority)
    assert said.startswith("0.0.0.0, database alerts: cannot be reached: ")
    turnstile.certificate_of = ELSEWHERE
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    (said,) = refused_by(turnstile, address, tmp_path / "other.pem")
    assert "certificate verify failed" in said
    turnstile.has_tls = False
    (said,) = refused_by(turnstile, address, authority)
    assert "SSL" in said
    assert turnstile.logins == []


def test_on_this_machine_no_certificate_is_needed(turnstile: Turnstile) -> None:
    """Whether it has TLS or not."""
    refused_by(turnstile, "postgresql://soc:s3cret@127.0.0.1:{port}/alerts")
    assert turnstile.logins[0].password == "s3cret"


def test_a_file_of_passwords_in_the_home_directory_is_not_read(
    turnstile: Turnstile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that wants a password gets none."""
    (tmp_path / ".pgpass").write_text("*:*:*:*:from-the-file\n")
    (tmp_path / ".pgpass").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    (said,) = refused_by(turnstile, "postgresql://soc@127.0.0.1:{port}/alerts")
    assert [login.password for login in turnstile.logins] == [""]
    asked = "refuses the connection: asks for a password; ALERT_ROUTER_STATE may hold it"
    assert said == f"127.0.0.1, database alerts: {asked}"


def test_a_token_is_asked_for_each_connection(turnstile: Turnstile, tmp_path: Path) -> None:
    """One that ended is never told again."""
    tokens = iter(["token-1", "token-2"])

    async def token() -> str:
        return next(tokens)

    said = refused_by(turnstile, "postgresql://soc@0.0.0.0:{port}/alerts", tmp_path / "authority.pem", token, times=2)
    assert [login.password for login in turnstile.logins] == ["token-1", "token-2"]
    assert "token-" not in "".join(said)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (
            "postgresql://soc:s3cret@127.0.0.1:1/alerts",
            "127.0.0.1, database alerts: cannot be reached: Connection refused",
        ),
        ("postgresql://soc:s3cret@nowhere.invalid/alerts", "nowhere.invalid, database alerts: cannot be reached: "),
        ("postgresql://soc:s3cret@/alerts?host=/nowhere", "/nowhere, database alerts: cannot be reached: "),
    ],
)
def test_a_server_that_cannot_be_reached_is_named(address: str, said: str) -> None:
    """Server and database, in one line."""
    (line,) = refused_by(Turnstile(), address)
    assert line.startswith(said)
    assert len(line.splitlines()) == 1
    assert "s3cret" not in line
