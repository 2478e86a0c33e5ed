"""The stack of a test, and the gate before its SOC."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stack.gate import Gate
from tests.stack.stack import Stack, stack_running


@pytest.fixture
def stack(postgresql: str) -> Iterator[Stack]:
    """A stack with an empty database."""
    with stack_running(postgresql) as stack:
        yield stack


@pytest.fixture
def gate(stack: Stack) -> Gate:
    """A gate before the pager and the tickets of the stack."""
    return Gate(stack.soc.pagerduty, stack.soc.servicenow)
