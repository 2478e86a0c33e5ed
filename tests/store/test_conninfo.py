"""Where a state is, and what a server of PostgreSQL is told when a connection to it is opened."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from typing import Never

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain.errors import StoreError
from router.store.conninfo import Connector, PostgresqlAddress, parse_address, parse_state

SECRET = "s3cret/@:#?"


STATES: dict[str, str | Path] = {
    ".state": Path(".state"),
    "sqlite:some/where": Path("some/where"),
    "sqlite:///some/where": Path("/some/where"),
    "postgresql://soc@pg.contoso.com/alerts": "postgresql://soc@pg.contoso.com/alerts",
    "postgres://soc@PG.contoso.com:6432/alerts?sslmode=verify-full": "postgresql://soc@pg.contoso.com:6432/alerts",
    "POSTGRESQL://soc%40contoso@[::1]/a%20b": "postgresql://soc%40contoso@[::1]/a%20b",
    "postgresql://soc@/alerts?host=/run/pg&port=5433": "postgresql://soc@/alerts?host=/run/pg&port=5433",
    "postgresql://soc@%2FRun%2fPg:5433/alerts": "postgresql://soc@/alerts?host=/Run/Pg&port=5433",
    "postgres": Path("postgres"),
    "a:b": Path("a:b"),
    "/srv/a=b@c": Path("/srv/a=b@c"),
}
NO_STATES = {
    "": "names no directory",
    "sqlite:": "names no directory",
    "mysql://soc@pg/alerts": "is no address of a state; write DIRECTORY, sqlite:DIRECTORY or postgresql:",
    "host=pg.contoso.com dbname=alerts user=soc password=s3cret": "is no address of a state",
    "Server=pg.contoso.com;Database=alerts;User Id=soc;Password=s3cret": "is no address of a state",
    "jdbc:postgresql://pg.contoso.com/alerts?user=soc&password=s3cret": "is no address of a state",
    " soc:s3cret@pg.contoso.com/alerts": "is no address of a state",
    "postgresql//soc:s3cret@pg.contoso.com/alerts": "is no address of a state",
    "sqlite://soc:s3cret@pg.contoso.com/alerts": "is no address of a state",
    "sqlite:postgresql://soc:s3cret@pg.contoso.com/alerts": "is no address of a state",
    "postgresql:alerts": "is no address of a database",
    "postgresql://soc:s3cret@pg.contoso.com:0/alerts": "is no address of a database",
    "postgresql://soc@/alerts?host=/run/pg&port=0": "port: is no number of a port",
    "postgresql://soc@pg.contoso.com/alerts?port=5433": "port: stands behind the host",
    "postgresql://soc@/alerts?host=/run/pg&host=/run/other": "names a parameter twice",
    f"postgresql://soc:{SECRET}@pg.contoso.com/alerts": "is no address of a database",
    "postgresql://soc:s3cret@pg.contoso.com:port/alerts": "is no address of a database",
    "postgresql://soc:s3cret@[pg/alerts": "is no address of a database",
    "postgresql://:s3cret@pg.contoso.com/alerts": "names no role",
    "postgresql://soc:s3cret@pg.contoso.com": "names no database",
    "postgresql://soc:s3cret@/alerts": "names no host",
    "postgresql://soc:s3cret@one,other/alerts": "names no host",
    "postgresql://soc:s3cret@pg.contoso.example/alerts": "'pg.contoso.example' ends in .example",
    "postgresql://soc:s3cret@pg.contoso.com/alerts?host=/run/pg": "names a host twice",
    "postgresql://soc@/alerts?host=run": "host: names no directory",
    "postgresql://soc:s3cret%00@pg.contoso.com/alerts": "holds a NUL",
    "postgresql://soc:s3cret@pg.contoso.com/alerts\udcff": "holds a NUL, or bytes that are not UTF-8",
    "postgresql://soc@pg.contoso.com/alerts?sslmode=require": "sslmode: is verify-full beyond this machine",
    "postgresql://soc@pg.contoso.com/alerts?sslrootcert=system": "sslrootcert: is no parameter",
    "postgresql://soc@pg.contoso.com/alerts?password=s3cret": "password: is no parameter",
    "postgresql://soc@pg.contoso.com/alerts?options=-csearch_path%3Ds3cret": "options: is no parameter",
}


def test_a_state_is_a_directory_or_a_database_and_nothing_else(subtests: pytest.Subtests) -> None:
    """As it is said again, it means the same. Else one line names a parameter and never a value."""
    for written, meant in STATES.items():
        with subtests.test(ascii(written)):
            state = parse_state(written)
            assert state == meant or str(state) == meant
            assert parse_state(str(state)) == state
    for written, complaint in NO_STATES.items():
        with subtests.test(ascii(written)):
            with pytest.raises(ValueError, match=f"^{re.escape(complaint)}") as refused:
                parse_state(written)
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


def test_a_token_goes_to_azures_servers_alone() -> None:
    """That of the cloud; where the address has a password, that one counts."""
    for host, cloud in {
        "SOC.postgres.database.azure.com.": "windows.net",
        "soc.postgres.database.usgovcloudapi.net": "usgovcloudapi.net",
        "soc.postgres.database.chinacloudapi.cn": "chinacloudapi.cn",
        "postgres.database.azure.com.contoso.com": None,
        "notpostgres.database.azure.com": None,
        "postgres.database.azure.com": None,
        "localhost": None,
    }.items():
        address = PostgresqlAddress(host=host, database="alerts", role="soc")
        assert address.token_scope == (f"https://ossrdbms-aad.database.{cloud}/.default" if cloud else None), host
        assert replace(address, password=SECRET).token_scope is None


def test_a_server_that_cannot_be_reached_is_named() -> None:
    """Server and database, in one line."""
    for place, said in {
        "127.0.0.1:1/alerts": "127.0.0.1, database alerts: cannot be reached: Connection refused",
        "nowhere.invalid/alerts": "nowhere.invalid, database alerts: cannot be reached: ",
        "/alerts?host=/nowhere": "/nowhere, database alerts: cannot be reached: ",
    }.items():
        with pytest.raises(StoreError, match=f"^{re.escape(said)}.*$") as refused:
            asyncio.run(Connector(parse_address(f"postgresql://soc:s3cret@{place}")).connect())
        assert "s3cret" not in str(refused.value)


def test_a_password_that_a_server_repeats_is_told_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a proxy does that says what it was told."""

    async def connect(password: str, **_: object) -> Never:
        raise psycopg.OperationalError(f"connection failed: FATAL:  the hour is late: {password}")

    monkeypatch.setattr(psycopg.AsyncConnection, "connect", connect)
    with pytest.raises(StoreError) as refused:
        asyncio.run(Connector(parse_address("postgresql://soc:s3cret%2F@pg.contoso.com/alerts")).connect())
    assert str(refused.value) == "pg.contoso.com, database alerts: refuses the connection: the hour is late: ..."
