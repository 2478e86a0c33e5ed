"""What a command found, in the forms that other programs read. Pure: values in, text out.

Annotations are commands in the log of a step of GitHub Actions, which shows them beside the lines of a pull request:
https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands

Cases are a JUnit report. There is no standard; this is what GitLab, Azure DevOps, Jenkins and the actions that read tests for
GitHub agree on. GitLab shows the text of a failure and others its `message`, so both say it. GitLab drops a case whose class
and name were there before, so no two are alike: https://docs.gitlab.com/ci/testing/unit_test_reports/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from router.domain.readable import counted, inert, legible, one_line
from router.domain.values import Value

type Severity = Literal["error", "warning"]


class Annotation(Value):
    """One thing to say of a line of a file.

    Attributes:
        path: the file, relative to the working directory, with slashes; absolute where it lies elsewhere; empty for what
            stands in no file of the repository.
        code: the sort of thing, which never changes.
    """

    path: str
    line: int | None
    level: Severity
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}" if self.line else f"{self.path}: {self.message}"


class Case(Value, kw_only=True):
    """One thing that was tested, in a file as an annotation has it; errors say why it is not known whether it passed.

    It passed if it has no failures and no errors, and no reason why it was skipped; remarks fail nothing.
    """

    suite: str
    name: str
    path: str = ""
    line: int | None = None
    failures: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    skipped: str | None = None

    @property
    def outcome(self) -> tuple[str, tuple[str, ...]]:
        """What it came to, as an element is called, and why."""
        if self.failures or self.errors:
            return ("failure", self.failures) if self.failures else ("error", self.errors)
        return ("passed", ()) if self.skipped is None else ("skipped", (self.skipped,))


MOST = 10
"""How many errors, and how many warnings, GitHub shows of one step; the log has all of them."""

_IN_MESSAGES = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_IN_PROPERTIES = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def commands_for(title: str, summary: str, annotations: Sequence[Annotation]) -> Iterator[str]:
    """Return the lines of a log: first what it all came to, and what of it is not shown, then errors, then warnings.

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


def report_of(title: str, cases: Iterable[Case]) -> str:
    """Return the report: a suite of suites, each with its cases in order. In ASCII, so that any terminal and file takes it.

    Nothing is timed, so every time is 0.
    """
    by_suite: dict[str, list[Case]] = {}
    for case in cases:
        by_suite.setdefault(case.suite, []).append(case)
    every = [case for some in by_suite.values() for case in some]
    root = Element("testsuites", {"name": one_line(title)} | _counts(every))
    taken: dict[tuple[str, str], int] = {}  # the names of each class, with the last number given to one
    for suite, members in by_suite.items():
        element = SubElement(root, "testsuite", {"name": one_line(suite)} | _counts(members))
        for case in members:
            _add_case(element, case, taken)
    indent(root)
    document: bytes = tostring(root, encoding="us-ascii", xml_declaration=True)
    return inert(document.decode(), "&#{};") + "\n"


def _counts(cases: list[Case]) -> dict[str, str]:
    outcomes = [case.outcome[0] for case in cases]
    counts = {f"{name}s": outcomes.count(name) for name in ("failure", "error")}
    every = {"tests": len(cases), **counts, "skipped": outcomes.count("skipped"), "time": 0}
    return {key: str(count) for key, count in every.items()}


def _add_case(suite: Element, case: Case, taken: dict[tuple[str, str], int]) -> None:
    classname, name = one_line(case.suite), _free_name(one_line(case.suite), one_line(case.name), taken)
    file, line = {"file": one_line(case.path)} if case.path else {}, {"line": str(case.line)} if case.line else {}
    element = SubElement(suite, "testcase", {"classname": classname, "name": name, **file, "time": "0", **line})
    tag, why = case.outcome
    if why:
        type = {"type": tag} if tag != "skipped" else {}
        SubElement(element, tag, {"message": one_line(why[0]), **type}).text = legible("\n".join(why))
    if case.remarks:
        SubElement(element, "system-out").text = legible("\n".join(case.remarks))


def _free_name(classname: str, name: str, taken: dict[tuple[str, str], int]) -> str:
    """Return the name, with a number behind it where the class has a case of that name already."""
    free, number = name, taken.get((classname, name), 1)
    while (classname, free) in taken:
        number += 1
        free = f"{name} ({number})"
    taken[classname, name] = number
    taken.setdefault((classname, free), 1)
    return free
