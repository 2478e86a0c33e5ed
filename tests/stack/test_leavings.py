"""What tests start is gone with them, also where a run is killed and can tidy up nothing; so is what `make stack` starts."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.leash import is_gone, leashed
from tests.stack.stack import ROOT
from tests.waiting import PATIENCE, wait_until

KILLED_SERVER = """
import os
from tests.stack.postgres import postgres_running
with postgres_running() as server:
    print(server.process.pid, server.directory, flush=True)
    os._exit(0)
"""


def test_a_server_ends_with_the_process_that_started_it() -> None:
    """Nothing is left running."""
    command = [sys.executable, "-c", KILLED_SERVER]
    pid, directory = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    wait_until(lambda: is_gone(int(pid)))
    shutil.rmtree(directory)  # A later run would sweep it away, in a minute at the earliest.


@pytest.mark.soak  # It starts all of it.
def test_make_stack_starts_what_it_says_and_the_samples_come_out(tmp_path: Path) -> None:
    """The lines that it prints, put into a shell, send the samples and look at the quarantine; pages, tickets and rows
    arrive at the SOC and are counted on the screen. Ctrl-C ends all of it."""
    screen = tmp_path / "screen"
    with screen.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.stack"],
            cwd=ROOT,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=leashed,
        )

    def until(is_so: Callable[[], bool]) -> None:
        wait_until(is_so, goes_on=lambda: process.poll() is None, about=screen.read_text)

    try:
        until(lambda: "Ctrl-C ends it" in screen.read_text())
        (address,) = re.findall(r"SOC +(\S+/)_state", screen.read_text())
        lines = [line.strip() for line in screen.read_text().splitlines() if re.match(r" +(export|\.venv)", line)]
        clean = {name: value for name, value in os.environ.items() if name not in ("EVENT_HUBS", "ALERT_ROUTER_STATE")}
        script = ["sh", "-ec", "\n".join(lines)]
        sent = subprocess.run(script, cwd=ROOT, env=clean, capture_output=True, text=True, check=True)
        assert "sent to cwpp: 58\nsent to cspm: 31\n" in sent.stdout

        def has_arrived() -> bool:
            with urlopen(f"{address}_counts") as answer:  # noqa: S310  On loopback.
                received: dict[str, int] = json.load(answer)["received"]
            return min(received[what] for what in ("pages", "tickets", "rows")) > 0

        until(has_arrived)
        until(lambda: re.search(r"tickets [1-9]\d*  pages [1-9]\d*  rows [1-9]", screen.read_text()) is not None)
        os.killpg(process.pid, signal.SIGINT)  # As in a terminal, where it reaches all that runs in the foreground.
        assert process.wait(PATIENCE) == 0
        assert "Traceback" not in screen.read_text()
        wait_until(lambda: is_gone(-process.pid))  # all of its group
    finally:
        if not is_gone(-process.pid):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
