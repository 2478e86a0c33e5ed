"""A rule that stands where nothing reads it is said, since it does nothing in silence."""

from __future__ import annotations

from collections.abc import Mapping

from tests.rulebook.builders import a_body, lints

UNREAD = "is a directory in which nothing is read"
ELSEWHERE = "here are read attack.yaml, owners.yaml, coverage.yaml, cwpp/ and cspm/"
SUPPRESSIONS_AND_EXAMPLES = "here are read suppressions/, suppressions/shadow/, examples/ and policy.yaml"


def strays_with(files: Mapping[str, object]) -> list[str]:
    """What is said of files that are not read."""
    return lints(files, code="stray-file")


STRAYS = {
    "cwpp/suppression/one.json": f"cwpp/suppression: {UNREAD}; did you mean cwpp/suppressions?",
    "cwpp/Suppressions/one.json": f"cwpp/Suppressions: {UNREAD}; did you mean cwpp/suppressions?",
    "cwpp/exemptions/a/one.json": f"cwpp/exemptions: {UNREAD}; did you mean cwpp/suppressions?",
    "cwpp/shadow/one.json": f"cwpp/shadow: {UNREAD}; did you mean cwpp/suppressions/shadow?",
    "shadows/one.json": f"shadows: {UNREAD}; did you mean cwpp/suppressions/shadow or cspm/suppressions/shadow?",
    "cwpp/example/one.yaml": f"cwpp/example: {UNREAD}; did you mean cwpp/examples?",
    "cwpp/teams/one.json": f"cwpp/teams: {UNREAD}; {SUPPRESSIONS_AND_EXAMPLES}",
    "cwpp/one.json": f"cwpp/one.json: is not read; {SUPPRESSIONS_AND_EXAMPLES}",
    "cwpp/policy.yml": "cwpp/policy.yml: is not read; did you mean cwpp/policy.yaml?",
    "cwpp/polcy.yaml": "cwpp/polcy.yaml: is not read; did you mean cwpp/policy.yaml?",
    "cwpp/owners.yaml": "cwpp/owners.yaml: is not read; did you mean owners.yaml?",
    "policy.yaml": "policy.yaml: is not read; did you mean cwpp/policy.yaml or cspm/policy.yaml?",
    "owners.yml": "owners.yml: is not read; did you mean owners.yaml?",
    "owner.yaml": "owner.yaml: is not read; did you mean owners.yaml?",
    "one.json": f"one.json: is not read; {ELSEWHERE}",
    "suppressions/one.json": f"suppressions: {UNREAD}; did you mean cwpp/suppressions or cspm/suppressions?",
    "cwp/policy.yaml": f"cwp: {UNREAD}; did you mean cwpp?",
    "production/policy.yaml": f"production: {UNREAD}; {ELSEWHERE}",
}


def test_what_looks_like_a_rule_where_nothing_reads_it_is_said() -> None:
    """It is named, with where it was probably meant to be."""
    said = {file: [words] for file, words in STRAYS.items()}
    assert {file: strays_with({file: a_body()}) for file in STRAYS} == said


def test_what_is_read_and_what_is_no_rule_is_no_stray() -> None:
    """The known places, hidden files, Markdown, other sorts of files, and tags that owners.yaml names."""
    files = {
        "owners.yaml": {"owners": [], "tags": ["tags/all.json"]}, "coverage.yaml": "", "tags/all.json": "[]",
        "cwpp/suppressions/one.json": a_body(), "cwpp/suppressions/shadow/two.json": a_body(),
        "cwpp/examples/one.yaml": "[]", "cspm/anything.yaml": "",
        ".schemas/policy.schema.json": "{}", "README.md": "", "cwpp/notes.txt": "", "pictures/a.png": "", "cwpp/.keep": "",
    }  # fmt: skip
    assert strays_with(files) == []


def test_at_the_top_of_a_repository_only_what_is_called_like_a_rule_is_said() -> None:
    """Where rules are a repository of their own, other files of YAML stand beside them."""
    files = {".git/HEAD": "", "mkdocs.yml": "", "infra/main.json": "{}", "owner.yaml": "", "cwpp/one.json": "{}"}
    assert strays_with(files) == [STRAYS["cwpp/one.json"], STRAYS["owner.yaml"]]


def test_where_owners_cannot_be_read_only_what_is_called_like_a_rule_is_said() -> None:
    """What may be the files of tags that owners.yaml names is none of its own mistakes; a misspelled directory is one."""
    beside = {"tags/all.json": "[]", "cwpp/tags.json": "[]", "cwpp/suppression/one.json": a_body()}
    for owners in (
        "owners: []\ntags:\n\t- tags/all.json\n",
        "owners: []\nowners: []\ntags: [tags/all.json]\n",
        "owners: []\ntagz: [tags/all.json]\n",
        "- owners\n",
        "",
    ):
        assert strays_with({"owners.yaml": owners, **beside}) == [STRAYS["cwpp/suppression/one.json"]], owners
