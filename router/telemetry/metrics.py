"""What is measured, and what values say in numbers. Pure.

Names: https://opentelemetry.io/docs/specs/semconv/general/naming/
Units: https://opentelemetry.io/docs/specs/semconv/general/metrics/#instrument-units

An attribute's values are a closed set of words, the names of a policy's destinations and of suppression rules, or the ids of a
hub's partitions. So the number of time series is bounded, whatever messages say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from heapq import nsmallest
from operator import itemgetter
from typing import NamedTuple

from router.domain.decisions import Code, Outcome
from router.domain.deliveries import Backlog, DeliveryState, Pause, Settlement
from router.domain.destination_holds import DestinationHold
from router.domain.hubs import Loss
from router.domain.notices import RecordEntry
from router.domain.rulebook import Lane
from router.domain.severity import Severity
from router.domain.signals import Kind, Stream
from router.domain.values import Value

STREAM = "alert_router.stream"
OUTCOME = "alert_router.outcome"
REASON = "alert_router.reason"
KIND = "alert_router.kind"
SEVERITY = "alert_router.severity"
DESTINATION = "alert_router.destination"
LANE = "alert_router.lane"
STATE = "alert_router.state"
CHANGE = "alert_router.change"
RULE = "alert_router.rule"
DELIVERY = "alert_router.delivery.id"
"""On spans and log records only: it has no bound."""
PARTITION = "messaging.destination.partition.id"
"""https://opentelemetry.io/docs/specs/semconv/messaging/azure-messaging/#azure-event-hubs"""


class Instrument(NamedTuple):
    """One metric; each measure of it has a value for every one of its attributes."""

    name: str
    unit: str
    attributes: tuple[str, ...]
    description: str


SIGNALS = Instrument(
    "alert_router.signals",
    "{signal}",
    (STREAM, OUTCOME, REASON, KIND, SEVERITY),
    "Signals, and messages that could not be read, by what became of them.",
)
DELIVERIES = Instrument(
    "alert_router.deliveries",
    "{delivery}",
    (STREAM, DESTINATION, LANE, STATE, CHANGE),
    "Attempts at deliveries, by the state in which they left the delivery.",
)
LOST = Instrument(
    "alert_router.lost", "{message}", (STREAM,), "Messages of a hub that were never taken in and never will."
)
TAKEN = Instrument(
    "alert_router.sweep.taken", "{message}", (STREAM,), "Messages that a sweep took in since nothing else had."
)
RELEASED = Instrument(
    "alert_router.sweep.released", "{signal}", (STREAM,), "Signals that came out since no rule holds them any longer."
)
SHADOWED = Instrument(
    "alert_router.shadowed", "{signal}", (STREAM, RULE), "Signals that a shadow rule would have held, by its name."
)
SWEEPS = Instrument("alert_router.sweeps", "{sweep}", (STREAM,), "Sweeps that came to their end.")
COUNTERS = (SIGNALS, DELIVERIES, LOST, TAKEN, RELEASED, SHADOWED, SWEEPS)

AGE = Instrument(
    "alert_router.delivery.age",
    "s",
    (STREAM, DESTINATION, LANE),
    "How old a delivery was when its destination took it: the time from taking a signal in to having told of it.",
)
AGES = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 900, 3600, 6 * 3600, 24 * 3600, 72 * 3600)
"""Bounds of the histogram, in seconds: a page is due within 60 to 120, and nothing grows older than 72 hours."""

OLDEST = Instrument(
    "alert_router.oldest_undelivered", "s", (STREAM, LANE), "How long the oldest open delivery of a lane has been owed."
)
DEAD_LETTERS = Instrument(
    "alert_router.dead_letters", "{delivery}", (STREAM, DESTINATION, LANE), "Deliveries that were given up on."
)
SET_ASIDE = Instrument(
    "alert_router.set_aside", "{row}", (STREAM,), "Rows of the state in quarantine, since they could not be decoded."
)
LAG = Instrument(
    "alert_router.hub.lag", "{message}", (STREAM, PARTITION), "Messages of a hub that are not taken in yet."
)
PAUSED = Instrument(
    "alert_router.paused", "1", (STREAM, DESTINATION), "1 where a destination refuses our credentials, else 0."
)
HELD = Instrument("alert_router.held", "1", (STREAM, DESTINATION), "1 where a person holds a destination, else 0.")
REMAINING = Instrument(
    "alert_router.rule.remaining",
    "s",
    (STREAM, RULE),
    "How long a suppression rule still holds, of those that end first; none once it has ended.",
)
SOONEST = 200
"""Suppression rules of a stream that are told of, at most: those that end first. A rulebook may have a hundred thousand."""

SILENCES = Instrument("alert_router.silences", "{silence}", (STREAM,), "Silences that hold now.")
NEXT_END = Instrument(
    "alert_router.silence.remaining", "s", (STREAM,), "How long the silence that ends first still holds."
)
SILENT = Instrument(
    "alert_router.sources.silent",
    "{source}",
    (STREAM,),
    "Sources of coverage.yaml that fell silent, where it expects any.",
)
GAUGES = (OLDEST, DEAD_LETTERS, SET_ASIDE, LAG, PAUSED, HELD, REMAINING, SILENCES, NEXT_END, SILENT)


class Swept(Value, kw_only=True):
    """What a sweep of a stream reports, when it ended.

    Attributes:
        taken: how many messages it ingested that no consumer had ingested.
        lag: for each partition, how many numbers of its hub are not ingested yet.
        released: how many signals a rule no longer holds.
        ended: how many findings ended because two snapshots came without them.
        backlog, paused, held: what is open and dead, the pauses, and the holds, by destination.
        holding: until when each suppression rule holds that has not ended.
        silences: until when each silence holds that holds now.
        silent: how many sources are silent; None where none is expected.
        set_aside: how many rows of the state are in quarantine because they could not be decoded.
        warnings: lines for people, without a secret.
    """

    stream: str
    at: datetime
    taken: int = 0
    lost: Sequence[Loss] = ()
    lag: Mapping[str, int] = {}
    released: int = 0
    ended: int = 0
    backlog: Mapping[str, Backlog] = {}
    paused: Mapping[str, Pause] = {}
    held: Mapping[str, DestinationHold] = {}
    holding: Mapping[str, datetime] = {}
    silences: Sequence[datetime] = ()
    silent: int | None = None
    set_aside: int = 0
    warnings: Sequence[str] = ()

    def longest_wait_in(self, lane: Lane) -> timedelta:
        """How long the oldest open delivery of a lane has been owed; no time where none is open."""
        owed = (one.oldest for one in self.backlog.values() if one.lane is lane and one.oldest is not None)
        return max((self.at - oldest for oldest in owed), default=timedelta())


UNKNOWN = "unknown"
"""What stands for a severity or kind that a message did not have, and for any word that is not one of ours."""

_STREAMS = frozenset(Stream)
_OUTCOMES = frozenset(Outcome)
_CODES = frozenset(Code)
_KINDS = frozenset(Kind)
_SEVERITIES = frozenset(severity.label for severity in Severity)


class Measure(NamedTuple):
    """A number for an instrument, with the values of its attributes in their order."""

    instrument: Instrument
    amount: float
    words: tuple[str, ...]

    @property
    def attributes(self) -> dict[str, str]:
        """The values of the instrument's attributes by their names."""
        return dict(zip(self.instrument.attributes, self.words, strict=True))


def measures_of_taken(entries: Sequence[RecordEntry], stream: str) -> Iterator[Measure]:
    """How many signals of a batch had which outcome, and why, and how many each shadow rule would have held."""
    signals = Counter(
        (
            _stream_of(entry, stream),
            outcome_of(entry),
            code_of(entry),
            _known(_KINDS, entry.kind),
            _known(_SEVERITIES, entry.severity),
        )
        for entry in entries
    )
    for words, count in signals.items():
        yield Measure(SIGNALS, count, words)
    shadowed = Counter((_stream_of(entry, stream), rule) for entry in entries for rule in entry.shadowed_by)
    for pair, count in shadowed.items():
        yield Measure(SHADOWED, count, pair)


def measures_of_delivered(settled: Sequence[Settlement]) -> Iterator[Measure]:
    """How many attempts ended how, and how old deliveries were when their destinations took them.

    What was put back untried is no attempt.
    """
    attempts = Counter(
        (it.stream, it.destination, it.lane.value, settlement.state.value, it.change.value)
        for settlement in settled
        if settlement.spent and (it := settlement.delivery)
    )
    for words, count in attempts.items():
        yield Measure(DELIVERIES, count, words)
    for settlement in settled:
        if settlement.state is DeliveryState.SENT:
            it = settlement.delivery
            age = max((settlement.at - settlement.claim.born).total_seconds(), 0.0)
            yield Measure(AGE, age, (it.stream, it.destination, it.lane.value))


def measures_of_swept(swept: Swept) -> Iterator[Measure]:
    """What a sweep did, zeros too: so a chart shows that it looked."""
    stream = (swept.stream,)
    yield Measure(LOST, sum(loss.span.last - loss.span.first + 1 for loss in swept.lost), stream)
    yield Measure(TAKEN, swept.taken, stream)
    yield Measure(RELEASED, swept.released, stream)
    yield Measure(SWEEPS, 1, stream)


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
    for name, until in nsmallest(SOONEST, swept.holding.items(), key=itemgetter(1)):
        yield Measure(REMAINING, (until - swept.at).total_seconds(), (stream, name))
    yield Measure(SILENCES, len(swept.silences), (stream,))
    if swept.silences:
        yield Measure(NEXT_END, (min(swept.silences) - swept.at).total_seconds(), (stream,))
    if swept.silent is not None:
        yield Measure(SILENT, swept.silent, (stream,))


FRESH = 180.0
"""Seconds for which what a sweep found is reported as how things stand; sweeps come every minute.

A worker that no longer sweeps goes quiet, and does not tell for ever what it saw last while another's sweeps know better.
"""


class LatestSweeps:
    """How things stand, by the last sweep of each stream. `clock` counts seconds from anywhere and never goes back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._latest: dict[str, tuple[float, Sequence[Measure]]] = {}

    def show(self, swept: Swept) -> None:
        """Have a sweep say how things stand, until the next one or until it is stale."""
        self._latest[swept.stream] = (self._clock(), list(gauges_of_swept(swept)))

    def measures_of(self, gauge: Instrument) -> list[Measure]:
        """Return what a gauge says now."""
        since = self._clock() - FRESH
        # Who collects may do so in a thread of its own.
        fresh = [measures for at, measures in list(self._latest.values()) if at >= since]
        return [one for measures in fresh for one in measures if one.instrument is gauge]


def code_of(entry: RecordEntry) -> str:
    """The code of a decision's reason, without the words after it."""
    return _known(_CODES, entry.reason.partition(":")[0])


def outcome_of(entry: RecordEntry) -> str:
    """A signal's outcome."""
    return _known(_OUTCOMES, entry.outcome)


def _stream_of(entry: RecordEntry, stream: str) -> str:
    """A signal's stream; what could not be read belongs to none but the one it came in on."""
    return _known(_STREAMS, entry.stream if entry.stream is not None else stream)


def _known(words: frozenset[str], word: str | None) -> str:
    """A word that is one of a closed set, also where what came was none."""
    return word if word in words else UNKNOWN
