"""Messages in batches: each is on disk before the next is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from router.ingest.messages import Message

BATCH = 200
"""Messages that are taken in at a time."""

BATCH_BYTES = 16 * 1024 * 1024
"""Bytes after which a batch takes no further message."""


class Batch:
    """Messages that are taken in together. None is in it twice, also where a file is given twice."""

    def __init__(self) -> None:
        self._messages: dict[str, Message] = {}
        self._size = 0

    def __bool__(self) -> bool:
        return bool(self._messages)

    def takes(self, message: Message) -> bool:
        """Whether there is room for a message."""
        return len(self._messages) < BATCH and self._size < BATCH_BYTES and message.arrival.key not in self._messages

    def add(self, message: Message) -> None:
        """Adds a message."""
        self._messages[message.arrival.key] = message
        self._size += len(message.body)

    def messages(self) -> list[Message]:
        """The messages, in their order."""
        return list(self._messages.values())


def batches_of(messages: Iterable[Message]) -> Iterator[list[Message]]:
    """Messages in batches."""
    batch = Batch()
    for message in messages:
        if not batch.takes(message):
            yield batch.messages()
            batch = Batch()
        batch.add(message)
    if batch:
        yield batch.messages()
