"""The life of what holds signals back: what it has held, what it holds now, and since when it holds nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from router.domain.counts import RuleHits
from router.domain.holders import HolderKind


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleLife:
    """A suppression rule, a silence or a shadow rule, and what is known of its life.

    Attributes:
        name: what it is called: a silence by its name on record, a rule of either sort as in its file.
        stream: its stream.
        kind: what it is.
        file: the file that it stands in; None of a silence, and of a rule that is gone.
        scope: its scope in words; None where it is gone, or cannot be read.
        type: the alert type or recommendation category that it is about, as it was written; None for any, and where it is gone.
        owner: who answers for it; None where nobody is named.
        ends: the first instant at which it holds nothing any more; None where that is not known.
        is_in_force: whether it may hold anything before its end: it is there, was not refused, and is enabled.
        known_since: since when it is known to be there; None where that is not known.
        hits: its hits; None where there are none. Where no state was read there are none either.
        holding: how many signals it holds now that still stand; None where no state was read. A shadow rule holds none.
        notified: who is notified when it ends: destinations by name, and mail addresses; None where the policy cannot be read.
    """

    name: str
    stream: str
    kind: HolderKind
    file: str | None = None
    scope: str | None = None
    type: str | None = None
    owner: str | None = None
    ends: datetime | None = None
    is_in_force: bool = True
    known_since: datetime | None = None
    hits: RuleHits | None = None
    holding: int | None = None
    notified: Sequence[str] | None = ()

    @property
    def holds_nothing_since(self) -> datetime | None:
        """Since when it held nothing new: its last hit, else since when it is known; None while it holds something."""
        if self.holding is None or self.holding > 0:
            return None
        return self.hits.last if self.hits is not None else self.known_since

    def has_ended(self, now: datetime) -> bool:
        """Whether its end is known and has come."""
        return self.ends is not None and self.ends <= now

    def ends_within(self, span: timedelta, now: datetime) -> bool:
        """Whether its end is still to come, and comes within a span of time."""
        return self.ends is not None and now < self.ends <= now + span

    def is_unused(self, span: timedelta, now: datetime) -> bool:
        """Whether it could have held something for as long as a span of time, did not, and holds nothing.

        One of which nobody knows since when it is there counts as there for as long.
        """
        if not self.is_in_force or self.has_ended(now) or self.holding is None or self.holding > 0:
            return False
        since = self.holds_nothing_since
        return since is None or since <= now - span


def by_end(lives: Iterable[RuleLife], now: datetime) -> list[RuleLife]:
    """Those that end next first; then those that have ended, the latest first; then those of which no end is known."""

    def rank(life: RuleLife) -> tuple[int, float, str, str]:
        if life.ends is None:
            return 2, 0, life.stream, life.name
        ended = life.has_ended(now)
        # A date may lie before the years that a clock counts from.
        seconds = (life.ends - now).total_seconds()
        return int(ended), -seconds if ended else seconds, life.stream, life.name

    return sorted(lives, key=rank)
