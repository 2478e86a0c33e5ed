"""Jira Cloud, REST API v3: one issue for each signal, with comments while it stands, taken to a done status when over.

Deduplicates by look-up: each opening first searches for an issue under the label `dfc-<signal key>` that is not done. The
search lags behind by seconds, sometimes by minutes. So a creation whose answer was lost, and an update that finds no issue
though one may have been made, look again a minute later. What a search or a receipt names is read before it is touched, since
a read does not lag. Two deliverers at once, or a longer lag, can still make two.
An older open issue that an opening finds could not be taken to done when its signal was over; it is told that it is back.
A resolution for which no transition to done is open leaves a comment for who works the issue, and a dead letter for who owns
the workflow.

Retried: no answer, 408, 409 (another transition is under way), 425, 429, 5xx, a success that is no JSON of Jira's. A 400
about what only the config decides pauses the destination, as do a 404 of the search and an answer to an anonymous user.
Truncated: summary and texts of `fields` at 255 characters; description and comments where their JSON passes 32,767 bytes.

https://developer.atlassian.com/cloud/jira/platform/rest/v3/
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import replace
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, JsonValue

from router.destinations.base import OneByOne, handle_of, taken_without_owners
from router.destinations.config import (
    AiAlerts,
    Auth,
    Config,
    HttpsUrl,
    OneByOneConfig,
    Template,
    base_of,
    checked_fields,
    fields_of_owners,
    parse,
)
from router.destinations.jira_document import RICH_LIMIT, rich, rich_briefing_of, rich_note_of
from router.destinations.jira_issue import NAME, SETTLED, Issue, Site, Transition
from router.destinations.requests import Exchange, excerpt_of
from router.destinations.wording.fitting import json_text, lines_of, shorten
from router.destinations.wording.headlines import headline
from router.destinations.wording.notice_text import Briefing
from router.destinations.wording.plain_text import note_of, text_of
from router.domain.clocks import SKEW
from router.domain.conversation import Deduplication
from router.domain.decisions import Change
from router.domain.deliveries import Attempt, Receipt
from router.domain.errors import Rejected, Unavailable
from router.domain.notices import Notice
from router.domain.rulebook import Lane

LABEL_LIMIT = 255  # characters
FIELD_LIMIT = 255  # characters of a text field

type Severity = Literal["Critical", "High", "Medium", "Low", "Informational", "Unknown"]
type Words = Annotated[str, Field(min_length=1)]

PRIORITIES: dict[Severity, Words] = {
    "Critical": "Highest",
    "High": "High",
    "Medium": "Medium",
    "Low": "Low",
    "Informational": "Lowest",
    "Unknown": "Highest",
}

_SURE = 3
"""The attempt from which on what is not found is not there: one of those before it waited for the index, at least."""

_STUCK = "The workflow has no transition to a done status from here that the router may take: close it by hand."


_NOTHING = object()


def _checked(written: dict[str, JsonValue]) -> dict[str, JsonValue]:
    ours = "the router needs this field for itself; use `project`, `issue_type`, `labels`"
    return checked_fields(written, dict.fromkeys(("project", "issuetype", "labels"), ours))


type FieldName = Annotated[str, Field(pattern=r"^[a-z][A-Za-z0-9_]*$", max_length=80)]
type Fields = Annotated[dict[FieldName, JsonValue], AfterValidator(_checked)]
"""Fields of a new issue by their ids; any text in a value may hold placeholders."""


def filled(value: JsonValue, notice: Notice) -> Any:
    """A value whose placeholders a notice fills, without what comes out empty; `_NOTHING` where nothing else was in it."""
    made: Any
    match value:
        case str():
            return shorten(parse(value)(notice).strip(), FIELD_LIMIT) or _NOTHING
        case list():
            made = [one for item in value if (one := filled(item, notice)) is not _NOTHING]
        case dict():
            made = {name: one for name, item in value.items() if (one := filled(item, notice)) is not _NOTHING}
        case _:
            return value
    return made if made or not value else _NOTHING


class IssueResolution(Config):
    """How an issue is finished: `transition` by its name, its id or the status that it leads to, else the first one.

    Whatever it is, it must lead to a status of the category Done. `resolution` only where the transition's screen has it.
    """

    transition: Words | None = None
    resolution: Words | None = None


class JiraConfig(OneByOneConfig):
    """`{kind: jira, url: https://..., auth: {...}, project: KEY, issue_type: Task, fields: {...}, resolve: {...}}`.

    `fields` adds or replaces fields when an issue is opened: values as Jira's API takes them, with placeholders such as
    {owner.group} in their texts; what comes out empty is left out. `priorities` names Jira's priority for each severity
    (and `Unknown`); a severity that it leaves out has none. `site` is for links where `url` is api.atlassian.com.
    """

    kind: Literal["jira"]
    url: HttpsUrl
    auth: Auth
    project: Annotated[str, Field(pattern=r"^([A-Z][A-Z0-9_]*|\d+)$")]
    issue_type: Words = "Task"
    labels: tuple[Annotated[Template, Field(min_length=1)], ...] = ()
    priorities: dict[Severity, Words] = PRIORITIES
    fields: Fields = {}  # noqa: RUF012 - pydantic copies it
    resolve: IssueResolution = IssueResolution()
    site: HttpsUrl | None = None


class Jira(OneByOne):
    """Opens, annotates and finishes issues."""

    name: ClassVar[str] = NAME
    lane: ClassVar[Lane] = Lane.TICKET
    deduplicates: ClassVar[Deduplication] = Deduplication.LOOKUP
    ai: ClassVar[AiAlerts] = AiAlerts.WHOLE
    Config: ClassVar[type[JiraConfig]] = JiraConfig

    def __init__(self, config: JiraConfig) -> None:
        super().__init__(config)
        base = base_of(config.url)
        self._issues = Site(base, config.auth)
        self._project = config.project
        self.address = f"{self._issues.address} {config.project}"
        self._fixed = {
            "project": _named(config.project, "key"),
            "issuetype": _named(config.issue_type, "name"),
        }
        self._labels = [parse(text) for text in config.labels]
        self._priorities = {str(severity): name for severity, name in config.priorities.items()}
        self._fields = config.fields
        self._of_owners = fields_of_owners(config.fields) - {"summary"}
        self._resolution = config.resolve
        # https://api.atlassian.com shows nothing to people.
        self._shown = base_of(config.site) if config.site else None if "/ex/jira/" in base else base

    def deliver(self, attempt: Attempt) -> Exchange[Receipt]:
        """The exchange that opens, annotates or finishes a signal's issue."""
        briefing = self.briefing_in(attempt)
        notice = briefing.notice
        issue = yield from self._find(notice, attempt)
        if issue is None and attempt.is_untold and attempt.number > 1:
            issue = yield from self._find_made(notice, attempt)
        if issue is None and _may_be_too_early(attempt):
            raise Unavailable(
                f"{NAME}: no open issue is found yet, and one that was made just now may not be; it looks again",
                retry_after=SETTLED,
            )
        match attempt.delivery.change:
            case Change.OPENED if issue is not None and _was_there_before(issue, attempt):
                yield from self._issues.comment(issue, rich_briefing_of(briefing, "Opened again. "), attempt)
            case Change.UPDATED if issue is not None:
                yield from self._issues.comment(issue, rich_note_of(briefing), attempt)
            case Change.RESOLVED if issue is not None or attempt.is_untold:
                issue = issue or (yield from self._create(briefing, attempt))
                if not issue.is_done:
                    yield from self._finish(issue, briefing, attempt)
            case Change.UPDATED if attempt.is_note:
                return Receipt(reference="no open issue, nothing to note")
            case Change.RESOLVED:
                return Receipt(reference="no open issue, nothing to resolve")
        return self._receipt(issue or (yield from self._create(briefing, attempt)))

    def preview(self, attempt: Attempt) -> str:
        """The issue's summary and its description, or the comment that is added to it."""
        briefing = self.briefing_in(attempt)
        if not briefing.is_first:
            return note_of(briefing, RICH_LIMIT)
        fields = self._fields_of(briefing.notice, briefing)
        summary, description = fields.pop("summary"), text_of(briefing, RICH_LIMIT)
        if "description" in self._fields:
            description = json_text(fields["description"])
        del fields["description"]
        return "\n".join([summary, "", description, "", "FIELDS", *lines_of(fields)])

    def _find(self, notice: Notice, attempt: Attempt) -> Exchange[Issue | None]:
        """The issue that the opening made, unless it is done; else the oldest of this signal that is not."""
        opened = handle_of(attempt.opening, "id")
        issue = (yield from self._issues.read(opened, attempt)) if opened else None
        if issue is not None and not issue.is_done:
            return issue
        found = yield from self._issues.look_up(self._project, _label_of(notice), attempt)
        for id in found:
            issue = (yield from self._issues.read(id, attempt)) if id != opened else None
            if issue is not None and not issue.is_done:
                return issue
        return None

    def _find_made(self, notice: Notice, attempt: Attempt) -> Exchange[Issue | None]:
        """The issue that an earlier attempt made of what is over, though it is done by now."""
        for id in (yield from self._issues.look_up(self._project, _label_of(notice), attempt, with_done=True)):
            issue = yield from self._issues.read(id, attempt)
            made = issue.created if issue is not None else None
            if made is not None and attempt.since is not None and made >= attempt.since - SKEW:
                return issue
        return None

    def _create(self, briefing: Briefing, attempt: Attempt) -> Exchange[Issue]:
        """A new issue; without what owners.yaml says, where Jira refuses it for that."""
        return (
            yield from taken_without_owners(
                partial(self._issues.create, attempt=attempt),
                self._fields_of(briefing.notice, briefing),
                self._of_owners,
                lambda refusal, names: any(f"{name}: " in refusal for name in names),
                lambda words: rich_briefing_of(briefing, f"Jira {words} "),
            )
        )

    def _finish(self, issue: Issue, briefing: Briefing, attempt: Attempt) -> Exchange[None]:
        ways = yield from self._issues.ways_to_done(issue, attempt)
        way = self._way_among(ways)
        if attempt.number == 1 and (way is None or not attempt.is_untold):
            # A transition that fails is tried again for days, and what was said is there.
            ending = briefing if way is not None else replace(briefing, news=(*briefing.news, _STUCK))
            yield from self._issues.comment(issue, rich_note_of(ending), attempt)
        if way is None:
            there = excerpt_of(", ".join(one.name for one in ways) or "none", attempt)
            raise Rejected(
                f"{NAME}: {issue.key} stays open, since its workflow has no such transition to a done status "
                f"(there are: {there}); finish it by hand, and check `resolve` and what the account may do",
                authenticated=True,  # it took the comment
            )
        yield from self._issues.go(issue, way, self._resolution.resolution, attempt)

    def _way_among(self, ways: Sequence[Transition]) -> Transition | None:
        wanted = self._resolution.transition
        if wanted is None:
            return next(iter(ways), None)
        called = wanted.casefold()
        return next((way for way in ways if called in (way.id, way.name.casefold(), way.status.casefold())), None)

    def _fields_of(self, notice: Notice, briefing: Briefing) -> dict[str, Any]:
        fields: dict[str, Any] = {"summary": headline(notice, FIELD_LIMIT), "description": rich_briefing_of(briefing)}
        priority = self._priorities.get(notice.severity or "Unknown")
        if priority is not None:
            fields["priority"] = {"name": priority}
        made = ((name, filled(value, notice)) for name, value in self._fields.items())
        fields |= {name: value for name, value in made if value is not _NOTHING}
        if isinstance(fields["summary"], str):
            fields["summary"] = " ".join(fields["summary"].split())  # one line, or it is refused
        if isinstance(fields["description"], str):
            fields["description"] = rich(fields["description"])
        return fields | self._fixed | {"labels": [_label_of(notice), *self._labels_of(notice)]}

    def _labels_of(self, notice: Notice) -> list[str]:
        """The customer's own labels, in which Jira allows no space."""
        labels = ("-".join(text(notice).split()) for text in self._labels)
        return [shorten(label, LABEL_LIMIT).replace(" ", "") for label in labels if label]

    def _receipt(self, issue: Issue) -> Receipt:
        link = f"{self._shown}/browse/{issue.key}" if self._shown else None
        return Receipt(reference=issue.key, link=link, handles={"id": issue.id})


def _may_be_too_early(attempt: Attempt) -> bool:
    """Whether an issue that the index lags behind may have been made before this: by an opening that left no receipt,
    or by an update, where people had finished the opening's issue."""
    delivery = attempt.delivery
    follows_at_once = attempt.opening is not None and delivery.turn == delivery.opened + 1
    if attempt.is_untold and attempt.number == 1:
        return False
    # Attempts may also have failed for another reason, seconds apart.
    is_recent = attempt.since is not None and (attempt.now - attempt.since).total_seconds() < 2 * SETTLED
    is_sure = attempt.number >= _SURE and not is_recent
    return delivery.change is not Change.OPENED and not follows_at_once and not is_sure


def _was_there_before(issue: Issue, attempt: Attempt) -> bool:
    """Whether an issue is not of this delivery's own making: a first attempt can have made none, a later one no older one."""
    is_older = issue.created is not None and attempt.since is not None and issue.created < attempt.since
    return attempt.number == 1 or is_older


def _label_of(notice: Notice) -> str:
    return f"dfc-{notice.key}"


def _named(text: str, by: str) -> dict[str, str]:
    return {"id": text} if text.isdecimal() else {by: text}
