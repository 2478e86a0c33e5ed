"""What was not taken in is found and taken in, and only what cannot be read any more is lost, loudly."""

from __future__ import annotations

from collections.abc import Sequence
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


class Watch:
    """A store, which takes events of a hub in, and sweeps over a shelf."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def ingest(self, events: Sequence[Event], at: datetime = BEFORE, hub: str = "cwpp") -> None:
        """The trigger takes events in."""
        run(self._event_intake("trigger").ingest_events(Partition(hub, "0"), events, at))

    def sweep(self, shelf: Shelf, now: datetime = NOW) -> GapReport:
        return run(GapFiller(shelf, self.store, self._event_intake("sweep")).fill_gaps(now))

    def losses(self) -> list[Span]:
        return [loss.span for loss in run(within(self.store, read_losses, "cwpp"))]

    def on_record(self, shelf: Shelf, epoch: int = 1) -> int:
        """How many events of the shelf have an outcome."""
        keys = [f"{p.hub}:{p.id}:{epoch}:{e.sequence}" for p, events in shelf.events.items() for e in events]
        return len(run(within(self.store, find_outcomes, keys)))

    def _event_intake(self, process: str) -> EventIntake:
        intake = Intake(self.store, {Stream.CWPP: a_rulebook()}, Catalogue(), Stream.CWPP)
        return EventIntake(intake, self.store, process)


@pytest.fixture
def watch(store: Store) -> Watch:
    """A watch over an empty store."""
    return Watch(store)


def taken(report: GapReport) -> list[str]:
    return [entry.key for entry in report.entries]


def test_gaps_are_taken_in_again_and_those_that_are_near_are_read_together(watch: Watch) -> None:
    """A batch whose worker died is read again from the hub; what lies between is read too, and not taken in once more."""
    shelf = Shelf()
    events = shelf.publish(READ + 20)
    for first, last in ((0, 3), (5, 8), (10, READ + 15)):
        watch.ingest(events[first:last])
    report = watch.sweep(shelf)
    assert taken(report) == [f"cwpp:0:1:{n}" for n in (3, 4, 8, 9, *range(READ + 15, READ + 20))]
    assert shelf.reads == [Span(3, 9), Span(READ + 15, READ + 19)]
    assert (report.losses, watch.losses(), report.lag, report.taken_until["0"]) == (
        [], [], {"0": 0}, NOW - timedelta(minutes=5),
    )  # fmt: skip


def test_what_is_young_is_left_to_what_reads_the_hub(watch: Watch) -> None:
    """Inside the grace period nothing is a gap: neither a new event, nor one beside what was taken just now."""
    shelf = Shelf()
    watch.ingest(shelf.publish(1))
    shelf.publish(1, at=NOW - GRACE + timedelta(seconds=1))
    assert taken(watch.sweep(shelf)) == []
    assert taken(watch.sweep(shelf, NOW + timedelta(seconds=1))) == ["cwpp:0:1:1"]


def test_a_reader_at_work_is_not_overtaken_and_hides_no_gap(watch: Watch) -> None:
    """The rest of a backlog that is read is a lag and no gap; what the reader passed over longer ago than the grace is one."""
    shelf = Shelf()
    events = shelf.publish(12)
    watch.ingest(events[:2])
    watch.ingest(events[3:5], at=NOW - GRACE + timedelta(seconds=30))
    report = watch.sweep(shelf)
    assert (taken(report), report.lag) == ([], {"0": 7})
    watch.ingest(events[5:7], at=NOW + timedelta(seconds=20))
    report = watch.sweep(shelf, NOW + timedelta(seconds=30))
    assert (taken(report), report.lag) == (["cwpp:0:1:2"], {"0": 5})
    assert taken(watch.sweep(shelf, NOW + timedelta(seconds=30) + GRACE)) == [f"cwpp:0:1:{n}" for n in range(7, 12)]


WRONG = NOW + timedelta(days=400)


def test_what_was_taken_in_by_a_wrong_clock_hides_no_gap(watch: Watch) -> None:
    """What is missing before it is found, and so is what comes after it, an event that the hub dates wrong among them."""
    shelf = Shelf()
    events = [*shelf.publish(5), *shelf.publish(1, at=WRONG)]
    watch.ingest(events[:2], at=WRONG)
    watch.ingest(events[4:5], at=WRONG)
    assert taken(watch.sweep(shelf)) == [f"cwpp:0:1:{n}" for n in (2, 3, 5)]
    assert watch.sweep(shelf).lag == {"0": 0}


def test_a_first_start_raises_no_alarm_and_skips_nothing(watch: Watch) -> None:
    """What the hub held before the first start is taken in; what it had forgotten by then, and partitions that are added later,
    are no loss."""
    shelf = Shelf(partitions=2)
    shelf.publish(10)
    shelf.trim(7)
    watch.ingest(shelf.events[PLACE][2:])
    report = watch.sweep(shelf)
    assert (taken(report), report.losses, report.warnings) == (["cwpp:0:1:7", "cwpp:0:1:8"], [], [])
    assert report.lag == {"0": 0, "1": 0}
    shelf.events[Partition("cwpp", "2")] = []
    assert watch.sweep(shelf).losses == []
    shelf.publish(1, partition=2)
    assert taken(watch.sweep(shelf)) == ["cwpp:2:1:0"]


def test_what_the_hub_holds_no_longer_is_lost_and_said_once(watch: Watch) -> None:
    """What retention took, and numbers that the hub never gave; the sweep after says nothing of them any more."""
    shelf = Shelf()
    watch.ingest(shelf.publish(2))
    watch.sweep(shelf)
    shelf.publish(7)
    shelf.trim(5)
    shelf.publish(1, skip=3)
    report = watch.sweep(shelf)
    assert [loss.span for loss in report.losses] == [Span(2, 4), Span(9, 11)]
    assert (taken(report), report.lag) == ([f"cwpp:0:1:{n}" for n in (5, 6, 7, 8, 12)], {"0": 0})
    assert (watch.sweep(shelf).losses, watch.losses()) == ([], [Span(2, 4), Span(9, 11)])


def test_what_was_lost_before_the_first_sweep_is_reported_too(watch: Watch) -> None:
    """What was taken in before any sweep says where the hub began, also when it holds that no longer."""
    shelf = Shelf()
    watch.ingest(shelf.publish(2))
    watch.ingest(shelf.publish(4)[2:])
    shelf.trim(4)
    assert [loss.span for loss in watch.sweep(shelf).losses] == [Span(2, 3)]


def test_what_was_lost_and_comes_late_is_taken_in(watch: Watch) -> None:
    """A reader may still have had it in hand."""
    shelf = Shelf()
    events = shelf.publish(5)
    watch.ingest(events[:1])
    shelf.trim(4)
    assert [loss.span for loss in watch.sweep(shelf).losses] == [Span(1, 3)]
    watch.ingest(events[1:4], at=NOW)
    assert len(run(within(watch.store, find_outcomes, [f"cwpp:0:1:{n}" for n in range(5)]))) == 5


def test_a_hub_or_a_partition_that_cannot_be_read_is_no_loss(watch: Watch) -> None:
    """Nothing is declared lost, a warning says so, the other partitions are filled, and the next sweep goes on."""
    shelf = Shelf(partitions=2)
    shelf.publish(1, partition=1)
    shelf.silent = {"0"}
    shelf.publish(READ + 150)
    report = watch.sweep(shelf)
    assert (taken(report), report.losses, len(report.warnings), report.find_taken_until()) == (
        ["cwpp:1:1:0"], [], 1, None,
    )  # fmt: skip
    shelf.silent, shelf.breaks_at = set(), 3
    report = watch.sweep(shelf, NOW + GRACE)
    assert (len(report.entries), report.losses, len(report.warnings)) == (READ, [], 1)
    shelf.breaks_at = None
    report = watch.sweep(shelf, NOW + 2 * GRACE)
    assert (len(report.entries), report.losses, watch.on_record(shelf)) == (150, [], READ + 151)


def test_a_hub_created_anew_begins_a_new_epoch_and_says_what_went_with_the_old_one(watch: Watch) -> None:
    """Numbers begin again without an alarm; what was known to be missing of the old hub is lost, and nothing of the new one,
    of which the trigger may have taken some in already, after the old one's last number."""
    old = Shelf()
    watch.ingest(old.publish(2))
    watch.sweep(old)
    watch.ingest(old.publish(4)[2:])
    new = Shelf(created=NOW - timedelta(minutes=5))
    fresh = new.publish(9, at=NOW - timedelta(minutes=4))
    watch.ingest(fresh[6:7], at=NOW - timedelta(minutes=3))
    watch.ingest(fresh[8:], at=NOW - timedelta(minutes=3))
    report = watch.sweep(new)
    assert [loss.span for loss in report.losses] == [Span(2, 3)]
    assert len(report.warnings) == 1
    assert taken(report) == [f"cwpp:0:2:{n}" for n in range(9)]
    again = watch.sweep(new, NOW + GRACE)
    assert (again.warnings, again.losses, again.entries) == ([], [], [])


def test_a_hub_created_anew_that_the_trigger_saw_first_is_one_epoch(watch: Watch) -> None:
    """It begins the epoch, and the sweep goes on in it."""
    old = Shelf()
    watch.ingest(old.publish(6))
    watch.sweep(old)
    new = Shelf(created=NOW - timedelta(minutes=5))
    fresh = new.publish(2, at=NOW - timedelta(minutes=4))
    watch.ingest(fresh[:1], at=NOW - timedelta(minutes=3))
    report = watch.sweep(new)
    assert (taken(report), report.losses) == (["cwpp:0:2:1"], [])


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
    for read in breaks:
        shelf.reads, shelf.breaks_at = [], read
        assert watch.sweep(shelf, now).losses == []
        now += GRACE
    shelf.breaks_at = None
    assert watch.sweep(shelf, now).losses == []
    assert watch.on_record(shelf) == 30
    assert watch.sweep(shelf, now + GRACE).entries == []


def ranges(*some: tuple[int, int, int]) -> list[Taken]:
    """What was taken in of numbers that the hub got up to so many hours ago."""
    return [Taken(Span(first, last), NOW - hours * HOUR, NOW, NOW) for first, last, hours in some]


@pytest.mark.parametrize(
    ("begins", "some", "lost", "last", "until"),
    [
        (0, ranges((0, 12, 1)), [], 12, NOW),
        (0, ranges((0, 12, 1)), [], 13, NOW - HOUR),
        (8, ranges((8, 10, 3), (12, 12, 1)), [], 12, NOW - 3 * HOUR),
        (8, ranges((8, 10, 3), (12, 12, 1)), [Span(11, 11)], 12, NOW),
        (8, ranges((9, 12, 3)), [], 12, None),
        (0, [], [], 3, None),
        (0, [], [], -1, NOW),
    ],
    ids=["all", "the end is unread", "a gap", "what is lost is no gap", "a gap at first", "nothing", "nothing there"],
)
def test_a_partition_is_taken_in_up_to_what_comes_before_the_first_gap(
    begins: int, some: list[Taken], lost: list[Span], last: int, until: datetime | None
) -> None:
    """Or up to now, where nothing is missing; the first event that is missing of all may be of any time."""
    known, done = HubPartition(HubEpoch(PLACE, 1), NOW, begins), [*(one.span for one in some), *lost]
    assert find_taken_until(known, some, done, Extent(0, last, NOW), NOW) == until
