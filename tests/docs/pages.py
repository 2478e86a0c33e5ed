"""The papers as data: their tables by heading, their snippets, their links; and the commands that there are."""

import re
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from router.cli.parser import new_parser

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

type Table = list[dict[str, str]]
"""The rows of a table, each cell by the head of its column."""

_FENCE = re.compile(r"^```(\w+) ?([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^(#{1,6}) (.+)$", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_SPAN = re.compile(r"`([^`\n]+)`")


class Fence(NamedTuple):
    """A snippet: its language, what stands behind that, and its text."""

    language: str
    label: str
    text: str


@dataclass(frozen=True)
class Page:
    """One paper."""

    path: Path
    text: str = field(repr=False)

    @property
    def prose(self) -> str:
        """The text without its snippets."""
        return _FENCE.sub("", self.text)

    @property
    def fences(self) -> list[Fence]:
        """The snippets, in their order."""
        return [Fence(*found) for found in _FENCE.findall(self.text)]

    @property
    def anchors(self) -> set[str]:
        """What a link may name after `#`, as GitHub makes it of headings."""
        headings = (heading.lower() for _, heading in _HEADING.findall(self.prose))
        return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in headings}

    @property
    def links(self) -> list[str]:
        """Where the links lead."""
        return _LINK.findall(self.prose)

    def fence(self, label: str) -> str:
        """The snippet of that label."""
        (text,) = [fence.text for fence in self.fences if fence.label == label]
        return text

    @property
    def title(self) -> str:
        """The first heading."""
        return self.text.partition("\n")[0].removeprefix("# ")

    def section(self, heading: str) -> str:
        """What stands under a heading, up to the next heading of any level."""
        (_, after) = re.split(rf"^#+ {re.escape(heading)}$", self.prose, flags=re.MULTILINE)
        return _HEADING.split(after)[0]

    def tables(self, heading: str) -> list[Table]:
        """The tables under a heading."""
        blocks = re.findall(r"(?:^\|.*\n)+", self.section(heading) + "\n", re.MULTILINE)
        cut = (
            [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in one.splitlines()]
            for one in blocks
        )
        return [[dict(zip(head, row, strict=True)) for row in rows] for head, _, *rows in cut]

    def table(self, heading: str, first: str) -> Table:
        """The one table under a heading whose first column has that head."""
        (table,) = [table for table in self.tables(heading) if next(iter(table[0])) == first]
        return table


def page(name: str) -> Page:
    """The paper of that name, from the top of the repository."""
    path = ROOT / name
    return Page(path, path.read_text(encoding="utf-8"))


def papers() -> list[Page]:
    """Every paper that is written."""
    tops = ("README", "CONTRIBUTING", "CHANGELOG", "SECURITY")
    paths = [*(ROOT / f"{name}.md" for name in tops), *sorted(DOCS.rglob("*.md"))]
    return [page(str(path.relative_to(ROOT))) for path in paths if path.is_file()]


def spans(cell: str) -> list[str]:
    """What is written as code in a text."""
    return _SPAN.findall(cell)


def column(table: Table, head: str) -> list[str]:
    """What is written as code in a column, each row's first."""
    return [spans(row[head])[0] for row in table]


def pairs(table: Table, key: str, value: str) -> Mapping[str, str]:
    """The cells of one column by what is written as code in another."""
    return {spans(row[key])[0]: row[value] for row in table}


def commands() -> list[str]:
    """Every command, such as `run` or `rules check`, in the order of the parser."""
    return [command for command, _ in _parsers_of(new_parser())]


def options() -> dict[str, set[str]]:
    """Every option of a command but `--help`, with the commands that take it."""
    takers: dict[str, set[str]] = {}
    for command, parser in _parsers_of(new_parser()):
        for action in parser._actions:
            for name in action.option_strings:
                if name not in ("-h", "--help"):
                    takers.setdefault(name, set()).add(command)
    return takers


def _parsers_of(parser: ArgumentParser, *before: str) -> Iterator[tuple[str, ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            for name, inner in action.choices.items():
                if inner.get_default("command") is not None:
                    yield " ".join([*before, name]), inner
                yield from _parsers_of(inner, *before, name)
