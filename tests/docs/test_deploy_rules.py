"""The rules that docs/deploy.md tells a newcomer to write are sound, and their examples hold."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from router.cli import main
from tests.builders import RULES
from tests.docs.pages import page, spans

PAGE = page("docs/deploy.md")
HEADING = "3. Rules"
INSTANCE = "https://soc.invalid"
"""The https address of the newcomer's instance."""

DESTINATIONS = [
    (stream, name)
    for stream in ("cwpp", "cspm")
    for name in yaml.safe_load((RULES / stream / "policy.yaml").read_text())["destinations"]
]


def write_addresses(rules: Path) -> None:
    """Does each row of the table."""
    for row in PAGE.table(HEADING, "in"):
        (file,), (theirs,), own = (spans(row[head]) for head in ("in", "in the place of", "write"))
        path = rules.parent / file
        text = path.read_text()
        assert theirs in text, (file, theirs)
        path.write_text(text.replace(theirs, own[0] if own else INSTANCE))


def delete_destination(policy: Path, name: str) -> None:
    """Does what the page says of a destination that somebody does not want."""

    def edit(said: dict[str, Any]) -> None:
        del said["destinations"][name]
        (other, *_) = [one for one in said["destinations"] if one not in said.get("always", ())] or said["destinations"]
        for route in said["routes"]:
            route["to"], had = [one for one in route["to"] if one != name], bool(route["to"])
            route["is left"] = bool(route["to"]) or not had
        said["routes"] = [route for route in said["routes"] if route.pop("is left")]
        said["always"] = [one for one in said["always"] if one != name]
        said["otherwise"] = [one for one in said["otherwise"] if one != name] or [other]

    edit_yaml(policy, edit)


def delete_examples(said: str) -> bool:
    """Deletes each example that `rules test` names; whether it named any."""
    named: dict[Path, set[int]] = {}
    for file, line in re.findall(r"^(\S+/examples/\S+\.yaml):(\d+): .*: expected ", said, re.MULTILINE):
        named.setdefault(Path(file), set()).add(int(line))
    for path, lines in named.items():
        document = yaml.compose(path.read_text())
        assert isinstance(document, yaml.SequenceNode)
        starts = [node.start_mark.line + 1 for node in document.value]
        assert lines <= set(starts)
        left = [one for one, line in zip(yaml.safe_load(path.read_text()), starts, strict=True) if line not in lines]
        path.write_text(yaml.safe_dump(left, sort_keys=False))
    return bool(named)


def edit_yaml(file: Path, edit: Callable[[Any], None]) -> None:
    """Changes what a file says."""
    said = yaml.safe_load(file.read_text())
    edit(said)
    file.write_text(yaml.safe_dump(said, sort_keys=False))


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """What a new clone has, with the newcomer's own addresses."""
    rules = shutil.copytree(RULES, tmp_path / "rules")
    write_addresses(rules)
    return rules


def assert_sound(rules: Path, capsys: pytest.CaptureFixture[str], *, deleting: bool) -> None:
    """`rules check` has nothing to say, and `rules test` nothing that is not to be deleted."""
    assert main(["rules", "check", str(rules)]) == 0, capsys.readouterr()
    assert ": 0 problems; 0 warnings; " in capsys.readouterr().out
    code, said = main(["rules", "test", str(rules)]), capsys.readouterr().out
    assert (code, delete_examples(said)) == (int(deleting), deleting), said
    assert main(["rules", "test", str(rules)]) == 0, capsys.readouterr()


def test_own_addresses_leave_no_example_behind(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every address that ends in .example is in the table; all examples go on to hold."""
    texts = [(rules / stream / "policy.yaml").read_text() for stream in ("cwpp", "cspm")]
    assert [found for text in texts for found in re.findall(r"^ +url: .*\.example\b.*", text, re.MULTILINE)] == []
    assert_sound(rules, capsys, deleting=False)


@pytest.mark.parametrize(("stream", "name"), DESTINATIONS)
def test_whoever_does_not_want_a_destination(
    rules: Path, capsys: pytest.CaptureFixture[str], stream: str, name: str
) -> None:
    """What the page says to delete with it is all that names it."""
    delete_destination(rules / stream / "policy.yaml", name)
    assert_sound(rules, capsys, deleting=True)


def test_whoever_does_not_want_the_starters_suppressions_and_owners_or_posture(
    rules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their files can go: nothing but examples needs them; and alerts alone are enough."""
    for path in (*rules.glob("*/suppressions/*.json"), rules / "owners.yaml"):
        path.unlink()
    assert_sound(rules, capsys, deleting=True)
    shutil.rmtree(rules / "cspm")
    assert_sound(rules, capsys, deleting=False)


def test_a_route_for_changed_files(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As the section on file integrity has it."""
    (route,) = re.findall(r"`(alert_type: [\w-]+)`", page("docs/deploy-choices.md").section("File integrity"))

    def edit(said: dict[str, Any]) -> None:
        said["routes"].append({"name": "files", "when": yaml.safe_load(route), "to": ["oncall"]})

    edit_yaml(rules / "cwpp" / "policy.yaml", edit)
    assert_sound(rules, capsys, deleting=False)
