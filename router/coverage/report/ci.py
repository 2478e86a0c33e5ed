"""What a gate found, as CI reads it: cases of a test report, annotations, and Markdown for the summary of a step. Pure.

Names of resources and comments of rules come from elsewhere: no form lets them act.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from router.cli.formats import Annotation, Case, Severity
from router.coverage.report.findings import (
    RUNG_NAMES,
    UNSOUND,
    GateReport,
    VerdictGroup,
    listed,
    rungs_in,
    unmatched_sentence,
)
from router.coverage.verdicts import CoverageRow, CoverageState, Verdict, Workload
from router.destinations.wording.masking import masked
from router.domain.coverage import Rung, WorkloadKind
from router.domain.readable import counted, one_line, timestamp

_FILES, _MANIFEST = "coverage.files", "coverage.manifest"
_TITLES = {_FILES: "coverage file", _MANIFEST: "coverage manifest"}

_MOST_ROWS = 500
"""Rows of a table of a summary, which GitHub cuts at a megabyte."""

_LONGEST = 200
"""Characters that Markdown shows of a text."""

_BREAKING = frozenset("`|\\")


def build_cases(report: GateReport) -> Iterator[Case]:
    """Yield a case for each workload and rung, for each pattern that fits nothing, and for each file that could not be read.

    A gap is a failure, what is unknown an error, unless unknown passes; what is excused or not coverable is skipped.
    """
    posture = {one.subscription: "on" if one.is_known_on else one.reason for one in report.result.posture}
    for workload, rung, verdict in report.assessed.verdicts():
        remarks = list(verdict.remarks)
        if workload.kind is WorkloadKind.SUBSCRIPTION and rung is Rung.PLAN and workload.subscription in posture:
            remarks.append(f"foundational CSPM is {posture[workload.subscription]}")
        first, *others = (verdict.remedy or "").split("\n")
        remedy = f"{first} (and {counted(len(others), 'more command')})" if others else first
        words = (_sentence(f"{workload.kind} {workload.name}, {RUNG_NAMES[rung]}", verdict, remedy),)
        is_unknown = verdict.state is CoverageState.UNKNOWN
        is_skipped = verdict.state is CoverageState.NOT_COVERABLE or (is_unknown and report.allows_unknown)
        skipped = f"{verdict.state}: {masked(verdict.reason)}" if is_skipped else None
        if (excuse := verdict.exception) is not None:
            who = f"excused until {timestamp(excuse.ends)} by {excuse.owner}: {excuse.reason}"
            skipped = f"{who}; {masked(verdict.reason)}"
        yield Case(
            suite=f"coverage.{workload.kind}",
            name=f"{workload.name}: {RUNG_NAMES[rung]}",
            failures=words if verdict.state is CoverageState.GAP else (),
            errors=words if is_unknown and not report.allows_unknown else (),
            remarks=tuple(one_line(masked(remark)) for remark in remarks),
            skipped=one_line(skipped) if skipped is not None else None,
        )
    for suite, name, why in _unknown_lines(report):
        yield Case(
            suite=suite,
            name=name,
            errors=() if report.allows_unknown else (why,),
            skipped=why if report.allows_unknown else None,
        )
    yield from (Case(suite=_FILES, name=line, errors=(line,)) for line in report.refused)


def build_annotations(report: GateReport) -> Iterator[Annotation]:
    """Yield one for each thing that is a gap or unknown, of however many workloads, and for each unread file."""
    unknown: Severity = "warning" if report.allows_unknown else "error"
    levels: Sequence[tuple[CoverageState, Severity]] = (CoverageState.GAP, "error"), (CoverageState.UNKNOWN, unknown)
    for state, level in levels:
        for group in report.groups(state):
            names = listed([f"{one.kind} {one.name}" for one in group.workloads])
            words = _sentence(f"{names}, {group.rung_names}", group.verdict, _first_remedy(group))
            yield Annotation("", None, level, f"coverage {group.rungs[0]}", words)
    for suite, _, why in _unknown_lines(report):
        yield Annotation("", None, unknown, _TITLES[suite], why)
    yield from (Annotation("", None, "error", _TITLES[_FILES], line) for line in report.refused)


def _unknown_lines(report: GateReport) -> Iterator[tuple[str, str, str]]:
    """Yield the suite, the name and the reason of what is unknown beside verdicts: patterns, and answers that are not whole."""
    for number, glob in report.assessed.missed:
        yield _MANIFEST, one_line(f"entry {number}: {glob}"), one_line(unmatched_sentence(number, glob))
    for name, reason in report.result.unanswered:
        yield _FILES, one_line(name), one_line(f"{name}: {_not_whole(reason)}")


def _not_whole(reason: str) -> str:
    return f"not answered in full: it {masked(reason)}"


def _sentence(about: str, verdict: Verdict, remedy: str) -> str:
    what = "ask" if verdict.is_unknown else "mend it with"
    # A report is printed where GitHub looks for commands at the beginnings of lines.
    return one_line(f"{about}: {verdict.state}: {masked(verdict.reason)}{f'; {what}: {remedy}' if remedy else ''}")


def _first_remedy(group: VerdictGroup, show: Callable[[str], str] = str) -> str:
    first, *others = group.remedies or [""]
    return f"{show(first)}{f' (and {len(others):,} more like it)' if others else ''}" if first else ""


def markdown_lines(report: GateReport) -> Iterator[str]:
    """Yield the lines of a summary: the first line, the matrix, what is to be done, and what was not used."""
    yield from ("### Coverage", "", f"**{report.summary}**", "")
    shown = sorted(report.assessed.rows, key=lambda row: row.state not in UNSOUND)[:_MOST_ROWS]
    rungs = rungs_in(shown)
    cells = ([_name(row.workload), *(_state(row, rung) for rung in rungs)] for row in shown)
    yield from _table(("workload", *(RUNG_NAMES[rung] for rung in rungs)), cells)
    if (more := len(report.assessed.rows) - len(shown)) > 0:
        yield from ("", f"{counted(more, 'more workload')} in the JSON.")
    groups = [*(group for state in UNSOUND for group in report.groups(state)), *report.limits()]
    if groups:
        yield ""
        yield from _table(("workload", "rung", "state", "why", "mend or ask"), map(_cells, groups[:_MOST_ROWS]))
    for sentence in list(report.unexpected(show=_quoted))[:_MOST_ROWS]:
        yield from ("", sentence)
    notes = [(name, _not_whole(reason)) for name, reason in report.result.unanswered]
    notes += [(name, f"not used: it {reason}") for name, reason in report.unused]
    notes += [(line, "") for line in report.refused]
    if notes:
        yield ""
        yield from _table(("file", "left aside"), (map(_quoted, note) for note in notes[:_MOST_ROWS]))
    for sentence in report.postures(_quoted):
        yield from ("", sentence)


def _state(row: CoverageRow, rung: Rung) -> str:
    verdict = row.verdicts.get(rung)
    if verdict is None:
        return ""
    return f"**{verdict.state}**" if verdict.state is CoverageState.GAP else verdict.state.value


def _name(workload: Workload) -> str:
    return f"{workload.kind} {_quoted(workload.name)}"


def _cells(group: VerdictGroup) -> list[str]:
    verdict = group.verdict
    state = "covered within limits" if verdict.state is CoverageState.COVERED else verdict.state.value
    if verdict.exception is not None:
        state = f"excused until {timestamp(verdict.exception.ends)}"
    names = listed(list(map(_name, group.workloads)))
    return [names, group.rung_names, state, _quoted(verdict.reason), _first_remedy(group, _quoted)]


def _quoted(text: str) -> str:
    """Return a text that comes from elsewhere as it may stand in a table or a line."""
    shown = one_line(masked(text)).strip() or "-"
    shown = f"{shown[:_LONGEST]}..." if len(shown) > _LONGEST else shown
    if not _BREAKING.intersection(shown):
        return f"`{shown}`" if text else ""
    # Nothing is escaped in a span of code, and a bar in it would end the cell.
    return f"<code>{''.join(one if one.isalnum() or one == ' ' else f'&#{ord(one)};' for one in shown)}</code>"


def _table(heads: Sequence[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    for cells in (heads, ["---"] * len(heads), *rows):
        yield f"| {' | '.join(cell or '-' for cell in cells)} |"
