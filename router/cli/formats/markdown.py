"""Markdown as GitHub shows it: in a step's summary, in a comment on a pull request.

What anybody else wrote stands in it as code, where nothing is a heading, a link, a mention of somebody, an image or HTML.
https://spec.commonmark.org/0.31.2/#code-spans, https://github.github.com/gfm/#tables-extension-
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from router.destinations.wording.masking import masked
from router.domain.legible import one_line

LONGEST = 200
"""Characters that are shown of a text."""


_BREAKING = frozenset("`|\\")


class Quoted(str):
    """A text that somebody else wrote, to be shown as it is."""

    __slots__ = ()


def cell(value: object) -> str:
    """A value as it stands in a table or a line; nothing is a dash."""
    if value is None or value == "":
        return "-"
    return _code(value) if isinstance(value, Quoted) else str(value)


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], numbers: Iterable[int] = ()) -> Iterator[str]:
    """The lines of a table; the columns in `numbers` stand to the right."""
    right = set(numbers)
    yield _row(heads)
    yield _row("--:" if place in right else "---" for place in range(len(heads)))
    yield from (_row(map(cell, row)) for row in rows)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _code(text: str) -> str:
    shown = one_line(masked(text)).strip() or "-"
    shown = f"{shown[:LONGEST]}..." if len(shown) > LONGEST else shown
    if not _BREAKING.intersection(shown):
        return f"`{shown}`"
    # Nothing is escaped in a span of code, and a bar in it would end the cell.
    return f"<code>{''.join(one if one.isalnum() or one == ' ' else f'&#{ord(one)};' for one in shown)}</code>"
