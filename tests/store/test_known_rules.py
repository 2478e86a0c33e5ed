"""Since when rules are known, as both stores keep it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from router.domain.documents import DocumentKind
from router.domain.known_rules import RENEWED
from router.domain.suppression import Suppressions
from router.ingest.rule_register import RuleRegister, read_known_rules
from router.store.documents import find_document
from router.store.store import Store
from tests.builders import NOW, a_rule, a_rulebook
from tests.store.acts import DAY, run
from tests.store.within import within

HOUR = timedelta(hours=1)


def a_register(store: Store, *names: str, shadows: tuple[str, ...] = ()) -> RuleRegister:
    """The register of a rulebook with rules and shadow rules of these names."""
    book = a_rulebook(*map(a_rule, names))
    return RuleRegister(store, replace(book, shadows=Suppressions.of([a_rule(name) for name in shadows])))


def test_a_rule_is_known_since_its_first_sweep_whatever_restarts(store: Store, twin: Store) -> None:
    """Another process with the same rules, and one with more of them, read what the first one wrote."""
    run(a_register(store, "old").known_rules(NOW))
    known = run(a_register(twin, "old", "new", shadows=("old",)).known_rules(NOW + HOUR))
    assert known == run(read_known_rules(store, "cwpp"))
    assert dict(known.since) == {"old": NOW, "new": NOW + HOUR, "shadow:old": NOW + HOUR}
    assert run(read_known_rules(store, "cspm")).since == {}


def test_of_two_workers_with_other_rules_none_makes_those_of_the_other_younger(store: Store, twin: Store) -> None:
    """While new rules are rolled out old workers restart, too."""
    run(a_register(store, "a", "b").known_rules(NOW))
    run(a_register(twin, "a").known_rules(NOW + HOUR))
    known = run(a_register(store, "a", "b").known_rules(NOW + 2 * HOUR))
    assert dict(known.since) == {"a": NOW, "b": NOW}
    assert known.gone == {}


def test_what_is_known_is_written_where_rules_change_and_again_before_it_would_be_forgotten(store: Store) -> None:
    """A document that nobody writes goes after 400 days, and with it every rule would be new."""

    def version() -> object:
        document = run(within(store, find_document, DocumentKind.RULES, "cwpp"))
        assert document is not None
        return document.version

    run(a_register(store, "a").known_rules(NOW))
    first = version()
    run(a_register(store, "a").known_rules(NOW + RENEWED - HOUR))
    assert version() == first
    known = run(a_register(store, "a").known_rules(NOW + RENEWED))
    assert version() != first
    assert dict(known.since) == {"a": NOW}


def test_a_clock_that_was_wrong_is_mended_while_the_worker_lives(store: Store) -> None:
    """Nobody restarts it for that."""
    register = a_register(store, "a")
    run(register.known_rules(NOW + 30 * DAY))
    assert run(register.known_rules(NOW)).since == {"a": NOW}
    assert run(read_known_rules(store, "cwpp")).since == {"a": NOW}


def test_a_hundred_thousand_rules_are_one_document(store: Store) -> None:
    """It is longer than a row of a table holds."""
    names = [f"rule-{number:06}" for number in range(100_000)]
    run(a_register(store, *names).known_rules(NOW))
    known = run(read_known_rules(store, "cwpp"))
    assert len(known.since) == len(names)
