"""The sections of the page on the stream itself: when sources were last heard of, whose alerts came when, and drills."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from html import escape

from router.coverage.gate import GateResult
from router.coverage.readers.drills import DrillFact, DrillStep
from router.coverage.report.groups import source_name
from router.coverage.report.summary import ago
from router.coverage.sources import ReportedSource
from router.coverage.verdicts import CoverageException, Workload
from router.destinations.wording.masking import masked
from router.domain.coverage_sources import CoverageSourceKind, LastHeard
from router.domain.texts import counted, one_line, timestamp

_SILENCES: Mapping[bool | None, tuple[str, str]] = {
    True: ("gap", " (silent for too long)"),
    False: ("covered", ""),
    None: ("unknown", " (whether that says anything is unknown)"),
}
"""How a source is shown that is silent, is not, or of which nobody knows what its silence means."""

_NEVER = '<span class="soft">never</span>'

_MOST_ROWS = 500
"""How many sources are shown; JSON has all of them."""


def time_tag(instant: datetime | None, now: datetime) -> str:
    """How long ago an instant was, with the instant itself behind it."""
    if instant is None:
        return _NEVER
    shown = timestamp(instant)
    return f'<time datetime="{shown}" title="{shown}">{ago(instant, now)}</time>'


def alerts_of_workloads(sources: Sequence[ReportedSource]) -> Mapping[str, LastHeard]:
    """When each cluster and workload was last heard of, by its id in lower case."""
    found: dict[str, LastHeard] = {}
    for one in sources:
        heard = one.heard
        if heard.source.kind in (CoverageSourceKind.CLUSTER, CoverageSourceKind.WORKLOAD):
            known = found.get(heard.source.subject)
            found[heard.source.subject] = heard if known is None else known.joined(heard)
    return found


def alert_cells(workload: Workload, alerts: Mapping[str, LastHeard], now: datetime) -> str:
    """When a workload's last alert came, and its last that was no sample."""
    heard = alerts.get(workload.subject)
    instants = (heard.alert, heard.real_alert) if heard is not None else (None, None)
    return "".join(f"<td>{time_tag(instant, now)}</td>" for instant in instants)


def stream_sections(result: GateResult, now: datetime) -> Iterator[str]:
    """All of them; none where nothing is known of the stream."""
    held = [one for one in result.sources if one.within is not None]
    owners = [one for one in result.sources if one.heard.source.kind is CoverageSourceKind.OWNER]
    if held:
        yield from _table(
            "Sources, and when they were last heard of",
            (
                "source",
                "last recommendation",
                "may be silent",
                "last row of a snapshot",
                "last healthy row",
                "last alert",
                "no sample",
            ),
            [_source_row(one, now) for one in held],
        )
    if owners:
        yield from _table(
            "Owners, and when their last alert came",
            ("owner", "last alert", "last alert that was no sample"),
            [_owner_row(one, now) for one in owners],
        )
    if result.drills:
        yield from _table(
            "Drills, the last of each",
            ("drill", "ended", "came to", "hops", "destinations"),
            [_drill_row(one, now) for one in result.drills],
        )


def _table(title: str, heads: Sequence[str], rows: Sequence[str]) -> Iterator[str]:
    yield f'<section>\n<h2>{title}</h2>\n<div class="scroll"><table>'
    yield f"<thead><tr>{''.join(f'<th scope="col">{head}</th>' for head in heads)}</tr></thead>\n<tbody>"
    yield from rows[:_MOST_ROWS]
    yield "</tbody></table></div>"
    if (more := len(rows) - _MOST_ROWS) > 0:
        yield f'<p class="soft">{more:,} more in the JSON.</p>'
    yield "</section>"


def _source_row(source: ReportedSource, now: datetime) -> str:
    heard, within = source.heard, source.within
    name = _text(source_name(source))
    state, silent = _SILENCES[source.is_silent] if source.exception is None else ("excused", _excuse(source.exception))
    instants = (heard.snapshot, heard.healthy, heard.alert, heard.real_alert)
    cells = "".join(f"<td>{time_tag(instant, now)}</td>" for instant in instants)
    return (
        f'<tr><th scope="row" class="name">{name}</th><td class="{state}">{time_tag(heard.posture, now)}{silent}</td>'
        f"<td>{counted(within.days, 'day') if within is not None else '-'}</td>{cells}</tr>"
    )


def _excuse(excuse: CoverageException) -> str:
    return f" (silence excused until {timestamp(excuse.ends)}, {_text(excuse.owner)}: {_text(excuse.reason)})"


def _owner_row(source: ReportedSource, now: datetime) -> str:
    heard = source.heard
    return (
        f'<tr><th scope="row" class="name">{_text(source.name)}</th>'
        f"<td>{time_tag(heard.alert, now)}</td><td>{time_tag(heard.real_alert, now)}</td></tr>"
    )


def _drill_row(drill: DrillFact, now: datetime) -> str:
    subscription = drill.subject.rpartition("/")[2]
    state = {"passed": "covered", "failed": "gap"}.get(drill.verdict, "unknown")
    stopped = f"; nothing came over the hop {drill.failed_hop}" if drill.failed_hop else ""
    return (
        f'<tr><th scope="row" class="name">{_text(f"{drill.about} in {subscription}")}</th>'
        f"<td>{time_tag(drill.ended, now)}</td>"
        f'<td class="{state}">{_text(drill.verdict)}{f": {_text(drill.reason)}" if drill.reason else ""}</td>'
        f"<td>{_text(_steps(drill.hops) + stopped)}</td><td>{_text(_steps(drill.destinations))}</td></tr>"
    )


def _steps(steps: Sequence[DrillStep]) -> str:
    return ", ".join(
        f"{one.name}{f' {one.verdict}' if one.verdict else ''}{f' after {one.seconds:g} s' if one.seconds is not None else ''}"
        for one in steps
    )


def _text(text: str) -> str:
    return escape(one_line(masked(text)))
