"""An entry of owners.yaml that nothing reaches is said, and none that something reaches."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.signals import Stream
from router.rulebook import Loaded, lint, load
from router.rulebook.globs import compile_globs, covers_glob
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
        [{"cluster": "?", "group": "a"}, {"cluster": "*", "group": "b"}, {"cluster": "**", "group": "c"}],
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


@settings(max_examples=40)
@given(st.lists(ENTRIES, min_size=2, max_size=5))
def test_nothing_belongs_to_an_entry_that_is_said(entries: list[dict[str, Any]]) -> None:
    """Whatever the entries are."""
    numbered = [{**entry, "group": str(at)} for at, entry in enumerate(entries)]
    with TemporaryDirectory() as directory:
        # Whether an entry is said depends on those above it alone.
        counts = [len(said_of(Path(directory), *numbered[:end])) for end in range(len(numbered) + 1)]
        owners = owners_of(Path(directory), *numbered)
    said = {str(at) for at in range(len(numbered)) if counts[at + 1] > counts[at]}
    assert said.isdisjoint(filter(None, (group_of(signal, owners) for signal in SIGNALS.values())))


GLOBS = st.text(alphabet="aB*?", max_size=6)


@given(GLOBS, GLOBS, st.lists(st.text(alphabet="abB\n", max_size=6), max_size=20))
def test_a_glob_that_covers_another_fits_whatever_that_fits(wider: str, narrower: str, texts: list[str]) -> None:
    """And each covers itself."""
    assert covers_glob(wider, wider)
    if covers_glob(wider, narrower):
        wide, narrow = compile_globs([wider]), compile_globs([narrower])
        filled = [narrower.replace("*", text).replace("?", text[:1] or "a") for text in texts]
        assert all(wide(text) for text in [*texts, *filled] if narrow(text))
