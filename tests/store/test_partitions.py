"""What the state knows of the partitions of hubs: numbers taken in, tried and lost, and which process reads which partition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.domain.hubs import HubEpoch, Loss, Partition, PartitionClaim, Span
from router.ingest.gaps import spans_of
from router.store import partitions
from router.store.partitions import Taken, Try
from router.store.store import Store
from tests.builders import NOW
from tests.store.acts import run
from tests.store.within import within

PLACE, BESIDE = Partition("cwpp", "0"), Partition("cwpp", "1")
EPOCH = HubEpoch(PLACE, 1)
HUGE = 2**62
"""Sequence numbers have 64 bits."""
_IDS = count(2)
SECOND = timedelta(seconds=1)


def take(store: Store, epoch: HubEpoch, *spans: Span) -> None:
    """Takes numbers in, one span after the other; each is enqueued and taken a second later than the one before."""

    async def take_all() -> None:
        for number, span in enumerate(spans):
            at = NOW + number * SECOND
            async with store.transaction() as tx:
                await partitions.lock_partition(tx, epoch.partition)
                known = await partitions.read_taken(tx, epoch, span.first - 1)
                await partitions.take(tx, epoch, known, Taken(span, at, at, at))

    run(take_all())


def taken(store: Store, epoch: HubEpoch = EPOCH, first: int = 0) -> list[Taken]:
    return run(within(store, partitions.read_taken, epoch, first))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9)), min_size=1, max_size=8))
def test_what_is_taken_in_is_kept_in_ranges_that_do_not_touch(store: Store, pairs: Sequence[tuple[int, int]]) -> None:
    """In any order, overlapping and anew: those numbers of that partition and epoch and no other, and when they came."""
    epoch = HubEpoch(Partition("cwpp", str(next(_IDS))), 1)
    spans = [Span(HUGE + first, HUGE + first + length) for first, length in pairs]
    take(store, epoch, *spans)
    take(store, replace(epoch, number=2), Span(0, 2))
    ranges = taken(store, epoch)
    assert [one.span for one in ranges] == spans_of([n for first, last in spans for n in range(first, last + 1)])
    for one in ranges:
        times = [NOW + n * SECOND for n, span in enumerate(spans) if one.span.overlaps(span)]
        assert one[1:] == (max(times), min(times), max(times))
    assert taken(store, epoch, HUGE + 20) == [one for one in ranges if one.span.last >= HUGE + 20]


def test_a_try_is_over_when_all_its_numbers_are_taken_in_or_it_failed_and_never_before(store: Store) -> None:
    """Another range, or another process, ends it not; each sees those of other processes that overlap its own."""

    def others(mine: Span) -> list[str]:
        found = run(within(store, partitions.find_other_tries, Try(PLACE, mine, "me")))
        return [one.process for one in found]

    spans = [("dead", Span(0, 9)), ("died too", Span(30, 39)), ("died too", Span(5, 9)), ("me", Span(0, 4))]
    for process, span in (*spans, ("elsewhere", Span(20, 29))):
        run(within(store, partitions.begin_try, Try(PLACE, span, process)))
    assert (others(Span(0, 4)), others(Span(9, 20))) == (["dead"], ["dead", "died too", "elsewhere"])
    take(store, EPOCH, Span(0, 4))
    assert others(Span(0, 99)) == ["dead", "died too", "elsewhere"]
    run(within(store, partitions.end_try, Try(PLACE, Span(20, 29), "elsewhere")))
    take(store, EPOCH, Span(5, 9))
    assert others(Span(0, 99)) == []


def test_a_loss_is_reported_once_and_a_sweep_known_by_its_hub(store: Store) -> None:
    """Create-if-absent by epoch and first number; the oldest comes first, and each hub has its own."""
    late = Loss(EPOCH, Span(1, 4), NOW + SECOND, "gone")
    early = Loss(HubEpoch(PLACE, 2), Span(1, HUGE), NOW, "recreated")
    elsewhere = replace(late, epoch=HubEpoch(Partition("cspm", "0"), 1))
    for losses in ([late, early], [replace(late, at=NOW, why="another word"), elsewhere]):
        run(within(store, partitions.write_losses, losses))
    assert run(within(store, partitions.read_losses, "cwpp")) == [early, late]
    assert run(within(store, partitions.read_losses, "cspm")) == [elsewhere]
    assert run(within(store, partitions.find_last_sweep, "cwpp")) is None
    for at in (NOW + SECOND, NOW):
        run(within(store, partitions.write_sweep_end, "cwpp", at))
    assert run(within(store, partitions.find_last_sweep, "cwpp")) == NOW
    assert run(within(store, partitions.find_last_sweep, "cspm")) is None


def claim(store: Store, *wanted: PartitionClaim) -> list[PartitionClaim]:
    return run(within(store, partitions.claim_partitions, wanted))


def claims(store: Store, hub: str = "cwpp") -> list[PartitionClaim]:
    return run(within(store, partitions.list_claims, hub))


def test_of_two_that_claim_a_partition_one_gets_it(store: Store) -> None:
    """Whether it was never claimed or is renewed: who goes by an older claim gets nothing, and changes nothing."""
    mine, beside = claim(store, PartitionClaim(BESIDE, "one"), PartitionClaim(PLACE, "one"))
    assert claim(store, PartitionClaim(PLACE, "other")) == []
    (renewed,) = claim(store, mine)
    (theirs,) = claim(store, replace(mine, owner="other"), replace(beside, owner="other"))
    assert claims(store) == [renewed, theirs]
    assert len({mine.claim, renewed.claim, beside.claim, theirs.claim}) == 4
    assert claim(store, PartitionClaim(Partition("cspm", "0"), "other")) == claims(store, "cspm")
    run(within(store, partitions.free_partitions))
    assert [one.owner for one in claims(store)] == ["", ""]


def test_a_partition_is_read_from_before_the_first_number_that_is_missing(store: Store) -> None:
    """What is lost is missing no more; it does not matter which process read it, and a new epoch begins with nothing."""
    claim(store, PartitionClaim(PLACE, "one"))
    assert [one.sequence for one in claims(store)] == [None]
    take(store, EPOCH, Span(3, 4), Span(6, 7), Span(9, 12))
    assert [one.sequence for one in claims(store)] == [4]
    run(within(store, partitions.write_losses, [Loss(EPOCH, Span(5, 5), NOW, "gone")]))
    assert [one.sequence for one in claims(store)] == [7]
    known = run(within(store, partitions.lock_partition, PLACE))
    _, lost = run(within(store, partitions.begin_epoch, known, NOW))
    assert [one.span for one in lost] == [Span(8, 8)]
    assert [(one.owner, one.sequence) for one in claims(store)] == [("one", None)]
