"""What is counted and logged follows from what rooms returned alone; log records are few and of the right level."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from itertools import repeat
from typing import Any

import pytest
from opentelemetry.sdk.metrics.export import Histogram
from opentelemetry.semconv._incubating.attributes import messaging_attributes as convention

from router.domain.deliveries import Backlog, DeliveryState
from router.domain.notices import RecordEntry
from router.domain.rulebook import Lane
from router.domain.signals import Stream
from router.telemetry import Telemetry, log_records
from router.telemetry import metrics as names
from router.telemetry import metrics as of
from router.telemetry.exposition import SAME, about
from router.telemetry.metrics import FRESH
from tests.builders import NOW
from tests.telemetry.builders import a_claim, a_hold, a_loss, a_pause, an_entry, an_unread_entry, settled, swept
from tests.telemetry.conftest import Listening, Point

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)

type Telling = Callable[[Telemetry], object]


def taken(*batches: Sequence[RecordEntry], stream: str = "cwpp") -> Telling:
    """Batches that came in."""
    return lambda telemetry: list(map(telemetry.record_taken, batches, repeat(stream)))


def swept_with(**found: Any) -> Telling:
    """A sweep that found that."""
    return lambda telemetry: telemetry.record_swept(swept(**found))


HELD_BACK = an_entry("suppressed", "rule: scanner until 2026-12-31T00:00:00Z", severity="Low")
TICKET = settled(a_claim(destination="tickets", lane=Lane.TICKET), DeliveryState.DEAD, error="webhook: answered 400")
UNTRIED = settled(a_claim(), DeliveryState.OWED, spent=False)
OWED = settled(a_claim(), DeliveryState.OWED, error="no answer")
BACKLOG = {
    "oncall": Backlog(Lane.PAGE, NOW - 30 * SECOND, 2),
    "second": Backlog(Lane.PAGE, NOW - 90 * SECOND, 0),
    "third": Backlog(Lane.PAGE, None, 0),
    "tickets": Backlog(Lane.TICKET, NOW + MINUTE, 0),
}
NAMES = ("oncall", "other", "rows", "second", "third", "tickets")

COUNTED: Mapping[str, tuple[Telling, Mapping[of.Instrument, list[Point]]]] = {
    "signals by stream, outcome, the code of the reason, kind and severity; batches add up": (
        taken(
            [an_entry(), HELD_BACK, an_entry(reason="routes: page-high, tickets")],
            [an_entry(), an_entry("repeat", "same")],
        ),
        {
            of.SIGNALS: [
                (("cwpp", "repeat", "same", "alert", "High"), 1),
                (("cwpp", "routed", "routes", "alert", "High"), 3),
                (("cwpp", "suppressed", "rule", "alert", "Low"), 1),
            ]
        },
    ),
    "what shadow rules would have held, for each of them": (
        taken([an_entry(shadowed_by=("one", "two")), an_entry(shadowed_by=("two",)), an_entry()]),
        {of.SHADOWED: [(("cwpp", "one"), 1), (("cwpp", "two"), 2)]},
    ),
    "what could not be read, which has no stream, kind or severity of its own, where it came in": (
        taken([an_unread_entry("not_json: unexpected end")], stream="cspm"),
        {of.SIGNALS: [(("cspm", "quarantined", "not_json", "unknown", "unknown"), 1)]},
    ),
    "attempts by how they ended; what was put back untried, paused or busy, is none": (
        lambda telemetry: telemetry.record_delivered([settled(a_claim()), settled(a_claim()), TICKET, UNTRIED, OWED]),
        {
            of.DELIVERIES: [
                (("cwpp", "oncall", "page", "owed", "opened"), 1),
                (("cwpp", "oncall", "page", "sent", "opened"), 2),
                (("cwpp", "tickets", "ticket", "dead", "opened"), 1),
            ]
        },
    ),
    "an age is never below nothing, though two workers' clocks differ": (
        lambda telemetry: telemetry.record_delivered([settled(a_claim(), after=-MINUTE)]),
        {of.AGE: [(("cwpp", "oncall", "page"), 0)]},
    ),
    "what a sweep did and what is lost, by messages, both ends of a span among them": (
        swept_with(lost=[a_loss(5, 5), a_loss(10, 19)], taken=3, released=2),
        {of.LOST: [(("cwpp",), 11)], of.TAKEN: [(("cwpp",), 3)], of.RELEASED: [(("cwpp",), 2)]},
    ),
    "a sweep that did nothing counts nought: a chart shows that it looked": (swept_with(), {of.LOST: [(("cwpp",), 0)]}),
    "of all destinations of a lane the one that waits longest; a lane where nothing waits says nought": (
        swept_with(backlog=BACKLOG),
        {of.OLDEST: [(("cwpp", "page"), 90), (("cwpp", "rows"), 0), (("cwpp", "ticket"), 0)]},
    ),
    "a destination that is neither paused nor held says so, also one that was never owed anything": (
        swept_with(
            backlog=BACKLOG,
            lag={"0": 7, "1": 0},
            paused={"oncall": a_pause(), "rows": a_pause("rows")},
            held={"tickets": a_hold("tickets"), "other": a_hold("other")},
        ),
        {
            of.DEAD_LETTERS: [
                (("cwpp", "oncall", "page"), 2),
                (("cwpp", "second", "page"), 0),
                (("cwpp", "third", "page"), 0),
                (("cwpp", "tickets", "ticket"), 0),
            ],
            of.LAG: [(("cwpp", "0"), 7), (("cwpp", "1"), 0)],
            of.PAUSED: [(("cwpp", name), name in ("oncall", "rows")) for name in NAMES],
            of.HELD: [(("cwpp", name), name in ("other", "tickets")) for name in NAMES],
        },
    ),
}
"""What is counted, what is told, and what its instruments say then."""


def test_what_rooms_returned_is_counted(subtests: pytest.Subtests) -> None:
    """There is no series for nothing."""
    nothing = Listening()
    nothing.telemetry.record_taken([], "cwpp")
    nothing.telemetry.record_delivered([])
    assert nothing.metrics() == {}
    for what, (tell, counted) in COUNTED.items():
        with subtests.test(what):
            listening = Listening()
            tell(listening.telemetry)
            assert {one: listening.points(one) for one in counted} == counted
            for one, points in counted.items():
                assert scraped_sum(listening, one) == sum(number for _, number in points)


def scraped_sum(listening: Listening, instrument: of.Instrument) -> float:
    """What Prometheus reads of an instrument, over all its series; of a histogram its sum."""
    name, *_ = about(instrument)
    samples = listening.scraped()[name].samples
    return sum(one.value for one in samples if one.name in (name, f"{name}_total", f"{name}_sum"))


def test_only_what_was_sent_has_an_age(listening: Listening) -> None:
    """From when it was owed to when its destination had it, in seconds."""
    unsent = [settled(a_claim(), state, after=MINUTE) for state in (DeliveryState.OWED, DeliveryState.DEAD)]
    sent = [settled(a_claim(), after=seconds * SECOND) for seconds in (2.5, 40)]
    listening.telemetry.record_delivered([*sent, *unsent])
    metric = listening.metrics()[of.AGE.name]
    assert isinstance(metric.data, Histogram)
    (point,) = metric.data.data_points
    assert (point.count, point.sum, point.min, point.max) == (2, 42.5, 2.5, 40)
    assert tuple(point.explicit_bounds) == of.AGES
    assert dict(point.attributes or {}) == dict(zip(of.AGE.attributes, ("cwpp", "oncall", "page"), strict=True))


def test_the_latest_sweep_of_each_stream_counts(listening: Listening) -> None:
    """What an earlier sweep saw is forgotten; the other stream's stays; what sweeps did adds up. A rule is shown with the time
    for which it still holds, and no longer when it has ended."""
    seen: list[dict[str, object]] = [
        {"lag": {"0": 7, "1": 9}, "taken": 3},
        {"stream": "cspm", "lag": {"0": 5}},
        {"lag": {"0": 2}, "taken": 4},
    ]
    for number, found in enumerate(seen):
        holding = {"scanner": NOW + 2 * MINUTE, "pentest": NOW + MINUTE} if number == 0 else {"scanner": NOW + MINUTE}
        listening.telemetry.record_swept(swept(**{"holding": holding, **found}))  # type: ignore[arg-type]
        if number == 0:
            assert listening.points(of.REMAINING) == [(("cwpp", "pentest"), 60), (("cwpp", "scanner"), 120)]
    assert listening.points(of.REMAINING) == [(("cspm", "scanner"), 60), (("cwpp", "scanner"), 60)]
    assert listening.points(of.LAG) == [(("cspm", "0"), 5), (("cwpp", "0"), 2)]
    assert listening.points(of.TAKEN) == [(("cspm",), 0), (("cwpp",), 7)]


def test_a_worker_that_sweeps_no_longer_says_nothing_of_how_things_stand(listening: Listening) -> None:
    """Else it would tell for ever what it saw last, while another worker's sweeps know better."""
    listening.telemetry.record_swept(swept(lag={"0": 7}))
    for later, told in ((FRESH - SAME, 1), (1, 0)):
        listening.seconds += later
        assert len(listening.points(of.LAG)) == told
        assert len(listening.scraped()["alert_router_hub_lag"].samples) == told


def test_every_metric_is_told_under_its_name_with_its_unit_and_its_attributes(listening: Listening) -> None:
    """No more and no fewer attributes than the table of instruments has; a partition is called as the conventions call it:
    https://opentelemetry.io/docs/specs/semconv/registry/attributes/messaging/

    Prometheus reads each, in either form of text: counters from 0 on, whatever comes, and without the time they were made."""
    assert of.PARTITION == convention.MESSAGING_DESTINATION_PARTITION_ID
    before = listening.scraped()
    counted = [sample for family in before.values() if family.type == "counter" for sample in family.samples]
    assert {one.value for one in counted if one.name.startswith("alert_router_")} == {0}
    listening.telemetry.record_taken([an_entry(shadowed_by=("try",))], "cwpp")
    listening.telemetry.record_delivered([settled(a_claim())])
    found = swept(lag={"0": 1}, backlog=BACKLOG, holding={"scanner": NOW}, silences=[NOW + MINUTE, NOW], silent=3)
    listening.telemetry.record_swept(found)
    instruments: list[of.Instrument] = [*of.COUNTERS, of.AGE, *of.GAUGES]
    metrics, scraped, older = listening.metrics(), listening.scraped(), listening.scraped("")
    assert set(metrics) == {one.name for one in instruments}
    for one in instruments:
        told = metrics[one.name]
        assert (told.unit, told.description) == (one.unit, one.description)
        assert {frozenset(point.attributes or {}) for point in told.data.data_points} == {frozenset(one.attributes)}
        name, description, labels = about(one)
        family = scraped[name]
        assert {sample.name.removeprefix(name) for sample in family.samples} <= SUFFIXES[family.type]
        assert {frozenset(sample.labels) - {"le"} for sample in family.samples} == {frozenset(labels)}
        assert (family.documentation, name.endswith("_seconds")) == (description, one.unit == "s")
        assert older[name].samples == family.samples
        assert one is of.SHADOWED or family.type != "counter" or len(family.samples) == len(before[name].samples)
    builds = scraped["alert_router_build_info"].samples
    assert {(one.labels["stream"], one.labels["rulebook"]) for one in builds} == {
        (stream.value, f"hash of {stream}") for stream in Stream
    }
    assert {one.labels["version"] for one in builds} == {"1.2.3"}


SUFFIXES = {"counter": {"_total"}, "gauge": {""}, "histogram": {"_bucket", "_count", "_sum"}}


def test_of_many_rules_those_are_told_of_that_end_first(listening: Listening) -> None:
    """A rulebook may have a hundred thousand, and each of its own series."""
    holding = {f"rule-{number}": NOW + number * MINUTE for number in range(of.SOONEST + 50)}
    listening.telemetry.record_swept(swept(holding=holding))
    assert sorted(left for _, left in listening.points(of.REMAINING)) == [60 * number for number in range(of.SOONEST)]


def test_what_was_read_a_moment_ago_is_read_again(listening: Listening) -> None:
    """However many ask, and however often: to write it takes time from the loops."""
    first = listening.exposition.text("")
    listening.telemetry.record_taken([an_entry()], "cwpp")
    assert listening.exposition.text("text/plain; version=one")[0] is first[0]
    listening.seconds += SAME
    assert listening.exposition.text("")[0] != first[0]


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
    """The code only: the words after it may be the message's own. A file may be called anything, and forges no record. Of a
    flood the first are named one by one, and all are counted."""
    listening.telemetry.record_taken([an_entry(), an_unread_entry("unknown_shape: type X is none", "cwpp/0:9")], "cwpp")
    where = {names.STREAM: "cwpp", names.REASON: "unknown_shape", log_records.SOURCE: "cwpp/0:9"}
    assert listening.attributes(logging.WARNING) == [where]
    listening.telemetry.record_taken([an_unread_entry(source="a\n2026-11-24 ERROR forged.json:1")], "cwpp")
    assert all(record.getMessage().isprintable() for record in listening.records)
    many = [an_unread_entry(source=f"cwpp/0:{number}") for number in range(log_records.NAMED + 5)]
    listening.telemetry.record_taken(many, "cwpp")
    named = [attributes[log_records.SOURCE] for attributes in listening.attributes(logging.WARNING)[2:]]
    assert named == [f"cwpp/0:{number}" for number in range(log_records.NAMED)]
    assert listening.attributes(logging.INFO)[-1]["alert_router.signals.quarantined"] == log_records.NAMED + 5


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
