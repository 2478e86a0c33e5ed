"""Windows that come again every week hold by the clocks of their zone, also on the days on which these are changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from router.domain.silences import Recurrence, Silence, Window
from tests.silences import a_silence, weekly

SATURDAY, SUNDAY = 5, 6
INSTANT = timedelta(microseconds=1)
DAYS = st.sets(st.integers(0, 6), min_size=1)
TIMES = st.times().map(lambda at: at.replace(second=0, microsecond=0))
RECURRENCES = st.builds(
    Recurrence,
    DAYS.map(frozenset),
    TIMES,
    TIMES,
    st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Apia", "America/St_Johns"]),
)
INSTANTS = st.timedeltas(timedelta(), timedelta(days=1100)).map(lambda since: datetime(2025, 1, 1, tzinfo=UTC) + since)


def at(text: str) -> datetime:
    """An instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def windows(every: Recurrence, since: str, until: str) -> list[Window]:
    """The windows between two instants."""
    return list(every.windows_between(at(since), at(until)))


def holding(every: Recurrence) -> Silence:
    """A silence in these windows, which began before the instants of these tests and ends after them."""
    return a_silence(begins=datetime(2010, 1, 1, tzinfo=UTC), lasts=timedelta(days=10_000), every=every)


def test_a_window_holds_from_its_first_instant_to_before_its_end() -> None:
    """Neither a moment earlier nor one later."""
    every = weekly(SATURDAY, begins="02:00", ends="04:00", zone="Europe/Berlin")
    window = Window(at("2026-11-28T01:00"), at("2026-11-28T03:00"))
    assert holding(every).find_window_at(window.begins - INSTANT) is None
    assert holding(every).find_window_at(window.begins) == window
    assert holding(every).find_window_at(window.ends - INSTANT) == window
    assert holding(every).find_window_at(window.ends) is None


def test_a_window_may_go_over_midnight() -> None:
    """It belongs to the day on which it begins; one that ends when it begins lasts a day."""
    every = weekly(SATURDAY, begins="22:00", ends="02:00")
    assert windows(every, "2026-11-27", "2026-12-01") == [Window(at("2026-11-28T22:00"), at("2026-11-29T02:00"))]
    assert holding(every).find_window_at(at("2026-11-29T01:00")) is not None
    assert holding(every).find_window_at(at("2026-11-28T01:00")) is None
    whole = windows(weekly(SUNDAY, begins="00:00", ends="00:00"), "2026-11-27", "2026-12-01")
    assert whole == [Window(at("2026-11-29T00:00"), at("2026-11-30T00:00"))]


def test_where_clocks_are_put_forward_a_window_is_shorter_and_where_they_are_put_back_longer() -> None:
    """It holds by what the clocks show; what they never show lies where it would have been, and a time that they show twice
    is the first of the two."""
    for since, begins, ends, first, last in (
        # On 29 March 2026 the clocks of Berlin go from 02:00 to 03:00.
        ("2026-03-29T00:00", "01:00", "04:00", "2026-03-29T00:00", "2026-03-29T02:00"),
        ("2026-03-29T00:00", "02:00", "04:00", "2026-03-29T01:00", "2026-03-29T02:00"),
        ("2026-03-29T00:00", "02:15", "02:45", "2026-03-29T01:15", "2026-03-29T01:45"),
        ("2026-03-29T00:00", "22:00", "03:30", "2026-03-29T20:00", "2026-03-30T01:30"),
        # On 25 October 2026 they go from 03:00 to 02:00.
        ("2026-10-24T22:00", "01:00", "04:00", "2026-10-24T23:00", "2026-10-25T03:00"),
        ("2026-10-24T22:00", "02:00", "04:00", "2026-10-25T00:00", "2026-10-25T03:00"),
        ("2026-10-24T22:00", "02:15", "02:45", "2026-10-25T00:15", "2026-10-25T00:45"),
        ("2026-10-24T22:00", "00:00", "00:00", "2026-10-24T22:00", "2026-10-25T23:00"),
    ):
        every = weekly(SUNDAY, begins=begins, ends=ends, zone="Europe/Berlin")
        found = list(every.windows_between(at(since), at(since) + timedelta(days=1)))
        assert found == [Window(at(first), at(last))], (since, begins)


def test_a_zone_without_a_day_has_no_window_on_it_that_ends_before_it_begins() -> None:
    """Samoa had no 30 December 2011."""
    every = weekly(*range(7), begins="02:00", ends="04:00", zone="Pacific/Apia")
    found = windows(every, "2011-12-27", "2012-01-03")
    assert all(one.begins < one.ends for one in found)
    assert found == sorted(found)


@given(RECURRENCES, INSTANTS, st.timedeltas(timedelta(minutes=1), timedelta(days=20)))
def test_an_instant_lies_in_a_window_that_is_found_around_it(
    every: Recurrence, since: datetime, span: timedelta
) -> None:
    """Whatever span is asked for, windows are the same, in their order, and whole."""
    found = list(every.windows_between(since, since + span))
    assert found == sorted(found)
    assert all(one.begins < since + span and one.ends > since for one in found)
    for instant in (since, since + span / 2, since + span - INSTANT):
        around = [one for one in found if one.begins <= instant < one.ends]
        assert holding(every).find_window_at(instant) == max(around, key=lambda one: one.ends, default=None)


@given(RECURRENCES, INSTANTS)
def test_the_next_window_is_the_open_one_or_the_first_to_come(every: Recurrence, now: datetime) -> None:
    """Or the one that is open, where one is."""
    silence = holding(every)
    coming = list(every.windows_between(now, now + timedelta(days=21)))
    assert silence.find_next_window(now) == (silence.find_window_at(now) or next(iter(coming), None))


def test_a_recurrence_is_written_as_it_is_read() -> None:
    """The days in the order of the week. One of no day has no window, and nothing goes wrong."""
    assert str(weekly(SUNDAY, SATURDAY, zone="Europe/Berlin")) == "Sat,Sun 02:00-04:00 Europe/Berlin"
    assert holding(weekly()).find_next_window(at("2026-11-24")) is None
