"""Azurite as a process: where it answers, and how it fails."""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.stack.azurite.installation import installed
from tests.waiting import wait_until

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The public development account and key: https://learn.microsoft.com/azure/storage/common/storage-use-azurite"""

_SERVICES = ("Blob", "Queue", "Table")
_LISTENING = re.compile(r"Azurite (\w+) service is successfully listening at http://127\.0\.0\.1:(\d+)")
_ACCOUNTS = 8_000
_KEY_OF_ACCOUNTS = "dGVzdA=="
"""So short, as the names are, that one variable holds so many accounts: Linux lets it have 128 KiB."""

_FIRST = tuple(Path(__file__).parent / name for name in ("leash.cjs", "many_accounts.cjs"))
"""What Node.js runs before Azurite."""

_GRACE = 10.0


@dataclass(frozen=True, slots=True)
class _Running:
    process: subprocess.Popen[bytes]
    ports: dict[str, int]


class Azurite:
    """A storage emulator that can be stopped, started again on the same ports, paused and resumed."""

    def __init__(self, location: Path, persistence: tuple[str, ...]) -> None:
        self._location = location
        self._persistence = persistence
        self._ports = dict.fromkeys(_SERVICES, 0)
        self._running: _Running | None = None
        self._fresh = iter(range(1, _ACCOUNTS))

    @property
    def ports(self) -> dict[str, int]:
        """Where it answers, by service."""
        return dict(self._ports)

    @classmethod
    def of_another(cls, ports: dict[str, int], share: int, shares: int) -> Azurite:
        """One that another process runs, with one of so many shares of its fresh accounts; it cannot be stopped here."""
        azurite = cls(Path(), ())
        azurite._ports = ports
        azurite._fresh = iter(range(1 + share, _ACCOUNTS, shares))
        return azurite

    @property
    def pid(self) -> int:
        """Gives its process; RuntimeError while it is stopped."""
        return self._now_running().process.pid

    @property
    def connection_string(self) -> str:
        """Gives the way to the development account."""
        return self._connection_string(ACCOUNT)

    def new_account(self) -> str:
        """Gives the way to an account that nobody was given before, so that names in it collide with nobody's."""
        return self._connection_string(_account(next(self._fresh)), _KEY_OF_ACCOUNTS)

    def start(self) -> None:
        """Starts it and returns when it answers, on the ports it had before; raises RuntimeError if it does not."""
        if self._running is not None:
            raise RuntimeError("Azurite is running already; stop it first.")
        self._running = _started(self._location, self._persistence, self._ports)
        self._ports = self._running.ports

    def stop(self) -> None:
        """Ends it; what was kept on disk is there after the next start, what was in memory is not."""
        process = self._now_running().process
        self._running = None
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdin is not None
        process.stdin.close()

    def pause(self) -> None:
        """Lets requests hang, as slow storage does, until `resume`."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Answers again, also the requests that came meanwhile."""
        os.kill(self.pid, signal.SIGCONT)

    @property
    def is_running(self) -> bool:
        """Whether it was started and not stopped since."""
        return self._running is not None

    def _now_running(self) -> _Running:
        if self._running is None:
            raise RuntimeError("Azurite is not running; start it first.")
        return self._running

    def _connection_string(self, account: str, key: str = KEY) -> str:
        endpoints = [f"{one}Endpoint=http://127.0.0.1:{port}/{account}" for one, port in self._ports.items()]
        return ";".join(
            ["DefaultEndpointsProtocol=http", f"AccountName={account}", f"AccountKey={key}", *endpoints, ""]
        )


@contextmanager
def azurite_running(location: Path | None = None) -> Iterator[Azurite]:
    """Runs an Azurite of one's own, which keeps its data in memory, or in a directory where one is given."""
    with TemporaryDirectory(prefix="azurite-") as scratch:
        if location is None:
            azurite = Azurite(Path(scratch), ("--inMemoryPersistence",))
        else:
            azurite = Azurite(location, ("--location", str(location)))
        azurite.start()
        try:
            yield azurite
        finally:
            if azurite.is_running:
                azurite.stop()


def _account(number: int) -> str:
    return f"t{number:04}"


def _started(location: Path, persistence: tuple[str, ...], ports: dict[str, int]) -> _Running:
    installation = installed()
    first = itertools.chain.from_iterable(("--require", str(path)) for path in _FIRST)
    program = [str(installation.node), *first, str(installation.script)]
    listen = [[f"--{name.lower()}Port", str(port)] for name, port in ports.items()]
    options = ["--skipApiVersionCheck", "--silent", "--disableTelemetry", *persistence, *itertools.chain(*listen)]
    fresh = (f"{_account(number)}:{_KEY_OF_ACCOUNTS}" for number in range(1, _ACCOUNTS))
    accounts = ";".join((f"{ACCOUNT}:{KEY}", *fresh))
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
    return _Running(process, _ports_of(process, log))


def _ports_of(process: subprocess.Popen[bytes], log: Path) -> dict[str, int]:
    """The ports that it says it listens on, once it does on all three: it takes free ones where it is given 0."""

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
