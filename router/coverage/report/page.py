"""What a gate found as one page for people who decide: how far up the ladder each workload is proved, and what is missing.

The page is one file without scripts, which asks nothing of any network. Names of resources come from elsewhere: the template
escapes each, and what looks like a credential is masked. Every state is a word as well as a colour.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from itertools import groupby

from router.coverage.facts import document_name
from router.coverage.report.findings import (
    LIMITED,
    RUNG_NAMES,
    UNSOUND,
    GateReport,
    VerdictGroup,
    ago,
    evidence_line,
    evidence_time,
    listed,
    rungs_in,
)
from router.coverage.verdicts import CoverageRow, CoverageState, Verdict
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


def render_page(report: GateReport, now: datetime) -> str:
    """Return the page as HTML."""
    # Only a page waits for Jinja.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("router.coverage.report", "."),
        autoescape=True,
        # The template escapes a text; what it made itself stays as it is.
        finalize=lambda value: one_line(masked(value)) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"timestamp": timestamp, "class": lambda state: state.value.replace(" ", "-")}
    result, rows = report.result, report.assessed.rows
    verdicts = [verdict for _, _, verdict in report.assessed.verdicts()]
    unlisted = (f"No entry of the manifest expects {one.kind} {one.name}." for one in report.assessed.unlisted)
    page = environment.get_template("page.html.j2").render(
        **_MOST,
        report=report,
        now=now,
        ago=partial(ago, now=now),
        counted=counted,
        evidence_line=partial(evidence_line, now=now, says_age_of_files=True),
        evidence_times=_evidence_times,
        documents_of=partial(_documents, report=report),
        names_in=lambda group: listed([one.name for one in group.workloads], _MOST["most_names"]),
        kinds_in=_kinds_in,
        rung_names=RUNG_NAMES,
        proves=_PROVES,
        has_undated=any(len(_evidence_times(one)) < len(one.evidence) for one in verdicts),
        states=list(CoverageState),
        ladder=[
            (rung, Counter(row.verdicts[rung].state for row in rows if rung in row.verdicts)) for rung in rungs_in(rows)
        ],
        matrices=list(_matrices(report)),
        sources=[one for one in result.sources if one.within is not None],
        owners=[one for one in result.sources if one.heard.source.kind is CoverageSourceKind.OWNER],
        sections=[*zip(_TITLES, map(report.groups, UNSOUND), strict=True), (LIMITED, report.limits())],
        not_judged=[*report.unexpected(), *report.left_aside(), *report.refused, *unlisted],
    )
    return f"{page}\n"


def _evidence_times(verdict: Verdict) -> list[datetime]:
    return [instant for one in verdict.evidence if (instant := evidence_time(one)) is not None]


def _matrices(report: GateReport) -> Iterator[tuple[str, list[Rung], list[tuple[CoverageRow, LastHeard | None]]]]:
    """Yield the workloads of each kind, those with gaps first: a title, rungs, and each with when it was last heard of.

    That is None if none of its kind was heard of.
    """
    heard: dict[str, LastHeard] = {}
    for one in report.result.sources:
        subject = one.heard.source.subject
        if one.heard.source.kind in (CoverageSourceKind.CLUSTER, CoverageSourceKind.WORKLOAD):
            heard[subject] = heard[subject].joined(one.heard) if subject in heard else one.heard
    for kind, some in groupby(report.assessed.rows, key=lambda row: row.workload.kind):
        rows = sorted(some, key=lambda row: [*UNSOUND, row.state].index(row.state))
        known = next((heard[row.workload.subject] for row in rows if row.workload.subject in heard), None)
        never = LastHeard(source=known.source) if known is not None else None
        title = _KINDS.get(kind, f"{kind.replace('-', ' ')}s".capitalize())
        yield (
            f"{title} ({len(rows):,})",
            rungs_in(rows),
            [(row, heard.get(row.workload.subject, never)) for row in rows],
        )


def _documents(verdict: Verdict, report: GateReport) -> str:
    """Return the names of the first documents; of a file its last part, since the end of the page has all paths."""
    names = dict.fromkeys(document_name(one.document) for one in verdict.evidence)
    return listed([name if name in report.others else re.split(r"[\\/]", name)[-1] for name in names], _MOST_DOCUMENTS)


def _kinds_in(group: VerdictGroup) -> str:
    kinds = Counter(workload.kind for workload in group.workloads)
    return ", ".join(counted(many, kind.replace("-", " ")) for kind, many in kinds.items())
