"""`make stack`: a person starts it, does what it says, sees what comes out, and presses Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.leash import leashed
from tests.stack.stack import ROOT
from tests.waiting import PATIENCE, wait_until

ENDS = "Ctrl-C ends it"


class Terminal:
    """What `make stack` runs, as the foreground of a terminal of its own."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def text(self) -> str:
        """What it has printed so far."""
        return self._log.read_text()

    def until(self, is_so: Callable[[], bool]) -> None:
        """Waits for something to come true while it runs."""
        wait_until(is_so, goes_on=lambda: self.process.poll() is None, about=lambda: self.text)

    def interrupt(self) -> int:
        """Its exit code after Ctrl-C, which reaches all that runs in the terminal's foreground."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(PATIENCE)

    @property
    def is_deserted(self) -> bool:
        """Whether nothing that it started is left."""
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return True
        return False


@contextmanager
def a_terminal(log: Path) -> Iterator[Terminal]:
    """A terminal in which the stack was started."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.stack"],
            cwd=ROOT,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=leashed,
        )
    terminal = Terminal(process, log)
    try:
        yield terminal
    finally:
        if not terminal.is_deserted:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_the_samples_come_out_as_it_says(tmp_path: Path) -> None:
    """The lines that it prints, put into a shell, send the samples and look at the quarantine; pages, tickets and rows
    arrive at the SOC and are counted on the screen. Ctrl-C ends all of it."""
    with a_terminal(tmp_path / "screen") as terminal:
        terminal.until(lambda: ENDS in terminal.text)
        (address,) = re.findall(r"SOC +(\S+/)_state", terminal.text)
        lines = [line.strip() for line in terminal.text.splitlines() if re.match(r" +(export|\.venv)", line)]
        clean = {name: value for name, value in os.environ.items() if name not in ("EVENT_HUBS", "ALERT_ROUTER_STATE")}
        script = "\n".join(lines)
        sent = subprocess.run(["sh", "-ec", script], cwd=ROOT, env=clean, capture_output=True, text=True, check=True)
        assert "sent to cwpp: 58\nsent to cspm: 31\n" in sent.stdout
        terminal.until(lambda: min(counts(address)[what] for what in ("pages", "tickets", "rows")) > 0)
        terminal.until(lambda: re.search(r"tickets [1-9]\d*  pages [1-9]\d*  rows [1-9]", terminal.text) is not None)
        assert terminal.interrupt() == 0
        assert "Traceback" not in terminal.text
        wait_for_nobody(terminal)


def test_it_can_be_ended_while_it_starts(tmp_path: Path) -> None:
    """Without a complaint, and nothing is left."""
    with a_terminal(tmp_path / "screen") as terminal:
        terminal.until(lambda: "starting" in terminal.text)
        assert terminal.interrupt() == 0
        assert terminal.text.splitlines()[1:] == []
        wait_for_nobody(terminal)


def counts(address: str) -> dict[str, Any]:
    """How much the SOC received."""
    with urlopen(f"{address}_counts") as answer:  # noqa: S310  On loopback.
        received: dict[str, Any] = json.load(answer)["received"]
    return received


def wait_for_nobody(terminal: Terminal) -> None:
    """Fails where something that it started is left."""
    wait_until(lambda: terminal.is_deserted)
