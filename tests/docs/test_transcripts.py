"""What pages tell a reader to type is typed to the letter, and prints what they show."""

import json
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from tests.builders import RULES, alert_body
from tests.cli.house import House
from tests.docs.pages import ROOT, page

QUESTIONS, ATTACK, COVERAGE = page("docs/questions.md"), page("docs/attack.md"), page("docs/coverage.md")
FIRST_STEPS = page("docs/first-steps.md").text
SAMPLES = ROOT / "alert_router_demo" / "samples" / "coverage"
NOW = "2026-11-26T09:00:00Z"
"""When the bundled documents of coverage were made."""

_ELSEWHERE = re.compile(r"(?<=^rules     )[0-9a-f]+|(?<=silence[ :])[0-9a-f]{6}\b", re.MULTILINE)
"""What is another one each time: the rulebook's hash with every change to the starter's rules, and the id of a silence."""

_FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> House:
    """An empty directory in which commands are typed, in UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.chdir(tmp_path)
    return House(tmp_path, capsys)


def test_each_question_is_answered_by_one_command_as_the_page_shows_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Typed in their order, in a directory that `init` wrote beside the samples."""
    (house.directory / "alert_router_demo").symlink_to(ROOT / "alert_router_demo")
    for fence in QUESTIONS.fences:
        if fence.language == "sh":
            for line in fence.text.splitlines():
                match shlex.split(line):
                    case ["cd", directory]:
                        monkeypatch.chdir(directory)
                    case ["alert-router", *arguments]:
                        assert house.says(*arguments).code == 0, line
                    case words:
                        subprocess.run(words, check=True)
        else:
            command, _, shown = fence.text.removeprefix("$ ").partition("\n")
            said = house.says(*shlex.split(command)[1:])
            printed, shown = (_ELSEWHERE.sub("", text) for text in (said.out, shown))
            assert (said.code, printed) == (0, shown), command
    assert len([fence for fence in QUESTIONS.fences if fence.language == "text"]) == 9


def test_the_dark_cluster_is_caught_and_mended_as_the_page_shows_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Typed in their order beside the bundled documents, at the time at which these were made."""
    monkeypatch.chdir(SAMPLES)
    shown = [fence.text for fence in COVERAGE.fences if fence.language == "text"]
    assert len(shown) == 4
    for transcript in shown:
        code = None
        for command, output in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", transcript, re.MULTILINE):
            if command == "echo $?":
                assert output == f"{code}\n"
                continue
            said = house.says(*shlex.split(command)[1:], "--now", NOW)
            # A line of three dots stands for lines, and dots at the end of a line for its rest.
            lines = (
                r"(?:.*\n)*?" if line.strip() == "..." else re.escape(line).replace(r"\ \.\.\.", " .*") + r"\n"
                for line in output.splitlines()
            )
            assert re.fullmatch("".join(lines), said.out), said.out
            code = said.code


GROUPS = "/subscriptions/6f0a3c52-8d1e-4b7a-9c45-2e71d0b8a110/resourceGroups"


def alerts() -> Iterator[bytes]:
    """Six alerts that the starter's rules decide, three of them on machines that its suppression rules look at."""
    for number, (type, severity, intent, techniques, group, address) in enumerate(
        (
            ("SQL.DB_BruteForce", "High", "PreAttack", ["T1110"], None, None),
            ("SQL.DB_BruteForce", "Medium", "PreAttack", ["T1110"], "rg-data", "10.20.0.5"),
            ("VM_AmBroadFilesExclusion", "Medium", "DefenseEvasion", ["T1562.001"], "rg-build", None),
            ("VM_SuspiciousScriptExecution", "Informational", "Execution", ["T1059.004"], None, None),
            ("K8S_PrivilegedContainer", "High", "PrivilegeEscalation", ["T1611"], None, None),
            ("VM_Unusual", "High", "Exfiltration", [], None, None),
        ),
        start=1,
    ):
        machine = f"{GROUPS}/{group}/providers/Microsoft.Compute/virtualMachines/vm-01"
        entities = [{"$id": "1", "Type": "azure-resource", "ResourceId": machine}] if group else []
        entities += [{"$id": "2", "Type": "ip", "Address": address}] if address else []
        said = {
            "AlertType": type,
            "AlertDisplayName": type,
            "Severity": severity,
            "Intent": intent,
            "Techniques": techniques,
        }
        yield alert_body(f"00000000-0000-4000-8000-{number:012}", Entities=entities, **said)


def test_the_heat_map_is_what_the_commands_print(house: House) -> None:
    """Typed as they stand there, with the starter's rules, at the instant that the page names."""
    shutil.copytree(RULES, house.directory / "rules")
    house.writes("alerts.ndjson", b"\n".join(alerts()))
    decide, show = ATTACK.fence("from a file").splitlines()
    assert house.says(*shlex.split(decide)[1:]).code == 0
    said = house.says(*shlex.split(show)[1:])
    printed, shown = (_ELSEWHERE.sub("", text) for text in (said.out, ATTACK.fence("what it prints")))
    assert printed == shown
    (layer,) = json.loads((house.directory / "layer.json").read_bytes())
    assert layer["name"] == "cwpp: blind spots"


RULE = "rules/cwpp/suppressions/pentest-sql.json"
FIRST_RULE, FIRST_DESTINATION = "A first rule in five minutes", "A first destination in five minutes"


def snippets(heading: str, language: str) -> list[str]:
    """The snippets of a language under a heading; those in a list are indented."""
    (_, after) = FIRST_STEPS.split(f"\n## {heading}\n")
    return [dedent(text) for _, found, text in _FENCE.findall(after.split("\n## ")[0]) if found == language]


def typed(house: House, text: str) -> list[tuple[int, str, str]]:
    """What each command line comes to, and what the page says of it behind `#`."""
    came = []
    for line in text.splitlines():
        program, *arguments = shlex.split(line, comments=True)
        assert program == "alert-router"
        said = house.says(*arguments)
        came.append((said.code, said.out, line.partition(" # ")[2]))
    return came


@pytest.fixture
def mine(house: House) -> House:
    """Where `init` wrote rules, with what the tutorials add to them."""
    assert house.says("init", ".").code == 0
    (rule,), (example,) = (snippets(FIRST_RULE, language) for language in ("json", "yaml"))
    (policy,) = snippets(FIRST_DESTINATION, "yaml")
    added = {RULE: rule, "rules/cwpp/examples/pentest-sql.yaml": example, "mine/cwpp/policy.yaml": policy}
    for name, text in added.items():
        house.writes(name, text)
    return house


def test_the_first_rule_does_what_the_readme_says(mine: House) -> None:
    """Before it the alert is routed; with it held, until the instant that the page names. Without it its example fails."""
    ask, check, examples = snippets(FIRST_RULE, "sh")
    checked, held, ended = typed(mine, check)
    assert (checked[0], held[0], ended[0]) == (0, 0, 0)
    (outcome, rule) = held[2].split(", ")
    assert held[1].startswith(f"alert.ndjson:1: {outcome.strip()}, {rule}")
    assert ended[1].startswith("alert.ndjson:1: routed")
    assert [code for code, *_ in typed(mine, examples)] == [0]
    (mine.directory / RULE).unlink()
    assert mine.says("rules", "test").code == 1
    ((code, said, _),) = typed(mine, ask)
    (shown,) = snippets(FIRST_RULE, "text")
    assert code == 0
    assert all(" ".join(line.split()) in " ".join(said.split()) for line in shown.splitlines() if line.strip() != "...")


def test_the_first_destination_is_tried_without_sending_anything(mine: House) -> None:
    """The commands but the one that pages."""
    (commands,) = snippets(FIRST_DESTINATION, "sh")
    *quiet, pages = commands.splitlines()
    assert pages.startswith("PAGERDUTY_ROUTING_KEY=... ")
    assert [code for code, *_ in typed(mine, "\n".join(quiet))] == [0, 0]
    assert not (mine.directory / ".state").exists()
