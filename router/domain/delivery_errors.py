"""The errors of deliveries that are given up on, in words."""

from __future__ import annotations

from typing import overload

from router.domain.deliveries import DAMAGED, SUSPECT
from router.domain.errors import Undecodable

NOWHERE = "no_destination: the policy no longer names it"
DEADLY = f"internal: its worker died each of the last {SUSPECT + 1} times it was tried"
DISCARDED = "discarded"

LAST_TROUBLE = "; its last trouble: "
"""Stands between an ending and the error that was on record."""

LONGEST_ERROR = 4_000
"""Characters of an error that are kept."""


def ended(ending: str, trouble: str | None) -> str:
    """The error of a dead letter: why it was given up on, and what was wrong before."""
    return f"{ending}{LAST_TROUBLE}{trouble}" if trouble else ending


def damaged(why: Undecodable, trouble: str | None = None) -> str:
    """The error of a dead letter that cannot be decoded."""
    return ended(f"{DAMAGED}{why}", trouble)


@overload
def clipped(error: str) -> str: ...
@overload
def clipped(error: str | None) -> str | None: ...
def clipped(error: str | None) -> str | None:
    """As much of an error as is kept; None where there is none."""
    return error[:LONGEST_ERROR] if error else None
