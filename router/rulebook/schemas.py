"""The published JSON Schemas of the rules files, so that editors complete them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from router.domain.rulebook import Lane
from router.rulebook.attack import AttackForm
from router.rulebook.destinations import KindsByName
from router.rulebook.examples import ExamplesForm
from router.rulebook.owners import OwnersForm
from router.rulebook.policy_form import PolicyForm, grouped_form_of
from router.rulebook.suppression_schema import SuppressionForm

_DIALECT = "https://json-schema.org/draft/2020-12/schema"

_FORMS: Mapping[str, type[BaseModel]] = {
    "policy": PolicyForm,
    "suppression": SuppressionForm,
    "owners": OwnersForm,
    "attack": AttackForm,
    "examples": ExamplesForm,
}


def schemas(kinds: KindsByName, coverage: type[BaseModel]) -> Mapping[str, dict[str, Any]]:
    """Return a JSON Schema (2020-12) for each sort of rules file; `coverage` is the form of coverage.yaml."""
    forms = {**_FORMS, "coverage": coverage}
    published = {name: {"$schema": _DIALECT, **form.model_json_schema()} for name, form in forms.items()}
    _add_kinds(published["policy"], kinds)
    return published


def _add_kinds(policy: dict[str, Any], kinds: KindsByName) -> None:
    definitions = policy.setdefault("$defs", {})
    grouped = {lane: grouped_form_of(lane).model_json_schema() for lane in Lane}
    for one in grouped.values():
        definitions |= one["$defs"]
    for name, kind in sorted(kinds.items()):
        entry = kind.Config.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}")
        for inner, schema in entry.pop("$defs", {}).items():
            definitions[f"{name}.{inner}"] = schema
        entry["properties"] = {"kind": {"const": name}, **entry.get("properties", {})}
        if kind.lane is not Lane.ROWS:
            entry["properties"] |= grouped[kind.lane]["properties"]
        entry["properties"]["kind"] |= {"const": name}
        entry["required"] = sorted({"kind", *entry.get("required", ())})
        definitions[name] = entry
    choice = {"oneOf": [{"$ref": f"#/$defs/{name}"} for name in sorted(kinds)]}
    policy["properties"]["destinations"]["additionalProperties"] = choice
    record = policy["properties"]["record"]
    policy["properties"]["record"] = {"description": record["description"], **choice}
