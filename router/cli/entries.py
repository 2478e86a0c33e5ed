"""What would be on record of a part of a message: for commands that only decide, and so need nothing that delivers."""

from __future__ import annotations

from datetime import datetime

from router.decide import decide, entry_for
from router.domain.notices import RecordEntry
from router.domain.silences import NO_SILENCES, Silences
from router.ingest.messages import MessagePart, MessageReader, NotUnderstood


def entry_of(part: MessagePart, reader: MessageReader, now: datetime, silences: Silences = NO_SILENCES) -> RecordEntry:
    """What would be on record of a part that nothing came before."""
    if isinstance(part, NotUnderstood):
        return reader.entry_for(part, now)
    decision = decide(part.signal, reader.rulebooks[part.signal.stream], now, silences)
    return entry_for(part.signal, decision, key=part.arrival.key, source=part.source, now=now)
