"""How the program ends when a signal asks it to: SIGINT, which is Ctrl-C, or SIGTERM.

As a rule it ends at once, which is safe wherever it is: every step outlives the process's death.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from router.domain.errors import RouterError

SIGNALS = (signal.SIGINT, signal.SIGTERM)

_SHOW_CURSOR = "\x1b[?25h"
"""A progress bar hides it."""


class Interrupted(RouterError):
    """The program was asked to end and did, in order; its text is what is left to do, and `code` the exit code."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(f"{_WORDS[signal.Signals(number)]}: {text}")
        self.code = code_for(number)


_WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}


def code_for(number: int) -> int:
    """Return the exit code of a program that a signal ended, as shells have it: 130 or 143."""
    return 128 + number


def end_at_once(number: int) -> None:
    """End the process with the exit code of a signal, as abruptly as a kill would."""
    if sys.stderr.isatty():
        os.write(sys.stderr.fileno(), _SHOW_CURSOR.encode())
    os._exit(code_for(number))


@contextmanager
def on_signals(heed: Callable[[int], None]) -> Iterator[None]:
    """A context in which the signals call `heed`; one that this process was started to ignore it still ignores."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread is told of signals
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    heeded = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
    for number in heeded:
        signal.signal(number, lambda number, _: heed(number))
    try:
        yield
    finally:
        for number, handler in heeded.items():
            signal.signal(number, handler)
