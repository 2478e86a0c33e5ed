"""What the store in a file promises beyond what every store does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from router.domain.errors import BadFile, StateInUse
from router.store.claims import release_claims
from tests.store.acts import claim, owe, run
from tests.store.builders import OPENING
from tests.store.opened import Store, open_store
from tests.store.within import within


def test_claims_of_a_dead_process_are_given_back_at_once_by_the_one_holder(sqlite: Store) -> None:
    """Whoever holds the state alone need not wait for leases; what was claimed counts as attempted."""
    owe(sqlite, OPENING)
    claim(sqlite)
    assert run(within(sqlite, release_claims)) == 1
    assert [one.number for one in claim(sqlite)] == [2]


def test_one_process_at_a_time_works_on_a_state(tmp_path: Path) -> None:
    """A second run on the same directory is told so."""
    one, two = open_store(tmp_path), open_store(tmp_path)
    one.hold()
    with pytest.raises(StateInUse, match="another run"):
        two.hold()
    run(one.close())
    two.hold()
    run(two.close())


@pytest.mark.parametrize(
    "make", [lambda path: path.mkdir(), lambda path: path.write_bytes(b"this is no database at all" * 99)]
)
def test_a_state_that_cannot_be_opened_is_named(tmp_path: Path, make: Callable[[Path], object]) -> None:
    """One line that names the file."""
    make(tmp_path / "router.db")
    with pytest.raises(BadFile, match=r"router\.db: "):
        open_store(tmp_path)
