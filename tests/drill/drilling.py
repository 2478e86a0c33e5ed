"""Holds drills by the command line, in this process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from router.cli import main
from tests.drill.small_router import SmallHouse

SUBSCRIPTION = "d87e1b60-4a2c-4f93-b1d7-05c3e8a2f330"
PACE = 0.5
"""Seconds between alerts that somebody raises: the first may come before the drill has begun, and then is none of it."""

SOON, LATE = "60s", ("2s", "10s", "60s")
"""How long a drill waits that is to end by itself, and one that waits for what never comes: longer where a machine is slow."""


@dataclass
class Outcome:
    """What a drill came to: its exit code, its result, and what it said on the way."""

    code: int
    result: dict[str, Any]
    said: str

    @property
    def verdicts(self) -> dict[str, str]:
        """The verdict on each destination."""
        return {one["name"]: one["verdict"] for one in self.result["destinations"]}

    def reason_of(self, name: str) -> str:
        """Why a destination was judged so."""
        return next(str(one["reason"]) for one in self.result["destinations"] if one["name"] == name)


@dataclass
class Drilling:
    """Runs `alert-router drill` in this process."""

    capsys: pytest.CaptureFixture[str]

    def __call__(self, house: SmallHouse, *more: str, within: str = SOON, bundle: str = "VirtualMachines") -> Outcome:
        """What a drill comes to."""
        self.capsys.readouterr()
        code = main([*self.arguments(house, within, bundle), "--format", "json", *more])
        out, err = self.capsys.readouterr()
        return Outcome(code, json.loads(out) if out else {}, err)

    def arguments(self, house: SmallHouse, within: str = SOON, bundle: str = "VirtualMachines") -> list[str]:
        """The command line of a drill."""
        return [
            *("drill", "--subscription", SUBSCRIPTION, "--bundle", bundle, "--within", within, "--yes"),
            *("--state", str(house.state), "--rules", str(house.rules)),
        ]

    def in_vain(self, house: SmallHouse, as_far: Callable[[Outcome], bool]) -> Outcome:
        """What a drill comes to that waits in vain, once it came as far as it can."""
        for within in LATE:
            drilled = self(house, within=within)
            if as_far(drilled):
                break
        return drilled


def is_decided(drilled: Outcome) -> bool:
    """Whether both samples were decided."""
    return len(drilled.result["alerts"]) == 2


def is_listed(drilled: Outcome) -> bool:
    """Whether Defender lists them."""
    return "Defender lists 2" in drilled.result["reason"]


@dataclass
class Hooks:
    """A server that waits to be called: what it answers, and who called it."""

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
