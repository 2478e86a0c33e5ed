"""What a gate found, as CI reads it: cases of a test report, annotations, and Markdown for the summary of a step.

Names of resources are anybody's words, and so are the comments of rules; no form lets them act.
"""

from __future__ import annotations

from collections.abc import Iterator

from router.cli.coverage_groups import VerdictGroup, groups_in
from router.cli.coverage_summary import NOTHING_EXPECTED, RUNG_NAMES, GateReport, state_of, summary_of
from router.cli.formats.markdown import Quoted, cell, table
from router.cli.formats.values import Annotation, Case, Severity
from router.coverage.assess import CoverageRow
from router.destinations.wording.masking import masked
from router.domain.coverage import CoverageState, Rung, Verdict, Workload
from router.domain.legible import one_line
from router.domain.plurals import counted
from router.domain.timestamps import timestamp

_MOST_ROWS = 500
"""Rows of a table of a summary, which GitHub cuts at a megabyte."""

_MOST_NAMES = 5
"""How many workloads are named of which the same is to be said; JUnit and JSON name all of them."""

_UNSOUND = (CoverageState.GAP, CoverageState.UNKNOWN, CoverageState.EXCUSED)


def cases_of(report: GateReport) -> Iterator[Case]:
    """A case for each workload and rung, and one for each file that could not be read.

    A gap is a failure, what is unknown an error, unless unknown passes; what is excused or not coverable is skipped.
    """
    for workload, rung, verdict in report.result.assessed.verdicts():
        said = (_sentence(workload, rung, verdict),)
        is_unknown = verdict.state is CoverageState.UNKNOWN
        yield Case(
            suite=f"coverage.{workload.kind}",
            name=f"{workload.name}: {RUNG_NAMES[rung]}",
            path="",
            failures=said if verdict.state is CoverageState.GAP else (),
            errors=said if is_unknown and not report.allows_unknown else (),
            remarks=tuple(one_line(masked(remark)) for remark in verdict.remarks),
            skipped=_skipped(verdict, allows_unknown=report.allows_unknown),
        )
    for line in report.refused:
        yield Case(suite="coverage.files", name=line, path="", errors=(line,))


def annotations_of(report: GateReport) -> Iterator[Annotation]:
    """One for each thing that is a gap or unknown, however many workloads it is said of, and one for each unread file."""
    for state in (CoverageState.GAP, CoverageState.UNKNOWN):
        is_passing = state is CoverageState.UNKNOWN and report.allows_unknown
        level: Severity = "warning" if is_passing else "error"
        for group in groups_in(report.result.assessed, state):
            yield Annotation("", None, level, f"coverage {group.rungs[0]}", _group_sentence(group))
    for line in report.refused:
        yield Annotation("", None, "error", "coverage file", line)


def markdown_of(report: GateReport) -> Iterator[str]:
    """The lines of a summary: the first line, the matrix, what is to be done, and what was not used."""
    assessed = report.result.assessed
    yield "### Coverage"
    yield ""
    yield f"**{summary_of(report)}**"
    yield ""
    shown = sorted(assessed.rows, key=lambda row: state_of(row) not in _UNSOUND)[:_MOST_ROWS]
    rungs = [rung for rung in Rung if any(rung in row.verdicts for row in shown)]
    yield from table(("workload", *(RUNG_NAMES[rung] for rung in rungs)), (_cells(row, rungs) for row in shown))
    if (more := len(assessed.rows) - len(shown)) > 0:
        yield ""
        yield f"{counted(more, 'more workload')} in the JSON."
    groups = [group for state in _UNSOUND for group in groups_in(assessed, state)]
    if groups:
        yield ""
        heads = ("workload", "rung", "state", "why", "mend or ask")
        yield from table(heads, map(_row, groups[:_MOST_ROWS]))
    if report.manifest is None:
        yield ""
        yield NOTHING_EXPECTED
    notes = [*((name, reason) for name, reason in report.result.unused), *((line, "") for line in report.refused)]
    if notes:
        yield ""
        yield from table(("file", "not used"), ((Quoted(name), Quoted(reason)) for name, reason in notes[:_MOST_ROWS]))


def _cells(row: CoverageRow, rungs: list[Rung]) -> list[object]:
    states = [row.verdicts[rung].state if rung in row.verdicts else None for rung in rungs]
    return [
        f"{row.workload.kind} {cell(Quoted(row.workload.name))}",
        *(f"**{state}**" if state is CoverageState.GAP else state for state in states),
    ]


def _row(group: VerdictGroup) -> list[object]:
    state = f"excused until {timestamp(group.exception.ends)}" if group.exception else group.state
    names = ", ".join(f"{one.kind} {cell(Quoted(one.name))}" for one in group.workloads[:_MOST_NAMES])
    rungs = ", ".join(RUNG_NAMES[rung] for rung in group.rungs)
    remedy = f"{cell(Quoted(group.remedies[0]))}{_like_it(len(group.remedies) - 1)}" if group.remedies else None
    return [f"{names}{_more(len(group.workloads) - _MOST_NAMES)}", rungs, state, Quoted(masked(group.reason)), remedy]


def _group_sentence(group: VerdictGroup) -> str:
    names = ", ".join(f"{one.kind} {one.name}" for one in group.workloads[:_MOST_NAMES])
    names += _more(len(group.workloads) - _MOST_NAMES)
    rungs = ", ".join(RUNG_NAMES[rung] for rung in group.rungs)
    what = "ask" if group.state is CoverageState.UNKNOWN else "mend it with"
    remedy = f"; {what}: {group.remedies[0]}{_like_it(len(group.remedies) - 1)}" if group.remedies else ""
    # A report is printed where GitHub looks for commands at the beginnings of lines.
    return one_line(f"{names}, {rungs}: {group.state}: {masked(group.reason)}{remedy}")


def _like_it(many: int) -> str:
    return f" (and {many:,} more like it)" if many > 0 else ""


def _more(many: int) -> str:
    return f" and {many:,} more" if many > 0 else ""


def _sentence(workload: Workload, rung: Rung, verdict: Verdict) -> str:
    what = "ask" if verdict.state is CoverageState.UNKNOWN else "mend it with"
    remedy = f"; {what}: {verdict.remedy}" if verdict.remedy else ""
    said = f"{workload.kind} {workload.name}, {RUNG_NAMES[rung]}: {verdict.state}: {masked(verdict.reason)}{remedy}"
    return one_line(said)  # a report is printed where GitHub looks for commands at the beginnings of lines


def _skipped(verdict: Verdict, *, allows_unknown: bool) -> str | None:
    if verdict.exception is not None:
        excuse = verdict.exception
        who = f"excused until {timestamp(excuse.ends)} by {excuse.owner}: {excuse.reason}"
        return one_line(f"{who}; {masked(verdict.reason)}")
    is_skipped = verdict.state is CoverageState.NOT_COVERABLE or (
        verdict.state is CoverageState.UNKNOWN and allows_unknown
    )
    return one_line(f"{verdict.state}: {masked(verdict.reason)}") if is_skipped else None
