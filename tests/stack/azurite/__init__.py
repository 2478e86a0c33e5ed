"""Azurite, Microsoft's own emulator of Azure Storage, on free ports of 127.0.0.1.

`with azurite_running() as azurite:` keeps everything in memory, and `azurite.new_account()` is an account that is empty.
Tests share one through the fixture `azurite`. `async with Queue(connection, name) as queue:` is a client of one queue.
"""

from tests.stack.azurite.installation import Installation, installed
from tests.stack.azurite.process import Azurite, azurite_running
from tests.stack.azurite.queues import Queue, QueueMessage, StorageError

__all__ = ["Azurite", "Installation", "Queue", "QueueMessage", "StorageError", "azurite_running", "installed"]
