"""docs/command-line.md lists every command and exit code."""

from __future__ import annotations

from router.cli import FAILED, NOBODY_READS
from router.cli.interrupts import SIGNALS, code_for
from router.cli.run import DIED
from tests.docs.command_line import commands
from tests.docs.pages import column, page

PAGE = page("docs/command-line.md")


def test_every_exit_code_is_listed() -> None:
    """The codes are those of the code."""
    codes = {0, DIED, FAILED, NOBODY_READS, *map(code_for, SIGNALS)}
    listed = [int(row["exit code"]) for row in PAGE.table("The command line", "exit code")]
    assert listed == sorted(codes)


def test_every_command_is_listed() -> None:
    """The commands are those of the parser."""
    assert column(PAGE.table("The command line", "command"), "command") == commands()
