"""The shape of a suppression rule, for editors: Defender's ARM body, or its list of them.

https://learn.microsoft.com/rest/api/defenderforcloud/alerts-suppression-rules (2019-01-01-preview). The program itself reads
rules with `suppression.py`, which takes keys in any case and knows what each mistake means.
"""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import MinLen
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, RootModel
from pydantic.json_schema import SkipJsonSchema

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
