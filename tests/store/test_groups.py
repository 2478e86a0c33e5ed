"""The aggregation of a destination, in each store: written all or none, and there as long as anybody needs it."""

from __future__ import annotations

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
from tests.store.acts import claim, owe, run, settle, states, write_aggregation
from tests.store.builders import a_delivery, a_group, a_row

AT = ("cwpp", "tickets")
DAY = timedelta(days=1)


def a_member(stands: bool = True, at: datetime = NOW) -> MemberState:
    return MemberState(
        group="g", turn=2, stands=stands, group_turn=GroupTurn(number=3, change=Change.OPENED, opened=3), at=at
    )


STATES = AggregationState({"k": a_member()}, {"g": a_group()}, {"s": WindowState(group="g", until=NOW)})


def write(store: Store, some: AggregationState = STATES, *, admission: AdmissionState | None = None) -> None:
    async def written() -> None:
        known = admission if admission is not None else await store.groups.read_admission(*AT)
        await write_aggregation(store, *AT, known, some)

    run(written())


def find(store: Store, stream: str = "cwpp", destination: str = "tickets") -> AggregationState:
    return run(store.groups.read_aggregation(stream, destination, members=["k", "x"], groups=["g"], windows=["s"]))


def test_an_admission_state_that_nobody_wrote_is_empty(store: Store) -> None:
    """The first group of a destination starts from nothing."""
    assert run(store.groups.read_admission(*AT)) == AdmissionState()
    assert find(store) == AggregationState()


def test_states_come_back_as_they_were_written(store: Store) -> None:
    """All of it: turns, times, titles, notices."""
    admission = AdmissionState(openings=(Opening(NOW, None), Opening(NOW + DAY, "KEY")), waiting=("g",))
    write(store, admission=admission)
    assert run(store.groups.read_admission(*AT)) == admission
    assert find(store) == STATES


def test_each_destination_has_states_of_its_own(store: Store) -> None:
    """Streams and destinations share no group."""
    write(store)
    assert find(store, "cspm") == find(store, destination="oncall") == AggregationState()


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
