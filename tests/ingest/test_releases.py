"""What a notice says of the rule that had held its signal back."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.catalogue import Catalogue
from router.domain.errors import StoreError
from router.domain.notices import Notice, Release
from router.domain.rulebook import By, Grouping, Limit
from router.ingest.intake import Intake, Message
from tests.builders import NOW, a_destination, a_message, a_rule, a_rulebook, alert_body, an_ip, without_rules
from tests.examples import some_of
from tests.store.acts import run
from tests.store.deadly import Deadly
from tests.store.life import Life, a_life
from tests.store.opened import Store

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
SCANNER: dict[str, Any] = {"Entities": [an_ip("10.20.0.5")]}
RULE = replace(a_rule(expires=NOW + HOUR), owner="ada@contoso.example")
BOOK = a_rulebook(RULE)
RELEASE = Release(kind="rule", name="scanner", author=RULE.owner, since="2026-11-24T12:00:00Z", messages=1)


@pytest.fixture
def life(sqlite: Store) -> Life:
    """A router with a rule that holds what a scanner causes."""
    return Life(sqlite, BOOK)


def a_held_message(place: int, **fields: Any) -> Message:
    """A message about one and the same alert, which the rule covers."""
    body = alert_body(**{**SCANNER, "Description": f"text {place}", **fields})
    return a_message(body, place=place, at=NOW + place * timedelta(seconds=1))


def releases(life: Life) -> list[Release | None]:
    """What the notices that tickets get say of what had held the alert."""
    contents = [claim.delivery.content for claim in life.owed("tickets")]
    return [content.release for content in contents if isinstance(content, Notice)]


@settings(max_examples=some_of(40), deadline=None)
@given(st.lists(st.tuples(st.lists(st.integers(1, 6), max_size=4), st.booleans()), max_size=6))
def test_a_release_counts_each_message_that_was_held_once(batches: Sequence[tuple[list[int], bool]]) -> None:
    """Whatever came again, in whatever batches, and whether the answer to a commit was lost.

    What is older than what is known is a repeat, and was not held.
    """
    messages = {place: a_held_message(place) for place in range(7)}
    with a_life(BOOK) as life:
        life.ingest(messages[0])
        latest, expected = 0, 1
        for number, (places, is_lost) in enumerate(batches, start=1):
            life.now = NOW + number * MINUTE
            for place in sorted(set(places)):
                expected, latest = expected + (place > latest), max(latest, place)
            for _ in range(1 + is_lost):
                life.ingest(*(messages[place] for place in places))
        life.now = NOW + HOUR
        life.release()
        assert releases(life) == [replace(RELEASE, ended="2026-11-24T13:00:00Z", messages=expected)]


def test_a_release_that_dies_at_any_statement_is_told_once(life: Life) -> None:
    """The next sweep does the rest of it, and nothing twice; so where only the answer to a commit is lost."""
    store = life.store
    for step in count(1, 3):
        life.now = NOW
        life.alert(f"alert-{step}", **SCANNER)
        life.now, life.store = NOW + HOUR, Deadly(store, step, is_done=True)
        with suppress(StoreError):
            life.release()
        deadly, life.store = life.store, store
        life.release()
        (told,) = life.owed("tickets")
        assert isinstance(told.delivery.content, Notice)
        assert (told.delivery.content.id, told.delivery.change) == (f"alert-{step}", "opened")
        if not deadly.died:
            return


def test_a_message_that_rises_above_what_the_rule_covers_says_what_had_held_the_others(life: Life) -> None:
    """The rule has not ended: it covers no more what the alert says. What falls below the floor is held no more either."""
    life.ingest(a_held_message(1), a_held_message(2), a_held_message(3, Entities=[]))
    assert releases(life) == [replace(RELEASE, messages=2)]
    life.alert("low", **SCANNER), life.alert("low", Severity="Informational", **SCANNER)
    life.book = without_rules(life.book)
    life.alert("low", **SCANNER)
    assert releases(life) == [None]


def test_a_rule_that_is_gone_is_named_without_an_owner() -> None:
    """Whose it was stands in the file that is there no more; its end is known from when it held the alert."""
    for after, ended in ((MINUTE, None), (HOUR, "2026-11-24T13:00:00Z")):
        with a_life(BOOK) as life:
            life.ingest(a_held_message(1))
            life.book = without_rules(life.book)
            life.now += after
            life.release()
            assert releases(life) == [replace(RELEASE, author=None, ended=ended)]


def test_a_rule_that_takes_over_says_since_when_it_held_the_alert_itself(life: Life) -> None:
    """What another one held before it is not its own; the message that it took over is the first that it held.

    A rule whose file changed goes on counting, and what is decided again is no further message.
    """
    life.ingest(a_held_message(1), a_held_message(2))
    life.now = NOW + HOUR
    other = replace(a_rule("maintenance", expires=NOW + 3 * HOUR), owner="bob@contoso.example")
    life.book = replace(a_rulebook(other), hash="another")
    assert life.release() == []
    life.book = replace(a_rulebook(replace(other, comment="again")), hash="a third")
    assert life.release() == []
    life.ingest(a_held_message(3))
    life.now = NOW + 3 * HOUR
    life.release()
    told = replace(RELEASE, name="maintenance", author=other.owner, since="2026-11-24T13:00:00Z", messages=2)
    assert releases(life) == [replace(told, ended="2026-11-24T15:00:00Z")]


def test_what_was_never_held_and_what_resolves_says_nothing_of_a_rule(life: Life) -> None:
    """An alert that people know of, is held, and resolves: its resolution is not released."""
    life.book = without_rules(life.book)
    life.ingest(a_held_message(1))
    assert releases(life) == [None]
    life.book = BOOK
    life.ingest(a_held_message(2), a_held_message(3, Status="Resolved"))
    assert releases(life) == [None]


def test_a_group_that_waited_for_room_says_what_had_held_the_member_in_whose_words_it_opens(sqlite: Store) -> None:
    """All of it, also where the rule has a long name."""
    spec = replace(a_destination("tickets"), group=Grouping((By.ALERT_TYPE,), None), limit=Limit(1, HOUR))
    book = a_rulebook(a_rule("scanner " * 100), destinations=[spec], always=())
    life = Life(sqlite, book)
    life.alert(**SCANNER)
    life.alert("other", AlertType="VM_Other")
    life.deliver()
    life.book = without_rules(book)
    life.release()
    assert releases(life) == []  # it waits for its turn
    life.goes_on(1 / 12)
    run(Intake(sqlite, {life.book.stream: life.book}, Catalogue()).admit_waiting(life.book.stream, life.now))
    (opening, *_) = [release for release in releases(life) if release is not None]
    assert (opening.name, opening.since, opening.messages) == ("scanner " * 100, "2026-11-24T12:00:00Z", 1)
