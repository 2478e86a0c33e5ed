"""The PostgreSQL of tests leaves nothing behind."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.leash import is_gone
from tests.stack.postgres import EmptiedDatabase, Server
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


def test_a_server_ends_with_the_process_that_started_it() -> None:
    """Nothing is left running, also where a test run is killed and can tidy up nothing."""
    said = subprocess.run([sys.executable, "-c", KILLED], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    pid, directory = said.split()
    wait_until(lambda: is_gone(int(pid)))
    shutil.rmtree(directory)  # A later run would sweep it away, in a minute at the earliest.
