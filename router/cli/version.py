"""`alert-router --version`: the version of the package, and the hash of the rules that are there."""

from __future__ import annotations

from argparse import Namespace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from router.cli.origin import PACKAGE
from router.cli.screen import print_lines
from router.domain.errors import BadUsage
from router.domain.signals import Stream

_USUAL = Path("rules")


def show(options: Namespace) -> int:
    """Prints the version; below it the rulebook's hash of each stream, where rules are here or a directory is named."""
    try:
        lines = [f"{PACKAGE} {version(PACKAGE)}"]
    except PackageNotFoundError as fault:
        raise BadUsage(f"--version: {PACKAGE} runs without being installed, and only a package has one") from fault
    directory: Path | None = options.rules_shown
    if directory is not None or any((_USUAL / stream).is_dir() for stream in Stream):
        lines.append(_line_for(directory or _USUAL))
    print_lines(lines)
    return 0


def _line_for(directory: Path) -> str:
    # What has no rules does not wait for what reads them.
    from datetime import UTC, datetime

    from router.cli.given import streams_in
    from router.destinations import discover
    from router.rulebook import load_all

    loaded, streams = load_all(directory, discover(), datetime.now(UTC)), streams_in(directory)
    books = {stream: loaded[stream].rulebook for stream in streams}
    hashes = [f"{stream} {book.hash if book is not None else 'cannot be used'}" for stream, book in books.items()]
    wrong = {problem for stream in streams for problem in loaded[stream].problems if problem.level == "problem"}
    problems = "1 problem" if len(wrong) == 1 else f"{len(wrong)} problems"
    see = f"; {problems}, see alert-router rules check {directory}" if wrong else ""
    return f"{directory}: {', '.join(hashes)}{see}"
