"""A leash for processes that tests start: they are gone when who started them is, however that ended."""

from __future__ import annotations

import ctypes
import signal
import sys

_PARENT_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG: https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html"""


def leashed() -> None:
    """Puts this process on a leash, where the system has one: a `preexec_fn` for `subprocess.Popen`."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
