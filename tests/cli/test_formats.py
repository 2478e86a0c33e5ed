"""What a check found, as other programs read it: annotations of GitHub, and JUnit."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from router.cli.formats import Annotation, Case, commands_for, report_of
from tests.cli.house import commands_in
from tests.cli.transcripts import Transcript

ACTING = "a\x1b[31m\u202eb\x00\ud800"
"""Text that would paint a terminal, turn the direction of reading, and be no XML."""


def an_annotation(number: int = 1, **changes: Any) -> Annotation:
    """An annotation of a line."""
    given: dict[str, Any] = {"level": "error", "code": "no-end", "message": f"is wrong {number}", "line": number}
    return Annotation(**({"path": "rules/a.json"} | given | changes))


def a_case(**changes: Any) -> Case:
    """A case that passed."""
    return Case(**{"suite": "rules.cwpp", "name": "one", "path": "rules/cwpp/one.yaml"} | changes)


def test_github_is_told_the_sum_first_and_the_worst_first(transcript: Transcript) -> None:
    """Errors stand before warnings, each beside its line; line ends and what ends a property are escaped, what acts is shown.

    Ten errors and ten warnings of a step are shown; all of them are in the log, and the sum says how much is not shown.
    """
    odd = an_annotation(path="a,b:c%\n::error::.json", message=f"100%\r\n::set-output name=x::{ACTING}", line=None)
    some = [an_annotation(3, level="warning"), an_annotation(4), odd]
    transcript.notes("in order", "\n".join(commands_for("::a", "x\n::b", some)))
    for errors, warnings in ((10, 10), (11, 10), (12, 13)):
        many = [*map(an_annotation, range(errors)), *(an_annotation(one, level="warning") for one in range(warnings))]
        sum, *lines = commands_for("rules check", "sum", many)
        transcript.notes("of many", sum)
        assert len(lines) == errors + warnings


def test_junit_counts_and_names_cases(transcript: Transcript) -> None:
    """Suites in order, each with its cases: file and line, and both forms of a failure.

    GitLab counts only the first of equal names: the others get a number, also where somebody wrote that number before.
    """
    named = [a_case(suite="names"), a_case(suite="names", name="one (2)"), a_case(suite="names"), a_case(suite="names")]
    cases = [
        a_case(line=3, failures=("first", "second"), skipped="no"),
        a_case(name="two", remarks=("warning: old",)),
        a_case(suite="rules.cspm", skipped="cannot"),
        *named,
    ]
    transcript.notes("report", report_of("rules test", cases))


def test_junit_is_xml_whatever_it_says() -> None:
    """Markup is text, and characters that XML 1.0 does not have are shown as their numbers; the report is ASCII."""
    text = f'<b>&"{ACTING}\ufffe ü\n  ::error file=x::y ##vso[task.complete]'
    report = report_of(text, [a_case(suite=text, name=text, path=text, failures=(text,), remarks=(text,))])
    assert report.isascii()
    assert commands_in(report) == []
    case = ElementTree.fromstring(report)[0][0]
    shown = '<b>&"a\\x1b[31m\\u202eb\\x00\ufffd\\ufffe ü\n  ::error file=x::y ##vso[task.complete]'
    assert case.attrib["name"] == shown.replace("\n", " ")
    assert case[0].text == case[1].text == shown
