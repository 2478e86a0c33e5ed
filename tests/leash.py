"""A leash for processes that tests start: they are gone when who started them is, and heed Ctrl-C wherever that runs."""

import ctypes
import os
import signal
import sys

_PARENT_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG: https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html"""


def leashed() -> None:
    """Puts this process on a leash, where the system has one: a `preexec_fn` for `subprocess.Popen`.

    SIGINT ends it as it ends what a person starts, also where the tests were started without one: `nohup` and a script's
    `make test &` ignore it, and a child inherits that.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def is_gone(process: int) -> bool:
    """Whether a process has ended, and whoever had to see to that knows."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False
