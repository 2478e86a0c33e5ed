"""What a gate found, as people read it: the matrix first, then each gap and what is unknown, with what mends it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from router.cli.coverage_groups import VerdictGroup, groups_in
from router.cli.coverage_summary import RUNG_NAMES, GateReport, state_of, summary_of
from router.cli.printing import plain, print_lines
from router.cli.screen import print_table, screen, table_of
from router.coverage.assess import Assessed, CoverageRow
from router.destinations.wording.masking import masked
from router.domain.coverage import CoverageState, Rung
from router.domain.plurals import counted
from router.domain.timestamps import timestamp

_MOST_COVERED = 20
"""How many workloads are shown that have no gap; of more, how many they are."""

_MOST_EVIDENCE = 5
"""How many pieces of evidence are shown below a verdict; JSON has all of them."""

_MOST_NAMES = 5
"""How many workloads are named of which the same is to be said."""

_SHOUTED = {CoverageState.GAP: "GAP", CoverageState.NOT_COVERABLE: "not coverable"}

_HEADS = {
    CoverageState.GAP: "Gaps",
    CoverageState.UNKNOWN: "Unknown",
    CoverageState.EXCUSED: "Excused",
}


def print_report(report: GateReport) -> None:
    """Prints all of it."""
    to = screen()
    to.print(summary_of(report), style="bold")
    assessed = report.result.assessed
    rows = _shown(assessed)
    if rows:
        to.print()
        rungs = [rung for rung in Rung if any(rung in row.verdicts for row in rows)]
        heads = ["workload", *(RUNG_NAMES[rung] for rung in rungs)]
        print_table(to, table_of(heads, [_cells(row, rungs) for row in rows]))
    for state, head in _HEADS.items():
        lines = [line for group in groups_in(assessed, state) for line in _lines_of(group)]
        if lines:
            to.print(f"\n{head}", style="bold")
            print_lines(lines)
    print_lines(_notes(report, len(assessed.rows) - len(rows)))


def _shown(assessed: Assessed) -> list[CoverageRow]:
    """The rows of the matrix: all of few, else those that are not covered."""
    unsound = [row for row in assessed.rows if state_of(row) in _HEADS]
    return list(assessed.rows) if len(assessed.rows) - len(unsound) <= _MOST_COVERED else unsound


def _cells(row: CoverageRow, rungs: list[Rung]) -> list[str | None]:
    cells: list[str | None] = [_name_of(row)]
    for rung in rungs:
        verdict = row.verdicts.get(rung)
        cells.append(_SHOUTED.get(verdict.state, verdict.state.value) if verdict else None)
    return cells


def _name_of(row: CoverageRow) -> str:
    return f"{row.workload.kind.replace('-', ' ')} {row.workload.name}"


def _lines_of(group: VerdictGroup) -> Iterator[str]:
    names = [f"{workload.kind.replace('-', ' ')} {workload.name}" for workload, _ in group.members]
    many = f" and {len(names) - _MOST_NAMES:,} more" if len(names) > _MOST_NAMES else ""
    yield f"  {plain(', '.join(names[:_MOST_NAMES]))}{many}, {RUNG_NAMES[group.rung]}: {plain(masked(group.reason))}"
    yield from (f"      {line}" for line in _below(group))


def _below(group: VerdictGroup) -> Iterator[str]:
    if group.exception is not None:
        excuse = group.exception
        yield plain(f"until  {timestamp(excuse.ends)}, {excuse.owner}: {excuse.reason}")
    evidence = list(dict.fromkeys(one for _, verdict in group.members for one in verdict.evidence))
    for one in evidence[:_MOST_EVIDENCE]:
        at = f" at {one.time}" if one.time else ""
        yield plain(masked(f"seen   {one.document}: {one.field} is {one.value or 'not there'}{at}"))
    if (more := len(evidence) - _MOST_EVIDENCE) > 0:
        yield f"seen   {more:,} more in --format json"
    remarks = dict.fromkeys(remark for _, verdict in group.members for remark in verdict.remarks)
    yield from (plain(masked(f"note   {remark}")) for remark in list(remarks)[:_MOST_EVIDENCE])
    if group.remedy is not None:
        yield plain(f"{'ask ' if group.state is CoverageState.UNKNOWN else 'mend'}   {group.remedy}")


def _notes(report: GateReport, hidden: int) -> Iterator[str]:
    result = report.result
    kinds = Counter(workload.kind for workload in result.assessed.unlisted)
    if hidden:
        yield f"\n{counted(hidden, 'more workload')} covered"
    if kinds:
        said = ", ".join(f"{many:,} of kind {kind}" for kind, many in kinds.items())
        yield ""
        yield f"No entry of the manifest expects {said}, so nothing was judged of them."
    for number, glob in result.assessed.unmatched:
        yield f"Entry {number} of the manifest expects {plain(glob)}, which fits nothing that the files name."
    for name, reason in result.unused:
        yield f"{plain(name)}: not used: it {plain(masked(reason))}"
