"""A run from standard input that cannot go on finishes what is on its way, so that nobody is told again what they were told."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.cli.house import furnish, ndjson
from tests.leash import leashed
from tests.parse.messages import a_flat_alert
from tests.store.opened import rows_in
from tests.waiting import PATIENCE, wait_until

POLICY = """
stream: cwpp
floor: {{default: Medium}}
destinations:
  soar: {{kind: webhook, url: "http://127.0.0.1:{port}/hook", secret: {{secret: WEBHOOK_SECRET}}}}
routes: []
always: []
otherwise: [soar]
"""


class Hook(ThreadingHTTPServer):
    """A vendor that does not deduplicate, and answers when it is let; `received` counts what it received."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.received = 0
        self.may_answer = threading.Event()


class _Answers(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.server.received += 1
        self.server.may_answer.wait(PATIENCE)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@contextmanager
def a_hook() -> Iterator[Hook]:
    """A hook that answers nobody yet."""
    with Hook() as hook:
        serving = threading.Thread(target=hook.serve_forever)
        serving.start()
        try:
            yield hook
        finally:
            hook.may_answer.set()
            hook.shutdown()
            serving.join()


def test_what_is_on_its_way_is_finished_when_a_run_cannot_go_on(tmp_path: Path) -> None:
    """Nobody reads its decisions any more; what it was sending then is on record as sent."""
    furnish(tmp_path)
    decisions, state = tmp_path / "decisions", tmp_path / "state"
    os.mkfifo(decisions)
    command = [sys.executable, "-m", "router", "run", "--decisions", str(decisions), "--state", str(state), "-"]
    with a_hook() as hook:
        (tmp_path / "rules" / "cwpp" / "policy.yaml").write_text(POLICY.format(port=hook.server_port))
        environment = os.environ | {
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "WEBHOOK_SECRET": "whsec_" + 43 * "A" + "=",
        }
        running = subprocess.Popen(
            command,
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=leashed,
        )
        with running:
            assert running.stdin is not None
            with decisions.open("rb"):
                running.stdin.write(ndjson(a_flat_alert(SystemAlertId="first")) + b"\n")
                running.stdin.flush()
                wait_until(lambda: hook.received == 1, goes_on=lambda: running.poll() is None)
            running.stdin.write(ndjson(a_flat_alert(SystemAlertId="second")) + b"\n")
            running.stdin.flush()
            wait_until(lambda: rows_in(state, "SELECT count(*) FROM decisions") == [(2,)])
            hook.may_answer.set()
            _, complaint = running.communicate(timeout=PATIENCE)
        assert (running.returncode, b"decisions cannot be written there" in complaint) == (2, True)
        assert dict(rows_in(state, "SELECT state, count(*) FROM deliveries GROUP BY state")) == {
            "sent": hook.received,
            "owed": 1,
        }
