"""A newer version comes into somebody's own repository by the commands of docs/upgrade.md, and never touches their rules."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.docs.pages import page

HEADING = "Into your own repository"


def a_rule(comment: str) -> str:
    """A file of some length, of which only a word differs, so that git takes it for a renamed one."""
    return "".join(f'"{key}": "as every other rule has it",\n' for key in range(20)) + f'"comment": "{comment}"\n'


BEFORE = {
    "router/code.py": "one\ntwo\nthree\n",
    "rules/cwpp/policy.yaml": "stream: cwpp\notherwise: [theirs]\n",
    "rules/cspm/policy.yaml": "stream: cspm\n",
    "rules/owners.yaml": "owners: []\n" + a_rule("moved into the program"),
    "rules/cwpp/suppressions/changed.json": a_rule("one"),
    "rules/cwpp/suppressions/deleted.json": a_rule("two"),
    "rules/cwpp/suppressions/renamed.json": a_rule("three"),
    "rules/cwpp/suppressions/moved.json": a_rule("four"),
}
UPSTREAM: Mapping[str, str | None] = {
    "router/code.py": "one\ntwo\nfour\n",
    "router/rulebook/starter/rules/owners.yaml": "owners: []\n",
    "rules/cwpp/policy.yaml": "stream: cwpp\notherwise: [new]\n",
    "rules/owners.yaml": None,
    "router/rulebook/owners.yaml": "owners: []\n" + a_rule("moved into the program"),
    "rules/cwpp/suppressions/changed.json": a_rule("changed"),
    "rules/cwpp/suppressions/deleted.json": None,
    "rules/cwpp/suppressions/renamed.json": a_rule("changed"),
    "rules/cwpp/suppressions/moved.json": None,
    "rules/cwpp/suppressions/moved-away.json": a_rule("four"),
    "rules/cwpp/suppressions/added.json": a_rule("a blind spot"),
    "rules/cwpp/suppressions/mine.json": a_rule("of the same name"),
    "rules/lists/added.yaml": "[]\n",
}
"""What upstream did meanwhile; None deletes."""

MINE: Mapping[str, Mapping[str, str | None]] = {
    "untouched": {},
    "changed": {name: "mine\n" for name in BEFORE if name.startswith("rules/")}
    | {"rules/owners.yaml": BEFORE["rules/owners.yaml"] + "mine: 1\n"},
    "all of it replaced": {name: None for name in BEFORE if name.startswith("rules/")}
    | {"rules/cwpp/policy.yaml": "stream: cwpp\notherwise: [mine]\n", "rules/cwpp/suppressions/mine.json": "{}\n"},
    "renamed": {
        "rules/cwpp/suppressions/renamed.json": None,
        "rules/cwpp/suppressions/ours.json": BEFORE["rules/cwpp/suppressions/renamed.json"],
        "rules/cwpp/suppressions/moved.json": None,
        "rules/cwpp/suppressions/other.json": BEFORE["rules/cwpp/suppressions/moved.json"],
        "rules/cwpp/suppressions/deleted.json": "changed\n",
    },
}
"""What somebody made of the rules."""


def git(at: Path, *words: str) -> str:
    """What git says, which must go well."""
    return run(at, ["git", *words], may_fail=False)


def run(at: Path, command: list[str], *, may_fail: bool) -> str:
    """What a command says in a repository of somebody without settings of their own."""
    who = {f"GIT_{role}_{what}": "a@contoso.example" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    given = {"PATH": os.environ["PATH"], "HOME": str(at), "GIT_CONFIG_NOSYSTEM": "1", "GIT_EDITOR": "false", **who}
    done = subprocess.run(command, cwd=at, env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or may_fail, f"{shlex.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout


def committed(at: Path, files: Mapping[str, str | None]) -> None:
    """Commits changes to files."""
    for name, text in files.items():
        path = at / name
        if text is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    git(at, "add", "--all")
    git(at, "commit", "--quiet", "--allow-empty", "--message", "x")


def follow(at: Path, upstream: Path) -> None:
    """Types what stands on the page; only `git merge` may end with a conflict."""
    (_, section) = page("docs/upgrade.md").text.split(f"\n## {HEADING}\n")
    for line in "".join(re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)).splitlines():
        command = [str(upstream) if word.startswith("https://") else word for word in shlex.split(line, comments=True)]
        run(at, command, may_fail=command[1] == "merge")


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    """The project's own repository."""
    at = tmp_path / "upstream"
    at.mkdir()
    git(at, "init", "--quiet", "--initial-branch", "main")
    committed(at, BEFORE)
    return at


@pytest.mark.parametrize("mine", MINE.values(), ids=MINE)
def test_rules_are_as_they_were_and_the_program_is_the_newer_one(
    tmp_path: Path, upstream: Path, mine: Mapping[str, str | None]
) -> None:
    """Whatever either side changed, deleted, renamed or added under rules/; and the next version comes the same way."""
    at = tmp_path / "mine"
    git(tmp_path, "clone", "--quiet", str(upstream), str(at))
    committed(at, mine)
    before = git(at, "ls-tree", "-r", "HEAD", "--", "rules")
    committed(upstream, UPSTREAM)
    follow(at, upstream)
    assert git(at, "ls-tree", "-r", "HEAD", "--", "rules") == before
    assert git(at, "status", "--porcelain") == ""
    assert git(at, "diff", "--stat", "upstream/main", "--", ".", ":!rules") == ""

    committed(upstream, {"rules/cwpp/suppressions/later.json": a_rule("later"), "router/code.py": "five\n"})
    git(at, "remote", "remove", "upstream")
    follow(at, upstream)
    assert git(at, "ls-tree", "-r", "HEAD", "--", "rules") == before
    assert git(at, "diff", "--stat", "upstream/main", "--", ".", ":!rules") == ""


def test_a_plain_merge_would_have_taken_a_rule_in(tmp_path: Path, upstream: Path) -> None:
    """So the page is not in vain."""
    at = tmp_path / "mine"
    git(tmp_path, "clone", "--quiet", str(upstream), str(at))
    committed(at, {})
    committed(upstream, {"rules/cwpp/suppressions/added.json": a_rule("a blind spot")})
    git(at, "pull", "--quiet", "--no-rebase", "--no-edit")
    assert (at / "rules" / "cwpp" / "suppressions" / "added.json").exists()
