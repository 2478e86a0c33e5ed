"""The workflow for the user's own repository checks before it deploys, and holds no credential."""

from __future__ import annotations

import re

import yaml

from tests.infra.test_azd import HOOKED, OF_AZD, variables
from tests.infra.variants import ROOT

PATH = ROOT / ".github" / "workflows" / "deploy.yml"
WORKFLOW = yaml.safe_load(PATH.read_text())
UNVERIFIED = {"Azure/setup-azd@v2"}
"""What is not pinned by commit, and says so."""


def test_it_names_no_secret() -> None:
    """Azure trusts the run itself; variables are not secret."""
    assert "secrets." not in PATH.read_text()


def test_only_the_deployment_may_ask_azure_for_a_token() -> None:
    """A pull request of somebody else's gets nothing but the code."""
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert "permissions" not in WORKFLOW["jobs"]["check"]
    deploy = WORKFLOW["jobs"]["deploy"]
    assert deploy["permissions"] == {"contents": "read", "id-token": "write"}
    assert deploy["if"] == "github.ref == 'refs/heads/main' && github.event_name != 'pull_request'"
    assert deploy["environment"] == "production"
    assert deploy["needs"] == "check"


def test_it_runs_for_pull_requests_and_main_only() -> None:
    """Not for `pull_request_target`, which would give somebody else's code what only main may have."""
    when = WORKFLOW[True]  # YAML reads `on` as true
    assert when.keys() == {"pull_request", "push", "workflow_dispatch"}
    assert when["push"] == {"branches": ["main"]}


def test_actions_are_pinned_by_commit() -> None:
    """A tag can be moved."""
    used = {step["uses"] for job in WORKFLOW["jobs"].values() for step in job["steps"] if "uses" in step}
    assert {one for one in used if not re.search(r"@[0-9a-f]{40}$", one)} == UNVERIFIED


def test_it_checks_what_a_change_must_pass() -> None:
    """All that .ci/run checks of the code, the rules and infra/."""
    ran = {step["run"] for step in WORKFLOW["jobs"]["check"]["steps"] if "run" in step}
    for command in ("make test", "make lint", "make infra-check"):
        assert command in ran
        assert command in (ROOT / ".ci" / "run").read_text().splitlines()
    assert {".venv/bin/alert-router rules check", ".venv/bin/alert-router rules test"} < ran


def test_what_was_chosen_reaches_azd() -> None:
    """A parameter that somebody set is not silently back at its default."""
    ran = [step["run"] for step in WORKFLOW["jobs"]["deploy"]["steps"] if "run" in step]
    (chosen,) = [at for at, run in enumerate(ran) if 'startswith("ROUTER_")' in run and "GITHUB_ENV" in run]
    assert chosen < ran.index("azd provision --no-prompt")
    assert all(name.startswith("ROUTER_") for name, default in variables().values() if default is not None)


def test_every_variable_that_azd_needs_is_given() -> None:
    """azd cannot ask in a workflow."""
    assert WORKFLOW["jobs"]["deploy"]["env"].keys() > OF_AZD | HOOKED
