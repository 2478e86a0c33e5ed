"""What every store promises of the journal."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from router.domain.journal import HubEpoch, InFlightMarker, Loss, Partition, Progress, Span, Taken
from router.store.store import Store
from tests.builders import NOW
from tests.store.acts import run

PARTITION = Partition("cwpp", "0")
EPOCH = HubEpoch(PARTITION, 1)
HUGE = 2**62
"""Sequence numbers have 64 bits."""


def a_marker(
    first: int, last: int, process: str = "one", *, epoch: HubEpoch = EPOCH, alone: bool = False
) -> InFlightMarker:
    """Numbers that a process tries."""
    return InFlightMarker(epoch, Span(first, last), process, alone)


def a_taken(first: int, last: int) -> Taken:
    """Numbers that were taken in."""
    return Taken(Span(first, last), NOW, NOW + timedelta(seconds=1))


def taken(store: Store, after: int = -1, epoch: HubEpoch = EPOCH) -> list[tuple[int, int]]:
    """The spans taken in after a number."""
    return [one.span for one in run(store.journal.read_taken(epoch, after))]


def test_a_partition_that_nothing_is_known_of_is_in_its_first_epoch(store: Store) -> None:
    """Nobody swept it yet."""
    assert run(store.journal.read_progress(PARTITION)) == Progress(epoch=EPOCH)


@pytest.mark.parametrize(
    "progress",
    [
        Progress(epoch=EPOCH),
        Progress(epoch=HubEpoch(PARTITION, 2), settled=0, top=(HUGE, NOW), created=NOW - timedelta(days=9)),
        Progress(epoch=EPOCH, settled=HUGE),
    ],
)
def test_progress_comes_back_as_it_was_written(store: Store, progress: Progress) -> None:
    """Every part of it, zero among the numbers; another partition and another hub know nothing of it."""
    stored = run(store.journal.write_progress(progress))
    assert stored is not None
    assert stored.version is not None
    assert run(store.journal.read_progress(PARTITION)) == stored == replace(progress, version=stored.version)
    for other in (Partition("cwpp", "1"), Partition("cspm", "0")):
        assert run(store.journal.read_progress(other)) == Progress(epoch=HubEpoch(other, 1))


def test_of_two_that_advance_one_partition_one_loses(store: Store) -> None:
    """Compare-and-swap: progress is written only over what its writer read, also the first time."""
    first = run(store.journal.write_progress(Progress(epoch=EPOCH, settled=1)))
    assert first is not None
    assert run(store.journal.write_progress(Progress(epoch=EPOCH, settled=2))) is None
    second = run(store.journal.write_progress(replace(first, settled=3)))
    assert second is not None
    assert run(store.journal.write_progress(replace(first, settled=4))) is None
    assert run(store.journal.read_progress(PARTITION)) == second


def test_who_begins_sees_all_markers_that_overlap_its_own(store: Store) -> None:
    """Both ends of a span are in it; what only touches, or is of another epoch, does not count."""
    other_epoch = a_marker(10, 20, "x", epoch=HubEpoch(PARTITION, 2))
    run(store.journal.place_markers([other_epoch]))
    apart = [a_marker(0, 9, "below"), a_marker(21, HUGE, "above")]
    overlapping = [
        a_marker(0, 10, "left"),
        a_marker(20, 30, "right"),
        a_marker(0, HUGE, "around"),
        a_marker(12, 12, "inside"),
    ]
    for marker in apart + overlapping:
        run(store.journal.place_markers([marker]))
    mine = a_marker(10, 20, "mine")
    assert set(run(store.journal.place_markers([mine]))) == {*overlapping, mine}


def test_a_process_has_one_marker_on_a_span(store: Store) -> None:
    """However often it tries; the last word counts, whether it tries it alone."""
    run(store.journal.place_markers([a_marker(1, 2)]))
    run(store.journal.place_markers([a_marker(1, 2)]))
    run(store.journal.place_markers([a_marker(1, 2, "two")]))
    alone = a_marker(1, 2, alone=True)
    assert set(run(store.journal.place_markers([alone]))) == {alone, a_marker(1, 2, "two")}


def test_several_spans_are_begun_and_finished_together(store: Store) -> None:
    """A batch with gaps in it is several spans."""
    markers = [a_marker(1, 2), a_marker(5, 6)]
    run(store.journal.place_markers([a_marker(3, 4, "two")]))
    assert set(run(store.journal.place_markers(markers))) == set(markers)
    run(store.journal.finish_markers(markers, [a_taken(5, 6), a_taken(1, 2)]))
    assert list(run(store.journal.read_taken(EPOCH, -1))) == [a_taken(1, 2), a_taken(5, 6)]
    assert run(store.journal.place_markers([a_marker(0, 9)])) == [a_marker(3, 4, "two"), a_marker(0, 9)]


def test_what_is_finished_leaves_the_markers_of_others(store: Store) -> None:
    """Another process that tries the same numbers is still at it."""
    theirs = a_marker(1, 2, "two")
    run(store.journal.place_markers([theirs]))
    run(store.journal.place_markers([a_marker(1, 2)]))
    run(store.journal.finish_markers([a_marker(1, 2)], [a_taken(1, 2)]))
    assert run(store.journal.place_markers([a_marker(2, 2)])) == [theirs, a_marker(2, 2)]


@pytest.mark.parametrize("many", [1, 60, 130])
def test_what_is_taken_in_is_written_though_a_marker_is_gone(store: Store, many: int) -> None:
    """A sweep may have passed it, or the same step was done before; so it is with as many as no transaction carries."""
    markers = [a_marker(2 * number, 2 * number) for number in range(many)]
    run(store.journal.place_markers(markers[1:]))
    run(store.journal.finish_markers(markers, [replace(a_taken(0, 0), span=marker.span) for marker in markers]))
    run(store.journal.finish_markers(markers, [replace(a_taken(0, 0), span=marker.span) for marker in markers]))
    assert taken(store) == [marker.span for marker in markers]
    assert run(store.journal.place_markers([a_marker(0, HUGE, "all")])) == [a_marker(0, HUGE, "all")]


def test_a_try_that_took_nothing_in_takes_its_markers_away(store: Store) -> None:
    """It gave up in good order."""
    run(store.journal.place_markers([a_marker(1, 2)]))
    run(store.journal.finish_markers([a_marker(1, 2)], []))
    assert run(store.journal.place_markers([a_marker(1, 1, "two")])) == [a_marker(1, 1, "two")]
    assert taken(store) == []


def test_spans_that_end_alike_are_all_kept(store: Store) -> None:
    """A part that was taken in twice covers no less than what was taken in once."""
    run(store.journal.finish_markers([a_marker(1, 9)], [a_taken(1, 9)]))
    run(store.journal.finish_markers([a_marker(8, 9)], [a_taken(8, 9)]))
    assert taken(store) == [(1, 9), (8, 9)]


def test_what_was_taken_in_is_looked_up_after_a_number(store: Store) -> None:
    """A span counts by its end; both sides of it."""
    run(store.journal.finish_markers([a_marker(1, 9)], [a_taken(1, 4), a_taken(5, 9), a_taken(HUGE, HUGE)]))
    assert taken(store, after=3) == [(1, 4), (5, 9), (HUGE, HUGE)]
    assert taken(store, after=4) == [(5, 9), (HUGE, HUGE)]
    assert taken(store, after=HUGE) == []
    assert taken(store, epoch=HubEpoch(PARTITION, 2)) == []


def test_what_progress_has_passed_is_forgotten(store: Store) -> None:
    """What ends at the number goes, markers too; what ends after it stays."""
    other = HubEpoch(PARTITION, 2)
    run(store.journal.finish_markers([a_marker(0, 0)], [a_taken(1, 4), a_taken(2, 5)]))
    run(store.journal.finish_markers([a_marker(0, 0, epoch=other)], [a_taken(1, 4)]))
    run(store.journal.place_markers([a_marker(1, 4), a_marker(4, 5)]))
    run(store.journal.forget_settled(EPOCH, 4))
    assert taken(store) == [(2, 5)]
    assert taken(store, epoch=other) == [(1, 4)]
    assert run(store.journal.place_markers([a_marker(0, 9, "two")])) == [a_marker(4, 5), a_marker(0, 9, "two")]


def test_a_loss_is_reported_once(store: Store) -> None:
    """Create-if-absent by epoch and first number; the oldest comes first, and each hub has its own."""
    late = Loss(EPOCH, Span(1, 4), NOW + timedelta(seconds=1), "gone")
    early = Loss(HubEpoch(PARTITION, 2), Span(1, HUGE), NOW, "recreated")
    run(store.journal.write_losses([late, early]))
    run(
        store.journal.write_losses(
            [replace(late, at=NOW, why="another word"), replace(late, epoch=HubEpoch(Partition("cspm", "0"), 1))]
        )
    )
    assert list(run(store.journal.read_losses("cwpp"))) == [early, late]
    assert len(run(store.journal.read_losses("cspm"))) == 1


def test_when_a_hub_was_last_swept_is_known(store: Store) -> None:
    """Each hub for itself; before the first sweep there is no such time."""
    assert run(store.journal.find_last_sweep("cwpp")) is None
    run(store.journal.write_sweep_end("cwpp", NOW))
    run(store.journal.write_sweep_end("cwpp", NOW + timedelta(microseconds=1)))
    assert run(store.journal.find_last_sweep("cwpp")) == NOW + timedelta(microseconds=1)
    assert run(store.journal.find_last_sweep("cspm")) is None
