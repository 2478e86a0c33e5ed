"""A telemetry that is listened to, for each test a new one."""

import pytest

from tests.telemetry.builders import Listening


@pytest.fixture
def listening() -> Listening:
    """Listens to a telemetry of its own."""
    return Listening()
