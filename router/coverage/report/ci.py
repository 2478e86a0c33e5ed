"""What a gate found, as CI reads it: cases of a test report, annotations, and Markdown for the summary of a step.

Names of resources are anybody's words, and so are the comments of rules; no form lets them act.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from router.cli.formats import Annotation, Case, Severity
from router.coverage.assess import CoverageRow
from router.coverage.report.groups import VerdictGroup, groups_in, limits_in
from router.coverage.report.summary import (
    NOTHING_EXPECTED,
    RUNG_NAMES,
    GateReport,
    first_command,
    posture_remark,
    posture_sentences,
    state_of,
    summary_of,
    unmatched_sentence,
    unused_files,
)
from router.coverage.verdicts import CoverageState, Verdict, Workload
from router.destinations.wording.masking import masked
from router.domain.coverage import Rung, WorkloadKind
from router.domain.texts import counted, one_line, timestamp

_MOST_ROWS = 500
"""Rows of a table of a summary, which GitHub cuts at a megabyte."""

_MOST_NAMES = 5
"""How many workloads are named of which the same is to be said; JUnit and JSON name all of them."""

_UNSOUND = (CoverageState.GAP, CoverageState.UNKNOWN, CoverageState.EXCUSED)


def cases_of(report: GateReport) -> Iterator[Case]:
    """A case for each workload and rung, for each pattern that fits nothing, and for each file that could not be read.

    A gap is a failure, what is unknown an error, unless unknown passes; what is excused or not coverable is skipped.
    """
    posture = {one.subscription: posture_remark(one) for one in report.result.posture}
    for workload, rung, verdict in report.result.assessed.verdicts():
        is_on_plans = workload.kind is WorkloadKind.SUBSCRIPTION and rung is Rung.PLAN
        remarks = (*verdict.remarks, *filter(None, [posture.get(workload.subscription or "") if is_on_plans else None]))
        said = (_sentence(workload, rung, verdict),)
        is_unknown = verdict.state is CoverageState.UNKNOWN
        yield Case(
            suite=f"coverage.{workload.kind}",
            name=f"{workload.name}: {RUNG_NAMES[rung]}",
            path="",
            failures=said if verdict.state is CoverageState.GAP else (),
            errors=said if is_unknown and not report.allows_unknown else (),
            remarks=tuple(one_line(masked(remark)) for remark in remarks),
            skipped=_skipped(verdict, allows_unknown=report.allows_unknown),
        )
    for number, glob in report.result.assessed.missed:
        why = one_line(unmatched_sentence(number, glob))
        yield Case(
            suite="coverage.manifest",
            name=one_line(f"entry {number}: {glob}"),
            path="",
            errors=() if report.allows_unknown else (why,),
            skipped=why if report.allows_unknown else None,
        )
    for name, why in _unanswered(report):
        yield Case(
            suite="coverage.files",
            name=one_line(name),
            path="",
            errors=() if report.allows_unknown else (f"{one_line(name)}: {why}",),
            skipped=why if report.allows_unknown else None,
        )
    for line in report.refused:
        yield Case(suite="coverage.files", name=line, path="", errors=(line,))


def _unanswered(report: GateReport) -> Iterator[tuple[str, str]]:
    for name, reason in report.result.unanswered:
        yield name, one_line(f"not answered in full: it {masked(reason)}")


def annotations_of(report: GateReport) -> Iterator[Annotation]:
    """One for each thing that is a gap or unknown, however many workloads it is said of, and for each unread file."""
    for state in (CoverageState.GAP, CoverageState.UNKNOWN):
        is_passing = state is CoverageState.UNKNOWN and report.allows_unknown
        level: Severity = "warning" if is_passing else "error"
        for group in groups_in(report.result.assessed, state):
            yield Annotation("", None, level, f"coverage {group.rungs[0]}", _group_sentence(group))
    level = "warning" if report.allows_unknown else "error"
    for number, glob in report.result.assessed.missed:
        yield Annotation("", None, level, "coverage manifest", one_line(unmatched_sentence(number, glob)))
    for name, why in _unanswered(report):
        yield Annotation("", None, level, "coverage file", one_line(f"{name}: {why}"))
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
    groups += limits_in(assessed)
    if groups:
        yield ""
        heads = ("workload", "rung", "state", "why", "mend or ask")
        yield from table(heads, map(_row, groups[:_MOST_ROWS]))
    if report.manifest is None:
        yield ""
        yield NOTHING_EXPECTED
    for number, glob in assessed.unmatched[:_MOST_ROWS]:
        yield ""
        yield unmatched_sentence(number, cell(Quoted(glob)))
    unused = [(name, f"not used: it {reason}") for name, reason in unused_files(report)]
    notes = [*_unanswered(report), *unused, *((line, "") for line in report.refused)]
    if notes:
        yield ""
        yield from table(
            ("file", "left aside"), ((Quoted(name), Quoted(masked(why))) for name, why in notes[:_MOST_ROWS])
        )
    for sentence in posture_sentences(report.result.posture, lambda name: cell(Quoted(name))):
        yield ""
        yield sentence


def _cells(row: CoverageRow, rungs: list[Rung]) -> list[object]:
    states = [row.verdicts[rung].state if rung in row.verdicts else None for rung in rungs]
    return [
        f"{row.workload.kind} {cell(Quoted(row.workload.name))}",
        *(f"**{state}**" if state is CoverageState.GAP else state for state in states),
    ]


def _row(group: VerdictGroup) -> list[object]:
    said = "covered within limits" if group.state is CoverageState.COVERED else group.state
    state = f"excused until {timestamp(group.exception.ends)}" if group.exception else said
    names = ", ".join(f"{one.kind} {cell(Quoted(one.name))}" for one in group.workloads[:_MOST_NAMES])
    rungs = ", ".join(RUNG_NAMES[rung] for rung in group.rungs)
    remedy = f"{cell(Quoted(group.remedies[0]))}{_like_it(len(group.remedies) - 1)}" if group.remedies else None
    return [f"{names}{_more(len(group.workloads) - _MOST_NAMES)}", rungs, state, Quoted(masked(group.reason)), remedy]


def _group_sentence(group: VerdictGroup) -> str:
    names = ", ".join(f"{one.kind} {one.name}" for one in group.workloads[:_MOST_NAMES])
    names += _more(len(group.workloads) - _MOST_NAMES)
    rungs = ", ".join(RUNG_NAMES[rung] for rung in group.rungs)
    what = "ask" if group.is_unknown else "mend it with"
    remedy = f"; {what}: {group.remedies[0]}{_like_it(len(group.remedies) - 1)}" if group.remedies else ""
    # A report is printed where GitHub looks for commands at the beginnings of lines.
    return one_line(f"{names}, {rungs}: {group.state}: {masked(group.reason)}{remedy}")


def _like_it(many: int) -> str:
    return f" (and {many:,} more like it)" if many > 0 else ""


def _more(many: int) -> str:
    return f" and {many:,} more" if many > 0 else ""


def _sentence(workload: Workload, rung: Rung, verdict: Verdict) -> str:
    what = "ask" if verdict.is_unknown else "mend it with"
    remedy = f"; {what}: {first_command(verdict.remedy)}" if verdict.remedy else ""
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


LONGEST = 200
"""Characters that are shown of a text."""


_BREAKING = frozenset("`|\\")


class Quoted(str):
    """A text that somebody else wrote, to be shown as it is."""

    __slots__ = ()


def cell(value: object) -> str:
    """A value as it stands in a table or a line; nothing is a dash."""
    if value is None or value == "":
        return "-"
    return _code(value) if isinstance(value, Quoted) else str(value)


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], numbers: Iterable[int] = ()) -> Iterator[str]:
    """The lines of a table; the columns in `numbers` stand to the right."""
    right = set(numbers)
    yield _table_row(heads)
    yield _table_row("--:" if place in right else "---" for place in range(len(heads)))
    yield from (_table_row(map(cell, row)) for row in rows)


def _table_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _code(text: str) -> str:
    shown = one_line(masked(text)).strip() or "-"
    shown = f"{shown[:LONGEST]}..." if len(shown) > LONGEST else shown
    if not _BREAKING.intersection(shown):
        return f"`{shown}`"
    # Nothing is escaped in a span of code, and a bar in it would end the cell.
    return f"<code>{''.join(one if one.isalnum() or one == ' ' else f'&#{ord(one)};' for one in shown)}</code>"
