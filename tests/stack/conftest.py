"""The stacks that tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stack.gate import GatedStack, gated
from tests.stack.stack import Stack, stack_running


@pytest.fixture
def stack(postgresql: str) -> Iterator[Stack]:
    """A stack with an empty database."""
    with stack_running(postgresql) as stack:
        yield stack


@pytest.fixture
def gated_stack(stack: Stack) -> Iterator[GatedStack]:
    """The same behind a gate."""
    with gated(stack) as behind:
        yield behind
