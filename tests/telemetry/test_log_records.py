"""Log records are few, of the right level, and say in attributes what they say in words."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from router.domain.deliveries import DeliveryState
from router.telemetry import log_records
from router.telemetry import metrics as names
from tests.builders import NOW
from tests.telemetry.builders import a_claim, a_hold, a_loss, a_pause, an_entry, an_unread_entry, settled, swept
from tests.telemetry.listening import Listening


def test_a_batch_is_one_record_that_counts_outcomes(listening: Listening) -> None:
    """Not one for each message."""
    batch = [an_entry(), an_entry(), an_entry("repeat", "same"), an_entry("below_floor", "floor: Low is below Medium")]
    listening.telemetry.record_taken(batch, "cwpp")
    assert [record.levelno for record in listening.records] == [logging.INFO]
    assert listening.attributes(logging.INFO) == [
        {
            names.STREAM: "cwpp",
            "alert_router.signals.routed": 2,
            "alert_router.signals.repeat": 1,
            "alert_router.signals.below_floor": 1,
        }
    ]


def test_an_empty_batch_is_no_record(listening: Listening) -> None:
    """There is nothing to say."""
    listening.telemetry.record_taken([], "cwpp")
    assert list(listening.records) == []


def test_a_quarantined_message_is_a_warning_that_says_where_it_is_and_why(listening: Listening) -> None:
    """The code only: the words after it may be the message's own."""
    listening.telemetry.record_taken([an_entry(), an_unread_entry("unknown_shape: type X is none", "cwpp/0:9")], "cwpp")
    assert listening.attributes(logging.WARNING) == [
        {names.STREAM: "cwpp", names.REASON: "unknown_shape", log_records.SOURCE: "cwpp/0:9"}
    ]


def test_where_a_message_came_from_cannot_forge_a_record(listening: Listening) -> None:
    """A file may be called anything."""
    listening.telemetry.record_taken([an_unread_entry(source="a\n2026-11-24 ERROR forged.json:1")], "cwpp")
    (warning, _) = listening.records
    assert warning.getMessage().isprintable()


def test_a_flood_of_quarantined_messages_is_named_in_part_and_counted_whole(listening: Listening) -> None:
    """The first are named one by one."""
    many = [an_unread_entry(source=f"cwpp/0:{number}") for number in range(log_records.NAMED + 5)]
    listening.telemetry.record_taken(many, "cwpp")
    named = [attributes[log_records.SOURCE] for attributes in listening.attributes(logging.WARNING)]
    assert named == [f"cwpp/0:{number}" for number in range(log_records.NAMED)]
    (batch,) = listening.attributes(logging.INFO)
    assert batch["alert_router.signals.quarantined"] == log_records.NAMED + 5


def test_a_dead_delivery_is_a_warning_that_names_it(listening: Listening) -> None:
    """With its destination and its last trouble; what was sent or will be tried again is not told at this level."""
    dead = settled(a_claim(), DeliveryState.DEAD, error="pagerduty: answered 400")
    listening.telemetry.record_delivered(
        [settled(a_claim()), dead, settled(a_claim(), DeliveryState.OWED, error="busy")]
    )
    assert [record.levelno for record in listening.records] == [logging.WARNING]
    assert listening.attributes(logging.WARNING) == [
        {
            names.STREAM: "cwpp",
            names.DESTINATION: "oncall",
            names.LANE: "page",
            names.STATE: "dead",
            names.DELIVERY: a_claim().delivery.id,
            log_records.ERROR: "pagerduty: answered 400",
        }
    ]


def test_who_looks_closely_sees_every_delivery() -> None:
    """At debug level, those without trouble too."""
    listening = Listening(logging.DEBUG)
    listening.telemetry.record_delivered([settled(a_claim()), settled(a_claim(), DeliveryState.OWED, error="busy")])
    told = listening.attributes(logging.DEBUG)
    assert [(one[names.STATE], one.get(log_records.ERROR)) for one in told] == [("sent", None), ("owed", "busy")]


def test_each_loss_is_an_error(listening: Listening) -> None:
    """It says which numbers of which partition in which epoch, and why."""
    listening.telemetry.record_swept(swept(lost=[a_loss(5, 9, "gone"), a_loss(12, 12)]))
    first, second = listening.attributes(logging.ERROR)
    assert first == {
        names.STREAM: "cwpp",
        names.PARTITION: "3",
        log_records.EPOCH: 2,
        log_records.FIRST: 5,
        log_records.LAST: 9,
        log_records.ERROR: "gone",
    }
    assert (second[log_records.FIRST], second[log_records.LAST]) == (12, 12)


def test_a_pause_is_a_warning_at_every_sweep(listening: Listening) -> None:
    """A pager that refuses our credentials is nothing to be said once."""
    for minute in range(2):
        at = a_pause().since + timedelta(minutes=minute)
        listening.telemetry.record_swept(swept(at=at, paused={"oncall": a_pause()}))
    told = {names.STREAM: "cwpp", names.DESTINATION: "oncall", log_records.ERROR: "pagerduty: answered 401"}
    assert listening.attributes(logging.WARNING) == [told, told]


def test_a_hold_is_a_warning_at_every_sweep(listening: Listening) -> None:
    """Whoever reads the log because nobody was paged sees who holds the pager, until when and why."""
    for minute in range(2):
        listening.telemetry.record_swept(swept(at=NOW + timedelta(minutes=minute), held={"oncall": a_hold()}))
    first, second = listening.records
    assert first.getMessage() == second.getMessage()
    assert first.getMessage() == (
        "oncall: held by ana since 2026-11-24T12:00:00Z until 2026-11-24T14:00:00Z: the pager is moved"
    )
    assert listening.attributes(logging.WARNING) == [{names.STREAM: "cwpp", names.DESTINATION: "oncall"}] * 2


def test_what_a_sweep_warns_of_is_a_warning(listening: Listening) -> None:
    """Each on a line."""
    listening.telemetry.record_swept(swept(warnings=["partition 3: the hub was created anew"]))
    (record,) = listening.records
    assert (record.levelno, "the hub was created anew" in record.getMessage()) == (logging.WARNING, True)


@pytest.mark.parametrize(
    ("done", "level"),
    [
        ({}, logging.DEBUG),
        ({"taken": 1}, logging.INFO),
        ({"released": 1}, logging.INFO),
    ],
)
def test_a_sweep_that_found_nothing_to_do_is_not_worth_a_line(done: dict[str, int], level: int) -> None:
    """There is one every minute."""
    listening = Listening(logging.DEBUG)
    listening.telemetry.record_swept(replace(swept(), **done))  # type: ignore[arg-type]
    (told,) = listening.attributes(level)
    nothing = {"alert_router.sweep.taken": 0, "alert_router.sweep.released": 0}
    did = {f"alert_router.sweep.{what}": count for what, count in done.items()}
    assert told == {names.STREAM: "cwpp", "alert_router.sweep.lost": 0, **nothing, **did}


def test_what_others_wrote_is_cut() -> None:
    """One character more than fits is left out."""
    assert log_records.one_line("a" * (log_records.LONGEST + 1)) == "a" * log_records.LONGEST
    assert log_records.one_line("a\r\nb\x1b[31m\u2028c") == "a b\\x1b[31m c"
