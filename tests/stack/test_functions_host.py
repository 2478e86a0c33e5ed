"""The mini-host leaves nothing behind; what it does to an app is what all other tests here show."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.leash import is_gone
from tests.stack.stack import ROOT
from tests.waiting import wait_until

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
KILLED = """
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


def test_a_worker_ends_with_its_host_also_while_the_app_blocks_it(tmp_path: Path) -> None:
    """Nothing is left running where a test run is killed."""
    (tmp_path / "function_app.py").write_text(BLOCKING)
    shutil.copy(ROOT / "host.json", tmp_path)
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    wait_until(lambda: is_gone(int(said)))
