"""`alert-router state backup`: copies the state of a directory."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from router.cli.opened_state import refuse_missing
from router.cli.printing import print_lines
from router.domain.errors import BadUsage
from router.store.sqlite import back_up


def copy(options: Namespace) -> int:
    """Copies the state of a directory into a file, as it was last committed."""
    if not isinstance(options.state, Path):
        raise BadUsage(
            f"{options.state}: is kept by a server, whose own tools copy it: pg_dump, or in Azure point-in-time restore"
        )
    refuse_missing(options.state)
    back_up(options.state, options.copy)
    print_lines([f"{options.copy}: holds the state of {options.state}, as it was last committed"])
    return 0
