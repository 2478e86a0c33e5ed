"""`alert-router coverage init`: drafts rules/coverage.yaml from what `check` judges, so that nobody begins with nothing."""

from __future__ import annotations

from argparse import Namespace
from itertools import chain
from pathlib import Path

from router.cli.complaints import complain
from router.cli.coverage_documents import open_documents
from router.cli.coverage_draft import CoverageDraft, draft_of
from router.cli.coverage_others import documents_beside_files
from router.cli.given import clock_for
from router.cli.printing import print_lines, print_text
from router.domain.coverage import CoverageState
from router.domain.coverage_manifest import NO_MANIFEST
from router.domain.errors import BadFile
from router.domain.plurals import counted

_UNREAD = 2
"""The exit code where a file could not be read: its workloads would be missing from the draft, and nobody would miss them."""


def init(options: Namespace) -> int:
    """Prints the draft, or writes it where no file is yet; raises BadFile where no workload is named."""
    now = clock_for(options.now)()
    others = documents_beside_files(options, NO_MANIFEST, now)
    opened = open_documents(options.files)
    documents = list(chain(opened.documents, *(one.documents for one in others)))
    for line in opened.refused:
        complain(line)
    if opened.refused:
        complain("no draft was made, since what these files name would be missing from it")
        return _UNREAD
    draft = draft_of(documents, now)
    if draft is None:
        names = [*options.files, *(one.words for one in others)]
        raise BadFile(f"{', '.join(names)}: no workload is named there, so there is nothing to expect")
    if unanswered := len(draft.result.unanswered):
        were = "was" if unanswered == 1 else "were"
        complain(
            f"{counted(unanswered, 'answer')} {were} refused or cut: the draft lacks what would have been named there"
        )
    if options.out is None:
        print_text(draft.text)
    else:
        _write(draft.text, options.out)
        print_lines([_summary(draft, options.out)])
    return 0


def _write(text: str, file: Path) -> None:
    """Writes a file that is not there yet: what people expect is not overwritten by what they have."""
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError as fault:
        raise BadFile(f"{file}: is there already, and a draft overwrites nothing; name another file") from fault
    except OSError as fault:
        raise BadFile(f"{file}: cannot be written: {fault.strerror}") from fault


def _summary(draft: CoverageDraft, file: Path) -> str:
    rows = draft.result.assessed.rows
    gaps = sum(any(one.state is CoverageState.GAP for one in row.verdicts.values()) for row in rows)
    return f"{file}: expects {counted(len(rows), 'workload')}, of which {gaps:,} have a gap today"
