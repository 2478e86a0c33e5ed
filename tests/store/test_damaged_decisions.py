"""What a body on record may hold that is JSON of the right form, and no decision all the same."""

from __future__ import annotations

import pytest

from router.domain.errors import Undecodable
from router.store.codec import decision_in, encode
from tests.store.builders import an_entry


@pytest.mark.parametrize("field", ["at", "suppressed_until"])
@pytest.mark.parametrize("written", ["", "no time", "2026-11-24T12:00:00", "9999-12-31T23:59:59-23:59"])
def test_a_decision_with_a_time_that_is_none_is_damaged(field: str, written: str) -> None:
    """Whoever sorts decisions by time, or counts them by day, gets only those that have one, with its zone."""
    with pytest.raises(Undecodable, match=f"^{field}: "):
        decision_in(encode(an_entry(**{field: written})))


def test_a_decision_with_an_outcome_that_is_none_is_damaged() -> None:
    """All that is known of it is that a message was decided."""
    with pytest.raises(Undecodable, match=r"^outcome: "):
        decision_in(encode(an_entry(outcome="lost")))


def test_a_whole_decision_is_read_as_it_was_written() -> None:
    """Whatever holds it."""
    for entry in (an_entry(), an_entry(outcome="suppressed", suppressed_until="2026-12-31T00:00:00+01:00")):
        assert decision_in(encode(entry)) == entry
