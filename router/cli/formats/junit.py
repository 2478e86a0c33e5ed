"""Cases as a JUnit report.

There is no standard; this is what GitLab, Azure DevOps, Jenkins and the actions that read tests for GitHub agree on. GitLab
shows the text of a failure and not its `message`, others show the `message`, so both say it; GitLab drops a case whose class
and name were there before, so no two are alike.

https://docs.gitlab.com/ci/testing/unit_test_reports/
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from router.cli.formats.values import Case
from router.domain.legible import inert, legible, one_line


def report_of(title: str, cases: Iterable[Case]) -> str:
    """The report: a suite of suites, each with its cases in order. In ASCII, so that any terminal and file takes it.

    Nothing is timed, so every time is 0.
    """
    by_suite: dict[str, list[Case]] = {}
    for case in cases:
        by_suite.setdefault(case.suite, []).append(case)
    root = Element(
        "testsuites", {"name": one_line(title)} | _counts([one for some in by_suite.values() for one in some])
    )
    taken: dict[tuple[str, str], int] = {}  # the names of each class, with the last number given to one
    for suite, members in by_suite.items():
        element = SubElement(root, "testsuite", {"name": one_line(suite)} | _counts(members))
        for case in members:
            _add_case(element, case, taken)
    indent(root)
    document: bytes = tostring(root, encoding="us-ascii", xml_declaration=True)
    return inert(document.decode(), "&#{};") + "\n"


def _counts(cases: list[Case]) -> dict[str, str]:
    counts = {
        "tests": len(cases),
        "failures": sum(bool(case.failures) for case in cases),
        "errors": sum(bool(case.errors) and not case.failures for case in cases),
        "skipped": sum(case.skipped is not None and not case.failures and not case.errors for case in cases),
        "time": 0,
    }
    return {key: str(count) for key, count in counts.items()}


def _add_case(suite: Element, case: Case, taken: dict[tuple[str, str], int]) -> None:
    classname, name = one_line(case.suite), _free_name(one_line(case.suite), one_line(case.name), taken)
    attributes = {"classname": classname, "name": name}
    if case.path:
        attributes["file"] = one_line(case.path)
    attributes["time"] = "0"
    if case.line:
        attributes["line"] = str(case.line)
    element = SubElement(suite, "testcase", attributes)
    if case.failures:
        _add_outcome(element, "failure", case.failures)
    elif case.errors:
        _add_outcome(element, "error", case.errors)
    elif case.skipped is not None:
        SubElement(element, "skipped", {"message": one_line(case.skipped)}).text = legible(case.skipped)
    if case.remarks:
        SubElement(element, "system-out").text = legible("\n".join(case.remarks))


def _add_outcome(case: Element, tag: str, said: Sequence[str]) -> None:
    SubElement(case, tag, {"message": one_line(said[0]), "type": tag}).text = legible("\n".join(said))


def _free_name(classname: str, name: str, taken: dict[tuple[str, str], int]) -> str:
    """The name, with a number behind it where the class has a case of that name already."""
    free, number = name, taken.get((classname, name), 1)
    while (classname, free) in taken:
        number += 1
        free = f"{name} ({number})"
    taken[classname, name] = number
    taken.setdefault((classname, free), 1)
    return free
