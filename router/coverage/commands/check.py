"""`alert-router coverage check|report`: whether what is expected is proved, as a gate and as a picture."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from router.cli.arguments import RULES_DIR
from router.cli.formats import commands_for, report_of
from router.cli.open_state import store_in
from router.cli.option_values import clock_for, lines_for
from router.cli.printing import print_commands, print_json, print_lines, print_text
from router.cli.streams import complain
from router.coverage.commands.documents import open_documents, refuse_unwritable
from router.coverage.expected.loading import read_coverage
from router.coverage.expected.manifest import FILE as COVERAGE
from router.coverage.expected.manifest import NO_MANIFEST, CoverageManifest
from router.coverage.expected.silence import numbers_about_silence
from router.coverage.gate import GateResult, judge_documents
from router.coverage.last_check import KEPT, document_of_check
from router.coverage.report.ci import build_annotations, build_cases, markdown_lines
from router.coverage.report.document import report_object
from router.coverage.report.findings import GateReport
from router.coverage.report.page import render_page
from router.coverage.report.text import print_report
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.errors import BadFile, BadUsage
from router.ingest.coverage_notes import write_documents

_CHECK = "coverage check"

_MISNAMED = ("coverage.yml", "coverage.json", "Coverage.yaml")
"""Names that people give the manifest by mistake."""


def check(options: Namespace) -> int:
    """Print what is covered and what is not; 1 if there is a gap, 2 if something is unknown or could not be read."""
    if options.keep_verdicts and options.state is None:
        raise BadUsage("--keep-verdicts: keeps them in the state of a router; name it with --state")
    now = clock_for(options.now)()
    found = _judge(options, now, allows_unknown=options.allow_unknown)
    if options.keep_verdicts:
        asyncio.run(_keep(options, found, now))
    match options.format:
        case "json":
            print_json(report_object(found, now))
        case "junit":
            print_text(report_of(_CHECK, build_cases(found)))
        case "github":
            print_commands(commands_for(_CHECK, found.summary, list(build_annotations(found))))
        case "markdown":
            print_lines(markdown_lines(found))
        case _:
            print_report(found, now)
    return found.exit_code


async def _keep(options: Namespace, found: GateReport, now: datetime) -> None:
    """Keep what was found in a state, over what the check before found; raises StoreError."""

    def document_after(id: str, stored: StoredDocument | None) -> StoredDocument:
        return document_of_check(
            found.summary, found.assessed.rows, now, stored.version if stored is not None else None
        )

    async with store_in(options) as store:
        await write_documents(store, DocumentKind.COVERAGE, [KEPT], document_after)


def report(options: Namespace) -> int:
    """Write the page. It is a picture and no gate: it fails only if it cannot be made."""
    now = clock_for(options.now)()
    refuse_unwritable(options.out, "the page")
    found = _judge(options, now, allows_unknown=False)
    try:
        options.out.write_text(render_page(found, now), encoding="utf-8")
    except OSError as error:
        raise BadFile(f"{options.out}: the page cannot be written there: {error.strerror}") from error
    print_lines([found.summary, f"page  {options.out}"])
    return 0


def _judge(options: Namespace, now: datetime, *, allows_unknown: bool) -> GateReport:
    manifest = _load_manifest(options.rules, now)
    found = open_documents(options, manifest, now)
    result = judge_documents(found.documents, manifest, now)
    for line in found.refused:
        complain(line)
    path = None if manifest is NO_MANIFEST else str(options.rules / COVERAGE)
    idle = tuple(_idle_exceptions(manifest, result, now))
    return GateReport(result, found.refused, allows_unknown, path, idle, found.others)


def _idle_exceptions(manifest: CoverageManifest, result: GateResult, now: datetime) -> Iterator[int]:
    """Yield the numbers of exceptions that have not ended and excuse nothing."""
    # By identity: two exceptions may say the same of different workloads.
    used = {id(verdict.exception) for _, _, verdict in result.assessed.verdicts()}
    used |= {id(one.exception) for one in result.sources}
    # Files do not tell which sources are silent.
    unknown = frozenset[int]() if result.sources else numbers_about_silence(manifest)
    for excuse in manifest.excuses:
        if now < excuse.exception.ends and id(excuse.exception) not in used and excuse.number not in unknown:
            yield excuse.number


def _load_manifest(rules: Path, now: datetime) -> CoverageManifest:
    """Return what is expected, with its problems on stderr; raises BadFile if one stops it, or its file has another name."""
    if not rules.is_dir() and rules != RULES_DIR:
        raise BadFile(f"{rules}: is no directory; name the one in which {COVERAGE} is, with --rules")
    for name in _MISNAMED:
        if (rules / name).exists() and not (rules / COVERAGE).exists():
            raise BadFile(f"{rules / name}: is not read; call it {COVERAGE}")
    found = read_coverage(rules, now)
    for line in lines_for(found.problems):
        complain(line)
    if found.manifest is None:
        raise BadFile(f"{rules / COVERAGE}: has problems, so nobody knows what is expected; mend them")
    return found.manifest
