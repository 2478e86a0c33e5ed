"""The deliveries of one signal to one destination: in which order they go, and what is next.

They go in the order of their turns: one that is open holds up those behind it. `next_step` says what a worker that comes by
has to do. Entries may stand in any order, and closed ones may be left out as far as `supersession.asks_for_closed` allows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from router.domain.delivery_lifecycle import OutboxEntry, due_at, is_claimable, is_poison, is_suspect
from router.domain.lane_limits import LONGEST_LEASE
from router.domain.supersession import superseded


class Skip[E: OutboxEntry](NamedTuple):
    """These deliveries are superseded: nobody needs them. They are in turn order."""

    entries: list[E]


class ClaimNow[E: OutboxEntry](NamedTuple):
    """This delivery may be claimed; `is_suspect` says that it must be tried alone, after everything else.

    `is_untold` says that nothing of its signal was told before, though it is over.
    """

    entry: E
    is_suspect: bool
    is_untold: bool = False


class GiveUp[E: OutboxEntry](NamedTuple):
    """This delivery is poison: it killed every worker that tried it."""

    entry: E


class Wait[E: OutboxEntry](NamedTuple):
    """This delivery's turn it is, but it may not be claimed before an instant: it is deferred, or in flight."""

    entry: E
    until: datetime


type NextStep[E: OutboxEntry] = Skip[E] | ClaimNow[E] | GiveUp[E] | Wait[E]
"""What is next for a signal at a destination."""


def next_step[E: OutboxEntry](
    entries: Collection[E], now: datetime, lease: timedelta = LONGEST_LEASE, kept: Collection[str] = ()
) -> NextStep[E] | None:
    """What is next for a signal at an instant; None where nothing of it is open.

    The first open turn decides when. What is superseded is skipped once that turn has come, before anything is claimed;
    `kept` is as there.
    """
    first = first_open(entries)
    if first is None:
        return None
    if not is_claimable(first, now, lease):
        return Wait(first, due_at(first))
    if needless := superseded(entries, kept):
        return Skip(needless)
    return GiveUp(first) if is_poison(first) else ClaimNow(first, is_suspect(first), first.id in kept)


def first_open[E: OutboxEntry](entries: Iterable[E]) -> E | None:
    """The delivery whose turn it is: the first that is open."""
    return min((one for one in entries if one.is_open), key=_turn, default=None)


def _turn(entry: OutboxEntry) -> int:
    return entry.turn
