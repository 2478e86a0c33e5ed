"""The rules that stand in the papers, as a directory that the program can load."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import yaml

from tests.builders import RULES
from tests.docs.pages import DOCS, Fence, page

NOW = "2026-11-24T12:00:00Z"
"""The day on which the papers were written; the ends of their rules are counted from it."""

PAGES_OF_RULES = ("docs/rules.md", "docs/suppressions.md", "docs/owners.md")
"""The pages that give files of rules whole, coverage.yaml aside."""

_KINDS = sorted(path.name for path in (DOCS / "destinations").glob("*.md"))

PAGES_OF_DESTINATIONS = ("docs/destinations.md", *(f"docs/destinations/{name}" for name in _KINDS))
"""What the kinds have in common, and a page for each."""

_FRAGMENT = "fragment of "


def whole_files() -> dict[str, str]:
    """The rules files that the pages about rules give whole, by path."""
    fences = [fence for name in (*PAGES_OF_RULES, "docs/coverage.md") for fence in page(name).fences]
    return {fence.label: fence.text for fence in fences if fence.label.startswith("rules/")}


def fragments(*names: str) -> list[Fence]:
    """The snippets of pages that are part of a policy: keys that take the place of the whole policy's."""
    return [fence for name in names for fence in page(name).fences if fence.label.startswith(_FRAGMENT)]


def write_rules(directory: Path) -> Path:
    """The rules of these pages, with the starter's attack.yaml."""
    for label, text in whole_files().items():
        file = directory / label
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    shutil.copy(RULES / "attack.yaml", directory / "rules/attack.yaml")
    return directory / "rules"


def replace_in_policy(rules: Path, stream: str, **keys: Any) -> None:
    """Puts other values under some keys of a policy."""
    policy = rules / stream / "policy.yaml"
    policy.write_text(yaml.safe_dump(yaml.safe_load(policy.read_text()) | keys), encoding="utf-8")


def apply_fragment(rules: Path, fragment: Fence) -> None:
    """Puts a fragment in its place."""
    stream = fragment.label.removeprefix(_FRAGMENT).split("/")[1]
    replace_in_policy(rules, stream, **yaml.safe_load(fragment.text))
