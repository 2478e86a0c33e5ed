"""The aggregation of a destination, in each store: written all or none, and there as long as anybody needs it."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from datetime import datetime, timedelta

from router.domain.decisions import Change
from router.domain.deliveries import DeliveryState
from router.domain.groups import (
    AdmissionState,
    AggregationState,
    GroupTurn,
    MemberState,
    Opening,
    WindowState,
)
from router.domain.ledger import State
from router.domain.retention import Retention
from router.store.store import Store
from tests.builders import NOW
from tests.store.acts import claim, owe, run, settle, states
from tests.store.builders import a_delivery, a_group, a_row

AT = ("cwpp", "tickets")
DAY = timedelta(days=1)


def a_member(stands: bool = True, at: datetime = NOW) -> MemberState:
    return MemberState(
        group="g", turn=2, stands=stands, group_turn=GroupTurn(number=3, change=Change.OPENED, opened=3), at=at
    )


STATES = AggregationState({"k": a_member()}, {"g": a_group()}, {"s": WindowState(group="g", until=NOW)})


def write(store: Store, some: AggregationState = STATES, *, admission: AdmissionState | None = None) -> bool:
    async def written() -> bool:
        known = admission if admission is not None else await store.groups.read_admission(*AT)
        return await store.groups.write_aggregation(*AT, known, some)

    return run(written())


def find(store: Store, stream: str = "cwpp", destination: str = "tickets") -> AggregationState:
    return run(store.groups.read_aggregation(stream, destination, members=["k", "x"], groups=["g"], windows=["s"]))


def test_an_admission_state_that_nobody_wrote_is_empty(store: Store) -> None:
    """The first group of a destination starts from nothing."""
    assert run(store.groups.read_admission(*AT)) == AdmissionState()
    assert find(store) == AggregationState()


def test_states_come_back_as_they_were_written(store: Store) -> None:
    """All of it: turns, times, titles, notices."""
    admission = AdmissionState(openings=(Opening(NOW, None), Opening(NOW + DAY, "KEY")), waiting=("g",))
    assert write(store, admission=admission)
    assert replace(run(store.groups.read_admission(*AT)), version=None) == admission
    assert find(store) == STATES


def test_an_admission_state_has_room_for_all_openings_that_a_limit_allows(store: Store) -> None:
    """A thousand openings and the summaries beside them, for each of ten owners with a pager of their own."""
    shuffled = random.Random(7)  # noqa: S311  Only so that nothing can be packed well.
    instants = [NOW + timedelta(microseconds=shuffled.randrange(10**9)) for _ in range(20_000)]
    admission = AdmissionState(openings=tuple(Opening(at, f"KEY_{number % 10}") for number, at in enumerate(instants)))
    assert write(store, admission=admission)
    assert replace(run(store.groups.read_admission(*AT)), version=None) == admission


def test_each_destination_has_states_of_its_own(store: Store) -> None:
    """Streams and destinations share no group."""
    write(store)
    assert find(store, "cspm") == find(store, destination="oncall") == AggregationState()


def test_of_two_who_write_over_the_same_version_one_wins_and_nothing_of_the_other_is_written(store: Store) -> None:
    """A group changes as one: its states never come from two workers who did not know of each other."""
    first = run(store.groups.read_admission(*AT))
    assert write(store, admission=first)
    assert not write(store, AggregationState(members={"x": a_member()}), admission=first)
    known = run(store.groups.read_admission(*AT))
    assert write(store, AggregationState(members={"k": a_member(stands=False)}), admission=known)
    assert not write(store, AggregationState(members={"x": a_member()}), admission=known)
    assert find(store).members == {"k": a_member(stands=False)}


def test_workers_who_try_again_lose_no_change(store: Store) -> None:
    """Ten workers that each add a member, over whatever the others wrote, end with ten."""

    async def add(number: int) -> None:
        while True:
            admission = await store.groups.read_admission(*AT)
            if await store.groups.write_aggregation(
                *AT, admission, AggregationState(members={f"m{number}": a_member()})
            ):
                return

    async def raced() -> AggregationState:
        await asyncio.gather(*map(add, range(10)))
        return await store.groups.read_aggregation(*AT, members=[f"m{number}" for number in range(10)])

    assert len(run(raced())) == 10


def test_what_is_over_is_forgotten_once_it_is_old_and_what_stands_is_not(store: Store) -> None:
    """Both sides of the retention: over since ninety days, a moment less, and standing since ever."""
    old, young = NOW - 90 * DAY, NOW - 90 * DAY + timedelta(microseconds=1)
    write(
        store,
        AggregationState(
            {"k": a_member(False, old), "x": a_member(True, old)},
            {"g": a_group(0, young)},
            {"s": WindowState(group="g", until=old)},
        ),
    )
    run(store.forget(NOW, Retention(), (), 10_000))
    left = find(store)
    assert (list(left.members), list(left.groups), list(left.windows)) == (["x"], ["g"], [])


def test_what_was_delivered_of_a_standing_group_stays(store: Store) -> None:
    """Its next turn needs the receipt of its opening, however long ago that was."""
    owe(store, a_delivery(key="g"), a_delivery(key="over"))
    for one in claim(store):
        settle(store, one, DeliveryState.SENT)
    write(store, AggregationState(groups={"g": a_group(1, NOW), "over": a_group(0, NOW)}))
    run(store.forget(NOW + 91 * DAY, Retention(), (), 10_000))
    assert states(store) == {DeliveryState.SENT: 1}


def test_a_signal_is_known_as_long_as_a_membership_bears_its_turn(store: Store) -> None:
    """Forgotten in the ledger alone, its turns would start anew and look as if its group had them already."""
    resolved = State(resolved=True, status="resolved", severity=4)
    rows = [
        a_row(key, state=resolved, open={}, heard=NOW - 91 * DAY, closed_at=NOW - 91 * DAY) for key in ("k", "gone")
    ]
    run(store.ledger.write_rows(rows))
    write(store, AggregationState(members={"k": a_member(stands=False), "gone": a_member(False, NOW - 91 * DAY)}))
    run(store.forget(NOW, Retention(), (), 10_000))
    assert list(run(store.ledger.find_rows(["k", "gone"]))) == ["k"]
