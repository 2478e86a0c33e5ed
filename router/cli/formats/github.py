"""Annotations as commands in the log of a step: GitHub shows them beside the lines of a pull request.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from router.cli.formats.values import Annotation, Severity
from router.domain.legible import inert, legible, one_line
from router.domain.plurals import counted

MOST = 10
"""How many errors, and how many warnings, GitHub shows of one step; the log has all of them."""

_IN_MESSAGES = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_IN_PROPERTIES = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def commands_for(title: str, summary: str, annotations: Sequence[Annotation]) -> Iterator[str]:
    """The lines of a log: first what it all came to, and what of it is not shown, then errors, then warnings.

    Each line is a command, so that no text in it is taken for another one.
    """
    levels: tuple[Severity, ...] = ("error", "warning")
    ordered = {level: [one for one in annotations if one.level == level] for level in levels}
    beyond = [counted(len(some) - MOST, f"more {level}") for level, some in ordered.items() if len(some) > MOST]
    hidden = f"; GitHub shows {MOST} of a kind, so look in the log for {' and '.join(beyond)}" if beyond else ""
    yield f"::notice title={_property(title)}::{_message(summary + hidden)}"
    for level in levels:
        yield from map(_command, ordered[level])


def _command(annotation: Annotation) -> str:
    line = f",line={annotation.line}" if annotation.line else ""
    file = f"file={_property(annotation.path)}{line}," if annotation.path else ""
    return f"::{annotation.level} {file}title={_property(annotation.code)}::{_message(annotation.message)}"


def _property(text: str) -> str:
    return inert(one_line(text).translate(_IN_PROPERTIES))


def _message(text: str) -> str:
    return inert(legible(text).translate(_IN_MESSAGES))
