"""What a check found, as other programs read it: annotations of GitHub, and JUnit."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from router.cli.formats import Annotation, Case, commands_for, report_of
from tests.cli.house import commands_in

ACTING = "a\x1b[31m\u202eb\x00\ud800"
"""Text that would paint a terminal, turn the direction of reading, and be no XML."""


def an_annotation(number: int = 1, **changes: Any) -> Annotation:
    """An annotation of a line."""
    given: dict[str, Any] = {"level": "error", "code": "no-end", "message": f"is wrong {number}", "line": number}
    return Annotation(**({"path": "rules/a.json"} | given | changes))


def a_case(**changes: Any) -> Case:
    """A case that passed."""
    return Case(**{"suite": "rules.cwpp", "name": "one", "path": "rules/cwpp/one.yaml"} | changes)


def a_report(*cases: Case) -> ElementTree.Element:
    """The root of a report."""
    return ElementTree.fromstring(report_of("rules test", cases))  # noqa: S314 - our own


def test_github_is_told_the_sum_first_and_the_worst_first() -> None:
    """Errors stand before warnings, whatever their order was, each beside its line."""
    lines = list(commands_for("rules check", "rules: 2", [an_annotation(3, level="warning"), an_annotation(4)]))
    assert lines == [
        "::notice title=rules check::rules: 2",
        "::error file=rules/a.json,line=4,title=no-end::is wrong 4",
        "::warning file=rules/a.json,line=3,title=no-end::is wrong 3",
    ]


@pytest.mark.parametrize(
    ("errors", "warnings", "said"),
    [
        (10, 10, ""),
        (11, 10, "; GitHub shows 10 of a kind, so look in the log for 1 more error"),
        (12, 13, "; GitHub shows 10 of a kind, so look in the log for 2 more errors and 3 more warnings"),
    ],
)
def test_the_sum_says_how_much_github_does_not_show(errors: int, warnings: int, said: str) -> None:
    """Ten errors and ten warnings of a step are shown; all of them are in the log."""
    some = [*map(an_annotation, range(errors)), *(an_annotation(one, level="warning") for one in range(warnings))]
    lines = list(commands_for("rules check", "sum", some))
    assert lines[0] == f"::notice title=rules check::sum{said}"
    assert len(lines) == 1 + errors + warnings


def test_nothing_in_an_annotation_is_taken_for_a_command() -> None:
    """Line ends, percent signs, and what ends a property are escaped; what would act is shown as its number."""
    odd = an_annotation(path="a,b:c%\n::error::.json", message=f"100%\r\n::set-output name=x::{ACTING}", line=None)
    _, line = commands_for("rules check", "sum", [odd])
    assert line == (
        "::error file=a%2Cb%3Ac%25 %3A%3Aerror%3A%3A.json,title=no-end::"
        "100%25%0A::set-output name=x::a\\x1b[31m\\u202eb\\x00\ufffd"
    )
    (only,) = commands_for("::a", "x\n::b", [])
    assert only == "::notice title=%3A%3Aa::x%0A::b"


def test_junit_counts_and_names_cases() -> None:
    """Suites in order, each with its cases: file and line, and both forms of a failure."""
    root = a_report(
        a_case(line=3, failures=("first", "second"), skipped="no"),
        a_case(name="two", remarks=("warning: old",)),
        a_case(suite="rules.cspm", skipped="cannot"),
    )
    assert root.tag == "testsuites"
    assert (root.attrib["tests"], root.attrib["failures"], root.attrib["skipped"]) == ("3", "1", "1")
    cwpp, cspm = root
    assert (cwpp.attrib["name"], cwpp.attrib["tests"], cwpp.attrib["failures"]) == ("rules.cwpp", "2", "1")
    failed, passed = cwpp
    assert failed.attrib == {
        "classname": "rules.cwpp", "name": "one", "file": "rules/cwpp/one.yaml", "line": "3", "time": "0",
    }  # fmt: skip
    (failure,) = failed
    assert (failure.tag, failure.attrib["message"], failure.text) == ("failure", "first", "first\nsecond")
    assert [(one.tag, one.text) for one in passed] == [("system-out", "warning: old")]
    assert [(one.tag, one.attrib["message"]) for one in cspm[0]] == [("skipped", "cannot")]


def test_no_two_cases_of_a_report_share_their_names() -> None:
    """GitLab counts only the first of them: the others get a number, also where somebody wrote that number before."""
    root = a_report(a_case(), a_case(name="one (2)"), a_case(), a_case(), a_case(suite="other"))
    names = [(case.attrib["classname"], case.attrib["name"]) for case in root.iter("testcase")]
    assert names == [
        ("rules.cwpp", "one"),
        ("rules.cwpp", "one (2)"),
        ("rules.cwpp", "one (3)"),
        ("rules.cwpp", "one (4)"),
        ("other", "one"),
    ]


def test_junit_is_xml_whatever_it_says() -> None:
    """Markup is text, and characters that XML 1.0 does not have are shown as their numbers; the report is ASCII."""
    text = f'<b>&"{ACTING}\ufffe ü\n  ::error file=x::y ##vso[task.complete]'
    report = report_of(text, [a_case(suite=text, name=text, path=text, failures=(text,), remarks=(text,))])
    assert report.isascii()
    assert commands_in(report) == []
    case = ElementTree.fromstring(report)[0][0]  # noqa: S314 - our own
    shown = '<b>&"a\\x1b[31m\\u202eb\\x00\ufffd\\ufffe ü\n  ::error file=x::y ##vso[task.complete]'
    assert case.attrib["name"] == shown.replace("\n", " ")
    assert case[0].text == case[1].text == shown
