"""The decisions file: one JSON object a line, as other programs read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from router.decide import decide, entry_document, entry_for
from router.destinations.wording.fitting import json_bytes
from router.domain.errors import BadFile
from router.domain.notices import RecordEntry
from router.domain.silences import NO_SILENCES, Silences
from router.domain.values import Value
from router.ingest.messages import MessagePart, MessageReader, NotUnderstood


class DecisionsFile(Value):
    """A file that decisions are written to, in the order in which they are made."""

    path: Path
    file: BinaryIO

    def write(self, entries: Iterable[RecordEntry]) -> None:
        """Write a line for each; raises BadFile."""
        try:
            self.file.writelines(json_bytes(entry_document(entry)) + b"\n" for entry in entries)
            self.file.flush()
        except OSError as fault:
            raise _unwritable(self.path, fault) from fault


@contextmanager
def decisions_at(path: Path) -> Iterator[DecisionsFile]:
    """A new decisions file, whole when the context ends; raises BadFile."""
    try:
        file = path.open("wb")
    except OSError as fault:
        raise _unwritable(path, fault) from fault
    try:
        yield DecisionsFile(path, file)
    finally:
        try:
            file.close()
        except OSError as fault:
            raise _unwritable(path, fault) from fault


def _unwritable(path: Path, fault: OSError) -> BadFile:
    return BadFile(f"{path}: decisions cannot be written there: {fault.strerror}")


def entry_of(part: MessagePart, reader: MessageReader, now: datetime, silences: Silences = NO_SILENCES) -> RecordEntry:
    """Return what would be on record of a part that nothing came before."""
    if isinstance(part, NotUnderstood):
        return reader.entry_for(part, now)
    decision = decide(part.signal, reader.rulebooks[part.signal.stream], now, silences)
    return entry_for(part.signal, decision, key=part.arrival.key, source=part.source, now=now)
