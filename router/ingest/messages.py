"""What a message says to a router with rules for some streams: sightings of signals, and what it cannot take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from router.decide import entry_for, quarantined
from router.domain.catalogue import Catalogue
from router.domain.ledger import Arrival
from router.domain.notices import RecordEntry
from router.domain.reasons import Code, Reason
from router.domain.rulebook import Rulebook
from router.domain.signals import Quarantined, Signal, Stream
from router.ingest.observations import Sighting
from router.parse import LARGEST_BODY, read, split


class Cut(NamedTuple):
    """How many bytes a body has that is too long to be held, and the digest of them all."""

    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Message:
    """One continuous-export body as it arrived, where it came in, and how people call that place.

    `trace` is the W3C traceparent that came with it. Where it is `cut`, the body is only the beginning of one too long.
    """

    body: bytes = field(repr=False)
    source: str
    arrival: Arrival
    trace: str | None = None
    cut: Cut | None = None


@dataclass(frozen=True, slots=True)
class Unread:
    """What could not be understood in a message, or is on the wrong stream."""

    quarantined: Quarantined
    arrival: Arrival
    source: str


type Reading = Sighting | Unread


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads messages. With `only`, a signal of the other stream is on the wrong one."""

    rulebooks: Mapping[Stream, Rulebook]
    catalogue: Catalogue
    only: Stream | None = None

    def read(self, message: Message) -> list[Reading]:
        """Every signal in a message, in their order, or why it is none."""
        if message.cut is not None:
            return [Unread(_too_large(message.body, message.cut), message.arrival, message.source)]
        understood = read(message.body, self.catalogue)
        if len(understood) == 1:
            return [self._reading(understood[0], message)]
        parts = (
            replace(
                message, body=body, source=f"{message.source}[{place}]", arrival=replace(message.arrival, part=place)
            )
            for place, body in enumerate(split(message.body) or (), 1)
        )
        return [self._reading(signal, part) for signal, part in zip(understood, parts, strict=True)]

    def entry_for(self, unread: Unread, now: datetime) -> RecordEntry:
        """What is put on record of something unread."""
        rulebook = self.rulebooks.get(self.only) if self.only is not None else None
        return entry_for(
            unread.quarantined,
            quarantined(unread.quarantined, rulebook),
            key=unread.arrival.key,
            source=unread.source,
            now=now,
            stream=self.only.value if self.only is not None else None,
        )

    def _reading(self, signal: Signal | Quarantined, message: Message) -> Reading:
        if isinstance(signal, Quarantined):
            return Unread(signal, message.arrival, message.source)
        if signal.stream not in self.rulebooks or (self.only is not None and signal.stream is not self.only):
            where = f"the {self.only} stream" if self.only is not None else "a router without rules for it"
            reason = Reason(Code.WRONG_STREAM, f"{signal.stream} {signal.kind} on {where}")
            return Unread(Quarantined(reason=reason, body=message.body), message.arrival, message.source)
        return Sighting(
            signal=signal,
            arrival=message.arrival,
            source=message.source,
            body=message.body,
            trace=message.trace,
        )


def is_beginning(quarantined: Quarantined) -> bool:
    """Whether only the beginning of a body is in quarantine."""
    return quarantined.reason.code is Code.TOO_LARGE and quarantined.at_fault is not None


def _too_large(beginning: bytes, cut: Cut) -> Quarantined:
    words = f"{cut.size} bytes, which is more than {LARGEST_BODY}; BLAKE2b {cut.digest}, kept are the first {len(beginning)}"
    return Quarantined(reason=Reason(Code.TOO_LARGE, words), body=beginning, at_fault=f"byte {len(beginning) + 1}")
