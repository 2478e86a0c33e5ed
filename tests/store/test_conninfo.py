"""Where a state is, and what a server of PostgreSQL is told when a connection to it is opened."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Never

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain.errors import StoreError
from router.store.conninfo import Connector, PostgresqlAddress, parse_state

SECRET = "s3cret/@:#?"


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
        ("postgresql://soc@/alerts?host=/run/pg&host=/run/other", "names a parameter twice"),
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
        ("postgresql://soc@pg.contoso.com/alerts?sslrootcert=system", "sslrootcert: is no parameter"),
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
    state = parse_state(address)
    assert isinstance(state, PostgresqlAddress)
    with pytest.raises(StoreError) as refused:
        asyncio.run(Connector(state).connect())
    (line,) = str(refused.value).splitlines()
    assert line.startswith(said)
    assert "s3cret" not in line


def test_a_password_that_a_server_repeats_is_told_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a proxy does that says what it was told."""

    async def connect(password: str, **_: object) -> Never:
        raise psycopg.OperationalError(f"connection failed: FATAL:  the hour is late: {password}")

    monkeypatch.setattr(psycopg.AsyncConnection, "connect", connect)
    state = parse_state("postgresql://soc:s3cret%2F@pg.contoso.com/alerts")
    assert isinstance(state, PostgresqlAddress)
    with pytest.raises(StoreError) as refused:
        asyncio.run(Connector(state).connect())
    assert str(refused.value) == "pg.contoso.com, database alerts: refuses the connection: the hour is late: ..."
