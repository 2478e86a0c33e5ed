"""The sources that are silent, or soon will be, as a gate's text and its page name them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from router.cli.coverage_ages import ago
from router.cli.printing import plain
from router.coverage.sources import ReportedSource
from router.destinations.wording.masking import masked
from router.domain.plurals import counted
from router.domain.source_turns import RUNGS
from router.domain.timestamps import timestamp

_SOON = timedelta(days=1)
"""How long before a source is silent for too long it is named."""

_MOST = 20
"""How many sources are named; JSON has all of them."""


def source_name(source: ReportedSource) -> str:
    """What people call a source."""
    plan = source.heard.source.plan
    return f"plan {plan} of {source.name}" if plan else f"{source.heard.source.kind} {source.name}"


def silence_lines(sources: Sequence[ReportedSource], now: datetime) -> Iterator[str]:
    """A line for each expected source that is silent for too long, then for each that soon will be, with who answers for it."""
    expected = [one for one in sources if one.is_expected]
    silent = [one for one in expected if one.is_silent]
    soon = [one for one in expected if one.is_silent is False and _is_soon(one, now)]
    named = [*silent, *soon]
    for one in named[:_MOST]:
        yield f"  {_line(one, now)}"
        yield from (f"      {line}" for line in _below(one))
    if (more := len(named) - _MOST) > 0:
        yield f"  {more:,} more in --format json"
    if others := sum(bool(one.is_silent) and not one.is_expected for one in sources):
        yield f"  {counted(others, 'source')} that nothing expects: in --format json; nobody is told of their silence"


def _is_soon(one: ReportedSource, now: datetime) -> bool:
    last, within = one.heard.posture, one.within
    return last is not None and within is not None and within - (now - last) < _SOON


def _line(one: ReportedSource, now: datetime) -> str:
    last = one.heard.posture
    heard = f"last recommendation {ago(last, now)}" if last is not None else "no recommendation ever"
    within = f", and it may be silent for {counted(one.within.days, 'day')}" if one.within is not None else ""
    state = "silent for too long" if one.is_silent else "soon silent for too long"
    return f"{plain(masked(source_name(one)))}: {state}: {heard}{within}"


def _below(one: ReportedSource) -> Iterator[str]:
    rung = RUNGS[one.heard.source.kind]
    if one.exception is not None:
        excuse = one.exception
        yield plain(masked(f"until  {timestamp(excuse.ends)}, {excuse.owner}: {excuse.reason}"))
    elif one.is_silent:
        yield f"note   where that is known, an exception in coverage.yaml with rungs: [{rung}] excuses it"
