"""The shape of policy.yaml."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import partial
from typing import Annotated

from annotated_types import MinLen
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StrictBool,
    StringConstraints,
)
from pydantic.json_schema import SkipJsonSchema

from router.domain.rulebook import BY_TAG, By, ByTag
from router.domain.severity import Severity
from router.domain.signals import Stream
from router.rulebook.owners import Runbooks
from router.rulebook.patterns import DURATION, NAME, WINDOW, WORDS
from router.rulebook.validation_messages import hint
from router.rulebook.when_form import Form, LevelName, OneOrMany, WhenForm, Word

type Name = Annotated[str, StringConstraints(pattern=NAME)]


def _refuse_no_text(pattern: str, value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(WORDS[pattern])  # noqa: TRY004  A TypeError would not be a complaint of pydantic's.
    return value


def _counted(value: object) -> object:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST_OPENINGS:
        raise ValueError(f"must be a whole number from 1 to {MOST_OPENINGS:,}")
    return value


MOST_OPENINGS = 1_000
"""The largest limit: the times of so many openings are kept for each destination."""

type Duration = Annotated[str, StringConstraints(pattern=DURATION), BeforeValidator(partial(_refuse_no_text, DURATION))]
type Window = Annotated[str, StringConstraints(pattern=WINDOW), BeforeValidator(partial(_refuse_no_text, WINDOW))]


def _by(value: object) -> By | ByTag:
    if isinstance(value, str) and value in set(By):
        return By(value)
    if isinstance(value, str) and value.startswith(BY_TAG) and len(value) > len(BY_TAG):
        return ByTag(value.removeprefix(BY_TAG).lower())
    words = [by.value for by in By]
    near = hint(value, [*words, f"{BY_TAG}NAME"]) if isinstance(value, str) else ""
    raise ValueError(f"must be {', '.join(words)}, or {BY_TAG}NAME with the name of a tag{near}")


type _ByName = By | Annotated[str, StringConstraints(pattern=r"^tag\..+$")]
type ByName = Annotated[By | ByTag, PlainValidator(_by, json_schema_input_type=_ByName)]
type Bys = Annotated[list[ByName], MinLen(1), OneOrMany()]


_UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}


def timedelta_for(duration: str) -> timedelta:
    """The length of a duration such as 14d, 36h or 30m."""
    return int(duration[:-1]) * _UNITS[duration[-1]]


OPEN = "open"
"""The window of a group that lasts as long as one of its members stands."""


def window_for(window: str) -> timedelta | None:
    """The length of a group's window; None where it is open."""
    return None if window == OPEN else timedelta_for(window)


def _at_most(longest: str, why: str) -> AfterValidator:
    """Refuses a duration that is longer than another one, and says what a longer one would do."""

    def refuse_longer(written: str) -> str:
        length = window_for(written)
        if length is not None and length > timedelta_for(longest):
            raise ValueError(f"is more than {longest}, and {why}; give at most {longest}")
        return written

    return AfterValidator(refuse_longer)


class SuppressionsForm(Form):
    """How long suppression rules may live, and where they are to work."""

    longest: Duration = "365d"
    """The longest life counted from now, inclusive, in days (d), hours (h) or minutes (m); a rule that would live longer
    is left out."""
    warn: Duration = "14d"
    """How long before its end a rule is warned about."""
    portable: StrictBool = True
    """Whether rules are to work in Defender too; false: they are this router's alone, and nothing is said about what Defender
    would refuse or change."""


class RefuseForm(Form):
    """Which signals no silence holds."""

    at_least: LevelName
    """The lowest severity of those; what is of unknown severity is among them."""


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as fault:
        raise ValueError(f"is no pattern: {fault}; write one such as ^CHG-[0-9]+$") from fault
    return text


type Pattern = Annotated[Word, AfterValidator(_pattern)]


class SilencesForm(Form):
    """What silences may do, which people make while the router runs."""

    longest: Annotated[Duration, _at_most("7d", "what is to be held for longer is a suppression rule's")] = "24h"
    """The longest that a silence may hold without a break, extensions counted; of a recurring one, the longest window. At
    most 7d."""
    recurring: Annotated[Duration, _at_most("366d", "nobody looks at the silence again in that time")] = "90d"
    """The longest life of a recurring silence, from its first window to its end; at most 366d."""
    ticket: Pattern | None = None
    """A pattern that the ticket of each silence must match; without it none needs a ticket."""
    refuse: RefuseForm | None = None
    """What no silence holds, however it is made; without it nothing is refused."""


class CoverageLevelForm(Form):
    """How grave it is that Defender does not watch something."""

    severity: LevelName = "High"
    """The severity of every recommendation that says that a sensor, a plan or an integration is missing, and of what the
    router finds of coverage itself, whatever the message says."""


class RouteForm(Form):
    """A named set of destinations for the signals that meet `when`."""

    name: Name
    """What decisions call the route."""
    when: WhenForm = WhenForm()
    """What a signal must be like; without it the route takes everything."""
    to: list[Name]
    """The destinations it adds; none makes it a quiet route."""
    respond_within: Annotated[Duration, _at_most("366d", "what is due so late is never answered")] | None = None
    """How soon people should answer, counted from the decision; of several routes that match, the shortest counts. At most
    366d."""


_SWALLOWED = "what comes in that time is one ticket's"


class GroupForm(Form):
    """Which signals a destination is told of as one."""

    by: Bys
    """What they have in common; a signal that lacks one of these stands alone. `incident` alone: nothing but what an
    incident names."""
    window: Annotated[Window, _at_most("31d", _SWALLOWED)]
    """How long after the first one others join it, in days (d), hours (h) or minutes (m); at most 31d, at a pager 1d. For
    tickets in `cspm` it may be open: others join as long as one of them stands."""


class LimitForm(Form):
    """How much a destination may open."""

    most: Annotated[int, Field(ge=1, le=MOST_OPENINGS), BeforeValidator(_counted)]
    """Openings in any window; what is beyond joins one summary. Where groups are open, it waits its turn, and one summary
    counts what waits."""
    window: Annotated[Duration, _at_most("31d", _SWALLOWED)]
    """How long the window is, in days (d), hours (h) or minutes (m); at most 31d, at a pager 1d."""


class GroupedForm(Form):
    """What a destination's entry says of groups, beside what its kind takes."""

    group: GroupForm | SkipJsonSchema[None] = Field(default=None)
    """Signals that are told as one: one ticket or page, with the others as notes."""
    limit: LimitForm | SkipJsonSchema[None] = Field(default=None)
    """How much it may open; what is beyond is told in one summary."""


HIGHEST_FLOOR = Severity.HIGH
"""The highest floor of alerts: Defender sends none above it, so all would be below a higher one."""


class PolicyForm(Form):
    """Where the signals of one stream go."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"stream": {"const": Stream.CWPP}}},
            "then": {
                "properties": {
                    "floor": {"additionalProperties": {"enum": [one.label for one in Severity if one <= HIGHEST_FLOOR]}}
                }
            },
        }
    )

    stream: Stream
    """The stream, as its directory is called."""
    floor: dict[Word, LevelName] = Field(default_factory=dict)
    """The lowest severity that is forwarded: for Defender plans by name, and as `default` for all others, where it is
    Informational if not given. At most High in `cwpp`, since no alert of Defender's is graver."""
    coverage: CoverageLevelForm = CoverageLevelForm()
    """How grave findings about coverage are, which no floor drops; in `cspm` only."""
    suppression: SuppressionsForm = SuppressionsForm()
    silences: SilencesForm = SilencesForm()
    """What silences may do."""
    notify: list[Name] = Field(default_factory=list)
    """The destinations that hear when a rule, a silence or a hold of a destination is about to end, ended, or holds nothing for
    long; for tickets, chats and mail only."""
    types: list[Word] = Field(default_factory=list)
    """Alert types, or globs of them, that are no types of Defender's or that Microsoft does not document; in `cwpp` only."""
    destinations: dict[str, dict[str, object]] = Field(default_factory=dict)
    """Destinations by name."""
    routes: list[RouteForm] = Field(default_factory=list)
    """Every route that matches adds its destinations; their order never matters."""
    always: list[Name] = Field(default_factory=list)
    """Where every survivor goes."""
    otherwise: Annotated[list[Name], MinLen(1)]
    """Where survivors go that no route matched."""
    runbooks: Runbooks = Field(default_factory=dict)
    """Addresses of runbooks by globs of the alert type, or of a finding's type or category; they stand before those of
    owners.yaml."""
    record: dict[str, object] = Field(default_factory=dict)
    """An optional second home of the record: a destination for rows."""
