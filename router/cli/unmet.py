"""What an example's messages came to otherwise than it expects."""

from __future__ import annotations

from collections.abc import Iterator

from router.cli.decisions import decision_of
from router.cli.entries import entry_of
from router.cli.rules_report import Unmet
from router.domain.ledger import Arrival
from router.domain.owners import find_owner_of
from router.ingest.messages import Message, MessagePart, MessageReader, NotUnderstood
from router.rulebook import Example


def unmet_in(example: Example, reader: MessageReader, where: str) -> Iterator[Unmet]:
    """Each thing that a message of an example shows otherwise than expected."""
    for place, body in enumerate(example.bodies, 1):
        message = Message(body, where, Arrival("example", place))
        which = f"{example.name} (message {place})" if len(example.bodies) > 1 else example.name
        for part in reader.read_message(message):
            decided = decision_of(entry_of(part, reader, example.now)) | {"owner": owner_of(part, reader)}
            yield from (Unmet(which, what) for what in example.unmet_by(decided).values())


def owner_of(part: MessagePart, reader: MessageReader) -> str | None:
    """What the owner of what a part is about is called; None for nobody, and where the part is not understood."""
    if isinstance(part, NotUnderstood):
        return None
    owner = find_owner_of(part.signal, reader.rulebooks[part.signal.stream].owners)
    return owner.name if owner is not None else None
