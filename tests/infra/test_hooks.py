"""The hooks of azd: whoever deploys is asked nothing that can be found out, and rules are deployed as they stand."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from infra.parameters import FIRST
from infra.required import DEPLOYED, LOOK_UP
from router.app.settings import now
from tests.infra.azd import (
    PROVIDERS,
    SUBSCRIPTION,
    WHO,
    Azd,
    Outcome,
    WarmPython,
    az_that_knows,
    az_that_says,
    azd_on,
    locked,
    locked_python,
)
from tests.infra.variants import DEFENDER, ROOT, deployed

HOOKS = ROOT / "infra" / "hooks"
SHIPPED = "PAGERDUTY_ROUTING_KEY,SERVICENOW_PASSWORD,SERVICENOW_POSTURE_PASSWORD"
SILENT = """stream: {stream}
floor: {{default: Low}}
destinations:
  kept: {{kind: file, path: {stream}.ndjson}}
otherwise: [kept]
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter that azd gives to the hooks."""
    return locked_python(tmp_path_factory.mktemp("hooks") / "hooks_env")


@pytest.fixture(scope="module")
def warm(python: Path) -> Iterator[WarmPython]:
    """It once more, started for many hooks: half a second each would only be spent on reading the same code."""
    warm = WarmPython(python)
    yield warm
    warm.close()


@pytest.fixture
def azd(tmp_path: Path, python: Path, warm: WarmPython) -> Azd:
    """azd where az can look Defender up, and all is there that must be there first."""
    azd = replace(azd_on(tmp_path, python), warm=warm)
    az_that_knows(azd, DEFENDER)
    return azd


class First(NamedTuple):
    """The very first `azd up`, when it began, what came of it, and what was asked meanwhile."""

    azd: Azd
    began: datetime
    outcome: Outcome
    asked: list[str]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, python: Path) -> First:
    """An `azd up` that several tests look at: each hook starts as azd starts it."""
    azd = azd_on(tmp_path_factory.mktemp("first"), python)
    az_that_knows(azd, DEFENDER)
    began = now().replace(microsecond=0)
    outcome = azd.up()
    return First(azd, began, outcome, azd.asked)


def call(azd: Azd, command: str) -> Outcome:
    """What comes of `azd up` or `azd provision`."""
    return azd.up() if command == "up" else azd.provision()


ways = pytest.mark.parametrize("command", ["up", "provision"])


def assert_asked_nothing(azd: Azd, outcome: Outcome) -> None:
    """Names and object id were there before azd read the parameters, and no other environment was touched."""
    assert (outcome.code, outcome.said) == (0, "")
    assert outcome.deployed is not None
    assert (outcome.deployed["secretNames"], outcome.deployed["defenderPrincipalId"]) == (SHIPPED, DEFENDER)
    assert azd.environment("another").keys() == {"AZURE_LOCATION", "AZURE_SUBSCRIPTION_ID", "AZURE_ENV_NAME"}


def test_whoever_deploys_for_the_first_time_is_asked_nothing(first: First) -> None:
    """The names of the rules' secrets and Defender's object id are there before azd reads the parameters."""
    assert_asked_nothing(first.azd, first.outcome)


def test_nor_is_whoever_only_provisions(azd: Azd) -> None:
    """`azd provision` has one hook only."""
    assert_asked_nothing(azd, azd.provision())


@pytest.mark.parametrize(("command", "where"), [("up", "in azd's environment"), ("provision", "in the shell")])
def test_a_stale_name_is_not_deployed(azd: Azd, command: str, where: str) -> None:
    """Rules that changed since the last deployment are read anew, by each way in."""
    if where == "in the shell":
        azd.outside["ROUTER_SECRET_NAMES"] = "STALE_KEY"
    else:
        azd.set("ROUTER_SECRET_NAMES", "STALE_KEY")
    policy = azd.project / "rules" / "cspm" / "policy.yaml"
    policy.write_text(policy.read_text().replace("SERVICENOW_POSTURE_PASSWORD", "ANOTHER_PASSWORD"))
    outcome = call(azd, command)
    assert outcome.deployed is not None
    assert outcome.deployed["secretNames"] == "ANOTHER_PASSWORD,PAGERDUTY_ROUTING_KEY,SERVICENOW_PASSWORD"


def test_rules_that_name_no_secret_say_so(azd: Azd) -> None:
    """An empty value would be refused, and rightly: nobody could tell it from one that was forgotten."""
    shutil.rmtree(azd.project / "rules")
    for stream in ("cwpp", "cspm"):
        (azd.project / "rules" / stream).mkdir(parents=True)
        (azd.project / "rules" / stream / "policy.yaml").write_text(SILENT.format(stream=stream))
    outcome = azd.provision()
    assert (outcome.code, outcome.said) == (0, "")
    assert outcome.deployed is not None
    assert outcome.deployed["secretNames"] == "none"


@pytest.mark.parametrize(("command", "file"), [("up", "cwpp/policy.yaml"), ("provision", "owners.yaml")])
def test_rules_that_cannot_be_used_stop_it_and_change_nothing(azd: Azd, command: str, file: str) -> None:
    """One line a problem, as `rules check` has it; what was deployed keeps its secrets, those of owners' pagers too."""
    azd.set("ROUTER_SECRET_NAMES", SHIPPED)
    (azd.project / "rules" / file).write_text("owners: [1, 2]\n")
    outcome = call(azd, command)
    assert outcome.code == 1
    assert outcome.deployed is None
    lines = outcome.said.splitlines()
    assert len(lines) >= 2
    assert all(re.match(rf".*/rules/{file}:1: ", line) for line in lines)
    assert azd.asked == []
    assert azd.environment()["ROUTER_SECRET_NAMES"] == SHIPPED


def test_what_is_right_already_is_not_set_again(first: First) -> None:
    """The second hook of `azd up`, and every later one, has nothing to do."""
    assert [line for line in first.asked if line.startswith(("azd", "az ad"))] == [
        f"azd env set ROUTER_SECRET_NAMES {SHIPPED}",
        f"{' '.join(LOOK_UP)}",
        f"azd env set DEFENDER_PRINCIPAL_ID {DEFENDER}",
        next(line for line in first.asked if line.startswith("azd env set ROUTER_CHECKED ")),
        next(line for line in first.asked if line.startswith("azd env set ROUTER_FIRST_DEPLOYED ")),
    ]
    assert first.azd.provision().code == 0
    assert first.azd.asked == first.asked


def test_what_must_be_there_first_is_asked_once_and_in_few_calls(first: First) -> None:
    """By the first of the two hooks of `azd up`."""
    asked = [" ".join(line.split()[1:3]) for line in first.asked if line.startswith("az ") and " ad " not in line]
    asked = [command for command in asked if not command.startswith("rest")]
    assert asked[0] == "account show"
    assert sorted(asked[1:]) == [
        "functionapp list-flexconsumption-locations",
        "postgres flexible-server",
        "provider list",
        "role assignment",
        "security pricing",
    ]


def test_every_subscription_that_is_exported_is_asked_for_its_plans(azd: Azd) -> None:
    """What no plan watches raises no alert, wherever it is."""
    other = SUBSCRIPTION.replace("1", "4")
    azd.set("ROUTER_EXPORT_SUBSCRIPTIONS", f" {other},,{SUBSCRIPTION}")
    assert azd.run("preup").code == 0
    asked = sorted(line for line in azd.asked if line.startswith("az security"))
    assert asked == [f"az security pricing list --subscription {one} --output json" for one in (SUBSCRIPTION, other)]


@ways
def test_what_azure_would_refuse_stops_it_with_the_command_that_mends_it(azd: Azd, command: str) -> None:
    """One line each; nothing is made; and the next try asks again."""
    providers = [
        {"namespace": f"microsoft.{one}".lower(), "registrationState": "NotRegistered"} for one in PROVIDERS[:2]
    ]
    providers += [{"namespace": f"Microsoft.{one}", "registrationState": "Registered"} for one in PROVIDERS[2:]]
    lacking = {"provider list": providers, "functionapp list-flexconsumption-locations": [{"name": "East US"}]}
    az_that_knows(azd, DEFENDER, lacking)
    outcome = call(azd, command)
    assert (outcome.code, outcome.deployed) == (1, None)
    mend = "az provider register --wait --namespace"
    assert outcome.said.splitlines() == [
        *(
            f"Microsoft.{one}: is not registered in the subscription; {mend} Microsoft.{one} --subscription {SUBSCRIPTION}"
            for one in PROVIDERS[:2]
        ),
        "AZURE_LOCATION: westeurope has no Flex Consumption; choose one of "
        "`az functionapp list-flexconsumption-locations --output table`, then: azd env set AZURE_LOCATION REGION",
    ]
    az_that_knows(azd, DEFENDER)
    assert azd.run("preup" if command == "up" else "preprovision") == Outcome(0, "")


def test_what_may_be_on_purpose_is_said_once_and_stops_nothing(azd: Azd) -> None:
    """Roles of one's own may do as much, and a plan costs money."""
    lacking = {
        "role assignment list": [{"roleDefinitionName": "Contributor"}],
        "security pricing list": {"value": [{"name": "VirtualMachines", "pricingTier": "Free"}]},
    }
    az_that_knows(azd, DEFENDER, lacking)
    outcome = azd.run("preup")
    assert outcome.code == 0
    roles, more, posture, plans = outcome.said.splitlines()
    assert roles.startswith(
        f"note: {WHO}, as whom az is signed in, has Contributor and not Role Based Access Control Admin"
    )
    assert more.endswith(f'--assignee {WHO} --role "Security Admin" --scope /subscriptions/{SUBSCRIPTION}')
    assert posture.startswith(f"unknown: whether Foundational CSPM is on in {SUBSCRIPTION}")
    assert plans.startswith(f"note: {SUBSCRIPTION} has no plan that raises alerts")
    assert azd.run("preprovision") == Outcome(0, "")
    azd.set("ROUTER_SENTINEL", "true")
    assert "SecurityInsights" in azd.run("preprovision").said


def test_where_az_cannot_be_asked_that_is_said_once(azd: Azd) -> None:
    """What cannot be told stops nothing."""
    answers: list[object] = ["\nERROR: Please run 'az login'.\n", {"user": {}}, [], None]
    for answer in answers:
        az_that_knows(azd, DEFENDER, {"account show": answer})
        outcome = azd.run("preup")
        assert outcome.code == 0
        (line,) = outcome.said.splitlines()
        assert line.startswith("unknown: what must be there first was not looked at ("), answer
    assert azd.run("preprovision") == Outcome(0, "")
    az_that_knows(azd, DEFENDER, {"role assignment list": [{"roleDefinitionName": "Reader"}]})
    assert "has Reader and not Contributor" in azd.run("preup").said


def test_whom_a_look_stops_by_mistake_may_skip_it(azd: Azd) -> None:
    """Nobody is kept from deploying by an answer that was read wrongly."""
    az_that_knows(azd, DEFENDER, {"functionapp list-flexconsumption-locations": [{"name": "East US"}]})
    assert azd.run("preup").code == 1
    azd.set("ROUTER_CHECKED", "skip")
    assert azd.run("preup") == Outcome(0, "")
    assert azd.provision().deployed is not None


def test_without_az_on_the_path_it_is_said_once(azd: Azd) -> None:
    """Somebody said Defender's object id; azd itself needs no az."""
    (azd.project / "bin" / "az").unlink()
    azd.set("DEFENDER_PRINCIPAL_ID", DEFENDER)
    assert azd.run("preup").said == "unknown: what must be there first was not looked at (az: is not on the PATH)\n"
    assert azd.run("preprovision") == Outcome(0, "")


def test_before_azd_knows_where_nothing_is_looked_at(azd: Azd) -> None:
    """`azd up` asks for the subscription between the two hooks."""
    azd.set("AZURE_SUBSCRIPTION_ID", "")
    outcome = azd.run("preup")
    assert outcome.said.startswith("unknown: azd knows no subscription and region yet")
    azd.set("AZURE_SUBSCRIPTION_ID", SUBSCRIPTION)
    assert azd.run("preprovision") == Outcome(0, "")
    assert [line for line in azd.asked if line.startswith("az role")]


def test_the_first_deployment_is_dated(first: First) -> None:
    """In seconds of UTC."""
    assert first.outcome.deployed is not None
    dated = first.outcome.deployed["firstDeployed"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", dated)
    assert first.began <= datetime.fromisoformat(dated) <= now()


def test_a_later_deployment_keeps_the_date_of_the_first(azd: Azd) -> None:
    """So that it does not make the alarms quiet again."""
    azd.set(FIRST, "2026-01-31T23:59:59Z")
    assert azd.run("preup").code == 0
    later = azd.provision()
    assert later.deployed is not None
    assert later.deployed["firstDeployed"] == "2026-01-31T23:59:59Z"


def test_what_was_deployed_before_anybody_dated_it_is_not_deployed_for_the_first_time(azd: Azd) -> None:
    """azd has the outputs of main.bicep from then on, and a date would make alarms quiet that mean something."""
    assert DEPLOYED in deployed("default").outputs
    assert FIRST in deployed("default").outputs
    azd.set(DEPLOYED, "func-x")
    outcome = azd.provision()
    assert outcome.deployed is not None
    assert outcome.deployed["firstDeployed"] == ""


def test_what_is_not_deployed_is_not_dated(azd: Azd) -> None:
    """The hour counts from what may be heard of."""
    az_that_says(azd, stderr="forbidden", code=1)
    assert azd.provision().deployed is None
    assert FIRST not in azd.environment()


def test_defender_is_not_looked_up_where_somebody_said_it(azd: Azd) -> None:
    """Who deploys may lack the right to read the directory."""
    given = DEFENDER.replace("defe", "feed")
    azd.set("DEFENDER_PRINCIPAL_ID", given)
    outcome = azd.provision()
    assert outcome.deployed is not None
    assert outcome.deployed["defenderPrincipalId"] == given
    assert not [line for line in azd.asked if line.startswith("az ad ")]


@pytest.mark.parametrize(
    ("command", "answer", "why"),
    [
        ("up", None, "az: is not on the PATH"),
        ("up", {"stderr": "\nERROR: Please run 'az login'.\nmore\n", "code": 1}, "ERROR: Please run 'az login'."),
        ("provision", {"stdout": "\n"}, "it said nothing"),
        ("provision", {"stdout": "not an id\n", "stderr": "WARNING: old\n"}, "WARNING: old"),
    ],
)
def test_a_missing_object_id_ends_with_the_command_that_finds_it(
    azd: Azd, command: str, answer: dict[str, str] | None, why: str
) -> None:
    """One line with why, what to run, and how to hand the answer over; azd's own question explains nothing."""
    (azd.project / "bin" / "az").unlink()
    if answer is not None:
        az_that_says(azd, **answer)  # type: ignore[arg-type]
    outcome = call(azd, command)
    assert outcome.code == 1
    assert outcome.deployed is None
    (line,) = outcome.said.splitlines()
    assert line == (
        f"DEFENDER_PRINCIPAL_ID: could not be looked up ({why}); whoever may read the directory finds it with "
        f"`{' '.join(LOOK_UP)}`; then: azd env set DEFENDER_PRINCIPAL_ID ID"
    )


@ways
def test_a_choice_of_the_wrong_type_stops_it(azd: Azd, command: str) -> None:
    """azd would take the default without a word: an open network where somebody asked for a closed one."""
    azd.set("ROUTER_PRIVATE", "yes")
    outcome = call(azd, command)
    assert (outcome.code, outcome.said) == (1, "ROUTER_PRIVATE: yes is no bool\n")


def test_without_azd_on_the_path_it_says_so(azd: Azd) -> None:
    """azd was called by its whole path."""
    (azd.project / "bin" / "azd").unlink()
    assert azd.provision() == Outcome(1, "azd: is not on the PATH\n")


def test_what_azd_refuses_to_keep_stops_it(azd: Azd) -> None:
    """What it says is passed on."""
    (azd.project / "bin" / "azd").write_text("#!/bin/sh\necho 'ERROR: no environment' >&2\nexit 1\n")
    assert azd.provision() == Outcome(1, "azd env set ROUTER_SECRET_NAMES: ERROR: no environment\n")


def test_the_closing_lines_say_what_is_not_there_yet_and_what_to_do(first: First) -> None:
    """After the very first `azd up`; nothing is installed but what the lock names."""
    said = first.outcome.closing_lines
    assert (
        "  cwpp oncall: not yet: PAGERDUTY_ROUTING_KEY is still a reference to Key Vault, events.pagerduty.example"
        in said
    )
    assert "az keyvault secret set --vault-name kv-test --name pagerduty-routing-key --file FILE" in said
    assert "sentinel" not in said and "endpoint:" not in said  # what settings name is there
    assert str(Path("infra", "hooks", "prove.py")) in said
    assert "az graph query" in said
    assert [line for line in first.asked if "refresh" in line] == [
        f"az rest --method post --url https://management.azure.com/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-soc/providers/"
        "Microsoft.Web/sites/func-test/config/configreferences/appsettings/refresh?api-version=2022-03-01 --output json"
    ]


def test_without_az_the_closing_lines_are_said_all_the_same(azd: Azd) -> None:
    """With how to have the vault read, and every secret."""
    (azd.project / "bin" / "az").unlink()
    azd.put_out()
    outcome = azd.run("postdeploy")
    assert outcome.code == 0
    assert "unknown: whether the app has its secrets (az: is not on the PATH); have it read the vault:" in outcome.said
    assert outcome.said.count("az keyvault secret set") == 3


def test_a_sample_alert_is_raised_by_the_interpreter_that_azd_made(azd: Azd) -> None:
    """Where nothing answers, in one line."""
    azd.put_out()
    az_that_knows(azd, DEFENDER, {"monitor log-analytics workspace show": "ERROR: (AuthorizationFailed) no"})
    script = azd.project / "infra" / "hooks" / "prove.py"
    path = {"PATH": str(azd.project / "bin")}
    done = subprocess.run([azd.python, script], env=path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "ERROR: (AuthorizationFailed) no\n")


def test_azd_is_new_enough_to_run_them_and_shows_what_they_say() -> None:
    """azd 1.23.13 takes a file in Python for a shell script; and what is not interactive vanishes when it ends."""
    azure = yaml.safe_load((ROOT / "azure.yaml").read_text())
    assert azure["requiredVersions"] == {"azd": ">= 1.24.0"}
    assert azure["hooks"].keys() == {"preup", "preprovision", "postdeploy"}
    for hook in azure["hooks"].values():
        assert hook.keys() == {"run", "kind", "interactive"}
        assert (hook["kind"], hook["interactive"]) == ("python", True)
        assert (ROOT / hook["run"]).is_file()


def older() -> list[str]:
    """Every Python on this machine that is too old, as far as it can be found."""
    named = [path for minor in range(8, 13) if (path := shutil.which(f"python3.{minor}"))]
    kept = sorted(str(path) for path in (Path.home() / ".pyenv" / "versions").glob("3.*/bin/python"))
    ask = "import sys; sys.exit(not (3, 8) <= sys.version_info < (3, 13))"
    return [path for path in [*named, *kept] if subprocess.run([path, "-c", ask], capture_output=True).returncode == 0]


@pytest.mark.parametrize("name", ["first.py", "before.py", "after.py", "prove.py", "start.py"])
def test_an_old_python_can_read_what_says_that_it_is_too_old(name: str) -> None:
    """The hooks themselves, down to Python 3.8."""
    ast.parse((HOOKS / name).read_text(), feature_version=(3, 8))


def test_an_old_python_is_told_in_one_line() -> None:
    """No traceback, and what to do: by each hook on the oldest there is, and by one of them on each that is too old."""
    found = older()
    if not found:
        pytest.skip("no Python older than 3.13 on this machine")
    names = ("first.py", "before.py", "after.py", "prove.py")
    for path, name in {*((path, names[0]) for path in found), *((found[0], name) for name in names)}:
        done = subprocess.run([path, HOOKS / name], capture_output=True, text=True, check=False)
        (line,) = done.stderr.splitlines()
        assert (done.returncode, done.stdout) == (1, "")
        assert line.startswith("python: the hooks of azd need Python 3.13 or later, and azd found 3.")
        assert "delete infra/hooks/hooks_env" in line


@pytest.mark.soak
@pytest.mark.parametrize("old", [False, True])
def test_azd_can_install_the_lock(tmp_path: Path, old: bool) -> None:
    """With pip and from the index, as azd does it; on an old Python there is nothing to install."""
    interpreters = older() if old else [sys.executable]
    if not interpreters:
        pytest.skip("no Python older than 3.13 on this machine")
    subprocess.run([interpreters[0], "-m", "venv", tmp_path / "hooks_env"], check=True)
    python = str(tmp_path / "hooks_env" / "bin" / "python")
    pip = [python, "-m", "pip"]
    subprocess.run([*pip, "install", "--quiet", "-r", "requirements.txt"], cwd=HOOKS, check=True)
    listed = subprocess.run([*pip, "list", "--format", "freeze"], check=True, capture_output=True, text=True).stdout
    installed = {name.lower().replace("_", "-") for name in re.findall(r"^([\w-]+)==", listed, re.MULTILINE)}
    assert locked().keys() & installed == (set() if old else locked().keys())
    done = subprocess.run([python, HOOKS / "before.py"], capture_output=True, text=True, env={"PATH": ""}, check=False)
    assert done.stderr.startswith("python: " if old else "azd: is not on the PATH")
