"""Asks a person before something is done that is not to be done by mistake."""

from __future__ import annotations

import sys

from router.cli.complaints import complain
from router.cli.streams import refuse_lost_output
from router.domain.errors import BadUsage


def refuse_unasked(what: str, *, is_confirmed: bool) -> None:
    """Raises BadUsage where nobody confirmed what a command does, and nobody can be asked: there is no terminal."""
    if not is_confirmed and not sys.stdin.isatty():
        raise BadUsage(f"--yes: is missing, and there is no terminal to ask on; write it to {what} without being asked")


def is_wanted(question: str, *, is_confirmed: bool) -> bool:
    """Whether a person wants what is asked, on the terminal; not asked where it is confirmed already.

    Raises LostOutput where what was printed first, by which a person decides, could not be read.
    """
    if is_confirmed:
        return True
    refuse_lost_output()
    complain(f"{question} y, or anything else for no:")
    return sys.stdin.readline().strip().lower() in ("y", "yes")
