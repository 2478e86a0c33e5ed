"""The hooks of azd: whoever deploys is asked nothing that can be found out, and rules are deployed as they stand."""

import ast
import re
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from infra.parameters import FIRST
from infra.preflight import ALWAYS
from infra.required import DEPLOYED, LOOK_UP
from router.app.settings import now
from tests.infra.azd import SUBSCRIPTION, WHO, Azd, Outcome, az_that_knows, az_that_says, azd_on, locked, locked_python
from tests.infra.predicted import DEFENDER, ROOT, deployed

HOOKS = ROOT / "infra" / "hooks"
SHIPPED = "PAGERDUTY_ROUTING_KEY,SERVICENOW_PASSWORD,SERVICENOW_POSTURE_PASSWORD"
NOT_LOOKED = "unknown: what must be there first was not looked at ("
SILENT = """stream: {stream}
floor: {{default: Low}}
destinations:
  kept: {{kind: file, path: {stream}.ndjson}}
otherwise: [kept]
"""


@pytest.fixture
def azd(tmp_path: Path) -> Azd:
    """azd where az can look Defender up, and all is there that must be there first."""
    azd = azd_on(tmp_path)
    az_that_knows(azd, DEFENDER)
    return azd


class First(NamedTuple):
    """The very first `azd up`, when it began, what came of it, and what was asked meanwhile."""

    azd: Azd
    began: datetime
    outcome: Outcome
    asked: list[str]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> First:
    """An `azd up` that several tests look at: each hook starts as azd starts it, with what the hooks' lock names alone."""
    python = locked_python(tmp_path_factory.mktemp("hooks") / "hooks_env")
    azd = azd_on(tmp_path_factory.mktemp("first"), python)
    az_that_knows(azd, DEFENDER)
    began = now().replace(microsecond=0)
    outcome = azd.up()
    return First(azd, began, outcome, azd.asked)


def deployed_by(outcome: Outcome) -> dict[str, str]:
    """The parameters that were deployed, of a command that went through."""
    assert (outcome.code, outcome.said) == (0, "")
    assert outcome.deployed is not None
    return dict(outcome.deployed)


def test_whoever_deploys_for_the_first_time_is_asked_nothing(first: First, azd: Azd) -> None:
    """The names of the rules' secrets and Defender's object id are there before azd reads the parameters, also for
    `azd provision`, which has one hook only; no other environment is touched."""
    for one, outcome in ((first.azd, first.outcome), (azd, azd.provision())):
        given = deployed_by(outcome)
        assert (given["secretNames"], given["defenderPrincipalId"]) == (SHIPPED, DEFENDER)
        assert one.environment("another").keys() == {"AZURE_LOCATION", "AZURE_SUBSCRIPTION_ID", "AZURE_ENV_NAME"}


def test_a_stale_name_is_not_deployed(azd: Azd) -> None:
    """Rules that changed since the last deployment are read anew, whether the shell or azd's environment says otherwise."""
    policy = azd.project / "rules" / "cspm" / "policy.yaml"
    policy.write_text(policy.read_text().replace("SERVICENOW_POSTURE_PASSWORD", "ANOTHER_PASSWORD"))
    azd.outside["ROUTER_SECRET_NAMES"] = "STALE_KEY"
    for deploy in (azd.provision, azd.up):
        assert deployed_by(deploy())["secretNames"] == "ANOTHER_PASSWORD,PAGERDUTY_ROUTING_KEY,SERVICENOW_PASSWORD"
        azd.set("ROUTER_SECRET_NAMES", "STALE_KEY")


def test_rules_that_name_no_secret_say_so(azd: Azd) -> None:
    """An empty value would be refused, and rightly: it would look like one that was forgotten."""
    shutil.rmtree(azd.project / "rules")
    for stream in ("cwpp", "cspm"):
        (azd.project / "rules" / stream).mkdir(parents=True)
        (azd.project / "rules" / stream / "policy.yaml").write_text(SILENT.format(stream=stream))
    assert deployed_by(azd.provision())["secretNames"] == "none"


@pytest.mark.parametrize("file", ["cwpp/policy.yaml", "owners.yaml"])
def test_rules_that_cannot_be_used_stop_it_and_change_nothing(azd: Azd, file: str) -> None:
    """One line a problem, as `rules check` has it; what was deployed keeps its secrets, those of owners' pagers too."""
    azd.set("ROUTER_SECRET_NAMES", SHIPPED)
    (azd.project / "rules" / file).write_text("owners: [1, 2]\n")
    outcome = azd.up()
    assert outcome == azd.provision()
    assert (outcome.code, outcome.deployed) == (1, None)
    lines = outcome.said.splitlines()
    assert len(lines) >= 2
    assert all(re.match(rf".*/rules/{file}:1: ", line) for line in lines)
    assert azd.asked == []
    assert azd.environment()["ROUTER_SECRET_NAMES"] == SHIPPED


def test_what_must_be_there_first_is_asked_once_and_what_is_right_is_not_set_again(first: First) -> None:
    """By the first of the two hooks of `azd up`, in few calls; the second, and every later one, has nothing to do."""
    assert [line for line in first.asked if line.startswith(("azd", "az ad"))] == [
        f"azd env set ROUTER_SECRET_NAMES {SHIPPED}",
        f"{' '.join(LOOK_UP)}",
        f"azd env set DEFENDER_PRINCIPAL_ID {DEFENDER}",
        next(line for line in first.asked if line.startswith("azd env set ROUTER_CHECKED ")),
        next(line for line in first.asked if line.startswith("azd env set ROUTER_FIRST_DEPLOYED ")),
    ]
    asked = [" ".join(line.split()[1:3]) for line in first.asked if line.startswith("az ") and " ad " not in line]
    account, *others = (command for command in asked if not command.startswith("rest"))
    assert account == "account show"
    assert sorted(others) == [
        *("functionapp list-flexconsumption-locations", "postgres flexible-server", "provider list"),
        *("role assignment", "security pricing"),
    ]
    assert first.azd.provision().code == 0
    assert first.azd.asked == first.asked


def test_every_subscription_that_is_exported_is_asked_for_its_plans(azd: Azd) -> None:
    """What no plan watches raises no alert, wherever it is."""
    other = SUBSCRIPTION.replace("1", "4")
    azd.set("ROUTER_EXPORT_SUBSCRIPTIONS", f" {other},,{SUBSCRIPTION}")
    assert azd.run("preup").code == 0
    asked = sorted(line for line in azd.asked if line.startswith("az security"))
    assert asked == [f"az security pricing list --subscription {one} --output json" for one in (SUBSCRIPTION, other)]


def test_what_azure_would_refuse_stops_it_with_the_command_that_mends_it(azd: Azd) -> None:
    """One line each; nothing is made; the next try asks again. Whom a look stops by mistake may skip it."""
    providers = [{"namespace": f"microsoft.{one}".lower(), "registrationState": "NotRegistered"} for one in ALWAYS[:2]]
    providers += [{"namespace": f"Microsoft.{one}", "registrationState": "Registered"} for one in ALWAYS[2:]]
    lacking = {"provider list": providers, "functionapp list-flexconsumption-locations": [{"name": "East US"}]}
    az_that_knows(azd, DEFENDER, lacking)
    outcome = azd.up()
    assert outcome == azd.provision()
    assert (outcome.code, outcome.deployed) == (1, None)
    mend = "az provider register --wait --namespace"
    assert outcome.said.splitlines() == [
        *(
            f"Microsoft.{one}: is not registered in the subscription; {mend} Microsoft.{one} --subscription {SUBSCRIPTION}"
            for one in ALWAYS[:2]
        ),
        "AZURE_LOCATION: westeurope has no Flex Consumption; choose one of "
        "`az functionapp list-flexconsumption-locations --output table`, then: azd env set AZURE_LOCATION REGION",
    ]
    azd.set("ROUTER_CHECKED", "skip")
    assert azd.run("preup") == Outcome(0, "")
    assert azd.provision().deployed is not None
    azd.set("ROUTER_CHECKED", "")
    az_that_knows(azd, DEFENDER)
    assert azd.run("preprovision") == Outcome(0, "")


def test_what_may_be_on_purpose_is_said_once_and_stops_nothing(azd: Azd) -> None:
    """Roles of one's own may do as much; what another choice needs is looked at again."""
    az_that_knows(azd, DEFENDER, {"role assignment list": [{"roleDefinitionName": "Contributor"}]})
    outcome = azd.run("preup")
    whom = f"note: {WHO}, as whom az is signed in, has Contributor and not Role Based Access Control Admin"
    assert outcome.code == 0 and outcome.said.startswith(whom)
    assert azd.run("preprovision") == Outcome(0, "")
    azd.set("ROUTER_SENTINEL", "true")
    assert "SecurityInsights" in azd.run("preprovision").said


def test_where_az_cannot_be_asked_that_is_said_once(azd: Azd) -> None:
    """What cannot be told stops nothing, nor does a missing az: azd itself needs none, where Defender's object id is set. The
    closing lines are said all the same."""
    answers: list[object] = ["\nERROR: Please run 'az login'.\n", {"user": {}}, [], None]
    for answer in answers:
        az_that_knows(azd, DEFENDER, {"account show": answer})
        outcome = azd.run("preup")
        assert (outcome.code, outcome.said.count("\n")) == (0, 1)
        assert outcome.said.startswith(NOT_LOOKED), answer
    assert azd.run("preprovision") == Outcome(0, "")
    az_that_knows(azd, DEFENDER, {"role assignment list": [{"roleDefinitionName": "Reader"}]})
    assert "has Reader and not Contributor" in azd.run("preup").said
    (azd.project / "bin" / "az").unlink()
    assert azd.run("preup").said == f"{NOT_LOOKED}az: is not on the PATH)\n"
    assert azd.run("preprovision") == Outcome(0, "")
    azd.put_out()
    closing = azd.run("postdeploy")
    assert closing.code == 0
    assert "unknown: whether the app has its secrets (az: is not on the PATH); have it read the vault:" in closing.said


def test_before_azd_knows_where_nothing_is_looked_at(azd: Azd) -> None:
    """`azd up` asks for the subscription between the two hooks."""
    azd.set("AZURE_SUBSCRIPTION_ID", "")
    assert azd.run("preup").said.startswith("unknown: azd knows no subscription and region yet")
    azd.set("AZURE_SUBSCRIPTION_ID", SUBSCRIPTION)
    assert azd.run("preprovision") == Outcome(0, "")
    assert [line for line in azd.asked if line.startswith("az role")]


def test_the_first_deployment_is_dated_and_a_later_one_keeps_that_date(first: First, azd: Azd) -> None:
    """In seconds of UTC, so that a later one does not make the alarms quiet again; what was deployed before it was dated, as
    azd knows by the outputs of main.bicep, is not deployed for the first time. The hour counts from what may be heard of."""
    dated = deployed_by(first.outcome)["firstDeployed"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", dated)
    assert first.began <= datetime.fromisoformat(dated) <= now()
    az_that_says(azd, {"": ("", "forbidden", 1)})
    assert azd.provision().deployed is None
    assert FIRST not in azd.environment()
    az_that_knows(azd, DEFENDER)
    assert {DEPLOYED, FIRST} <= deployed("default").outputs.keys()
    azd.set(DEPLOYED, "func-x")
    assert deployed_by(azd.provision())["firstDeployed"] == ""
    azd.set(FIRST, "2026-01-31T23:59:59Z")
    assert azd.run("preup").code == 0
    assert deployed_by(azd.provision())["firstDeployed"] == "2026-01-31T23:59:59Z"


def test_defender_is_not_looked_up_where_somebody_said_it(azd: Azd) -> None:
    """Who deploys may lack the right to read the directory."""
    given = DEFENDER.replace("defe", "feed")
    azd.set("DEFENDER_PRINCIPAL_ID", given)
    assert deployed_by(azd.provision())["defenderPrincipalId"] == given
    assert not [line for line in azd.asked if line.startswith("az ad ")]


def test_a_missing_object_id_ends_with_the_command_that_finds_it(azd: Azd, subtests: pytest.Subtests) -> None:
    """One line with why, what to run, and how to hand the answer over; azd's own question explains nothing."""
    cases: list[tuple[str, tuple[str, str, int] | None, str]] = [
        ("up", None, "az: is not on the PATH"),
        ("up", ("", "\nERROR: Please run 'az login'.\nmore\n", 1), "ERROR: Please run 'az login'."),
        ("provision", ("\n", "", 0), "it said nothing"),
        ("provision", ("not an id\n", "WARNING: old\n", 0), "WARNING: old"),
    ]
    for command, answer, why in cases:
        with subtests.test(why):
            (azd.project / "bin" / "az").unlink(missing_ok=True)
            if answer is not None:
                az_that_says(azd, {"": answer})
            outcome = azd.up() if command == "up" else azd.provision()
            assert (outcome.code, outcome.deployed) == (1, None)
            assert outcome.said == (
                f"DEFENDER_PRINCIPAL_ID: could not be looked up ({why}); whoever may read the directory finds it with "
                f"`{' '.join(LOOK_UP)}`; then: azd env set DEFENDER_PRINCIPAL_ID ID\n"
            )


def test_a_choice_of_the_wrong_type_stops_it(azd: Azd) -> None:
    """azd would take the default without a word: an open network where a closed one was asked for."""
    azd.set("ROUTER_PRIVATE", "yes")
    assert azd.up() == azd.provision() == Outcome(1, "ROUTER_PRIVATE: yes is no bool\n")


def test_an_azd_that_is_missing_or_refuses_stops_it(azd: Azd) -> None:
    """azd was called by its whole path; what it says is passed on."""
    (azd.project / "bin" / "azd").write_text("#!/bin/sh\necho 'ERROR: no environment' >&2\nexit 1\n")
    assert azd.provision() == Outcome(1, "azd env set ROUTER_SECRET_NAMES: ERROR: no environment\n")
    (azd.project / "bin" / "azd").unlink()
    assert azd.provision() == Outcome(1, "azd: is not on the PATH\n")


def test_a_sample_alert_is_raised_by_the_interpreter_that_azd_made(first: First) -> None:
    """Where nothing answers, in one line."""
    azd = first.azd
    az_that_knows(azd, DEFENDER, {"monitor log-analytics workspace show": "ERROR: (AuthorizationFailed) no"})
    command = [str(azd.python), str(azd.project / "infra" / "hooks" / "prove.py")]
    done = subprocess.run(command, env={"PATH": str(azd.project / "bin")}, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "ERROR: (AuthorizationFailed) no\n")


def test_azd_is_new_enough_to_run_them_and_shows_what_they_say() -> None:
    """azd 1.23.13 takes a file in Python for a shell script; and what is not interactive vanishes when it ends."""
    azure = yaml.safe_load((ROOT / "azure.yaml").read_text())
    assert azure["requiredVersions"] == {"azd": ">= 1.24.0"}
    assert azure["hooks"].keys() == {"preup", "preprovision", "postdeploy"}
    for hook in azure["hooks"].values():
        assert hook == {"run": hook["run"], "kind": "python", "interactive": True}
        assert (ROOT / hook["run"]).is_file()


def older() -> list[str]:
    """Every Python on this machine that is too old, as far as it can be found."""
    named = [path for minor in range(8, 13) if (path := shutil.which(f"python3.{minor}"))]
    kept = sorted(str(path) for path in (Path.home() / ".pyenv" / "versions").glob("3.*/bin/python"))
    ask = "import sys; sys.exit(not (3, 8) <= sys.version_info < (3, 13))"
    return [path for path in [*named, *kept] if subprocess.run([path, "-c", ask], capture_output=True).returncode == 0]


def test_an_old_python_is_told_in_one_line() -> None:
    """No traceback, and what to do: each hook can be read down to Python 3.8, and says so on the oldest that is here."""
    for name in ("first.py", "before.py", "after.py", "prove.py", "start.py"):
        ast.parse((HOOKS / name).read_text(), feature_version=(3, 8))
    if not (found := older()):
        pytest.skip("no Python older than 3.13 on this machine")
    for name in ("first.py", "before.py", "after.py", "prove.py"):
        done = subprocess.run([found[0], HOOKS / name], capture_output=True, text=True)
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
