"""What stands in the place of a damaged row of the ledger."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from router.domain.damage import Past, Remains, mended
from router.domain.decisions import Change, Outcome
from router.domain.ledger import LedgerRow
from tests.store.builders import a_row

LOST = Remains(
    key="k",
    stream=None,
    state=None,
    seen=None,
    turn=None,
    outcome=None,
    open=None,
    grouped=None,
    forwarded=None,
    closed_at=None,
    pending=None,
    is_pending_lost=False,
    is_held=False,
    past=(),
    joined={},
)


def a_past(turn: int, change: Change = Change.OPENED, destination: str = "tickets") -> Past:
    """A delivery that was owed."""
    return Past(stream="cwpp", destination=destination, turn=turn, change=change, opened=1)


PASTS = st.lists(
    st.builds(a_past, st.integers(1, 50), st.sampled_from(Change), st.sampled_from(["tickets", "oncall"])),
    max_size=6,
    unique_by=lambda one: (one.destination, one.turn),
)


@given(PASTS, st.dictionaries(st.just("chat"), st.integers(1, 50)))
def test_its_next_turn_is_borne_by_no_delivery_and_whoever_was_told_is_told_of_the_end(
    past: list[Past], joined: dict[str, int]
) -> None:
    """Whatever is left of it: what is owed under a turn that was owed before would be nothing new."""
    row = mended(replace(LOST, past=past, joined=joined))
    assert all(one.turn <= row.turn for one in past)
    assert all(turn <= row.turn for turn in joined.values())
    last = {one.destination: one for one in sorted(past, key=lambda one: one.turn)}
    is_open = {name for name, one in last.items() if one.change is not Change.RESOLVED}
    assert row.open.keys() == is_open | joined.keys()
    assert row.forwarded


def test_what_can_still_be_read_stays_as_it_was() -> None:
    """One damaged column costs that column."""
    row: LedgerRow = a_row(turn=3)
    left = replace(
        LOST,
        stream=row.stream,
        state=row.state,
        seen=row.seen,
        outcome=row.outcome,
        open=row.open,
        grouped=row.grouped,
        forwarded=row.forwarded,
        past=[a_past(3, Change.UPDATED)],
    )
    assert mended(left) == row


def test_a_signal_that_a_rule_holds_is_held_still() -> None:
    """It comes out when the rule ends, like any other."""
    assert mended(replace(LOST, is_held=True)).outcome is Outcome.SUPPRESSED
