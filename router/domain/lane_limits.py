"""What each lane allows a delivery: how long it lives, waits and is claimed, and how long its destination may be held."""

from __future__ import annotations

from datetime import timedelta

from router.domain.rulebook import Lane

LONGEST = {Lane.PAGE: timedelta(hours=6), Lane.TICKET: timedelta(hours=72), Lane.ROWS: timedelta(hours=72)}
"""How old a delivery may grow; an attempt at that age or later is its last."""

LONGEST_WAIT = {Lane.PAGE: timedelta(minutes=15), Lane.TICKET: timedelta(hours=4), Lane.ROWS: timedelta(hours=4)}
"""How long a delivery waits for its next attempt at most, whatever its destination wishes."""

LEASE = {Lane.PAGE: timedelta(minutes=1), Lane.TICKET: timedelta(minutes=5), Lane.ROWS: timedelta(minutes=5)}
"""How long a claim is one worker's alone. If the worker dies, the delivery waits so long; a request takes 30 s at most."""

LONGEST_LEASE = timedelta(days=1)
"""How long a claim may be one worker's alone by settings."""

LONGEST_HOLD = {Lane.PAGE: timedelta(hours=4), Lane.TICKET: timedelta(hours=48), Lane.ROWS: timedelta(hours=48)}
"""How long a person may hold a destination, extensions counted: shorter than anything lives that is owed there."""
