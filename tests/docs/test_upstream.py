"""A newer version comes into somebody's own repository by the commands of docs/upgrade.md, and never touches their rules."""

import os
import re
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.docs.pages import page

type Files = Mapping[str, str | None]
"""Files and their texts; None deletes."""


def a_rule(comment: str) -> str:
    """A file of some length, of which only a word differs, so that git takes it for a renamed one."""
    return "".join(f'"{key}": "as every other rule has it",\n' for key in range(20)) + f'"comment": "{comment}"\n'


def of_rules(files: Files) -> Files:
    """The same below rules/; a name without a directory is a suppression rule's."""
    return {
        f"rules/{name if '/' in name or '.yaml' in name else f'cwpp/suppressions/{name}.json'}": files[name]
        for name in files
    }


OWNERS = "owners: []\n" + a_rule("moved into the program")
POLICY = "cwpp/policy.yaml"
RULES = of_rules(
    {
        POLICY: "stream: cwpp\notherwise: [theirs]\n",
        "cspm/policy.yaml": "stream: cspm\n",
        "owners.yaml": OWNERS,
        **{name: a_rule(name) for name in ("changed", "deleted", "renamed", "moved")},
    }
)
BEFORE: Files = {"router/code.py": "one\ntwo\nthree\n", **RULES}
UPSTREAM: Files = {
    "router/code.py": "one\ntwo\nfour\n",
    "router/rulebook/starter/rules/owners.yaml": "owners: []\n",
    "router/rulebook/owners.yaml": OWNERS,
    **of_rules(
        {
            POLICY: "stream: cwpp\notherwise: [new]\n",
            "owners.yaml": None,
            "changed": a_rule("another"),
            "deleted": None,
            "renamed": a_rule("another"),
            "moved": None,
            "moved-away": a_rule("moved"),
            "added": a_rule("a blind spot"),
            "mine": a_rule("of the same name"),
            "lists/added.yaml": "[]\n",
        }
    ),
}
"""What upstream did meanwhile."""

MINE: Mapping[str, Files] = {
    "untouched": {},
    "changed": {**dict.fromkeys(RULES, "mine\n"), "rules/owners.yaml": f"{OWNERS}mine: 1\n"},
    "all of it replaced": {
        **dict.fromkeys(RULES),
        **of_rules({POLICY: "stream: cwpp\notherwise: [mine]\n", "mine": "{}\n"}),
    },
    "renamed": of_rules(
        {"renamed": None, "ours": a_rule("renamed"), "moved": None, "other": a_rule("moved"), "deleted": "changed\n"}
    ),
}
"""What somebody made of the rules."""


def run(at: Path, *command: str, may_fail: bool = False) -> str:
    """What a command says in a repository of somebody without settings of their own."""
    who = {f"GIT_{role}_{what}": "a@contoso.example" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    given = {"PATH": os.environ["PATH"], "HOME": str(at), "GIT_CONFIG_NOSYSTEM": "1", "GIT_EDITOR": "false", **who}
    done = subprocess.run(command, cwd=at, env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or may_fail, f"{shlex.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout


def committed(at: Path, files: Files) -> None:
    """Commits changes to files."""
    for name, text in files.items():
        path = at / name
        if text is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    run(at, "git", "add", "--all")
    run(at, "git", "commit", "--quiet", "--allow-empty", "--message", "x")


def follow(at: Path, upstream: Path) -> None:
    """Types what stands on the page; only `git merge` may end with a conflict."""
    (_, section) = page("docs/upgrade.md").text.split("\n## Into your own repository\n")
    for line in "".join(re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)).splitlines():
        command = [str(upstream) if word.startswith("https://") else word for word in shlex.split(line, comments=True)]
        run(at, *command, may_fail=command[1] == "merge")


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    """The project's own repository."""
    at = tmp_path / "upstream"
    at.mkdir()
    run(at, "git", "init", "--quiet", "--initial-branch", "main")
    committed(at, BEFORE)
    return at


@pytest.mark.parametrize("mine", MINE.values(), ids=MINE)
def test_rules_are_as_they_were_and_the_program_is_the_newer_one(tmp_path: Path, upstream: Path, mine: Files) -> None:
    """Whatever either side changed, deleted, renamed or added under rules/; and the next version comes the same way."""
    at = tmp_path / "mine"
    run(tmp_path, "git", "clone", "--quiet", str(upstream), str(at))
    committed(at, mine)
    before = run(at, "git", "ls-tree", "-r", "HEAD", "--", "rules")
    for changes in (UPSTREAM, {**of_rules({"later": a_rule("later")}), "router/code.py": "five\n"}):
        committed(upstream, changes)
        follow(at, upstream)
        assert run(at, "git", "ls-tree", "-r", "HEAD", "--", "rules") == before
        assert run(at, "git", "status", "--porcelain") == ""
        assert run(at, "git", "diff", "--stat", "upstream/main", "--", ".", ":!rules") == ""
        run(at, "git", "remote", "remove", "upstream")


def test_a_plain_merge_would_have_taken_a_rule_in(tmp_path: Path, upstream: Path) -> None:
    """So the page is not in vain."""
    at = tmp_path / "mine"
    run(tmp_path, "git", "clone", "--quiet", str(upstream), str(at))
    added = of_rules({"added": a_rule("a blind spot")})
    committed(upstream, added)
    run(at, "git", "pull", "--quiet", "--no-rebase", "--no-edit")
    assert all((at / name).exists() for name in added)
