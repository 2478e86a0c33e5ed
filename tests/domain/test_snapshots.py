"""Which rows are of one snapshot, in whatever order they come, and up to when a hub is taken in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain.journal import Extent, HubEpoch, Partition, Progress, Span, Taken, find_taken_until
from router.domain.snapshots import DAY, Appearances, SnapshotTally, Stretch
from tests.builders import NOW

TIMES = st.lists(st.integers(0, 40 * DAY // 4).map(lambda quarter: quarter * 4), min_size=1, max_size=8)
NEAR = st.lists(st.sampled_from([n * (DAY // 2) for n in range(12)]), min_size=1, max_size=6)


def chained(times: Sequence[int]) -> list[Stretch]:
    """Times in stretches, as the definition says."""
    found: list[Stretch] = []
    for time in sorted(times):
        if found and time - found[-1].last < DAY:
            found[-1] = found[-1]._replace(last=time)
        else:
            found.append(Stretch(time, time))
    return found


@given(st.lists(TIMES | NEAR, min_size=1, max_size=12))
def test_a_snapshot_is_all_rows_with_less_than_a_day_between_them_whoever_they_name(findings: list[list[int]]) -> None:
    """Each finding remembers stretches, in any order; together they give the snapshots, and who came in which of them."""
    tally = SnapshotTally()
    for times in findings:
        appearances = Appearances("s", "recommendation", 0)
        for time in times:
            appearances = appearances.in_snapshot_at(time)
        stretches = chained(times)
        assert appearances.snapshots == tuple(stretches[-len(appearances.snapshots) :])
        assert appearances.named == max(times)
        tally.count(appearances)
    kept = [
        time for times in findings for one in chained(times)[-6:] for time in times if one.first <= time <= one.last
    ]
    counts = tally.counts()
    assert list(counts.stretches) == chained(kept)
    for index, stretch in enumerate(counts.stretches):
        named = [times for times in findings if any(s.is_near(stretch) for s in chained(times)[-6:])]
        assert counts.rows_in(index) == len(named)


def test_a_day_apart_is_another_snapshot() -> None:
    """And a second less is the same one."""
    one = Appearances("s", "recommendation", 0).in_snapshot_at(5)
    assert one.in_snapshot_at(5 + DAY).snapshots == (Stretch(5, 5), Stretch(5 + DAY, 5 + DAY))
    assert one.in_snapshot_at(4 + DAY).snapshots == (Stretch(5, 4 + DAY),)


PROGRESS = Progress(epoch=HubEpoch(Partition("cspm", "0"), 1), settled=9, top=(9, NOW - timedelta(hours=5)))


def taken(first: int, last: int, hours: int) -> Taken:
    """What was taken in of numbers that the hub got up to so many hours ago."""
    return Taken(Span(first, last), NOW - timedelta(hours=hours), NOW)


@pytest.mark.parametrize(
    ("some", "lost", "last", "until"),
    [
        ([], [], 9, NOW),
        ([taken(10, 12, 1)], [], 12, NOW),
        ([taken(10, 12, 1)], [], 13, NOW - timedelta(hours=1)),
        ([taken(10, 10, 3), taken(12, 12, 1)], [], 12, NOW - timedelta(hours=3)),
        ([taken(10, 10, 3), taken(12, 12, 1)], [Span(11, 11)], 12, NOW),
        ([taken(11, 12, 1)], [], 12, NOW - timedelta(hours=5)),
    ],
    ids=["nothing new", "all", "the end is unread", "a gap", "what is lost is no gap", "a gap after what is settled"],
)
def test_a_partition_is_taken_in_up_to_what_comes_before_the_first_gap(
    some: list[Taken], lost: list[Span], last: int, until: datetime
) -> None:
    """Or up to now, where nothing is missing."""
    assert find_taken_until(PROGRESS, some, lost, Extent(0, last, NOW), NOW) == until


def test_of_a_partition_of_which_nothing_was_taken_in_nobody_knows() -> None:
    """Its first event may be of any time."""
    fresh = replace(PROGRESS, settled=-1, top=None)
    assert find_taken_until(fresh, [], [], Extent(0, 3, NOW), NOW) is None
    assert find_taken_until(fresh, [], [], Extent(0, -1, NOW), NOW) == NOW
