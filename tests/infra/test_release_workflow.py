"""The workflow that makes a release of a tag: what builds may write nothing, and what may write builds nothing."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.package import PACKAGE
from infra.release import NOTES, TEMPLATE_TAG, Release
from tests.infra.test_workflow import commands as deploying
from tests.infra.test_workflow import run
from tests.infra.variants import ROOT

PATH = ROOT / ".github" / "workflows" / "release.yml"
WORKFLOW = yaml.safe_load(PATH.read_text())
JOBS = WORKFLOW["jobs"]
TAG = "v1.0;$(touch evil)'"

_GH = """#!{python} -I
import json, pathlib, sys
said = sys.argv[1:]
with open("asked", "a") as asked:
    print(json.dumps(said), file=asked)
if said[0] == "api" and "/refs" in said[1] and "PATCH" not in said and pathlib.Path("again").exists():
    sys.exit("Reference already exists")
print("sha-of-" + said[1].rpartition("/")[2])
"""


def steps() -> list[dict[str, Any]]:
    """The steps of all jobs."""
    return [step for job in JOBS.values() for step in job["steps"]]


def commands(job: str) -> list[str]:
    """What a job runs, in its order."""
    return [step["run"] for step in JOBS[job]["steps"] if "run" in step]


def published(directory: Path) -> list[list[str]]:
    """What is asked of GitHub for a tag that means ill."""
    (directory / "gh").write_text(_GH.format(python=sys.executable))
    (directory / "gh").chmod(0o755)
    for command in commands("publish"):
        given = {"GITHUB_REPOSITORY": "soc/router", "GITHUB_REF_NAME": TAG}
        run(command, directory, **given, PATH=f"{directory}:{os.environ['PATH']}")
    return [json.loads(line) for line in (directory / "asked").read_text().splitlines()]


def test_it_runs_for_tags_only() -> None:
    """Nobody else's code runs, and no branch is released."""
    assert WORKFLOW[True] == {"push": {"tags": ["v*"]}}  # YAML reads `on` as true


def test_what_builds_may_only_read_and_what_writes_runs_nothing_of_the_repository() -> None:
    """A dependency or a test that means ill has no token that could change anything."""
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert {name: job["permissions"] for name, job in JOBS.items() if "permissions" in job} == {
        "publish": {"contents": "write"}
    }
    assert JOBS["publish"]["needs"] == "build"
    assert not [step for step in JOBS["publish"]["steps"] if "checkout" in step.get("uses", "")]
    (checkout,) = [step for step in steps() if "checkout" in step.get("uses", "")]
    assert checkout["with"]["persist-credentials"] is False
    assert "secrets." not in PATH.read_text()


def test_actions_are_pinned_by_commit_and_scripts_hold_nothing_of_somebody_else() -> None:
    """As the other workflow's are."""
    assert all(re.search(r"@[0-9a-f]{40}$", step["uses"]) for step in steps() if "uses" in step)
    assert not [step["run"] for step in steps() if "${{" in step.get("run", "")]


def test_what_is_released_was_checked_as_what_is_deployed() -> None:
    """The same commands, and only then the package and what goes with it."""
    checked = deploying("check")
    assert commands("build") == [
        *checked,
        "make package",
        '.venv/bin/python -m infra.release "$GITHUB_REPOSITORY" "$GITHUB_REF_NAME"',
    ]


@pytest.mark.parametrize("again", [False, True])
def test_template_and_package_are_where_the_notes_say(tmp_path: Path, again: bool) -> None:
    """The template first, under the tag that the button reads; a job that runs again moves that tag."""
    if again:
        (tmp_path / "again").touch()
    blob, tree, commit, *refs, release = published(tmp_path)
    assert [one[1].rpartition("/")[2] for one in (blob, tree, commit)] == ["blobs", "trees", "commits"]
    assert "content=@dist/azuredeploy.json" in blob
    assert {"tree[][path]=azuredeploy.json", "tree[][sha]=sha-of-blobs"} < set(tree)
    assert "tree=sha-of-trees" in commit
    assert len(refs) == 1 + again
    assert {f"ref=refs/tags/{TEMPLATE_TAG}{TAG}", "sha=sha-of-commits"} < set(refs[0])
    if again:
        assert refs[1][1] == f"repos/soc/router/git/refs/tags/{TEMPLATE_TAG}{TAG}"
        assert {"PATCH", "sha=sha-of-commits", "force=true"} < set(refs[1])
    assert release[:5] == ["release", "create", TAG, f"dist/{PACKAGE}", "dist/azuredeploy.json"]
    assert release[-2:] == ["--notes-file", f"dist/{NOTES}"]
    assert Release("soc/router", "v1").package.endswith(f"/v1/{PACKAGE}")
    assert not (tmp_path / "evil").exists()
