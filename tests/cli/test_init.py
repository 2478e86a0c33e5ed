"""`init` writes a repository of rules of one's own: sound, with a workflow that checks it, and over nothing that is there."""

import json
import os
import re
from pathlib import Path

import pytest
import yaml

import alert_router_demo as demo
from router.cli.init import STAGING, VARIABLE, WORKFLOW
from router.rulebook.starter import REPOSITORY
from tests.cli.house import House, Said, Transcript, shell
from tests.docs.pages import ROOT

COMMIT = "0123456789" * 4
ORIGIN = f"git+https://git.contoso.example/soc/alert-router@{COMMIT}"


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> House:
    """An empty directory."""
    monkeypatch.chdir(tmp_path)
    return House(tmp_path, capsys)


def everything_in(directory: Path) -> dict[str, bytes | None]:
    """What is there by its name: the bytes of files, None for all else."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes() if path.is_file() else None
        for path in directory.rglob("*")
    }


def steps_in(directory: Path) -> tuple[dict[str, str], list[str]]:
    """The environment of a written workflow, and the shell of its steps."""
    workflow = yaml.safe_load((directory / WORKFLOW).read_text())
    return workflow["env"], [step["run"] for step in workflow["jobs"]["check"]["steps"] if "run" in step]


def test_what_it_writes_is_sound_and_it_says_what_comes_next(
    house: House, transcript: Transcript, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is there but what it names; the commands that it ends with, and the workflow's, are typed where it says.

    What is wrong stands beside its line, as GitHub reads it of a workflow's output.
    """
    said = transcript(f"init 'my rules' --from {ORIGIN}")
    mine = house.directory / "my rules"
    assert {path.name for path in mine.iterdir()} == {"rules", ".github", ".gitignore", "README.md", "alert.ndjson"}
    assert {path.name for path in (mine / "rules").iterdir()} == {"cwpp", "cspm", "owners.yaml"}
    *_, enter, check, test, explain = said.out.splitlines()
    assert enter == "  cd 'my rules'"
    monkeypatch.chdir(mine)
    typed = [house.says(*command.split()[1:]) for command in (check, test, explain)]
    assert [one.code for one in typed] == [0, 0, 0]
    assert house.says("rules", "check", "--strict").code == 0
    assert typed[2].out.startswith("alert.ndjson:1: routed")
    environment, (_, *commands) = steps_in(mine)
    assert environment == {"ALERT_ROUTER": ORIGIN, "RULES": "rules"}
    environment["GITHUB_STEP_SUMMARY"] = "summary.md"
    assert [shell(command, mine, **environment).code for command in commands] == [0, 0, 0]
    heading, blank, *results = (mine / "summary.md").read_text().splitlines()
    assert (heading, blank) == ("### Alert rules", "")
    expected = ["    rules: 0 problems", f"    {typed[1].out.split(';')[0]}"]
    assert [line.partition(";")[0] for line in results] == expected
    (mine / "rules/cwpp/suppressions/mine.json").write_text('{\n  "properties": {\n')
    checked = shell(commands[0], mine, **environment)
    assert checked.code == 1
    assert "\n::error file=rules/cwpp/suppressions/mine.json,line=2," in checked.out
    assert shell(commands[-1], mine, **environment) == Said(0, "", "")
    results = (mine / "summary.md").read_text().splitlines()
    assert any(line.startswith("    rules/cwpp/suppressions/mine.json:2: ") for line in results)
    assert " failed; 1 problem" in results[-1]


def test_a_commit_on_github_is_an_action(house: House) -> None:
    """Of this repository, which takes what the workflow gives it; it brings the versions that it was tested with."""
    for address in ("contoso/alert-router", "contoso/alert-router.git"):
        assert house.says("init", address, "--from", f"git+https://github.com/{address}@{COMMIT}").code == 0
        workflow = yaml.safe_load((house.directory / address / WORKFLOW).read_text())
        step = workflow["jobs"]["check"]["steps"][-1]
        assert step == {"uses": f"contoso/alert-router@{COMMIT}", "with": {"rules": "rules"}}
        assert step["with"].keys() <= yaml.safe_load((ROOT / "action.yml").read_text())["inputs"].keys()


def test_where_rules_are_nothing_is_written(house: House) -> None:
    """Whatever it is that is called so. An empty directory is none: who made it has written nothing yet."""
    (house.directory / "empty").mkdir()
    house.writes("a file in it/rules/notes.txt", "mine")
    house.writes("a file/rules", "mine")
    for name in ("nowhere", "empty"):
        (house.directory / f"a link to {name}").mkdir()
        (house.directory / f"a link to {name}" / "rules").symlink_to(house.directory / name)
    before = everything_in(house.directory)
    for mine in ("a file in it", "a file", "a link to nowhere", "a link to empty"):
        complaint = house.says("init", mine).complaint
        assert complaint == f"{mine}/rules: is there already, and init overwrites nothing; name another directory"
        assert everything_in(house.directory) == before
    (house.directory / "rules").mkdir()
    assert house.says("init", ".").code == 0
    assert (house.directory / "rules" / "cwpp" / "policy.yaml").is_file()
    assert house.says("init", ".").complaint.startswith("rules: is there already")


def test_one_that_was_interrupted_can_be_run_again(house: House, transcript: Transcript) -> None:
    """What it had begun is gone after that; what it had put in its place is there once, and a README of one's own stays."""
    assert house.says("init", "whole").code == 0
    house.writes(f"mine/{STAGING}/rules/cwpp/policy.yaml", "strea")
    house.writes(f"mine/{STAGING}/rules/cwpp/suppressions/of_an_older_version.json", "{}")
    house.writes(f"mine/{WORKFLOW}", (house.directory / "whole" / WORKFLOW).read_bytes())
    house.writes("mine/README.md", "mine")
    assert transcript("init mine").code == 0
    assert everything_in(house.directory / "mine") == everything_in(house.directory / "whole") | {"README.md": b"mine"}


def test_where_it_cannot_write_there_are_no_rules_and_one_line(house: House) -> None:
    """A file stands where a directory must; without it the same command succeeds."""
    for there in ("mine", "mine/.github", "mine/.github/workflows"):
        house.writes(there, "a file")
        assert house.says("init", "mine").complaint.startswith("mine")
        assert [data for data in everything_in(house.directory).values() if data is not None] == [b"a file"]
        (house.directory / there).unlink()
    assert not (house.directory / "mine" / "rules").exists() and not (house.directory / "mine" / STAGING).exists()
    assert house.says("init", "mine").code == 0


def test_the_directory_is_named(house: House) -> None:
    """Nothing is written where somebody happens to stand, as where a variable of the shell is empty.

    Who stands in a directory that is gone is told, and may name one from the top.
    """
    assert house.says("init").complaint.startswith("DIR: is missing; name the directory")
    assert house.says("init", " ").complaint.startswith("DIR: ' ' is no directory")
    assert everything_in(house.directory) == {}
    (house.directory / "gone").mkdir()
    os.chdir(house.directory / "gone")
    (house.directory / "gone").rmdir()
    assert house.says("init", "mine").complaint.startswith("mine: cannot be found")
    assert house.says("init", house.directory / "mine").code == 0


def test_a_directory_may_be_called_anything(house: House) -> None:
    """What is printed of it does nothing, whatever is in its name; the workflow says it as it is."""
    (house.directory / ".git").mkdir()
    name = "é \x1b[2J\n😀\udcff"
    said = house.says("init", name)
    assert (said.code, said.err) == (0, "")
    assert "\x1b" not in said.out
    (name_in_workflow,) = re.findall(rb"RULES: (.*)", (house.directory / name / WORKFLOW).read_bytes())
    assert json.loads(name_in_workflow.decode("utf-8", "surrogateescape")) == f"{name}/rules"


def test_github_looks_for_workflows_at_the_top(house: House) -> None:
    """Inside a repository its reader is told where the workflow belongs, and the rules are found from there."""
    (house.directory / "repo" / ".git").mkdir(parents=True)
    said = house.says("init", "repo/security/it's alerts")
    environment, (_, check, *_) = steps_in(house.directory / "repo" / "security" / "it's alerts")
    assert environment["RULES"] == "security/it's alerts/rules"
    assert shell(check, house.directory / "repo", **environment).code == 0
    (line,) = [line for line in said.out.splitlines() if "at the top of a repository" in line]
    assert line.endswith(f"move it to {(house.directory / 'repo' / WORKFLOW).resolve()}")
    assert "at the top of a repository" not in house.says("init", "repo").out


def test_the_alert_to_try_is_the_tutorials_and_the_actions_are_those_of_this_repository() -> None:
    """What the first steps take of the samples in a clone; each action is pinned by the commit of our own workflow."""
    steps = (ROOT / "docs" / "first-steps.md").read_text()
    (number,) = re.findall(r"sed -n (\d+)p alert_router_demo/samples/cwpp.ndjson", steps)
    samples = (Path(demo.__file__).parent / "samples" / "cwpp.ndjson").read_bytes().splitlines()
    assert (REPOSITORY / "alert.ndjson").read_bytes().splitlines() == [samples[int(number) - 1]]
    ours = (ROOT / ".github" / "workflows" / "deploy.yml").read_text()
    used = [one for path in REPOSITORY.glob("*.yml") for one in re.findall(r"uses: (\S+@.+)", path.read_text())]
    assert len(used) == 3
    assert all(re.search(r"@[0-9a-f]{40}  # v", one) and one in ours for one in used)


def test_a_workflow_that_is_not_told_where_from_asks_in_one_line(house: House) -> None:
    """And installs nothing: on an index the name may be anybody's. `init` names the line in which the place may stand."""
    said = house.says("init", ".")
    lines = (house.directory / WORKFLOW).read_text().splitlines()
    number = next(number for number, line in enumerate(lines, 1) if "ALERT_ROUTER:" in line)
    assert f"\n{WORKFLOW}:{number}: write there, behind ALERT_ROUTER:, where the alert router is, " in said.out
    assert VARIABLE in said.out
    environment, (install, *_) = steps_in(house.directory)
    assert environment["ALERT_ROUTER"] == f"${{{{ vars.{VARIABLE} }}}}"
    asked = shell(install, house.directory, ALERT_ROUTER="")
    assert (asked.code, asked.err) == (1, "")
    (line,) = asked.out.splitlines()
    assert line.startswith(f"::error::{VARIABLE}: is not set; ")


WHEEL = "alert_router-0.1.0-py3-none-any.whl"
PLACES = (
    "git+https://git.contoso.example/soc/alert-router@v1.2",
    "git+ssh://git@github.com/contoso/alert-router@main",
    f"https://files.contoso.example/{WHEEL}",
    f"alert-router @ https://files.contoso.example/{WHEEL}",
    "alert-router[azure] @ git+https://github.com/contoso/alert-router",
    f"./vendor/{WHEEL}",
    f'./it\'s "vendored"/{WHEEL}',
)
NO_PLACES = (
    *("", " ", "alert-router", "alert-router==0.1.0", "alert-router @ alert-router", "-r requirements.txt"),
    *("/home/me/alert_router.whl", "file:///home/me/alert_router.whl", "git+file:///work/alert-router"),
    *("http://files.example/alert_router.whl", "git+http://files.example/alert-router", "git+https:///alert-router"),
    *("https://[", "https://a.example/x.whl\nname: evil"),
    "https://me:canary@github.com/contoso/alert-router",
    "git+https://canary@github.com/contoso/alert-router@main",
    "alert-router @ git+https://canary@github.com/contoso/alert-router@main",
    "git+ssh://git:canary@github.com/contoso/alert-router",
    "another @ git+https://canary@github.com/contoso/alert-router",
    "me:canary@github.com:contoso/alert-router",
    "https://files.example/alert_router.whl?sig=canary",
    "git+https://github.com/contoso/alert-router@main#egg=alert-router&token=canary",
    "https://files.example/alert_router.whl#canary",
)


def test_a_place_to_install_from_stands_in_the_workflow_as_it_was_written(house: House) -> None:
    """Whatever YAML and the shell make of such characters; what may change is said to.

    A name is whoever's took it, a path is this machine's, a password would be everybody's: those are refused.
    """
    for origin in NO_PLACES:
        complaint = house.says("init", ".", f"--from={origin}").complaint
        assert complaint.startswith("--from: ")
        assert "canary" not in complaint
    assert everything_in(house.directory) == {}
    for number, origin in enumerate(PLACES):
        said = house.says("init", f"{number}", "--from", origin)
        assert steps_in(house.directory / f"{number}")[0]["ALERT_ROUTER"] == origin
        assert ("may change" in said.out) == (not origin.startswith("./"))
