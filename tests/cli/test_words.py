"""What an alert's words, a file's name or a vendor's answer can do to whoever sits at a terminal: be read."""

from __future__ import annotations

import json
import tempfile
from io import StringIO
from pathlib import Path
from unicodedata import category

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.text import Text

from router.cli.decisions import decisions_at
from router.cli.printing import json_of
from router.cli.screen import print_table, screen, table_of
from router.cli.streams import complain
from router.domain.readable import legible, legible_json, one_line
from tests.cli.house import House, ndjson
from tests.destinations.builders import an_entry
from tests.destinations.test_words import FRAGMENTS, HOSTILE, acts
from tests.parse.messages import a_flat_alert

CLI = Path(__file__).parents[2] / "router" / "cli"
TURNED = "a\u202egpj.exe\x1b[2J\x9b31m\u2066\u200b\U000e0041\x7f"
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

    So it is with the life of a signal, which shows no credential that the alert quotes, and a list of several.
    """
    title = f"curl -H 'Authorization: Bearer {CANARY}'"
    secret = a_flat_alert(SystemAlertId="3", AlertDisplayName=title, AzureResourceId=f"/subscriptions/1/{title}")
    messages = (*(alert_of(EVIL, f"{one}{EVIL}") for one in (1, 2)), secret, {EVIL: EVIL}, f"?{EVIL}".encode())
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
    lives = [house.says("explain", id, "--format", format) for id in (f"1{EVIL}", "3", EVIL, f"4{EVIL}")]
    assert [said.code for said in lives] == [0, 0, 2, 2]
    assert CANARY not in lives[1].out
    says += lives
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


def test_a_name_that_is_no_text_is_shown_all_the_same(house: House) -> None:
    """File systems allow bytes that no encoding has; also where a rule is called so."""
    house.writes("rules/cwpp/suppressions/a\udcffb.json", "{}")
    said = house.says("rules", "check", "--format", "json")
    assert said.code == 1, said
    assert any(one["file"].endswith("a\ufffdb.json") for one in json.loads(said.out)["problems"])


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


def test_json_is_escaped_in_pairs() -> None:
    """As JSON says characters beyond the first 65,536."""
    assert legible_json('"\U000e0041\u202e"'.encode()) == b'"\\udb40\\udc41\\u202e"'


def test_one_file_alone_writes_to_standard_error() -> None:
    """A complaint goes one way, so that none forgets what a name can do."""
    assert [path.name for path in CLI.rglob("*.py") if "sys.stderr.write" in path.read_text()] == ["streams.py"]
