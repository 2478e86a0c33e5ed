"""docs/attack.md shows what the command prints, of alerts that the starter's rules decide."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.builders import RULES
from tests.cli.house import House, ndjson
from tests.docs.pages import page

PAGE = page("docs/attack.md")
_HASH = re.compile(r"(?<=^rules     )[0-9a-f]+", re.MULTILINE)
GROUPS = "/subscriptions/6f0a3c52-8d1e-4b7a-9c45-2e71d0b8a110/resourceGroups"


def an_alert(
    number: int, type: str, severity: str, intent: str, *techniques: str, **changes: object
) -> dict[str, object]:
    """An alert on a machine of the payments team."""
    return {
        "VendorName": "Microsoft",
        "AlertType": type,
        "AlertDisplayName": type,
        "Severity": severity,
        "Status": "New",
        "SystemAlertId": f"00000000-0000-4000-8000-{number:012}",
        "Intent": intent,
        "Techniques": list(techniques),
        "AzureResourceId": a_machine("rg-payments", "vm-pay-01"),
        "Entities": [],
    } | changes


def a_machine(group: str, name: str) -> str:
    """The id of a machine."""
    return f"{GROUPS}/{group}/providers/Microsoft.Compute/virtualMachines/{name}"


def entities(group: str, **others: str) -> list[dict[str, str]]:
    """What rules look at."""
    return [
        {"$id": "1", "Type": "azure-resource", "ResourceId": a_machine(group, "vm-01")},
        *({"$id": f"2{kind}", "Type": kind, "Address": value} for kind, value in others.items()),
    ]


ALERTS = [
    an_alert(1, "SQL.DB_BruteForce", "High", "PreAttack", "T1110"),
    an_alert(2, "SQL.DB_BruteForce", "Medium", "PreAttack", "T1110", Entities=entities("rg-data", ip="10.20.0.5")),
    an_alert(3, "VM_AmBroadFilesExclusion", "Medium", "DefenseEvasion", "T1562.001", Entities=entities("rg-build")),
    an_alert(4, "VM_SuspiciousScriptExecution", "Informational", "Execution", "T1059.004"),
    an_alert(5, "K8S_PrivilegedContainer", "High", "PrivilegeEscalation", "T1611"),
    an_alert(6, "VM_Unusual", "High", "Exfiltration"),
]


def test_the_page_shows_what_the_commands_print(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Typed as they stand there, with the starter's rules, at the instant that the page names."""
    monkeypatch.chdir(tmp_path)
    house = House(tmp_path, capsys)
    shutil.copytree(RULES, tmp_path / "rules")
    house.writes("alerts.ndjson", ndjson(*ALERTS))
    decide, show = PAGE.fence("from a file").splitlines()
    assert house.says(*shlex.split(decide)[1:]).code == 0
    said = house.says(*shlex.split(show)[1:])
    # The rulebook's hash is another one with every change to the starter's rules.
    printed, shown = (_HASH.sub("", text) for text in (said.out, PAGE.fence("what it prints")))
    assert printed == shown
    (layer,) = json.loads((tmp_path / "layer.json").read_bytes())
    assert layer["name"] == "cwpp: blind spots"
