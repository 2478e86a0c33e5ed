"""Azurite as a process: where it answers."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.stack.azurite.installation import installed
from tests.waiting import wait_until

_SERVICES = ("Blob", "Queue", "Table")
_LISTENING = re.compile(r"Azurite (\w+) service is successfully listening at http://127\.0\.0\.1:(\d+)")
_ACCOUNTS = 8_000
_KEY_OF_ACCOUNTS = "dGVzdA=="
"""So short, as the names are, that one variable holds so many accounts: Linux lets it have 128 KiB."""

_FIRST = tuple(Path(__file__).parent / name for name in ("leash.cjs", "many_accounts.cjs"))
"""What Node.js runs before Azurite."""

_GRACE = 10.0


class Azurite:
    """A storage emulator at work, which keeps everything in memory; `ports` are where it answers, by service."""

    def __init__(self, ports: dict[str, int], process: subprocess.Popen[bytes] | None = None) -> None:
        self.ports = ports
        self._process = process
        self._fresh = iter(range(1, _ACCOUNTS))

    @classmethod
    def of_another(cls, ports: dict[str, int], share: int, shares: int) -> Azurite:
        """One that another process runs, with one of so many shares of its fresh accounts."""
        azurite = cls(ports)
        azurite._fresh = iter(range(1 + share, _ACCOUNTS, shares))
        return azurite

    @property
    def pid(self) -> int:
        """Its process, where it is this one's."""
        assert self._process is not None
        return self._process.pid

    def new_account(self) -> str:
        """Gives the way to an account that nobody was given before, so that names in it collide with nobody's."""
        name = _account(next(self._fresh))
        endpoints = [f"{one}Endpoint=http://127.0.0.1:{port}/{name}" for one, port in self.ports.items()]
        return ";".join(
            ["DefaultEndpointsProtocol=http", f"AccountName={name}", f"AccountKey={_KEY_OF_ACCOUNTS}", *endpoints, ""]
        )


@contextmanager
def azurite_running() -> Iterator[Azurite]:
    """Runs an Azurite of one's own."""
    with TemporaryDirectory(prefix="azurite-") as scratch:
        process, ports = _started(Path(scratch))
        try:
            yield Azurite(ports, process)
        finally:
            process.terminate()
            try:
                process.wait(_GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            assert process.stdin is not None
            process.stdin.close()


def _account(number: int) -> str:
    return f"t{number:04}"


def _started(location: Path) -> tuple[subprocess.Popen[bytes], dict[str, int]]:
    """Its process and where it answers, on free ports; raises RuntimeError if it does not."""
    installation = installed()
    first = itertools.chain.from_iterable(("--require", str(path)) for path in _FIRST)
    program = [str(installation.node), *first, str(installation.script)]
    listen = itertools.chain.from_iterable((f"--{name.lower()}Port", "0") for name in _SERVICES)
    options = ["--skipApiVersionCheck", "--silent", "--disableTelemetry", "--inMemoryPersistence", *listen]
    accounts = ";".join(f"{_account(number)}:{_KEY_OF_ACCOUNTS}" for number in range(1, _ACCOUNTS))
    log = location / "azurite.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*program, *options],
            cwd=location,
            # What Node.js compiled once it need not compile at the next start; an older one than 22 does not know how.
            env=os.environ
            | {"AZURITE_ACCOUNTS": accounts, "NODE_COMPILE_CACHE": str(installation.script.parent / ".compiled")},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    return process, _ports_of(process, log)


def _ports_of(process: subprocess.Popen[bytes], log: Path) -> dict[str, int]:
    """The ports that it says it listens on, once it does on all three."""

    def ports() -> dict[str, int]:
        return {name: int(port) for name, port in _LISTENING.findall(log.read_text())}

    with suppress(AssertionError):
        wait_until(lambda: len(ports()) == len(_SERVICES), goes_on=lambda: process.poll() is None)
        return ports()
    process.kill()
    process.wait()
    assert process.stdin is not None
    process.stdin.close()
    raise RuntimeError(f"Azurite does not answer; it said:\n{log.read_text()}")
