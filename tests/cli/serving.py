"""`alert-router serve` as a process beside a stack: what it says, what the SOC got of it, and how it ends."""

from __future__ import annotations

import re
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.secrecy import found_in, secrets_in
from tests.stack.stack import ROOT, Stack
from tests.waiting import PATIENCE, wait_until
from tests.warm import WarmProcess, started

_LOOK = 0.15
"""Seconds between two looks at what it did: a look may ask an account for everything that is owed."""

_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (INFO|WARNING|ERROR) \S.*")


@dataclass(frozen=True)
class Serving:
    """A process that serves, or has ended."""

    stack: Stack
    process: WarmProcess
    log: Path

    @property
    def lines(self) -> list[str]:
        """What it has said so far, without the times."""
        return [line.partition(" ")[2] for line in self.log.read_text().splitlines()]

    def says(self, words: str) -> bool:
        """Whether a line has those words in it."""
        return any(words in line for line in self.lines)

    def until(self, is_so: Callable[[], bool]) -> None:
        """Waits for something to come true while it serves; fails if it ends before, or in the end."""
        wait_until(
            is_so,
            goes_on=lambda: self.process.poll() is None,
            about=lambda: f"{self.stack.soc.counts()}\n{self.log.read_text()}",
            look=_LOOK,
        )

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Its exit code after a signal that asks for a graceful end."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        """Ends it as the kernel does when memory runs out."""
        self.process.kill()
        self.process.wait()


@contextmanager
def serving(stack: Stack, program: str = "router", **more: str) -> Iterator[Serving]:
    """A process that serves a stack under further settings; it has begun to, and is gone at the end of the context.

    Whatever it says stands on lines of its log's form, in which is no secret and no URL.
    """
    log = stack.directory / f"serve-{len([*stack.directory.glob('serve-*.log')])}.log"
    with log.open("wb") as stderr:
        process = started(
            *(program, "serve", "--rules", stack.rules), env=stack.environment | more, cwd=ROOT, stderr=stderr.fileno()
        )
    one = Serving(stack, process, log)
    try:
        one.until(lambda: one.says("serving"))
        yield one
        said = log.read_text()
        assert [line for line in said.splitlines() if not _LINE.fullmatch(line)] == []
        assert "://" not in said
        assert found_in(said, secrets_in(stack.environment)) == []
    finally:
        one.kill()


@dataclass(frozen=True)
class Received:
    """What the SOC of a stack was told, by signal: how many pages, tickets, and rows in each table."""

    pages: Counter[str]
    tickets: Counter[str]
    rows: dict[str, Counter[str]]
    decisions: Counter[str]

    @classmethod
    def at(cls, stack: Stack) -> Received:
        """What it was told so far."""
        state: dict[str, Any] = stack.soc.state()
        rows = {name.removeprefix("Custom-"): rows for name, rows in state["rows"].items()}
        decisions = rows.pop("AlertRouterDecisions_CL", [])
        return cls(
            pages=Counter(page.dedup_key for page in state["pages"]),
            tickets=Counter(ticket["correlation_id"] for ticket in state["tickets"]),
            rows={name: Counter(row["EventUid"] for row in found) for name, found in rows.items()},
            decisions=Counter(row["MessageKey"] for row in decisions),
        )
