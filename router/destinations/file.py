"""A file of NDJSON: one line for each notice, or for each entry of the record, with the keys of `object_of`.

Deduplicates nothing: a delivery that is tried again is written again. A notice's `key` and `turn` tell such lines.
Retried: whatever kept the file from being written. Truncated: nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from router.destinations.base import object_of
from router.destinations.config import Config
from router.destinations.wording.fitting import json_bytes, json_text
from router.domain.conversation import AppendLines, Conversation, Deduplication
from router.domain.deliveries import Attempt, Receipt
from router.domain.rulebook import Lane


class FileConfig(Config):
    """`{kind: file, path: FILE}`; a path that is not absolute starts where the router was started."""

    kind: Literal["file"]
    path: Annotated[str, Field(min_length=1, pattern=r"^[^\x00]+$")]


class File:
    """Appends to a file."""

    name: ClassVar[str] = "file"
    lane: ClassVar[Lane] = Lane.ROWS
    deduplicates: ClassVar[Deduplication] = Deduplication.NONE
    batch: ClassVar[int] = 500
    Config: ClassVar[type[FileConfig]] = FileConfig

    def __init__(self, config: FileConfig) -> None:
        self.address = config.path

    def conversation_for(self, attempts: Sequence[Attempt]) -> Conversation:
        """Says what to append, and returns a receipt for each attempt; raises Unavailable for all of them."""
        yield AppendLines(path=self.address, lines=b"".join(map(_line_for, attempts)))
        return [Receipt() for _ in attempts]

    def preview(self, attempt: Attempt) -> str:
        """The line, as JSON over several."""
        return json_text(object_of(attempt))


def _line_for(attempt: Attempt) -> bytes:
    return json_bytes(object_of(attempt)) + b"\n"
