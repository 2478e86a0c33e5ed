"""ServiceNow, Table API: one ticket for each signal, with notes while it stands, resolved when it is over.

Deduplicates by look-up: `correlation_id` (the signal key) is not unique, so each opening first looks for an open ticket under
it. Two deliverers at once, or an instance whose look-ups lag behind its inserts, can still make two.
In Security Incident Response (sn_si_incident) a ticket is over when it is Closed (3) or Cancelled (7); the router closes it.

Retried: no answer, 408, 425, 429, 5xx, a success that is no JSON, and one whose error says "Transaction cancelled".
A 403 from a data policy or a business rule is about this one ticket and final; any other pauses the destination.
Truncated: short_description at 160 characters, description, work_notes and `fields` at 4,000.

https://www.servicenow.com/docs/r/api-reference/rest-apis/c_TableAPI.html
https://www.servicenow.com/docs/r/security-management/security-incident-response/t_ClosingSecIncidents.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, NamedTuple
from urllib.parse import quote

from pydantic import AfterValidator, Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from router.destinations.base import OneByOne, handle_of, is_handle, taken_without_owners
from router.destinations.config import (
    AiAlerts,
    Auth,
    Config,
    HttpsUrl,
    OneByOneConfig,
    base_of,
    checked_fields,
    fields_of_owners,
    parse,
)
from router.destinations.requests import JSON, Exchange, authorized, error_for, excerpt_of, json_object, words_in
from router.destinations.wording.escaping import journal, without_code
from router.destinations.wording.facts import find_time
from router.destinations.wording.fitting import json_bytes, lines_of, shorten
from router.destinations.wording.headlines import headline
from router.destinations.wording.notice_text import Briefing
from router.destinations.wording.plain_text import note_of, text_of
from router.domain.clocks import SKEW
from router.domain.conversation import Deduplication, HttpAnswer, HttpRequest
from router.domain.decisions import Change
from router.domain.deliveries import Attempt, Receipt
from router.domain.errors import DeliveryError, Rejected, Unauthorized, Unavailable
from router.domain.rulebook import Lane

NAME = "servicenow"
HEADERS = {**JSON, "accept": "application/json"}

SHORT_LIMIT = 160  # characters
TEXT_LIMIT = 4_000  # characters

# Impact and urgency, from which the base system makes priority: 1 to 5, for Critical and unknown to Informational.
WEIGHTS = {"High": ("1", "2"), "Medium": ("2", "2"), "Low": ("2", "3"), "Informational": ("3", "3")}
_HEAVIEST = ("1", "1")

_SECONDS = len("2026-11-24 12:00:00")  # of a time as a column takes it, in UTC
SECURITY_INCIDENT = "sn_si_incident"
# No rule is documented that makes a security incident's priority of impact and urgency, so the same one is sent as well.
PRIORITIES = {"High": "2", "Medium": "3", "Low": "4", "Informational": "5"}
_FIRST = "1"
SECURITY_RESOLUTION = {"state": "3", "close_code": "Threat mitigated"}

# A data policy or a business rule answers 403 as well, about the one record that it does not want.
_ABOUT_ONE_RECORD = re.compile(r"data policy|business rule|mandatory", re.IGNORECASE)
_TRANSIENT = re.compile(r"transaction cancell?ed|maximum execution time|try again", re.IGNORECASE)

_SHOWN = "sysparm_fields=sys_id,number,active,state,correlation_id&sysparm_exclude_reference_link=true"


def find_error(answer: HttpAnswer, kind: str, attempt: Attempt) -> DeliveryError | None:
    """What an answer that is no success means, also one that says success around an error; None for a success."""
    error, body = error_for(answer, kind, attempt), json_object(answer)
    if isinstance(error, Unauthorized) and answer.status == 403 and _ABOUT_ONE_RECORD.search(str(error)):
        # Rules of the instance see a record only once its user is known; a proxy's page is in no such form.
        is_of_the_instance = isinstance(body.get("error"), dict) and body.get("status") == "failure"
        return Rejected(str(error), status=403, authenticated=is_of_the_instance)
    if error is not None:
        return error
    if "error" in body or body.get("status") == "failure":
        said = excerpt_of("; ".join(words_in(answer)), attempt)
        text = f"{kind}: answered {answer.status} around an error ({said})"
        return Unavailable(text) if _TRANSIENT.search(said) else Rejected(text, status=answer.status)
    if "result" not in body:
        # An instance that sleeps or is being upgraded answers 200 with a page for people.
        return Unavailable(f"{kind}: answered {answer.status} without a result; is the instance awake?")
    return None


class Ticket(NamedTuple):
    """A ticket by its sys_id and its number; None stands for what the account may not read."""

    sys_id: str | None
    number: str | None
    is_active: bool
    state: str | None


class TicketTable:
    """One table of one instance, at its URL. Whatever goes wrong is raised as a DeliveryError."""

    def __init__(self, base: str, table: str, auth: Auth, resolved: str) -> None:
        self.address = f"{base}/api/now/table/{table}"
        self._table = table
        self._auth = auth
        self._resolved = resolved

    def look_up(self, key: str, attempt: Attempt) -> Exchange[Ticket | None]:
        """The oldest ticket under a correlation_id that is neither resolved nor closed."""
        query = f"correlation_id={key}^active=true^state!={self._resolved}^ORDERBYsys_created_on"
        found = yield from self._first(query, _SHOWN, attempt)
        # An instance ignores a condition on a column that is missing or not readable, and then finds any ticket at
        # all (glide.invalid_query.returns_no_rows is off in a base system).
        if found is not None and found.get("correlation_id") != key:
            raise Unauthorized(
                f"{NAME}: {self._table} does not show correlation_id, so tickets cannot be told apart; "
                "let the account read that column"
            )
        return _ticket_in(found) if found is not None else None

    def look_up_made(self, key: str, attempt: Attempt) -> Exchange[Ticket | None]:
        """The latest ticket under a correlation_id, closed or not, if it was made since this delivery is owed."""
        shown = _SHOWN.replace("&", ",sys_created_on&", 1)
        latest = yield from self._first(f"correlation_id={key}^ORDERBYDESCsys_created_on", shown, attempt)
        if latest is None or latest.get("correlation_id") != key:
            return None
        return _ticket_in(latest) if _is_made_since(latest.get("sys_created_on"), attempt.since) else None

    def read(self, sys_id: str, attempt: Attempt) -> Exchange[Ticket | None]:
        """The ticket of that sys_id, or None where there is none any more."""
        try:
            return _ticket_in((yield from self._ask("GET", f"{self._record(sys_id)}?{_SHOWN}", attempt)))
        except Rejected as refused:
            if refused.status == 404:
                return None
            raise

    def insert(self, columns: Mapping[str, str], attempt: Attempt) -> Exchange[Ticket]:
        """A new ticket."""
        return _ticket_in((yield from self._ask("POST", f"{self.address}?{_SHOWN}", attempt, columns)))

    def update(self, sys_id: str, columns: Mapping[str, str], attempt: Attempt) -> Exchange[Ticket]:
        """The ticket, changed."""
        return _ticket_in((yield from self._ask("PATCH", f"{self._record(sys_id)}?{_SHOWN}", attempt, columns)))

    def _record(self, sys_id: str) -> str:
        return f"{self.address}/{quote(sys_id, safe='')}"

    def _first(self, query: str, shown: str, attempt: Attempt) -> Exchange[dict[str, Any] | None]:
        """The first record that a query finds."""
        url = f"{self.address}?sysparm_query={quote(query, safe='')}&sysparm_limit=1&{shown}"
        found = yield from self._ask("GET", url, attempt)
        if not isinstance(found, list) or not found:
            return None
        return found[0] if isinstance(found[0], dict) else {}

    def _ask(
        self, method: str, url: str, attempt: Attempt, columns: Mapping[str, str] | None = None
    ) -> Exchange[object]:
        # Every column goes this way, whatever it was put together of.
        told = {name: without_code(text) for name, text in columns.items()} if columns is not None else None
        body = json_bytes(told) if told is not None else b""
        request = HttpRequest(method=method, url=url, headers=HEADERS, body=body)
        answer = yield from authorized(request, self._auth, attempt, NAME)
        if (error := find_error(answer, NAME, attempt)) is not None:
            raise error
        return json_object(answer)["result"]


def _is_made_since(written: object, since: datetime | None) -> bool:
    """Whether a record was made since an instant, by a clock that may be a little wrong; the API writes UTC."""
    made = find_time(written)
    return made is not None and since is not None and made >= since - SKEW


def _ticket_in(record: object) -> Ticket:
    columns = record if isinstance(record, dict) else {}
    texts = {name: value for name, value in columns.items() if is_handle(value)}
    return Ticket(texts.get("sys_id"), texts.get("number"), texts.get("active") != "false", texts.get("state"))


def _fields(written: dict[str, str]) -> dict[str, str]:
    ours = "the router needs this column for itself; leave it out"
    return checked_fields(written, dict.fromkeys(("correlation_id", "sys_id", "number", "active"), ours))


type Column = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=80)]
type Fields = Annotated[dict[Column, str], AfterValidator(_fields)]


class TicketResolution(Config):
    """How a ticket is resolved: state 6 (Resolved), but 3 (Closed) and `Threat mitigated` in Security Incident Response."""

    state: Annotated[str, Field(pattern=r"^-?\d{1,3}$")] = "6"
    close_code: str = "Solution provided"
    close_notes: str | SkipJsonSchema[None] = None


class ServiceNowConfig(OneByOneConfig):
    """`{kind: servicenow, url: https://..., auth: {...}, table: incident, fields: {...}, resolve: {...}}`.

    `fields` adds or replaces columns when a ticket is opened, with placeholders such as {owner.group}; a column whose
    text comes out empty is left out. A reference column takes a sys_id, or a name where the instance resolves it.
    """

    kind: Literal["servicenow"]
    url: HttpsUrl
    auth: Auth
    table: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] = "incident"
    fields: Fields = {}  # noqa: RUF012 - pydantic copies it
    resolve: TicketResolution = TicketResolution()

    @model_validator(mode="before")
    @classmethod
    def _resolves_as_its_table_does(cls, written: Any) -> Any:
        if not isinstance(written, dict) or written.get("table") != SECURITY_INCIDENT:
            return written
        resolve = written.get("resolve", {})
        return {**written, "resolve": SECURITY_RESOLUTION | resolve} if isinstance(resolve, dict) else written


class ServiceNow(OneByOne):
    """Opens, annotates and resolves tickets."""

    name: ClassVar[str] = NAME
    lane: ClassVar[Lane] = Lane.TICKET
    deduplicates: ClassVar[Deduplication] = Deduplication.LOOKUP
    ai: ClassVar[AiAlerts] = AiAlerts.WHOLE
    words = staticmethod(journal)
    Config: ClassVar[type[ServiceNowConfig]] = ServiceNowConfig

    def __init__(self, config: ServiceNowConfig) -> None:
        super().__init__(config)
        base = base_of(config.url)
        self._form = f"{base}/nav_to.do?uri={config.table}.do?sys_id="
        self._table = TicketTable(base, config.table, config.auth, config.resolve.state)
        self.address = self._table.address
        self._fields = {column: parse(text) for column, text in config.fields.items()}
        self._of_owners = fields_of_owners(config.fields) - {"short_description"}
        self._resolution = config.resolve
        self._is_security = config.table == SECURITY_INCIDENT

    def deliver(self, attempt: Attempt) -> Exchange[Receipt]:
        """The exchange that opens, annotates or resolves a signal's ticket."""
        briefing, change = self.briefing_in(attempt), attempt.delivery.change
        key = briefing.notice.key
        if change is Change.OPENED:
            ticket = yield from self._table.look_up(key, attempt)
            return self._receipt(ticket or (yield from self._open(briefing, attempt)))
        ticket = yield from self._find(key, attempt)
        if change is Change.UPDATED:
            if ticket is None and attempt.is_note:
                return Receipt(reference="no open ticket, nothing to note")
            return self._receipt((yield from self._annotate(ticket, briefing, attempt)))
        if ticket is None and attempt.is_untold:
            if attempt.number > 1:
                ticket = yield from self._table.look_up_made(key, attempt)
            ticket = ticket or (yield from self._open(briefing, attempt))
        return (yield from self._resolve(ticket, briefing, attempt))

    def preview(self, attempt: Attempt) -> str:
        """The ticket's line and its description, or the note that is added to it."""
        briefing = self.briefing_in(attempt)
        if not briefing.is_first:
            return note_of(briefing, TEXT_LIMIT)
        columns = self._columns_for(briefing)
        line, description = columns.pop("short_description", ""), columns.pop("description", "")
        return "\n".join([line, "", description, "", "COLUMNS", *lines_of(columns)])

    def _find(self, key: str, attempt: Attempt) -> Exchange[Ticket | None]:
        """The ticket that the opening made, unless it is closed; else the open one of this signal."""
        sys_id = handle_of(attempt.opening, "sys_id")
        ticket = (yield from self._table.read(sys_id, attempt)) if sys_id else None
        if ticket is not None and ticket.is_active:
            return ticket
        return (yield from self._table.look_up(key, attempt))

    def _open(self, briefing: Briefing, attempt: Attempt) -> Exchange[Ticket]:
        """A new ticket; without what owners.yaml says, where the instance refuses it for that."""
        return (
            yield from taken_without_owners(
                partial(self._table.insert, attempt=attempt),
                self._columns_for(briefing),
                self._of_owners,
                # A group that is not known is left empty by the instance itself, unless a rule of its own minds.
                lambda refusal, _: "business rule" in refusal.lower(),
                lambda words: shorten(f"ServiceNow {words}\n\n{text_of(briefing, TEXT_LIMIT)}", TEXT_LIMIT),
            )
        )

    def _columns_for(self, briefing: Briefing) -> dict[str, str]:
        """The columns of a new ticket."""
        notice = briefing.notice
        impact, urgency = WEIGHTS.get(notice.severity or "", _HEAVIEST)
        columns = {
            "correlation_id": notice.key,
            "correlation_display": "alert-router",
            "short_description": headline(notice, SHORT_LIMIT),
            "description": text_of(briefing, TEXT_LIMIT),
            "impact": impact,
            "urgency": urgency,
            "due_date": (notice.respond_by or "").replace("T", " ").removesuffix("Z")[:_SECONDS],
            "priority": PRIORITIES.get(notice.severity or "", _FIRST) if self._is_security else "",
        }
        columns |= {column: shorten(text(notice).strip(), TEXT_LIMIT) for column, text in self._fields.items()}
        return {name: text for name, text in columns.items() if text}

    def _annotate(self, ticket: Ticket | None, briefing: Briefing, attempt: Attempt) -> Exchange[Ticket]:
        if ticket is None or ticket.sys_id is None:
            return (yield from self._open(briefing, attempt))
        note = note_of(briefing, TEXT_LIMIT)
        return (yield from self._table.update(ticket.sys_id, {"work_notes": note}, attempt))

    def _resolve(self, ticket: Ticket | None, briefing: Briefing, attempt: Attempt) -> Exchange[Receipt]:
        if ticket is None or ticket.sys_id is None:
            return Receipt(reference="no open ticket, nothing to resolve")
        if ticket.state != self._resolution.state:
            ending = {"close_notes": note_of(briefing, TEXT_LIMIT)}
            by_policy = self._resolution.model_dump(exclude_none=True)
            # What the policy says is for what is over.
            written = by_policy | ending if briefing.notice.closing is not None else ending | by_policy
            columns = {name: text for name, text in written.items() if text}
            ticket = yield from self._table.update(ticket.sys_id, columns, attempt)
        return self._receipt(ticket)

    def _receipt(self, ticket: Ticket) -> Receipt:
        if ticket.sys_id is None:
            return Receipt(reference=ticket.number)
        return Receipt(
            reference=ticket.number, link=self._form + quote(ticket.sys_id), handles={"sys_id": ticket.sys_id}
        )
