"""What a gate found, as people read it: the matrix first, then each gap and what is unknown, with what mends it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from router.cli.printing import plain, print_lines
from router.cli.screen import print_table, screen, table_of
from router.coverage.report.findings import (
    LIMITED,
    RUNG_NAMES,
    UNSOUND,
    GateReport,
    VerdictGroup,
    ago,
    evidence_line,
    listed,
    rungs_in,
)
from router.coverage.sources import ReportedSource
from router.coverage.verdicts import CoverageException, CoverageRow, CoverageState, Workload
from router.destinations.wording.masking import masked
from router.domain.coverage import Rung
from router.domain.readable import counted, timestamp
from router.domain.silent_sources import RUNGS

_MOST_COVERED = 20
"""How many workloads without a gap the matrix shows; more are counted."""

_MOST_ROWS = 60
"""How many workloads may stand in the matrix before those that stand alike are counted."""

_MOST_ALIKE = 5
"""How many workloads of those that stand alike are shown, and how many pieces of evidence and remarks; JSON has all."""

_MOST_REMEDIES = 4
"""How many commands are shown that differ only by what they ask; JSON has all of them."""

_MOST_SOURCES = 20
"""How many silent sources are named; JSON has all of them."""

_SOON = timedelta(days=1)
"""How long before a source is silent for too long it is named."""


def print_report(report: GateReport, now: datetime) -> None:
    """Print all of it."""
    to, assessed = screen(), report.assessed
    to.print(report.summary, style="bold")
    unsound = [row for row in assessed.rows if row.state in UNSOUND]
    rows = list(assessed.rows) if len(assessed.rows) - len(unsound) <= _MOST_COVERED else unsound
    if rows:
        rungs = rungs_in(rows)
        to.print()
        print_table(to, table_of(["workload", *(RUNG_NAMES[rung] for rung in rungs)], list(_matrix(rows, rungs))))
    sections = [("Gaps" if state is CoverageState.GAP else state.value.capitalize(), state) for state in UNSOUND]
    for head, groups in (*((head, report.groups(state)) for head, state in sections), (LIMITED, report.limits())):
        if groups:
            to.print(f"\n{head}", style="bold")
            print_lines(line for group in groups for line in _group_lines(group, now))
    if lines := list(_silence_lines(report.result.sources, now)):
        to.print("\nSilent sources", style="bold")
        print_lines(lines)
    hidden = len(assessed.rows) - len(rows)
    hidden_line = [f"{counted(hidden, 'more workload')} covered or not coverable"] if hidden else []
    notes = [*report.unexpected(_unlisted(report)), *report.left_aside()]
    for some in (hidden_line, notes, list(map(masked, report.postures()))):
        print_lines(["", *some] if some else [])


def _matrix(rows: Sequence[CoverageRow], rungs: Sequence[Rung]) -> Iterator[list[str | None]]:
    """Yield a line for each workload; of many that stand alike, for the first ones, and one that counts the others."""
    alike: dict[tuple[object, ...], list[list[str | None]]] = defaultdict(list)
    for row in rows:
        states = [row.verdicts[rung].state if rung in row.verdicts else None for rung in rungs]
        cells = ["GAP" if state is CoverageState.GAP else state for state in states]
        stands = (row.workload.kind, *cells) if len(rows) > _MOST_ROWS else (row.workload.key,)
        alike[stands].append([_name(row.workload), *cells])
    for some in alike.values():
        yield from some[:_MOST_ALIKE]
        if (more := len(some) - _MOST_ALIKE) > 0:
            yield [f"and {more:,} more that stand so", *some[0][1:]]


def _name(workload: Workload) -> str:
    return f"{workload.kind.replace('-', ' ')} {workload.name}"


def _group_lines(group: VerdictGroup, now: datetime) -> Iterator[str]:
    names, verdict = listed(list(map(_name, group.workloads))), group.verdict
    yield f"  {plain(names)}, {group.rung_names}: {masked(verdict.reason)}"
    if verdict.exception is not None:
        yield f"      {_until(verdict.exception)}"
    lines = [f"seen   {evidence_line(one, now)}" for one in group.evidence[:_MOST_ALIKE]]
    if (more := len(group.evidence) - _MOST_ALIKE) > 0:
        lines.append(f"seen   {more:,} more in --format json")
    lines += [f"note   {remark}" for remark in group.remarks[:_MOST_ALIKE]]
    yield from (f"      {masked(line)}" for line in lines)
    verb = "ask " if verdict.is_unknown else "mend"
    yield from (f"      {verb}   {remedy}" for remedy in group.remedies[:_MOST_REMEDIES])
    if (more := len(group.remedies) - _MOST_REMEDIES) > 0:
        yield f"      {verb}   {more:,} more like it: in --format json"


def _until(excuse: CoverageException) -> str:
    return f"until  {timestamp(excuse.ends)}, {excuse.owner}: {excuse.reason}"


def _silence_lines(sources: Sequence[ReportedSource], now: datetime) -> Iterator[str]:
    """Yield each expected source that is silent for too long, then each that soon will be, with its exception."""
    expected = [one for one in sources if one.is_expected]
    named = [one for one in expected if one.is_silent]
    named += [one for one in expected if one.is_silent is False and _is_soon(one, now)]
    for one in named[:_MOST_SOURCES]:
        last, within = one.heard.posture, one.within
        heard = f"last recommendation {ago(last, now)}" if last is not None else "no recommendation ever"
        allowed = f", and it may be silent for {counted(within.days, 'day')}" if within is not None else ""
        state = "silent for too long" if one.is_silent else "soon silent for too long"
        yield f"  {masked(one.title)}: {state}: {heard}{allowed}"
        if one.exception is not None:
            yield f"      {masked(_until(one.exception))}"
        elif one.is_silent:
            rung = RUNGS[one.heard.source.kind]
            yield f"      note   where that is known, an exception in coverage.yaml with rungs: [{rung}] excuses it"
    if (more := len(named) - _MOST_SOURCES) > 0:
        yield f"  {more:,} more in --format json"
    if others := sum(bool(one.is_silent) and not one.is_expected for one in sources):
        yield f"  {counted(others, 'source')} that nothing expects: in --format json; nobody is told of their silence"


def _is_soon(one: ReportedSource, now: datetime) -> bool:
    last, within = one.heard.posture, one.within
    return last is not None and within is not None and within - (now - last) < _SOON


def _unlisted(report: GateReport) -> Iterator[str]:
    if kinds := Counter(workload.kind for workload in report.assessed.unlisted):
        what = ", ".join(f"{many:,} of kind {kind}" for kind, many in kinds.items())
        yield f"No entry of the manifest expects {what}, so nothing was judged of them; --format json names them."
