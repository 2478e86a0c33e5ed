"""What docs/deploy.md tells a newcomer to write into the rules, done to the letter."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.docs.pages import page, spans

PAGE = page("docs/deploy.md")
HEADING = "3. Rules"
INSTANCE = "https://soc.invalid"
"""The https address of the newcomer's instance."""


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
