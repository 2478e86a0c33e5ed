"""An entry of owners.yaml that nothing reaches is said, and none that something reaches."""

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
from tests.rulebook.builders import NOW, lints, rules_in
from tests.rulebook.kinds import KINDS
from tests.rulebook.test_owner_keys import ENTRIES, SIGNALS, group_of, owners_of


def said_of(*entries: Mapping[str, object], code: str = "unreachable-owner", **names: object) -> list[str]:
    """What lints say of some entries of owners.yaml."""
    files = {"owners.yaml": {"owners": [dict(entry) for entry in entries], **names}}
    return [line.removeprefix("owners.yaml: ") for line in lints(files, code=code)]


REACHED: list[tuple[bool, list[dict[str, object]]]] = [
    (False, [{"group": "all"}, {"resource_group": "rg-web", "group": "web"}]),
    (
        False,
        [{"resource_group": "rg-*", "group": "a"}, {"resource_group": "RG-WEB*", "subscription": "aaaa", "group": "b"}],
    ),
    (False, [{"cluster": "*-prod", "group": "a"}, {"cluster": "shop-prod", "namespace": "shop", "group": "b"}]),
    (False, [{"tag": {"team": "*"}, "group": "a"}, {"tag": {"Team": "web"}, "group": "b"}]),
    (False, [{"resource": "*/rg-?/*", "group": "a"}, {"resource": "*/rg-?/vm-*", "group": "b"}]),
    (False, [{"group": "all"}, {"cluster": "c", "resource_group": "rg-aks", "group": "b"}]),
    (False, [{"environment": "prod"}, {"subscription": "aaaa", "environment": "test"}]),
    (False, [{"group": "all", "environment": "prod"}, {"subscription": "aaaa", "group": "a", "environment": "test"}]),
    (False, [{"group": "all"}, {"group": "all"}]),
    (True, [{"resource_group": "rg-web", "group": "web"}, {"group": "all"}]),
    (True, [{"subscription": "aaaa", "group": "a"}, {"account": "123456789012", "subscription": "aaaa", "group": "b"}]),
    (True, [{"group": "all"}, {"connector": "corp", "group": "b"}]),
    (True, [{"environment": "prod"}, {"group": "all"}]),
    (True, [{"group": "all"}, {"subscription": "aaaa", "group": "b", "environment": "test"}]),
    (True, [{"tag": {"team": "*"}, "group": "a"}, {"subscription": "aaaa", "group": "b"}]),
    (True, [{"tag": {"team": "*"}, "group": "{tag.team}"}, {"tag": {"team": "web"}, "group": "b"}]),
    (True, [{"namespace": "s?op", "group": "a"}, {"namespace": "s*op", "group": "b"}]),
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
