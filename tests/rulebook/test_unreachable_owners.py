"""What stands in vain: entries of owners.yaml that nothing reaches, and rules where nothing reads them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.signals import Stream
from router.rulebook import lint, load
from tests.examples import some_of
from tests.rulebook.builders import NOW, a_body, lints, rules_in
from tests.rulebook.kinds import KINDS
from tests.rulebook.test_owner_keys import ENTRIES, SIGNALS, group_of, owners_of


def said_of(*entries: Mapping[str, object], code: str = "unreachable-owner", **names: object) -> list[str]:
    """What lints say of some entries of owners.yaml."""
    files = {"owners.yaml": {"owners": [dict(entry) for entry in entries], **names}}
    return [line.removeprefix("owners.yaml: ") for line in lints(files, code=code)]


REACHED: list[tuple[bool, list[dict[str, object]]]] = [
    (False, [{"group": "all"}, {"resource_group": "rg-web", "group": "web"}]),
    (False, [{"resource_group": "rg-*", "group": "a"}, {"resource_group": "RG-W*", "subscription": "a", "group": "b"}]),
    (False, [{"tag": {"team": "*"}, "group": "a"}, {"tag": {"Team": "web"}, "group": "b"}]),
    (False, [{"resource": "*/rg-?/*", "group": "a"}, {"resource": "*/rg-?/vm-*", "group": "b"}]),
    (False, [{"group": "all"}, {"cluster": "c", "resource_group": "rg-aks", "group": "b"}]),
    (False, [{"environment": "prod"}, {"subscription": "aaaa", "environment": "test"}]),
    (False, [{"group": "all", "environment": "prod"}, {"subscription": "aaaa", "group": "a", "environment": "test"}]),
    (False, [{"group": "all"}, {"group": "all"}]),
    (True, [{"subscription": "aaaa", "group": "a"}, {"account": "123456789012", "subscription": "aaaa", "group": "b"}]),
    (True, [{"group": "all"}, {"connector": "corp", "group": "b"}]),
    (True, [{"group": "all"}, {"subscription": "aaaa", "group": "b", "environment": "test"}]),
    (True, [{"tag": {"team": "*"}, "group": "{tag.team}"}, {"tag": {"team": "web"}, "group": "b"}]),
]


def test_an_entry_that_one_above_covers_is_said_and_none_that_something_reaches(subtests: pytest.Subtests) -> None:
    """With its place, and that of the one that covers it. What a connector brings asks first for what names more than a
    subscription, wherever it stands."""
    words = "owners[1]: is never reached: owners[0] above matches all that it matches; move it up, or remove it"
    for is_reached, entries in REACHED:
        with subtests.test(str(entries)):
            assert said_of(*entries) == ([] if is_reached else [words])


def test_what_is_judged_is_what_was_loaded(tmp_path: Path) -> None:
    """A file that somebody mends meanwhile is judged by the next check, and this one says one thing of it throughout."""
    rules = rules_in(tmp_path, {"owners.yaml": {"owners": [{"group": "all"}, {"group": "all"}]}})
    loaded = load(rules, Stream.CWPP, KINDS, NOW)
    (rules / "owners.yaml").write_text("owners: [{group: all}]")
    assert "unreachable-owner" in {one.code for one in lint(rules, Stream.CWPP, loaded, NOW)}


GUID = "6f0a3c52-8d1e-4b7a-9c45-2e71d0b8a110"
OF_RESOURCE = "fits no resource's id from its beginning to its end; write a glob such as"
OF_ACCOUNT = "fits no AWS account's id, which has 12 digits"
NAMES = {"subscriptions": {GUID: {"name": "Contoso Production"}}, "accounts": {"123456789012": {"name": "Retail"}}}
IN_VAIN = [
    ("subscription", "prod", "fits no subscription's id, which is a GUID; write an id, or a glob of ids"),
    ("subscription", "contoso production", f"fits no subscription's id, which is a GUID; that of {{}} is {GUID}"),
    ("account", "1234", f"{OF_ACCOUNT}; write an id, or a glob of ids"),
    ("account", "Retail", f"{OF_ACCOUNT}; that of {{}} is 123456789012"),
    ("resource", "vm", f"{OF_RESOURCE} */vm or */vm/*"),
    ("resource", "rg-pay/vm-1", f"{OF_RESOURCE} */rg-pay/vm-1 or */rg-pay/vm-1/*"),
    ("resource", "/resourceGroups/rg-pay/*", f"{OF_RESOURCE} */resourceGroups/rg-pay or */resourceGroups/rg-pay/*"),
]
MAY_MATCH = {
    "subscription": ["*", GUID.upper(), "6f0a*", "????????-*"],
    "account": ["123456789012", "1234*", "*", "aws", "????????????"],
    "resource": [
        f"/subscriptions/{GUID}/resourceGroups/rg-pay", "*/rg-pay/*", "/sub*", "?subscriptions/*", "*",
        "/providers/Microsoft.Management/managementGroups/corp", "arn:aws:s3:::logs", "ARN:*", "a*", "storage*",
        "//storage.googleapis.com/projects/_/buckets/logs", "storage.googleapis.com/projects/_/buckets/logs",
        "projects/contoso/zones/z/instances/vm", "/projects/contoso/*", "proj*",
    ],
}  # fmt: skip


def test_an_entry_that_matches_nothing_is_said_and_none_that_may_match_something(subtests: pytest.Subtests) -> None:
    """At the glob that is at fault, with what to write in its place. An ARM id, an ARN, a name of Google's may match."""
    for key, glob, words in IN_VAIN:
        with subtests.test(glob):
            said = said_of({key: glob, "group": "pay"}, {"group": "all"}, code="dead-owner", **NAMES)
            assert said == [f"owners[0].{key}: {words.format(repr(glob))}; so the entry matches nothing"]
    for key, globs in MAY_MATCH.items():
        assert said_of(*({key: glob, "group": "pay"} for glob in globs), code="dead-owner", **NAMES) == []


@settings(max_examples=some_of(40))
@given(st.lists(ENTRIES, min_size=2, max_size=5))
def test_nothing_belongs_to_an_entry_that_is_said(entries: list[dict[str, Any]]) -> None:
    """Whatever the entries are."""
    numbered = [{**entry, "group": str(at)} for at, entry in enumerate(entries)]
    said, owners = said_of(*numbered), owners_of(*numbered)
    for signal in SIGNALS.values():
        place = f"owners[{group_of(signal, owners)}]: is never reached"
        assert not any(words.startswith(place) for words in said)


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
    """The known places, hidden files, Markdown, other sorts of files, and tags that owners.yaml names. Where rules are
    a repository of their own, other files of YAML stand beside them: only what is called like a rule is said."""
    files = {
        "owners.yaml": {"owners": [], "tags": ["tags/all.json"]}, "coverage.yaml": "", "tags/all.json": "[]",
        "cwpp/suppressions/one.json": a_body(), "cwpp/suppressions/shadow/two.json": a_body(),
        "cwpp/examples/one.yaml": "[]", "cspm/anything.yaml": "",
        ".schemas/policy.schema.json": "{}", "README.md": "", "cwpp/notes.txt": "", "pictures/a.png": "", "cwpp/.keep": "",
    }  # fmt: skip
    assert strays_with(files) == []
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
