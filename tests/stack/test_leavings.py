"""What tests start is gone with them, also where a run is killed and can tidy up nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.leash import is_gone
from tests.stack.stack import ROOT
from tests.waiting import wait_until

KILLED_SERVER = """
import os
from tests.stack.postgres import postgres_running
with postgres_running() as server:
    print(server.process.pid, server.directory, flush=True)
    os._exit(0)
"""
BLOCKING = """
import time
import azure.functions as func
from pathlib import Path
app = func.FunctionApp()

@app.route()
async def block(req: func.HttpRequest) -> str:
    Path(__file__).with_name('blocked').touch()
    time.sleep(600)
"""
KILLED_HOST = """
import asyncio, os, sys
from pathlib import Path
from tests.stack.event_hubs import EventHubs
from tests.stack.functions_host import FunctionsHost
from tests.waiting import until

async def main():
    async with FunctionsHost(Path(sys.argv[1]), env={}, hubs=EventHubs()).running() as host:
        blocked = asyncio.create_task(host.request("GET", "/api/block"))
        await until(Path(sys.argv[1], "blocked").exists)
        print(host.worker_pid, flush=True)
        os._exit(0)

asyncio.run(main())
"""


def said_by(program: str, *words: str) -> list[str]:
    """The words that a program said before it was gone."""
    command = [sys.executable, "-c", program, *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()


def test_a_worker_ends_with_its_host_also_while_the_app_blocks_it(tmp_path: Path) -> None:
    """Nothing is left running."""
    (tmp_path / "function_app.py").write_text(BLOCKING)
    shutil.copy(ROOT / "host.json", tmp_path)
    (pid,) = said_by(KILLED_HOST, str(tmp_path))
    wait_until(lambda: is_gone(int(pid)))


def test_a_server_ends_with_the_process_that_started_it() -> None:
    """Nothing is left running."""
    pid, directory = said_by(KILLED_SERVER)
    wait_until(lambda: is_gone(int(pid)))
    shutil.rmtree(directory)  # A later run would sweep it away, in a minute at the earliest.
