"""What a notice says of the rule that had held its signal back."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.errors import StoreError
from router.domain.notices import Notice, Release
from router.domain.rulebook import Rulebook
from router.ingest.intake import Message
from tests.builders import NOW, a_message, a_rule, a_rulebook, alert_body, an_ip, without_rules
from tests.examples import some_of
from tests.ingest.test_intake import House
from tests.store.deadly import Deadly
from tests.store.opened import Place

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
SCANNER: dict[str, object] = {"Entities": [an_ip("10.20.0.5")]}
RULE = replace(a_rule(expires=NOW + HOUR), owner="ada@contoso.example")


@contextmanager
def a_house(book: Rulebook) -> Iterator[House]:
    """A house of its own for one example."""
    with tempfile.TemporaryDirectory() as directory:
        house = House(Path(directory), book)
        try:
            yield house
        finally:
            asyncio.run(house.store.close())


@pytest.fixture
def house(place: Place) -> Iterator[House]:
    """A house where a rule holds what a scanner causes."""
    house = House(place, a_rulebook(RULE))
    yield house
    asyncio.run(house.store.close())


def an_alert_message(place: int, **fields: object) -> Message:
    """A message about one and the same alert, which the rule covers."""
    body = alert_body("alert-1", **{**SCANNER, "Description": f"text {place}", **fields})
    return a_message(body, place=place, at=NOW + place * timedelta(seconds=1))


def releases(house: House, now: datetime = NOW + 2 * HOUR) -> list[Release | None]:
    """What the notices that tickets get say of what had held the alert."""
    told = [claim.delivery.content for claim in house.owed("tickets", now)]
    return [content.release for content in told if isinstance(content, Notice)]


@settings(max_examples=some_of(40), deadline=None)
@given(st.lists(st.tuples(st.lists(st.integers(1, 6), max_size=4), st.booleans()), max_size=6))
def test_a_release_counts_each_message_that_was_held_once(batches: Sequence[tuple[list[int], bool]]) -> None:
    """Whatever came again, in whatever batches, and whether the answer to a commit was lost.

    What is older than what is known is a repeat, and was not held.
    """
    messages = {place: an_alert_message(place) for place in range(7)}
    with a_house(a_rulebook(RULE)) as house:
        house.ingest(messages[0])
        latest, expected = 0, 1
        for number, (places, is_lost) in enumerate(batches, start=1):
            now = NOW + number * MINUTE
            for place in sorted(set(places)):
                expected, latest = expected + (place > latest), max(latest, place)
            batch = [messages[place] for place in places]
            for _ in range(1 + is_lost):
                house.ingest(*batch, now=now)
        house.release(NOW + HOUR)
        (release,) = releases(house)
    assert release == Release(
        kind="rule",
        name="scanner",
        author="ada@contoso.example",
        since="2026-11-24T12:00:00Z",
        ended="2026-11-24T13:00:00Z",
        messages=expected,
    )


def test_a_release_that_dies_at_any_statement_is_told_once(house: House) -> None:
    """Who comes next does the rest of it, and nothing twice; so where only the answer to a commit is lost."""
    store = house.store
    for step in count(1, 3):
        house.ingest(a_message(alert_body(f"alert-{step}", **SCANNER), place=step))
        house.store = deadly = Deadly(store, step, is_done=True)
        with suppress(StoreError):
            house.release(NOW + HOUR)
        house.store = store
        house.release(NOW + HOUR)
        (told,) = house.owed("tickets", NOW + HOUR)
        assert isinstance(told.delivery.content, Notice)
        assert (told.delivery.content.id, told.delivery.change) == (f"alert-{step}", "opened")
        if not deadly.died:
            return


def test_a_message_that_rises_above_what_the_rule_covers_says_what_had_held_the_others(house: House) -> None:
    """The rule has not ended: it covers no more what the alert says."""
    house.ingest(an_alert_message(1), an_alert_message(2))
    house.ingest(an_alert_message(3, Entities=[]))
    assert releases(house) == [
        Release(kind="rule", name="scanner", author="ada@contoso.example", since="2026-11-24T12:00:00Z", messages=2)
    ]


def test_a_rule_that_is_gone_is_named_without_an_owner(house: House) -> None:
    """Whose it was stands in the file that is there no more."""
    house.ingest(an_alert_message(1))
    house.book = without_rules(house.book)
    house.release(NOW + MINUTE)
    assert releases(house) == [Release(kind="rule", name="scanner", since="2026-11-24T12:00:00Z", messages=1)]


def test_a_rule_that_went_after_its_end_had_ended(house: House) -> None:
    """Its end is known from when it held the alert."""
    house.ingest(an_alert_message(1))
    house.book = without_rules(house.book)
    house.release(NOW + HOUR)
    (release,) = releases(house)
    assert release is not None
    assert release.ended == "2026-11-24T13:00:00Z"


def test_a_rule_that_takes_over_says_since_when_it_held_the_alert_itself(house: House) -> None:
    """What another one held before it is not its own; the message that it took over is the first that it held."""
    other = replace(a_rule("maintenance", expires=NOW + 3 * HOUR), owner="bob@contoso.example")
    house.ingest(an_alert_message(1), an_alert_message(2))
    house.book = replace(a_rulebook(other), hash="another")
    house.release(NOW + HOUR)
    house.ingest(an_alert_message(3), now=NOW + 2 * HOUR)
    house.release(NOW + 3 * HOUR)
    assert releases(house, NOW + 3 * HOUR) == [
        Release(
            kind="rule",
            name="maintenance",
            author="bob@contoso.example",
            since="2026-11-24T13:00:00Z",
            ended="2026-11-24T15:00:00Z",
            messages=2,
        )
    ]


def test_a_rule_whose_file_changed_and_that_covers_it_still_goes_on_counting(house: House) -> None:
    """Nothing was released, and what is decided again is no further message."""
    house.ingest(an_alert_message(1))
    house.book = replace(a_rulebook(replace(RULE, comment="again")), hash="another")
    assert house.release(NOW + MINUTE) == []
    house.ingest(an_alert_message(2))
    house.release(NOW + HOUR)
    (release,) = releases(house)
    assert release is not None
    assert (release.since, release.messages) == ("2026-11-24T12:00:00Z", 2)


def test_what_was_never_held_and_what_resolves_says_nothing_of_a_rule(house: House) -> None:
    """An alert that people know of, is held, and resolves: its resolution is not released."""
    house.book = without_rules(house.book)
    house.ingest(an_alert_message(1))
    assert releases(house) == [None]
    house.book = a_rulebook(RULE)
    house.ingest(an_alert_message(2), an_alert_message(3, Status="Resolved"))
    assert releases(house) == [None]


def test_what_fell_below_the_floor_meanwhile_is_not_released_later(house: House) -> None:
    """The rule held nothing any more when it rose again."""
    house.ingest(an_alert_message(1))
    house.ingest(an_alert_message(2, Severity="Informational"))
    house.book = without_rules(house.book)
    house.ingest(an_alert_message(3))
    assert releases(house) == [None]
