"""kubectl, run as a person runs it, but bounded: no shell, one context, one host, no proxy, and an end.

kubectl is given a kubeconfig of the one context that was looked through, folders of its own for what it keeps, and none of the
environment's proxies. It follows redirects and gives each of them its token, so that it asks through a tunnel which leads to
the API server and nowhere else.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
import signal
import sys
import tempfile
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import yaml

from router.app.settings import Settings
from router.coverage.asking.kubeconfig import ClusterAccess
from router.coverage.asking.retries import Sleep, TimeLimit, retrying
from router.domain.errors import RouterError
from router.domain.readable import one_line
from router.domain.values import Value

INSTALL = "kubectl is not installed; install it, as with `az aks install-cli`, https://kubernetes.io/docs/tasks/tools/"

LONGEST_ANSWER = 256 * 1024 * 1024
"""Bytes that kubectl may print: some 15,000 pods."""

_LONGEST_COMPLAINT = 64 * 1024
_LAST_WORDS = 1.0
"""Seconds for a program that was ended to be gone."""

_LAST_COMPLAINTS = 0.2
"""Seconds for what it complained of to arrive, once it has ended."""

_LEFT_OUT = re.compile(r"(?:https?|all|no)_proxy|kubectl_.*|kubeconfig", re.IGNORECASE)
_OWN_SETTINGS = {"KUBECTL_KUBERC": "false", "KUBERC": "off"}
"""Without a person's own defaults for options. https://kubernetes.io/docs/reference/kubectl/kuberc/"""

_OPTIONS = ("--request-timeout", "60s")

_STATUS = {
    "Forbidden": 403,
    "NotFound": 404,
    "Expired": 410,
    "TooManyRequests": 429,
    "InternalError": 500,
    "ServiceUnavailable": 503,
    "Timeout": 504,
}
_REFUSED = re.compile(r"^Error from server \((\w{1,40})\)", re.MULTILINE)
_OUT_OF_REACH = re.compile(r"refused|Bad Gateway|i/o timeout|EOF|reset by peer")
_NO_SUCH_KIND = "error: the server doesn't have a resource type \""


class NotAnswered(RouterError):
    """What was asked was not answered; its text says why, as a clause.

    `status` is what the API server answered; None if kubectl had no answer of it, so that it answers nothing else either.
    """

    def __init__(self, words: str, status: str | None = None) -> None:
        super().__init__(words)
        self.status = status


class Printed(Value):
    """What kubectl printed, and the code with which it ended."""

    code: int
    out: bytes
    complaint: str

    @property
    def may_succeed_later(self) -> bool:
        """Whether the API server was busy or out of reach."""
        if (found := _REFUSED.search(self.complaint)) is not None:
            return _STATUS.get(found[1], 0) >= 429
        return self.code != 0 and _OUT_OF_REACH.search(self.complaint) is not None


class Kubectl(Value):
    """kubectl for one context; `run` runs it with some words."""

    context: str
    run: Callable[[Sequence[str]], Awaitable[Printed]]
    limit: TimeLimit
    sleep: Sleep

    async def get(self, *words: str, groups: Sequence[str] = ()) -> bytes | None:
        """Return what `kubectl get` prints; None if the API server has no such kind. Raises NotAnswered.

        That there is none counts only if the API server said which kinds it has in all of `groups`.
        """
        again = retrying(self.limit, lambda printed: printed.may_succeed_later, sleep=self.sleep)
        printed: Printed = await again(self.run, ("get", *words))
        if len(printed.out) > LONGEST_ANSWER:
            raise NotAnswered(f"the answer is longer than {LONGEST_ANSWER:,} bytes", "200")
        if printed.code == 0:
            return printed.out
        if _NO_SUCH_KIND not in printed.complaint:
            raise self._fault(printed.complaint)
        if "API group list" in printed.complaint or any(f" {group}/" in printed.complaint for group in groups):
            raise NotAnswered("the API server did not say which kinds it has", "503")
        return None

    def _fault(self, complaint: str) -> NotAnswered:
        """Why there is no answer, in words of ours: what kubectl and its plugins say may hold anything."""
        if (found := _REFUSED.search(complaint)) is not None:
            return NotAnswered(f"the API server answered {_STATUS.get(found[1], found[1])}", found[1])
        shows = f"`kubectl get nodes --context {shlex.quote(one_line(self.context))}` shows why"
        if "You must be logged in" in complaint or "Unauthorized" in complaint:
            why = "the API server does not know who asks (401): sign in anew, or mend the user of the kubeconfig"
        elif "x509" in complaint:
            why = "its certificate is not trusted; mend certificate-authority-data"
        elif "exec" in complaint:
            why = f"its exec plugin gave out no credential; {shows}"
        else:
            why = f"the API server was not reached; {shows}"
        return NotAnswered(why)


@asynccontextmanager
async def kubectl_for(
    context: str, access: ClusterAccess, settings: Settings, limit: TimeLimit, sleep: Sleep = asyncio.sleep
) -> AsyncIterator[Kubectl]:
    """Open kubectl for one context; raises NotAnswered if it is not installed."""
    program = shutil.which("kubectl", path=settings.values.get("PATH"))
    if program is None:
        raise NotAnswered(INSTALL)
    variables = {name: value for name, value in settings.values.items() if not _LEFT_OUT.fullmatch(name)}
    may_ask = access.may_ask and is_at_terminal()
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "config"
        file.touch(mode=0o600)
        async with _tunnel_to(access.server) as proxy:
            file.write_text(yaml.safe_dump(access.through(proxy)))
            options = ("--context", context, "--kubeconfig", str(file), "--cache-dir", f"{name}/cache", *_OPTIONS)

            async def run(words: Sequence[str]) -> Printed:
                return await _run((program, *words, *options), {**variables, **_OWN_SETTINGS}, limit, may_ask=may_ask)

            yield Kubectl(context, run, limit, sleep)


async def _run(words: Sequence[str], variables: Mapping[str, str], limit: TimeLimit, *, may_ask: bool) -> Printed:
    """What a program prints, which has the terminal with `may_ask`; raises NotAnswered if it cannot be run, or not in time."""
    complaint = bytearray()
    async with _listening(complaint, is_shown=may_ask) as (ear, heard):
        try:
            process = await asyncio.create_subprocess_exec(
                *words,
                env=variables,
                stdin=None if may_ask else DEVNULL,
                stdout=PIPE,
                stderr=ear,
                # What it starts is ended with it; who asks at a terminal must stay in the session of that.
                start_new_session=not may_ask,
            )
        except OSError as fault:
            raise NotAnswered(f"kubectl cannot be run ({type(fault).__name__}); install it anew") from fault
        finally:
            os.close(ear)
        out = cast(StreamReader, process.stdout)
        try:
            async with asyncio.timeout(limit.left):
                printed = await _read(out)
                if len(printed) <= LONGEST_ANSWER:
                    await process.wait()
                    # A program that it started may hold its complaints open.
                    await asyncio.wait({heard}, timeout=_LAST_COMPLAINTS)
        except TimeoutError:
            raise NotAnswered(str(limit.over())) from None
        finally:
            if process.returncode is None:
                await _end(process, out, has_own_session=not may_ask)
    return Printed(process.returncode or 0, printed, complaint.decode("utf-8", "replace"))


@asynccontextmanager
async def _listening(complaint: bytearray, *, is_shown: bool) -> AsyncIterator[tuple[int, asyncio.Task[None]]]:
    """Open a pipe for what is complained of, whose end is kept; a person at the terminal sees it at once, and is asked so.

    Yields the pipe, and what ends with it. What goes on in it afterwards is not heard.
    """

    async def listen() -> None:
        while chunk := await stream.read(_LONGEST_COMPLAINT):
            if is_shown:
                sys.stderr.buffer.write(chunk)
                sys.stderr.buffer.flush()
            complaint.extend(chunk)
            del complaint[:-_LONGEST_COMPLAINT]

    source, ear = os.pipe()
    stream = StreamReader()
    pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(source, "rb", buffering=0)
    )
    heard = asyncio.create_task(listen())
    try:
        yield ear, heard
    finally:
        heard.cancel()
        pipe.close()


async def _read(stream: StreamReader) -> bytes:
    """Return what comes, and of what is too long little more than the longest answer."""
    chunks, size = [], 0
    while size <= LONGEST_ANSWER and (chunk := await stream.read(1 << 20)):
        chunks.append(chunk)
        size += len(chunk)
    return b"".join(chunks)


async def _end(process: Process, out: StreamReader, *, has_own_session: bool) -> None:
    """End a program with what it started; what has left its session may hold its output open, and is not waited for."""
    with suppress(ProcessLookupError, PermissionError):
        if has_own_session:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    with suppress(TimeoutError):
        async with asyncio.timeout(_LAST_WORDS):
            while await out.read(1 << 20):
                pass  # its output is closed only once it was read to its end
            await process.wait()


def is_at_terminal() -> bool:
    """Whether a person may be asked."""
    return sys.stdin is not None and sys.stdin.isatty()


@asynccontextmanager
async def _tunnel_to(server: str) -> AsyncIterator[str | None]:
    """Open a proxy on this machine that leads to one host and port; yields its URL, or None for a server without TLS."""
    url = urlsplit(server)
    if url.scheme != "https":
        yield None
        return
    host, port = cast(str, url.hostname), url.port or 443
    wanted = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def lead(reader: StreamReader, writer: StreamWriter) -> None:
        there: StreamWriter | None = None
        try:
            method, target, *_ = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split(" ")
            if (method, target.lower()) != ("CONNECT", wanted):
                writer.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")
                return
            try:
                answers, there = await asyncio.open_connection(host, port)
            except OSError:
                writer.write(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")  # of which kubectl does not try again for a minute
                return
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await asyncio.gather(_pass_on(reader, there), _pass_on(answers, writer))
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # kubectl hears that the connection is closed
        finally:
            for one in (there, writer):
                if one is not None:
                    one.close()

    tunnel = await asyncio.start_server(lead, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{tunnel.sockets[0].getsockname()[1]}"
    finally:
        tunnel.close()
        tunnel.close_clients()


async def _pass_on(reader: StreamReader, writer: StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
