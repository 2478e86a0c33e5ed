"""What becomes of what is old: what each thing waits for, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain.clocks import SKEW
from router.domain.counts import RuleHits
from router.domain.decisions import Change, Outcome
from router.domain.deliveries import DeliveryState
from router.domain.delivery_lifecycle import OutboxEntry
from router.domain.ledger import LedgerRow
from router.domain.retention import (
    AGAIN,
    COUNTS,
    DAYS,
    LEAP,
    LONGEST,
    SILENT,
    STRAY,
    ClockWitness,
    Disposition,
    Retention,
    Review,
    deliveries_to_forget,
    disposition_of_group,
    forgets_by,
    is_rule_forgotten,
    review_of_signal,
    witness_after,
)
from router.domain.rulebook import Lane
from tests.builders import NOW
from tests.store.builders import a_row

DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)
OLD = NOW - 91 * DAY
OPEN_OR_DEAD = (DeliveryState.OWED, DeliveryState.CLAIMED, DeliveryState.DEAD)
CLOSED = (DeliveryState.SENT, DeliveryState.SKIPPED)


def sent(turn: int = 1, **changes: object) -> OutboxEntry:
    """A delivery that was sent long ago."""
    entry = OutboxEntry(
        id=f"d{turn}", turn=turn, lane=Lane.TICKET, change=Change.OPENED, opened=1, state=DeliveryState.SENT,
        born=OLD, due=OLD, settled=OLD,
    )  # fmt: skip
    return replace(entry, **changes)  # type: ignore[arg-type]


def a_signal(**changes: object) -> LedgerRow:
    """A signal of which nothing came for 91 days, and that is open nowhere."""
    return replace(a_row(open={}, heard=OLD), **changes)  # type: ignore[arg-type]


def review(
    row: LedgerRow, *deliveries: OutboxEntry, is_member: bool = False, retention: Retention | None = None
) -> Review:
    """What becomes of a signal with deliveries to `tickets`."""
    by_destination = {"tickets": deliveries} if deliveries else {}
    return review_of_signal(row, by_destination, is_member=is_member, retention=retention or Retention(), now=NOW)


@pytest.mark.parametrize(("outcome", "days"), [(Outcome.BELOW_FLOOR, 14), (Outcome.ROUTED, 90), (Outcome.RESOLVED, 90)])
def test_a_signal_is_reviewed_to_the_instant(outcome: Outcome, days: int) -> None:
    """And not looked at before."""
    row = a_signal(outcome=outcome, heard=NOW - days * DAY)
    assert review(row).disposition is Disposition.FORGET
    young = replace(row, heard=NOW - days * DAY + INSTANT)
    assert review(young) == Review(Disposition.KEEP, NOW + INSTANT)


def test_what_ended_is_kept_from_its_end_on() -> None:
    """Whatever came of it later or before."""
    assert review(a_signal(closed_at=NOW - 10 * DAY)) == Review(Disposition.KEEP, NOW + 80 * DAY)
    assert review(a_signal(closed_at=OLD, heard=NOW)).disposition is Disposition.FORGET


@pytest.mark.parametrize("heard", [None, NOW + STRAY + SKEW + INSTANT])
def test_a_signal_of_which_nobody_knows_when_it_was_heard_counts_as_heard_now(heard: object) -> None:
    """An older program did not write it, or a clock was wrong."""
    assert review(a_signal(heard=heard)) == Review(Disposition.KEEP, NOW + LONGEST)


def test_what_is_held_is_reviewed_again() -> None:
    """A rule may hold for a year."""
    kept = Review(Disposition.KEEP, NOW + AGAIN)
    assert review(a_signal(outcome=Outcome.SUPPRESSED)) == kept


@pytest.mark.parametrize("state", DeliveryState)
def test_what_is_owed_or_dead_keeps_its_signal(state: DeliveryState) -> None:
    """What was sent or skipped does not."""
    found = review(a_signal(), sent(), sent(2, state=state))
    assert found.disposition is (Disposition.KEEP if state in OPEN_OR_DEAD else Disposition.FORGET)


def test_a_signal_stays_as_long_as_its_deliveries_may() -> None:
    """They go with their decisions, for which a setting may say more; turns must not begin anew before."""
    long = Retention(decisions={**DAYS, Outcome.ROUTED: 200 * DAY})
    assert review(a_signal(), sent(), retention=long) == Review(Disposition.KEEP, OLD + 200 * DAY)
    late = sent(settled=NOW - DAY)
    assert review(a_signal(), late) == Review(Disposition.KEEP, NOW + 89 * DAY)
    assert review(a_signal(), sent(settled=NOW + 2 * SKEW)).disposition is Disposition.FORGET


@pytest.mark.parametrize(
    ("open", "grouped", "lane", "disposition"),
    [
        ({}, (), Lane.TICKET, Disposition.FORGET),
        ({"tickets": 1}, (), Lane.TICKET, Disposition.REDUCE),
        ({"tickets": 1}, (), Lane.PAGE, Disposition.REDUCE),
        ({"tickets": 1}, (), Lane.ROWS, Disposition.FORGET),
        # What opened it there is known no more, or never was: it may be a ticket.
        ({"tickets": 2}, (), Lane.ROWS, Disposition.REDUCE),
        ({"tickets": 1}, ("tickets",), Lane.ROWS, Disposition.REDUCE),
    ],
)
def test_a_signal_that_is_open_to_people_is_reduced(
    open: dict[str, int], grouped: Sequence[str], lane: Lane, disposition: Disposition
) -> None:
    """A row of a table is open to nobody; a group is its own."""
    row = a_signal(open=open, grouped=frozenset(grouped))
    assert review(row, sent(lane=lane)).disposition is disposition


def test_a_reduced_signal_is_reviewed_again_in_a_long_time() -> None:
    """A message about it comes sooner, as a rule."""
    assert review(a_signal(open={"tickets": 1}), sent()) == Review(Disposition.REDUCE, NOW + SILENT)


def test_a_signal_that_a_group_has_as_a_member_stays_as_long_as_the_groups_state() -> None:
    """That knows which of its turns were applied."""
    assert review(a_signal(), is_member=True) == Review(Disposition.KEEP, NOW + AGAIN)


def turns(entries: Sequence[OutboxEntry], row: LedgerRow | None, aged: set[int]) -> list[int]:
    """The turns whose deliveries go."""
    return [entry.turn for entry in deliveries_to_forget(entries, row, "tickets", aged, OLD)]


def test_deliveries_go_with_the_decisions_that_made_them() -> None:
    """Those of other turns stay."""
    assert turns([sent(1), sent(2, settled=NOW), sent(3), sent(4)], None, {1, 3}) == [1, 3]


def test_what_stayed_when_its_own_decision_went_goes_with_a_later_one() -> None:
    """Unless its decision may be on record yet: each outcome has days of its own."""
    assert turns([sent(1, settled=OLD), sent(2), sent(3)], None, {2}) == [1, 2]
    assert turns([sent(1, settled=OLD + INSTANT), sent(2), sent(3, settled=OLD)], None, {2}) == [2]


@pytest.mark.parametrize("state", DeliveryState)
def test_deliveries_stay_as_long_as_one_of_them_is_owed_or_dead(state: DeliveryState) -> None:
    """What is owed needs the receipt of its opening, and what is redriven what came after it."""
    assert turns([sent(1), sent(2, state=state)], None, {1}) == ([] if state in OPEN_OR_DEAD else [1])


def test_the_opening_where_a_signal_is_open_and_the_last_that_was_sent_stay() -> None:
    """The resolution needs the receipt, and people know the last notice. Without a row nobody asks for either."""
    entries = [sent(1), sent(2), sent(3), sent(4, state=DeliveryState.SKIPPED)]
    assert turns(entries, a_signal(open={"tickets": 1}), {1, 2, 3, 4}) == [2, 4]
    assert turns(entries, a_signal(), {1, 2, 3, 4}) == [1, 2, 4]
    assert turns(entries, None, {1, 2, 3, 4}) == [1, 2, 3, 4]


@pytest.mark.parametrize("state", DeliveryState)
@pytest.mark.parametrize("standing", [0, 1])
def test_a_group_goes_when_it_is_over_and_nothing_of_it_is_owed_or_dead(state: DeliveryState, standing: int) -> None:
    """One that stands is reduced."""
    found = disposition_of_group(bool(standing), [sent(), sent(2, state=state)])
    settled = Disposition.REDUCE if standing else Disposition.FORGET
    assert found is (settled if state in CLOSED else Disposition.KEEP)


def test_hits_go_when_their_rule_did_and_the_last_is_long_ago() -> None:
    """Both, and to the instant."""
    rule, old = ("cwpp", "scanner"), RuleHits(3, NOW - 2 * COUNTS, NOW - COUNTS)
    assert is_rule_forgotten(rule, old, [], NOW)
    assert is_rule_forgotten(rule, old, [("cspm", "scanner")], NOW)
    assert not is_rule_forgotten(rule, old, [rule], NOW)
    assert not is_rule_forgotten(rule, replace(old, last=NOW - COUNTS + INSTANT), [], NOW)


LOOKS = st.lists(st.integers(0, 400 * 24), max_size=30)


@given(LOOKS, st.integers(0, 30), st.integers(3 * 24, 100_000))
def test_a_clock_that_is_wrong_for_less_than_an_hour_forgets_two_days_too_early_at_most(
    hours: list[int], place: int, ahead: int
) -> None:
    """However often it is looked at meanwhile, and whenever somebody looked before."""
    witness = ClockWitness()
    right = sorted(hours)
    for number, hour in enumerate([*right, 401 * 24]):
        now = NOW + timedelta(hours=hour)
        if number == place:
            for minutes in (0, 1, 30, 59):
                wrong = now + timedelta(hours=ahead, minutes=minutes)
                witness = witness_after(witness, wrong)
                by = forgets_by(witness, wrong)
                assert by is None or by <= now + LEAP
        witness = witness_after(witness, now)
        by = forgets_by(witness, now)
        assert by is None or by <= now


@given(st.lists(st.integers(1, 60 * 24), min_size=3, max_size=30))
def test_however_seldom_somebody_looks_what_is_old_goes(gaps: list[int]) -> None:
    """A look that leaps is believed by the next one: forgetting is one gap behind at most."""
    witness, now, looks = ClockWitness(), NOW, [NOW]
    for hours in gaps:
        witness = witness_after(witness, now)
        now += timedelta(hours=hours)
        looks.append(now)
    witness = witness_after(witness, now)
    by = forgets_by(witness, now)
    assert by is not None
    assert by >= min(looks[-2], now)
