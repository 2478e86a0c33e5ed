"""`alert-router --version`: the version of the package, and the hash of the rules that are there."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

from router.app.extras import PACKAGE
from router.domain.errors import BadUsage
from router.domain.signals import Stream
from router.domain.texts import counted, one_line

_USUAL = Path("rules")


def show(options: Namespace) -> int:
    """Print the version; below it the rulebook's hash of each stream, where rules are here or a directory is named."""
    from importlib.metadata import PackageNotFoundError, version  # for which `--help` does not wait

    try:
        lines = [f"{PACKAGE} {version(PACKAGE)}"]
    except PackageNotFoundError:
        raise BadUsage(f"--version: {PACKAGE} runs without being installed, and only a package has one") from None
    directory: Path = options.rules_shown or _USUAL
    streams = [stream for stream in Stream if (directory / stream).is_dir()]
    if options.rules_shown is not None and not streams:
        _refuse(directory)
    if streams:
        lines.append(_line_for(directory, streams))
    # Where there are no rules, nothing waits for what paints tables.
    sys.stdout.writelines(f"{one_line(line)}\n" for line in lines)
    return 0


def _refuse(directory: Path) -> None:
    from router.cli.given import streams_in

    streams_in(directory)


def _line_for(directory: Path, streams: list[Stream]) -> str:
    from datetime import UTC, datetime

    from router.destinations import discover
    from router.rulebook import load_all

    loaded = load_all(directory, discover(), datetime.now(UTC))
    books = {stream: loaded[stream].rulebook for stream in streams}
    hashes = [f"{stream} {book.hash if book is not None else 'cannot be used'}" for stream, book in books.items()]
    wrong = {problem for stream in streams for problem in loaded[stream].problems if problem.level == "problem"}
    see = f"; {counted(len(wrong), 'problem')}, see alert-router rules check {directory}" if wrong else ""
    return f"{directory}: {', '.join(hashes)}{see}"
