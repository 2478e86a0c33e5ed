"""The workflow for the user's own repository checks before it deploys, and holds no credential."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra.azd import azd_on
from tests.infra.test_azd import OF_AZD, variables
from tests.infra.variants import DEFENDER, ROOT

PATH = ROOT / ".github" / "workflows" / "deploy.yml"
WORKFLOW = yaml.safe_load(PATH.read_text())
JOBS = WORKFLOW["jobs"]
UNVERIFIED = {"Azure/setup-azd@v2"}
"""What is not pinned by commit, and says so."""

DEPLOY = "azd provision --no-prompt --no-state"
PARAMETERS = 'python -m infra.parameters > "$RUNNER_TEMP/parameters.json"'


def test_it_names_no_secret() -> None:
    """Azure trusts the run itself; variables are not secret."""
    assert "secrets." not in PATH.read_text()


def test_only_what_deploys_and_what_previews_may_ask_azure_for_a_token() -> None:
    """Each in an environment of its own, which an identity of its own trusts."""
    assert WORKFLOW["permissions"] == {"contents": "read"}
    asking = {name: job["environment"] for name, job in JOBS.items() if "permissions" in job or "environment" in job}
    assert asking == {"deploy": "production", "preview": "preview"}
    assert all(JOBS[name]["permissions"] == {"contents": "read", "id-token": "write"} for name in asking)
    assert JOBS["deploy"]["if"] == "github.ref == 'refs/heads/main' && github.event_name != 'pull_request'"
    assert JOBS["deploy"]["needs"] == "check"


def test_a_pull_request_is_previewed_only_where_its_code_is_the_repositorys_own() -> None:
    """Somebody else's gets nothing but the code, and a difference that was made without Azure."""
    own = "github.event.pull_request.head.repo.full_name == github.repository"
    assert JOBS["preview"]["if"] == f"github.event_name == 'pull_request' && {own}"
    assert JOBS["difference"]["if"] == JOBS["preview"]["if"].replace("full_name ==", "full_name !=")
    assert not [step for step in JOBS["difference"]["steps"] if "azure" in str(step).lower().replace("in azure", "")]
    assert all(
        step["with"]["persist-credentials"] is False for step in every_step() if "checkout" in step.get("uses", "")
    )


def test_the_preview_writes_nothing() -> None:
    """It asks what would be, at the one level that does not want the right to write."""
    ran = commands("preview")
    assert not [run for run in ran if "azd" in run]
    (asked,) = [run for run in ran if run.startswith("az ")]
    assert asked.startswith("az deployment sub what-if ")
    assert "--validation-level ProviderNoRbac" in asked


def test_nothing_that_somebody_else_wrote_is_put_into_a_script() -> None:
    """Only the environment of a step carries it."""
    assert not [step["run"] for step in every_step() if "${{" in step.get("run", "")]


def test_it_runs_for_pull_requests_and_main_only() -> None:
    """Not for `pull_request_target`, which would give somebody else's code what only main may have."""
    when = WORKFLOW[True]  # YAML reads `on` as true
    assert when.keys() == {"pull_request", "push", "workflow_dispatch"}
    assert when["push"] == {"branches": ["main"]}


def test_actions_are_pinned_by_commit() -> None:
    """A tag can be moved."""
    used = {step["uses"] for step in every_step() if "uses" in step}
    assert {one for one in used if not re.search(r"@[0-9a-f]{40}$", one)} == UNVERIFIED


def test_it_checks_what_a_change_must_pass() -> None:
    """All that .ci/run checks of the code, the rules and infra/."""
    ran = set(commands("check"))
    for command in ("make test", "make lint", "make infra-check"):
        assert command in ran
        assert command in (ROOT / ".ci" / "run").read_text()
    assert {".venv/bin/alert-router rules check", ".venv/bin/alert-router rules test"} < ran


MAKEFILE = """
infra-check lint:
\t@echo make $@
test:
\t@"$(PYTHON)" -c 'import os, signal; print("make test", os.geteuid(), os.listdir(".."), *map(signal.getsignal, [2]))'
"""


def test_the_projects_own_ci_runs_the_tests_as_a_stranger_would(tmp_path: Path) -> None:
    """In a clone with nothing beside it, where Ctrl-C is ignored, not as root where it can; then what needs more, in place."""
    project = tmp_path / "project"
    for name, text in {
        ".ci/run": (ROOT / ".ci" / "run").read_text(),
        "Makefile": MAKEFILE,
        "pytest.py": "import sys; print('pytest', sys.argv)",
        "rules/README.md": "",
        "router/rulebook/starter/rules/README.md": "",
    }.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    author = ("-c", "user.name=a", "-c", "user.email=a@contoso.example")
    for step in (("init", "--quiet"), ("add", "."), (*author, "commit", "--quiet", "--message", "all")):
        subprocess.run(["git", *step], cwd=project, check=True)
    (tmp_path / "shared").mkdir()
    (project / ".venv" / "bin").mkdir(parents=True)
    (project / ".venv" / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    for name in ("alert-router", "azure-functions-doctor"):
        (project / ".venv" / "bin" / name).symlink_to("/bin/echo")
    done = subprocess.run(["bash", ".ci/run"], cwd=project, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (ran,) = [line for line in done.stdout.splitlines() if line.startswith("make test")]
    _, _, user, rest = ran.split(maxsplit=3)
    assert user != "0" or "only root can start it here" in done.stdout
    assert "clone" in rest
    assert "shared" not in rest
    assert rest.endswith(" 1")
    (more,) = [line for line in done.stdout.splitlines() if line.startswith("pytest")]
    assert "(shared or tools) and not soak" in more
    assert done.stdout.index(ran) < done.stdout.index(more) < done.stdout.index("make lint")


def test_no_workflow_asks_whether_rules_are_as_they_came() -> None:
    """Only .ci/run does, which is for the project's own repository."""
    starter = "router/rulebook/starter/rules"
    assert f"diff -r rules {starter}" in (ROOT / ".ci" / "run").read_text().splitlines()
    assert [path.name for path in PATH.parent.iterdir() if starter in path.read_text()] == []


@pytest.mark.parametrize(("job", "reading"), [("deploy", DEPLOY), ("preview", PARAMETERS)])
def test_what_was_chosen_reaches_azure(job: str, reading: str) -> None:
    """A parameter that somebody set is not silently back at its default, nor missing in the preview."""
    ran = commands(job)
    (chosen,) = [at for at, run in enumerate(ran) if 'startswith("ROUTER_")' in run and "GITHUB_ENV" in run]
    assert chosen < ran.index(reading)
    assert all(name.startswith("ROUTER_") for name, default in variables().values() if default is not None)


@pytest.mark.parametrize("job", ["deploy", "preview"])
def test_every_variable_that_is_needed_is_given(job: str) -> None:
    """Nobody can be asked in a workflow, and what the hooks find out there need not be."""
    assert JOBS[job]["env"].keys() >= OF_AZD | {"DEFENDER_PRINCIPAL_ID"}
    python = next(at for at, step in enumerate(JOBS[job]["steps"]) if "setup-python" in step.get("uses", ""))
    first = next(at for at, step in enumerate(JOBS[job]["steps"]) if step.get("run") in (DEPLOY, PARAMETERS))
    assert python < first
    assert JOBS[job]["steps"][python]["with"] == {"python-version": "3.13"}


@pytest.mark.parametrize("job", ["deploy", "preview"])
@pytest.mark.parametrize("said", [{}, {"ROUTER_FIRST_DEPLOYED": "2026-01-31T23:59:59Z"}])
def test_no_run_is_taken_for_the_first_deployment(tmp_path: Path, job: str, said: dict[str, str]) -> None:
    """A runner knows of none before it, and each would make alarms quiet again; what somebody said stands."""
    (given,) = [command for command in commands(job) if "GITHUB_ENV" in command]
    variables = json.dumps({"ROUTER_PARTITIONS": "8", "AZURE_LOCATION": "westeurope", **said})
    file = tmp_path / "env"
    run(given, tmp_path, VARIABLES=variables, GITHUB_ENV=str(file), PATH=os.environ["PATH"])
    chosen = dict(line.split("=") for line in file.read_text().splitlines())
    assert chosen == {"ROUTER_PARTITIONS": "8", "ROUTER_FIRST_DEPLOYED": "none", **said}


def test_what_was_changed_by_hand_is_put_back() -> None:
    """azd skips what it deployed already, unless it is told not to trust its memory."""
    assert [run for run in commands("deploy") if run.startswith("azd ") and "auth" not in run] == [
        DEPLOY,
        "azd deploy --no-prompt",
    ]


def test_the_preview_is_of_the_rules_as_they_stand(tmp_path: Path) -> None:
    """A stale variable of the repository's is not what is previewed; `test_hooks` holds the same for what is deployed."""
    azd_on(tmp_path, Path(sys.executable))
    policy = tmp_path / "rules" / "cspm" / "policy.yaml"
    policy.write_text(policy.read_text().replace("SERVICENOW_POSTURE_PASSWORD", "ANOTHER_PASSWORD"))
    given = {"AZURE_ENV_NAME": "soc", "AZURE_LOCATION": "westeurope", "DEFENDER_PRINCIPAL_ID": DEFENDER}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    run(PARAMETERS, tmp_path, **given, ROUTER_SECRET_NAMES="STALE_KEY", PATH=path)
    parameters = json.loads((tmp_path / "parameters.json").read_text())["parameters"]
    assert parameters["secretNames"]["value"] == "ANOTHER_PASSWORD,PAGERDUTY_ROUTING_KEY,SERVICENOW_PASSWORD"
    (asked,) = [run for run in commands("preview") if run.startswith("az ")]
    assert '--parameters "@$RUNNER_TEMP/parameters.json"' in asked


def test_a_forks_difference_is_that_of_its_own_commits(tmp_path: Path) -> None:
    """What main got meanwhile is not in it, and nothing but the predicted resources."""
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com"]

    def committed(branch: str, **files: str) -> str:
        subprocess.run(
            [*git, "checkout", "--quiet", "-B", branch, *(["HEAD"] if branch != "start" else [])], cwd=tmp_path
        )
        for name, text in files.items():
            (tmp_path / "infra" / "predicted" / f"{name}.json").write_text(text)
        subprocess.run([*git, "add", "--all"], cwd=tmp_path, check=True)
        subprocess.run([*git, "commit", "--quiet", "--message", "x"], cwd=tmp_path, check=True)
        said = subprocess.run([*git, "rev-parse", "HEAD"], cwd=tmp_path, check=True, capture_output=True, text=True)
        return said.stdout.strip()

    (tmp_path / "infra" / "predicted").mkdir(parents=True)
    subprocess.run([*git, "init", "--quiet"], cwd=tmp_path, check=True)
    start = committed("start", default="one\n", private="one\n")
    base = committed("main", private="two\n")
    subprocess.run([*git, "checkout", "--quiet", start], cwd=tmp_path, check=True)
    head = committed("fork", default="two\n")
    asked, _ = commands("difference")
    run(asked, tmp_path, BASE=base, HEAD=head, PATH=os.environ["PATH"])
    text = (tmp_path / "difference.txt").read_text()
    assert "+two" in text
    assert "default.json" in text
    assert "private.json" not in text


@pytest.mark.parametrize(("job", "file"), [("preview", "what-if.txt"), ("difference", "difference.txt")])
def test_what_is_shown_can_only_be_text(tmp_path: Path, job: str, file: str) -> None:
    """Every line is of the code block, also where a name holds the end of one; and it is as long as GitHub takes it."""
    (tmp_path / file).write_bytes(b"+ one\r# two\n\n```\r\n<img src=x>\n" + b"a\n" * 400_000)
    *_, shown = commands(job)
    run(shown, tmp_path, PATH=os.environ["PATH"])
    text = (tmp_path / "summary.md").read_text()
    heading, empty, *lines = text.split("\n")
    assert heading.startswith("### ")
    assert empty == ""
    assert "\r" not in text
    assert lines[:4] == ["    + one# two", "    ", "    ```", "    <img src=x>"]
    assert all(line.startswith("    ") for line in lines[:-1])
    assert len(text.encode()) < 2**20


def every_step() -> list[dict[str, Any]]:
    """The steps of all jobs."""
    return [step for job in JOBS.values() for step in job["steps"]]


def commands(job: str) -> list[str]:
    """What a job runs, in its order."""
    return [step["run"] for step in JOBS[job]["steps"] if "run" in step]


def run(script: str, directory: Path, **environment: str) -> None:
    """Runs a step's script as GitHub's runner does, in a directory that is the runner's own place for files too."""
    given = {"RUNNER_TEMP": str(directory), "GITHUB_STEP_SUMMARY": str(directory / "summary.md"), **environment}
    subprocess.run(["bash", "-e", "-c", script], cwd=directory, env=given, check=True)
