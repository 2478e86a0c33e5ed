"""Which rows are of one snapshot, in whatever order they come."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from router.domain.snapshots import DAY, Appearances, SnapshotTally, Stretch

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
