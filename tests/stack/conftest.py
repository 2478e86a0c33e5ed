"""The stack of a test, and the gate before its SOC."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stack.gate import Gate, gate_in_thread
from tests.stack.stack import Stack, stack_running


@pytest.fixture
def stack(postgresql: str) -> Iterator[Stack]:
    """A stack with an empty database."""
    with stack_running(postgresql) as stack:
        yield stack


@pytest.fixture
def gate(stack: Stack) -> Iterator[Gate]:
    """A gate before the pager and the tickets of the stack, through which its policies lead."""
    services = {name: stack.addresses("cwpp")[name] for name in ("pagerduty", "servicenow")}
    with gate_in_thread(services) as gate:
        stack.gates.update(gate.addresses)
        stack.write_policies()
        yield gate
