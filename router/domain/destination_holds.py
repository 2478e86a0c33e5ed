"""A hold of a destination: a person keeps it from being asked, until an end that no extension moves beyond its bound.

| lane | held at most | what is owed there lives |
|---|---|---|
| page | 4 hours | 6 hours |
| ticket, rows | 48 hours | 72 hours |

The bound counts from the first start. Who holds a destination again less than an hour after a hold ended extends that one:
nothing stays held by renewing it. While a destination is held nothing is claimed there and nothing given up on; after that each
delivery is tried before it may die of age.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import replace
from datetime import datetime, timedelta

from router.domain.clocks import is_possible
from router.domain.deliveries import LONGEST_HOLD
from router.domain.readable import timestamp
from router.domain.rulebook import Lane
from router.domain.values import Value

WARNING = timedelta(hours=1)
"""How long before its end the author of a long hold hears of it."""

LONG = timedelta(hours=4)
"""A hold that lasts longer is a long one."""


class DestinationHold(Value, kw_only=True):
    """A hold of a destination.

    Attributes:
        author: who holds it: who set its end last.
        since: when it began; where it was extended, when the first of them did.
        released: when a person ended it before that; else None.
    """

    stream: str
    destination: str
    lane: Lane
    author: str
    reason: str
    since: datetime
    until: datetime
    released: datetime | None = None

    @property
    def ends(self) -> datetime:
        """When it ends, or ended: by itself, or since a person released the destination."""
        return self.until if self.released is None else min(self.until, self.released)

    @property
    def latest_end(self) -> datetime:
        """Until when it can be extended."""
        return self.since + LONGEST_HOLD[self.lane]

    def in_lane(self, lane: Lane) -> DestinationHold:
        """The same for a destination that is in some lane now, which may be another one than when it was held."""
        if lane is self.lane or self.until > self.latest_end:
            return self
        return replace(self, lane=lane, until=min(self.until, self.since + LONGEST_HOLD[lane]))

    def is_possible(self, now: datetime) -> bool:
        """Whether clocks that are right can have set its times: it has begun, and lasts no longer than it may."""
        return is_possible(self.since, now) and self.since <= self.until <= self.latest_end

    def is_in_force(self, now: datetime) -> bool:
        """Whether the destination is held now."""
        return self.is_possible(now) and now < self.ends


def holds_in_force(holds: Iterable[DestinationHold], now: datetime) -> list[DestinationHold]:
    """The holds of destinations that are held now, by their streams and names."""
    found = [hold for hold in holds if hold.is_in_force(now)]
    return sorted(found, key=lambda hold: (hold.stream, hold.destination))


def is_to_be_warned_of(hold: DestinationHold, now: datetime) -> bool:
    """Whether the author of a hold is to hear that it ends soon: a long one ends within the hour."""
    return hold.is_in_force(now) and hold.until - hold.since > LONG and hold.until - now <= WARNING


def is_over(hold: DestinationHold, now: datetime) -> bool:
    """Whether a hold has come to its end, of which its author hears."""
    return hold.is_possible(now) and hold.ends <= now


def words_of_hold(hold: DestinationHold) -> str:
    """Who holds a destination until when, and why."""
    return f"held by {hold.author} since {timestamp(hold.since)} until {timestamp(hold.ends)}: {hold.reason}"


def id_of_hold(stream: str, destination: str) -> str:
    """What the document of a destination's hold is called."""
    return f"{stream}/{destination}"
