"""The stacks that tests share, and which proofs through them are long: `make soak` runs those instead of `make test`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack.azurite import Azurite
from tests.stack.gate import GatedStack, gated
from tests.stack.stack import Stack, stack_running

LONG = {
    "test_deadly.py",
    "test_destination_faults.py",
    "test_hub_faults.py",
    "test_make_stack.py",
    "test_storm.py",
}
"""Each of them waits for leases, graces and retries to pass, for a minute or two."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests of those files in this directory."""
    for item in items:
        if item.path.name in LONG and item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.soak)


@pytest.fixture
def stack(azurite: Azurite, postgresql: str) -> Iterator[Stack]:
    """A stack with an empty account and an empty database."""
    with stack_running(azurite, postgresql) as stack:
        yield stack


@pytest.fixture
def gated_stack(stack: Stack) -> Iterator[GatedStack]:
    """The same behind a gate."""
    with gated(stack) as behind:
        yield behind


@pytest.fixture
def user_stack(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """A stack that the command line finds as well."""
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)
    return stack
