"""The published JSON Schemas of the rules files, so that editors complete them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from annotated_types import MinLen
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, RootModel
from pydantic.json_schema import SkipJsonSchema

from router.domain.rulebook import Lane
from router.rulebook.attack import AttackForm
from router.rulebook.destinations import KindsByName
from router.rulebook.examples import ExamplesForm
from router.rulebook.owners import OwnersForm
from router.rulebook.policy_form import GroupedForm, PolicyForm
from router.rulebook.when_form import Word

FIELD_PATTERN = (
    r"^([Ee][Nn][Tt][Ii][Tt][Ii][Ee][Ss]\.[A-Za-z_-]+\.[A-Za-z]+"
    r"|[A-Za-z]+|[Ee][Xx][Tt][Ee][Nn][Dd][Ee][Dd][Pp][Rr][Oo][Pp][Ee][Rr][Tt][Ii][Ee][Ss]\..+)$"
)


class _Form(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class InForm(_Form):
    """Some entity has the property, equal to one of the values, ignoring case."""

    model_config = ConfigDict(extra="forbid")

    field: Annotated[str, Field(pattern=FIELD_PATTERN)]
    """What to look at, such as entities.ip.address."""
    values: Annotated[list[Word], MinLen(1)] = Field(alias="in")
    """The values, any of which will do; for addresses also ranges such as 10.20.0.0/16, which Defender does not take."""


class ContainsForm(_Form):
    """Some entity has the property, containing one of the texts, ignoring case."""

    model_config = ConfigDict(extra="forbid")

    # CVEs are named whole.
    field: Annotated[str, Field(pattern=FIELD_PATTERN, json_schema_extra={"not": {"pattern": "^[Cc][Vv][Ee]$"}})]
    """What to look at, such as entities.process.commandline."""
    contains: Word | Annotated[list[Word], MinLen(1)]
    """The text, or several (which Defender itself does not take)."""


class ScopeForm(_Form):
    """What a signal must have; every element must hold."""

    model_config = ConfigDict(extra="forbid")

    allOf: Annotated[list[InForm | ContainsForm], MinLen(1)]  # noqa: N815 - Defender's name


class PropertiesForm(_Form):
    """A suppression rule."""

    alertType: Annotated[str, Field(pattern=r"^[^*]+$")]  # noqa: N815 - Defender's name
    """The alert type, or a finding's type or recommendation category, whole; case does not matter."""
    state: Literal["Enabled", "Disabled", "Expired"]
    reason: Word
    """AlertSeverityTooHigh, FalsePositive, Noise, NotRelevant, Other, SpecificEntityFalsePositive or Unclear."""
    expirationDateUtc: AwareDatetime  # noqa: N815 - Defender's name
    """The first instant at which the rule holds nothing any more."""
    comment: str | SkipJsonSchema[None] = Field(default=None)
    """Why, and who owns the rule: its first e-mail address. Defender takes at most 140 characters."""
    suppressionAlertsScope: ScopeForm  # noqa: N815 - Defender's name
    lastModifiedUtc: str | SkipJsonSchema[None] = Field(default=None)  # noqa: N815 - Defender's name


class BodyForm(_Form):
    """One rule; its name is the file's."""

    properties: PropertiesForm


class NamedBodyForm(BodyForm):
    """One rule of a list."""

    name: Word


class ListForm(_Form):
    """Rules as Defender lists them."""

    value: list[NamedBodyForm]


class SuppressionForm(RootModel[BodyForm | ListForm]):
    """A suppression rule, or a list of them, as Defender writes them."""


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
    grouped = GroupedForm.model_json_schema()
    definitions |= grouped["$defs"]
    for name, kind in sorted(kinds.items()):
        entry = kind.Config.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}")
        for inner, schema in entry.pop("$defs", {}).items():
            definitions[f"{name}.{inner}"] = schema
        entry["properties"] = {"kind": {"const": name}, **entry.get("properties", {})}
        if kind.lane is not Lane.ROWS:
            entry["properties"] |= grouped["properties"]
        entry["properties"]["kind"] |= {"const": name}
        entry["required"] = sorted({"kind", *entry.get("required", ())})
        definitions[name] = entry
    choice = {"oneOf": [{"$ref": f"#/$defs/{name}"} for name in sorted(kinds)]}
    policy["properties"]["destinations"]["additionalProperties"] = choice
    record = policy["properties"]["record"]
    policy["properties"]["record"] = {"description": record["description"], **choice}
