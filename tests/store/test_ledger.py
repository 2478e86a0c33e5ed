"""What every store promises of the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count

import pytest

from router.domain.decisions import Outcome
from router.domain.keys import signal_key
from router.domain.ledger import Arrival, Held, LedgerRow, Seen, State, Turn
from router.domain.retention import Retention
from router.store.store import Store
from tests.builders import NOW
from tests.store.acts import in_doubt, owe, run
from tests.store.builders import a_delivery, a_row, an_entry, noise

_NUMBERS = count()


def test_a_row_comes_back_as_it_was_written(store: Store) -> None:
    """The ledger keeps every part of a row, and gives it a version."""
    row = a_row(closed_at=NOW, open={"a": 1, "b": 2})
    versions = run(store.ledger.write_rows([row]))
    assert run(store.ledger.find_rows(["k", "unknown"])) == {"k": replace(row, version=versions["k"])}


def test_to_ask_for_a_key_that_has_deliveries_makes_no_signal_of_it(store: Store) -> None:
    """A group has deliveries and is no signal, and so has a notice about rules."""
    owe(store, a_delivery(key="group"))
    assert run(store.ledger.find_rows(["group"])) == {}
    described = run(store.describe(NOW, Retention()))
    assert described is not None and (described.signals.number, described.damaged.number) == (0, 0)


def test_of_two_writers_of_one_row_one_loses(store: Store) -> None:
    """Compare-and-swap: a row is written only over the version that its writer read."""
    first = run(store.ledger.write_rows([a_row()]))["k"]
    assert run(store.ledger.write_rows([a_row(turn=9)])) == {}
    second = run(store.ledger.write_rows([a_row(turn=2, version=first)]))["k"]
    assert list(run(store.ledger.write_rows([a_row(turn=3, version=first), a_row("other")]))) == ["other"]
    found = run(store.ledger.find_rows(["k"]))["k"]
    assert (found.turn, found.version) == (2, second)


def test_held_rows_come_back_when_their_rule_is_gone_or_the_rulebook_changed(store: Store) -> None:
    """What is held by an active rule of the same rulebook is left in peace; what was let go is forgotten."""
    held = Held(rule="r", until=NOW, rulebook="h", source="s", body=b"{}")
    version = run(store.ledger.write_rows([a_row(held=held, outcome=Outcome.SUPPRESSED)]))["k"]

    def doubted(book: str, active: Sequence[str]) -> list[Held | None]:
        return [row.held for row in in_doubt(store, "cwpp", book, active)]

    assert doubted("h", ["r"]) == []
    assert doubted("h", []) == [held]
    assert doubted("other", ["r"]) == [held]
    assert in_doubt(store, "cspm", "h", []) == []
    run(store.ledger.write_rows([a_row(version=version)]))
    assert doubted("h", []) == []


def test_a_batch_with_one_loser_writes_all_others(store: Store) -> None:
    """One signal that somebody else wrote meanwhile costs its neighbours nothing."""
    rows = [a_row(signal_key("cwpp", "alert", str(number))) for number in range(100)]
    run(store.ledger.write_rows([rows[42]]))
    assert run(store.ledger.write_rows(rows)).keys() == {row.key for row in rows} - {rows[42].key}
    assert len(run(store.ledger.find_rows([row.key for row in rows]))) == 100


@pytest.mark.parametrize("size", [10, 100_000])
def test_a_row_keeps_what_is_of_any_length(store: Store, size: int) -> None:
    """A message says its status, and all else, as long as it likes; what a rule holds is no shorter."""
    text = noise(size).hex()
    state = State(resolved=True, status=text, severity=None, measure=text)
    seen = Seen(None, Arrival("f", 2**62, None, 3), deleted=True)
    held = Held(rule="r", until=NOW, rulebook="b", source="s", body=noise(size))
    row = a_row(state=state, seen=seen, held=held)
    versions = run(store.ledger.write_rows([row]))
    assert run(store.ledger.find_rows(["k"])) == {"k": replace(row, held=None, version=versions["k"])}
    assert in_doubt(store, "cwpp", "b", []) == [replace(row, version=versions["k"])]


def test_what_is_finished_may_be_written_again(store: Store) -> None:
    """The version to write over is the one that is found then."""
    versions = run(store.ledger.write_rows([a_row(pending=Turn(number=1, entry=an_entry()))]))
    run(store.ledger.clear_pending(versions))
    found = run(store.ledger.find_rows(["k"]))["k"]
    assert run(store.ledger.write_rows([replace(found, turn=2)])).keys() == {"k"}


def test_of_many_rules_only_what_the_ended_one_holds_comes_back(store: Store) -> None:
    """And what any rule holds under an older rulebook; a rulebook whose hash begins alike is another."""
    rules = [f"rule {number}" for number in range(30)]
    rows = [a_held_row(rule, "b1") for rule in rules for _ in range(3)]
    older = [a_held_row(rules[0], book) for book in ("b", "b0", "b11", "b2", "")]
    run(store.ledger.write_rows(rows + older))
    found = in_doubt(store, "cwpp", "b1", [rule for rule in rules if rule != "rule 17"])
    ended = [row for row in rows if row.held is not None and row.held.rule == "rule 17"]
    assert {row.key for row in found} == {row.key for row in ended + older}


def test_a_signal_that_is_held_anew_is_held_under_its_new_rule_only(store: Store) -> None:
    """What held it before has no say any more."""
    row = a_held_row("first", "b1")
    version = run(store.ledger.write_rows([row]))[row.key]
    again = replace(a_held_row("second", "b2"), key=row.key, version=version)
    run(store.ledger.write_rows([again]))
    assert in_doubt(store, "cwpp", "b2", ["second"]) == []
    (found,) = in_doubt(store, "cwpp", "b1", ["first"])
    assert found.held == again.held


def a_held_row(rule: str, rulebook: str) -> LedgerRow:
    """A row of a new signal that a rule holds."""
    held = Held(rule=rule, until=NOW, rulebook=rulebook, source="s", body=b"{}")
    return a_row(signal_key("cwpp", "alert", str(next(_NUMBERS))), held=held, outcome=Outcome.SUPPRESSED)
