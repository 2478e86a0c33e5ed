"""What is measured: the name, unit and attributes of each metric.

Names: https://opentelemetry.io/docs/specs/semconv/general/naming/
Units: https://opentelemetry.io/docs/specs/semconv/general/metrics/#instrument-units

An attribute's values are a closed set of words, the names of a policy's destinations and of suppression rules, or the ids of a
hub's partitions. So the number of time series is bounded, whatever messages say.
"""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Instrument:
    """One metric.

    Attributes:
        name: its name.
        unit: its unit.
        attributes: the names of its attributes; each measure has a value for every one.
        description: what it counts or gauges.
    """

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
    "alert_router.sweep.taken", "{message}", (STREAM,), "Messages that a sweep took in since nobody else had."
)
RELEASED = Instrument(
    "alert_router.sweep.released", "{signal}", (STREAM,), "Signals that came out since no rule holds them any longer."
)
SHADOWED = Instrument(
    "alert_router.shadowed", "{signal}", (STREAM, RULE), "Signals that a shadow rule would have held, by its name."
)
COUNTERS = (SIGNALS, DELIVERIES, LOST, TAKEN, RELEASED, SHADOWED)

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
    "How long a suppression rule still holds; none once it has ended.",
)
GAUGES = (OLDEST, DEAD_LETTERS, SET_ASIDE, LAG, PAUSED, HELD, REMAINING)
