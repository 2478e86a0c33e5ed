"""What one sweep of a stream found and did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from router.domain.deliveries import Backlog, Pause
from router.domain.destination_holds import DestinationHold
from router.domain.hubs import Loss
from router.domain.rulebook import Lane


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep of a stream reports.

    Attributes:
        stream: the stream.
        at: when the sweep ended.
        taken: how many messages it ingested that nobody else had ingested.
        lost: the losses that it declared.
        lag: for each partition, how many numbers of its hub are not ingested yet.
        released: how many signals a rule no longer holds.
        ended: how many findings ended because two snapshots came without them.
        backlog: what is open and what is dead, by destination.
        paused: the pauses, by destination.
        held: the destinations that persons hold, by name.
        holding: until when each suppression rule holds that has not ended.
        set_aside: how many rows of the state are in quarantine because they could not be decoded.
        warnings: lines for people, without a secret.
    """

    stream: str
    at: datetime
    taken: int = 0
    lost: Sequence[Loss] = ()
    lag: Mapping[str, int] = field(default_factory=dict)
    released: int = 0
    ended: int = 0
    backlog: Mapping[str, Backlog] = field(default_factory=dict)
    paused: Mapping[str, Pause] = field(default_factory=dict)
    held: Mapping[str, DestinationHold] = field(default_factory=dict)
    holding: Mapping[str, datetime] = field(default_factory=dict)
    set_aside: int = 0
    warnings: Sequence[str] = ()

    def longest_wait_in(self, lane: Lane) -> timedelta:
        """How long the oldest open delivery of a lane has been owed; no time where none is open."""
        owed = (one.oldest for one in self.backlog.values() if one.lane is lane and one.oldest is not None)
        return max((self.at - oldest for oldest in owed), default=timedelta())
