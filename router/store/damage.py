"""What is set aside in the quarantine, and how rows of the state that cannot be decoded get there. Pure.

A damaged row harms no other row. It is set aside whole, where people see it, and leaves its table.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from router.domain.decisions import Code, Reason
from router.domain.hubs import Arrival
from router.domain.keys import quarantine_id
from router.domain.signals import Quarantined


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineEntry:
    """A body in quarantine: a message that was not understood, or a damaged row of the state.

    Attributes:
        id: the short id that people call it by.
        source: where it came from, as text for people.
        arrival: where in its source it stood, which is what a retake decides by.
        stream: the stream that it came in on, where that is known.
        at: when it was quarantined.
        quarantined: the reason, the field at fault, and the body.
    """

    id: str
    source: str
    arrival: Arrival
    stream: str | None
    at: datetime
    quarantined: Quarantined


ORIGIN = "state"
"""The origin of quarantined rows, which never came in as messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedRow:
    """A row of the state that cannot be decoded.

    Attributes:
        table: the table that it lay in.
        key: its key there.
        why: what could not be decoded, as text for people.
        stream: its stream, where that can be read.
        addressed_to: the stream and destination of a delivery, as far as they can be read.
        row: all that it holds, as JSON.
    """

    table: str
    key: str
    why: str
    stream: str | None = None
    addressed_to: str = ""
    row: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedLetter:
    """A delivery that was given up on since it cannot be decoded; `damage` is its row. `died` is None where nobody knows."""

    id: str
    died: datetime | None
    error: str
    damage: DamagedRow


def quarantine_entry_of(one: DamagedRow, at: datetime) -> QuarantineEntry:
    """The entry under which a damaged row is set aside in the quarantine; the same row gives the same entry."""
    name = f"{one.table} {one.key}"
    return QuarantineEntry(
        id=quarantine_id(f"{name} {one.row.decode()}"),
        source=f"{ORIGIN}: {name}",
        arrival=Arrival(ORIGIN, 0),
        stream=one.stream,
        at=at,
        quarantined=Quarantined(reason=Reason(Code.DAMAGED, one.why), at_fault=one.why.partition(":")[0], body=one.row),
    )
