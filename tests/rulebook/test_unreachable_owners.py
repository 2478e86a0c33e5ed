"""An entry of owners.yaml that nothing reaches is said, and none that something reaches."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.patterns import covers_glob
from router.domain.signals import Stream
from router.rulebook import Loaded, lint, load
from router.rulebook.patterns import compile_globs
from tests.examples import some_of
from tests.rulebook.builders import NOW, rules_in
from tests.rulebook.kinds import KINDS
from tests.rulebook.test_owner_keys import ENTRIES, SIGNALS, group_of, owners_of


def said_of(directory: Path, *entries: Mapping[str, object]) -> list[str]:
    """What lints say of some entries of owners.yaml."""
    rules = rules_in(directory, {"owners.yaml": {"owners": [dict(entry) for entry in entries]}})
    result: Loaded = load(rules, Stream.CWPP, KINDS, NOW)
    assert result.rulebook is not None, result.problems
    found = lint(rules, Stream.CWPP, result, NOW)
    return [one.message for one in found if one.code == "unreachable-owner"]


@pytest.mark.parametrize(
    "entries",
    [
        [{"group": "all"}, {"resource_group": "rg-web", "group": "web"}],
        [{"resource_group": "rg-*", "group": "a"}, {"resource_group": "RG-WEB*", "subscription": "aaaa", "group": "b"}],
        [{"cluster": "*-prod", "group": "a"}, {"cluster": "shop-prod", "namespace": "shop", "group": "b"}],
        [{"tag": {"team": "*"}, "group": "a"}, {"tag": {"Team": "web"}, "group": "b"}],
        [{"resource": "*/rg-?/*", "group": "a"}, {"resource": "*/rg-?/vm-*", "group": "b"}],
        [{"group": "all"}, {"cluster": "c", "resource_group": "rg-aks", "group": "b"}],
        [{"environment": "prod"}, {"subscription": "aaaa", "environment": "test"}],
        [{"group": "all", "environment": "prod"}, {"subscription": "aaaa", "group": "a", "environment": "test"}],
        [{"group": "all"}, {"group": "all"}],
    ],
    ids=str,
)
def test_an_entry_that_one_above_covers_is_said(entries: list[dict[str, object]], tmp_path: Path) -> None:
    """With its place, and that of the one that covers it."""
    assert said_of(tmp_path, *entries) == [
        "owners[1]: is never reached: owners[0] above matches all that it matches; move it up, or remove it"
    ]


def test_what_is_judged_is_what_was_loaded(tmp_path: Path) -> None:
    """A file that somebody mends meanwhile is judged by the next check, and this one says one thing of it throughout."""
    rules = rules_in(tmp_path, {"owners.yaml": {"owners": [{"group": "all"}, {"group": "all"}]}})
    loaded = load(rules, Stream.CWPP, KINDS, NOW)
    (rules / "owners.yaml").write_text("owners: [{group: all}]")
    assert "unreachable-owner" in {one.code for one in lint(rules, Stream.CWPP, loaded, NOW)}


@pytest.mark.parametrize(
    "entries",
    [
        [{"resource_group": "rg-web", "group": "web"}, {"group": "all"}],
        [{"subscription": "aaaa", "group": "a"}, {"account": "123456789012", "subscription": "aaaa", "group": "b"}],
        [{"group": "all"}, {"connector": "corp", "group": "b"}],
        [{"environment": "prod"}, {"group": "all"}],
        [{"group": "all"}, {"subscription": "aaaa", "group": "b", "environment": "test"}],
        [{"tag": {"team": "*"}, "group": "a"}, {"subscription": "aaaa", "group": "b"}],
        [{"tag": {"team": "*"}, "group": "{tag.team}"}, {"tag": {"team": "web"}, "group": "b"}],
        [{"namespace": "s?op", "group": "a"}, {"namespace": "s*op", "group": "b"}],
    ],
    ids=str,
)
def test_an_entry_that_something_reaches_is_not(entries: list[dict[str, object]], tmp_path: Path) -> None:
    """What a connector brings asks first for what names more than a subscription, wherever it stands."""
    assert said_of(tmp_path, *entries) == []


def in_vain_of(directory: Path, *entries: Mapping[str, object]) -> dict[str, str]:
    """What lints say of entries of owners.yaml that match nothing, by where it is."""
    names = {"subscriptions": {GUID: {"name": "Contoso Production"}}, "accounts": {"123456789012": {"name": "Retail"}}}
    rules = rules_in(directory, {"owners.yaml": {"owners": [dict(entry) for entry in entries], **names}})
    found = lint(rules, Stream.CWPP, load(rules, Stream.CWPP, KINDS, NOW), NOW)
    said = (one.message.partition(": ") for one in found if one.code == "dead-owner")
    return {place: words.removesuffix("; so the entry matches nothing") for place, _, words in said}


GUID = "6f0a3c52-8d1e-4b7a-9c45-2e71d0b8a110"
OF_RESOURCE = "fits no resource's id from its beginning to its end; write a glob such as"


@pytest.mark.parametrize(
    ("key", "glob", "words"),
    [
        ("subscription", "prod", "fits no subscription's id, which is a GUID; write an id, or a glob of ids"),
        ("subscription", "contoso production", f"fits no subscription's id, which is a GUID; that of {{}} is {GUID}"),
        ("account", "1234", "fits no AWS account's id, which has 12 digits; write an id, or a glob of ids"),
        ("account", "Retail", "fits no AWS account's id, which has 12 digits; that of {} is 123456789012"),
        ("resource", "rg-pay", f"{OF_RESOURCE} */rg-pay or */rg-pay/*"),
        ("resource", "vm", f"{OF_RESOURCE} */vm or */vm/*"),
        ("resource", "rg-pay/vm-1", f"{OF_RESOURCE} */rg-pay/vm-1 or */rg-pay/vm-1/*"),
        ("resource", "/resourceGroups/rg-pay/*", f"{OF_RESOURCE} */resourceGroups/rg-pay or */resourceGroups/rg-pay/*"),
    ],
)
def test_an_entry_that_matches_nothing_is_said(key: str, glob: str, words: str, tmp_path: Path) -> None:
    """At the glob that is at fault, with what to write in its place."""
    said = in_vain_of(tmp_path, {key: glob, "group": "pay"}, {"group": "all"})
    assert said == {f"owners[0].{key}": words.format(repr(glob))}


@pytest.mark.parametrize(
    ("key", "globs"),
    [
        ("subscription", ["*", GUID.upper(), "6f0a*", "????????-*"]),
        ("account", ["123456789012", "1234*", "*", "aws", "????????????"]),
        (
            "resource",
            [
                f"/subscriptions/{GUID}/resourceGroups/rg-pay", "*/rg-pay/*", "/sub*", "?subscriptions/*", "*",
                "/providers/Microsoft.Management/managementGroups/corp", "arn:aws:s3:::logs", "ARN:*", "a*", "storage*",
                "//storage.googleapis.com/projects/_/buckets/logs", "storage.googleapis.com/projects/_/buckets/logs",
                "projects/contoso/zones/z/instances/vm", "/projects/contoso/*", "proj*",
            ],
        ),
    ],
)  # fmt: skip
def test_an_entry_that_may_match_something_is_not(key: str, globs: list[str], tmp_path: Path) -> None:
    """An ARM id, an ARN, a name of Google's, and globs of these."""
    assert in_vain_of(tmp_path, *({key: glob, "group": "pay"} for glob in globs)) == {}


@settings(max_examples=some_of(40))
@given(st.lists(ENTRIES, min_size=2, max_size=5))
def test_nothing_belongs_to_an_entry_that_is_said(entries: list[dict[str, Any]]) -> None:
    """Whatever the entries are."""
    numbered = [{**entry, "group": str(at)} for at, entry in enumerate(entries)]
    with TemporaryDirectory() as directory:
        said = said_of(Path(directory), *numbered)
        owners = owners_of(Path(directory), *numbered)
    for signal in SIGNALS.values():
        place = f"owners[{group_of(signal, owners)}]: is never reached"
        assert not any(words.startswith(place) for words in said)


GLOBS = st.text(alphabet="aB*?", max_size=6)


@given(GLOBS, GLOBS, st.lists(st.text(alphabet="abB\n", max_size=6), max_size=20))
def test_a_glob_that_covers_another_fits_whatever_that_fits(wider: str, narrower: str, texts: list[str]) -> None:
    """And each covers itself."""
    assert covers_glob(wider, wider)
    if covers_glob(wider, narrower):
        wide, narrow = compile_globs([wider]), compile_globs([narrower])
        filled = [narrower.replace("*", text).replace("?", text[:1] or "a") for text in texts]
        assert all(wide(text) for text in [*texts, *filled] if narrow(text))
