"""What all tests may ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.stack.azurite import Azurite, azurite_running

# No property is about speed: what is slow here may be the machine, which others share.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """An Azurite that all tests of this process share; `new_account()` gives a test an empty account of its own."""
    with azurite_running() as running:
        yield running
