"""That what held a signal may change many times before it is decided again."""

from __future__ import annotations

from dataclasses import replace

from router.store.store import Store
from tests.builders import a_rule, a_rulebook, an_ip
from tests.store.life import Life


def test_a_signal_that_several_rules_held_in_turn_is_decided_again(store: Store) -> None:
    """Messages moved it from rule to rule, and each left an entry of what it held."""
    addresses = ("10.20.0.1", "10.20.0.2", "10.20.0.3")
    rules = [a_rule(f"rule-{number}", ip=[address]) for number, address in enumerate(addresses)]
    life = Life(store, book=a_rulebook(*rules))
    for address in addresses:
        life.alert(Entities=[an_ip(address)])
        life.goes_on(0.01)
    life.book = replace(a_rulebook(), hash="f" * 12)
    life.release()
    row = life.row()
    assert row is not None
    assert row.held is None
