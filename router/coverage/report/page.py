"""What a gate found as one page for people who decide: how far up the ladder each workload is proved, and what is missing.

The page is one file without scripts, which asks nothing of any network. Names of resources come from elsewhere: the template
escapes each, and what looks like a credential is masked. Every state is a word as well as a colour.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import NamedTuple

from router.coverage.assess import CoverageRow
from router.coverage.facts import document_name
from router.coverage.report.findings import (
    LIMITED,
    NOTHING_EXPECTED,
    RUNG_NAMES,
    UNSOUND,
    GateReport,
    VerdictGroup,
    ago,
    documents_in,
    evidence_line,
    evidence_time,
    groups_in,
    idle_exceptions_line,
    left_aside,
    limits_in,
    listed,
    posture_sentences,
    rungs_in,
    summary_line,
    unmatched_sentence,
    worst_state,
)
from router.coverage.sources import ReportedSource, source_name
from router.coverage.verdicts import CoverageEvidence, CoverageState, Workload
from router.destinations.wording.masking import masked
from router.domain.coverage import Rung, WorkloadKind
from router.domain.coverage_sources import CoverageSourceKind, LastHeard
from router.domain.readable import counted, one_line, timestamp

_TITLES = ("Gaps, and what mends them", "Unknown, and what would answer it", "Excused, by whom and until when")

_KINDS = {
    WorkloadKind.REGISTRY: "Registries",
    WorkloadKind.SQL_SERVER: "SQL servers",
    WorkloadKind.SQL_ON_MACHINE: "SQL on machines",
    WorkloadKind.COSMOS_DB: "Cosmos DB",
    WorkloadKind.OPEN_SOURCE_DATABASE: "Open-source databases",
    WorkloadKind.AWS_ACCOUNT: "AWS accounts",
    WorkloadKind.GCP_PROJECT: "GCP projects",
}
"""Titles of kinds whose name does not give theirs."""

_PROVES = {
    Rung.PLAN: "The plan is paid for.",
    Rung.INTEGRATION: "A sensor is to be deployed.",
    Rung.SENSOR_INSTALLED: "A sensor was deployed.",
    Rung.SENSOR_RUNNING: "It runs now, everywhere it can.",
    Rung.ADMISSION_AUDITS: "What is admitted to the cluster is looked at.",
    Rung.ADMISSION_DENIES: "What must not run is refused.",
    Rung.SUPPRESSION: "Defender's own rules hide nothing for ever.",
    Rung.EXPORT: "What Defender says is sent to our hub.",
    Rung.PATH: "A sample alert was seen at the other end.",
    Rung.DETECTION: "A real alert named the workload.",
}

_MOST_DOCUMENTS = 2
"""How many documents a cell names."""

_MOST = {"most_names": 50, "most_remedies": 3, "most_rows": 500}
"""How many workloads and pieces of evidence a group names, how many commands, and how many sources a table has."""


class _Cell(NamedTuple):
    """A verdict in the matrix, with the first documents that it rests on and the time of its oldest evidence."""

    state: CoverageState
    reason: str
    documents: str
    oldest: datetime | None


class _Row(NamedTuple):
    """A workload in the matrix; `heard` is None if none of its kind was heard of."""

    workload: Workload
    cells: Sequence[_Cell | None]
    heard: LastHeard | None


class _Matrix(NamedTuple):
    """The workloads of a kind, those with gaps first."""

    title: str
    rungs: Sequence[str]
    rows: Sequence[_Row]
    is_heard: bool


def render_page(report: GateReport, now: datetime) -> str:
    """Return the page as HTML."""
    # Only a page waits for Jinja.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("router.coverage.report", "."),
        autoescape=True,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"timestamp": timestamp, "class": lambda state: state.value.replace(" ", "-")}
    result, assessed = report.result, report.result.assessed
    evidence = [one for _, _, verdict in assessed.verdicts() for one in verdict.evidence]
    page = environment.get_template("page.html.j2").render(
        **_MOST,
        report=report,
        now=now,
        ago=partial(ago, now=now),
        counted=counted,
        source_name=source_name,
        evidence_line=partial(evidence_line, now=now, says_age_of_files=True),
        names_in=lambda group: listed([one.name for one in group.workloads], _MOST["most_names"]),
        kinds_in=_kinds_in,
        summary=summary_line(report),
        postures=list(posture_sentences(result.posture)),
        has_undated=any(evidence_time(one) is None for one in evidence),
        states=list(CoverageState),
        ladder=list(_ladder(assessed.rows)),
        matrices=list(_matrices(report)),
        sources=[one for one in result.sources if one.within is not None],
        owners=[one for one in result.sources if one.heard.source.kind is CoverageSourceKind.OWNER],
        drills=result.drills,
        sections=[
            *((title, groups_in(assessed, state)) for title, state in zip(_TITLES, UNSOUND, strict=True)),
            (LIMITED, limits_in(assessed)),
        ],
        documents=documents_in(report),
        not_judged=list(_not_judged(report)),
    )
    return f"{page}\n"


def _shown(value: object) -> object:
    """Return a text as it may stand on the page, which escapes it; what the template made stays as it is."""
    return one_line(masked(value)) if type(value) is str else value


def _ladder(rows: Sequence[CoverageRow]) -> Iterator[tuple[str, str, list[tuple[CoverageState, int]]]]:
    """Yield each rung with what it proves, and how many workloads are in which state on it."""
    for rung in rungs_in(rows):
        states = Counter(row.verdicts[rung].state for row in rows if rung in row.verdicts)
        yield RUNG_NAMES[rung], _PROVES[rung], [(state, states[state]) for state in CoverageState]


def _matrices(report: GateReport) -> Iterator[_Matrix]:
    heard = _heard_by_workload(report.result.sources)
    others = dict(report.others)
    for kind, some in groupby(report.result.assessed.rows, key=lambda row: row.workload.kind):
        rows = list(some)
        rungs = rungs_in(rows)
        is_heard = any(row.workload.subject in heard for row in rows)
        never = LastHeard(source=next(iter(heard.values())).source) if is_heard else None
        yield _Matrix(
            title=f"{_KINDS.get(kind, f'{kind.replace("-", " ")}s'.capitalize())} ({len(rows):,})",
            rungs=[RUNG_NAMES[rung] for rung in rungs],
            rows=[
                _Row(row.workload, [_cell(row, rung, others) for rung in rungs], heard.get(row.workload.subject, never))
                for row in sorted(rows, key=_gravity)
            ],
            is_heard=is_heard,
        )


def _gravity(row: CoverageRow) -> int:
    state = worst_state(row)
    return UNSOUND.index(state) if state in UNSOUND else len(UNSOUND)


def _cell(row: CoverageRow, rung: Rung, others: Mapping[str, str]) -> _Cell | None:
    verdict = row.verdicts.get(rung)
    if verdict is None:
        return None
    instants = [instant for one in verdict.evidence if (instant := evidence_time(one)) is not None]
    return _Cell(verdict.state, verdict.reason, _documents(verdict.evidence, others), min(instants, default=None))


def _documents(evidence: Sequence[CoverageEvidence], others: Mapping[str, str]) -> str:
    """Return the names of the first documents; of a file its last part, since the end of the page has all paths."""
    names = dict.fromkeys(document_name(one.document) for one in evidence)
    return listed([name if name in others else re.split(r"[\\/]", name)[-1] for name in names], _MOST_DOCUMENTS)


def _heard_by_workload(sources: Sequence[ReportedSource]) -> Mapping[str, LastHeard]:
    """Return when each cluster and workload was last heard of, by its id in lower case."""
    found: dict[str, LastHeard] = {}
    for one in sources:
        subject = one.heard.source.subject
        if one.heard.source.kind in (CoverageSourceKind.CLUSTER, CoverageSourceKind.WORKLOAD):
            found[subject] = found[subject].joined(one.heard) if subject in found else one.heard
    return found


def _kinds_in(group: VerdictGroup) -> str:
    kinds = Counter(workload.kind for workload in group.workloads)
    return ", ".join(counted(many, kind.replace("-", " ")) for kind, many in kinds.items())


def _not_judged(report: GateReport) -> Iterator[str]:
    """Yield what was not judged, so that its silence is not taken for health."""
    if report.manifest is None:
        yield NOTHING_EXPECTED
    if (idle := idle_exceptions_line(report)) is not None:
        yield idle
    yield from left_aside(report)
    yield from report.refused
    assessed = report.result.assessed
    yield from (unmatched_sentence(number, glob) for number, glob in assessed.unmatched)
    yield from (f"No entry of the manifest expects {one.kind} {one.name}." for one in assessed.unlisted)
