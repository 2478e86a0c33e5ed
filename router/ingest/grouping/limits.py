"""How much a destination may open: whether there is room for one more group, and what was opened since. Pure."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from router.domain.notices import Notice
from router.domain.rulebook import Lane, Limit
from router.domain.severity import gravity_of
from router.store.groups import Opening, OpeningCount, OpeningCounts

_NONE = OpeningCount(0, -1)


class Audience(NamedTuple):
    """The audience that an opening calls; each has a limit of its own.

    Attributes:
        pager: the name of an owner's pager key, None for the destination's own.
    """

    pager: str | None
    sample: bool


def audience_of(notice: Notice, lane: Lane) -> Audience:
    """The audience that the notice of a signal calls; only pages know owners."""
    pager = notice.owner.pager if lane is Lane.PAGE and notice.owner is not None else None
    return Audience(pager, notice.sample)


@dataclass(slots=True)
class Room:
    """The room that the limit of a destination leaves."""

    limit: Limit | None
    lane: Lane
    now: datetime
    counts: OpeningCounts
    openings: list[Opening] = field(default_factory=list)

    @property
    def left(self) -> int:
        """How many groups the limit lets open for each audience at most, if it has no owner's pager."""
        if self.limit is None:
            return sys.maxsize
        counts = (self.counts.get((None, sample, False), _NONE).many for sample in (False, True))
        return max(self.limit.most - min(counts), 0)

    def take(self, audience: Audience, severity: str | None, *, beyond: bool = False) -> bool:
        """Take room for one more group, or beyond the limit for one more summary; return whether there was any.

        One summary may open, and after it, where each of them was over by then, as many more as the limit says. At a pager one
        may also open that is graver than all of these; there are only so many steps in severity.
        """
        if self.limit is None:
            return True
        many, gravest = self.counts.get((*audience, beyond), _NONE)
        gravity = gravity_of(severity)
        is_free = many < self.limit.most + beyond or (beyond and self.lane is Lane.PAGE and gravity > gravest)
        if is_free:
            self.counts[(*audience, beyond)] = OpeningCount(many + 1, max(gravest, gravity))
            self.openings.append(Opening(self.now, *audience, beyond, gravity))
        return is_free
