"""What is counted follows from what rooms returned, and from nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from opentelemetry.sdk.metrics.export import Histogram
from opentelemetry.semconv._incubating.attributes import messaging_attributes as convention

from router.domain.deliveries import Backlog, DeliveryState
from router.domain.rulebook import Lane
from router.telemetry.metrics import (
    AGE,
    AGES,
    COUNTERS,
    DEAD_LETTERS,
    DELIVERIES,
    GAUGES,
    HELD,
    LAG,
    LOST,
    OLDEST,
    PARTITION,
    PAUSED,
    RELEASED,
    REMAINING,
    SHADOWED,
    SIGNALS,
    TAKEN,
    Instrument,
)
from router.telemetry.open_telemetry import FRESH
from tests.builders import NOW
from tests.telemetry.builders import a_claim, a_hold, a_loss, a_pause, an_entry, an_unread_entry, settled, swept
from tests.telemetry.listening import Listening

MINUTE = timedelta(minutes=1)


def test_signals_are_counted_by_what_became_of_them(listening: Listening) -> None:
    """Stream, outcome, the code of the reason, kind and severity; batches add up."""
    suppressed = an_entry("suppressed", "rule: scanner until 2026-12-31T00:00:00Z", severity="Low")
    listening.telemetry.record_taken([an_entry(), suppressed, an_entry(reason="routes: page-high, tickets")], "cwpp")
    listening.telemetry.record_taken([an_entry(), an_entry("repeat", "same")], "cwpp")
    assert listening.points(SIGNALS) == [
        (("cwpp", "repeat", "same", "alert", "High"), 1),
        (("cwpp", "routed", "routes", "alert", "High"), 3),
        (("cwpp", "suppressed", "rule", "alert", "Low"), 1),
    ]


def test_what_shadow_rules_would_have_held_is_counted_by_rule(listening: Listening) -> None:
    """A signal counts for each of them."""
    listening.telemetry.record_taken(
        [an_entry(shadowed_by=("one", "two")), an_entry(shadowed_by=("two",)), an_entry()], "cwpp"
    )
    assert listening.points(SHADOWED) == [(("cwpp", "one"), 1), (("cwpp", "two"), 2)]


def test_what_could_not_be_read_counts_where_it_came_in(listening: Listening) -> None:
    """It has no stream, kind or severity of its own."""
    listening.telemetry.record_taken([an_unread_entry("not_json: unexpected end")], "cspm")
    assert listening.points(SIGNALS) == [(("cspm", "quarantined", "not_json", "unknown", "unknown"), 1)]


def test_an_empty_batch_counts_nothing(listening: Listening) -> None:
    """There is no series for nothing."""
    listening.telemetry.record_taken([], "cwpp")
    listening.telemetry.record_delivered([])
    assert listening.metrics() == {}


def test_attempts_are_counted_by_how_they_ended(listening: Listening) -> None:
    """Stream, destination, lane, state and change."""
    tickets = a_claim(destination="tickets", lane=Lane.TICKET)
    listening.telemetry.record_delivered(
        [settled(a_claim()), settled(a_claim()), settled(tickets, DeliveryState.DEAD, error="webhook: answered 400")]
    )
    assert listening.points(DELIVERIES) == [
        (("cwpp", "oncall", "page", "sent", "opened"), 2),
        (("cwpp", "tickets", "ticket", "dead", "opened"), 1),
    ]


def test_what_was_put_back_untried_is_no_attempt(listening: Listening) -> None:
    """A destination that is paused or busy does not look as if it failed."""
    listening.telemetry.record_delivered(
        [
            settled(a_claim(), DeliveryState.OWED, spent=False),
            settled(a_claim(), DeliveryState.OWED, error="no answer"),
        ]
    )
    assert listening.points(DELIVERIES) == [(("cwpp", "oncall", "page", "owed", "opened"), 1)]


def test_only_what_was_sent_has_an_age(listening: Listening) -> None:
    """From when it was owed to when its destination had it, in seconds."""
    listening.telemetry.record_delivered(
        [
            settled(a_claim(), after=timedelta(seconds=2.5)),
            settled(a_claim(), after=timedelta(seconds=40)),
            settled(a_claim(), DeliveryState.OWED, error="no answer", after=MINUTE),
            settled(a_claim(), DeliveryState.DEAD, error="no answer", after=MINUTE),
        ]
    )
    metric = listening.metrics()[AGE.name]
    assert isinstance(metric.data, Histogram)
    (point,) = metric.data.data_points
    assert (point.count, point.sum, point.min, point.max) == (2, 42.5, 2.5, 40)
    assert tuple(point.explicit_bounds) == AGES
    assert dict(point.attributes or {}) == dict(zip(AGE.attributes, ("cwpp", "oncall", "page"), strict=True))


def test_an_age_is_never_below_nothing(listening: Listening) -> None:
    """Two workers' clocks differ."""
    listening.telemetry.record_delivered([settled(a_claim(), after=-MINUTE)])
    assert listening.points(AGE) == [(("cwpp", "oncall", "page"), 0)]


def test_a_sweep_counts_what_it_did_and_what_is_lost(listening: Listening) -> None:
    """Losses count their messages, both ends of a span among them."""
    found = swept(lost=[a_loss(5, 5), a_loss(10, 19)], taken=3, released=2)
    listening.telemetry.record_swept(found)
    listening.telemetry.record_swept(found)
    counted = {one: listening.points(one) for one in (LOST, TAKEN, RELEASED)}
    assert counted == {
        LOST: [(("cwpp",), 22)],
        TAKEN: [(("cwpp",), 6)],
        RELEASED: [(("cwpp",), 4)],
    }


def test_a_sweep_that_did_nothing_counts_nought(listening: Listening) -> None:
    """A chart shows that it looked."""
    listening.telemetry.record_swept(swept())
    assert listening.points(LOST) == [(("cwpp",), 0)]


def test_the_oldest_undelivered_is_told_for_each_lane(listening: Listening) -> None:
    """Of all destinations of a lane the one that waits longest counts; a lane where nothing waits says nought."""
    backlog = {
        "oncall": Backlog(Lane.PAGE, NOW - timedelta(seconds=30), 0),
        "second": Backlog(Lane.PAGE, NOW - timedelta(seconds=90), 0),
        "third": Backlog(Lane.PAGE, None, 0),
        "tickets": Backlog(Lane.TICKET, NOW + MINUTE, 0),
    }
    listening.telemetry.record_swept(swept(backlog=backlog))
    assert listening.points(OLDEST) == [(("cwpp", "page"), 90), (("cwpp", "rows"), 0), (("cwpp", "ticket"), 0)]


def test_dead_letters_lag_pauses_and_holds_are_told_as_they_stand(listening: Listening) -> None:
    """A destination that is neither paused nor held says so, also one that is and was never owed anything."""
    listening.telemetry.record_swept(
        swept(
            backlog={"oncall": Backlog(Lane.PAGE, None, 2), "tickets": Backlog(Lane.TICKET, None, 0)},
            lag={"0": 7, "1": 0},
            paused={"oncall": a_pause(), "rows": a_pause("rows")},
            held={"tickets": a_hold("tickets"), "other": a_hold("other")},
        )
    )
    assert listening.points(DEAD_LETTERS) == [(("cwpp", "oncall", "page"), 2), (("cwpp", "tickets", "ticket"), 0)]
    assert listening.points(LAG) == [(("cwpp", "0"), 7), (("cwpp", "1"), 0)]
    names = ("oncall", "other", "rows", "tickets")
    assert listening.points(PAUSED) == [(("cwpp", name), name in ("oncall", "rows")) for name in names]
    assert listening.points(HELD) == [(("cwpp", name), name in ("other", "tickets")) for name in names]


def test_a_rule_is_shown_with_the_time_for_which_it_still_holds(listening: Listening) -> None:
    """Whoever wrote it can be asked in time whether it should end; a rule that has ended is shown no longer."""
    listening.telemetry.record_swept(swept(holding={"scanner": NOW + 2 * MINUTE, "pentest": NOW + MINUTE}))
    assert listening.points(REMAINING) == [(("cwpp", "pentest"), 60), (("cwpp", "scanner"), 120)]
    listening.telemetry.record_swept(swept(holding={"scanner": NOW + MINUTE}))
    assert listening.points(REMAINING) == [(("cwpp", "scanner"), 60)]


def test_the_latest_sweep_of_each_stream_counts(listening: Listening) -> None:
    """What an earlier sweep saw is forgotten; the other stream's stays."""
    listening.telemetry.record_swept(swept(lag={"0": 7, "1": 9}))
    listening.telemetry.record_swept(swept("cspm", lag={"0": 5}))
    listening.telemetry.record_swept(swept(lag={"0": 2}))
    assert listening.points(LAG) == [(("cspm", "0"), 5), (("cwpp", "0"), 2)]


@pytest.mark.parametrize(("later", "told"), [(FRESH, 1), (FRESH + 1, 0)])
def test_a_worker_that_sweeps_no_longer_says_nothing_of_how_things_stand(
    listening: Listening, later: float, told: int
) -> None:
    """Else it would tell for ever what it saw last, while another worker's sweeps know better."""
    listening.telemetry.record_swept(swept(lag={"0": 7}))
    listening.seconds += later
    assert len(listening.points(LAG)) == told


def test_every_metric_is_told_under_its_name_with_its_unit_and_its_attributes(listening: Listening) -> None:
    """No more and no fewer attributes than the table of instruments has."""
    listening.telemetry.record_taken([an_entry(shadowed_by=("try",))], "cwpp")
    listening.telemetry.record_delivered([settled(a_claim())])
    backlog = {"oncall": Backlog(Lane.PAGE, NOW, 1)}
    listening.telemetry.record_swept(swept(lag={"0": 1}, backlog=backlog, holding={"scanner": NOW}))
    instruments: list[Instrument] = [*COUNTERS, AGE, *GAUGES]
    metrics = listening.metrics()
    assert set(metrics) == {one.name for one in instruments}
    for one in instruments:
        told = metrics[one.name]
        assert (told.unit, told.description) == (one.unit, one.description)
        assert {frozenset(point.attributes or {}) for point in told.data.data_points} == {frozenset(one.attributes)}


def test_a_partition_is_called_as_the_conventions_call_it() -> None:
    """https://opentelemetry.io/docs/specs/semconv/registry/attributes/messaging/"""
    assert PARTITION == convention.MESSAGING_DESTINATION_PARTITION_ID
