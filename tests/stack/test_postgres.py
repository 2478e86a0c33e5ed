"""PostgreSQL on a socket, and the ways in which it fails."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import trustme

from tests.leash import is_gone
from tests.stack.postgres import EmptiedDatabase, Postgres, Server, Way, postgres_running
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
KILLED = """
import os
from tests.stack.postgres import postgres_running
with postgres_running() as server:
    print(server.pid, server.directory, flush=True)
    os._exit(0)
"""


def in_database(url: str, statement: str) -> list[tuple[object, ...]]:
    """Runs a statement, committed at once, and gives the rows that it answers."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def test_databases_are_strangers_to_each_other(postgres: Server) -> None:
    """A test that takes a new database sees nothing of another test, though both make tables of the same name."""
    one, other = postgres.new_database(), postgres.new_database()
    for url in (one, other):
        in_database(url, "CREATE TABLE things (place BIGINT)")
    in_database(one, "INSERT INTO things VALUES (1)")
    assert in_database(other, "SELECT * FROM things") == []


def test_text_is_ordered_as_its_bytes_are_and_all_of_unicode_is_kept(postgres: Server) -> None:
    """The server is like none in Azure in this, and asks the same of the router's SQL as SQLite does."""
    answered = in_database(
        postgres.url, "SELECT x FROM (VALUES ('b'), ('é'), ('B'), ('😀'), ('a')) AS v (x) ORDER BY x"
    )
    assert "".join(str(text) for (text,) in answered) == "Babé😀"


def test_a_database_that_is_handed_out_again_is_empty_and_keeps_its_tables(postgres: Server) -> None:
    """Rows go, and so do transactions that a test left open, with their connections; the schema's version stays."""
    with EmptiedDatabase(postgres.new_database()) as database:
        in_database(database.url, "CREATE TABLE things (place BIGINT); CREATE TABLE meta (name TEXT, value TEXT)")
        in_database(database.url, "INSERT INTO meta VALUES ('version', '1'), ('other', '1')")
        with psycopg.connect(database.url) as left:
            left.execute("INSERT INTO things VALUES (1)")
            database.empty()
            with pytest.raises(psycopg.OperationalError):
                left.execute("SELECT 1")
        assert in_database(database.url, "SELECT * FROM things") == []
        assert in_database(database.url, "SELECT name FROM meta") == [("version",)]


@pytest.fixture(scope="module")
def own() -> Iterator[Postgres]:
    """A server that the tests of this file may stop and kill, one after the other."""
    with postgres_running() as server:
        yield server


def test_a_server_that_is_paused_hangs_and_answers_when_it_is_resumed(own: Postgres) -> None:
    """One that hangs looks to a client like one that took its statement and says nothing."""
    with psycopg.connect(own.url, autocommit=True) as connection:
        client = connection.pgconn
        own.pause()
        client.send_query(b"SELECT 7")
        client.consume_input()
        assert client.is_busy()
        own.resume()
        answers = list(iter(client.get_result, None))
        assert [answer.get_value(0, 0) for answer in answers] == [b"7"]


def test_a_server_that_is_killed_refuses_and_has_what_was_committed_when_it_is_started_again(own: Postgres) -> None:
    """The way there stays the same; connections of before are gone, and so is what was not committed."""
    url = own.new_database()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE things (place BIGINT)")
        connection.execute("INSERT INTO things VALUES (1)")
        connection.commit()
        connection.execute("INSERT INTO things VALUES (2)")
        own.kill()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        in_database(url, "SELECT 1")
    own.start()
    assert in_database(url, "SELECT place FROM things") == [(1,)]


def test_a_server_that_is_stopped_takes_other_settings_when_it_is_started_again(own: Postgres) -> None:
    """Such as being read-only, which those of before are not by then."""
    own.stop()
    own.start(default_transaction_read_only="on")
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        in_database(own.url, "CREATE TABLE things (place BIGINT)")
    own.stop()
    own.start()
    in_database(own.url, "CREATE TABLE things (place BIGINT)")


def test_a_server_ends_with_the_process_that_started_it() -> None:
    """Nothing is left running, also where a test run is killed and can tidy up nothing."""
    said = subprocess.run([sys.executable, "-c", KILLED], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    pid, directory = said.split()
    wait_until(lambda: is_gone(int(pid)))
    shutil.rmtree(directory)  # A later run would sweep it away, in a minute at the earliest.


def test_a_way_counts_the_round_trips_of_its_clients(postgres: Server) -> None:
    """Statements that are sent together are one: what counts is how often a client waits."""
    with Way(postgres.url) as way, psycopg.connect(way.to(postgres.url), autocommit=True) as connection:
        before = way.trips
        connection.execute("SELECT 1; SELECT 2")
        connection.execute("SELECT %s", (1,))
        assert way.trips - before == 2
        with connection.pipeline():
            for number in range(10):
                connection.execute("SELECT %s", (number,))
        assert way.trips - before == 3


@pytest.mark.parametrize("is_after", [False, True])
def test_a_way_cuts_a_line_before_the_server_hears_of_a_trip_or_before_its_answer_is_heard(
    postgres: Server, is_after: bool
) -> None:
    """The client cannot tell the one from the other, and must do the right thing in both."""
    url = postgres.new_database()
    in_database(url, "CREATE TABLE things (place BIGINT)")
    with Way(postgres.url) as way, psycopg.connect(way.to(url), autocommit=True) as connection:
        way.cut_at(2, is_after=is_after)
        connection.execute("INSERT INTO things VALUES (1)")
        with pytest.raises(psycopg.OperationalError):
            connection.execute("INSERT INTO things VALUES (2)")
        assert way.trips == 2
    assert len(in_database(url, "SELECT place FROM things")) == 1 + is_after


def test_a_way_speaks_tls_as_a_certificate_allows_it(postgres: Server, tmp_path: Path) -> None:
    """A client that looks at names finds the right one, or goes away; one without TLS is let in by none."""
    authority, other = trustme.CA(), trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    for name, ca in (("ours", authority), ("another", other)):
        ca.cert_pem.write_to_path(str(tmp_path / name))
    with Way(postgres.url, tls) as way:
        url = f"{way.to(postgres.url)}?sslmode=verify-full&sslrootcert={tmp_path}"
        assert in_database(f"{url}/ours", "SELECT 1") == [(1,)]
        with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
            in_database(f"{url}/another", "SELECT 1")
        with pytest.raises(psycopg.OperationalError, match='does not match host name "localhost"'):
            in_database(f"{url}/ours".replace("127.0.0.1", "localhost"), "SELECT 1")
        with pytest.raises(psycopg.OperationalError):
            in_database(f"{way.to(postgres.url)}?sslmode=disable", "SELECT 1")
        assert way.refused_plain == 1
