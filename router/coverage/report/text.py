"""What a gate found, as people read it: the matrix first, then each gap and what is unknown, with what mends it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from router.cli.printing import plain, print_lines
from router.cli.screen import print_table, screen, table_of
from router.coverage.assess import Assessed, CoverageRow
from router.coverage.report.groups import VerdictGroup, groups_in, limits_in, silence_lines
from router.coverage.report.summary import (
    LIMITED,
    NOTHING_EXPECTED,
    RUNG_NAMES,
    GateReport,
    age_clause,
    idle_exceptions_line,
    left_aside,
    posture_sentences,
    state_of,
    summary_of,
    unmatched_sentence,
)
from router.coverage.verdicts import CoverageState
from router.destinations.wording.masking import masked
from router.domain.coverage import Rung
from router.domain.texts import counted, timestamp

_MOST_COVERED = 20
"""How many workloads are shown that have no gap; of more, how many they are."""

_MOST_ROWS = 60
"""How many workloads may stand in the matrix before those that stand alike are counted."""

_MOST_EVIDENCE = 5
"""How many pieces of evidence are shown below a verdict; JSON has all of them."""

_MOST_REMEDIES = 4
"""How many commands are shown that differ only by what they ask; JSON has all of them."""

_MOST_NAMES = 5
"""How many workloads are named of which the same is to be said."""

_SHOUTED = {CoverageState.GAP: "GAP", CoverageState.NOT_COVERABLE: "not coverable"}

_HEADS = {
    CoverageState.GAP: "Gaps",
    CoverageState.UNKNOWN: "Unknown",
    CoverageState.EXCUSED: "Excused",
}


def print_report(report: GateReport, now: datetime) -> None:
    """Prints all of it."""
    to = screen()
    to.print(summary_of(report), style="bold")
    assessed = report.result.assessed
    rows = _shown(assessed)
    if rows:
        to.print()
        rungs = [rung for rung in Rung if any(rung in row.verdicts for row in rows)]
        heads = ["workload", *(RUNG_NAMES[rung] for rung in rungs)]
        print_table(to, table_of(heads, list(_matrix(rows, rungs))))
    sections = [(head, groups_in(assessed, state)) for state, head in _HEADS.items()]
    for head, groups in (*sections, (LIMITED, limits_in(assessed))):
        lines = [line for group in groups for line in _lines_of(group, now)]
        if lines:
            to.print(f"\n{head}", style="bold")
            print_lines(lines)
    if lines := list(silence_lines(report.result.sources, now)):
        to.print("\nSilent sources", style="bold")
        print_lines(lines)
    print_lines(_notes(report, len(assessed.rows) - len(rows)))


def _shown(assessed: Assessed) -> list[CoverageRow]:
    """The rows of the matrix: all of few, else those that are not covered."""
    unsound = [row for row in assessed.rows if state_of(row) in _HEADS]
    return list(assessed.rows) if len(assessed.rows) - len(unsound) <= _MOST_COVERED else unsound


def _matrix(rows: Sequence[CoverageRow], rungs: list[Rung]) -> Iterator[list[str | None]]:
    """A line for each workload; of many of a kind that stand alike, for the first ones, and one that counts the others."""
    alike: dict[tuple[object, ...], list[list[str | None]]] = {}
    for row in rows:
        cells = _cells(row, rungs)
        stands = (row.workload.kind, *cells[1:]) if len(rows) > _MOST_ROWS else (row.workload.key,)
        alike.setdefault(stands, []).append(cells)
    for some in alike.values():
        yield from some[:_MOST_NAMES]
        if (more := len(some) - _MOST_NAMES) > 0:
            yield [f"and {more:,} more that stand so", *some[0][1:]]


def _cells(row: CoverageRow, rungs: list[Rung]) -> list[str | None]:
    cells: list[str | None] = [_name_of(row)]
    for rung in rungs:
        verdict = row.verdicts.get(rung)
        cells.append(_SHOUTED.get(verdict.state, verdict.state.value) if verdict else None)
    return cells


def _name_of(row: CoverageRow) -> str:
    return f"{row.workload.kind.replace('-', ' ')} {row.workload.name}"


def _lines_of(group: VerdictGroup, now: datetime) -> Iterator[str]:
    names = [f"{workload.kind.replace('-', ' ')} {workload.name}" for workload in group.workloads]
    many = f" and {len(names) - _MOST_NAMES:,} more" if len(names) > _MOST_NAMES else ""
    rungs = ", ".join(RUNG_NAMES[rung] for rung in group.rungs)
    yield f"  {plain(', '.join(names[:_MOST_NAMES]))}{many}, {rungs}: {plain(masked(group.reason))}"
    yield from (f"      {line}" for line in _below(group, now))


def _below(group: VerdictGroup, now: datetime) -> Iterator[str]:
    if group.exception is not None:
        excuse = group.exception
        yield plain(f"until  {timestamp(excuse.ends)}, {excuse.owner}: {excuse.reason}")
    for one in group.evidence[:_MOST_EVIDENCE]:
        at = f" at {one.time}" if one.time else ""
        yield plain(
            masked(f"seen   {one.document}: {one.field} is {one.value or 'not there'}{at}{age_clause(one, now)}")
        )
    if (more := len(group.evidence) - _MOST_EVIDENCE) > 0:
        yield f"seen   {more:,} more in --format json"
    yield from (plain(masked(f"note   {remark}")) for remark in group.remarks[:_MOST_EVIDENCE])
    verb = "ask " if group.is_unknown else "mend"
    yield from (plain(f"{verb}   {remedy}") for remedy in group.remedies[:_MOST_REMEDIES])
    if (more := len(group.remedies) - _MOST_REMEDIES) > 0:
        yield f"{verb}   {more:,} more like it: in --format json"


def _notes(report: GateReport, hidden: int) -> Iterator[str]:
    if hidden:
        yield ""
        yield f"{counted(hidden, 'more workload')} covered or not coverable"
    notes = [*_unexpected(report), *left_aside(report)]
    if notes:
        yield ""
        yield from notes
    if sentences := list(posture_sentences(report.result.posture)):
        yield ""
        yield from map(masked, sentences)


def _unexpected(report: GateReport) -> Iterator[str]:
    """Where what is expected and what there is do not meet."""
    assessed = report.result.assessed
    if report.manifest is None:
        yield NOTHING_EXPECTED
    kinds = Counter(workload.kind for workload in assessed.unlisted)
    if kinds:
        said = ", ".join(f"{many:,} of kind {kind}" for kind, many in kinds.items())
        yield f"No entry of the manifest expects {said}, so nothing was judged of them; --format json names them."
    for number, glob in assessed.unmatched:
        yield unmatched_sentence(number, plain(glob))
    if (idle := idle_exceptions_line(report)) is not None:
        yield idle
