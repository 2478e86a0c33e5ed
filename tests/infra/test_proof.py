"""az is called for the hooks: what is left to do is told, a sample alert is raised and seen routed, the vault is read."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from infra.programs import Answer, NoAnswer, answer_of, document_of
from infra.proof import LONGEST, PAUSE, QUERY, STEPS, prove
from infra.references import refresh
from infra.remaining import SEND, STANDING, closing_lines, main, secret_in_vault
from router.app.rules import load_rules
from router.app.settings import now
from router.destinations.log_analytics import log_tables
from router.domain.signals import Stream
from tests.builders import RULES
from tests.infra.azd import OUTPUTS, SUBSCRIPTION, references
from tests.infra.predicted import ROOT, Deployment

VALUES = {**OUTPUTS, "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION}
NOW = "2026-11-25T12:00:00Z"
COLUMNS = ("TimeGenerated", "SignalTitle", "Severity", "Outcome", "Reason", "Routes", "Destinations")


def row(outcome: str = "routed", title: str = "A sample", to: str = '["oncall", "sentinel"]') -> list[str]:
    """A decision as the workspace answers it."""
    return [NOW, title, "High", outcome, "routes: page-high", '["page-high"]', to]


class Azure:
    """An Azure in which decisions can be queried one batch after another; a text is what az complains of."""

    def __init__(self, *batches: Sequence[list[str]] | str) -> None:
        self.batches = list(batches)
        self.asked: list[tuple[str, Any]] = []
        self.waited = timedelta()
        self.said: list[str] = []
        self.at: object = {"tables": [{"columns": [{"name": "at"}], "rows": [[NOW]]}]}
        self.locations = [{"name": "centralus"}]

    def ask(self, *arguments: str) -> object:
        """What az answers."""
        if arguments[0] != "rest":
            return {"customerId": "workspace-1"} if arguments[0] == "monitor" else self.locations
        url, body = arguments[arguments.index("--url") + 1], arguments[arguments.index("--body") + 1]
        self.asked.append((url, json.loads(Path(body.removeprefix("@")).read_text())))
        if "simulate" in url:
            return None
        if "now()" in self.asked[-1][1]["query"]:
            return self.at
        batch = self.batches.pop(0) if self.batches else []
        if isinstance(batch, str):
            raise NoAnswer(batch)
        return {"tables": [{"columns": [{"name": name} for name in COLUMNS], "rows": batch}]}

    def proves(self) -> bool:
        """Whether it comes through."""

        def wait(pause: timedelta) -> None:
            self.waited += pause

        return prove(VALUES, self.ask, wait, self.said.append)


def test_what_becomes_of_it_is_shown() -> None:
    """Each decision once, until one is routed."""
    azure = Azure([], [row("suppressed", "Another")], "busy", [row("suppressed", "Another"), row()], [row()])
    assert azure.proves()
    assert azure.said[-2:] == [
        "suppressed: High Another, routes: page-high, to oncall, sentinel",
        "routed: High A sample, routes: page-high, to oncall, sentinel",
    ]
    assert azure.waited == 3 * PAUSE


def test_it_is_raised_once_and_after_the_workspace_answered() -> None:
    """Where Defender keeps the subscription's data; and only what came since is looked at, by Azure's clock."""
    azure = Azure([row()])
    assert azure.proves()
    (first, simulate, then) = azure.asked
    assert first[1] == {"query": "print at = now()"}
    assert simulate == (
        f"https://management.azure.com/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Security/locations/centralus"
        "/alerts/default/simulate?api-version=2022-01-01",
        {"properties": {"kind": "Bundles", "bundles": ["VirtualMachines"]}},
    )
    assert then == ("https://api.loganalytics.io/v1/workspaces/workspace-1/query", {"query": QUERY.format(since=NOW)})


def test_the_columns_are_those_that_the_program_writes() -> None:
    """A query for others would end before anything was seen."""
    assert QUERY.startswith("AlertRouterDecisions_CL | where IsSample and TimeGenerated >= datetime({since}) | ")
    assert QUERY.endswith(" | project " + ", ".join(COLUMNS))
    assert {"IsSample", *COLUMNS} <= log_tables()["AlertRouterDecisions_CL"].columns.keys()


def test_it_gives_up_when_the_longest_is_over_and_says_why() -> None:
    """What was last complained of is said, too."""
    azure = Azure("busy")
    assert not azure.proves()
    assert azure.waited == timedelta(minutes=LONGEST) == timedelta(minutes=sum(step.minutes for step in STEPS))
    assert azure.said[-1].startswith(f"nothing was routed within {LONGEST} minutes (busy): ")


def test_whatever_stands_in_a_column_is_shown(subtests: pytest.Subtests) -> None:
    """A dynamic column comes as text."""
    for to, shown in {"": "nobody", "[]": "nobody", "null": "nobody", "[": "[", "oncall": "oncall"}.items():
        with subtests.test(to):
            azure = Azure([row(to=to)])
            assert azure.proves()
            assert azure.said[-1].endswith(f"to {shown}")


def test_nothing_is_raised_where_nobody_could_see_it(subtests: pytest.Subtests) -> None:
    """A workspace that cannot be queried ends it at once, and so does a subscription in which no plan is on, or ever was."""
    answers: list[object] = [None, {}, {"tables": []}, {"tables": [{"columns": [], "rows": [["x"]]}]}]
    for answer in answers:
        azure = Azure()
        azure.at = answer
        with subtests.test(str(answer)):
            with pytest.raises(NoAnswer):
                azure.proves()
            assert not [url for url, _ in azure.asked if "simulate" in url]
    azure = Azure()
    azure.locations = []
    with pytest.raises(NoAnswer, match="is a plan on"):
        azure.proves()


def test_any_python_can_run_it() -> None:
    """Nothing is installed for it: who reads docs/deploy.md has azd, az and a Python."""
    bare = [sys.executable, "-S", "-c", "import infra.proof"]
    subprocess.run(bare, cwd=ROOT, check=True)


class Az:
    """An Azure that finds in the vault what is there once it looks again."""

    def __init__(self, before: dict[str, str], after: dict[str, str]) -> None:
        self.statuses = before
        self.vault = after
        self.asked: list[str] = []

    def __call__(self, *arguments: str) -> object:
        """What az answers."""
        self.asked.append(" ".join(word for word in arguments if not word.startswith("https:")))
        if "post" in arguments:
            self.statuses = self.vault
            return None
        return references(**self.statuses) if arguments[0] == "rest" else None


def test_a_secret_that_was_set_reaches_the_app() -> None:
    """A worker reads its settings once, so it is started anew; where nothing came, work in hand is not ended for nothing."""
    az = Az({"A": "SecretNotFound", "B": "Resolved"}, {"A": "Resolved", "B": "Resolved"})
    assert refresh(VALUES, az) == {"A": "Resolved", "B": "Resolved"}
    assert az.asked == [
        "rest --method get --url",
        "rest --method post --url",
        "rest --method get --url",
        f"functionapp restart --name func-test --resource-group rg-soc --subscription {SUBSCRIPTION}",
    ]
    for statuses in ({"A": "SecretNotFound"}, {"A": "Resolved"}, {}):
        az = Az(statuses, statuses)
        refresh(VALUES, az)
        assert not [command for command in az.asked if "restart" in command]


def test_an_answer_is_read_as_far_as_it_goes(subtests: pytest.Subtests) -> None:
    """A reference without a name is known by the last part of its id; an answer that cannot be read is none."""
    nameless = {"id": "/subscriptions/s/appsettings/A", "properties": {"status": "Resolved"}}
    assert refresh(VALUES, lambda *_: {"value": [nameless, "?", {"name": "B"}]}) == {"A": "Resolved"}
    answers: list[object] = [None, [], {}, {"value": None}]
    for answer in answers:
        with subtests.test(repr(answer)), pytest.raises(NoAnswer):
            refresh(VALUES, lambda *_, answer=answer: answer)


@pytest.fixture
def az(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where an az can be put; nothing else is on the path but what a script needs."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return tmp_path / "az"


def says(az: Path, *lines: str) -> None:
    """Makes az do that."""
    az.write_text("\n".join(("#!/bin/sh", *lines, "")))
    az.chmod(0o755)


def test_what_az_answers_is_read(az: Path) -> None:
    """Warnings are no part of the answer, silence is none; and where az would ask, it gets no answer, and goes on."""
    says(az, "echo old >&2", """echo "[\\"$*\\"]" """)
    assert document_of("account", "show") == ["account show --output json"]
    says(az, "exit 0")
    assert document_of("rest") is None
    says(az, "read answer || echo '\"nobody\"'")
    assert document_of("rest") == "nobody"


def test_what_az_complains_of_is_one_line(az: Path, subtests: pytest.Subtests) -> None:
    """The first that is not empty, or the error behind a warning; one that hangs is ended."""
    for lines, why in (
        (["echo >&2", "echo ' ERROR: no ' >&2", "exit 3"], "ERROR: no"),
        (["echo 'WARNING: Unable' >&2", "echo 'ERROR: no right' >&2", "exit 1"], "ERROR: no right"),
        (["exit 3"], "it said nothing"),
        (["echo x"], "az graph query: it answered no JSON"),
    ):
        says(az, *lines)
        with subtests.test(why), pytest.raises(NoAnswer, match=f"^{why}$"):
            document_of("graph", "query", "-q")
    assert Answer(1, "", "WARNING: This is a preview\n").why == "WARNING: This is a preview"
    os.mkfifo(az.with_name("never"))
    says(az, f"exec cat {az.with_name('never')}")
    with pytest.raises(NoAnswer, match=r"^az: no answer within 0 s$"):
        answer_of("az", "rest", limit=timedelta())


NAMES = ("PAGERDUTY_ROUTING_KEY", "SERVICENOW_PASSWORD", "SERVICENOW_POSTURE_PASSWORD")


def said(rules: Path, references: Mapping[str, str] | NoAnswer = MappingProxyType({})) -> list[str]:
    """What somebody with those rules is told."""
    return list(closing_lines(load_rules(rules, list(Stream), now()), VALUES, references))


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
    other = {name: value.replace("alerts", "other").replace("posture", "another") for name, value in VALUES.items()}
    lines = "\n".join(said(written_out(tmp_path, other)))
    for stream, what in (("cwpp", "sentinel"), ("cwpp", "record"), ("cspm", "posture"), ("cspm", "record")):
        block = f"  rules/{stream}/policy.yaml, {what}:\n    endpoint: {VALUES[f'{stream.upper()}_LOGS_ENDPOINT']}"
        assert f"{block}\n    rule: {VALUES[f'{stream.upper()}_LOGS_RULE']}" in lines
    deployed = {name: f"{value}/" if value.startswith("https:") else value for name, value in VALUES.items()}
    assert not [line for line in said(written_out(tmp_path, deployed)) if "endpoint" in line]


def test_without_azd_it_says_so(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs it by hand too early is told what to run first."""
    for name in VALUES:
        monkeypatch.delenv(name, raising=False)
    assert main(RULES) == 1
    assert capsys.readouterr().err == "HEALTH_URL: azd has no such output; run azd provision first\n"
