"""What every store promises of signals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count

import pytest

from router.domain.decisions import Outcome
from router.domain.errors import StoreError
from router.domain.keys import signal_key
from router.domain.ledger import Arrival, Held, LedgerRow, Seen, State
from router.domain.retention import Retention
from router.store import signals
from router.store.store import Store
from tests.builders import NOW
from tests.store.acts import find_rows, in_doubt, owe, run, write_rows
from tests.store.builders import a_delivery, a_row, noise

HOUR = timedelta(hours=1)
_NUMBERS = count()


def test_a_row_comes_back_as_it_was_written(store: Store) -> None:
    """The ledger keeps every part of a row, and of two writes the last."""
    write_rows(store, [a_row(turn=7)])
    row = a_row(closed_at=NOW, open={"a": 1, "b": 2})
    write_rows(store, [row])
    assert find_rows(store, ["k", "unknown"]) == {"k": row}


def test_a_signal_that_another_transaction_wrote_first_is_not_written_over(store: Store) -> None:
    """Who found nothing of it decided as if it were new: that transaction is run again, and finds it."""
    new = a_row("new")

    async def write(*rows: LedgerRow) -> None:
        async with store.transaction() as tx:
            await signals.write_signals(tx, rows)

    run(write(new))
    with pytest.raises(StoreError):
        run(write(a_row("beside"), replace(new, turn=9)))
    assert find_rows(store, ["beside", "new"]) == {"new": new}
    (found,) = find_rows(store, ["new"]).values()
    run(write(replace(found, turn=2), a_row("beside")))
    assert {row.turn for row in find_rows(store, ["beside", "new"]).values()} == {1, 2}


def test_to_ask_for_a_key_that_has_deliveries_makes_no_signal_of_it(store: Store) -> None:
    """A group has deliveries and is no signal, and so has a notice about rules."""
    owe(store, a_delivery(key="group"))
    assert find_rows(store, ["group"]) == {}
    described = run(store.describe(NOW, Retention()))
    assert described is not None and (described.signals, described.damaged) == (0, 0)


def test_held_rows_come_back_when_what_holds_them_ended_or_the_rulebook_changed(store: Store) -> None:
    """What is held by an active rule of the same rulebook is left in peace; what was let go is forgotten."""
    held = Held(rule="r", until=NOW + HOUR, rulebook="h", source="s", body=b"{}")
    write_rows(store, [a_row(held=held, outcome=Outcome.SUPPRESSED)])

    def doubted(book: str, active: Sequence[str], now: datetime = NOW) -> list[Held | None]:
        return [row.held for row in in_doubt(store, "cwpp", book, active, now)]

    assert doubted("h", ["r"]) == []
    assert doubted("h", []) == doubted("other", ["r"]) == doubted("h", ["r"], NOW + HOUR) == [held]
    assert in_doubt(store, "cspm", "h", []) == []
    write_rows(store, [a_row()])
    assert doubted("h", []) == []


@pytest.mark.parametrize("size", [10, 100_000])
def test_a_row_keeps_what_is_of_any_length(store: Store, size: int) -> None:
    """A message says its status, and all else, as long as it likes; what a rule holds is no shorter."""
    text = noise(size).hex()
    state = State(resolved=True, status=text, severity=None, measure=text)
    seen = Seen(None, Arrival("f", 2**62, None, 3), deleted=True)
    held = Held(rule="r", until=NOW, rulebook="b", source="s", body=noise(size))
    row = a_row(state=state, seen=seen, held=held)
    write_rows(store, [row])
    assert find_rows(store, ["k"]) == {"k": replace(row, held=None, held_by=held.by)}
    assert in_doubt(store, "cwpp", "b", []) == [row]


def test_of_many_rules_only_what_the_ended_one_holds_comes_back(store: Store) -> None:
    """And what any rule holds under an older rulebook; a rulebook whose hash begins alike is another."""
    rules = [f"rule {number}" for number in range(30)]
    rows = [a_held_row(rule, "b1") for rule in rules for _ in range(3)]
    older = [a_held_row(rules[0], book) for book in ("b", "b0", "b11", "b2", "")]
    write_rows(store, rows + older)
    found = in_doubt(store, "cwpp", "b1", [rule for rule in rules if rule != "rule 17"])
    ended = [row for row in rows if row.held is not None and row.held.rule == "rule 17"]
    assert {row.key for row in found} == {row.key for row in ended + older}


def test_a_signal_that_is_held_anew_is_held_under_its_new_rule_only(store: Store) -> None:
    """What held it before has no say any more."""
    row = a_held_row("first", "b1")
    write_rows(store, [row])
    again = replace(a_held_row("second", "b2"), key=row.key)
    write_rows(store, [again])
    assert in_doubt(store, "cwpp", "b2", ["second"]) == []
    (found,) = in_doubt(store, "cwpp", "b1", ["first"])
    assert found.held == again.held


def a_held_row(rule: str, rulebook: str) -> LedgerRow:
    """A row of a new signal that a rule holds."""
    held = Held(rule=rule, until=NOW + HOUR, rulebook=rulebook, source="s", body=b"{}")
    return a_row(signal_key("cwpp", "alert", str(next(_NUMBERS))), held=held, outcome=Outcome.SUPPRESSED)
