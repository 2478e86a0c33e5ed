"""Standard input, output and error as every command may use them: they are open, and their faults are errors of ours.

A stream that was closed when the program started is replaced, so that no file or socket gets its number. An output that fails
breaks nothing off where it is written: it is remembered, and `refuse_lost_output` raises it where nothing is half done.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from select import select
from typing import TYPE_CHECKING, Literal, TextIO

from router.domain.errors import BadUsage, RouterError
from router.domain.readable import inert, one_line

if TYPE_CHECKING:
    from collections.abc import Buffer


_PASSWORD = re.compile(r"\b(postgres(?:ql)?://[^\s:/@]*):\S+@", re.IGNORECASE)
"""The password in the address of a database, whichever argument it was written as."""


def complain(line: str) -> None:
    """Write one line to standard error, without a password that an address in it has."""
    sys.stderr.write(inert(one_line(_PASSWORD.sub(r"\1:...@", line))) + "\n")


_IN, _OUT, _ERROR = 0, 1, 2


class LostOutput(RouterError):
    """Standard output could not be written; the text says why, and is empty where the reader has gone."""


@contextmanager
def usable_streams() -> Iterator[None]:
    """A context in which writing to standard output and error raises nothing, also where it fails.

    Letters that the terminal's encoding lacks are written as escapes: a title costs a letter, not the run.
    """
    _replace_closed()
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _over(sys.stdout, _OUT), _over(sys.stderr, _ERROR)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def refuse_lost_output() -> None:
    """Raise LostOutput where not all that was printed by now could be written."""
    sys.stdout.flush()
    output = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    if isinstance(output, _Lossy) and (fault := output.fault) is not None:
        has_gone = isinstance(fault, BrokenPipeError)
        raise LostOutput("" if has_gone else f"standard output: cannot be written: {fault.strerror}") from fault


def _replace_closed() -> None:
    if sys.stdin is None:
        sys.stdin = _open_at(_IN, os.open(os.devnull, os.O_WRONLY), "r")
    if sys.stdout is None:
        reader, pipe = os.pipe()
        os.close(reader)
        sys.stdout = _open_at(_OUT, pipe, "w")
    if sys.stderr is None:
        sys.stderr = _open_at(_ERROR, os.open(os.devnull, os.O_WRONLY), "w")


def _open_at(place: int, file: int, mode: Literal["r", "w"]) -> TextIO:
    if file != place:
        os.dup2(file, place)
        os.close(file)
    return open(place, mode, closefd=False)


class _Lossy(io.FileIO):
    """A file that raises nothing when it is written; `fault` is why it could not be, None while it could."""

    fault: OSError | None = None

    def write(self, data: Buffer, /) -> int:
        # A log may lack lines, and goes on. A list must not lack some in its middle.
        if self.fault is None or self.fileno() == _ERROR:
            try:
                while (count := super().write(data)) is None:
                    # Who shares the pipe made it non-blocking, as Node.js does, and it is full.
                    select([], [self], [])
                return count
            except OSError as fault:
                self.fault = fault
        return memoryview(data).nbytes


def _over(stream: TextIO, place: int) -> TextIO:
    """Return the same stream, whose faults are remembered; what a test put there instead stays as it is."""
    try:
        if stream.fileno() != place:
            return stream
    except OSError:
        return stream
    raw = io.BufferedWriter(_Lossy(place, "w", closefd=False))
    is_by_line = place == _ERROR or stream.isatty()
    return io.TextIOWrapper(raw, encoding=stream.encoding, errors="backslashreplace", line_buffering=is_by_line)


def refuse_unasked(what: str, *, is_confirmed: bool) -> None:
    """Raise BadUsage where what a command does is not confirmed, and there is no terminal to ask on."""
    if not is_confirmed and not sys.stdin.isatty():
        raise BadUsage(f"--yes: is missing, and there is no terminal to ask on; write it to {what} without being asked")


def is_wanted(question: str, *, is_confirmed: bool) -> bool:
    """Return whether a person wants what is asked, on the terminal; not asked where it is confirmed already.

    Raises LostOutput where what was printed first, by which a person decides, could not be read.
    """
    if is_confirmed:
        return True
    refuse_lost_output()
    complain(f"{question} y, or anything else for no:")
    return sys.stdin.readline().strip().lower() in ("y", "yes")
