"""A rule that stands where nothing reads it is said, since it does nothing in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from router.domain.signals import Stream
from router.rulebook import lint, load
from tests.rulebook.builders import NOW, a_body, rules_in
from tests.rulebook.kinds import KINDS

UNREAD = "is a directory in which nothing is read"
ELSEWHERE = "here are read attack.yaml, owners.yaml, coverage.yaml, cwpp/ and cspm/"
SUPPRESSIONS_AND_EXAMPLES = "here are read suppressions/, suppressions/shadow/, examples/ and policy.yaml"


def strays_in(rules: Path) -> list[str]:
    """What is said of files that are not read, without where the directory is."""
    found = lint(rules, Stream.CWPP, load(rules, Stream.CWPP, KINDS, NOW), NOW)
    return [f"{one.file}: {one.message}" for one in found if one.code == "stray-file"]


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("cwpp/suppression/one.json", f"cwpp/suppression: {UNREAD}; did you mean cwpp/suppressions?"),
        ("cwpp/Suppressions/one.json", f"cwpp/Suppressions: {UNREAD}; did you mean cwpp/suppressions?"),
        ("cwpp/exemptions/a/one.json", f"cwpp/exemptions: {UNREAD}; did you mean cwpp/suppressions?"),
        ("cwpp/shadow/one.json", f"cwpp/shadow: {UNREAD}; did you mean cwpp/suppressions/shadow?"),
        ("shadows/one.json", f"shadows: {UNREAD}; did you mean cwpp/suppressions/shadow or cspm/suppressions/shadow?"),
        ("cwpp/example/one.yaml", f"cwpp/example: {UNREAD}; did you mean cwpp/examples?"),
        ("cwpp/teams/one.json", f"cwpp/teams: {UNREAD}; {SUPPRESSIONS_AND_EXAMPLES}"),
        ("cwpp/one.json", f"cwpp/one.json: is not read; {SUPPRESSIONS_AND_EXAMPLES}"),
        ("cwpp/policy.yml", "cwpp/policy.yml: is not read; did you mean cwpp/policy.yaml?"),
        ("cwpp/polcy.yaml", "cwpp/polcy.yaml: is not read; did you mean cwpp/policy.yaml?"),
        ("cwpp/owners.yaml", "cwpp/owners.yaml: is not read; did you mean owners.yaml?"),
        ("policy.yaml", "policy.yaml: is not read; did you mean cwpp/policy.yaml or cspm/policy.yaml?"),
        ("owners.yml", "owners.yml: is not read; did you mean owners.yaml?"),
        ("owner.yaml", "owner.yaml: is not read; did you mean owners.yaml?"),
        ("one.json", f"one.json: is not read; {ELSEWHERE}"),
        ("suppressions/one.json", f"suppressions: {UNREAD}; did you mean cwpp/suppressions or cspm/suppressions?"),
        ("cwp/policy.yaml", f"cwp: {UNREAD}; did you mean cwpp?"),
        ("production/policy.yaml", f"production: {UNREAD}; {ELSEWHERE}"),
    ],
)  # fmt: skip
def test_what_looks_like_a_rule_where_nothing_reads_it_is_said(file: str, said: str, tmp_path: Path) -> None:
    """It is named, with where it was probably meant to be."""
    assert strays_in(rules_in(tmp_path, {file: a_body()})) == [said]


def test_what_is_read_and_what_is_no_rule_is_no_stray(tmp_path: Path) -> None:
    """The known places, hidden files, Markdown, other sorts of files, and tags that owners.yaml names."""
    files = {
        "owners.yaml": {"owners": [], "tags": ["tags/all.json"]}, "coverage.yaml": "", "tags/all.json": "[]",
        "cwpp/suppressions/one.json": a_body(), "cwpp/suppressions/shadow/two.json": a_body(),
        "cwpp/examples/one.yaml": "[]", "cspm/anything.yaml": "",
        ".schemas/policy.schema.json": "{}", "README.md": "", "cwpp/notes.txt": "", "pictures/a.png": "", "cwpp/.keep": "",
    }  # fmt: skip
    assert strays_in(rules_in(tmp_path, files)) == []


def test_at_the_top_of_a_repository_only_what_is_called_like_a_rule_is_said(tmp_path: Path) -> None:
    """Where rules are a repository of their own, other files of YAML stand beside them."""
    rules = rules_in(tmp_path, {"mkdocs.yml": "", "infra/main.json": "{}", "owner.yaml": "", "cwpp/one.json": "{}"})
    (rules / ".git").mkdir()
    assert strays_in(rules) == [
        f"cwpp/one.json: is not read; {SUPPRESSIONS_AND_EXAMPLES}", "owner.yaml: is not read; did you mean owners.yaml?",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "owners",
    [
        "owners: []\ntags:\n\t- tags/all.json\n",
        "owners: []\nowners: []\ntags: [tags/all.json]\n",
        "owners: []\ntagz: [tags/all.json]\n",
        "- owners\n",
        "",
    ],
    ids=["tab", "twice", "misspelled", "no mapping", "empty"],
)
def test_where_owners_cannot_be_read_only_what_is_called_like_a_rule_is_said(owners: str, tmp_path: Path) -> None:
    """What may be the files of tags that owners.yaml names is none of its own mistakes; a misspelled directory is one."""
    files = {
        "owners.yaml": owners,
        "tags/all.json": "[]",
        "cwpp/tags.json": "[]",
        "cwpp/suppression/one.json": a_body(),
    }
    assert strays_in(rules_in(tmp_path, files)) == [f"cwpp/suppression: {UNREAD}; did you mean cwpp/suppressions?"]
