"""What each open thing in the life of a signal waits for, in one sentence."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from router.cli.signal_paging import AwaitedCode, waits_at, waits_of
from router.domain.decisions import Change
from router.domain.deliveries import DeliveryState
from router.domain.silences import Recurrence
from router.store.ledger import Held
from tests.builders import NOW
from tests.domain.lives import MINUTE, a_group_of, a_life, a_silence, oncall, owed
from tests.silences import weekly
from tests.store.builders import a_row

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def test_a_turn_waits_for_those_before_it() -> None:
    """The first says what it waits for itself; what is closed holds up nobody."""
    update = owed(turn=2, change=Change.UPDATED)
    waits = list(waits_at(oncall(update, owed(due=NOW + MINUTE)), NOW))
    assert [(one.code, one.turn) for one in waits] == [(AwaitedCode.TIME, 1), (AwaitedCode.TURN, 2)]
    assert waits[1].words == "turn 2 to oncall (updated) waits for its turn behind turn 1"
    (only,) = waits_at(oncall(owed(DeliveryState.SENT), update), NOW)
    assert only.words == "turn 2 to oncall (updated) is due now; the next run or worker sends it"


def test_a_time_that_only_a_wrong_clock_can_have_set_is_not_waited_for() -> None:
    """A page waits a quarter of an hour at most."""
    (soon,) = waits_at(oncall(owed(due=NOW + 15 * MINUTE)), NOW)
    (never,) = waits_at(oncall(owed(due=NOW + DAY)), NOW)
    assert (soon.code, never.code) == (AwaitedCode.TIME, AwaitedCode.WORKER)


def test_what_is_owed_to_a_group_has_turns_of_its_own() -> None:
    """A signal's own turn 1 does not hold up its group's turn 2."""
    group = a_group_of(owed(turn=2), waits_for_room=True)
    waits = list(waits_at(oncall(owed(), group=group, limit="1 opening within 10m"), NOW))
    assert [one.words for one in waits] == [
        "turn 1 to oncall (opened) is due now; the next run or worker sends it",
        "the group's turn 2 to oncall (opened) is due now; the next run or worker sends it",
        "its group at oncall waits for room under the limit of 1 opening within 10m",
    ]


def test_a_signal_itself_waits_for_what_holds_it_to_end() -> None:
    """That is said before what any destination is owed."""
    held = Held(rule="silence:ab12", until=NOW + DAY, rulebook="h", source="s")
    row = a_row(held=held)
    life = a_life(oncall(owed()), row=row)
    assert [(one.code, one.destination) for one in waits_of(life, NOW)] == [
        (AwaitedCode.END, None),
        (AwaitedCode.WORKER, "oncall"),
    ]
    assert waits_of(life, NOW)[0].words == (
        "the signal is held by silence ab12 until 2026-11-25T12:00:00Z; then it is decided again"
    )


@pytest.mark.parametrize("ended", [None, NOW - MINUTE])
def test_what_is_held_by_what_ended_is_decided_by_whoever_comes_next(ended: datetime | None) -> None:
    """At its end, or where a person ended a silence before it."""
    silence = a_silence(until=NOW if ended is None else NOW + DAY, ended=ended)
    held = Held(rule=silence.name, until=silence.until, rulebook="h", source="s")
    life = a_life(row=a_row(held=held), silences={silence.name: silence})
    (wait,) = waits_of(life, NOW)
    at = "12:00:00Z" if ended is None else "11:59:00Z, when a person ended the silence"
    assert wait.words == (
        f"silence ab12cd held the signal until 2026-11-24T{at}; the next run or the next sweep decides it again"
    )


@pytest.mark.parametrize(
    ("held", "every", "end"),
    [
        (HOUR, None, "25T12:00:00Z"),
        (HOUR, weekly(1, begins="11:00", ends="13:00"), "24T13:00:00Z"),
        (HOUR / 2, weekly(1, begins="11:00", ends="13:00"), "24T13:00:00Z"),
    ],
)
def test_what_a_silence_holds_it_holds_until_its_end_as_that_stands_now(
    held: timedelta, every: Recurrence | None, end: str
) -> None:
    """One that was extended since; of one that comes again that is the end of its window."""
    silence = a_silence(begins=NOW - DAY, until=NOW + DAY, every=every)
    life = a_life(
        row=a_row(held=Held(rule=silence.name, until=NOW + held, rulebook="h", source="s")),
        silences={silence.name: silence},
    )
    (wait,) = waits_of(life, NOW)
    assert f" until 2026-11-{end}; then" in wait.words


def test_nothing_waits_where_all_is_closed() -> None:
    """Sent, skipped or dead."""
    closed = [owed(state) for state in (DeliveryState.SENT, DeliveryState.SKIPPED, DeliveryState.DEAD)]
    assert waits_of(a_life(oncall(*closed)), NOW) == ()
