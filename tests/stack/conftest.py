"""Which proofs through the whole stack are long, and run by `make soak` instead of `make test`."""

from __future__ import annotations

import pytest

LONG = {
    "test_deadly.py",
    "test_destination_faults.py",
    "test_hub_faults.py",
    "test_lanes.py",
    "test_make_stack.py",
    "test_storm.py",
}
"""Each of them waits for leases, graces and retries to pass, for a minute or two."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests of those files."""
    for item in items:
        if item.path.name in LONG:
            item.add_marker(pytest.mark.soak)
