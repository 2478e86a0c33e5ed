"""What a gate found as one page for people who decide: how far up the ladder each workload is proved, and what is missing.

The page is one file without scripts, which asks nothing of any network. Names of resources are anybody's words: all of them are
escaped. Every state is a word as well as a colour.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from html import escape
from importlib.resources import files
from itertools import groupby

from router.coverage.assess import CoverageRow
from router.coverage.facts import file_of
from router.coverage.report.groups import VerdictGroup, groups_in, limits_in
from router.coverage.report.page_sources import alert_cells, alerts_of_workloads, stream_sections, time_tag
from router.coverage.report.summary import (
    LIMITED,
    NO_TIME,
    NOTHING_EXPECTED,
    RUNG_NAMES,
    GateReport,
    age_clause,
    ago,
    documents_words,
    idle_exceptions_line,
    instant_of,
    left_aside,
    posture_sentences,
    state_of,
    summary_of,
    unmatched_sentence,
)
from router.coverage.verdicts import CoverageEvidence, CoverageState
from router.destinations.wording.masking import masked
from router.domain.coverage import Rung, WorkloadKind
from router.domain.coverage_sources import LastHeard
from router.domain.texts import counted, one_line, timestamp

_CLASSES: Mapping[CoverageState, str] = {state: state.value.replace(" ", "-") for state in CoverageState}

_WORST_FIRST = (CoverageState.GAP, CoverageState.UNKNOWN, CoverageState.EXCUSED)

_TITLES = {
    CoverageState.GAP: "Gaps, and what mends them",
    CoverageState.UNKNOWN: "Unknown, and what would answer it",
    CoverageState.EXCUSED: "Excused, by whom and until when",
}

_KINDS: Mapping[WorkloadKind, str] = {
    WorkloadKind.MACHINE: "Machines",
    WorkloadKind.CLUSTER: "Clusters",
    WorkloadKind.REGISTRY: "Registries",
    WorkloadKind.SQL_SERVER: "SQL servers",
    WorkloadKind.SQL_ON_MACHINE: "SQL on machines",
    WorkloadKind.COSMOS_DB: "Cosmos DB",
    WorkloadKind.OPEN_SOURCE_DATABASE: "Open-source databases",
    WorkloadKind.STORAGE_ACCOUNT: "Storage accounts",
    WorkloadKind.SUBSCRIPTION: "Subscriptions",
    WorkloadKind.AWS_ACCOUNT: "AWS accounts",
    WorkloadKind.GCP_PROJECT: "GCP projects",
}

_PROVES: Mapping[Rung, str] = {
    Rung.PLAN: "Somebody pays for the plan.",
    Rung.INTEGRATION: "Somebody wishes that a sensor is deployed.",
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
"""How many documents are named in a cell."""

_MOST_NAMES = 50
"""How many workloads are named of which the same is to be said."""

_MOST_REMEDIES = 3
"""How many commands are shown that differ only by what they ask."""


def page_of(report: GateReport, now: datetime) -> str:
    """The page as HTML."""
    return "\n".join(_lines(report, now)) + "\n"


def _lines(report: GateReport, now: datetime) -> Iterator[str]:
    assessed = report.result.assessed
    yield '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    style = files("router.cli").joinpath("coverage_page.css").read_text(encoding="utf-8")
    yield f"<title>Coverage, {timestamp(now)}</title>\n<style>\n{style}</style>\n</head>\n<body>"
    yield f"<header><h1>Coverage</h1>\n<p>{_text(summary_of(report))}</p>"
    yield f'<p class="soft">As of {timestamp(now)}. A plan that is on says that somebody pays; each rung proves more.</p>'
    yield from (f'<p class="soft">{_text(one)}</p>' for one in posture_sentences(report.result.posture))
    yield "</header>"
    rungs = [rung for rung in Rung if any(rung in row.verdicts for row in assessed.rows)]
    yield from _ladder(assessed.rows, rungs)
    alerts = alerts_of_workloads(report.result.sources)
    for kind, rows in groupby(assessed.rows, key=lambda row: row.workload.kind):
        yield from _matrix(kind, list(rows), alerts, dict(report.others), now)
    yield from stream_sections(report.result, now)
    sections = [(_TITLES[state], groups_in(assessed, state)) for state in _WORST_FIRST]
    for title, found in (*sections, (LIMITED, limits_in(assessed))):
        if groups := list(found):
            yield f"<section>\n<h2>{title}</h2>"
            for group in groups:
                yield from _article(group, now)
            yield "</section>"
    yield from _files(report)
    yield "</body>\n</html>"


def _ladder(rows: Sequence[CoverageRow], rungs: Sequence[Rung]) -> Iterator[str]:
    """How many workloads are in which state on each rung, and what each rung proves."""
    yield '<section>\n<h2>The ladder</h2>\n<div class="scroll"><table>'
    heads = "".join(f'<th scope="col">{state}</th>' for state in CoverageState)
    yield f'<thead><tr><th scope="col">rung</th><th scope="col">what it proves</th>{heads}</tr></thead>\n<tbody>'
    for rung in rungs:
        states = Counter(row.verdicts[rung].state for row in rows if rung in row.verdicts)
        numbers = "".join(
            f'<td class="number {_CLASSES[state] if states[state] else "soft"}">{states[state]:,}</td>'
            for state in CoverageState
        )
        yield f'<tr><th scope="row">{RUNG_NAMES[rung]}</th><td>{_PROVES[rung]}</td>{numbers}</tr>'
    yield "</tbody></table></div>\n</section>"


def _matrix(
    kind: WorkloadKind,
    rows: Sequence[CoverageRow],
    alerts: Mapping[str, LastHeard],
    others: Collection[str],
    now: datetime,
) -> Iterator[str]:
    """The workloads of a kind, those with gaps first; with their last alerts, where any of them is known.

    `others` are the names of the documents that are no files.
    """
    rungs = [rung for rung in Rung if any(rung in row.verdicts for row in rows)]
    ordered = sorted(rows, key=lambda row: _gravity(state_of(row)))
    yield f'<section>\n<h2>{_KINDS[kind]} ({len(rows):,})</h2>\n<div class="scroll"><table>'
    is_heard = any(row.workload.subject in alerts for row in rows)
    heads = "".join(f'<th scope="col">{RUNG_NAMES[rung]}</th>' for rung in rungs)
    heads += '<th scope="col">last alert</th><th scope="col">no sample</th>' if is_heard else ""
    yield f'<thead><tr><th scope="col">name</th>{heads}</tr></thead>\n<tbody>'
    for row in ordered:
        cells = "".join(_cell(row, rung, others, now) for rung in rungs)
        cells += alert_cells(row.workload, alerts, now) if is_heard else ""
        title = f' title="{_text(row.workload.id)}"' if row.workload.id else ""
        yield f'<tr><td class="name"{title}>{_text(row.workload.name)}</td>{cells}</tr>'
    yield "</tbody></table></div>\n</section>"


def _gravity(state: CoverageState) -> int:
    return _WORST_FIRST.index(state) if state in _WORST_FIRST else len(_WORST_FIRST)


def _cell(row: CoverageRow, rung: Rung, others: Collection[str], now: datetime) -> str:
    """The state, and below it which documents it rests on and how old the oldest piece of evidence is."""
    verdict = row.verdicts.get(rung)
    if verdict is None:
        return '<td class="soft">-</td>'
    rests = _rests_on(verdict.evidence, others, now)
    return f'<td class="{_CLASSES[verdict.state]}" title="{_text(verdict.reason)}">{verdict.state}{rests}</td>'


def _rests_on(evidence: Sequence[CoverageEvidence], others: Collection[str], now: datetime) -> str:
    if not evidence:
        return ""
    names = list(dict.fromkeys(file_of(one.document) for one in evidence))
    # Of a file its name will do: the page names all of them at its end, with where they are.
    shown = [name if name in others else re.split(r"[\\/]", name)[-1] for name in names[:_MOST_DOCUMENTS]]
    more = f" and {len(names) - _MOST_DOCUMENTS:,} more" if len(names) > _MOST_DOCUMENTS else ""
    instants = [instant for one in evidence if (instant := instant_of(one)) is not None]
    age = time_tag(min(instants), now) if instants else NO_TIME
    return f'<br><small class="soft">{_text(", ".join(shown))}{more}: {age}</small>'


def _article(group: VerdictGroup, now: datetime) -> Iterator[str]:
    names = [workload.name for workload in group.workloads]
    more = f" and {len(names) - _MOST_NAMES:,} more" if len(names) > _MOST_NAMES else ""
    kinds = Counter(workload.kind for workload in group.workloads)
    whose = ", ".join(counted(many, kind.value.replace("-", " ")) for kind, many in kinds.items())
    rungs = ", ".join(RUNG_NAMES[rung] for rung in group.rungs)
    yield f'<article class="{_CLASSES[group.state]}">'
    yield f"<p><strong>{rungs}, {whose}:</strong> {_text(group.reason)}</p>"
    yield f'<p class="soft">{_text(", ".join(names[:_MOST_NAMES]))}{more}</p>'
    if group.exception is not None:
        excuse = group.exception
        yield f"<p>Until {timestamp(excuse.ends)}, {_text(excuse.owner)}: {_text(excuse.reason)}</p>"
    yield from (f"<pre><code>{_text(remedy)}</code></pre>" for remedy in group.remedies[:_MOST_REMEDIES])
    if (unsaid := len(group.remedies) - _MOST_REMEDIES) > 0:
        yield f'<p class="soft">{unsaid:,} more like it.</p>'
    lines = [
        f"{one.document}: {one.field} is {one.value or 'not there'}{f' at {one.time}' if one.time else ''}"
        f"{age_clause(one, now) or f', {ago(instant_of(one), now)}'}"
        for one in group.evidence
    ]
    if lines or group.remarks:
        remarks = counted(len(group.remarks), "remark")
        yield f"<details><summary>{counted(len(lines), 'piece')} of evidence, {remarks}</summary>"
        yield from (f'<p class="soft"><code>{_text(line)}</code></p>' for line in lines[:_MOST_NAMES])
        yield from (f"<p>{_text(remark)}</p>" for remark in group.remarks[:_MOST_NAMES])
        yield "</details>"
    yield "</article>"


def _files(report: GateReport) -> Iterator[str]:
    """What was not judged, so that nobody takes silence for health."""
    result = report.result
    lines = [] if report.manifest else [NOTHING_EXPECTED]
    lines += [idle] if (idle := idle_exceptions_line(report)) is not None else []
    lines += left_aside(report)
    lines += report.refused
    lines += [unmatched_sentence(number, glob) for number, glob in result.assessed.unmatched]
    lines += [
        f"No entry of the manifest expects {workload.kind} {workload.name}." for workload in result.assessed.unlisted
    ]
    yield f"<section>\n<h2>From {documents_words(report)}</h2>"
    yield f'<p class="soft">{_text(", ".join(result.used))}</p>'
    if lines:
        yield "<h2>Not judged</h2>"
        yield from (f"<p>{_text(line)}</p>" for line in lines)
    yield "</section>"


def _text(text: str) -> str:
    return escape(one_line(masked(text)))
