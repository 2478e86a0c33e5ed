"""What nobody took in is found and taken in, and only what cannot be read any more is lost, loudly."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.catalogue import Catalogue
from router.domain.journal import Event, Partition, Span
from router.domain.signals import Stream
from router.ingest.event_intake import EventIntake
from router.ingest.gaps import GRACE, READ, GapFiller, GapReport
from router.ingest.intake import Intake
from tests.builders import NOW, a_rulebook
from tests.examples import some_of
from tests.hubs import LONG_AGO, Shelf
from tests.store.opened import Place, open_store

PLACE = Partition("cwpp", "0")
BEFORE = NOW - timedelta(minutes=30)


class Watch:
    """A store, who takes events in, and sweeps over a shelf."""

    def __init__(self, place: Place) -> None:
        self.store = open_store(place)

    def ingest(self, events: Sequence[Event], at: datetime = BEFORE) -> None:
        """The trigger takes events in."""
        asyncio.run(self._event_intake("trigger").ingest_events(PLACE, events, at))

    def sweep(self, shelf: Shelf, now: datetime = NOW) -> GapReport:
        gap_filler = GapFiller(shelf, self.store.journal, self._event_intake("sweep"))
        return asyncio.run(gap_filler.fill_gaps(now))

    def losses(self) -> list[Span]:
        return [loss.span for loss in asyncio.run(self.store.journal.read_losses("cwpp"))]

    def on_record(self, shelf: Shelf, epoch: int = 1) -> int:
        """How many events of the shelf have an outcome."""
        keys = [f"cwpp:{p.id}:{epoch}:{e.sequence}" for p, events in shelf.events.items() for e in events]
        return len(asyncio.run(self.store.record.find_outcomes(keys)))

    def _event_intake(self, process: str) -> EventIntake:
        intake = Intake(self.store, {Stream.CWPP: a_rulebook()}, Catalogue(), Stream.CWPP)
        return EventIntake(intake, self.store.journal, process)


@pytest.fixture
def watch(place: Place) -> Iterator[Watch]:
    """A watch over an empty store."""
    watch = Watch(place)
    yield watch
    asyncio.run(watch.store.close())


def taken(report: GapReport) -> list[str]:
    return [entry.key for entry in report.entries]


def test_a_gap_in_the_middle_is_taken_in_again(watch: Watch) -> None:
    """A batch whose worker died is read again from the hub: just these events, and nobody is told of a loss."""
    shelf = Shelf()
    events = shelf.publish(6)
    watch.ingest(events[:2])
    watch.ingest(events[4:])
    report = watch.sweep(shelf)
    assert (taken(report), shelf.reads) == (["cwpp:0:1:2", "cwpp:0:1:3"], [Span(2, 3)])
    assert (report.losses, watch.losses(), report.lag) == ([], [], {"0": 0})
    assert watch.on_record(shelf) == 6


def test_gaps_that_are_near_are_read_together_and_only_they_are_taken_in(watch: Watch) -> None:
    """A read begins with a connection, so what lies between is read too; it is not taken in once more."""
    shelf = Shelf()
    events = shelf.publish(READ + 20)
    for first, last in ((0, 3), (5, 8), (10, READ + 15)):
        watch.ingest(events[first:last])
    report = watch.sweep(shelf)
    assert taken(report) == [f"cwpp:0:1:{n}" for n in (3, 4, 8, 9, *range(READ + 15, READ + 20))]
    assert shelf.reads == [Span(3, 9), Span(READ + 15, READ + 19)]
    assert report.losses == []


def test_the_last_batch_of_a_quiet_hub_is_taken_in_again(watch: Watch) -> None:
    """The usual loss leaves no gap inside: it is found against the last number that was enqueued."""
    shelf = Shelf()
    watch.ingest(shelf.publish(3))
    shelf.publish(2)
    assert taken(watch.sweep(shelf)) == ["cwpp:0:1:3", "cwpp:0:1:4"]


def test_what_is_young_is_left_to_who_reads_the_hub(watch: Watch) -> None:
    """Inside the grace period nothing is a gap: neither a new event, nor one beside what was taken just now."""
    shelf = Shelf()
    watch.ingest(shelf.publish(1))
    shelf.publish(1, at=NOW - GRACE + timedelta(seconds=1))
    assert taken(watch.sweep(shelf)) == []
    assert taken(watch.sweep(shelf, NOW + timedelta(seconds=1))) == ["cwpp:0:1:1"]


def test_a_reader_at_work_is_not_overtaken(watch: Watch) -> None:
    """While a backlog is being read, its rest is a lag and no gap, however old its events are."""
    shelf = Shelf()
    events = shelf.publish(10)
    watch.ingest(events[:4], at=NOW - timedelta(seconds=30))
    report = watch.sweep(shelf)
    assert (taken(report), report.lag) == ([], {"0": 6})
    assert taken(watch.sweep(shelf, NOW + GRACE)) == [f"cwpp:0:1:{n}" for n in range(4, 10)]


WRONG = NOW + timedelta(days=400)


def test_what_was_taken_in_by_a_wrong_clock_hides_no_gap(watch: Watch) -> None:
    """It is not taken in just now for ever: what is missing before it is found, and so is what comes after it."""
    shelf = Shelf()
    events = shelf.publish(6)
    watch.ingest(events[:2], at=WRONG)
    watch.ingest(events[4:5], at=WRONG)
    assert taken(watch.sweep(shelf)) == [f"cwpp:0:1:{n}" for n in (2, 3, 5)]
    assert watch.sweep(shelf).lag == {"0": 0}


def test_an_event_that_its_hub_dates_in_the_future_is_taken_in(watch: Watch) -> None:
    """Nobody waits for that date."""
    shelf = Shelf()
    watch.ingest(shelf.publish(1))
    shelf.publish(1, at=WRONG)
    assert taken(watch.sweep(shelf)) == ["cwpp:0:1:1"]


def test_a_first_start_raises_no_alarm_and_skips_nothing(watch: Watch) -> None:
    """What the hub held before the first start is taken in; what it had forgotten by then is nobody's loss."""
    shelf = Shelf(partitions=2)
    shelf.publish(10)
    shelf.trim(7)
    report = watch.sweep(shelf)
    assert (taken(report), report.losses, report.warnings) == ([f"cwpp:0:1:{n}" for n in (7, 8, 9)], [], [])
    assert report.lag == {"0": 0, "1": 0}


def test_the_very_first_batch_is_found_though_nothing_before_it_was_taken(watch: Watch) -> None:
    """A worker that dies of its first batch loses nothing."""
    shelf = Shelf()
    events = shelf.publish(4)
    watch.ingest(events[2:])
    assert taken(watch.sweep(shelf)) == ["cwpp:0:1:0", "cwpp:0:1:1"]


def test_new_partitions_raise_no_alarm(watch: Watch) -> None:
    """A hub that grows is watched from the first event of its new partitions on."""
    shelf = Shelf()
    watch.ingest(shelf.publish(1))
    watch.sweep(shelf)
    shelf.events[Partition("cwpp", "1")] = []
    assert watch.sweep(shelf).losses == []
    shelf.publish(1, partition=1)
    assert taken(watch.sweep(shelf)) == ["cwpp:1:1:0"]


def test_what_retention_took_before_anybody_read_it_is_lost_and_said_once(watch: Watch) -> None:
    """Each lost range is reported with its numbers, and the sweep after says nothing of it any more."""
    shelf = Shelf()
    watch.ingest(shelf.publish(2))
    watch.sweep(shelf)
    watch.ingest(shelf.publish(7)[5:])
    shelf.trim(5)
    report = watch.sweep(shelf)
    assert [loss.span for loss in report.losses] == [Span(2, 4)]
    assert taken(report) == ["cwpp:0:1:5", "cwpp:0:1:6"]
    assert (watch.sweep(shelf).losses, watch.losses()) == ([], [Span(2, 4)])


def test_a_hub_that_cannot_be_read_is_no_loss(watch: Watch) -> None:
    """Where the read fails nothing is declared lost, a warning says so, and the next sweep goes on."""
    shelf = Shelf()
    shelf.publish(READ + 150)
    shelf.breaks_at = 2
    report = watch.sweep(shelf)
    assert (len(report.entries), report.losses, len(report.warnings)) == (READ, [], 1)
    shelf.breaks_at = None
    report = watch.sweep(shelf, NOW + GRACE)
    assert (len(report.entries), report.losses, watch.on_record(shelf)) == (150, [], READ + 150)


def test_a_partition_that_says_nothing_keeps_no_other_from_being_filled(watch: Watch) -> None:
    """Its gaps wait for the next sweep, and a warning says so."""
    shelf = Shelf(partitions=2)
    shelf.publish(1, partition=0)
    shelf.publish(1, partition=1)
    shelf.silent = {"0"}
    report = watch.sweep(shelf)
    assert (taken(report), report.losses, len(report.warnings)) == (["cwpp:1:1:0"], [], 1)


def test_what_was_lost_before_the_first_sweep_is_reported_too(watch: Watch) -> None:
    """What was taken in before any sweep says where the hub began, also when it holds that no longer."""
    shelf = Shelf()
    watch.ingest(shelf.publish(2))
    watch.ingest(shelf.publish(4)[2:])
    shelf.trim(4)
    assert [loss.span for loss in watch.sweep(shelf).losses] == [Span(2, 3)]


def test_a_hub_created_anew_begins_a_new_epoch_and_says_what_went_with_the_old_one(watch: Watch) -> None:
    """Numbers begin again without an alarm; only what was known to be missing of the old hub is lost."""
    old = Shelf()
    watch.ingest(old.publish(2))
    watch.sweep(old)
    watch.ingest(old.publish(4)[2:])
    new = Shelf(created=NOW - timedelta(minutes=5))
    new.publish(3, at=NOW - timedelta(minutes=4))
    report = watch.sweep(new)
    assert [loss.span for loss in report.losses] == [Span(2, 3)]
    assert len(report.warnings) == 1
    assert taken(report) == [f"cwpp:0:2:{n}" for n in range(3)]
    again = watch.sweep(new, NOW + GRACE)
    assert (again.warnings, again.losses, again.entries) == ([], [], [])


def test_a_hub_created_anew_that_the_trigger_saw_first_is_one_epoch(watch: Watch) -> None:
    """Whoever notices first begins the epoch; the other goes on in it."""
    old = Shelf()
    watch.ingest(old.publish(6))
    watch.sweep(old)
    new = Shelf(created=NOW - timedelta(minutes=5))
    fresh = new.publish(2, at=NOW - timedelta(minutes=4))
    watch.ingest(fresh[:1], at=NOW - timedelta(minutes=3))
    report = watch.sweep(new)
    assert (taken(report), report.losses) == (["cwpp:0:2:1"], [])


def test_numbers_that_the_hub_never_gave_are_said_to_be_lost(watch: Watch) -> None:
    """If numbers do not count up by one after all, the router says so rather than guess."""
    shelf = Shelf()
    watch.ingest(shelf.publish(2))
    shelf.publish(2, skip=3)
    report = watch.sweep(shelf)
    assert (taken(report), [loss.span for loss in report.losses]) == (["cwpp:0:1:5", "cwpp:0:1:6"], [Span(2, 4)])


@settings(max_examples=some_of(30))
@given(
    st.lists(st.tuples(st.integers(0, 29), st.integers(1, 8)), max_size=8),
    st.lists(st.integers(1, 6), max_size=4),
)
def test_whatever_was_taken_and_wherever_sweeps_break_off_every_event_gets_its_outcome(
    tmp_path_factory: pytest.TempPathFactory, batches: Sequence[tuple[int, int]], breaks: Sequence[int]
) -> None:
    """Batches in any order, overlapping, and sweeps that die half-way: in the end nothing is missing and nothing is lost."""
    watch, shelf = Watch(tmp_path_factory.mktemp("watch")), Shelf()
    events = shelf.publish(30, at=LONG_AGO)
    for first, length in batches:
        watch.ingest(events[first : first + length])
    now = NOW
    for read in breaks:
        shelf.reads, shelf.breaks_at = [], read
        assert watch.sweep(shelf, now).losses == []
        now += GRACE
    shelf.breaks_at = None
    assert watch.sweep(shelf, now).losses == []
    assert watch.on_record(shelf) == 30
    assert watch.sweep(shelf, now + GRACE).entries == []
    asyncio.run(watch.store.close())
