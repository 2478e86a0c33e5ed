"""Where tables are painted for people."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from router.cli.printing import plain, print_json
from router.destinations.wording.masking import masked
from router.domain.readable import inert, legible, timestamp

if TYPE_CHECKING:
    from rich.progress import Progress

_WIDTH = 10_000
"""Columns where there is no terminal: programs that read lines want whole ones."""


class _Screen(Console):
    """A console that prints every text as words alone."""

    def render_str(self, text: str, **how: Any) -> Text:
        """Return a text as it is painted: what would act on the terminal is shown as its number."""
        return super().render_str(inert(legible(text)), **how)


def screen() -> Console:
    """Standard output: in colour and as wide as the terminal, or plain where it is none."""
    width = None if sys.stdout.isatty() else _WIDTH
    return _Screen(file=sys.stdout, width=width, markup=False, highlight=False, emoji=False)


def table_of(heads: Sequence[str], rows: Iterable[Sequence[object]], numbers: Iterable[int] = ()) -> Table:
    """Return a table without lines, two spaces in; the columns in `numbers` stand to the right, and what is absent is a dash.

    What looks like a credential is masked: titles and errors quote what messages say.
    """
    right = set(numbers)
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), show_header=any(heads), header_style="bold")
    for place, head in enumerate(heads):
        table.add_column(head, justify="right" if place in right else "left", no_wrap=place in right, overflow="fold")
    for row in rows:
        table.add_row(*(plain(masked(_text_in(cell))) for cell in row))
    return table


def _text_in(cell: object) -> str:
    if isinstance(cell, datetime):
        return timestamp(cell)
    return "-" if cell is None else str(cell)


def both_times(time: datetime) -> str:
    """Return an instant in UTC and by the clocks of this machine; once where those are UTC."""
    local = time.astimezone()
    return f"{timestamp(time)}, {local:%a %Y-%m-%d %H:%M} {local.tzname()}" if local.utcoffset() else timestamp(time)


def print_table(screen: Console, table: Table, indent: int = 2) -> None:
    """Print a table, indented, without the blanks that fill its last column."""
    with screen.capture() as captured:
        screen.print(table, width=screen.width - indent, soft_wrap=False)
    for line in captured.get().splitlines():
        screen.file.write(inert(f"{' ' * indent}{line}".rstrip()) + "\n")


def print_list[T](
    format: str,
    items: Sequence[T],
    document_of: Callable[[T], object],
    heads: Sequence[str],
    row_of: Callable[[T], Sequence[object]],
    *,
    numbers: Iterable[int] = (),
    empty: str,
) -> int:
    """Print a list as JSON or as a table, or in words that it is empty; return the exit code."""
    if format == "json":
        print_json([document_of(item) for item in items])
    elif items:
        print_table(screen(), table_of(heads, map(row_of, items), numbers), indent=0)
    else:
        screen().print(empty)
    return 0


type Advance = Callable[[int], None]
"""Called with the number of bytes that have been taken in since the last time."""

type Count = Callable[[int, int], None]
"""Called with how many steps are done, and how many there are as far as is known."""


@contextmanager
def progress_over(size: int | None) -> Iterator[Advance]:
    """A progress bar over that many bytes, or over what comes, gone with the context; nothing where it is no terminal."""
    with _progress() as bar:
        task = bar.add_task("taking in", total=size) if bar is not None else None
        yield lambda step: bar.advance(task, step) if bar is not None and task is not None else None


@contextmanager
def progress_of(what: str) -> Iterator[Count]:
    """A progress bar over steps of which more become known on the way; nothing where it is no terminal."""
    with _progress() as bar:
        task = bar.add_task(what, total=None) if bar is not None else None
        yield (
            lambda done, known: (
                bar.update(task, completed=done, total=known) if bar is not None and task is not None else None
            )
        )


@contextmanager
def _progress() -> Iterator[Progress | None]:
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield bar
