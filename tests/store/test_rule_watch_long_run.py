"""That people hear once, and of what is so, over weeks and months: deploys, pauses, and clocks that were wrong."""

from __future__ import annotations

from datetime import time, timedelta

import pytest

from router.app.rule_watch import RuleWatch
from router.domain.recurrences import Recurrence
from router.store.store import Store
from tests.builders import NOW
from tests.store.acts import DAY, run
from tests.store.life import Life
from tests.store.test_rule_watch import (
    HOUR,
    MINUTE,
    OWNER,
    SECOND,
    a_book,
    a_silence,
    heard,
    held,
    looked,
    notice_in,
    owned,
    silenced,
    titles,
)


@pytest.fixture
def life(store: Store) -> Life:
    """A router over each store."""
    return Life(store, book=a_book(owned("scanner", NOW + 300 * DAY)))


@pytest.mark.parametrize("back", [60 * DAY, 200 * DAY])
def test_a_clock_that_was_behind_forgets_nothing_that_was_told(store: Store, back: timedelta) -> None:
    """What it finds itself, such as a rule that ended long ago, it tells once."""
    book = a_book(owned("old", NOW - back - HOUR), owned("ended", NOW - HOUR), owned("soon", NOW + 2 * DAY))
    for now in (NOW, NOW - back, NOW + MINUTE, NOW + 2 * MINUTE):
        run(RuleWatch(store, book).notify(now))
    told = "\n".join(notice_in(one).description for one in heard(store) if notice_in(one).recipient is None)
    assert [told.count(f"rule {name} end") for name in ("old", "ended", "soon")] == [1, 1, 1]


LONG = "a" * 201


@pytest.mark.parametrize("name", [LONG, f"{LONG}b"])
def test_a_name_longer_than_counts_keep_it_is_told_of_as_any_other(life: Life, name: str) -> None:
    """Its hits are found, and its owner."""
    life.book = a_book(owned(name, NOW + 300 * DAY))
    looked(life.store, life.book, timedelta())
    life.goes_on(20)
    held(life, "one", Severity="High")
    held(life, "one", Severity="High", Status="Resolved")
    looked(life.store, life.book, 45 * DAY, 51 * DAY)
    assert titles(life.store, OWNER) == [f"Suppression rule {name} has held nothing for 31 days"]


def test_a_rule_that_holds_nothing_for_years_is_told_of_once(life: Life) -> None:
    """What was told is remembered for as long as the spell lasts."""
    life.book = a_book(owned("idle", NOW + 1000 * DAY))
    for days in range(0, 900, 50):
        life.now = NOW + days * DAY
        run(RuleWatch(life.store, life.book).notify(life.now))
        life.forget()
    assert titles(life.store) == ["Suppression rule idle has held nothing for 50 days"]


def test_a_scope_that_is_silenced_for_months_is_told_of_once(life: Life) -> None:
    """Once for each silence, whatever else people hear of meanwhile."""
    every = Recurrence(frozenset(range(7)), time(0), time(16), "UTC")
    silenced(life.store, a_silence(NOW, 89 * DAY, every=every))
    book = a_book(*(owned(f"rule-{days}", NOW + days * DAY) for days in range(0, 89, 20)), warn=SECOND)
    looked(life.store, book, *(days * DAY for days in range(0, 89, 4)))
    assert sum("was silenced for" in one or "hold for long" in one for one in titles(life.store)) == 1


def test_people_hear_of_the_window_that_ended_while_the_router_was_down_for_a_week(life: Life) -> None:
    """What it held and still stands comes out, so whoever made it hears of its end."""
    every = Recurrence(frozenset(range(7)), time(12), time(13), "UTC")
    silenced(life.store, a_silence(NOW, 30 * DAY, every=every))
    life.book = a_book()
    run(RuleWatch(life.store, life.book).notify(NOW))
    held(life, "one")
    looked(life.store, life.book, 7 * DAY + 2 * HOUR, 7 * DAY + 3 * HOUR)
    assert titles(life.store) == ["A window of the silence ab12cd ended 2026-11-24 13:00 UTC"]
