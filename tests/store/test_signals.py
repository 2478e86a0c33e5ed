"""What every store promises of signals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from router.domain.decisions import Outcome
from router.domain.errors import StoreError
from router.domain.hubs import Arrival
from router.store import signals
from router.store.describing import describe
from router.store.ledger import Held, LedgerRow, Seen, State
from router.store.snapshots import Appearances
from router.store.store import Store
from tests.builders import NOW
from tests.store.acts import find_rows, in_doubt, owe, run, write_rows
from tests.store.builders import a_delivery, a_row, noise

HOUR = timedelta(hours=1)
NAMED = Appearances("s", "recommendation", NOW, NOW - HOUR, (20_000, 20_007))


def a_held_row(key: str = "k", rule: str = "r", rulebook: str = "h", **changes: object) -> LedgerRow:
    """A row of a signal that a rule holds."""
    held = Held(rule=rule, until=NOW + HOUR, rulebook=rulebook, source="s", body=b"{}", since=NOW, messages=3)
    return a_row(key, held=held, outcome=Outcome.SUPPRESSED, **changes)


@pytest.mark.parametrize("size", [10, 100_000])
def test_a_row_comes_back_as_it_was_written(store: Store, size: int) -> None:
    """Every part of it, of two writes the last. A message says its status, and all else, as long as it likes; what a rule
    holds is no shorter, and comes back where it is decided again."""
    text = noise(size).hex()
    write_rows(store, [a_row(turn=7, closed_at=NOW, open={"a": 1, "b": 2}, appearances=NAMED)])
    row = a_held_row(
        state=State(resolved=True, status=text, severity=None, measure=text),
        seen=Seen(None, Arrival("f", 2**62, None, 3), deleted=True),
        appearances=NAMED._replace(in_snapshot=None, days=()),
        closed_at=NOW,
        grouped=frozenset({"tickets"}),
    )
    assert row.held is not None
    row = replace(row, held=replace(row.held, body=noise(size)))
    write_rows(store, [row])
    assert row.held is not None
    assert find_rows(store, ["k", "unknown"]) == {"k": replace(row, held=replace(row.held, body=None))}
    assert in_doubt(store, "cwpp", "b", []) == [row]
    named = replace(row, turn=9, held=None, appearances=NAMED)
    run(store.run(lambda tx: signals.write_appearances(tx, [named])))
    assert in_doubt(store, "cwpp", "b", []) == [replace(row, appearances=NAMED)]
    write_rows(store, [a_row()])
    assert find_rows(store, ["k"]) == {"k": a_row()}


def test_a_signal_that_another_transaction_wrote_first_is_not_written_over(store: Store) -> None:
    """What was decided as if it were new is run again, and finds it."""
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
    described = run(describe(store, NOW))
    assert described is not None and described.damaged == 0


def test_held_rows_come_back_when_what_holds_them_ended_or_the_rulebook_changed(store: Store) -> None:
    """Only what the ended rule of many holds, and what any holds under another rulebook, whose hash may begin alike."""

    def doubted(book: str, active: Sequence[str], now: datetime = NOW) -> list[str]:
        return [row.key for row in in_doubt(store, "cwpp", book, active, now)]

    rules = [f"rule {number}" for number in range(30)]
    write_rows(store, [a_held_row(f"{rule}/{n}", rule) for rule in rules for n in range(2)])
    assert doubted("h", rules) == []
    assert doubted("h", [rule for rule in rules if rule != "rule 17"]) == ["rule 17/0", "rule 17/1"]
    assert len(doubted("h", rules, NOW + HOUR)) == len(doubted("other", rules)) == 60
    assert in_doubt(store, "cspm", "h", []) == []
    others = ["", "g", "h0", "i"]
    write_rows(store, [a_held_row(book or "none", "rule 1", book) for book in others])
    assert doubted("h", rules) == ["g", "h0", "i", "none"]
    write_rows(store, [a_held_row("g", "second"), a_row("i")])
    assert doubted("h", [*rules, "second"]) == ["h0", "none"]
