"""What the formats write: annotations of files, and cases of a test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

type Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Annotation:
    """One thing to say of a line of a file.

    Attributes:
        path: the file, relative to the working directory, with slashes; absolute where it lies elsewhere; empty for what
            stands in no file of the repository.
        line: the line, where it is known.
        level: how bad it is.
        code: the sort of thing, which never changes.
        message: what is wrong and what to do.
    """

    path: str
    line: int | None
    level: Severity
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}" if self.line else f"{self.path}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One thing that was tested; it passed if it has no failures and no errors, and was not skipped.

    Attributes:
        suite: the suite that it belongs to.
        name: its name in the suite.
        path: the file that it stands in, as in an annotation.
        line: the line, where it is known.
        failures: what was not as it should be; none if it passed.
        errors: why it could not be told whether it passed.
        remarks: what else is to be said, though it fails nothing.
        skipped: why it was not tested; None if it was.
    """

    suite: str
    name: str
    path: str
    line: int | None = None
    failures: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    skipped: str | None = None
