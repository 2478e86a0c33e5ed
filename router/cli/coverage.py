"""`alert-router coverage check`: fails unless what is expected is proved, for every workload."""

from __future__ import annotations

from argparse import Namespace

from router.cli.complaints import complain
from router.cli.coverage_ci import annotations_of, cases_of, markdown_of
from router.cli.coverage_documents import open_documents
from router.cli.coverage_json import document_of
from router.cli.coverage_summary import GateReport, exit_code_of, summary_of
from router.cli.coverage_text import print_report
from router.cli.formats.github import commands_for
from router.cli.formats.junit import report_of
from router.cli.given import clock_for
from router.cli.printing import print_json, print_lines, print_text
from router.coverage.gate import judge_documents
from router.domain.coverage_manifest import NO_MANIFEST

_CHECK = "coverage check"


def check(options: Namespace) -> int:
    """Prints what is covered and what is not; 1 if there is a gap, 2 if something is unknown or could not be read."""
    opened = open_documents(options.files)
    for line in opened.refused:
        complain(line)
    result = judge_documents(opened.documents, NO_MANIFEST, clock_for(options.now)())
    report = GateReport(result, opened.refused, options.allow_unknown)
    match options.format:
        case "json":
            print_json(document_of(report))
        case "junit":
            print_text(report_of(_CHECK, cases_of(report)))
        case "github":
            print_lines(commands_for(_CHECK, summary_of(report), list(annotations_of(report))))
        case "markdown":
            print_lines(markdown_of(report))
        case _:
            print_report(report)
    return exit_code_of(report)
