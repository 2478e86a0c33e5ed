"""How far a run is, shown where somebody watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

type Advance = Callable[[int], None]
"""Called with the number of bytes that have been taken in since the last time."""

type Count = Callable[[int, int], None]
"""Called with how many steps are done, and how many there are as far as is known."""


@contextmanager
def progress_over(size: int | None) -> Iterator[Advance]:
    """A progress bar over that many bytes, or over what comes, gone with the context; nothing where it is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("taking in", total=size)
        yield lambda step: bar.advance(task, step)


@contextmanager
def progress_of(what: str) -> Iterator[Count]:
    """A progress bar over steps of which more become known on the way; nothing where it is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _done, _known: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, known: bar.update(task, completed=done, total=known)
