"""The shape of a route's `when`."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from annotated_types import MinLen
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    StrictBool,
    StringConstraints,
    WithJsonSchema,
    field_validator,
)
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import CoreSchema, core_schema

from router.domain.signals import Kind, Stream
from router.rulebook.patterns import BLANK_NOT, TECHNIQUE

type LevelName = Literal["Informational", "Low", "Medium", "High", "Critical"]
type LevelOrUnknown = Literal["Informational", "Low", "Medium", "High", "Critical", "unknown"]
type RiskOrUnknown = Literal["Low", "Medium", "High", "Critical", "unknown"]
type Word = Annotated[str, StringConstraints(min_length=1, pattern=BLANK_NOT)]
type TagName = Annotated[str, StringConstraints(min_length=1, max_length=512)]
type TechniqueId = Annotated[str, StringConstraints(pattern=TECHNIQUE)]


class OneOrMany:
    """Lets one value stand alone where a list is wanted."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        many = handler(source)
        either = core_schema.union_schema([many["items_schema"], many])
        return core_schema.no_info_before_validator_function(_listed, many, json_schema_input_schema=either)


def _listed(value: object) -> object:
    return value if isinstance(value, list) else [value]


type Words = Annotated[list[Word], MinLen(1), OneOrMany()]
type Levels = Annotated[list[LevelOrUnknown], MinLen(1), OneOrMany()]
type RiskLevels = Annotated[list[RiskOrUnknown], MinLen(1), OneOrMany()]
type Kinds = Annotated[list[Kind], MinLen(1), OneOrMany()]
type Techniques = Annotated[list[TechniqueId], MinLen(1), OneOrMany()]


STATUSES: Mapping[Stream, tuple[str, ...]] = {
    # Azure Monitor's alerts are Fired; the other words are Defender's, of which the SecurityAlert table has Unknown, too.
    Stream.CWPP: ("New", "Active", "InProgress", "Resolved", "Dismissed", "Fired", "Unknown"),
    # The states of compliance follow those of assessments; attack paths are Active.
    Stream.CSPM: ("Unhealthy", "Healthy", "NotApplicable", "Active", "Passed", "Failed", "Skipped", "Unsupported"),
}
"""The statuses that signals of each stream have."""

_STATUSES = {status.casefold(): status for statuses in STATUSES.values() for status in statuses}


def _status(written: str) -> str:
    if written.casefold() not in _STATUSES:
        near = get_close_matches(written.casefold(), _STATUSES, n=1)
        likeliest = f"; did you mean {_STATUSES[near[0]]!r}?" if near else ""
        raise ValueError(
            f"{written!r} is the status of no signal; it is one of {', '.join(_STATUSES.values())}{likeliest}"
        )
    return written


def _whatever_its_case(word: str) -> str:
    """A pattern of a word, as JSON Schema has no flag for case."""
    return "".join(f"[{letter.upper()}{letter.lower()}]" for letter in word)


_SPELLINGS = f"^({'|'.join(map(_whatever_its_case, _STATUSES.values()))})$"
type Status = Annotated[Word, AfterValidator(_status), WithJsonSchema({"type": "string", "pattern": _SPELLINGS})]
type Statuses = Annotated[list[Status], MinLen(1), OneOrMany()]


def without_twins[T](tags: dict[str, T]) -> dict[str, T]:
    """The same tags; ValueError where two of them are one tag."""
    if len({name.lower() for name in tags}) < len(tags):
        raise ValueError("names a tag twice; the names of tags are the same whatever their case")
    return tags


# Tags by their names, each with one value or several.
type TagWords = Annotated[dict[TagName, Words], MinLen(1), AfterValidator(without_twins)]


class Form(BaseModel):
    """A part of a rules file: unknown keys are mistakes, and so are keys without a value."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _has_value(cls, value: object) -> object:
        if value is None:
            raise ValueError("has no value; give it one, or remove the key")
        return value


class WhenForm(Form):
    """What a route asks of a signal. All keys that are given must hold; of a list, any value will do."""

    severity: Levels | SkipJsonSchema[None] = Field(default=None)
    """These severities; `unknown` stands for a missing or unknown one. A finding's contextual risk comes first."""
    at_least: LevelName | SkipJsonSchema[None] = Field(default=None)
    """This severity or a higher one; a missing or unknown one holds too. A finding's contextual risk comes first."""
    alert_type: Words | SkipJsonSchema[None] = Field(default=None)
    """Globs of the alert type, or of a finding's type."""
    plan: Words | SkipJsonSchema[None] = Field(default=None)
    """Defender plans, called as `az security pricing` calls them."""
    tactics: Words | SkipJsonSchema[None] = Field(default=None)
    """Tactics: a Defender intent, an ATT&CK name or a TA id."""
    techniques: Techniques | SkipJsonSchema[None] = Field(default=None)
    """ATT&CK technique ids; a parent covers its sub-techniques."""
    subscription: Words | SkipJsonSchema[None] = Field(default=None)
    """Ids of subscriptions."""
    resource: Words | SkipJsonSchema[None] = Field(default=None)
    """Globs of the resource id."""
    resource_type: Words | SkipJsonSchema[None] = Field(default=None)
    """Resource types, such as Microsoft.Sql/servers/databases."""
    resource_group: Words | SkipJsonSchema[None] = Field(default=None)
    """Globs of the resource group's name; what a connector brings from another cloud is in none."""
    account: Words | SkipJsonSchema[None] = Field(default=None)
    """Globs of the AWS account's id."""
    project: Words | SkipJsonSchema[None] = Field(default=None)
    """Globs of the GCP project's id or number."""
    cluster: Words | SkipJsonSchema[None] = Field(default=None)
    """Globs of the Kubernetes cluster's name, in any cloud."""
    namespace: Words | SkipJsonSchema[None] = Field(default=None)
    """Globs of the Kubernetes namespace; of several that an alert names, any will do."""
    connector: Words | SkipJsonSchema[None] = Field(default=None)
    """Globs of the name, the ARM id or the GUID of the security connector to another cloud."""
    tag: TagWords | SkipJsonSchema[None] = Field(default=None)
    """Globs of the values of tags by their names; each of these tags must be there, and have one of the values."""
    incident: StrictBool | SkipJsonSchema[None] = Field(default=None)
    """Whether it is an incident."""
    sample: StrictBool | SkipJsonSchema[None] = Field(default=None)
    """Whether it is one of Defender's sample alerts."""
    kind: Kinds | SkipJsonSchema[None] = Field(default=None)
    """Kinds of signal; the kinds that are only noted by nature are routed where a route names them."""
    coverage: StrictBool | SkipJsonSchema[None] = Field(default=None)
    """Whether it says that Defender does not watch something: a recommendation that a sensor, a plan or an integration is
    missing, or a source that is silent."""
    category: Words | SkipJsonSchema[None] = Field(default=None)
    """Globs of a finding's categories, the recommendation's own, such as SoftwareUpdate, among them."""
    package: Words | SkipJsonSchema[None] = Field(default=None)
    """Globs of the name of the software that a finding asks to update."""
    cve: Words | SkipJsonSchema[None] = Field(default=None)
    """Globs of CVE ids; any CVE of a finding will do."""
    risk: RiskLevels | SkipJsonSchema[None] = Field(default=None)
    """Levels of a finding's risk; `unknown` stands for a missing one, or one that is not evaluated."""
    owner: Words | SkipJsonSchema[None] = Field(default=None)
    """Globs of the owner's group or service in owners.yaml; `nobody` stands for none."""
    status: Statuses | SkipJsonSchema[None] = Field(default=None)
    """Statuses; New and Active are one."""
