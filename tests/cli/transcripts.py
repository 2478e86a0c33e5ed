"""What commands print is on file in `golden/`, line by line: output, errors behind "! ", and the exit code.

Written by `GOLDENS=write pytest tests/cli`, to be read before it is committed. What differs from run to run, ids and hashes and
the house's own place, stands there under names that are given in the order in which they come.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from tests.cli.house import House, Said

GOLDEN = Path(__file__).parent / "golden"
_PASSING = re.compile(r"(?<![\w.])[0-9a-f]{6,}\b")


class Transcript:
    """A house whose commands are written down."""

    def __init__(self, house: House, name: str) -> None:
        self.house = house
        self._path, self._text, self._names = GOLDEN / f"{name}.txt", "", dict[str, str]()

    def __call__(self, *commands: str) -> Said:
        """What the last of some commands comes to; each is written down with what it printed."""
        for command in commands:
            said = self.house.says(*shlex.split(command))
            complaints = "".join(f"! {line}\n" for line in said.err.splitlines())
            self.notes(f"$ alert-router {command}", f"{said.out}{complaints}[exit {said.code}]")
        return said

    def notes(self, what: str, text: str) -> None:
        """Writes down what else was found, under a name."""
        if str(self.house.directory) in text:
            # A column is as wide as the longest place, which differs.
            text = re.sub(" {4,}", "    ", text)
        self._text += f"{what}\n{text}\n\n"

    def compare(self) -> None:
        """Fails where something else was printed than is on file."""
        text = self._text.replace(str(self.house.directory), "HOUSE")
        text = _PASSING.sub(lambda found: self._names.setdefault(found[0], f"ID-{len(self._names) + 1}"), text)
        text = text.encode(errors="backslashreplace").decode()
        if os.environ.get("GOLDENS") == "write":
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(text)
        assert self._path.read_text() == text
