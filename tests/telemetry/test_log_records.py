"""Log records are few, of the right level, and say in attributes what they say in words."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from router.domain.deliveries import DeliveryState
from router.telemetry import log_records
from router.telemetry import metrics as names
from tests.builders import NOW
from tests.telemetry.builders import a_claim, a_hold, a_loss, a_pause, an_entry, an_unread_entry, settled, swept
from tests.telemetry.listening import Listening


def test_a_batch_is_one_record_that_counts_outcomes(listening: Listening) -> None:
    """Not one for each message; and none of an empty batch."""
    listening.telemetry.record_taken([], "cwpp")
    assert list(listening.records) == []
    batch = [an_entry(), an_entry(), an_entry("repeat", "same"), an_entry("below_floor", "floor: Low is below Medium")]
    listening.telemetry.record_taken(batch, "cwpp")
    counts = {
        f"alert_router.signals.{name}": count for name, count in (("routed", 2), ("repeat", 1), ("below_floor", 1))
    }
    assert [record.levelno for record in listening.records] == [logging.INFO]
    assert listening.attributes(logging.INFO) == [{names.STREAM: "cwpp", **counts}]


def test_a_quarantined_message_is_a_warning_that_says_where_it_is_and_why(listening: Listening) -> None:
    """The code only: the words after it may be the message's own. A file may be called anything, and forges no record."""
    listening.telemetry.record_taken([an_entry(), an_unread_entry("unknown_shape: type X is none", "cwpp/0:9")], "cwpp")
    where = {names.STREAM: "cwpp", names.REASON: "unknown_shape", log_records.SOURCE: "cwpp/0:9"}
    assert listening.attributes(logging.WARNING) == [where]
    listening.telemetry.record_taken([an_unread_entry(source="a\n2026-11-24 ERROR forged.json:1")], "cwpp")
    assert all(record.getMessage().isprintable() for record in listening.records)


def test_a_flood_of_quarantined_messages_is_named_in_part_and_counted_whole(listening: Listening) -> None:
    """The first are named one by one."""
    many = [an_unread_entry(source=f"cwpp/0:{number}") for number in range(log_records.NAMED + 5)]
    listening.telemetry.record_taken(many, "cwpp")
    named = [attributes[log_records.SOURCE] for attributes in listening.attributes(logging.WARNING)]
    assert named == [f"cwpp/0:{number}" for number in range(log_records.NAMED)]
    (batch,) = listening.attributes(logging.INFO)
    assert batch["alert_router.signals.quarantined"] == log_records.NAMED + 5


def test_a_dead_delivery_is_a_warning_that_names_it() -> None:
    """With its destination and its last trouble; who looks closely sees at debug level what was sent or will be tried again."""
    owed = settled(a_claim(), DeliveryState.OWED, error="busy")
    dead = settled(a_claim(), DeliveryState.DEAD, error="pagerduty: answered 400")
    listening = Listening(logging.DEBUG)
    listening.telemetry.record_delivered([settled(a_claim()), dead, owed])
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
    told = [(one[names.STATE], one.get(log_records.ERROR)) for one in listening.attributes(logging.DEBUG)]
    assert told == [("sent", None), ("owed", "busy")]
    assert len(listening.records) == 3


def test_each_loss_is_an_error(listening: Listening) -> None:
    """It says which numbers of which partition in which epoch, and why; what a sweep warns of is a warning, each on a line."""
    warning = "partition 3: the hub was created anew"
    listening.telemetry.record_swept(swept(lost=[a_loss(5, 9, "gone"), a_loss(12, 12)], warnings=[warning]))
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
    (warned,) = [record for record in listening.records if record.levelno == logging.WARNING]
    assert warning in warned.getMessage()


def test_a_pause_and_a_hold_are_warnings_at_every_sweep(listening: Listening) -> None:
    """A pager that refuses our credentials is nothing to be said once. Whoever reads the log because nobody was paged sees who
    holds the pager, until when and why."""
    for minute in range(2):
        at = NOW + timedelta(minutes=minute)
        listening.telemetry.record_swept(swept(at=at, paused={"oncall": a_pause()}))
        listening.telemetry.record_swept(swept(at=at, held={"oncall": a_hold()}))
    where = {names.STREAM: "cwpp", names.DESTINATION: "oncall"}
    paused = {**where, log_records.ERROR: "pagerduty: answered 401"}
    assert listening.attributes(logging.WARNING) == [paused, where] * 2
    held = "oncall: held by ana since 2026-11-24T12:00:00Z until 2026-11-24T14:00:00Z: the pager is moved"
    assert [record.getMessage() for record in listening.records[1::2]] == [held, held]


def test_a_sweep_that_found_nothing_to_do_is_not_worth_a_line(subtests: pytest.Subtests) -> None:
    """There is one every minute."""
    for taken, released, level in ((0, 0, logging.DEBUG), (1, 0, logging.INFO), (0, 1, logging.INFO)):
        with subtests.test(taken=taken, released=released):
            listening = Listening(logging.DEBUG)
            listening.telemetry.record_swept(swept(taken=taken, released=released))
            did = {"taken": taken, "released": released, "lost": 0}
            told = {f"alert_router.sweep.{what}": count for what, count in did.items()}
            assert listening.attributes(level) == [{names.STREAM: "cwpp", **told}]


def test_what_others_wrote_is_cut() -> None:
    """One character more than fits is left out."""
    assert log_records.one_line("a" * (log_records.LONGEST + 1)) == "a" * log_records.LONGEST
    assert log_records.one_line("a\r\nb\x1b[31m\u2028c") == "a b\\x1b[31m c"
