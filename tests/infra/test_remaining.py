"""After azd provisioned, somebody is told what is left to do."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from infra.programs import NoAnswer
from infra.proof import LONGEST
from infra.remaining import SEND, STANDING, closing_lines, main, secret_in_vault
from router.app.rules import load_rules
from router.app.settings import now
from router.domain.signals import Stream
from tests.builders import RULES
from tests.infra.azd import OUTPUTS as AZURE_OUTPUTS
from tests.infra.azd import SUBSCRIPTION
from tests.infra.predicted import Deployment

OUTPUTS = {**AZURE_OUTPUTS, "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION}
NAMES = ("PAGERDUTY_ROUTING_KEY", "SERVICENOW_PASSWORD", "SERVICENOW_POSTURE_PASSWORD")


def said(rules: Path, references: Mapping[str, str] | NoAnswer = MappingProxyType({})) -> list[str]:
    """What somebody with those rules is told."""
    return list(closing_lines(load_rules(rules, list(Stream), now()), OUTPUTS, references))


def secrets_named(lines: list[str]) -> dict[str, str]:
    """The secrets that are to be put into the vault: the app setting's name, and the vault's."""
    found = (re.search(r"--name (\S+) .*# (\w+)$", line) for line in lines)
    return {one[2]: one[1] for one in found if one}


def test_each_secret_is_put_where_its_reference_looks(azure: Deployment) -> None:
    """The name that people are told is the one that the app setting names; no value is said, and none is asked for. The
    starter's rules name the settings that hold what is deployed, and need no line about an endpoint."""
    lines, settings = said(RULES), azure.settings
    assert set(secrets_named(lines)) == set(NAMES)
    for name, there in secrets_named(lines).items():
        assert settings[name].endswith(f";SecretName={there})")
        assert there == secret_in_vault(name)
    assert not [line for line in lines if re.search("@Microsoft|in the vault|endpoint", line)]


def test_what_is_not_yet_is_said_as_the_app_says_it() -> None:
    """Each destination with all that it lacks; what settings name is there."""
    lines = said(RULES, {NAMES[0]: "Resolved", NAMES[1]: "AccessToKeyVaultDenied"})
    assert [line for line in lines if ": not yet: " in line] == [
        "  cwpp oncall: not yet: events.pagerduty.example ends in .example, which is never asked",
        "  cwpp soc-tickets: not yet: SERVICENOW_PASSWORD is still a reference to Key Vault, "
        "servicenow.example ends in .example, which is never asked",
        "  cspm backlog: not yet: SERVICENOW_POSTURE_PASSWORD is still a reference to Key Vault, "
        "servicenow.example ends in .example, which is never asked",
        "  cspm soc-coverage: not yet: SERVICENOW_POSTURE_PASSWORD is still a reference to Key Vault, "
        "servicenow.example ends in .example, which is never asked",
    ]
    assert set(secrets_named(lines)) == set(NAMES[1:])
    assert [line for line in lines if "Azure says" in line] == ["  # Azure says of it: AccessToKeyVaultDenied"]
    assert "  azd hooks run postdeploy" in lines


def test_where_all_is_there_only_the_proof_and_what_stood_before_are_told(tmp_path: Path) -> None:
    """Nobody is sent to do what is done."""
    shutil.copytree(RULES, tmp_path, dirs_exist_ok=True)
    for stream in Stream:
        policy = tmp_path / stream.value / "policy.yaml"
        policy.write_text(
            policy.read_text()
            .replace("pagerduty.example", "pagerduty.com")
            .replace("servicenow.example", "soc.invalid")
        )
    lines = said(tmp_path, dict.fromkeys(NAMES, "Resolved"))
    assert lines[0].startswith(f"Raise a sample alert and see it routed, within {LONGEST} minutes at most")
    assert not [line for line in lines if "not yet" in line or "keyvault" in line]


def test_what_cannot_be_told_is_unknown_and_stops_nothing() -> None:
    """Every secret is named, and no destination blamed for one."""
    lines = said(RULES, NoAnswer("ERROR: Please run 'az login'."))
    assert lines[0] == "Everything works but for these; what is due there is owed until then:"
    assert not [line for line in lines if "reference to Key Vault" in line]
    (at,) = (
        at
        for at, line in enumerate(lines)
        if line.startswith("unknown: whether the app has its secrets (ERROR: Please")
    )
    assert lines[at + 1].endswith('/appsettings/refresh?api-version=2022-03-01"')
    assert set(secrets_named(lines)) == set(NAMES)


def test_what_stood_before_is_asked_for_and_sent() -> None:
    """By the commands of docs/deploy.md, the namespace filled in."""
    lines = [line.strip() for line in said(RULES)]
    at = lines.index(STANDING[0])
    assert lines[at + 1] == STANDING[1]
    sent = f"EVENT_HUBS__fullyQualifiedNamespace=evhns-test.servicebus.windows.net {SEND}"
    assert lines[at + 2] == f"{sent}  # as one of ROUTER_SENDERS"


def written_out(directory: Path, outputs: Mapping[str, str]) -> Path:
    """The starter's rules, with endpoints and rules in the place of the settings that they name."""
    shutil.copytree(RULES, directory, dirs_exist_ok=True)
    for stream in Stream:
        path = directory / stream.value / "policy.yaml"
        text = re.sub(r"\{setting: (\w+)\}", lambda named: outputs[named[1]], path.read_text())
        path.write_text(text)
    return directory


def test_each_destination_of_rows_is_told_the_rule_of_its_stream(tmp_path: Path) -> None:
    """Those that write another rule out; the record's second home too. Rules that name what is deployed are left in peace."""
    other = {name: value.replace("alerts", "other").replace("posture", "another") for name, value in OUTPUTS.items()}
    lines = "\n".join(said(written_out(tmp_path, other)))
    for stream, what in (("cwpp", "sentinel"), ("cwpp", "record"), ("cspm", "posture"), ("cspm", "record")):
        block = f"  rules/{stream}/policy.yaml, {what}:\n    endpoint: {OUTPUTS[f'{stream.upper()}_LOGS_ENDPOINT']}"
        assert f"{block}\n    rule: {OUTPUTS[f'{stream.upper()}_LOGS_RULE']}" in lines
    deployed = {name: f"{value}/" if value.startswith("https:") else value for name, value in OUTPUTS.items()}
    assert not [line for line in said(written_out(tmp_path, deployed)) if "endpoint" in line]


def test_without_azd_it_says_so(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs it by hand too early is told what to run first."""
    for name in OUTPUTS:
        monkeypatch.delenv(name, raising=False)
    assert main(RULES) == 1
    assert capsys.readouterr().err == "AZURE_SUBSCRIPTION_ID: azd has no such output; run azd provision first\n"
