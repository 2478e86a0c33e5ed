"""By which clock the state is forgotten."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from router.store.retention import ClockWitness, forgets_by, witness_after
from tests.builders import NOW

HOURS = st.lists(st.integers(0, 400 * 24), max_size=30)


@given(HOURS, st.integers(0, 30), st.integers(1, 100_000))
def test_a_clock_that_is_wrong_for_less_than_an_hour_forgets_nothing_too_early(
    hours: list[int], place: int, ahead: int
) -> None:
    """However often it is looked at meanwhile, and whenever somebody looked before."""
    witness = ClockWitness()
    for number, hour in enumerate([*sorted(hours), 401 * 24]):
        now = NOW + timedelta(hours=hour)
        wrong = [now + timedelta(hours=ahead, minutes=minutes) for minutes in (0, 1, 30, 59)]
        for shown in (*(wrong if number == place else ()), now):
            witness = witness_after(witness, shown)
            by = forgets_by(witness, shown)
            assert by is None or by <= now


@given(st.lists(st.integers(1, 60 * 24), min_size=1, max_size=30))
def test_however_seldom_somebody_looks_what_is_old_goes(gaps: list[int]) -> None:
    """What one look showed the next one confirms: forgetting is one gap behind."""
    witness, now = witness_after(ClockWitness(), NOW), NOW
    assert forgets_by(witness, now) is None
    for hours in gaps:
        before, now = now, now + timedelta(hours=hours)
        witness = witness_after(witness, now)
        assert forgets_by(witness, now) == before
