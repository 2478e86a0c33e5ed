"""The program as a stranger gets it: its wheel, and a machine that has uv and nothing else of ours."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.house import Said

ROOT = Path(__file__).parents[1]
UV = Path(sys.executable).with_name("uv")

_UNREACHED = re.compile(r"network was disabled|error sending request|failed to (fetch|lookup)|could not connect", re.I)


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine with uv, and what was installed there.

    Attributes:
        home: the directory of all that is on it.
        is_offline: whether packages come from what uv has kept, as they do where `make setup` has been.
    """

    home: Path
    is_offline: bool = True

    @property
    def wheel(self) -> Path:
        """The wheel of the program."""
        (wheel,) = (self.home / "dist").glob("*.whl")
        return wheel

    @property
    def environment(self) -> dict[str, str]:
        """What a shell has there: versions are those of the lock, and uv's cache is everybody's."""
        offline = {"UV_OFFLINE": "1"} if self.is_offline else {}
        return os.environ | {
            **offline,
            "PATH": os.pathsep.join([str(self.home / "bin"), "/usr/local/bin", "/usr/bin", "/bin"]),
            "UV_CONSTRAINT": str(ROOT / "requirements.txt"),
            "UV_PYTHON": sys.executable,
            "UV_TOOL_BIN_DIR": str(self.home / "bin"),
            "UV_TOOL_DIR": str(self.home / "tools"),
        }

    def types(self, text: str, within: Path | None = None) -> Said:
        """What some lines, each of which must succeed, come to."""
        command, where = ["sh", "-euc", text], within or self.home
        done = subprocess.run(command, cwd=where, env=self.environment, capture_output=True, text=True)
        return Said(done.returncode, done.stdout, done.stderr)


def machine_in(directory: Path) -> Machine:
    """A machine with the program's wheel; skips where uv has not kept what that needs, and no index is reached either."""
    (directory / "bin").mkdir(parents=True)
    for name in ("uv", "uvx"):
        (directory / "bin" / name).symlink_to(UV.with_name(name))
    for machine in (Machine(directory), Machine(directory, is_offline=False)):
        said = machine.types(
            f"uv build --quiet --wheel --out-dir dist '{ROOT}'\nuvx --quiet --from dist/*.whl alert-router --version"
        )
        if said.code == 0:
            return machine
    if _UNREACHED.search(said.err) is None:
        pytest.fail(said.err)
    pytest.skip(f"uv has not kept what the wheel needs, and no index is reached: {said.err.strip().splitlines()[-1]}")
