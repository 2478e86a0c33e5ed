"""What is said of deliveries that a store gives up on by itself."""

from __future__ import annotations

from router.domain.deliveries import DAMAGED, SUSPECT
from router.domain.errors import Undecodable

NOWHERE = "no_destination: the policy no longer names it"
DEADLY = f"internal: its worker died each of the last {SUSPECT + 1} times it was tried"
DISCARDED = "discarded"

LAST_TROUBLE = "; its last trouble: "
"""Stands between an ending and the error that was on record."""


def ended(ending: str, trouble: str | None) -> str:
    """The error of a dead letter: why it was given up on, and what was wrong before."""
    return f"{ending}{LAST_TROUBLE}{trouble}" if trouble else ending


def damaged(why: Undecodable, trouble: str | None = None) -> str:
    """The error of a dead letter that cannot be decoded."""
    return ended(f"{DAMAGED}{why}", trouble)
