"""azd finds what it needs, and who deploys with az instead gives the same parameters."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any

import pytest
import yaml

from infra import required
from infra.package import OWN
from infra.parameters import FIRST, NAMES, rendered, secret_names
from router.app.settings import now
from router.domain.errors import BadSetting
from tests.builders import RULES
from tests.infra.azd import azd_on
from tests.infra.predicted import DEFENDER, INFRA, ROOT, TEMPLATE, WORKSPACE, WORKSPACE_GROUP, Deployment, deployed
from tests.warm import started

AZURE = yaml.safe_load((ROOT / "azure.yaml").read_text())
PARAMETERS: dict[str, Any] = json.loads((INFRA / "main.parameters.json").read_text())["parameters"]
VARIABLE = re.compile(r"\$\{([A-Z_]+)(?:=(.*))?\}")

OF_AZD = {"AZURE_ENV_NAME", "AZURE_LOCATION"}
"""What azd asks for and sets itself:
https://learn.microsoft.com/azure/developer/azure-developer-cli/manage-environment-variables"""

HOOKED = {required.DEFENDER, NAMES}
"""What the hooks set before azd reads the parameters: tests/infra/test_hooks.py."""


def variables() -> dict[str, tuple[str, str | None]]:
    """The variable of azd's environment that each parameter is given by, and its default."""
    found = {name: VARIABLE.fullmatch(one["value"]) for name, one in PARAMETERS.items()}
    return {name: (match[1], match[2]) for name, match in found.items() if match}


def test_every_parameter_can_be_chosen_by_a_variable_of_its_own() -> None:
    """`azd env set NAME VALUE` is the way to choose; no parameter is out of its reach."""
    assert variables().keys() == PARAMETERS.keys() == TEMPLATE["parameters"].keys()
    assert len({name for name, _ in variables().values()}) == len(PARAMETERS)


def test_what_has_no_default_is_known_to_azd_or_to_its_hook() -> None:
    """Nobody is asked for what can be found out."""
    assert {name for name, default in variables().values() if default is None} == OF_AZD | HOOKED
    needed = {name for name, one in TEMPLATE["parameters"].items() if "defaultValue" not in one}
    assert {parameter for parameter, (_, default) in variables().items() if default is None} == needed


def test_defaults_are_the_same_in_both_places() -> None:
    """Whoever deploys with az instead of azd gets the same."""
    as_azd_gives: dict[str, Callable[[str], object]] = {"bool": "true".__eq__, "int": int}
    for name, one in TEMPLATE["parameters"].items():
        if "defaultValue" in one:
            default = variables()[name][1]
            assert default is not None
            assert as_azd_gives.get(one["type"], str)(default) == one["defaultValue"], name


def test_azd_finds_the_app_and_its_environment_by_their_tags(azure: Deployment) -> None:
    """The service of azure.yaml is the one resource that bears its name; `azd down` deletes the environment's group."""
    (service,) = AZURE["services"]
    tagged = [one for one in azure.resources if "azd-service-name" in (one.body.get("tags") or {})]
    assert [(one.kind, one.body["tags"]["azd-service-name"]) for one in tagged] == [("Microsoft.Web/sites", service)]
    assert AZURE["services"][service]["host"] == "function"
    assert azure.one("Microsoft.Resources/resourceGroups").says(".tags")["azd-env-name"] == "test"


def test_every_output_that_somebody_needs_is_there(azure: Deployment) -> None:
    """azd's own, those of the hook that says what remains, and those that the policy is given."""
    by_hook = set(re.findall(r'outputs\["([A-Z_]+)"\]', (INFRA / "remaining.py").read_text()))
    by_hook |= {f"{stream}_LOGS_{what}" for stream in ("CWPP", "CSPM") for what in ("ENDPOINT", "RULE")}
    by_policy = set(re.findall(r"\b[A-Z]+_HUB_ID\b", (INFRA / "export-policy.bicep").read_text()))
    assert by_policy
    needed = {"AZURE_LOCATION", "AZURE_TENANT_ID", "AZURE_RESOURCE_GROUP"} | by_hook | by_policy
    assert needed <= azure.outputs.keys()
    assert azure.outputs["HEALTH_URL"].startswith("[format('https://{0}/api/health', ")
    assert not [name for name in azure.outputs if name != name.upper()]  # azd keeps them as they are written


def test_the_workspace_that_is_there_is_the_one_that_is_used() -> None:
    """It is looked up where it is, nothing is made in its place, and rows go in where it stands."""
    azure = deployed("file-integrity-elsewhere")
    assert azure.of("Microsoft.OperationalInsights/workspaces") == []
    tables = azure.of("Microsoft.OperationalInsights/workspaces/tables")
    assert {one.name.partition("/")[0] for one in tables} == {"soc-logs"}
    assert all(one.id.startswith(f"{WORKSPACE_GROUP}/") for one in tables)
    (rule, _) = azure.of("Microsoft.Insights/dataCollectionRules")
    assert rule.body["location"].startswith(f"[reference('{WORKSPACE}', ")


def test_only_what_runs_is_packaged() -> None:
    """By azd as by `make package`: the code, its locked dependencies, the host's settings, and whatever rules may hold, such as
    the starter's files, which stand under rules/ in a new clone."""
    lines = (ROOT / ".funcignore").read_text().splitlines()
    patterns = [line.rstrip("/") for line in lines if line and not line.startswith("#")]

    def is_packaged(path: Path) -> bool:
        return not any(fnmatch(part, pattern) for part in path.parts for pattern in patterns)

    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("no git here")
    files = [Path(name) for name in listed.stdout.splitlines()]
    assert {path.parts[0] for path in files if is_packaged(path)} == set(OWN)
    assert [
        path for path in files if path.parts[0] in OWN and path.suffix in (".py", ".txt") and not is_packaged(path)
    ] == []
    assert "dist" in patterns
    names = [Path("rules", path.relative_to(RULES)) for path in RULES.rglob("*") if path.is_file()]
    assert names
    assert [name for name in names if not is_packaged(name)] == []


NEEDED = {"AZURE_ENV_NAME": "soc", "AZURE_LOCATION": "westeurope", "DEFENDER_PRINCIPAL_ID": DEFENDER, NAMES: "A,B"}


def values(**chosen: str) -> dict[str, object]:
    """What the parameters are with those variables."""
    parameters = rendered({**NEEDED, **chosen})["parameters"]
    assert isinstance(parameters, dict)
    return {name: one["value"] for name, one in parameters.items()}


def test_every_parameter_is_given_in_its_own_type() -> None:
    """ARM refuses a text where it wants a number. Schema and version stand where they stood."""
    defaults, document = values(), rendered(NEEDED)
    assert document.keys() == {"$schema", "contentVersion", "parameters"}
    assert "deploymentParameters.json" in str(document["$schema"])
    assert (defaults["environmentName"], defaults["secretNames"]) == ("soc", "A,B")
    assert (defaults["private"], defaults["partitions"], defaults["alertSeverities"]) == (False, 4, "")
    types = dict(re.findall(r"^param (\w+) (\w+)", (INFRA / "main.bicep").read_text(), re.MULTILINE))
    python = {"bool": bool, "int": int}
    wanted = {name: python.get(types.get(name, ""), str) for name in PARAMETERS}
    assert {name: type(value) for name, value in defaults.items()} == wanted


def test_a_choice_is_read_as_azd_reads_it_or_refused(subtests: pytest.Subtests) -> None:
    """An empty variable counts as not set; what is not of its type is refused, where azd would take the default."""
    for text, is_meant in {"true": True, "True": True, "1": True, "false": False, "0": False, "": False}.items():
        with subtests.test(text):
            assert values(ROUTER_PRIVATE=text)["private"] is is_meant
    for name, text, kind in (
        ("ROUTER_PRIVATE", "yes", "bool"),
        ("ROUTER_PARTITIONS", "4.5", "int"),
        ("ROUTER_PARTITIONS", "1_0", "int"),
    ):
        with subtests.test(text), pytest.raises(BadSetting, match=f"^{name}: {text} is no {kind}$"):
            values(**{name: text})


def test_a_missing_value_is_named(subtests: pytest.Subtests) -> None:
    """Whether the variable is empty or not there at all."""
    for name in NEEDED:
        without = {key: value for key, value in NEEDED.items() if key != name}
        for environment in (without, {**without, name: ""}):
            with subtests.test(name), pytest.raises(BadSetting, match=f"^{name}: is not set, "):
                rendered(environment)


def test_every_secret_is_found_wherever_the_rules_name_it(tmp_path: Path) -> None:
    """In destinations of both streams, and as the pager of an owner."""
    shutil.copytree(RULES, tmp_path, dirs_exist_ok=True)
    owners = tmp_path / "owners.yaml"
    owner = "owners:\n  - {subscription: '*', group: first, pager: {secret: THE_OWNERS_KEY}}\n"
    owners.write_text(owners.read_text().replace("owners:\n", owner, 1))
    posture = tmp_path / "cspm" / "policy.yaml"
    posture.write_text(posture.read_text().replace("SERVICENOW_POSTURE_PASSWORD", "ANOTHER_SECRET"))
    assert secret_names(tmp_path, now()) == "ANOTHER_SECRET,PAGERDUTY_ROUTING_KEY,SERVICENOW_PASSWORD,THE_OWNERS_KEY"
    shutil.rmtree(posture.parent)
    assert secret_names(tmp_path, now()) == "PAGERDUTY_ROUTING_KEY,SERVICENOW_PASSWORD,THE_OWNERS_KEY"


def printed(project: Path, **environment: str) -> tuple[int, str, str]:
    """The exit code of `python -m infra.parameters` in a copy of the project, and what it says."""
    ends = {"stdin": DEVNULL, "stdout": PIPE, "stderr": PIPE}
    process = started("infra.parameters", cwd=project, env=environment, **ends)
    said = process.communicate()
    return process.wait(), *said


def test_the_names_are_those_of_the_rules_and_never_stale(tmp_path: Path) -> None:
    """Whatever the variable says."""
    azd = azd_on(tmp_path)
    policy = tmp_path / "rules" / "cspm" / "policy.yaml"
    policy.write_text(policy.read_text().replace("SERVICENOW_POSTURE_PASSWORD", "ANOTHER_PASSWORD"))
    chosen = {**NEEDED, FIRST: "2026-01-31T23:59:59Z"}
    code, out, err = printed(tmp_path, **chosen)
    assert (code, err) == (0, "")
    given = json.loads(out)["parameters"]
    assert given["secretNames"] == {"value": "ANOTHER_PASSWORD,PAGERDUTY_ROUTING_KEY,SERVICENOW_PASSWORD"}
    for name, value in chosen.items():
        azd.set(name, value)
    deployed = azd.provision().deployed
    assert deployed is not None
    wanted = {name: value.lower() for name, value in deployed.items()}
    assert {name: str(one["value"]).lower() for name, one in given.items()} == wanted


def test_what_is_missing_is_one_line(tmp_path: Path) -> None:
    """No traceback, and nothing that could be taken for parameters."""
    azd_on(tmp_path)
    wrong = "AZURE_LOCATION: is not set, and infra/main.bicep needs it\n"
    assert printed(tmp_path, **{**NEEDED, "AZURE_LOCATION": ""}) == (1, "", wrong)
    (tmp_path / "rules" / "cwpp" / "policy.yaml").write_text("stream: cwpp\n")
    code, out, err = printed(tmp_path, **NEEDED)
    assert (code, out) == (1, "")
    assert all("/rules/cwpp/policy.yaml:1: " in line for line in err.splitlines())
