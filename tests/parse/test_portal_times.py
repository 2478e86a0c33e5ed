"""Times as Azure's portal writes them into CSV exports."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.parse.fields import find_portal_time
from tests.parse.messages import a_table_row, read_alert

MORNING = datetime(2025, 2, 25, 9, 19, 25, 391000, UTC)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2/25/2025, 9:19:25.391 AM", MORNING),
        ("2/25/2025, 9:19:25.391\u202fAM", MORNING),
        ("02/25/2025 9:19:25.3910000 AM", MORNING),
        ("2/25/2025, 12:00:00 AM", datetime(2025, 2, 25, tzinfo=UTC)),
        ("2/25/2025, 12:00:00 PM", datetime(2025, 2, 25, 12, tzinfo=UTC)),
        ("2/25/2025, 11:59:59 PM", datetime(2025, 2, 25, 23, 59, 59, tzinfo=UTC)),
        ("25.02.2025, 09:19:25,391", MORNING),
        ("25.2.2025 09:19:25.391", MORNING),
        ("04.03.2025, 09:19:25", datetime(2025, 3, 4, 9, 19, 25, tzinfo=UTC)),
        ("2025-02-25, 9:19:25.391 a.m.", MORNING),
        ("2025/02/25, 09:19:25.391", MORNING),
        ("2025-03-04, 9:19:25 p.\u00a0m.", datetime(2025, 3, 4, 21, 19, 25, tzinfo=UTC)),
        ("25/02/2025, 09:19:25.391", None),
        ("25-02-2025, 09:19:25.391", None),
        ("03/04/2025, 09:19:25", None),
        ("3/4/2025, 9:19:25 am", None),
        ("3/4/2025, 9:19:25 a.\u00a0m.", None),
        ("03-04-2025, 09:19:25 AM", None),
        ("02.25.2025, 09:19:25", None),
        ("2025-25-02, 09:19:25", None),
        ("2025/02-25, 09:19:25", None),
        ("2/25-2025, 9:19:25 AM", None),
        ("2/25/2025, 9:19 AM", None),
        ("13/13/2025, 9:19:25 AM", None),
        ("2/30/2025, 9:19:25 AM", None),
        ("2/25/2025, 13:19:25 PM", None),
        ("2/25/2025, 0:19:25 AM", None),
        ("2/25/2025", None),
        ("2/25/0000, 9:19:25 AM", None),
    ],
)
def test_times_are_read_whose_form_says_which_number_is_the_month(text: str, time: datetime | None) -> None:
    """Nothing is guessed."""
    assert find_portal_time(text) == time


def test_an_alert_has_its_portal_times() -> None:
    """Also where a row comes as JSON."""
    alert = read_alert(a_table_row(ProcessingEndTime="2/25/2025, 9:19:25.391 AM", StartTime="03/04/2025, 09:19:25"))
    assert (alert.changed, alert.started) == (MORNING, None)


@given(st.integers(1_546_300_800, 2_051_222_400).map(lambda second: datetime.fromtimestamp(second, UTC)))
def test_every_time_comes_back(time: datetime) -> None:
    """In 24 hours with the day or the year first, and in 12 with the month first."""
    for form in ("%d.%m.%Y, %H:%M:%S", "%Y/%m/%d, %H:%M:%S", "%m/%d/%Y, %I:%M:%S %p"):
        assert find_portal_time(time.strftime(form)) == time
