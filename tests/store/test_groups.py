"""The groups of a destination: read as they were written, and there as long as anything needs them."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from router.domain.deliveries import DeliveryState
from router.store import groups
from router.store.forgetting import forget
from router.store.groups import Asked, GroupState, MemberState, NamedAlert, Opening, OpeningCount, States, WaitingCount
from router.store.ledger import State
from router.store.retention import Retention
from router.store.store import Store
from tests.builders import NOW
from tests.destinations.builders import a_notice
from tests.store.acts import claim, find_rows, groups_at, members_at, owe, run, settle, states, write_groups, write_rows
from tests.store.builders import a_delivery, a_group, a_row
from tests.store.within import within

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

    return run(within(store, groups.read_states, AT[0], [AT[1]], Asked(**asked)))[AT[1]]  # type: ignore[arg-type]


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
    for sample, count in ((False, WaitingCount(4, 4, 8)), (True, WaitingCount(1, 1, 2))):
        assert run(within(store, groups.count_held, *AT, sample=sample)) == count


def test_openings_are_counted_within_a_span_for_each_audience(store: Store) -> None:
    """By pager, samples and summaries; the span begins after its first instant and ends with its last."""
    openings = [
        *(Opening(NOW + n * SECOND, None, False, False, n) for n in range(4)),
        Opening(NOW + SECOND, "KEY", False, False, 1),
        Opening(NOW + SECOND, None, True, True, 2),
    ]
    write(store, States(openings=openings))
    spans = {"tickets": (NOW, NOW + 2 * SECOND), "another": (NOW, NOW)}
    assert run(within(store, groups.count_openings, AT[0], spans)) == {
        "tickets": {
            (None, False, False): OpeningCount(2, 2),
            ("KEY", False, False): OpeningCount(1, 1),
            (None, True, True): OpeningCount(1, 2),
        },
        "another": {},
    }  # fmt: skip
    # Those from before the longest window that a limit may have are gone with the next one.
    write(store, States(openings=[Opening(NOW + groups.LONGEST_WINDOW + SECOND, None, False, False, 1)]))
    assert run(store.run(lambda tx: tx.value("SELECT count(*) FROM openings"))) == 3


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
    assert run(forget(store, NOW, Retention(), 10_000)).number == 3 * is_gone
    assert list(run(members_at(store, *AT, "k", "x"))) == ["k", "x"][is_gone:]
    assert list(run(groups_at(store, *AT))) == ["h"]


def test_what_a_standing_group_or_a_membership_needs_stays(store: Store) -> None:
    """The receipt of the opening, however old; and a signal whose turns would start anew, as if its group had them already."""
    owe(store, a_delivery(key="g"), a_delivery(key="over"))
    for one in claim(store):
        settle(store, one, DeliveryState.SENT)
    later, old = NOW + 91 * DAY, NOW - DAY
    resolved = State(resolved=True, status="resolved", severity=4)
    write_rows(store, [a_row(key, state=resolved, open={}, heard=old, closed_at=old) for key in ("k", "gone")])
    members = {"k": a_member(stands=False, at=later), "gone": a_member(False, NOW)}
    write(store, States(members, groups={"g": a_group(1, NOW), "over": a_group(0, NOW)}))
    run(forget(store, later, Retention(), 10_000))
    assert states(store) == {DeliveryState.SENT: 1}
    assert list(find_rows(store, ["k", "gone"])) == ["k"]
