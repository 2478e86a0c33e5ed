"""docs/deploy.md says what infra/ has and reckons with its numbers; its steps, followed to the letter, end well."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.preflight import ALWAYS, WITH_NETWORK, WITH_SENTINEL, connections_of, database_sizes
from infra.proof import LONGEST, STEPS
from infra.references import VERSION, address_of
from infra.remaining import SEND, STANDING
from infra.required import CHECKED, LOOK_UP
from router.cli import main
from tests.builders import RULES
from tests.docs.pages import ROOT, page, pairs, spans
from tests.infra import test_proof as proof
from tests.infra.azd import NAME, SUBSCRIPTION, Azd, az_that_knows, azd_on, locked_python, references
from tests.infra.predicted import DEFENDER, EVERY, OPERATORS, SECRETS, deployed
from tests.infra.queries.workspace import alert_rules

PAGE = page("docs/deploy.md")
CHOICES = page("docs/deploy-choices.md")
COSTS = page("docs/costs.md")
REPOSITORY = page("docs/deploy-from-a-repository.md")
PAGES = (PAGE, CHOICES, COSTS, REPOSITORY)
OPERATIONS = page("docs/operations.md")
BY_AZD = {"AZURE_ENV_NAME", "AZURE_LOCATION", "AZURE_SUBSCRIPTION_ID", "DEFENDER_PRINCIPAL_ID", "ROUTER_SECRET_NAMES"}
SECONDS = 30 * 24 * 3600


AZURE = deployed("default")
"""What `azd up` makes where nobody chose anything."""


def choices() -> dict[str, str]:
    """The variables that main.parameters.json reads beside azd's, and what stands there where they are not set."""
    text = (ROOT / "infra" / "main.parameters.json").read_text()
    return dict(re.findall(r"\$\{(ROUTER_\w+)=([^}]*)\}", text))


def test_every_choice_is_listed_with_its_default() -> None:
    """The table has the variables of main.parameters.json, and no other."""
    table = CHOICES.table(CHOICES.title, "variable")
    told = {name: "".join(spans(cell)) for name, cell in pairs(table, "variable", "by default").items()}
    assert told == choices()


def test_every_variable_that_a_command_uses_is_set() -> None:
    """By azd, by a choice, or by an output of main.bicep; a shell would take another for nothing."""
    shell = "\n".join(fence.text for paper in PAGES for fence in paper.fences if fence.language == "sh")
    text = "".join(paper.text for paper in PAGES)
    known = BY_AZD | {CHECKED} | choices().keys() | AZURE.outputs.keys()
    used = set(re.findall(r"\$\{?([A-Z][A-Z_]+)", shell)) | set(re.findall(r"azd env set ([A-Z]+_[A-Z_]+)", text))
    assert used <= known
    named = set(re.findall(r"`((?:AZURE|CWPP|CSPM|FUNCTION|KEY|ALERTS|ROUTER|DEFENDER)_\w+)`", text))
    assert named - {"AZURE_CLIENT_ID", "AZURE_TENANT_ID"} <= known


def test_commands_and_names_are_those_of_the_hooks_and_of_infra() -> None:
    """Defender's id is looked up, what stood before asked for, the vault read and exports called as it is done there."""
    shell = "".join(fence.text for fence in PAGE.fences)
    assert not [command for command in (*STANDING, SEND) if command not in shell]
    assert " ".join(LOOK_UP) in PAGE.text
    names = ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "FUNCTION_APP_NAME")
    address = address_of({name: f"${name}" for name in names})
    assert f'az rest --method post --url "{address}/refresh?api-version={VERSION}"\n' in CHOICES.text
    made = {one.name for one in AZURE.of("Microsoft.Security/automations")}
    assert made == set(re.findall(r"alert-router-c[a-z]+", PAGE.section("1. `azd up`")))
    read = json.loads((ROOT / "infra" / "main.parameters.json").read_text())
    assert len(read["parameters"]) == len(choices()) + len(BY_AZD - {"AZURE_SUBSCRIPTION_ID"})


def test_the_time_that_a_sample_takes_is_what_the_proof_waits() -> None:
    """Each step with its source, and the sum."""
    rows = PAGE.table("A sample alert", "step")
    assert [tuple(row.values()) for row in rows] == [
        *((step.what, str(step.minutes), step.source) for step in STEPS),
        ("together", str(LONGEST), ""),
    ]
    assert f"It waits for {LONGEST} minutes at most." in PAGE.section("A sample alert")


def test_the_page_lists_what_is_looked_at() -> None:
    """Each provider, and by which choice."""
    (row, *_) = CHOICES.table("What the hooks do", "what")
    always, sentinel, network = row["what"].split(";")
    assert set(ALWAYS) == set(re.findall(r"\b[A-Z]\w+", always)) - {"Microsoft"}
    assert sentinel == f" with `ROUTER_SENTINEL` {' and '.join(WITH_SENTINEL)}"
    assert network == f" with `ROUTER_PRIVATE` {' and '.join(WITH_NETWORK)}"


def test_the_costs_are_reckoned_with_what_is_deployed() -> None:
    """Always-ready instances, their memory, units, endpoints and how often each alert rule runs."""
    told = {row["what"]: row for row in COSTS.table("What it costs", "what")}
    few = {what: row["1,000 messages a day"] for what, row in told.items()}
    scale = AZURE.one("Microsoft.Web/sites").says("functionAppConfig.scaleAndConcurrency")
    ready = sum(one["instanceCount"] for one in scale["alwaysReady"])
    memory = scale["instanceMemoryMB"] // 1024
    assert few["always ready"] == f"{ready * memory * SECONDS:,} GB-s"
    assert few["sweeps"] == f"{SECONDS // 60:,} executions, {SECONDS // 60 * memory:,} GB-s"
    hours, units = SECONDS // 3600, AZURE.one("Microsoft.EventHub/namespaces").says("maximumThroughputUnits")
    assert told["hubs"]["1,000,000 a day"].startswith(f"{hours} to {hours * units:,} unit")
    closed = deployed("private")
    kinds = ("Microsoft.Network/privateEndpoints", "Microsoft.Network/privateDnsZones")
    endpoints, zones = (len(closed.of(kind)) for kind in kinds)
    assert few["closed network"] == f"{endpoints} endpoints, {zones} zones"
    runs = Counter(int(rule.every.total_seconds()) // 60 for rule in alert_rules().values())
    in_production = len(closed.of("Microsoft.Insights/scheduledQueryRules"))
    assert few["alert rules"] == f"{runs.total()} in a trial, else {in_production}"
    every = {5: "every 5 minutes", 15: "every 15 minutes", 60: "every hour", 360: "every 6 hours"}
    assert told["alert rules"]["from"] == ", ".join(f"{runs[minutes]} {words}" for minutes, words in every.items())


def test_the_requests_add_up() -> None:
    """What the host asks of storage a month is what the products come to, and it looks as often as host.json says."""
    products = [row["requests"] for row in COSTS.table("Requests to storage", "what")]
    for product in products:
        factors, total = product.split(" = ")
        assert f"{round(prod(map(float, factors.replace(',', '').replace('/ 2', 'x 0.5').split(' x ')))):,}" == total
    few, burst, trickle, looks = (product.rpartition(" = ")[2] for product in products)
    told = next(row for row in COSTS.table("What it costs", "what") if row["what"] == "requests to storage")
    assert told["1,000 messages a day"] == f"{few} and polling"
    assert told["1,000,000 a day"] == f"{burst} to {trickle} and polling"
    queues = json.loads((ROOT / "host.json").read_text())["extensions"]["queues"]
    assert queues["maxPollingInterval"] == "00:00:02"
    assert looks == f"{SECONDS // 2:,}"


def test_the_table_of_sizes_says_what_each_has_for_the_router() -> None:
    """Each size that may be chosen, its connections, and how many instances they are enough for; as the template reckons it."""
    rows = CHOICES.table("The database", "size")
    told = {name: row for row in rows for name in spans(row["size"])}
    assert told.keys() == database_sizes().keys()
    for name, row in told.items():
        size = database_sizes()[name]
        most = size["connections"] * 3 // 4
        assert (row["cores"], row["connections for users"]) == (str(size["cores"]), f"{size['connections']:,}")
        assert row["of them for the router"] == f"{most:,}"
        heads = {
            "with `ROUTER_PARTITIONS` of 4, instances at most": "Recreate",
            "with `RollingUpdate`": "RollingUpdate",
        }
        for head, strategy in heads.items():
            enough = [number for number in range(40, 1001) if connections_of(number, 4, strategy) <= most]
            assert row[head].startswith(str(enough[-1]) if enough else "none")


def test_the_page_says_what_is_chosen_by_itself_and_what_is_production() -> None:
    """The page calls the defaults a trial, and what it calls production is let pass and predicted."""
    rows = CHOICES.table("The database", "choice")
    trial, production = (
        {"".join(spans(row["choice"])): spans(row[kind])[0] for row in rows[:3]} for kind in ("trial", "production")
    )
    assert trial == {name: value for name, value in choices().items() if name in trial}
    server = deployed("private").one("Microsoft.DBforPostgreSQL/flexibleServers")
    said = (".sku.name", "highAvailability.mode", "backup.backupRetentionDays")
    assert list(production.values()) == [str(server.says(path)) for path in said]


def test_the_workflow_signs_in_as_the_identity_that_the_page_makes() -> None:
    """Azure trusts the environments that the jobs name, and GitHub is given every variable that the workflow asks for."""
    workflow = (ROOT / ".github" / "workflows" / "deploy.yml").read_text()
    environments = re.findall(r"environment: (\w+)$", workflow, re.MULTILINE)
    assert set(environments) == set(re.findall(r":environment:(\w+) ", REPOSITORY.text)) == {"preview", "production"}
    assert set(re.findall(r"vars\.(\w+)", workflow)) <= set(spans(REPOSITORY.section("From your own repository")))


def test_the_identity_of_the_preview_can_change_nothing() -> None:
    """It reads how those things are set up that infra/ makes, and asks what would be; no logs, no keys, nobody's alerts."""
    role = json.loads(REPOSITORY.fence("preview-role.json"))
    made = {one.kind for name in EVERY for one in deployed(name).resources} - {"Microsoft.Resources/resourceGroups"}
    about = ("deployments", "subscriptions", "subscriptions/resourceGroups")
    allowed = {f"{kind}/read" for kind in {*made, *(f"Microsoft.Resources/{one}" for one in about)}}
    allowed |= {f"Microsoft.Resources/deployments/{asked}/action" for asked in ("validate", "whatIf")}
    assert set(role["Actions"]) == allowed
    assert not role.get("DataActions")


def test_every_alert_is_answered_with_its_severity() -> None:
    """docs/operations.md says what to do for each rule, how severe it is and how often Azure asks."""
    told = re.findall(r"^- \*\*([\w-]+)\*\* \((\d); every (?:(\d+) minutes|(hour|6 hours))", OPERATIONS.text, re.M)
    minutes = {"hour": 60, "6 hours": 360}
    assert [(name, int(severity), int(number or minutes[word])) for name, severity, number, word in told] == [
        (rule.name, rule.severity, int(rule.every.total_seconds()) // 60) for rule in alert_rules().values()
    ]


def test_beside_the_button_stands_that_it_publishes_the_rules() -> None:
    """And each private way, by a link to it."""
    said = REPOSITORY.section("Deploy without azd")
    assert said.index("*Deploy to Azure*") < said.index("publishes your rules") < said.index("**What the form asks**")
    assert {"deploy.md#1-azd-up", "#from-your-own-repository", "#from-a-private-repository"} <= set(
        re.findall(r"\(([\w.]*#[\w-]+)\)", said)
    )


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
    for row in PAGE.table(HEADING, "in"):
        (file,), (theirs,), own = (spans(row[head]) for head in ("in", "in the place of", "write"))
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
        "tables": [
            {"columns": [{"name": name} for name in ("at", *proof.COLUMNS)], "rows": [[proof.NOW, *proof.row()]]}
        ]
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
