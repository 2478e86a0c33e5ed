"""The template that a release ships is azuredeploy.json with defaults for the released package and the secrets of its rules."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from infra.release import NoParameter, main, released, secret_names
from tests.builders import RULES
from tests.infra.variants import TEMPLATE

PACKAGE = "https://example.com/alert-router.zip"
DEFAULTS = {"secretNames": "A_KEY,B_KEY", "packageUri": PACKAGE}


def test_defaults_are_put_in_and_nothing_else_is_changed() -> None:
    """Whatever else the template has stays as it was compiled."""
    template = deepcopy(TEMPLATE)
    template["parameters"] |= {"secretNames": {"type": "string"}, "packageUri": {"type": "string", "defaultValue": ""}}
    before = deepcopy(template)
    copy = released(template, DEFAULTS)
    assert template == before
    assert {name: copy["parameters"][name].pop("defaultValue") for name in DEFAULTS} == DEFAULTS
    before["parameters"]["packageUri"].pop("defaultValue")
    assert copy == before


@pytest.mark.parametrize("missing", DEFAULTS)
def test_a_template_without_the_parameter_is_refused(missing: str) -> None:
    """A button that asks for something else would deploy an empty app."""
    template: dict[str, Any] = {"parameters": {name: {} for name in DEFAULTS if name != missing}}
    with pytest.raises(NoParameter, match=f"^azuredeploy.json: has no parameter {missing}$"):
        released(template, DEFAULTS)


def test_the_secrets_are_those_of_the_released_rules(tmp_path: Path) -> None:
    """Rules that name none say so: an empty value would be a forgotten one."""
    assert secret_names(RULES) == "PAGERDUTY_ROUTING_KEY,SERVICENOW_PASSWORD,SERVICENOW_POSTURE_PASSWORD"
    for stream in ("cwpp", "cspm"):
        (tmp_path / stream).mkdir()
        (tmp_path / stream / "policy.yaml").write_text(
            f"stream: {stream}\nfloor: {{default: Medium}}\ndestinations:\n"
            f"  archive: {{kind: file, path: {stream}.ndjson}}\notherwise: [archive]\n"
        )
    (tmp_path / "attack.yaml").write_bytes((RULES / "attack.yaml").read_bytes())
    assert secret_names(tmp_path) == "none"


def test_the_copy_is_made_of_what_is_compiled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By one command; it says in a line what the template lacks, and then writes nothing."""
    to = tmp_path / "azuredeploy.json"
    code = main([PACKAGE, str(to)])
    lacking = [name for name in DEFAULTS if name not in TEMPLATE["parameters"]]
    assert code == bool(lacking)
    if lacking:
        assert capsys.readouterr().err == f"azuredeploy.json: has no parameter {lacking[0]}\n"
        assert not to.exists()
    else:
        assert json.loads(to.read_text())["parameters"]["packageUri"]["defaultValue"] == PACKAGE
