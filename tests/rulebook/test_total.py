"""Loading is total: whatever stands in the files, it answers with problems and never raises."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.signals import Stream
from router.rulebook import load, load_examples
from tests.examples import some_of
from tests.rulebook.builders import NOW, a_body, loaded, rules_in
from tests.rulebook.kinds import KINDS

POLICY: dict[str, Any] = {
    "stream": "cwpp",
    "floor": {"default": "Medium", "KeyVaults": "Low"},
    "suppression": {"longest": "365d", "warn": "14d"},
    "destinations": {
        "oncall": {"kind": "pager", "key": {"secret": "KEY"}},
        "tickets": {"kind": "desk", "url": "https://a.example.com", "key": {"secret": "KEY"}, "fields": {"a": "b"}},
    },
    "routes": [
        {"name": "one", "when": {"severity": ["High"], "tactics": "Impact", "techniques": ["T1110"]}, "to": ["oncall"]},
        {"name": "two", "when": {"incident": True, "plan": "KeyVaults", "kind": ["alert"]}, "to": ["oncall"]},
    ],
    "always": [],
    "otherwise": ["tickets"],
    "record": {"kind": "rows", "table": "lake"},
    "runbooks": {"K8S*": "https://wiki.example/k8s?id=1"},
}
OWNERS: dict[str, Any] = {
    "owners": [
        {"subscription": "a*", "group": "web", "environment": "test"},
        {"cluster": "x", "pager": {"secret": "KEY"}},
    ],
    "subscriptions": {
        "6f0a3c52-8d1e-4b7a-9c45-2e71d0b8a110": {"name": "Contoso Production", "environment": "production"}
    },
    "accounts": {"123456789012": {"name": "Retail"}},
    "projects": {"shop": {"environment": "test"}},
    "runbooks": {"K8S*": "https://wiki.example/k8s"},
}

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8) | st.just("*"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4) | st.just("in"), inner, max_size=2),
    max_leaves=4,
)


def paths_in(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value in a document."""
    children: list[tuple[Any, object]] = []
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value))
    return [path, *(found for step, inner in children for found in paths_in(inner, (*path, step)))]


@st.composite
def damaged(draw: st.DrawFn, sound: Any) -> object:
    """A sound document with anything at all in one or two places."""
    document = copy.deepcopy(sound)
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from(paths_in(document)))
        if not path:
            return draw(VALUES)
        holder = document
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]] = draw(VALUES)
    return document


DAMAGED = damaged(POLICY).map(lambda it: ("cwpp/policy.yaml", it)) | damaged(OWNERS).map(lambda it: ("owners.yaml", it))


@settings(max_examples=some_of(300))
@given(DAMAGED)
def test_any_policy_and_any_owners_file_give_a_rulebook_or_a_problem(damaged: tuple[str, object]) -> None:
    """A damaged file is either sound still, or stops its stream with a problem in its own file."""
    file, content = damaged
    result = loaded({file: yaml.safe_dump(content, allow_unicode=True)})
    problems = [problem for problem in result.problems if problem.level == "problem"]
    assert (result.rulebook is None) is bool(problems)
    assert {problem.file for problem in problems} <= {file}


@settings(max_examples=some_of(150))
@given(damaged(a_body()), st.sampled_from(["json", "yaml"]))
def test_any_suppression_rule_is_in_force_or_refused(body: object, suffix: str) -> None:
    """A damaged rule is in force only if nothing worse than a warning is said, and then it ends and has a scope."""
    text: object = body if suffix == "json" and not isinstance(body, str) else yaml.safe_dump(body)
    result = loaded({f"cwpp/suppressions/rule.{suffix}": text})
    assert result.rulebook is not None
    rules = result.rulebook.suppressions.by_name.values()
    is_refused = any(problem.level == "problem" for problem in result.problems)
    is_empty_list = isinstance(body, dict) and body.get("value") == []
    assert bool(rules) is not (is_refused or is_empty_list)
    for rule in rules:
        assert rule.groups
        assert all(element.values and "" not in element.values for group in rule.groups for element in group)
        assert "*" not in rule.alert_type


@settings(max_examples=some_of(100))
@given(st.text(max_size=200) | st.text(alphabet='{}[]:,-&*!|>"\n a1', max_size=60))
def test_any_text_at_all_can_be_a_rules_file(text: str) -> None:
    """No text in any file makes loading raise."""
    names = ["cwpp/policy.yaml", "cwpp/suppressions/ab.json", "cwpp/suppressions/cd.yaml", "owners.yaml", "attack.yaml"]
    with tempfile.TemporaryDirectory() as directory:
        rules = rules_in(Path(directory), dict.fromkeys([*names, "cwpp/examples/one.yaml"], text))
        assert load(rules, Stream.CWPP, KINDS, NOW).rulebook is None
        load_examples(rules, Stream.CWPP)
