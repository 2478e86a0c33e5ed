"""Starts what a hook of azd's runs, where Python is new enough.

azd takes whichever Python it finds, so this file and the hooks themselves are written for Python 3.8: an old one must get far
enough to say what is wrong.
"""

import importlib
import sys

NEEDED = (3, 13)


def start(module: str, function: str = "main") -> int:
    """The exit code of a module's function; 1 and one line on stderr where Python is too old to read it."""
    if sys.version_info < NEEDED:
        found = ".".join(str(number) for number in sys.version_info[:3])
        print(
            "python: the hooks of azd need Python 3.13 or later, and azd found "
            + found
            + ": install one that answers to "
            "python3 (on Windows: py), delete infra/hooks/hooks_env, and try again",
            file=sys.stderr,
        )
        return 1
    code: int = getattr(importlib.import_module(module), function)()
    return code
