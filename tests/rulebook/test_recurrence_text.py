"""A window that comes again, as a person writes it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given

from router.domain.silences import Recurrence
from router.rulebook.silence_scope import read_recurrence
from tests.domain.test_recurrences import RECURRENCES
from tests.silences import weekly


@given(RECURRENCES)
def test_what_is_written_is_read_as_it_was(every: Recurrence) -> None:
    """Whatever days, times and zone."""
    assert read_recurrence(str(every)) == every


def test_days_may_be_written_as_people_do() -> None:
    """As names, ranges and lists."""
    written = {
        "Sat 02:00-04:00 Europe/Berlin": weekly(5, zone="Europe/Berlin"),
        "saturday 2:00 - 4:00 europe/berlin": weekly(5, zone="Europe/Berlin"),
        "Mon-Fri 02:00-04:00 UTC": weekly(0, 1, 2, 3, 4),
        "Fri-Mon 02:00-04:00 UTC": weekly(4, 5, 6, 0),
        "Tue,Thu 02:00-04:00 utc": weekly(1, 3),
        "daily 02:00-04:00 UTC": weekly(*range(7)),
        "weekends 02:00-04:00 UTC": weekly(5, 6),
        "Sun 22:00-24:00 UTC": weekly(6, begins="22:00", ends="00:00"),
    }
    assert {text: read_recurrence(text) for text in written} == written


def test_what_is_no_window_is_refused_with_what_to_write() -> None:
    """One line each."""
    for text, words in (
        ("", "is no window; write one such as"),
        ("Sat 2-4 UTC", "is no window; write one such as"),
        ("Sat 02:00-04:00", "names no time zone; write one behind it, such as Europe/Berlin or UTC"),
        ("Sut 02:00-04:00 UTC", "'Sut' is no day; write one of Mon, Tue"),
        ("S 02:00-04:00 UTC", "'S' is no day"),
        ("Sat- 02:00-04:00 UTC", "'' is no day"),
        ("Sat 02:00-25:00 UTC", "'25:00' is no time of the day"),
        ("Sat 02:60-04:00 UTC", "'02:60' is no time of the day"),
        ("Sat 02:00-04:00 Europe/Berlim", "did you mean 'Europe/Berlin'?"),
        ("Sat 02:00-04:00 CEST", "'CEST' is no time zone"),
        ("Sat 02:00-04:00 localtime", "'localtime' is no time zone"),
        ("Sat 02:00-04:00 Factory", "'Factory' is no time zone"),
        ("Sat 02:00-04:00 ../../etc/passwd", "is no time zone"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            read_recurrence(text)
