"""W3C traceparents that others wrote: https://www.w3.org/TR/trace-context/#traceparent-header"""

from __future__ import annotations

import re

LONGEST = 512
"""Characters of a traceparent that are looked at; a later version of the format may be longer than today's 55."""

_FORM = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


def find_ids(traceparent: str | None) -> tuple[int, int, int] | None:
    """The trace id, span id and flags in a traceparent; None for any text that is none. Total.

    A later version than 00 is read as far as 00 goes, as the format asks.
    """
    found = _FORM.fullmatch(traceparent) if traceparent is not None and len(traceparent) <= LONGEST else None
    if found is None or (found[1] == "00" and found[5] is not None):
        return None
    trace, span = int(found[2], 16), int(found[3], 16)
    return (trace, span, int(found[4], 16)) if trace and span else None


def traceparent_of(trace: int, span: int, flags: int) -> str:
    """The traceparent of a trace, a span and flags."""
    return f"00-{trace:032x}-{span:016x}-{flags:02x}"
