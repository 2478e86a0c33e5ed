"""Calls az and azd for the hooks: with a limit of time each, and on Windows too."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from router.domain.errors import UserError

HERE = Path(__file__).parents[1]

LIMIT = timedelta(seconds=60)
"""For one call, which takes seconds: who deploys must not wait for Azure's longest."""


class NoAnswer(UserError):
    """A program is not there, hangs, fails, or answers what cannot be read."""


class Answer(NamedTuple):
    """What a program said."""

    code: int
    out: str
    error: str

    @property
    def why(self) -> str:
        """The first line of what it complained of; what it only warned of where there is no other."""
        lines = [line.strip() for line in self.error.splitlines() if line.strip()]
        return next((line for line in lines if not line.startswith("WARNING")), next(iter(lines), "it said nothing"))


def answer_of(program: str, *arguments: str, limit: timedelta = LIMIT) -> Answer:
    """What a program says, whatever its exit code; raises NoAnswer where it is not on the PATH or takes too long."""
    # On Windows az is a batch file, which is found by its whole path only.
    path = shutil.which(program)
    if path is None:
        raise NoAnswer(f"{program}: is not on the PATH")
    # Into files: what a batch file started would hold a pipe open after the batch file itself was ended.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error:
        process = subprocess.Popen([path, *arguments], cwd=HERE, stdin=subprocess.DEVNULL, stdout=out, stderr=error)
        try:
            code = process.wait(limit.total_seconds())
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise NoAnswer(f"{program}: no answer within {limit.total_seconds():.0f} s") from None
        said = [(file.seek(0), file.read().decode("utf-8", "replace"))[1] for file in (out, error)]
    return Answer(code, *said)


def document_of(*arguments: str, limit: timedelta = LIMIT) -> object:
    """What az answers as JSON, None where it answers nothing; raises NoAnswer with why."""
    said = answer_of("az", *arguments, "--output", "json", limit=limit)
    if said.code != 0:
        raise NoAnswer(said.why)
    try:
        return json.loads(said.out) if said.out.strip() else None
    except (ValueError, RecursionError):
        raise NoAnswer(f"az {' '.join(arguments[:2])}: it answered no JSON") from None
