"""A small house to run the command line in: rules that write to files, messages, and what a command said.

What commands print is on file in `golden/`, line by line: output, errors behind "! ", and the exit code. It is written by
`GOLDENS=write pytest tests/cli`, to be read before it is committed. What differs from run to run, ids and hashes and the
house's own place, stands there under names that are given in the order in which they come.
"""

import asyncio
import fcntl
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from router.app.rules import load_rules, new_intake
from router.cli import main
from router.domain.hubs import Arrival
from router.domain.signals import Stream
from router.ingest.messages import Message
from router.store.conninfo import parse_address
from tests.builders import RULES
from tests.store.opened import Place, Store, open_store
from tests.waiting import PATIENCE
from tests.warm import WarmProcess, started

POLICIES = {
    "cwpp": """
stream: cwpp
types: [VM_Example]
floor: {default: Medium}
destinations:
  people: {kind: file, path: PATH/people.ndjson}
  everything: {kind: file, path: PATH/everything.ndjson}
routes: [{name: high, when: {at_least: High}, to: [people]}]
always: [everything]
otherwise: [people]
""",
    "cspm": """
stream: cspm
floor: {default: Medium}
destinations:
  backlog: {kind: file, path: PATH/backlog.ndjson}
routes: []
always: []
otherwise: [backlog]
""",
}


@dataclass(frozen=True, slots=True)
class Said:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line that it failed with; fails itself where there is not exactly one."""
        assert self.code == 2, self
        assert self.out == "", self.out
        (line,) = self.err.splitlines()
        assert "Traceback" not in line
        return line


DIRECTORY, DATABASE = "directory", "database"

over_both = pytest.mark.parametrize("house", [DIRECTORY, DATABASE], indirect=True)
"""Has a test run over a state in a directory, and over one in PostgreSQL, which commands find by ALERT_ROUTER_STATE."""


class House:
    """A directory with rules, in which commands are run.

    Attributes:
        state: where the state is that commands find.
    """

    def __init__(self, directory: Path, capture: pytest.CaptureFixture[str], state: Place | None = None) -> None:
        self.directory = directory
        self.state: Place = state or directory / ".state"
        self._capture = capture

    def says(self, *arguments: str | Path) -> Said:
        """What a command comes to, run in this process."""
        self._capture.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = self._capture.readouterr()
        return Said(code, out, err)

    def routes(self, *arguments: str | Path) -> list[dict[str, Any]]:
        """The decisions of a run that must end well."""
        said = self.says("run", "--decisions", self.directory / "decisions.ndjson", *arguments)
        assert said.code == 0, said
        return self.lines("decisions.ndjson")

    def writes(self, name: str, content: bytes | str) -> str:
        """A file here, by its name."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return name

    def lines(self, name: str) -> list[dict[str, Any]]:
        """The objects in a file of NDJSON here."""
        return lines_in(self.directory / name)

    def in_state[T](self, work: Callable[[Store], Awaitable[T]]) -> T:
        """What some work on its state comes to."""

        async def done() -> T:
            store = open_store(self.state)
            try:
                return await work(store)
            finally:
                await store.close()

        return asyncio.run(done())


GOLDEN = Path(__file__).parent / "golden"
_PASSING = re.compile(r"(?<![\w.])[0-9a-f]{6,}\b")

SOONER = {
    "the next run sends them": "who serves them sends them within a minute",
    "the next run sends what was routed": "what was routed is sent within a minute",
    "the next run sends what is due": "who serves the state sends what is due within two minutes",
    "the next run asks it": "who serves the state asks it within a minute",
}
"""What is said of a state on files, and of one in a database; all else is the same."""
SENT_BY = re.compile("|".join(SOONER))


class Transcript:
    """A house whose commands are written down."""

    def __init__(self, house: House, name: str) -> None:
        self.house = house
        self._path, self._text, self._names = GOLDEN / f"{name}.txt", "", dict[str, str]()

    def __call__(self, *commands: str) -> Said:
        """What the last of some commands comes to; each is written down with what it printed."""
        for command in commands:
            said = self.house.says(*shlex.split(command))
            complaints = "".join(f"! {line}\n" for line in said.err.splitlines())
            self.notes(f"$ alert-router {command}", f"{said.out}{complaints}[exit {said.code}]")
        return said

    def notes(self, what: str, text: str) -> None:
        """Writes down what else was found, under a name."""
        if str(self.house.directory) in text:
            # A column is as wide as the longest place, which differs.
            text = re.sub(" {4,}", "    ", text)
        self._text += f"{what}\n{text}\n\n"

    def compare(self) -> None:
        """Fails where something else was printed than is on file."""
        text, state = self._text.replace(str(self.house.directory), "HOUSE"), self.house.state
        if isinstance(state, str):
            text = text.replace(state, "HOUSE/.state").replace(parse_address(state).name, ".state")
        text = _PASSING.sub(lambda found: self._names.setdefault(found[0], f"ID-{len(self._names) + 1}"), text)
        text = text.encode(errors="backslashreplace").decode()
        if isinstance(state, str):
            assert text == SENT_BY.sub(lambda found: SOONER[found[0]], self._path.read_text())
            return
        if os.environ.get("GOLDENS") == "write":
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(text)
        assert self._path.read_text() == text


async def take(store: Store, at: datetime, *bodies: bytes) -> None:
    """Takes alerts in at an instant by the rules of the house, and sends nothing."""
    intake = new_intake(store, load_rules(Path("rules"), list(Stream), at), Stream.CWPP)
    messages = [
        Message(body, f"cwpp/0:{at:%d%H%M}{place}", Arrival(f"cwpp:0:{at:%d%H%M}", place, at))
        for place, body in enumerate(bodies)
    ]
    await intake.ingest(messages, at)


def routing(*arguments: str, within: Path | None = None, **more: str) -> WarmProcess:
    """A router as a process, under further settings, with pipes at all its ends."""
    pipe = subprocess.PIPE
    return started("router", *arguments, env=os.environ | more, cwd=within, stdin=pipe, stdout=pipe, stderr=pipe)


def a_process(*arguments: str, within: Path) -> Said:
    """What the program comes to, run as a program in some directory."""
    running = routing(*arguments, within=within)
    out, err = running.communicate()
    return Said(running.wait(), out, err)


def shell(text: str, within: Path, **environment: str) -> Said:
    """What a step of a workflow comes to, as GitHub runs it, where this Python's programs come first."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text]
    done = subprocess.run(
        command,
        cwd=within,
        env=os.environ | {"PATH": path} | environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def said_into(room: int, *arguments: str) -> tuple[int, bytes]:
    """What a command comes to in this process, whose standard output takes so many bytes; and what it took."""
    if not hasattr(os, "memfd_create"):
        pytest.skip("no file can be kept from growing here")
    captured, before = sys.stdout, os.dup(1)
    with os.fdopen(os.memfd_create("output", os.MFD_ALLOW_SEALING), "r+b", buffering=0) as output:
        output.truncate(room)
        fcntl.fcntl(output, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW)
        os.dup2(output.fileno(), 1)
        try:
            with open(1, "w", closefd=False) as sys.stdout:
                code = main(arguments)
        finally:
            sys.stdout = captured
            os.dup2(before, 1)
            os.close(before)
        return code, os.pread(output.fileno(), output.tell(), 0)


def furnish(directory: Path) -> None:
    """Puts rules for both streams into a directory, whose destinations are files beside them."""
    for stream, policy in POLICIES.items():
        (directory / "rules" / stream / "suppressions").mkdir(parents=True)
        (directory / "rules" / stream / "policy.yaml").write_text(policy.replace("PATH", str(directory)))
    (directory / "rules" / "attack.yaml").write_bytes((RULES / "attack.yaml").read_bytes())


def lines_in(path: Path) -> list[dict[str, Any]]:
    """The objects in a file of NDJSON; none where there is no such file."""
    return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def ndjson(*messages: object) -> bytes:
    """Messages, one a line; bytes stand for themselves."""
    lines = (message if isinstance(message, bytes) else orjson.dumps(message) for message in messages)
    return b"".join(line + b"\n" for line in lines)


def column(decisions: Sequence[dict[str, Any]], key: str) -> list[Any]:
    """One key of every decision."""
    return [decision[key] for decision in decisions]


def a_suppression(alert_type: str, until: str, host: str = "web-01") -> bytes:
    """A suppression rule, as Defender writes it, on one host."""
    return orjson.dumps(
        {
            "properties": {
                "alertType": alert_type,
                "state": "Enabled",
                "reason": "Noise",
                "comment": "known, owner secops@example.com",
                "expirationDateUtc": until,
                "suppressionAlertsScope": {"allOf": [{"field": "entities.host.hostName", "in": [host]}]},
            }
        }
    )


def commands_in(output: str) -> list[str]:
    """The lines of an output that an agent of GitHub, Azure DevOps or TeamCity would obey."""
    return [line for line in output.splitlines() if re.search(r"^\s*::.*::|##[a-z]*\[", line, re.IGNORECASE)]
