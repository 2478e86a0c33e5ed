"""The router as a process, without the second that Python takes to read it.

`started(...)` gives a process that was forked from one which has imported the router already. It has a memory, descriptors,
an environment and signals of its own, and may be killed. What Python itself does before it comes to the router is not what
such a process shows: tests of that, and of output that is closed or full, start an interpreter.
"""

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from tests.waiting import PATIENCE

_REPOSITORY = Path(__file__).parents[2]
_TOO = ("azure_functions_runtime", "azure.functions.decorators.function_app", "tests.stack.functions_worker.protocol")
"""What is imported beside the router: what function_app.py runs in."""

_ENDED = 4
"""Bytes of an exit status."""


class WarmProcess:
    """A process that was begun, by its process id; what it has for its ends is text in UTF-8, other bytes escaped.

    `returncode` is None until somebody asked whether it has ended; where a signal ended it, that signal's negative number.
    """

    def __init__(
        self, pid: int, ended: int, stdin: IO[str] | None, stdout: IO[str] | None, stderr: IO[str] | None
    ) -> None:
        self.pid = pid
        self.stdin, self.stdout, self.stderr = stdin, stdout, stderr
        self.returncode: int | None = None
        self._ended = ended
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        """Its exit code, if it has ended."""
        return self._look(0)

    def wait(self, timeout: float = PATIENCE) -> int:
        """Its exit code, once it has ended; raises TimeoutExpired after so many seconds."""
        if (code := self._look(timeout)) is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout)
        return code

    def send_signal(self, number: int) -> None:
        """Sends it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Ends it as the kernel does when memory runs out."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, given: str | None = None, timeout: float = PATIENCE) -> tuple[str, str]:
        """What it says, and complains of, until it ends, when it is given so much and no more."""
        said: dict[IO[str], str] = {}

        def read(end: IO[str]) -> None:
            said[end] = end.read()

        ends = [end for end in (self.stdout, self.stderr) if end is not None]
        reading = [threading.Thread(target=read, args=(end,)) for end in ends]
        for one in reading:
            one.start()
        if self.stdin is not None and not self.stdin.closed:
            with suppress(BrokenPipeError):
                self.stdin.write(given or "")
                self.stdin.close()
        for one in reading:
            one.join()
        self.wait(timeout)
        self._close()
        return tuple(said.get(end, "") if end else "" for end in (self.stdout, self.stderr))  # type: ignore[return-value]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._close()
        self.wait()

    def _close(self) -> None:
        for end in (self.stdin, self.stdout, self.stderr):
            if end is not None and not end.closed:
                with suppress(BrokenPipeError):
                    end.close()

    def _look(self, timeout: float) -> int | None:
        with self._lock:
            if self.returncode is None and select.select([self._ended], [], [], timeout)[0]:
                said = os.read(self._ended, _ENDED)
                os.close(self._ended)
                # Where nobody could say, what would have said so was killed, and the process with it.
                self.returncode = int.from_bytes(said, signed=True) if said else -signal.SIGKILL
        return self.returncode


def started(
    *command: str | Path,
    env: Mapping[str, str],
    cwd: Path | None = None,
    stdin: int | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
    descriptor: int | None = None,
) -> WarmProcess:
    """`python -m` of a module and its arguments as a process, with nothing but `env` around it.

    Its ends are subprocess.PIPE, a descriptor, or those of this process. It inherits one more descriptor, if there is one:
    by the number that stands for `{}` in its arguments. As for `python -m`, a router in
    the directory where it starts goes before the one of this repository.
    """
    words = list(map(str, command))
    sys.audit("subprocess.Popen", sys.executable, [sys.executable, "-m", *words], cwd, dict(env))
    ours: list[int | None] = []
    theirs: list[int] = []
    closing: list[int] = []
    for number, end in enumerate((stdin, stdout, stderr)):
        if end == subprocess.PIPE:
            reader, writer = os.pipe()
            mine, its = (writer, reader) if number == 0 else (reader, writer)
            ours.append(mine)
            theirs.append(its)
            closing.append(its)
        elif end == subprocess.DEVNULL:
            closing.append(os.open(os.devnull, os.O_RDWR))
            theirs.append(closing[-1])
            ours.append(None)
        else:
            theirs.append(number if end is None else end)
            ours.append(None)
    ended, ending = os.pipe()
    closing.append(ending)
    where = cwd or Path.cwd()
    asked = {"words": words, "env": dict(env), "cwd": str(where)}
    is_other = (where / "router").is_dir() and not (where / "router").samefile(_REPOSITORY / "router")
    begun = _beginning(where if is_other else _REPOSITORY)
    pid = begun.begin(asked, [*theirs, ending, *([] if descriptor is None else [descriptor])])
    for one in closing:
        os.close(one)
    said: dict[str, Any] = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}
    ends = (None if end is None else os.fdopen(end, mode, **said) for end, mode in zip(ours, "wrr", strict=True))
    return WarmProcess(pid, ended, *ends)


class _Beginning:
    """The process from which the others begin, until the tests end."""

    def __init__(self, home: Path) -> None:
        self._connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.warm.beginning", str(theirs.fileno()), *_TOO],
                cwd=home,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        self._lock = threading.Lock()
        atexit.register(self._end)

    def begin(self, asked: Mapping[str, object], descriptors: Sequence[int]) -> int:
        """The id of a process that begins."""
        with self._lock:
            socket.send_fds(self._connection, [json.dumps(asked).encode()], descriptors)
            return int(self._connection.recv(32))

    def _end(self) -> None:
        self._connection.close()
        self._process.wait()


@cache
def _beginning(home: Path) -> _Beginning:
    return _Beginning(home)
