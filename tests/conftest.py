"""What all tests may ask for."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.stack.azurite import Azurite, azurite_running

# No property is about speed: what is slow here may be the machine, which others share.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

_MEMORY = Path("/dev/shm")  # noqa: S108  Nobody else's files are looked at.
_ENOUGH = 4 << 30
"""Bytes that tests may fill with temporary files."""


def pytest_configure() -> None:
    """Puts temporary files into memory where there is enough of it: none of them has to outlast a power cut."""
    if "TMPDIR" not in os.environ and _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ENOUGH:
        os.environ["TMPDIR"] = tempfile.tempdir = str(_MEMORY)


FIRST = ("tests/stack/", "tests/test_killed.py", "tests/cli/test_serve.py")
"""Where the long tests are: begun first, since one that was begun last would run alone."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """Makes two workers for each core: many a test waits for a process that starts, or for a claim that runs out."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    return 2 * (os.process_cpu_count() or 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the long tests before the others, each in their own order."""
    items.sort(key=lambda item: not item.nodeid.startswith(FIRST))


def pytest_collection_finish() -> None:
    """Spares the garbage collector, which tests of clients call, what was imported: it stays to the end."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """An Azurite that all tests of this process share; `new_account()` gives a test an empty account of its own."""
    with azurite_running() as running:
        yield running
