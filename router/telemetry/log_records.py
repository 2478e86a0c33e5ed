"""What values say in log records: few of them, one line each, their numbers and words also as attributes.

An attribute is called as in metrics. What others may have written is on one bounded line, and a body's words are in none.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence

from router.domain import readable
from router.domain.decisions import Outcome
from router.domain.deliveries import DeliveryState, Settlement
from router.domain.destination_holds import words_of_hold
from router.domain.errors import without_words
from router.domain.notices import RecordEntry
from router.domain.readable import timestamp
from router.telemetry.metrics import (
    DELIVERY,
    DESTINATION,
    LANE,
    PARTITION,
    REASON,
    SIGNALS,
    STATE,
    STREAM,
    Swept,
    code_of,
    outcome_of,
)

LOGGER = "router.telemetry"

NAMED = 20
"""Quarantined messages of one batch that are named one by one; the batch's own line counts them all."""

LONGEST = 500
"""Characters of what others may have written."""

SOURCE = "alert_router.source"
ERROR = "alert_router.error"
EPOCH = "alert_router.hub.epoch"
FIRST = "alert_router.loss.first"
LAST = "alert_router.loss.last"


def record_taken(log: logging.Logger, entries: Sequence[RecordEntry], stream: str) -> None:
    """A line for a batch, and a warning for each of the first messages in it that could not be read."""
    if not entries:
        return
    quarantined = [entry for entry in entries if entry.outcome == Outcome.QUARANTINED]
    for entry in quarantined[:NAMED]:
        code, source = code_of(entry), one_line(entry.source)
        extra = {STREAM: stream, REASON: code, SOURCE: source}
        log.warning("%s: quarantined, %s", source, code, extra=extra)
    counts = Counter(map(outcome_of, entries))
    told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
    numbers = {f"{SIGNALS.name}.{outcome}": count for outcome, count in counts.items()}
    log.info("%s: took %d signals in: %s", stream, len(entries), told, extra={STREAM: stream, **numbers})


def record_delivered(log: logging.Logger, settled: Sequence[Settlement]) -> None:
    """A warning for each delivery that was given up on, and a line for debugging for each other one."""
    is_close = log.isEnabledFor(logging.DEBUG)
    for settlement in settled:
        is_dead = settlement.state is DeliveryState.DEAD
        if not is_dead and not is_close:
            continue
        it, state, error = settlement.delivery, settlement.state.value, one_line(without_words(settlement.error or ""))
        extra = {STREAM: it.stream, DESTINATION: it.destination, LANE: it.lane.value, STATE: state, DELIVERY: it.id}
        log.log(
            logging.WARNING if is_dead else logging.DEBUG,
            "%s: delivery %s is %s: %s",
            it.destination,
            it.id,
            state,
            error or "no trouble",
            extra={**extra, ERROR: error} if error else extra,
        )


def record_swept(log: logging.Logger, swept: Swept) -> None:
    """An error for each loss, a warning for each pause, hold and whatever else people should know, and a line for the sweep."""
    for loss in swept.lost:
        (hub, partition), epoch, (first, last) = loss.epoch.partition, loss.epoch.number, loss.span
        why = one_line(loss.why)
        extra = {PARTITION: partition, EPOCH: epoch, FIRST: first, LAST: last, ERROR: why}
        lost = "%s: partition %s, epoch %d: lost %d to %d: %s"
        log.error(lost, hub, partition, epoch, first, last, why, extra={STREAM: swept.stream, **extra})
    for pause in swept.paused.values():
        error = one_line(without_words(pause.error))
        about = {STREAM: pause.stream, DESTINATION: pause.destination, ERROR: error}
        log.warning("%s: paused since %s: %s", pause.destination, timestamp(pause.since), error, extra=about)
    for hold in swept.held.values():
        about = {STREAM: hold.stream, DESTINATION: hold.destination}
        log.warning("%s: %s", hold.destination, one_line(words_of_hold(hold)), extra=about)
    for warning in swept.warnings:
        log.warning("%s: %s", swept.stream, one_line(warning), extra={STREAM: swept.stream})
    done = {"taken": swept.taken, "released": swept.released, "lost": len(swept.lost)}
    told = ", ".join(f"{count} {what}" for what, count in done.items())
    numbers = {f"alert_router.sweep.{what}": count for what, count in done.items()}
    level = logging.INFO if any(done.values()) else logging.DEBUG
    log.log(level, "%s: swept: %s", swept.stream, told, extra={STREAM: swept.stream, **numbers})


def one_line(text: str) -> str:
    """A text as words alone, on one line of bounded length."""
    return readable.one_line(text[:LONGEST])[:LONGEST]
