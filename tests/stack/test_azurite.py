"""Storage on loopback, and the ways in which it fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from azure.core.exceptions import AzureError
from azure.data.tables import TableServiceClient
from azure.storage.blob import ContainerClient
from azure.storage.queue import QueueClient

from tests.leash import is_gone
from tests.stack.azurite import Azurite, azurite_running
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
KILLED = """
import os
from tests.stack.azurite import azurite_running
with azurite_running() as azurite:
    print(azurite.pid, flush=True)
    os._exit(0)
"""


def a_queue(connection: str, name: str = "queue") -> QueueClient:
    """A client that neither waits long nor tries twice."""
    return QueueClient.from_connection_string(connection, name, read_timeout=1, retry_total=0)


def test_blobs_queues_and_tables_answer_the_sdks(azurite: Azurite) -> None:
    """All three kinds of storage work with the clients that the router uses, whatever API version these ask for."""
    connection = azurite.new_account()
    with ContainerClient.from_connection_string(connection, "container") as container:
        container.create_container()
        container.upload_blob("blob", b"body")
        assert container.download_blob("blob").readall() == b"body"
    with a_queue(connection) as queue:
        queue.create_queue()
        queue.send_message("message")
        assert [message["content"] for message in queue.peek_messages()] == ["message"]
    with TableServiceClient.from_connection_string(connection) as service:
        table = service.create_table("table")
        table.create_entity({"PartitionKey": "p", "RowKey": "r", "value": 1})
        assert table.get_entity("p", "r")["value"] == 1


def test_accounts_are_strangers_to_each_other(azurite: Azurite) -> None:
    """A test that takes a new account sees nothing of another test, though both use the same names."""
    with a_queue(azurite.new_account()) as one, a_queue(azurite.new_account()) as other:
        one.create_queue()
        other.create_queue()
        one.send_message("mine")
        assert (len(one.peek_messages()), len(other.peek_messages())) == (1, 0)


def test_what_is_taken_away_is_gone_and_what_others_have_by_the_same_name_stays(azurite: Azurite) -> None:
    """Tables, single messages and all of a queue's: Azurite keeps them in lists that all accounts share."""
    one, other = azurite.new_account(), azurite.new_account()
    with a_queue(one) as mine, a_queue(other) as theirs:
        for queue, count in ((mine, 30), (theirs, 3)):
            queue.create_queue()
            for number in range(count):
                queue.send_message(str(number))
        first = next(iter(theirs.receive_messages(messages_per_page=1)))
        theirs.delete_message(first)
        mine.clear_messages()
        assert mine.peek_messages() == []
        assert sorted(message["content"] for message in theirs.peek_messages(max_messages=5)) == ["1", "2"]
        mine.send_message("later")
        mine.delete_message(next(iter(mine.receive_messages())))
        assert mine.get_queue_properties().approximate_message_count == 0
    with (
        TableServiceClient.from_connection_string(one) as mine_too,
        TableServiceClient.from_connection_string(other) as theirs_too,
    ):
        for service in (mine_too, theirs_too):
            service.create_table("table").create_entity({"PartitionKey": "p", "RowKey": "r"})
        mine_too.delete_table("table")
        assert [table.name for table in mine_too.list_tables()] == []
        assert list(mine_too.create_table("table").list_entities()) == []
        assert len(list(theirs_too.get_table_client("table").list_entities())) == 1


def test_paused_storage_hangs_and_answers_again_when_it_is_resumed() -> None:
    """Storage that hangs looks to a client like a server that took its request and says nothing."""
    with azurite_running() as azurite, a_queue(azurite.connection_string) as queue:
        queue.create_queue()
        azurite.pause()
        with pytest.raises(AzureError, match="timed out"):
            queue.send_message("too early")
        azurite.resume()
        queue.send_message("in time")
        assert "in time" in [message["content"] for message in queue.peek_messages(max_messages=5)]


def test_stopped_storage_refuses_and_has_kept_its_data_when_it_is_started_again(tmp_path: Path) -> None:
    """A restart is an outage, no loss, where data is kept in a directory; the way there stays the same."""
    with azurite_running(tmp_path) as azurite, a_queue(azurite.connection_string) as queue:
        queue.create_queue()
        queue.send_message("kept")
        before = azurite.connection_string
        azurite.stop()
        with pytest.raises(AzureError, match="refused"):
            queue.peek_messages()
        azurite.start()
        assert azurite.connection_string == before
        assert [message["content"] for message in queue.peek_messages()] == ["kept"]


def test_storage_ends_with_the_process_that_started_it() -> None:
    """Nothing is left running, also where a test run is killed and can tidy up nothing."""
    said = subprocess.run([sys.executable, "-c", KILLED], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    wait_until(lambda: is_gone(int(said)))
