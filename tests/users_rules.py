"""Holds that no test looks into `rules/` at the top of the checkout: whoever cloned it writes there what he likes.

What a process reads that a test starts is not seen from here. So no test starts the router in the checkout without saying which
rules it means; what else they may read is proved by `make soak`, which puts other rules there.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1].resolve()
USERS_RULES = ROOT / "rules"

_LOOKS = {"open", "os.listdir", "os.scandir", "os.chdir"}
"""What Python tells of a file or a directory: https://docs.python.org/3/library/audit_events.html"""
_TOLD = {"--rules", "--help"}


class NotOurs(AssertionError):
    """A test looks into the user's own rules; tests take `RULES` of tests/builders.py, or write rules of their own."""


def stand_guard() -> None:
    """Has this process raise NotOurs from now on, wherever it looks into them or starts a router that would."""
    sys.addaudithook(_heard)


def _heard(event: str, arguments: tuple[object, ...]) -> None:
    if event in _LOOKS:
        path = arguments[0]
        # `os.open` may mean a directory that it is given beside a relative path, and does not tell which.
        is_certain = event != "open" or arguments[1] is not None
        if isinstance(path, str | os.PathLike) and _is_theirs(os.fspath(path), is_certain=is_certain):
            raise NotOurs(f"{path}: is the user's own; take RULES of tests/builders.py")
    elif event == "subprocess.Popen":
        _, words, directory, _ = arguments
        if isinstance(words, Sequence) and not isinstance(words, str | bytes):
            _refuse_untold([os.fsdecode(word) for word in words], directory)


def _is_theirs(path: str | bytes | Path, *, is_certain: bool) -> bool:
    # Most paths are told by this; the rest by where they lead, since a link may lead there too.
    text = os.fsdecode(path)
    if "rules" not in text or not (is_certain or Path(text).is_absolute()):
        return False
    return Path(os.path.realpath(text)).is_relative_to(USERS_RULES)


def _refuse_untold(words: Sequence[str], directory: object) -> None:
    is_router = words[1:3] == ["-m", "router"] or Path(words[0]).name == "alert-router"
    where = os.fsdecode(directory) if isinstance(directory, str | bytes | os.PathLike) else "."
    is_untold = not _TOLD & set(words) and os.path.realpath(where) == str(ROOT)
    if is_router and (is_untold or any(_is_theirs(Path(where, word), is_certain=True) for word in words)):
        raise NotOurs(
            f"{' '.join(words)}: would take the user's own rules; say --rules and others, or start it elsewhere"
        )
