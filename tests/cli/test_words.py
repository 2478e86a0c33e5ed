"""What an alert's words, a file's name or a vendor's answer can do to its reader at a terminal or in a pipeline: be read."""

import json
import tempfile
from io import StringIO
from pathlib import Path
from typing import Any
from unicodedata import category
from xml.etree import ElementTree

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.text import Text

from router.cli.decisions import decisions_at
from router.cli.formats import Annotation, Case, commands_for, report_of
from router.cli.printing import json_of
from router.cli.screen import print_table, screen, table_of
from router.cli.streams import complain
from router.domain.readable import legible, legible_json, one_line
from tests.cli.house import House, Transcript, commands_in, ndjson
from tests.destinations.builders import an_entry
from tests.destinations.test_words import FRAGMENTS, HOSTILE, acts
from tests.parse.messages import a_flat_alert

CLI = Path(__file__).parents[2] / "router" / "cli"
TURNED = "a\u202egpj.exe\x1b[2J\x9b31m\u2066\u200b\U000e0041\x7f"
ORDERS = (
    "::error file=a,line=1::x\n::stop-commands::t\r  ::add-mask::e\u2028::set-output name=a::b\n##vso[task.complete]"
)
CANARY = "abcdef0123456789abcdef"
EVIL = "".join(one for one in FRAGMENTS if not one.isprintable() and not "\ud800" <= one <= "\udfff")


def alert_of(text: str, id: str) -> dict[str, object]:
    """An alert whose every word is that text."""
    return a_flat_alert(
        SystemAlertId=id,
        AlertDisplayName=text,
        AlertType=text,
        Description=text,
        CompromisedEntity=text,
        AlertUri=text,
        RemediationSteps=[text],
        AzureResourceId=f"/subscriptions/{text}/resourceGroups/{text}/providers/a/b/{text}",
        Entities=[{"Type": "host", "HostName": text}],
        ExtendedProperties={text: text},
        Status=text,
        Severity=text,
    )


@pytest.mark.parametrize("format", ["text", "json"])
def test_no_command_that_shows_a_message_lets_it_act(house: House, format: str) -> None:
    """Explained, routed, dead or in quarantine, listed or shown, as text or as JSON, which stays the same data.

    So it is with the life of a signal, which shows no credential that the alert quotes, and a list of several. An agent of a
    pipeline obeys none of it: GitHub's obeys a line that begins with ::, which could stop all later annotations.
    """
    title = f"curl -H 'Authorization: Bearer {CANARY}'"
    secret = a_flat_alert(SystemAlertId="3", AlertDisplayName=title, AzureResourceId=f"/subscriptions/1/{title}")
    alerts = (*(alert_of(EVIL, f"{one}{EVIL}") for one in (1, 2)), secret, alert_of(ORDERS, ORDERS))
    messages = (*alerts, {EVIL: EVIL}, {"no": ORDERS}, f"?{EVIL}".encode(), ORDERS.split("\n")[1].encode())
    evil = house.writes(f"{TURNED}.ndjson", ndjson(*messages))
    (house.directory / "people.ndjson").mkdir()
    says = [house.says("run", "--now", f"2026-11-{day}T12:00:00Z", evil) for day in ("20", "24")]
    says.append(house.says("explain", "--format", format, evil))
    for command in ("dead-letters", "quarantine"):
        says.append(house.says(command, "list", "--format", format))
        listed = json.loads(house.says(command, "list", "--format", "json").out)
        assert listed
        says += [house.says(command, "show", one["id"], "--format", format) for one in listed]
    says += [house.says("quarantine", "retake", "--all"), house.says("run", "--dry-run", evil)]
    lives = [house.says("explain", id, "--format", format) for id in (f"1{EVIL}", "3", ORDERS, EVIL, f"4{EVIL}")]
    assert [said.code for said in lives] == [0, 0, 0, 2, 2]
    assert CANARY not in lives[1].out
    says += lives
    says += [house.says("explain", one, "--notice", "people", "--format", format) for one in (evil, ORDERS)]
    assert any("set-output" in said.out for said in says)
    assert [line for said in says for line in commands_in(said.out + said.err)] == []
    assert [one for said in says for one in said.out + said.err if acts(one)] == []
    if format == "json":
        # No database of the state holds a NUL in a text.
        assert json.loads(says[2].out)[0]["decision"]["title"] == EVIL.replace("\0", "\ufffd")


def test_a_table_shows_no_credential(capsys: pytest.CaptureFixture[str]) -> None:
    """Titles and errors quote what messages say, and whoever looks over a shoulder reads them, too."""
    print_table(screen(), table_of(("title",), [("ran tool --password hUnter2Canary -v",)]))
    assert capsys.readouterr().out.split("\n")[1] == "  ran tool --password [masked] -v"


def test_no_complaint_lets_a_name_act(house: House, subtests: pytest.Subtests) -> None:
    """Of a file that is not there, of rules in one, of an option that is none, of a state; nor does it make a line."""
    house.writes(f"rules/cwpp/suppressions/{TURNED}.json", '{"properties": {"\\u202e": 1}}')
    house.writes(f"{TURNED}.json", "{}")
    for arguments in (
        ("explain", f"{TURNED}.none"),
        ("explain", f"{TURNED}.json"),
        ("run", f"--{TURNED}", "x"),
        ("run", "--state", f"{TURNED}.json", f"{TURNED}.json"),
        ("rules", "check", TURNED),
        ("rules", "schema", TURNED),
        ("rules", "check"),
        ("rules", "check", "--format", "json"),
        ("rules", "test"),
        ("dead-letters", "list", "--state", TURNED),
    ):
        with subtests.test(command=arguments):
            said = house.says(*arguments)
            assert [one for one in said.out + said.err if acts(one)] == []
            assert "u202e" in said.out + said.err
    assert house.says("explain", "a\nrules: 0 problems").complaint.startswith("a rules: 0 problems: is no file")
    # File systems allow bytes that no encoding has.
    house.writes("rules/cwpp/suppressions/a\udcffb.json", "{}")
    problems = json.loads(house.says("rules", "check", "--format", "json").out)["problems"]
    assert any(one["file"].endswith("a\ufffdb.json") for one in problems)


@settings(deadline=None)
@given(text=HOSTILE | st.text())
def test_any_text_on_a_terminal_is_words(text: str) -> None:
    """Printed alone, painted or in a table, whose cell is one line; what a complaint quotes is one, too."""
    to = screen()
    to.file = StringIO()
    with to.capture() as captured:
        to.print(text)
        to.print(text, style="bold")
        print_table(to, table_of(("head", text), [(text, text)]))
    assert not any(map(acts, captured.get() + to.file.getvalue()))
    assert isinstance(to.render_str(text), Text)
    with pytest.MonkeyPatch.context() as patch, StringIO() as error:
        patch.setattr("sys.stderr", error)
        complain(text)
        (line,) = error.getvalue().split("\n")[:-1]
    assert not any(map(acts, line))


@settings(deadline=None)
@given(
    value=st.recursive(
        HOSTILE | st.none() | st.integers(-9, 9), lambda inner: st.lists(inner) | st.dictionaries(HOSTILE, inner)
    )
)
def test_json_on_a_terminal_is_the_same_data_and_acts_on_nobody(value: object) -> None:
    """Control, bidirectional and unseen characters stand there as escapes; what no UTF-8 carries is replaced."""
    written = json_of(value)
    assert not any(map(acts, written.decode()))
    plain = json.loads(json.dumps(value).encode("utf-16-le", "surrogatepass").decode("utf-16-le"))
    if not any("\ud800" <= one <= "\udfff" for one in json.dumps(value, ensure_ascii=False)):
        assert orjson.loads(written) == plain


@settings(deadline=None)
@given(title=HOSTILE)
def test_a_line_of_the_decisions_file_is_the_same_data(title: str) -> None:
    """It may be written to a terminal, too."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "decisions.ndjson"
        with decisions_at(path) as decisions:
            decisions.write([an_entry(title=title)])
        written = path.read_bytes()
    assert not any(map(acts, written.decode()))
    carried = title.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    assert json.loads(written)["title"] == (carried or None)


@settings(deadline=None)
@given(text=HOSTILE | st.text())
def test_what_is_legible_stays_as_it_is(text: str) -> None:
    """Said twice it is said once; on one line it has no other."""
    assert legible(legible(text)) == legible(text)
    assert one_line(one_line(text)) == one_line(text)
    assert "\n" not in one_line(text)
    assert all(category(one) not in {"Cc", "Cf"} or one == "\n" for one in legible(text))
    assert legible_json('"\U000e0041\u202e"'.encode()) == b'"\\udb40\\udc41\\u202e"', "in pairs, as JSON says them"


def test_one_file_alone_writes_to_standard_error() -> None:
    """A complaint goes one way, so that none forgets what a name can do."""
    assert [path.name for path in CLI.rglob("*.py") if "sys.stderr.write" in path.read_text()] == ["streams.py"]


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
