"""Rules without a clone, on a machine that has uv alone; and a newer version in a clone of one's own, by docs/upgrade.md."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from router.cli.init import WORKFLOW
from tests.builders import alert_body
from tests.cli.house import Said
from tests.docs.pages import ROOT, page

UV = Path(sys.executable).with_name("uv")

_UNREACHED = re.compile(r"network was disabled|error sending request|failed to (fetch|lookup)|could not connect", re.I)


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine with uv, and what was installed there.

    Attributes:
        home: the directory of all that is on it.
        is_offline: whether packages come from what uv has kept, as they do where `make setup` has been.
    """

    home: Path
    is_offline: bool = True

    @property
    def wheel(self) -> Path:
        """The wheel of the program."""
        (wheel,) = (self.home / "dist").glob("*.whl")
        return wheel

    @property
    def environment(self) -> dict[str, str]:
        """What a shell has there: versions are those of the lock, and uv's cache is everybody's."""
        offline = {"UV_OFFLINE": "1"} if self.is_offline else {}
        return os.environ | {
            **offline,
            "PATH": os.pathsep.join([str(self.home / "bin"), "/usr/local/bin", "/usr/bin", "/bin"]),
            "UV_CONSTRAINT": str(ROOT / "requirements.txt"),
            "UV_PYTHON": sys.executable,
            "UV_TOOL_BIN_DIR": str(self.home / "bin"),
            "UV_TOOL_DIR": str(self.home / "tools"),
        }

    def types(self, text: str, within: Path | None = None) -> Said:
        """What some lines, each of which must succeed, come to."""
        command, where = ["sh", "-euc", text], within or self.home
        done = subprocess.run(command, cwd=where, env=self.environment, capture_output=True, text=True)
        return Said(done.returncode, done.stdout, done.stderr)


def machine_in(directory: Path) -> Machine:
    """A machine with the program's wheel; skips where uv has not kept what that needs, and no index is reached either."""
    (directory / "bin").mkdir(parents=True)
    for name in ("uv", "uvx"):
        (directory / "bin" / name).symlink_to(UV.with_name(name))
    for machine in (Machine(directory), Machine(directory, is_offline=False)):
        said = machine.types(
            f"uv build --quiet --wheel --out-dir dist '{ROOT}'\nuvx --quiet --from dist/*.whl alert-router --version"
        )
        if said.code == 0:
            return machine
    if _UNREACHED.search(said.err) is None:
        pytest.fail(said.err)
    pytest.skip(f"uv has not kept what the wheel needs, and no index is reached: {said.err.strip().splitlines()[-1]}")


HEADING = "Rules of your own, without a clone"
ADDRESS = "git+https://HOST/OWNER/alert-router@COMMIT"
COMMIT = f"git+{ROOT.as_uri()}@$(git -C '{ROOT}' rev-parse HEAD)"
"""This clone, as the shell says it."""

POLICY = """
stream: cwpp
floor: {default: Medium}
destinations:
  logs: {kind: log_analytics, endpoint: "https://logs.test", rule: dcr-1, table: Alerts_CL}
  archive: {kind: file, path: archive.ndjson}
routes: []
always: [logs]
otherwise: [archive]
"""

ASKERS = {
    "state --state postgresql://soc@HOST/alerts": "a state in PostgreSQL",
    "serve": "serve",
    "send --to cwpp one.ndjson": "send",
    "coverage check --live": "--live",
    "drill --bundle KeyVaults --subscription d87e1b60-4a2c-4f93-b1d7-05c3e8a2f330 --yes": "drill",
}
"""Commands that need an extra, and what of them does."""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """A machine with uv."""
    return machine_in(tmp_path_factory.mktemp("machine"))


def typed(address: str) -> str:
    """The commands under that heading; only the address is another."""
    (_, after) = page("docs/first-steps.md").text.split(f"\n## {HEADING}\n")
    (commands,) = re.findall(r"^```sh\n(.*?)^```$", after.split("\n## ")[0], re.MULTILINE | re.DOTALL)
    assert ADDRESS in commands
    return str(commands.replace(ADDRESS, address))


def azure_of(extra: str = "azure") -> str:
    """How an extra is installed: from no name that a stranger may own."""
    return f'"alert-router[{extra}] @ git+https://HOST/OWNER/alert-router@COMMIT"'


def test_from_nothing_to_rules_that_are_checked(machine: Machine) -> None:
    """Each command succeeds. Nothing signs in to Azure: what needs that says so, and files are routed all the same. The first
    example of `--help` runs; the alert that `init` wrote is explained; one that goes to Azure is owed there."""
    said = machine.types(typed(machine.wheel.as_uri()))
    assert said.code == 0, said
    hash = "hash [0-9a-f]{16}"
    assert re.search(f"\nrules: 0 problems; 0 warnings; cwpp .+, {hash}; cspm .+, {hash}\n", said.out), said.out

    mine = machine.home / "my-rules"
    listed = machine.types("uv pip list --quiet --python ../tools/alert-router", mine).out
    assert "pydantic" in listed and "azure-identity" not in listed
    assert machine.types("alert-router explain alert.ndjson", mine).out.startswith("alert.ndjson:1: routed")
    (first,) = re.findall(r"^examples:\n  (.+?)  #", machine.types("alert-router --help").out, re.MULTILINE)
    shown = machine.types(first)
    assert (shown.code, shown.err) == (0, ""), shown
    (headline,) = re.findall(r"^  89 messages: .+$", page("README.md").text, re.MULTILINE)
    assert f"\n{headline}\n" in shown.out
    *_, why, opens = filter(None, map(str.strip, shown.out.splitlines()))
    assert why.startswith("alert-router explain ") and machine.types(why).out.startswith("oncall was paged ")
    assert opens.startswith("alert-router demo --keep ")
    (mine / "logs" / "cwpp").mkdir(parents=True)
    (mine / "logs" / "cwpp" / "policy.yaml").write_text(POLICY)
    (mine / "one.ndjson").write_bytes(alert_body() + b"\n")
    said = machine.types("alert-router run --rules logs one.ndjson", mine)
    assert (said.code, said.err) == (0, f"cwpp logs: not yet: {azure_of()} is not installed\n")
    assert "cwpp logs: 1 owed" in said.out
    assert len((mine / "archive.ndjson").read_bytes().splitlines()) == 1
    # What asks Azure says so in a line each, whatever the settings say, and ends with what could not be done.
    program = "import sys; from router.cli import main; print(*[main(each.split()) for each in sys.argv[1:]])"
    commands = " ".join(f"'{command}'" for command in ASKERS)
    said = machine.types(f'../tools/alert-router/bin/python -c "{program}" {commands}', mine)
    assert said.out.split()[-len(ASKERS) :] == ["2"] * len(ASKERS)
    assert said.err.splitlines() == [
        f"{extra}: is not installed; install {azure_of(extra)}, which {asker} needs"
        for command, asker in ASKERS.items()
        for extra in ["postgresql" if "postgresql" in command else "serve" if asker == "serve" else "azure"]
    ]


@pytest.mark.soak  # pip makes an environment, and asks an index for everything.
def test_the_workflow_that_init_writes_is_green(machine: Machine) -> None:
    """Its steps, as GitHub runs them where `actions/setup-python` has been, install this commit and find nothing wrong."""
    made = f"uvx --quiet --from {machine.wheel.as_uri()} alert-router init green && '{sys.executable}' -m venv python"
    assert machine.types(made).code == 0
    workflow = yaml.safe_load((machine.home / "green" / WORKFLOW).read_text())
    path = f'export PATH="{machine.home / "python" / "bin"}:$PATH" ALERT_ROUTER={COMMIT} RULES=rules'
    path += f" GITHUB_STEP_SUMMARY={machine.home / 'summary.md'}"
    for step in workflow["jobs"]["check"]["steps"]:
        if "run" in step:
            said = machine.types(f"{path}\n{step['run']}", machine.home / "green")
            assert (said.code, said.err) == (0, ""), said


@pytest.mark.soak  # It clones, and builds once more.
def test_a_clone_is_installed_from_by_its_commit(machine: Machine) -> None:
    """As `uvx` does from any repository; what git has is the program, its starter set too."""
    said = machine.types(
        f"uvx --quiet --from {COMMIT} alert-router init of-a-commit && cd of-a-commit && "
        f"uvx --quiet --from {COMMIT} alert-router rules test"
    )
    assert (said.code, said.err) == (0, ""), said
    assert said.out.splitlines()[-1].endswith(" 0 failed; 0 problems")


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
POLICY_FILE = "cwpp/policy.yaml"
RULES = of_rules(
    {
        POLICY_FILE: "stream: cwpp\notherwise: [theirs]\n",
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
            POLICY_FILE: "stream: cwpp\notherwise: [new]\n",
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
        **of_rules({POLICY_FILE: "stream: cwpp\notherwise: [mine]\n", "mine": "{}\n"}),
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
    """Commits changes to files; what is to be deleted may have gone already."""
    for name, text in files.items():
        path = at / name
        if text is None:
            path.unlink(missing_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    run(at, "git", "add", "--all")
    run(at, "git", "commit", "--quiet", "--allow-empty", "--message", "x")


def follow(at: Path, upstream: Path) -> None:
    """Types what stands on the page; only `git merge` may end with a conflict, and one beyond rules/ is settled by hand."""
    (_, section) = page("docs/upgrade.md").text.split("\n## Into your own repository\n")
    for line in "".join(re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)).splitlines():
        command = [str(upstream) if word.startswith("https://") else word for word in shlex.split(line, comments=True)]
        if command[1] == "commit":
            for name in run(at, "git", "diff", "--name-only", "--diff-filter=U").splitlines():
                assert not name.startswith("rules/")
                is_there = run(at, "git", "ls-tree", "MERGE_HEAD", "--", name)
                run(at, "git", *(("checkout", "MERGE_HEAD") if is_there else ("rm", "--quiet")), "--", name)
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


BELOW_RULES = (*RULES, *of_rules(dict.fromkeys(("added", "mine", "lists/added.yaml"))))
BESIDE = (
    "Dockerfile",
    "infra/chart/values.yaml",
    "router/rulebook/owners.yaml",
    "router/rulebook/starter/rules/owners.yaml",
)
TEXTS = st.sampled_from(
    (None, *map(a_rule, ("a", "b", "changed", "moved")), OWNERS, f"{OWNERS}mine: 1\n", "mine\n", "")
)


def changes_to(*names: str) -> st.SearchStrategy[Files]:
    """What somebody may do to files within a version: write, delete, and move by both."""
    return st.dictionaries(st.sampled_from(names), TEXTS, max_size=6)


@pytest.mark.soak
@given(
    changes_to(*BELOW_RULES),
    st.booleans(),
    st.lists(changes_to(*BELOW_RULES, *BESIDE, "router/code.py"), min_size=1, max_size=3),
)
def test_rules_are_as_they_were_whatever_the_versions_bring(
    mine: Files, is_code_mine: bool, versions: list[Files]
) -> None:
    """Files come, go and move, below rules/ and beside it, and a fork with files of its own has changed some of each."""
    with TemporaryDirectory() as scratch:
        theirs, at = Path(scratch, "upstream"), Path(scratch, "mine")
        theirs.mkdir()
        run(theirs, "git", "init", "--quiet", "--initial-branch", "main")
        committed(theirs, BEFORE)
        run(theirs.parent, "git", "clone", "--quiet", str(theirs), str(at))
        own = {"own/workflow.yml": "mine\n", **({"router/code.py": "one\nours\nthree\n"} if is_code_mine else {})}
        committed(at, {**mine, "rules/cwpp/mine.yaml": "mine\n", **own})
        before = run(at, "git", "ls-tree", "-r", "HEAD", "--", "rules", "own")
        for changes in versions:
            committed(theirs, changes)
            follow(at, theirs)
            assert run(at, "git", "ls-tree", "-r", "HEAD", "--", "rules", "own") == before
            assert run(at, "git", "status", "--porcelain", "--ignored") == ""
            beside = (".", ":!rules", ":!own", *([":!router/code.py"] if is_code_mine else []))
            assert run(at, "git", "diff", "--stat", "upstream/main", "--", *beside) == ""
            run(at, "git", "remote", "remove", "upstream")


def test_a_plain_merge_would_have_taken_a_rule_in(tmp_path: Path, upstream: Path) -> None:
    """So the page is not in vain."""
    at = tmp_path / "mine"
    run(tmp_path, "git", "clone", "--quiet", str(upstream), str(at))
    added = of_rules({"added": a_rule("a blind spot")})
    committed(upstream, added)
    run(at, "git", "pull", "--quiet", "--no-rebase", "--no-edit")
    assert all((at / name).exists() for name in added)
