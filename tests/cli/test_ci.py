"""What other people's repositories take from this one: the GitHub action, and the hooks for pre-commit."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from router.cli import main
from router.cli.parser import new_parser
from tests.builders import RULES, alert_body
from tests.cli.house import House, Transcript, a_suppression, shell
from tests.docs.pages import page, papers

ROOT = Path(__file__).parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
HOOKS: list[dict[str, Any]] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
CHECK, PREVIEW = (next(step for step in STEPS if step.get("name") == name) for name in ("Check and test", "Preview"))
INPUTS: dict[str, str] = {name: given["default"] for name, given in ACTION["inputs"].items()}

STARTER_REPOSITORY = ROOT / "router" / "rulebook" / "starter" / "repository"

AN_EXAMPLE_THAT_FAILS = "- {name: '## 100%', now: 2026-11-24T00:00:00Z, message: 'no', expect: {id: y}}"


@dataclass(frozen=True, slots=True)
class Ran:
    """What a step came to."""

    code: int
    log: list[str]
    summary: str


def run(step: Mapping[str, Any], house: House, base: str = "", pull: str = "", **inputs: str) -> Ran:
    """What a step of the action comes to in a house, with the action's inputs as GitHub hands them over.

    `base` is the commit before the change, and `pull` the number of its pull request, as an event has them.
    """
    temporary = house.directory / "temporary"
    program = temporary / "alert-router" / "bin" / "alert-router"
    if not program.exists():
        program.parent.mkdir(parents=True)
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m router "$@"\n')
        program.chmod(0o755)
    summary = house.directory / "summary.md"
    summary.write_text("")
    given = {
        name: (INPUTS | {name.replace("_", "-"): value for name, value in inputs.items()})[inner[1]]
        for name, value in step["env"].items()
        if (inner := re.fullmatch(r"\$\{\{ inputs\.([a-z-]+) \}\}", value))
    } | {"BASE": base, "PULL": pull, "GITHUB_REPOSITORY": "soc/rules"}
    runner = {"RUNNER_TEMP": str(temporary), "GITHUB_STEP_SUMMARY": str(summary), "PYTHONPATH": str(ROOT)}
    done = shell(step["run"], house.directory, **runner, **given)
    assert done.err == ""
    return Ran(done.code, done.out.splitlines(), summary.read_text())


def test_the_action_is_pinned_and_nothing_that_is_given_to_it_is_code() -> None:
    """Each step has a shell or an action by its commit; inputs come by the environment; every input has a default."""
    assert ACTION["runs"]["using"] == "composite"
    for step in STEPS:
        if "uses" in step:
            assert re.search(r"@[0-9a-f]{40}$", step["uses"])
        else:
            assert step["shell"] == "bash"
            assert "${{" not in step["run"]
    handed_over = {name for step in STEPS for name in re.findall(r"inputs\.([a-z-]+)", str(step.get("env")))}
    assert handed_over == INPUTS.keys()
    assert all(isinstance(default, str) for default in INPUTS.values())


def test_the_action_passes_what_is_sound_and_fails_what_is_not(house: House, transcript: Transcript) -> None:
    """A warning is an annotation and no failure, unless it is strict; the summary says what both commands said, as text.

    A failed example is an error; so is a directory that is not there, or an input that means nothing. No text is a command.
    """
    at = {"now": "2026-11-24T00:00:00Z"}

    def notes(what: str, ran: Ran) -> Ran:
        transcript.notes(f"{what}: exit {ran.code}", "\n".join([*ran.log, "--- summary", ran.summary]))
        return ran

    policy = (house.directory / "rules/cwpp/policy.yaml").read_text()
    file = f"{{kind: file, path: {house.directory}/people.ndjson}}"
    house.writes("mine/cwpp/policy.yaml", policy.replace(file, "{kind: slack, url: {secret: SLACK_URL}}"))
    house.writes("mine/cwpp/suppressions/old.json", a_suppression("VM_Example", "2026-11-20T00:00:00Z"))
    assert notes("sound", run(CHECK, house, rules="mine", **at)).code == 0
    house.writes("rules/cwpp/suppressions/a\n::add-mask::b.json", a_suppression("VM_Example", "2026-11-20T00:00:00Z"))
    house.writes("rules/cwpp/examples/one.yaml", AN_EXAMPLE_THAT_FAILS)
    ran = notes("strict", run(CHECK, house, strict="true", **at))
    assert ran.code == 1
    assert all(re.match(r"::(notice|error|warning) (title|file)=", line) for line in ran.log)
    assert all(line.startswith("    ") for line in ran.summary.splitlines()[2:])
    assert notes("no directory", run(CHECK, house, rules="-no%0A")).code == 2
    assert notes("no such input", run(CHECK, house, strict="yes")).code == 2


def test_hooks_are_commands_and_look_at_the_whole_directory(house: House) -> None:
    """Each entry is a command of this program that takes no file; it passes good rules and fails bad ones."""
    assert len({hook["id"] for hook in HOOKS}) == len(HOOKS)
    for hook in HOOKS:
        assert (hook["language"], hook["files"], hook["pass_filenames"]) == ("python", "^rules/", False)
        program, *arguments = shlex.split(hook["entry"])
        assert program == "alert-router"
        assert main(arguments) == 0
    house.writes("rules/cwpp/suppressions/broad.json", a_suppression("*", "2026-12-31T00:00:00Z"))
    entries = [shlex.split(hook["entry"])[1:] for hook in HOOKS]
    assert list(map(main, entries)) == [1, 1]
    (house.directory / "rules/cwpp/suppressions/broad.json").unlink()
    house.writes("rules/cwpp/examples/one.yaml", AN_EXAMPLE_THAT_FAILS)
    assert list(map(main, entries)) == [0, 1]


def test_what_the_docs_say_to_copy_is_what_there_is() -> None:
    """Inputs and hooks are called as the action and the hooks are, and the commands are commands."""
    snippets = {fence.label: fence.text for fence in page("docs/rule-checks.md").fences}
    (job,) = yaml.safe_load(snippets[".github/workflows/rules.yml"])["jobs"].values()
    assert job["steps"][-1]["with"].keys() <= INPUTS.keys()
    (source,) = yaml.safe_load(snippets[".pre-commit-config.yaml"])["repos"]
    assert [hook["id"] for hook in source["hooks"]] == [hook["id"] for hook in HOOKS]
    for hook, told in zip(HOOKS, source["hooks"], strict=True):
        new_parser().parse_args(shlex.split(hook["entry"])[1:] + told.get("args", []))
    for line in yaml.safe_load(snippets[".gitlab-ci.yml"])["rules"]["script"]:
        if line.startswith("alert-router "):
            new_parser().parse_args(shlex.split(line.partition(" >")[0])[1:])


def installations() -> Iterator[str]:
    """Each shell text that installs the program: of the action, of what `init` writes, and of the docs."""
    repository = STARTER_REPOSITORY.glob("workflow-*.yml")
    fences = [fence.text for paper in papers() for fence in paper.fences if fence.language == "yaml"]
    yield from (step["run"] for step in STEPS if "run" in step)
    for document in [*(path.read_text() for path in repository), *(text for text in fences if "pip install" in text)]:
        yield from texts_in(yaml.safe_load(document))


def texts_in(value: object) -> Iterator[str]:
    """Every text in a document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from texts_in(inner)


@pytest.mark.parametrize("text", sorted({text for text in installations() if re.search(r"pip install|-m venv", text)}))
def test_a_pipeline_runs_no_code_of_the_checkout(text: str, house: House) -> None:
    """A pull request may hold a venv.py or a pip/: what installs the program runs Python's own, with the job's token."""
    modules = ("venv", "ensurepip", "sitecustomize", "usercustomize", "pip/__init__", "pip/__main__")
    for name in modules:
        house.writes(f"checkout/{name}.py", "open('../ran', 'w')\n")
    (house.directory / "bin").mkdir()
    (house.directory / "bin" / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (house.directory / "bin" / "python").chmod(0o755)
    environment = {
        "PATH": f"{house.directory / 'bin'}:{os.environ['PATH']}", "PYTHON": sys.executable,
        "RUNNER_TEMP": str(house.directory), "GITHUB_STEP_SUMMARY": "/dev/null",
        "ALERT_ROUTER": "./nowhere", "SOURCE": "./nowhere",
    }  # fmt: skip
    said = shell(text, house.directory / "checkout", **environment)
    assert not (house.directory / "ran").exists()
    assert "nowhere" in said.err


@pytest.mark.soak
def test_the_action_installs_itself(house: House) -> None:
    """From its own directory, into a place of its own, with the versions of the lock; and it works there."""
    temporary = house.directory / "temporary"
    temporary.mkdir()
    settings = {"RUNNER_TEMP": str(temporary), "GITHUB_ACTION_PATH": str(ROOT), "PYTHON": sys.executable, "SOURCE": ""}
    assert shell(STEPS[1]["run"], house.directory, **settings).code == 0
    assert "aiohttp==" in (temporary / "alert-router/constraints.txt").read_text()
    ran = run(CHECK, house, rules=os.path.relpath(RULES, house.directory))
    assert ran.code == 0, ran


def git(house: House, *arguments: str) -> str:
    """What git answers in a house."""
    who = ["-c", "user.name=a", "-c", "user.email=a@contoso.example", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *who, *arguments], cwd=house.directory, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def a_change(house: House, *files: str) -> str:
    """A repository with alerts in a state, where rules come after a commit; returns that commit."""
    on_host = {"AlertType": "VM_Example", "Entities": [{"Type": "host", "HostName": "web-01"}]}
    house.writes("alerts.ndjson", alert_body("a", **on_host))
    assert house.says("run", "--now", "2026-11-24T00:00:00Z", "alerts.ndjson").code == 0
    git(house, "init", "--quiet")
    git(house, "add", "rules/cwpp/policy.yaml")
    git(house, "commit", "--quiet", "--message", "before")
    base = git(house, "rev-parse", "HEAD")
    for file in files:
        house.writes(file, a_suppression("VM_Example", "2026-12-20T00:00:00Z"))
    git(house, "add", "--all")
    git(house, "commit", "--quiet", "--message", "after")
    return base


def test_the_action_says_what_changed_rules_would_have_held(house: House, transcript: Transcript) -> None:
    """Of each changed file in the summary; without a state it says nothing, and what was there before is not asked.

    It fails where a rule would have held what is too grave, or cannot be read, or it lacks what a change is compared with.
    """
    rule = "rules/cwpp/suppressions/a new one.json"
    base = a_change(house, rule, "rules/cwpp/suppressions/notes.md")
    given = {"state": ".state", "now": "2026-11-25T00:00:00Z"}
    ran = run(PREVIEW, house, base, **given)
    assert (ran.code, ran.log) == (0, [])
    transcript.notes("summary", ran.summary)
    assert run(PREVIEW, house, base) == Ran(0, [], "")
    assert run(PREVIEW, house, git(house, "rev-parse", "HEAD"), state=".state") == Ran(0, [], "")
    graver = run(PREVIEW, house, base, **given, fail_on="High")
    assert (graver.code, len(graver.log), graver.summary) == (1, 1, ran.summary)
    assert run(PREVIEW, house, base, **given, fail_on="Critical").code == 0
    house.writes(rule, "{")
    for commit in (base, "0" * 40):
        broken = run(PREVIEW, house, commit, state=".state")
        assert (broken.code, broken.summary) == (2, "")
        transcript.notes("log", "\n".join(line.partition("::the")[0] for line in broken.log))


GH = """#!/bin/sh
[ -z "$FAILS" ] || { echo "HTTP 403: 100% forbidden" >&2; exit 1; }
echo "$@" >> calls.txt
case "$*" in *--jq*) cat known.txt ;; *) cp "${7#body=@}" said.md ;; esac
"""
"""Stands for GitHub's own program: it knows the comments in a file, and keeps what it is told to write."""


def test_the_action_keeps_one_comment_on_a_pull_request(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written anew with each change, also once nothing is changed any more; where it may not be, that is a warning."""
    base = a_change(house, "rules/cwpp/suppressions/one.json")
    gh = house.directory / house.writes("programs/gh", GH)
    gh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{gh.parent}:{os.environ['PATH']}")
    given = {"state": ".state", "now": "2026-11-25T00:00:00Z", "comment": "true"}
    calls, said = house.directory / "calls.txt", house.directory / "said.md"
    house.writes("known.txt", "")
    assert run(PREVIEW, house, base, "7", **given).code == 0
    known, heading = said.read_text().splitlines()[:2]
    assert (known, heading) == ("<!-- alert-router preview -->", "### What suppression rules would have held")
    assert calls.read_text().splitlines()[1].startswith("api --silent --method POST repos/soc/rules/issues/7/comments ")
    house.writes("known.txt", "41\n42\n")
    head = git(house, "rev-parse", "HEAD")
    assert run(PREVIEW, house, head, "7", **given).log == []
    assert said.read_text() == f"{known}\nNo suppression rule is added or changed any more.\n"
    assert (
        calls.read_text().splitlines()[3].startswith("api --silent --method PATCH repos/soc/rules/issues/comments/41 ")
    )
    monkeypatch.setenv("FAILS", "1")
    refused = run(PREVIEW, house, base, "7", **given)
    warning = "::warning title=rules preview::no comment was written: HTTP 403: 100%25 forbidden"
    assert (refused.code, refused.log) == (0, [warning])
