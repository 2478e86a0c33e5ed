"""Where lines and JSON are printed, without the wait for what paints tables."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import partial
from shutil import get_terminal_size
from textwrap import wrap

import orjson

from router.destinations.wording.fitting import encodable
from router.domain.readable import inert, legible_json, one_line

_INDENTED = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
_TO_THE_SECOND = orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS


def print_json(value: object) -> None:
    """Print a value as JSON, indented; nothing in it acts on a terminal, and it reads as the same data."""
    sys.stdout.write(json_of(value).decode())


def json_of(value: object) -> bytes:
    """Return a value as JSON, indented, with a line end; instants in UTC, to the second."""
    document = legible_json(orjson.dumps(encodable(value), option=_INDENTED | _TO_THE_SECOND))
    return inert(document.decode(), r"\u{:04x}").encode() if b"##" in document else document


def print_lines(lines: Iterable[str]) -> None:
    """Print lines as they are, each on one."""
    sys.stdout.writelines(f"{plain(line)}\n" for line in lines)


def print_commands(commands: Iterable[str]) -> None:
    """Print commands for the agent of a pipeline, each on a line; their maker lets no other command in."""
    sys.stdout.writelines(f"{command}\n" for command in commands)


def print_text(text: str) -> None:
    """Print a text as it is; its maker lets nothing in that acts on a terminal."""
    sys.stdout.write(text)


def plain(text: str) -> str:
    """Text from a message on one line, without what would move the cursor, paint the terminal, or command a pipeline."""
    return inert(one_line(text))


_INDENT = "    "
_FOLD = partial(
    # An id that is longer than a line stays whole, so that it can be copied.
    wrap, initial_indent=_INDENT, subsequent_indent=_INDENT * 2, break_on_hyphens=False, break_long_words=False
)  # fmt: skip
_UNFOLDED = 10_000
"""Columns where there is no terminal: programs that read lines want whole ones."""


def wrapped(text: str) -> list[str]:
    """Return what is said below figures, as lines of the terminal: it comes out of files and of people, and may be anything."""
    from router.destinations.wording.masking import masked  # for which `rules check` does not wait

    return _FOLD(plain(masked(text)), get_terminal_size().columns if sys.stdout.isatty() else _UNFOLDED)
