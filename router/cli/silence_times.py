"""The times of silences, as people read them, and what is said where one would last too long."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from router.cli.arguments import written
from router.cli.silence_bounds import find_overrun
from router.domain.errors import BadUsage
from router.domain.silences import BREAK, Silence, SilenceBounds
from router.domain.texts import timestamp


def both_times(time: datetime) -> str:
    """An instant in UTC and by the clocks of this machine; once where those are UTC."""
    local = time.astimezone()
    if not local.utcoffset():
        return timestamp(time)
    return f"{timestamp(time)}, {local:%a %Y-%m-%d %H:%M} {local.tzname()}"


def refuse_overrun(
    option: str,
    silence: Silence,
    others: Collection[Silence],
    bounds: SilenceBounds,
    given_from: datetime | None = None,
) -> None:
    """Raises BadUsage where a silence would hold for longer than the policy allows; says what to write instead.

    Lengths are counted from `given_from`, or else from its beginning.
    """
    overrun = find_overrun(silence, others, bounds)
    if overrun is None:
        return
    whole, allowed = written(overrun.span.ends - overrun.span.begins), written(overrun.allowed)
    begun = f", counted from {timestamp(overrun.span.begins)}, when the first began that it goes on with"
    counted = begun if overrun.span.begins < silence.begins else ""
    if overrun.is_series:
        what = f"makes a series of {whole}{counted}; the policy allows {allowed}"
    elif silence.every is not None:
        raise BadUsage(
            f"--every: {silence.every} holds for {whole} without an hour's break; the policy allows {allowed}: "
            "write a shorter window, or fewer days"
        )
    else:
        what = f"makes {whole} without an hour's break{counted}; the policy allows {allowed}"
    given_from = given_from or silence.begins
    # As long as one may be, or until a break before a later one into which it would run.
    later = {
        window.begins - BREAK for one in others for window in one.windows_between(silence.begins, silence.end + BREAK)
    }
    instead = next(
        (
            f"write --for {written(end - given_from)} at most"
            for end in sorted({overrun.span.begins + overrun.allowed, *later}, reverse=True)
            if end - given_from >= timedelta(minutes=1)
            and find_overrun(replace(silence, until=end), others, bounds) is None
        ),
        "what is to be held longer wants a suppression rule",
    )
    raise BadUsage(f"{option}: {what}: {instead}")
