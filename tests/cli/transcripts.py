"""What commands print is on file in `golden/`, line by line: output, errors behind "! ", and the exit code.

Written by `GOLDENS=write pytest tests/cli`, to be read before it is committed. What differs from run to run, ids and hashes and
the house's own place, stands there under names that are given in the order in which they come.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from router.store.conninfo import parse_address
from tests.cli.house import House, Said

GOLDEN = Path(__file__).parent / "golden"
_PASSING = re.compile(r"(?<![\w.])[0-9a-f]{6,}\b")

SOONER = {
    "the next run sends them": "who serves them sends them within a minute",
    "the next run sends what was routed": "what was routed is sent within a minute",
    "the next run sends what is due": "who serves the state sends what is due within two minutes",
    "the next run asks it": "who serves the state asks it within a minute",
}
"""What is said of a state on files, and of one in a database; all else is the same."""
SENT_BY = re.compile("|".join(SOONER))


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
        text, state = self._text.replace(str(self.house.directory), "HOUSE"), self.house.state
        if isinstance(state, str):
            text = text.replace(state, "HOUSE/.state").replace(parse_address(state).name, ".state")
        text = _PASSING.sub(lambda found: self._names.setdefault(found[0], f"ID-{len(self._names) + 1}"), text)
        text = text.encode(errors="backslashreplace").decode()
        if isinstance(state, str):
            assert text == SENT_BY.sub(lambda found: SOONER[found[0]], self._path.read_text())
            return
        if os.environ.get("GOLDENS") == "write":
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(text)
        assert self._path.read_text() == text
