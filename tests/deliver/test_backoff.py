"""How long an attempt is waited for after another one."""

from __future__ import annotations

from router.deliver.settlement import chance, seconds_after


def test_without_a_wish_the_wait_doubles_up_to_ten_minutes() -> None:
    """Exponential with jitter."""
    waits = [seconds_after(attempt) for attempt in range(1, 16)]
    for attempt, wait in enumerate(waits, 1):
        least = min(2 * 2 ** (attempt - 1), 600)
        assert least <= wait <= min(least + 2, 600)
    assert len({seconds_after(1) for _ in range(20)}) > 1


def test_chance_spreads_what_was_refused_together() -> None:
    """Over all that it is given, and anew each time."""
    found = [chance() for _ in range(50)]
    assert 0 <= min(found) < 1 / 3 < 2 / 3 < max(found) < 1
