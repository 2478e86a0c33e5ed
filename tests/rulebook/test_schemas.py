"""The published JSON Schemas say what the program says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from router.coverage.expected.form import CoverageForm
from router.destinations import discover
from router.rulebook import schemas
from tests.builders import RULES
from tests.rulebook.kinds import KINDS
from tests.rulebook.test_bad_rules import BAD


class _Plain(yaml.SafeLoader):
    """YAML as an editor's schema check sees it: times are text."""


_Plain.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith("timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def content_of(path: Path) -> Any:
    """What a rules file says."""
    text = path.read_text(encoding="utf-8")
    return json.loads(text) if path.suffix == ".json" else yaml.load(text, _Plain)  # noqa: S506 - a safe loader


def validator_of(path: Path, published: Mapping[str, dict[str, Any]]) -> Draft202012Validator:
    """What an editor holds a rules file against."""
    folder = path.parent.name
    names = {"suppressions": "suppression", "examples": "examples"}
    return Draft202012Validator(published[names.get(folder, folder if BAD in path.parents else path.stem)])


def test_the_starter_rules_meet_their_schemas(subtests: pytest.Subtests) -> None:
    """Each schema is valid JSON Schema 2020-12 and says so; an editor that knows them has nothing to say about these rules."""
    published = schemas(discover(), CoverageForm)
    assert set(published) >= {"policy", "suppression", "owners", "attack", "examples", "coverage"}
    for name, schema in published.items():
        with subtests.test(name):
            assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
            Draft202012Validator.check_schema(schema)
    for path in sorted(RULES.rglob("*")):
        if path.suffix in (".json", ".yaml"):
            with subtests.test(path.relative_to(RULES).as_posix()):
                validator_of(path, published).validate(content_of(path))


BEYOND_SCHEMA = {
    # How long a duration may be, the check alone says.
    "answer-in-years", "pager-group-of-years", "silences-of-years", "ticket-group-of-years",
    "always-names-no-destination", "destination-bad-name", "destination-reserved-name", "literal-password-in-url",
    "literal-secret-in-fields", "literal-secret-quoted-by-kind", "literal-token-in-url", "other-stream",
    "otherwise-names-no-destination", "record-in-page-lane", "route-name-twice", "several-at-once", "to-names-no-destination",
    "when-tactic-says-nothing", "when-tactic-unknown", "posture-pages", "intent-names-no-tactic",
    "technique-names-no-tactic", "both-messages", "expects-nothing", "no-message", "now-without-zone", "blank-contains",
    "expiry-beyond-longest", "expiry-no-time", "field-of-nothing", "field-of-unknown-entity", "field-without-property",
    "list-name-twice", "empty-expiry", "contains-what-is-everywhere",
    "contains-too-few-letters", "contains-one-of-several-too-short", "contains-a-subscription", "contains-a-provider",
    "contains-part-of-a-provider", "contains-all-of-aws", "contains-an-aws-account", "contains-an-aws-region",
    "contains-an-aws-service-and-its-kind", "contains-all-of-google", "contains-a-google-project",
    "contains-every-connector", "contains-a-connector", "contains-every-image", "contains-every-repository",
    "category-contains-a-connector", "category-in-a-connector", "category-in-a-subscription", "category-in-an-account",
    "category-as-a-whole", "category-by-what-only-alerts-have", "field-of-findings-only", "package-too-short",
    "group-by-what-only-alerts-have", "group-by-what-only-findings-have", "group-by-incident-and-more",
    "group-that-is-open", "group-of-pages-that-is-open",
    "runbook-with-a-password", "runbook-with-a-token", "runbook-with-a-token-in-its-fragment", "runbook-with-a-secret",
    "runbook-for-a-number", "account-without-quotes",
    "address-range-around-everything-mapped", "address-range-of-everything", "address-range-of-everything-in-ipv6",
    "address-range-of-everything-mapped", "address-range-that-is-none", "address-range-too-wide-in-ipv6",
    "address-range-with-host-bits", "address-ranges-too-wide-together", "address-ranges-too-wide-only-together",
    "rung-of-another-kind", "replaced-plan", "plan-of-another-kind", "unknown-plan", "name-without-kind",
    "subscription-by-name", "end-that-is-no-time", "end-too-far", "hub-that-is-none", "literal-secret-as-hub",
    "silence-too-short-and-too-long",
}  # fmt: skip
"""Mistakes that only the program can see: a name that nothing bears, a time too far away, a secret in a URL."""


def test_a_mistake_of_shape_is_seen_by_the_schema_too() -> None:
    """What the program refuses for its shape, an editor underlines."""
    published = schemas(KINDS, CoverageForm)
    for path in (*sorted(BAD.rglob("*.yaml")), *sorted(BAD.rglob("*.json"))):
        is_refused = "problem" in path.with_name(f"{path.name}.txt").read_text(encoding="utf-8")
        is_of_text = any(
            word in path.stem for word in ("not-yaml", "not-json", "twice", "itself", "empty-file", "quiet")
        )
        if is_refused and not is_of_text and path.stem not in BEYOND_SCHEMA:
            assert not validator_of(path, published).is_valid(content_of(path)), path
