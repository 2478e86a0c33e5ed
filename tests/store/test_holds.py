"""What both stores keep of what a rule holds: since when, and how many messages; and what a release says of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from router.domain.catalogue import Catalogue
from router.domain.decisions import Outcome
from router.domain.ledger import Held, HeldBy
from router.domain.notices import Notice, Release
from router.domain.rulebook import By, Grouping, Limit
from router.ingest.intake import Intake
from router.store.store import Store
from tests.builders import NOW, a_destination, a_rule, a_rulebook, an_ip, without_rules
from tests.store.acts import find_rows, in_doubt, run, write_rows
from tests.store.builders import a_row
from tests.store.life import Life

HOUR = timedelta(hours=1)
BY = HeldBy(rule="r", until=NOW + HOUR, since=NOW, messages=3)
HELD = Held(rule="r", until=NOW + HOUR, rulebook="h", source="s", body=b"{}", since=NOW, messages=3)
SCANNER: dict[str, object] = {"Entities": [an_ip("10.20.0.5")]}


def found(store: Store, key: str = "k") -> HeldBy | None:
    """What holds a signal, as its row is found."""
    return find_rows(store, [key])[key].held_by


def test_a_row_is_found_with_what_holds_it_and_without_the_body(store: Store) -> None:
    """A transition asks since when and how many; the body is read where it is decided again."""
    write_rows(store, [a_row(held=HELD, outcome=Outcome.SUPPRESSED)])
    (row,) = find_rows(store, ["k"]).values()
    assert (row.held, row.held_by) == (None, BY)
    assert [one.held for one in in_doubt(store, "cwpp", "other", [])] == [HELD]
    write_rows(store, [a_row()])
    assert found(store) is None


def releases(life: Life) -> set[tuple[str, Release | None]]:
    """What had held the alert, as people are told."""
    told = [one.delivery for one in life.deliver()]
    contents = [(one.destination, one.content) for one in told if one.destination != "sentinel"]
    return {(name, content.release) for name, content in contents if isinstance(content, Notice)}


def test_a_group_that_waited_for_room_says_what_had_held_the_member_in_whose_words_it_opens(store: Store) -> None:
    """All of it."""
    spec = replace(a_destination("tickets"), group=Grouping((By.ALERT_TYPE,), None), limit=Limit(1, HOUR))
    book = a_rulebook(replace(a_rule("scanner " * 100), owner="ada@contoso.example"), destinations=[spec], always=())
    life = Life(store, book)
    life.alert("alert-1", **SCANNER)
    life.alert("other", AlertType="VM_Other")
    life.deliver()
    life.book = without_rules(book)
    life.release()
    assert releases(life) == set()  # it waits for its turn
    life.goes_on(1 / 12)
    run(Intake(store, {life.book.stream: life.book}, Catalogue()).admit_waiting(life.book.stream, life.now))
    told = [release for _, release in releases(life) if release is not None]
    assert [(one.name, one.since, one.messages) for one in told] == [("scanner " * 100, "2026-11-24T12:00:00Z", 1)]
