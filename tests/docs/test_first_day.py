"""The steps of docs/deploy.md, followed to the letter against doubles of azd and az, with the real hooks and rules."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.test_deploy_rules import PAGE, write_addresses
from tests.infra.azd import NAME, SUBSCRIPTION, Azd, az_that_knows, azd_on, locked_python, references
from tests.infra.predicted import DEFENDER, OPERATORS
from tests.infra.test_proof import COLUMNS, NOW, row

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
