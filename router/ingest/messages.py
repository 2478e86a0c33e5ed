"""Reads a message into observations of signals, or into why it is not understood, for a router with rules for some streams."""

from __future__ import annotations

from collections.abc import Mapping
from copy import replace
from datetime import datetime
from typing import NamedTuple

from router.decide import entry_for, quarantined, with_coverage_level
from router.domain.catalogue import Catalogue
from router.domain.decisions import Code, Reason
from router.domain.hubs import Arrival
from router.domain.notices import RecordEntry
from router.domain.readable import storable
from router.domain.rulebook import Rulebook
from router.domain.signals import Kind, Quarantined, Signal, Stream
from router.domain.values import Value, repr_without
from router.ingest.observations import Observation, keys_of
from router.parse import LARGEST_BODY, read_signals, split_body


class Cut(NamedTuple):
    """What is known of a body that is too long to be held."""

    size: int
    digest: str


class Message(Value):
    """One continuous-export body as it arrived.

    Attributes:
        body: the body; only its beginning where it is `cut`.
        source: what people call the place where it came in.
    """

    body: bytes
    source: str
    arrival: Arrival
    trace: str | None = None
    cut: Cut | None = None

    __repr__ = repr_without("body")

    def as_storable(self) -> Message:
        """The same with texts that every database holds; those in its body are the parser's."""
        source, trace = storable(self.source), storable(self.trace) if self.trace is not None else None
        return self if (source, trace) == (self.source, self.trace) else replace(self, source=source, trace=trace)


class NotUnderstood(Value):
    """A part of a message that is not understood, or is on the wrong stream."""

    quarantined: Quarantined
    arrival: Arrival
    source: str


type MessagePart = Observation | NotUnderstood
"""What one signal's part of a message says; most messages have one part."""


class MessageReader(Value):
    """Reads messages.

    Attributes:
        only: the one stream that messages come from; a signal of the other stream is then on the wrong one.
    """

    rulebooks: Mapping[Stream, Rulebook]
    catalogue: Catalogue
    only: Stream | None = None

    def read_message(self, message: Message) -> list[MessagePart]:
        """The parts of a message, one for each signal in it, in their order; at least one."""
        if message.cut is not None:
            return [NotUnderstood(_too_large(message.body, message.cut), message.arrival, message.source)]
        understood = read_signals(message.body, self.catalogue)
        if len(understood) == 1:
            return [self._observation_of(understood[0], message)]
        parts = (
            replace(
                message, body=body, source=f"{message.source}[{place}]", arrival=replace(message.arrival, part=place)
            )
            for place, body in enumerate(split_body(message.body) or (), 1)
        )
        return [self._observation_of(signal, part) for signal, part in zip(understood, parts, strict=True)]

    def entry_for(self, not_understood: NotUnderstood, now: datetime) -> RecordEntry:
        """The record's entry of a part that is not understood."""
        rulebook = self.rulebooks.get(self.only) if self.only is not None else None
        return entry_for(
            not_understood.quarantined,
            quarantined(not_understood.quarantined, rulebook),
            key=not_understood.arrival.key,
            source=not_understood.source,
            now=now,
            stream=self.only.value if self.only is not None else None,
        )

    def _observation_of(self, signal: Signal | Quarantined, message: Message) -> MessagePart:
        if isinstance(signal, Quarantined):
            return NotUnderstood(signal, message.arrival, message.source)
        if signal.stream not in self.rulebooks or (self.only is not None and signal.stream is not self.only):
            where = f"the {self.only} stream" if self.only is not None else "a router without rules for it"
            reason = Reason(Code.WRONG_STREAM, f"{signal.stream} {signal.kind} on {where}")
            return NotUnderstood(Quarantined(reason=reason, body=message.body), message.arrival, message.source)
        if signal.kind is Kind.COVERAGE and message.arrival.enqueued is not None:
            reason = Reason(Code.UNKNOWN_SHAPE, "a finding of the router's own, which no hub brings")
            return NotUnderstood(Quarantined(reason=reason, body=message.body), message.arrival, message.source)
        return Observation(
            signal=with_coverage_level(signal, self.rulebooks[signal.stream]),
            keys=keys_of(signal),
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
