"""The shape of coverage.yaml."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from annotated_types import MinLen
from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, StringConstraints
from pydantic.json_schema import SkipJsonSchema, WithJsonSchema

from router.coverage.expected.manifest import WorkloadSelector
from router.coverage.plans.table import PLANS
from router.domain.coverage import Rung, WorkloadKind
from router.rulebook.patterns import BLANK_NOT
from router.rulebook.policy_form import Duration
from router.rulebook.when_form import Form, OneOrMany, Word, Words

ANY = "any"
"""The sub-plan of a plan of which any sub-plan will do."""

type AlertSeverity = Literal["Informational", "Low", "Medium", "High"]

type WorkloadKinds = Annotated[list[WorkloadKind], MinLen(1), OneOrMany()]
type RungList = Annotated[list[Rung], MinLen(1), OneOrMany()]
type AlertSeverities = Annotated[list[AlertSeverity], MinLen(1), OneOrMany()]
type PlansBySubPlan = Annotated[
    dict[str, Word],
    MinLen(1),
    WithJsonSchema(
        {
            "type": "object",
            "minProperties": 1,
            "properties": {
                plan.name: {"enum": [ANY, *(one.name for one in plan.sub_plans if one.is_offered)]}
                for plan in PLANS.values()
                if plan.successor is None
            },
            "additionalProperties": {"type": "string", "pattern": BLANK_NOT},
        }
    ),
]


def _end_in(written: object) -> datetime:
    """The instant that a text names; without a zone it is meant in UTC, and a date means its first instant."""
    try:
        instant = datetime.fromisoformat(str(written).strip())
        return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ValueError("must be a date such as 2027-01-31, or a time such as 2027-01-31T12:00:00Z") from None


def _without_slash(hub: str) -> str:
    """An id as Azure writes it, without the slash at its end with which people copy it."""
    return hub.strip().rstrip("/")


type End = Annotated[datetime, BeforeValidator(_end_in, json_schema_input_type=str)]
type HubId = Annotated[Word, AfterValidator(_without_slash)]
type Text = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=BLANK_NOT)]


class SelectingForm(Form):
    """Which workloads an entry means: those that fit all of the keys that are given."""

    kind: WorkloadKinds | SkipJsonSchema[None] = Field(default=None)
    """Of which kind, or kinds; without it of every kind."""
    name: Words = Field(default=["*"])
    """Globs of the name or the id, of which one must fit. One without a wildcard names one workload."""
    subscription: Words = Field(default=["*"])
    """Globs of the subscription's id, of which one must fit."""
    rungs: RungList | SkipJsonSchema[None] = Field(default=None)
    """On which rungs of the ladder."""

    @property
    def selector(self) -> WorkloadSelector:
        """What it means."""
        # Azure writes ids without a slash at their end; people copy them with one.
        names = (name.rstrip("/") if name.startswith("/") else name for name in self.name)
        return WorkloadSelector(
            kinds=frozenset(self.kind or ()), names=tuple(names), subscriptions=tuple(self.subscription)
        )


class ExpectationForm(SelectingForm):
    """What is expected of some workloads; of several entries that fit one, the first counts."""

    rungs: RungList | SkipJsonSchema[None] = Field(default=None)
    """On which rungs; without it from plan to sensor-running and admission-audits, as far as its kind has them."""
    plans: PlansBySubPlan | SkipJsonSchema[None] = Field(default=None)
    """The plans that must be on, each with the sub-plan that it needs, or any."""
    extensions: Words | SkipJsonSchema[None] = Field(default=None)
    """The extensions of these plans that must be on."""
    heard_within: Duration | SkipJsonSchema[None] = Field(default=None)
    """How long its subscriptions, clusters and plans may be silent before the router tells of it; without it, what stands
    at the top."""


class ExceptionForm(SelectingForm):
    """What need not be so for a time, and who answers for it."""

    rungs: RungList | SkipJsonSchema[None] = Field(default=None)
    """On which rungs; without it on all of them."""
    owner: Text
    """Who answers for it."""
    reason: Text
    """Why."""
    ends: End
    """From when on it must be so again: a date, which is its first instant in UTC, or an instant."""


class ExportForm(Form):
    """Where continuous export must lead."""

    alerts: HubId | SkipJsonSchema[None] = Field(default=None)
    """The ARM id of the event hub for alerts."""
    posture: HubId | SkipJsonSchema[None] = Field(default=None)
    """The ARM id of the event hub for recommendations."""
    severities: AlertSeverities = Field(default=["Informational", "Low", "Medium", "High"])
    """The severities of alerts that must be exported."""


class CoverageForm(Form):
    """What Defender must watch, how far that must be proved, and what is excused until when."""

    schema_: Annotated[str, Field(alias="$schema")] = ""
    """The schema that an editor completes it by."""
    export: ExportForm | SkipJsonSchema[None] = Field(default=None)
    """Where continuous export must lead."""
    posture: StrictBool = False
    """Whether foundational CSPM must be on."""
    heard_within: Duration = "8d"
    """How long subscriptions, clusters and plans may be silent before the router tells of it, where their entry does not say
    it; from 1d to 90d."""
    expect: Annotated[list[ExpectationForm], MinLen(1)] | SkipJsonSchema[None] = Field(default=None)
    """What is expected of which workloads, top to bottom; without it everything that files name, as far as the sensor."""
    exceptions: list[ExceptionForm] = Field(default_factory=list)
    """What need not be so for a time."""
