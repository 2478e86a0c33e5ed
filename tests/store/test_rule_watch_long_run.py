"""That people hear once, and of what is so, over weeks and months: deploys, pauses, and clocks that were wrong."""

from __future__ import annotations

from dataclasses import replace
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

MUCH = "Suppression rule scanner held 4 messages of High or worse within an hour, from 2026-11-24 12:00 UTC on"


@pytest.fixture
def life(store: Store) -> Life:
    """A router over each store, whose policy puts up with three grave messages an hour."""
    return Life(store, book=replace(a_book(owned("scanner", NOW + 300 * DAY)), grave_an_hour=3))


def test_new_rules_that_hold_what_was_held_make_nobody_hear_of_much(life: Life) -> None:
    """Whatever is held is decided again when the rules change; that is no message that came in."""
    for number in range(4):
        held(life, f"grave-{number}", Severity="High")
        life.goes_on(0.5)
    for deploy in range(3):
        life.book = replace(life.book, hash=f"{deploy}" * 12)
        life.release()
        looked(life.store, life.book, 2 * DAY + deploy * MINUTE)
    assert titles(life.store) == []


def test_what_is_of_unknown_severity_counts_as_grave(life: Life) -> None:
    """As where silences are refused."""
    for number in range(4):
        held(life, f"strange-{number}", Severity="Apocalyptic")
    looked(life.store, life.book, MINUTE)
    assert titles(life.store) == [MUCH]


@pytest.mark.parametrize("pause", [10 * MINUTE, 2 * HOUR, 20 * HOUR])
def test_people_hear_that_much_was_held_by_a_process_that_began_later(life: Life, pause: timedelta) -> None:
    """A job that runs once a day looks at what the last one held after it looked."""
    for number in range(4):
        held(life, f"grave-{number}", Severity="High")
    looked(life.store, life.book, pause, pause + MINUTE)
    assert titles(life.store) == [MUCH]


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
    life.book = replace(a_book(owned(name, NOW + 300 * DAY)), grave_an_hour=3)
    looked(life.store, life.book, timedelta())
    life.goes_on(20)
    for number in range(4):
        held(life, f"grave-{number}", Severity="High")
        held(life, f"grave-{number}", Severity="High", Status="Resolved")
    looked(life.store, life.book, 20 * DAY, 45 * DAY)
    assert titles(life.store, OWNER) == [
        f"Suppression rule {name} held 4 messages of High or worse within an hour, from 2026-12-14 12:00 UTC on"
    ]


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
