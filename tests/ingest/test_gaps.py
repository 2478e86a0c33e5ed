"""What was not taken in is found and taken in, and only what cannot be read any more is lost, loudly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.domain.catalogue import Catalogue
from router.domain.hubs import Event, Extent, HubEpoch, Partition, Span
from router.domain.signals import Stream
from router.ingest.event_intake import EventIntake
from router.ingest.gaps import GRACE, READ, GapFiller, GapReport, find_taken_until
from router.ingest.intake import Intake
from router.store.decisions import find_outcomes
from router.store.partitions import HubPartition, Taken, read_losses
from router.store.store import Store
from tests.builders import NOW, a_rulebook
from tests.examples import some_of
from tests.hubs import LONG_AGO, Shelf
from tests.store.acts import run
from tests.store.within import within

PLACE = Partition("cwpp", "0")
BEFORE = NOW - timedelta(minutes=30)
HOUR = timedelta(hours=1)
SECONDS = timedelta(seconds=30)


@dataclass
class Watch:
    """A store, which takes events of a hub in, and sweeps over a shelf."""

    store: Store

    def ingest(self, events: Sequence[Event], at: datetime = BEFORE, hub: str = "cwpp") -> None:
        """The trigger takes events in."""
        run(self._event_intake("trigger").ingest_events(Partition(hub, "0"), events, at))

    def sweep(self, shelf: Shelf, now: datetime = NOW) -> GapReport:
        return run(GapFiller(shelf, self.store, self._event_intake("sweep")).fill_gaps(now))

    def losses(self) -> list[Span]:
        return [loss.span for loss in run(within(self.store, read_losses, "cwpp"))]

    def on_record(self, shelf: Shelf) -> int:
        """How many events of the shelf have an outcome."""
        keys = [f"{p.hub}:{p.id}:1:{e.sequence}" for p, events in shelf.events.items() for e in events]
        return len(run(within(self.store, find_outcomes, keys)))

    def _event_intake(self, process: str) -> EventIntake:
        intake = Intake(self.store, {Stream.CWPP: a_rulebook()}, Catalogue(), Stream.CWPP)
        return EventIntake(intake, self.store, process)


@pytest.fixture
def watch(sqlite: Store) -> Watch:
    """A watch over an empty store."""
    return Watch(sqlite)


def taken(report: GapReport, prefix: str = "cwpp:0:1:") -> list[int]:
    """The numbers that a sweep took in."""
    assert all(entry.key.startswith(prefix) for entry in report.entries)
    return [int(entry.key.removeprefix(prefix)) for entry in report.entries]


def test_gaps_are_taken_in_again_and_those_that_are_near_are_read_together(watch: Watch) -> None:
    """A batch whose worker died is read again from the hub; what lies between is read too, and not taken in once more."""
    shelf = Shelf()
    events = shelf.publish(READ + 20)
    for first, last in ((0, 3), (5, 8), (10, READ + 15)):
        watch.ingest(events[first:last])
    report = watch.sweep(shelf)
    assert taken(report) == [3, 4, 8, 9, *range(READ + 15, READ + 20)]
    assert shelf.reads == [Span(3, 9), Span(READ + 15, READ + 19)]
    assert (report.losses, watch.losses(), report.lag) == ([], [], {"0": 0})
    assert report.taken_until["0"] == NOW - timedelta(minutes=5)


def test_what_is_young_is_left_to_what_reads_the_hub_and_hides_no_gap(watch: Watch) -> None:
    """The rest of a backlog that is read is a lag and no gap; what the reader passed over longer ago than the grace is one."""
    shelf = Shelf()
    events = shelf.publish(12)
    watch.ingest(events[:2])
    watch.ingest(events[3:5], at=NOW - GRACE + SECONDS)
    report = watch.sweep(shelf)
    assert (taken(report), report.lag) == ([], {"0": 7})
    watch.ingest(events[5:7], at=NOW + SECONDS)
    report = watch.sweep(shelf, NOW + SECONDS)
    assert (taken(report), report.lag) == ([2], {"0": 5})
    assert taken(watch.sweep(shelf, NOW + GRACE + SECONDS)) == [*range(7, 12)]
    now = NOW + 3 * GRACE
    shelf.publish(1, at=now - GRACE + SECONDS)
    assert (taken(watch.sweep(shelf, now)), taken(watch.sweep(shelf, now + SECONDS))) == ([], [12])


def test_what_was_taken_in_by_a_wrong_clock_hides_no_gap(watch: Watch) -> None:
    """What is missing before it is found, and so is what comes after it, an event that the hub dates wrong among them."""
    shelf, wrong = Shelf(), NOW + timedelta(days=400)
    events = [*shelf.publish(5), *shelf.publish(1, at=wrong)]
    watch.ingest(events[:2], at=wrong)
    watch.ingest(events[4:5], at=wrong)
    assert taken(watch.sweep(shelf)) == [2, 3, 5]
    assert watch.sweep(shelf).lag == {"0": 0}


def test_a_first_start_raises_no_alarm_and_skips_nothing(watch: Watch) -> None:
    """What the hub held before the first start is taken in; what it had forgotten by then, and partitions that are added later,
    are no loss."""
    shelf = Shelf(partitions=2)
    shelf.publish(10)
    shelf.trim(7)
    watch.ingest(shelf.events[PLACE][2:])
    report = watch.sweep(shelf)
    assert (taken(report), report.losses, report.warnings, report.lag) == ([7, 8], [], [], {"0": 0, "1": 0})
    shelf.events[Partition("cwpp", "2")] = []
    assert watch.sweep(shelf).losses == []
    shelf.publish(1, partition=2)
    assert taken(watch.sweep(shelf), "cwpp:2:1:") == [0]


def test_what_the_hub_holds_no_longer_is_lost_and_said_once(watch: Watch) -> None:
    """What retention took, also before any sweep, and numbers that the hub never gave. What comes late all the same, from a
    reader that had it in hand, is taken in."""
    shelf = Shelf()
    watch.ingest(shelf.publish(2))
    watch.ingest(shelf.publish(4)[2:])
    shelf.trim(4)
    assert [loss.span for loss in watch.sweep(shelf).losses] == [Span(2, 3)]
    events = shelf.publish(7)
    shelf.trim(9)
    shelf.publish(1, skip=3)
    report = watch.sweep(shelf)
    assert [loss.span for loss in report.losses] == [Span(6, 8), Span(13, 15)]
    assert (taken(report), report.lag) == ([9, 10, 11, 12, 16], {"0": 0})
    assert (watch.sweep(shelf).losses, watch.losses()) == ([], [Span(2, 3), Span(6, 8), Span(13, 15)])
    watch.ingest(events[:3], at=NOW)
    assert len(run(within(watch.store, find_outcomes, [f"cwpp:0:1:{n}" for n in range(17)]))) == 12


def test_a_hub_or_a_partition_that_cannot_be_read_is_no_loss(watch: Watch) -> None:
    """Nothing is declared lost, a warning says so, the other partitions are filled, and the next sweep goes on."""
    shelf = Shelf(partitions=2)
    shelf.publish(1, partition=1)
    shelf.silent = {"0"}
    shelf.publish(READ + 150)
    report = watch.sweep(shelf)
    assert (taken(report, "cwpp:1:1:"), report.losses, len(report.warnings)) == ([0], [], 1)
    assert report.find_taken_until() is None
    shelf.silent, shelf.breaks_at = set(), 3
    report = watch.sweep(shelf, NOW + GRACE)
    assert (len(report.entries), report.losses, len(report.warnings)) == (READ, [], 1)
    shelf.breaks_at = None
    report = watch.sweep(shelf, NOW + 2 * GRACE)
    assert (len(report.entries), report.losses, watch.on_record(shelf)) == (150, [], READ + 151)


@pytest.mark.parametrize("is_seen_first", [False, True])
def test_a_hub_created_anew_begins_a_new_epoch_and_says_what_went_with_the_old_one(
    watch: Watch, is_seen_first: bool
) -> None:
    """Numbers begin again without an alarm; what was known to be missing of the old hub is lost, and nothing of the new one,
    whether the trigger saw that first, by a number that was passed, or took some in after the old one's last number."""
    old = Shelf()
    watch.ingest(old.publish(2))
    watch.sweep(old)
    watch.ingest(old.publish(4)[2:])
    new = Shelf(created=NOW - timedelta(minutes=5))
    fresh = new.publish(9, at=NOW - timedelta(minutes=4))
    for some in (fresh[:1],) if is_seen_first else (fresh[6:7], fresh[8:]):
        watch.ingest(some, at=NOW - timedelta(minutes=3))
    report = watch.sweep(new)
    assert watch.losses() == [Span(2, 3)]
    assert (len(report.losses), len(report.warnings)) == ((0, 0) if is_seen_first else (1, 1))
    assert taken(report, "cwpp:0:2:") == [*range(is_seen_first, 9)]
    again = watch.sweep(new, NOW + GRACE)
    assert (again.warnings, again.losses, again.entries) == ([], [], [])


@settings(max_examples=some_of(30), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.uuids(),
    st.lists(st.tuples(st.integers(0, 29), st.integers(1, 8)), max_size=8),
    st.lists(st.integers(1, 6), max_size=4),
)
def test_whatever_was_taken_and_wherever_sweeps_break_off_every_event_gets_its_outcome(
    watch: Watch, hub: object, batches: Sequence[tuple[int, int]], breaks: Sequence[int]
) -> None:
    """Batches in any order, overlapping, and sweeps that die half-way: in the end nothing is missing and nothing is lost."""
    shelf = Shelf(name=str(hub))
    events = shelf.publish(30, at=LONG_AGO)
    for first, length in batches:
        watch.ingest(events[first : first + length], hub=shelf.name)
    now = NOW
    for shelf.breaks_at in (*breaks, None):
        shelf.reads = []
        assert watch.sweep(shelf, now).losses == []
        now += GRACE
    assert watch.on_record(shelf) == 30
    assert watch.sweep(shelf, now).entries == []


def ranges(*some: tuple[int, int, int]) -> list[Taken]:
    """What was taken in of numbers that the hub got up to so many hours ago."""
    return [Taken(Span(first, last), NOW - hours * HOUR, NOW, NOW) for first, last, hours in some]


def test_a_partition_is_taken_in_up_to_what_comes_before_the_first_gap() -> None:
    """Or up to now, where nothing is missing; what is lost is no gap; the first event of all may be of any time."""
    whole, two = ranges((0, 12, 1)), ranges((8, 10, 3), (12, 12, 1))
    cases: list[tuple[int, list[Taken], list[Span], int, datetime | None]] = [
        (0, whole, [], 12, NOW),
        (0, whole, [], 13, NOW - HOUR),
        (8, two, [], 12, NOW - 3 * HOUR),
        (8, two, [Span(11, 11)], 12, NOW),
        (8, ranges((9, 12, 3)), [], 12, None),
        (0, [], [], -1, NOW),
    ]
    for begins, some, lost, last, until in cases:
        known, done = HubPartition(HubEpoch(PLACE, 1), NOW, begins), [*(one.span for one in some), *lost]
        assert find_taken_until(known, some, done, Extent(0, last, NOW), NOW) == until
