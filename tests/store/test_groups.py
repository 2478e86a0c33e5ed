"""The groups of a destination: read as they were written, and there as long as anything needs them."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from router.domain.deliveries import DeliveryState
from router.domain.ledger import State
from router.domain.retention import Retention
from router.store import groups
from router.store.groups import Asked, GroupState, MemberState, NamedAlert, Opening, OpeningCount, States, WaitingCount
from router.store.store import Store
from tests.builders import NOW
from tests.destinations.builders import a_notice
from tests.store.acts import (
    claim,
    find_rows,
    groups_at,
    members_at,
    owe,
    run,
    settle,
    states,
    write_groups,
    write_rows,
)
from tests.store.builders import a_delivery, a_group, a_row

AT = ("cwpp", "tickets")
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


def a_member(stands: bool = True, at: datetime = NOW) -> MemberState:
    return MemberState(group="g", turn=2, stands=stands, group_turn=3, at=at)


def waiting(severity: str, at: datetime = NOW, *, sample: bool = False) -> GroupState:
    """A group that waits for its turn."""
    words = a_notice(sample=sample)
    return GroupState(
        group=a_group().group, audience_key="a", at=at, window_key=None, until=None, severity=severity, words=words
    )


def write(store: Store, some: States, destination: str = AT[1]) -> None:
    run(write_groups(store, AT[0], destination, some))


def read(store: Store, **asked: object) -> States:
    """What is asked for of `tickets`."""

    async def found() -> States:
        async with store.session() as tx:
            return (await groups.read_states(tx, AT[0], [AT[1]], Asked(**asked)))[AT[1]]  # type: ignore[arg-type]

    return run(found())


def test_states_come_back_as_they_were_written_whatever_they_are_asked_by(store: Store) -> None:
    """A group by its member, by a claim and by its window; nothing of another destination."""
    member, alert, group = a_member(), NamedAlert(group="g", until=NOW), a_group()
    write(store, States({"k": member}, {"c": alert}, {"g": group}))
    write(store, States({"k": member}, {"c": alert}, {"g": group}), "another")
    assert read(store, signals=["k", "x"]) == States({"k": member}, {}, {"g": group})
    assert read(store, named_alerts=["c"]) == States({}, {"c": alert}, {"g": group})
    assert read(store, windows=[group.window_key]) == States({}, {}, {"g": group})


def test_what_waits_is_asked_for_by_how_grave_it_is_and_since_when_it_waits(store: Store) -> None:
    """Those that open next, real ones and samples by themselves, with the counts of all."""
    write(store, States(groups={
        "a": waiting("Medium"), "b": waiting("High", NOW + SECOND), "c": waiting("High"), "d": waiting("High"),
        "s": waiting("Low", sample=True),
    }))  # fmt: skip
    for most, keys in ((1, "ds"), (2, "dcs"), (3, "dcbs"), (9, "dcbas")):
        assert set(read(store, waiting=most).groups) == set(keys)

    async def held() -> list[WaitingCount]:
        async with store.session() as tx:
            return [await groups.count_held(tx, *AT, sample=sample) for sample in (False, True)]

    assert run(held()) == [WaitingCount(4, 4, 8), WaitingCount(1, 1, 2)]


def test_openings_are_counted_within_a_span_for_each_audience(store: Store) -> None:
    """By pager, samples and summaries; the span begins after its first instant and ends with its last."""
    openings = [
        *(Opening(NOW + n * SECOND, None, False, False, n) for n in range(4)),
        Opening(NOW + SECOND, "KEY", False, False, 1),
        Opening(NOW + SECOND, None, True, True, 2),
    ]
    write(store, States(openings=openings))

    async def counted() -> object:
        async with store.session() as tx:
            return await groups.count_openings(tx, AT[0], {"tickets": (NOW, NOW + 2 * SECOND), "another": (NOW, NOW)})

    assert run(counted()) == {
        "tickets": {
            (None, False, False): OpeningCount(2, 2),
            ("KEY", False, False): OpeningCount(1, 1),
            (None, True, True): OpeningCount(1, 2),
        },
        "another": {},
    }  # fmt: skip


@pytest.mark.parametrize("over", [timedelta(), timedelta(microseconds=-1)])
def test_what_is_over_is_forgotten_once_it_is_old_and_what_stands_is_not(store: Store, over: timedelta) -> None:
    """Both sides of the retention: over since ninety days, a moment less, and standing since ever."""
    old = NOW - 90 * DAY
    is_gone = not over
    write(store, States(
        {"k": a_member(False, old - over), "x": a_member(True, old)},
        {"c": NamedAlert(group="g", until=old - over)},
        {"g": a_group(0, old - over), "h": a_group(1, old)},
    ))  # fmt: skip
    assert run(store.forget(NOW, Retention(), (), 10_000)).number == 3 * is_gone
    assert list(run(members_at(store, *AT, "k", "x"))) == ["k", "x"][is_gone:]
    assert list(run(groups_at(store, *AT))) == ["h"]


def test_what_was_delivered_of_a_standing_group_stays(store: Store) -> None:
    """Its next turn needs the receipt of its opening, however long ago that was."""
    owe(store, a_delivery(key="g"), a_delivery(key="over"))
    for one in claim(store):
        settle(store, one, DeliveryState.SENT)
    write(store, States(groups={"g": a_group(1, NOW), "over": a_group(0, NOW)}))
    run(store.forget(NOW + 91 * DAY, Retention(), (), 10_000))
    assert states(store) == {DeliveryState.SENT: 1}


def test_a_signal_is_known_as_long_as_a_membership_bears_its_turn(store: Store) -> None:
    """Forgotten in the ledger alone, its turns would start anew and look as if its group had them already."""
    resolved = State(resolved=True, status="resolved", severity=4)
    rows = [
        a_row(key, state=resolved, open={}, heard=NOW - 91 * DAY, closed_at=NOW - 91 * DAY) for key in ("k", "gone")
    ]
    write_rows(store, rows)
    write(store, States(members={"k": a_member(stands=False), "gone": a_member(False, NOW - 91 * DAY)}))
    run(store.forget(NOW, Retention(), (), 10_000))
    assert list(find_rows(store, ["k", "gone"])) == ["k"]
