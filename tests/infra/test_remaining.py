"""After azd provisioned, somebody is told what is left to do."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from infra.remaining import remaining, secret_in_vault
from router.assembly import load_rules, now
from router.domain.signals import Stream
from tests.builders import RULES
from tests.infra.predicted import Deployment
from tests.infra.test_app_settings import settings_of

OUTPUTS = {
    "KEY_VAULT_NAME": "kv-test",
    "CWPP_LOGS_ENDPOINT": "https://alerts.ingest.monitor.azure.com",
    "CWPP_LOGS_RULE": "dcr-alerts",
    "CSPM_LOGS_ENDPOINT": "https://posture.ingest.monitor.azure.com",
    "CSPM_LOGS_RULE": "dcr-posture",
}


def said(rules: Path) -> list[str]:
    """What somebody with those rules is told."""
    return list(remaining(load_rules(rules, list(Stream), now()), OUTPUTS))


def test_each_secret_is_put_where_its_reference_looks(azure: Deployment) -> None:
    """The name that people are told is the one that the app setting names."""
    settings = settings_of(azure)
    lines = (re.search(r"--name (\S+) .*# (\w+)$", line) for line in said(RULES))
    told = {found[2]: found[1] for found in lines if found}
    assert set(told) == {"PAGERDUTY_ROUTING_KEY", "SERVICENOW_PASSWORD", "SERVICENOW_POSTURE_PASSWORD"}
    for name, there in told.items():
        assert settings[name].endswith(f";SecretName={there})")
        assert there == secret_in_vault(name)


def written_out(directory: Path, outputs: Mapping[str, str]) -> Path:
    """The shipped rules, with endpoints and rules in the place of the settings that they name."""
    shutil.copytree(RULES, directory, dirs_exist_ok=True)
    for stream in Stream:
        path = directory / stream.value / "policy.yaml"
        text = re.sub(r"\{setting: (\w+)\}", lambda named: outputs[named[1]], path.read_text())
        path.write_text(text)
    return directory


def test_each_destination_of_rows_is_told_the_rule_of_its_stream(tmp_path: Path) -> None:
    """Those that write another rule out; the record's second home too."""
    other = {name: value.replace("alerts", "other").replace("posture", "another") for name, value in OUTPUTS.items()}
    lines = "\n".join(said(written_out(tmp_path, other)))
    for stream, what in (("cwpp", "sentinel"), ("cwpp", "record"), ("cspm", "posture"), ("cspm", "record")):
        block = f"  rules/{stream}/policy.yaml, {what}:\n    endpoint: {OUTPUTS[f'{stream.upper()}_LOGS_ENDPOINT']}"
        assert f"{block}\n    rule: {OUTPUTS[f'{stream.upper()}_LOGS_RULE']}" in lines


def test_what_is_written_already_is_not_told_again(tmp_path: Path) -> None:
    """Rules that name what is deployed are left in peace."""
    deployed = {name: f"{value}/" if value.startswith("https:") else value for name, value in OUTPUTS.items()}
    assert not [line for line in said(written_out(tmp_path, deployed)) if "endpoint" in line]


def test_the_shipped_rules_need_no_such_line() -> None:
    """They name the settings that hold what is deployed."""
    assert not [line for line in said(RULES) if "endpoint" in line]


def test_without_azd_it_says_so(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs it by hand too early is told what to run first."""
    from infra.remaining import main

    for name in OUTPUTS:
        monkeypatch.delenv(name, raising=False)
    assert main() == 1
    assert capsys.readouterr().err == "KEY_VAULT_NAME: azd has no such output; run azd provision first\n"
