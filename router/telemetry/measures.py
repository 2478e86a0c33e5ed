"""What values say in numbers; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from router.domain.decisions import Outcome
from router.domain.deliveries import Claim, DeliveryState, Settlement
from router.domain.notices import RecordEntry
from router.domain.reasons import Code
from router.domain.rulebook import Lane
from router.domain.severity import Severity
from router.domain.signals import Kind, Stream
from router.telemetry.instruments import (
    AGE,
    DEAD_LETTERS,
    DELIVERIES,
    HELD,
    LAG,
    LOST,
    OLDEST,
    PAUSED,
    RELEASED,
    REMAINING,
    SET_ASIDE,
    SHADOWED,
    SIGNALS,
    TAKEN,
    Instrument,
)
from router.telemetry.sweeps import Swept

UNKNOWN = "unknown"
"""What stands for a severity or kind that a message did not have, and for any word that is not one of ours."""

_STREAMS = frozenset(Stream)
_OUTCOMES = frozenset(Outcome)
_CODES = frozenset(Code)
_KINDS = frozenset(Kind)
_SEVERITIES = frozenset(severity.label for severity in Severity)


class Measure(NamedTuple):
    """A number for an instrument.

    Attributes:
        instrument: the instrument.
        amount: the number.
        words: the values of the instrument's attributes, in their order.
    """

    instrument: Instrument
    amount: float
    words: tuple[str, ...]

    @property
    def attributes(self) -> dict[str, str]:
        """The values of the instrument's attributes by their names."""
        return dict(zip(self.instrument.attributes, self.words, strict=True))


def measures_of_taken(entries: Sequence[RecordEntry], stream: str) -> Iterator[Measure]:
    """How many signals of a batch had which outcome, and why, and how many each shadow rule would have held."""
    for words, count in Counter(_signal_words(entry, stream) for entry in entries).items():
        yield Measure(SIGNALS, count, words)
    shadowed = Counter((_stream_of(entry, stream), rule) for entry in entries for rule in entry.shadowed_by)
    for words, count in shadowed.items():
        yield Measure(SHADOWED, count, words)


def measures_of_delivered(settled: Sequence[tuple[Claim, Settlement]]) -> Iterator[Measure]:
    """How many attempts ended how; what was put back untried is no attempt."""
    for words, count in Counter(_attempt_words(settlement) for _, settlement in settled if settlement.spent).items():
        yield Measure(DELIVERIES, count, words)


def ages_of_delivered(settled: Sequence[tuple[Claim, Settlement]]) -> Iterator[Measure]:
    """How old deliveries were when their destinations took them."""
    for claim, settlement in settled:
        if settlement.state is DeliveryState.SENT:
            it = settlement.delivery
            age = max((settlement.at - claim.born).total_seconds(), 0.0)
            yield Measure(AGE, age, (it.stream, it.destination, it.lane.value))


def measures_of_swept(swept: Swept) -> Iterator[Measure]:
    """What a sweep did, zeros too: so a chart shows that it looked."""
    stream = (swept.stream,)
    yield Measure(LOST, sum(loss.span.last - loss.span.first + 1 for loss in swept.lost), stream)
    yield Measure(TAKEN, swept.taken, stream)
    yield Measure(RELEASED, swept.released, stream)


def gauges_of_swept(swept: Swept) -> Iterator[Measure]:
    """How things stood when a sweep ended."""
    stream = swept.stream
    for lane in Lane:
        yield Measure(OLDEST, max(swept.longest_wait_in(lane).total_seconds(), 0.0), (stream, lane.value))
    for name, backlog in swept.backlog.items():
        yield Measure(DEAD_LETTERS, backlog.dead, (stream, name, backlog.lane.value))
    yield Measure(SET_ASIDE, swept.set_aside, (stream,))
    for partition, lag in swept.lag.items():
        yield Measure(LAG, lag, (stream, partition))
    for name in sorted({*swept.backlog, *swept.paused, *swept.held}):
        yield Measure(PAUSED, int(name in swept.paused), (stream, name))
        yield Measure(HELD, int(name in swept.held), (stream, name))
    for name, until in swept.holding.items():
        yield Measure(REMAINING, (until - swept.at).total_seconds(), (stream, name))


def code_of(entry: RecordEntry) -> str:
    """The code of a decision's reason, without the words after it."""
    return _known(_CODES, entry.reason.partition(":")[0])


def outcome_of(entry: RecordEntry) -> str:
    """A signal's outcome."""
    return _known(_OUTCOMES, entry.outcome)


def _signal_words(entry: RecordEntry, stream: str) -> tuple[str, ...]:
    return (
        _stream_of(entry, stream),
        outcome_of(entry),
        code_of(entry),
        _known(_KINDS, entry.kind),
        _known(_SEVERITIES, entry.severity),
    )


def _stream_of(entry: RecordEntry, stream: str) -> str:
    """A signal's stream; what could not be read belongs to none but the one it came in on."""
    return _known(_STREAMS, entry.stream if entry.stream is not None else stream)


def _attempt_words(settlement: Settlement) -> tuple[str, ...]:
    it = settlement.delivery
    return it.stream, it.destination, it.lane.value, settlement.state.value, it.change.value


def _known(words: frozenset[str], word: str | None) -> str:
    """A word that is one of a closed set, also where what came was none."""
    return word if word in words else UNKNOWN
