"""The steps of docs/deploy.md, followed to the letter against doubles of azd and az; rules that it tells to write are sound."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from router.cli import main
from tests.builders import RULES
from tests.docs.pages import page, spans
from tests.infra.azd import NAME, SUBSCRIPTION, Azd, az_that_knows, azd_on, locked_python, references
from tests.infra.predicted import DEFENDER, OPERATORS
from tests.infra.test_proof import COLUMNS, NOW, row

PAGE = page("docs/deploy.md")
HEADING = "3. Rules"
INSTANCE = "https://soc.invalid"
"""The https address of the newcomer's instance."""

DESTINATIONS = [
    (stream, name)
    for stream in ("cwpp", "cspm")
    for name in yaml.safe_load((RULES / stream / "policy.yaml").read_text())["destinations"]
]


def write_addresses(rules: Path) -> None:
    """Does each row of the table."""
    for edit in PAGE.table(HEADING, "in"):
        (file,), (theirs,), own = (spans(edit[head]) for head in ("in", "in the place of", "write"))
        path = rules.parent / file
        text = path.read_text()
        assert theirs in text, (file, theirs)
        path.write_text(text.replace(theirs, own[0] if own else INSTANCE))


def delete_destination(policy: Path, name: str) -> None:
    """Does what the page says of a destination that somebody does not want."""

    def edit(said: dict[str, Any]) -> None:
        del said["destinations"][name]
        (other, *_) = [one for one in said["destinations"] if one not in said.get("always", ())] or said["destinations"]
        for route in said["routes"]:
            route["to"], had = [one for one in route["to"] if one != name], bool(route["to"])
            route["is left"] = bool(route["to"]) or not had
        said["routes"] = [route for route in said["routes"] if route.pop("is left")]
        said["always"] = [one for one in said["always"] if one != name]
        said["otherwise"] = [one for one in said["otherwise"] if one != name] or [other]

    edit_yaml(policy, edit)


def delete_examples(said: str) -> bool:
    """Deletes each example that `rules test` names; whether it named any."""
    named: dict[Path, set[int]] = {}
    for file, line in re.findall(r"^(\S+/examples/\S+\.yaml):(\d+): .*: expected ", said, re.MULTILINE):
        named.setdefault(Path(file), set()).add(int(line))
    for path, lines in named.items():
        document = yaml.compose(path.read_text())
        assert isinstance(document, yaml.SequenceNode)
        starts = [node.start_mark.line + 1 for node in document.value]
        assert lines <= set(starts)
        left = [one for one, line in zip(yaml.safe_load(path.read_text()), starts, strict=True) if line not in lines]
        path.write_text(yaml.safe_dump(left, sort_keys=False))
    return bool(named)


def edit_yaml(file: Path, edit: Callable[[Any], None]) -> None:
    """Changes what a file says."""
    said = yaml.safe_load(file.read_text())
    edit(said)
    file.write_text(yaml.safe_dump(said, sort_keys=False))


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """What a new clone has, with the newcomer's own addresses."""
    rules = shutil.copytree(RULES, tmp_path / "rules")
    write_addresses(rules)
    return rules


def assert_sound(rules: Path, capsys: pytest.CaptureFixture[str], *, deleting: bool) -> None:
    """`rules check` has nothing to say, and `rules test` nothing that is not to be deleted."""
    assert main(["rules", "check", str(rules)]) == 0, capsys.readouterr()
    assert ": 0 problems; 0 warnings; " in capsys.readouterr().out
    code, said = main(["rules", "test", str(rules)]), capsys.readouterr().out
    assert (code, delete_examples(said)) == (int(deleting), deleting), said
    assert main(["rules", "test", str(rules)]) == 0, capsys.readouterr()


def test_own_addresses_leave_no_example_behind(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every address that ends in .example is in the table; all examples go on to hold."""
    texts = [(rules / stream / "policy.yaml").read_text() for stream in ("cwpp", "cspm")]
    assert [found for text in texts for found in re.findall(r"^ +url: .*\.example\b.*", text, re.MULTILINE)] == []
    assert_sound(rules, capsys, deleting=False)


@pytest.mark.parametrize(("stream", "name"), DESTINATIONS)
def test_whoever_does_not_want_a_destination(
    rules: Path, capsys: pytest.CaptureFixture[str], stream: str, name: str
) -> None:
    """What the page says to delete with it is all that names it."""
    delete_destination(rules / stream / "policy.yaml", name)
    assert_sound(rules, capsys, deleting=True)


def test_whoever_does_not_want_the_starters_suppressions_and_owners_or_posture(
    rules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their files can go: nothing but examples needs them; and alerts alone are enough."""
    for path in (*rules.glob("*/suppressions/*.json"), rules / "owners.yaml"):
        path.unlink()
    assert_sound(rules, capsys, deleting=True)
    shutil.rmtree(rules / "cspm")
    assert_sound(rules, capsys, deleting=False)


def test_a_route_for_changed_files(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As the section on file integrity has it."""
    (route,) = re.findall(r"`(alert_type: [\w-]+)`", page("docs/deploy-choices.md").section("File integrity"))

    def edit(said: dict[str, Any]) -> None:
        said["routes"].append({"name": "files", "when": yaml.safe_load(route), "to": ["oncall"]})

    edit_yaml(rules / "cwpp" / "policy.yaml", edit)
    assert_sound(rules, capsys, deleting=False)


SECRETS = ("PAGERDUTY_ROUTING_KEY", "SERVICENOW_PASSWORD", "SERVICENOW_POSTURE_PASSWORD")

SHOWN = {
    "login": None,
    "account set": None,
    "account show --query id": (f"{SUBSCRIPTION}\n", ""),
    "ad signed-in-user show": (f"{OPERATORS[0]}\n", ""),
    "security pricing create": None,
    "security setting create": None,
    "security location list": [{"name": "centralus"}],
    "security alert list": [],
    "monitor metrics list": None,
    "monitor log-analytics workspace show": {"customerId": "workspace-1"},
    "functionapp keys list": ("a-key\n", ""),
    "resource list": ["alert-router-cspm", "alert-router-cwpp"],
    "keyvault secret set": None,
    "rest --method post --url https://management.azure.com": None,
    "rest --method post --url https://api.loganalytics.io": {
        "tables": [{"columns": [{"name": name} for name in ("at", *COLUMNS)], "rows": [[NOW, *row()]]}]
    },
}
"""What az says to the commands of the page."""


@pytest.fixture
def azd(tmp_path: Path) -> Azd:
    """A machine that has what the page asks for, and an Azure in which all is there that must be there first."""
    azd = azd_on(tmp_path / "project", locked_python(tmp_path / "hooks_env"))
    az_that_knows(azd, DEFENDER, SHOWN)
    programs = {"curl": 'echo "curl $*" >> asked', "python3": f'exec {azd.python} "$@"'}
    for name, does in programs.items():
        (azd.project / "bin" / name).write_text(f"#!/bin/sh\n{does}\n")
        (azd.project / "bin" / name).chmod(0o755)
    (azd.project / ".venv").symlink_to(Path(sys.executable).parents[1])
    return azd


def commands(heading: str) -> str:
    """What stands under a heading to be typed, with what only the reader knows."""
    (_, after) = PAGE.text.split(f"\n### {heading}\n")
    (section, *_) = re.split(r"^##+ ", after, flags=re.MULTILINE)
    shell = "".join(re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL))
    return re.sub(r"env new NAME\b", f"env new {NAME}", shell).replace("--subscription SUBSCRIPTION", SUBSCRIPTION)


def followed(azd: Azd, heading: str, before: str = "") -> str:
    """What the reader of a section sees; each command must succeed."""
    shell = f"set -eu\n{before}\n{commands(heading)}"
    path = {"PATH": f"{azd.project / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin"}
    done = subprocess.run(["sh", "-c", shell], cwd=azd.project, env=path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.replace("WARNING: old\n", "")) == (0, "")
    return done.stdout


def test_from_nothing_to_a_routed_alert(azd: Azd) -> None:
    """`azd up`, a sample alert, secrets, rules: and nothing is left that is not there yet."""
    said = followed(azd, "1. `azd up`")
    assert [line.split(":")[0].strip() for line in said.splitlines() if "not yet:" in line] == [
        "cwpp oncall",
        "cwpp soc-tickets",
        "cspm backlog",
        "cspm soc-coverage",
    ]
    assert "alert-router-cspm" in said
    assert "curl --silent --header x-functions-key: a-key" in "\n".join(azd.asked)
    known = azd.environment()
    assert (known["AZURE_SUBSCRIPTION_ID"], known["ROUTER_OPERATORS"]) == (SUBSCRIPTION, OPERATORS[0])

    values = 'eval "$(azd env get-values)"'
    assert "routed: High A sample" in followed(azd, "A sample alert", values)

    az_that_knows(azd, DEFENDER, {**SHOWN, "rest --method get": references(**dict.fromkeys(SECRETS, "Resolved"))})
    said = followed(azd, "2. Secrets", values)
    assert "reference to Key Vault" not in said and "az keyvault" not in said
    assert "ends in .example" in said

    write_addresses(azd.project / "rules")
    said = followed(azd, "3. Rules")
    assert "not yet" not in said and ".example" not in said


def test_what_the_reader_is_told_to_type_first_is_what_azd_up_said(azd: Azd) -> None:
    """A command that mends something is one that az has, with nothing to fill in."""
    lacking = {
        "provider list": [{"namespace": "Microsoft.Web", "registrationState": "NotRegistered"}],
        "security pricing list": {"value": [{"name": "VirtualMachines", "pricingTier": "Free"}]},
    }
    az_that_knows(azd, DEFENDER, {**SHOWN, **lacking})
    outcome = azd.up()
    assert outcome.code == 1
    mended = re.findall(r"az security pricing create .*--name (\w+)$", outcome.said, re.MULTILINE)
    assert mended == re.findall(r"az security pricing create .*--name (\w+)$", commands("1. `azd up`"), re.MULTILINE)
