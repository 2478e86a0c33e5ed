"""What the state knows of the sources that coverage.yaml expects, and what people are told of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from copy import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from router.domain.coverage import Rung
from router.domain.coverage_sources import CoverageSource, CoverageSourceKind, LastHeard
from router.domain.hubs import Arrival
from router.domain.values import Value

RUNGS: Mapping[CoverageSourceKind, Rung] = {
    CoverageSourceKind.SUBSCRIPTION: Rung.EXPORT,
    CoverageSourceKind.PLAN: Rung.PLAN,
    CoverageSourceKind.CLUSTER: Rung.INTEGRATION,
}
"""Which rung of the ladder is in doubt where a source is silent."""

ORIGIN = "coverage:"
"""How the origin begins of the messages that the router writes about silent sources."""

MESSAGE_TYPE = "alertRouter/silentSource"

DOWN = timedelta(hours=6)
"""How long the router may be away, or its hub unread, until silence counts anew, so that no restored state makes a storm.

The hub keeps what comes in a shorter absence, which is well within the day by which 8 days exceed the week between snapshots.
"""

AT_ONCE = 100
"""Turns that one look makes; the next one goes on."""


class SourceState(StrEnum):
    """What was found of a source; UNEXPECTED if the manifest no longer expects it, or lets it be silent for longer."""

    SILENT = "silent"
    SPEAKS = "speaks"
    EXCUSED = "excused"
    UNEXPECTED = "unexpected"


class SourceTurn(Value, kw_only=True):
    """The latest turn of the finding that a source is silent.

    Attributes:
        at: when; later than the turn before.
        last: when the source was last heard of; None where it never was. Its silence counted from `since` on.
        entry: which entry of the manifest expects it, from 1; 0 where the manifest has no entries.
        subscription: the id of the subscription whose snapshots speak of it; None where it is not known.
        others: how many more of its kind are silent.
        excuse: until when its silence is excused, and who excuses it; empty where it is not.
    """

    source: CoverageSource
    number: int
    state: SourceState
    at: datetime
    last: datetime | None = None
    since: datetime
    within: timedelta = timedelta()
    entry: int = 0
    name: str
    subscription: str | None = None
    others: int = 0
    excuse: str = ""

    @property
    def rung(self) -> Rung:
        """The rung that is in doubt."""
        return RUNGS[self.source.kind]

    @property
    def arrival(self) -> Arrival:
        """The place on record of what this turn says."""
        return Arrival(f"{ORIGIN}{self.source.id.partition(':')[2]}:{self.rung}", self.number)


def finding_id_of(source: CoverageSource) -> str:
    """The id of the finding that a source is silent."""
    return f"{source.id}/{RUNGS[source.kind]}"


class KnownSource(Value, kw_only=True):
    """What the state knows of a source.

    Attributes:
        since: since when it is expected; None where it was heard of, or nothing expects it.
        healthy_since: since when snapshots of a subscription bring Healthy rows without a break; None where they do not.
        silent_since: since when it is silent; None where people were not told that it is.
        allowed: how long it might be silent when they were told.
        missing_since: since when the manifest does not expect it, or not so soon, though they were told.
    """

    heard: LastHeard
    since: datetime | None = None
    healthy_since: datetime | None = None
    silent_since: datetime | None = None
    allowed: timedelta | None = None
    missing_since: datetime | None = None
    turn: int = 0
    name: str = ""

    def after(self, turn: SourceTurn) -> KnownSource:
        """The same after a turn."""
        is_silent = turn.state is SourceState.SILENT
        return replace(
            self,
            silent_since=(turn.last or turn.since) if is_silent else None,
            allowed=turn.within if is_silent else None,
            missing_since=None,
            turn=turn.number,
            name=turn.name,
        )


class SourceWatch(Value, kw_only=True):
    """What is known of the looks at all sources, which saw the hub taken in up to `taken`.

    Attributes:
        anew: from when on silence counts at the earliest: since the first look, or the first after the router was away.
        unmatched: what there is to say of patterns of the manifest that fit nothing.
    """

    anew: datetime
    taken: datetime
    unmatched: tuple[str, ...] = ()


class SourceLook(NamedTuple):
    """What a look at all sources brought; `changed` are those of which something else is known now, by their ids."""

    watch: SourceWatch
    turns: tuple[SourceTurn, ...]
    changed: Mapping[str, KnownSource]
    is_news: bool
