"""The workflows: that for the user's own repository checks before it deploys, and that for releases builds where it may write
nothing. Neither holds a credential."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.package import PACKAGE
from infra.release import NOTES, TEMPLATE_TAG, Release
from tests.infra.image import read_sections
from tests.infra.predicted import ROOT
from tests.infra.test_azd import OF_AZD, variables

WORKFLOWS = ROOT / ".github" / "workflows"
TEXTS = {name: (WORKFLOWS / f"{name}.yml").read_text() for name in ("deploy", "release")}
DEPLOYING, RELEASING = (yaml.safe_load(text) for text in TEXTS.values())
JOBS: dict[str, dict[str, Any]] = {**DEPLOYING["jobs"], **RELEASING["jobs"]}
"""The jobs of both, by name."""

UNVERIFIED = {"Azure/setup-azd@v2"}
"""What is not pinned by commit, and says so."""

DEPLOY = "azd provision --no-prompt --no-state"
ONLY_GITHUBS = {"actions/attest-build-provenance", "actions/download-artifact", "actions/upload-artifact"}
"""What signs and what publishes may use."""

PARAMETERS = 'python -m infra.parameters > "$RUNNER_TEMP/parameters.json"'
TAG = "v1.0;$(touch evil)'"
READS = {"contents": "read"}

_GH = """#!{python} -I
import json, pathlib, sys
said = sys.argv[1:]
with open("asked", "a") as asked:
    print(json.dumps(said), file=asked)
if said[0] == "api" and "/refs" in said[1] and "PATCH" not in said and pathlib.Path("again").exists():
    sys.exit("Reference already exists")
print("sha-of-" + said[1].rpartition("/")[2])
"""


def every_step(*jobs: str) -> list[dict[str, Any]]:
    """The steps of some jobs, else of all."""
    return [step for name, job in JOBS.items() if not jobs or name in jobs for step in job["steps"]]


def commands(job: str) -> list[str]:
    """What a job runs, in its order."""
    return [step["run"] for step in every_step(job) if "run" in step]


def run(script: str, directory: Path, **environment: str) -> None:
    """Runs a step's script as GitHub's runner does, in a directory that is the runner's own place for files too."""
    given = {
        "RUNNER_TEMP": str(directory),
        "GITHUB_STEP_SUMMARY": str(directory / "summary.md"),
        "PATH": os.environ["PATH"],
    }
    subprocess.run(["bash", "-e", "-c", script], cwd=directory, env=given | environment, check=True)


def test_no_workflow_has_a_secret_or_runs_what_somebody_else_wrote() -> None:
    """Azure trusts the run itself. What others wrote is carried by the environment of a step only; a tag can be moved, so that
    actions are pinned by commit; and no clone leaves the token behind."""
    assert len(JOBS) == len(DEPLOYING["jobs"]) + len(RELEASING["jobs"])
    assert not [name for name, text in TEXTS.items() if "secrets." in text]
    assert not [step["run"] for step in every_step() if "${{" in step.get("run", "")]
    used = {step["uses"] for step in every_step() if "uses" in step}
    assert {one for one in used if not re.search(r"@[0-9a-f]{40}$", one)} == UNVERIFIED
    clones = [step for step in every_step() if "checkout" in step.get("uses", "")]
    assert {step["with"]["persist-credentials"] for step in clones} == {False}
    assert not [step for step in clones if step in every_step("sign", "publish")]


def test_they_run_for_pull_requests_main_and_tags_only() -> None:
    """Not for `pull_request_target`, which would give a stranger's code what only main may have. YAML reads `on` as true."""
    assert DEPLOYING[True].keys() == {"pull_request", "push", "workflow_dispatch"}
    assert DEPLOYING[True]["push"] == {"branches": ["main"]}
    assert RELEASING[True] == {"push": {"tags": ["v*"]}}


def test_only_what_deploys_previews_and_signs_asks_for_a_token_and_only_what_publishes_writes() -> None:
    """Azure's each in an environment of its own, which an identity of its own trusts. A stranger's pull request gets the code
    alone, and a difference that was made without Azure. What signs and what publishes runs nothing that was built."""
    assert DEPLOYING["permissions"] == RELEASING["permissions"] == READS
    signs_in = READS | {"id-token": "write"}
    assert {name: job["permissions"] for name, job in JOBS.items() if "permissions" in job} == {
        "deploy": signs_in,
        "preview": signs_in,
        "sign": signs_in | {"attestations": "write"},
        "publish": {"contents": "write"},
    }
    assert {name: job["environment"] for name, job in JOBS.items() if "environment" in job} == {
        "deploy": "production",
        "preview": "preview",
    }
    assert JOBS["deploy"]["if"] == "github.ref == 'refs/heads/main' && github.event_name != 'pull_request'"
    assert (JOBS["deploy"]["needs"], JOBS["sign"]["needs"]) == ("check", ["build", "image"])
    assert (JOBS["publish"]["needs"], JOBS["publish"]["if"]) == (
        ["build", "image", "sign"],
        "${{ !failure() && !cancelled() }}",
    )
    for name in ("sign", "publish"):
        assert {step["uses"].partition("@")[0] for step in every_step(name) if "uses" in step} <= ONLY_GITHUBS, name
        programs = {word for one in commands(name) for word in re.findall(r"^\s*(?:\w+=\"\$\()?([\w./]+) ", one, re.M)}
        assert programs <= {"cp", "gh", "mv"}, name
    own = "github.event.pull_request.head.repo.full_name == github.repository"
    assert JOBS["preview"]["if"] == f"github.event_name == 'pull_request' && {own}"
    assert JOBS["difference"]["if"] == JOBS["preview"]["if"].replace("full_name ==", "full_name !=")
    assert not [step for step in every_step("difference") if "azure" in str(step).lower().replace("in azure", "")]


def test_what_is_deployed_or_released_passed_all_checks() -> None:
    """All that .ci/run checks of the code, the rules and infra/; and only then the package and what goes with it."""
    checked = commands("check")
    ci = (ROOT / ".ci" / "run").read_text()
    for command in ("make test", "make lint", "make infra-check"):
        assert command in checked and command in ci
    assert {".venv/bin/alert-router rules check", ".venv/bin/alert-router rules test"} < set(checked)
    # The image and the chart are another job's.
    packed = ["make package", '.venv/bin/python -m infra.release "$GITHUB_REPOSITORY" "$GITHUB_REF_NAME"']
    assert commands("build") == [*checked, *packed]
    # Whether rules are as they came only the project's own repository asks.
    starter = "router/rulebook/starter/rules"
    assert f"diff -r rules {starter}" in ci.splitlines()
    assert [path.name for path in WORKFLOWS.iterdir() if starter in path.read_text()] == []


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
    git(project, "init", "--quiet")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "--message", "all")
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
    assert "clone" in rest and "shared" not in rest and rest.endswith(" 1")
    (more,) = [line for line in done.stdout.splitlines() if line.startswith("pytest")]
    assert "(shared or tools) and not soak" in more
    assert done.stdout.index(ran) < done.stdout.index(more) < done.stdout.index("make lint")


def test_an_image_is_made_for_both_processors_and_says_what_it_is_of(tmp_path: Path) -> None:
    """Of a tag however that is spelt. It goes nowhere: a file of the release is all that comes of it, and of the chart."""
    (tmp_path / "asked").touch()
    for name in ("docker", "helm"):
        (tmp_path / name).write_text(_GH.format(python=sys.executable))
        (tmp_path / name).chmod(0o755)
    given = {"GITHUB_REPOSITORY": "soc/router", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_SHA": "0" * 40}
    for command in commands("image"):
        run(command, tmp_path, **given, GITHUB_REF_NAME=TAG, PATH=f"{tmp_path}:{os.environ['PATH']}")
    create, build, package = [json.loads(line) for line in (tmp_path / "asked").read_text().splitlines()]
    assert create[:2] == ["buildx", "create"]
    assert {
        "linux/amd64,linux/arm64",
        "--sbom=true",
        "--provenance=mode=max",
        "type=oci,dest=alert-router-image.tar",
    } < set(build)
    assert {f"VERSION={TAG}", f"REVISION={'0' * 40}", "SOURCE=https://github.com/soc/router"} < set(build)
    named = {one.partition("=")[0] for one in build[1:] if "=" in one and one[:1].isupper()}
    assert named == {"VERSION", "REVISION", "SOURCE"}
    (_, final) = read_sections((ROOT / "Dockerfile").read_text())
    assert named <= {one.given.partition("=")[0] for one in final.instructions if one.word == "ARG"}
    assert build[build.index("--tag") + 1] == "alert-router:v1.0---touch-evil--"
    assert package == ["package", "infra/chart", "--app-version", "v1.0---touch-evil--"]
    assert (
        "--push" not in TEXTS["release"] and "push=true" not in TEXTS["release"] and "packages:" not in TEXTS["release"]
    )
    assert not (tmp_path / "evil").exists()


def git(at: Path, *words: str) -> str:
    """What git says to a person with a name."""
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@contoso.example", *words]
    return subprocess.run(command, cwd=at, check=True, capture_output=True, text=True).stdout.strip()


def test_what_was_chosen_reaches_azure(tmp_path: Path, subtests: pytest.Subtests) -> None:
    """In a deployment and in its preview: a variable that is set is not silently back at its default, and each that is needed
    is given, since nobody can be asked. No run is taken for the first deployment, which would make alarms quiet again."""
    assert all(name.startswith("ROUTER_") for name, default in variables().values() if default is not None)
    for job, reading in (("deploy", DEPLOY), ("preview", PARAMETERS)):
        with subtests.test(job):
            ran = commands(job)
            (chosen,) = [one for one in ran if 'startswith("ROUTER_")' in one and "GITHUB_ENV" in one]
            assert ran.index(chosen) < ran.index(reading)
            assert JOBS[job]["env"].keys() >= OF_AZD | {"DEFENDER_PRINCIPAL_ID"}
            steps = every_step(job)
            (python,) = [at for at, step in enumerate(steps) if "setup-python" in step.get("uses", "")]
            assert python < next(at for at, step in enumerate(steps) if step.get("run") == reading)
            assert steps[python]["with"] == {"python-version": "3.13"}
            for said in ({}, {"ROUTER_FIRST_DEPLOYED": "2026-01-31T23:59:59Z"}):
                file = tmp_path / f"{job}-{len(said)}"
                given = json.dumps({"ROUTER_PARTITIONS": "8", "AZURE_LOCATION": "westeurope", **said})
                run(chosen, tmp_path, VARIABLES=given, GITHUB_ENV=str(file))
                wanted = {"ROUTER_PARTITIONS": "8", "ROUTER_FIRST_DEPLOYED": "none", **said}
                assert dict(line.split("=") for line in file.read_text().splitlines()) == wanted


def test_the_preview_is_of_the_parameters_as_they_stand_and_writes_nothing() -> None:
    """They are made anew, as tests/infra/test_azd.py has it; what would be is asked at the one level that does not want the
    right to write. And what was changed by hand a deployment puts back: azd skips what it deployed already, unless it is told
    not to trust its memory."""
    assert PARAMETERS in commands("preview")
    assert not [one for one in commands("preview") if "azd" in one]
    deploys = [one for one in commands("deploy") if one.startswith("azd ") and "auth" not in one]
    assert deploys == [DEPLOY, "azd deploy --no-prompt"]
    (asked,) = [one for one in commands("preview") if one.startswith("az ")]
    assert asked.startswith("az deployment sub what-if ")
    assert "--validation-level ProviderNoRbac" in asked
    assert '--parameters "@$RUNNER_TEMP/parameters.json"' in asked


def test_a_forks_difference_is_that_of_its_own_commits(tmp_path: Path) -> None:
    """What main got meanwhile is not in it, and nothing but the predicted resources."""

    def committed(branch: str, **files: str) -> str:
        git(tmp_path, "checkout", "--quiet", "-B", branch, *(["start"] if branch != "start" else []))
        for name, text in files.items():
            (tmp_path / "infra" / "predicted" / f"{name}.json").write_text(text)
        git(tmp_path, "add", "--all")
        git(tmp_path, "commit", "--quiet", "--message", "x")
        return git(tmp_path, "rev-parse", "HEAD")

    (tmp_path / "infra" / "predicted").mkdir(parents=True)
    git(tmp_path, "init", "--quiet")
    committed("start", default="one\n", private="one\n")
    base, head = committed("main", private="two\n"), committed("fork", default="two\n")
    run(commands("difference")[0], tmp_path, BASE=base, HEAD=head)
    text = (tmp_path / "difference.txt").read_text()
    assert "+two" in text and "default.json" in text and "private.json" not in text


def test_what_is_shown_can_only_be_text(tmp_path: Path, subtests: pytest.Subtests) -> None:
    """Every line is of the code block, also where a name holds the end of one; and it is as long as GitHub takes it."""
    for job, file in (("preview", "what-if.txt"), ("difference", "difference.txt")):
        with subtests.test(job):
            (tmp_path / file).write_bytes(b"+ one\r# two\n\n```\r\n<img src=x>\n" + b"a\n" * 400_000)
            (tmp_path / "summary.md").unlink(missing_ok=True)
            run(commands(job)[-1], tmp_path)
            text = (tmp_path / "summary.md").read_text()
            heading, empty, *lines = text.split("\n")
            assert heading.startswith("### ") and empty == "" and "\r" not in text
            assert lines[:4] == ["    + one# two", "    ", "    ```", "    <img src=x>"]
            assert all(line.startswith("    ") for line in lines[:-1])
            assert len(text.encode()) < 2**20


@pytest.mark.parametrize("again", [False, True])
def test_template_and_package_are_where_the_notes_say(tmp_path: Path, again: bool) -> None:
    """The template first, under the tag that the button reads, however that is spelt; a job that runs again moves that tag."""
    if again:
        (tmp_path / "again").touch()
    (tmp_path / "gh").write_text(_GH.format(python=sys.executable))
    (tmp_path / "gh").chmod(0o755)
    (tmp_path / "dist").mkdir()
    for name in (PACKAGE, "azuredeploy.json", NOTES, "alert-router-image.tar", "alert router's.whl"):
        (tmp_path / "dist" / name).touch()
    for command in commands("publish"):
        given = {"GITHUB_REPOSITORY": "soc/router", "GITHUB_REF_NAME": TAG}
        run(command, tmp_path, **given, PATH=f"{tmp_path}:{os.environ['PATH']}")
    said = [json.loads(line) for line in (tmp_path / "asked").read_text().splitlines()]
    blob, tree, commit, *refs, release = said
    assert [one[1].rpartition("/")[2] for one in (blob, tree, commit)] == ["blobs", "trees", "commits"]
    assert "content=@dist/azuredeploy.json" in blob
    assert {"tree[][path]=azuredeploy.json", "tree[][sha]=sha-of-blobs"} < set(tree)
    assert "tree=sha-of-trees" in commit
    assert len(refs) == 1 + again
    assert {f"ref=refs/tags/{TEMPLATE_TAG}{TAG}", "sha=sha-of-commits"} < set(refs[0])
    if again:
        assert refs[1][1] == f"repos/soc/router/git/refs/tags/{TEMPLATE_TAG}{TAG}"
        assert {"PATCH", "sha=sha-of-commits", "force=true"} < set(refs[1])
    shipped = {"alert-router-image.tar", "alert router's.whl", "azuredeploy.json", PACKAGE}
    assert release[:3] == ["release", "create", TAG] and {*release[3:7]} == {f"dist/{name}" for name in shipped}
    assert release[-2:] == ["--notes-file", NOTES]
    assert Release("soc/router", "v1").package.endswith(f"/v1/{PACKAGE}")
    assert not (tmp_path / "evil").exists()
