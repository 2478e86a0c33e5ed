"""Holds drills by the command line, in this process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from router.cli import main
from tests.drill.small_router import SmallHouse

SUBSCRIPTION = "d87e1b60-4a2c-4f93-b1d7-05c3e8a2f330"
CLUSTER = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/aks-pay"
)
SAMPLES = ("--subscription", SUBSCRIPTION, "--bundle", "VirtualMachines", "--yes")
HEARTBEAT = "ALERT_ROUTER_DRILL_HEARTBEAT"

SOON, LATE = "60s", ("2s", "10s", "60s")
"""How long a drill waits that is to end by itself, and one that waits for what never comes: longer where a machine is slow."""


@dataclass
class Outcome:
    """The exit code of a drill, its result, and what it printed on the way."""

    code: int
    result: dict[str, Any]
    said: str

    @property
    def end(self) -> tuple[int, str, str | None, int | None]:
        """How it ended, and how many samples it dismissed."""
        return self.code, self.result["verdict"], self.result["failed_hop"], self.result["dismissed"]

    @property
    def verdicts(self) -> dict[str, str]:
        """The verdict on each destination."""
        return {one["name"]: one["verdict"] for one in self.result["destinations"]}

    @property
    def ids(self) -> set[str]:
        """The ids of the alerts that were decided."""
        return {one["id"] for one in self.result["alerts"]}


@dataclass
class Drilling:
    """Runs `alert-router drill` in this process."""

    capsys: pytest.CaptureFixture[str]

    def __call__(self, house: SmallHouse, *more: str, within: str = SOON, about: tuple[str, ...] = SAMPLES) -> Outcome:
        """Return the outcome of a drill."""
        self.capsys.readouterr()
        code = main(arguments(house, "--within", within, "--format", "json", *more, about=about))
        out, err = self.capsys.readouterr()
        return Outcome(code, json.loads(out) if out else {}, err)

    def in_vain(self, house: SmallHouse, *words: str) -> Outcome:
        """Return the outcome of a drill that waits in vain, once its result says this much."""
        for within in LATE:
            drilled = self(house, within=within)
            if all(one in str(drilled.result) for one in words):
                break
        return drilled


def arguments(house: SmallHouse, *more: str, about: tuple[str, ...] = SAMPLES) -> list[str]:
    """Return the command line of a drill."""
    return ["drill", *about, "--state", str(house.state), "--rules", str(house.rules), *more]


@dataclass
class Hooks:
    """A dead man's switch: what it answers, and what called it."""

    url: str = ""
    status: int = 200
    words: str = "OK"
    called: list[str] = field(default_factory=list)


@contextmanager
def hooks_in_thread() -> Iterator[Hooks]:
    """Serves one."""
    hooks = Hooks()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            hooks.called.append(f"POST {self.path} {body['verdict']}")
            self.send_response(hooks.status)
            self.end_headers()
            self.wfile.write(hooks.words.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        hooks.url = f"http://127.0.0.1:{server.server_port}"
        yield hooks
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
