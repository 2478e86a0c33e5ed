"""What all tests may ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stack.azurite import Azurite, azurite_running


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """An Azurite that all tests of this process share; `new_account()` gives a test an empty account of its own."""
    with azurite_running() as running:
        yield running
