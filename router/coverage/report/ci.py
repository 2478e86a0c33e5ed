"""What a gate found, as CI reads it: cases of a test report, annotations, and Markdown for the summary of a step. Pure.

Names of resources and comments of rules come from elsewhere: no form lets them act.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from router.cli.formats import Annotation, Case, Severity
from router.coverage.assess import CoverageRow
from router.coverage.report.findings import (
    NOTHING_EXPECTED,
    RUNG_NAMES,
    UNSOUND,
    GateReport,
    VerdictGroup,
    groups_in,
    limits_in,
    listed,
    posture_sentences,
    rungs_in,
    summary_line,
    unmatched_sentence,
    unused_files,
    worst_state,
)
from router.coverage.verdicts import CoverageState, Verdict, Workload
from router.destinations.wording.masking import masked
from router.domain.coverage import Rung, WorkloadKind
from router.domain.readable import counted, one_line, timestamp

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
    for workload, rung, verdict in report.result.assessed.verdicts():
        remarks = list(verdict.remarks)
        if workload.kind is WorkloadKind.SUBSCRIPTION and rung is Rung.PLAN and workload.subscription in posture:
            remarks.append(f"foundational CSPM is {posture[workload.subscription]}")
        words = _sentence(f"{workload.kind} {workload.name}, {RUNG_NAMES[rung]}", verdict, _first_command(verdict))
        yield _case(
            f"coverage.{workload.kind}",
            f"{workload.name}: {RUNG_NAMES[rung]}",
            failures=(words,) if verdict.state is CoverageState.GAP else (),
            errors=(words,) if verdict.state is CoverageState.UNKNOWN and not report.allows_unknown else (),
            remarks=tuple(one_line(masked(remark)) for remark in remarks),
            skipped=_skipped(verdict, allows_unknown=report.allows_unknown),
        )
    for suite, name, why in _unknown_lines(report):
        is_file = suite == "coverage.files"
        yield _case(
            suite,
            name,
            errors=() if report.allows_unknown else (f"{name}: {why}" if is_file else why,),
            skipped=why if report.allows_unknown else None,
        )
    yield from (_case("coverage.files", line, errors=(line,)) for line in report.refused)


def _case(
    suite: str,
    name: str,
    *,
    failures: tuple[str, ...] = (),
    errors: tuple[str, ...] = (),
    remarks: tuple[str, ...] = (),
    skipped: str | None = None,
) -> Case:
    return Case(suite=suite, name=name, path="", failures=failures, errors=errors, remarks=remarks, skipped=skipped)


def _unknown_lines(report: GateReport) -> Iterator[tuple[str, str, str]]:
    """Yield the suite, the name and the reason of what is unknown beside verdicts: patterns, and answers that are not whole."""
    for number, glob in report.result.assessed.missed:
        yield "coverage.manifest", one_line(f"entry {number}: {glob}"), one_line(unmatched_sentence(number, glob))
    for name, reason in report.result.unanswered:
        yield "coverage.files", one_line(name), _not_whole(reason)


def _not_whole(reason: str) -> str:
    return one_line(f"not answered in full: it {masked(reason)}")


def build_annotations(report: GateReport) -> Iterator[Annotation]:
    """Yield one for each thing that is a gap or unknown, of however many workloads, and for each unread file."""
    unknown: Severity = "warning" if report.allows_unknown else "error"
    levels: Sequence[tuple[CoverageState, Severity]] = (CoverageState.GAP, "error"), (CoverageState.UNKNOWN, unknown)
    for state, level in levels:
        for group in groups_in(report.result.assessed, state):
            names = listed([f"{one.kind} {one.name}" for one in group.workloads])
            words = _sentence(f"{names}, {group.rung_names}", group.verdict, _first_remedy(group))
            yield Annotation("", None, level, f"coverage {group.rungs[0]}", words)
    for suite, name, why in _unknown_lines(report):
        is_file = suite == "coverage.files"
        title = "coverage file" if is_file else "coverage manifest"
        yield Annotation("", None, unknown, title, f"{name}: {why}" if is_file else why)
    yield from (Annotation("", None, "error", "coverage file", line) for line in report.refused)


def _sentence(about: str, verdict: Verdict, remedy: str | None) -> str:
    what = "ask" if verdict.is_unknown else "mend it with"
    # A report is printed where GitHub looks for commands at the beginnings of lines.
    return one_line(f"{about}: {verdict.state}: {masked(verdict.reason)}{f'; {what}: {remedy}' if remedy else ''}")


def _first_command(verdict: Verdict) -> str | None:
    first, *others = (verdict.remedy or "").split("\n")
    return f"{first} (and {counted(len(others), 'more command')})" if others else first


def _first_remedy(group: VerdictGroup, show: type[str] = str) -> str | None:
    if not group.remedies:
        return None
    more = len(group.remedies) - 1
    return f"{_cell(show(group.remedies[0]))}{f' (and {more:,} more like it)' if more else ''}"


def _skipped(verdict: Verdict, *, allows_unknown: bool) -> str | None:
    if (excuse := verdict.exception) is not None:
        who = f"excused until {timestamp(excuse.ends)} by {excuse.owner}: {excuse.reason}"
        return one_line(f"{who}; {masked(verdict.reason)}")
    is_passing = verdict.state is CoverageState.UNKNOWN and allows_unknown
    is_skipped = is_passing or verdict.state is CoverageState.NOT_COVERABLE
    return one_line(f"{verdict.state}: {masked(verdict.reason)}") if is_skipped else None


def markdown_lines(report: GateReport) -> Iterator[str]:
    """Yield the lines of a summary: the first line, the matrix, what is to be done, and what was not used."""
    assessed = report.result.assessed
    yield from ("### Coverage", "", f"**{summary_line(report)}**", "")
    shown = sorted(assessed.rows, key=lambda row: worst_state(row) not in UNSOUND)[:_MOST_ROWS]
    rungs = rungs_in(shown)
    cells = ([_name(row.workload), *(_state(row, rung) for rung in rungs)] for row in shown)
    yield from _table(("workload", *(RUNG_NAMES[rung] for rung in rungs)), cells)
    if (more := len(assessed.rows) - len(shown)) > 0:
        yield from ("", f"{counted(more, 'more workload')} in the JSON.")
    groups = [*(group for state in UNSOUND for group in groups_in(assessed, state)), *limits_in(assessed)]
    if groups:
        yield ""
        yield from _table(("workload", "rung", "state", "why", "mend or ask"), map(_row, groups[:_MOST_ROWS]))
    if report.manifest is None:
        yield from ("", NOTHING_EXPECTED)
    for number, glob in assessed.unmatched[:_MOST_ROWS]:
        yield from ("", unmatched_sentence(number, _cell(Quoted(glob))))
    notes = [(name, _not_whole(reason)) for name, reason in report.result.unanswered]
    notes += [(name, f"not used: it {reason}") for name, reason in unused_files(report)]
    notes += [(line, "") for line in report.refused]
    if notes:
        yield ""
        yield from _table(("file", "left aside"), ([Quoted(name), Quoted(why)] for name, why in notes[:_MOST_ROWS]))
    for sentence in posture_sentences(report.result.posture, lambda name: _cell(Quoted(name))):
        yield from ("", sentence)


def _state(row: CoverageRow, rung: Rung) -> str | None:
    verdict = row.verdicts.get(rung)
    if verdict is None:
        return None
    return f"**{verdict.state}**" if verdict.state is CoverageState.GAP else verdict.state.value


def _name(workload: Workload) -> str:
    return f"{workload.kind} {_cell(Quoted(workload.name))}"


def _row(group: VerdictGroup) -> list[object]:
    verdict = group.verdict
    state = "covered within limits" if verdict.state is CoverageState.COVERED else verdict.state.value
    if verdict.exception is not None:
        state = f"excused until {timestamp(verdict.exception.ends)}"
    names = listed(list(map(_name, group.workloads)))
    return [names, group.rung_names, state, Quoted(verdict.reason), _first_remedy(group, Quoted)]


class Quoted(str):
    """A text that comes from elsewhere, to be shown as it is."""

    __slots__ = ()


def _cell(value: object) -> str:
    """Return a value as it stands in a table or a line; nothing is a dash."""
    if value is None or value == "":
        return "-"
    if not isinstance(value, Quoted):
        return str(value)
    shown = one_line(masked(value)).strip() or "-"
    shown = f"{shown[:_LONGEST]}..." if len(shown) > _LONGEST else shown
    if not _BREAKING.intersection(shown):
        return f"`{shown}`"
    # Nothing is escaped in a span of code, and a bar in it would end the cell.
    return f"<code>{''.join(one if one.isalnum() or one == ' ' else f'&#{ord(one)};' for one in shown)}</code>"


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    for cells in (heads, ["---"] * len(heads), *(list(map(_cell, row)) for row in rows)):
        yield f"| {' | '.join(cells)} |"
