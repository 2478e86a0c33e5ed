"""How much a destination may open: which openings count, and whether there is room for one more. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from router.domain.clocks import is_possible
from router.domain.groups import Opening
from router.domain.notices import Notice
from router.domain.rulebook import Lane, Limit
from router.domain.severity import gravity_of


class Audience(NamedTuple):
    """Whom an opening calls; each audience has a limit of its own.

    `pager` is the name of an owner's pager key, None for the destination's own.
    `sample` is whether the signal is one of Defender's samples.
    """

    pager: str | None
    sample: bool


def audience_of(notice: Notice, lane: Lane) -> Audience:
    """Whom the notice of a signal calls; only pages know owners."""
    pager = notice.owner.pager if lane is Lane.PAGE and notice.owner is not None else None
    return Audience(pager, notice.sample)


def recent(openings: Iterable[Opening], limit: Limit, now: datetime) -> tuple[Opening, ...]:
    """The openings that count now: those of the window; one in the future counts for nothing."""
    return tuple(one for one in openings if now - limit.window < one.at and is_possible(one.at, now))


def has_room(openings: Iterable[Opening], audience: Audience, limit: Limit) -> bool:
    """Whether one more group may open, beside the recent openings."""
    return len(_of(openings, audience, beyond=False)) < limit.most


def has_room_beyond(
    openings: Iterable[Opening], audience: Audience, limit: Limit, lane: Lane, severity: str | None
) -> bool:
    """Whether one more summary may open, beside the recent openings.

    One summary may open, and after it, where each of them was over by then, as many more as the limit says. At a pager one may
    also open that is graver than all of these; there are only so many steps in severity.
    """
    summaries = _of(openings, audience, beyond=True)
    if len(summaries) <= limit.most:
        return True
    return lane is Lane.PAGE and gravity_of(severity) > max(one.gravity for one in summaries)


def opening_of(audience: Audience, severity: str | None, now: datetime, *, beyond: bool) -> Opening:
    """An opening as the admission state counts it."""
    return Opening(now, audience.pager, beyond, audience.sample, gravity_of(severity))


def _of(openings: Iterable[Opening], audience: Audience, *, beyond: bool) -> list[Opening]:
    return [one for one in openings if (Audience(one.pager, one.sample), one.beyond) == (audience, beyond)]
