"""Who deploys with az instead of azd gives the same parameters."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from subprocess import DEVNULL, PIPE

import pytest

from infra.parameters import FIRST, NAMES, rendered, secret_names
from router.app.settings import now
from router.domain.errors import BadSetting
from tests.builders import RULES
from tests.infra.azd import azd_on
from tests.infra.predicted import DEFENDER, INFRA
from tests.warm import started

NEEDED = {
    "AZURE_ENV_NAME": "soc",
    "AZURE_LOCATION": "westeurope",
    "DEFENDER_PRINCIPAL_ID": DEFENDER,
    NAMES: "A,B",
}
GIVEN = json.loads((INFRA / "main.parameters.json").read_text())["parameters"]


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
    wanted = {name: python.get(types.get(name, ""), str) for name in GIVEN}
    assert {name: type(value) for name, value in defaults.items()} == wanted


def test_a_choice_is_read_as_azd_reads_it_or_refused(subtests: pytest.Subtests) -> None:
    """A variable that is empty counts as one that is not set; what is not of its type is refused, where azd would take the
    default."""
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
