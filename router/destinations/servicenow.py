"""ServiceNow, Table API: one ticket for each signal, with notes while it stands, resolved when it is over.

Deduplicates by look-up: `correlation_id` (the signal key) is not unique, so each opening first looks for an open
ticket under it, and counts as delivered where there is one. Two deliverers at once, or an instance whose look-ups lag
behind its inserts, can still make two. A ticket that was resolved or closed does not count: a signal that comes back
opens a new one. An update goes to the ticket as a work note, and to a new ticket where people have closed it, unless
only the signal's status changed.
A ticket that people have closed already is not resolved again. In Security Incident Response (sn_si_incident) a ticket
is over when it is Closed (3) or Cancelled (7), which are both inactive, and the router closes it.

Retried: no answer, 408, 425, 429, 5xx, a success that is no JSON, and one whose error says "Transaction cancelled".
A 403 from a data policy or a business rule is about this one ticket and final; any other pauses the destination.
Truncated: short_description at 160 characters, description, work_notes and `fields` at 4,000.

https://www.servicenow.com/docs/r/api-reference/rest-apis/c_TableAPI.html
https://www.servicenow.com/docs/r/security-management/security-incident-response/t_ClosingSecIncidents.html
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import quote

from pydantic import AfterValidator, Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from router.destinations.base import OneByOne, handle_of, taken_without
from router.destinations.config import AiAlerts, Auth, Config, HttpsUrl, OneByOneConfig, base_of, is_of_owner, parse
from router.destinations.requests import Exchange
from router.destinations.servicenow_table import NAME, Ticket, TicketTable
from router.destinations.wording.escaping import journal
from router.destinations.wording.fitting import lines_of, shorten
from router.destinations.wording.headlines import headline
from router.destinations.wording.notice_text import Briefing
from router.destinations.wording.plain_text import note_of, text_of
from router.domain.conversation import Deduplication
from router.domain.decisions import Change
from router.domain.deliveries import Attempt, Receipt
from router.domain.errors import Rejected
from router.domain.notices import Notice
from router.domain.rulebook import Lane

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

_OURS = frozenset({"correlation_id", "sys_id", "number", "active"})


def _fields(written: dict[str, str]) -> dict[str, str]:
    for column, text in written.items():
        if column in _OURS:
            raise ValueError(f"{column}: the router needs this column for itself; leave it out")
        try:
            parse(text)
        except ValueError as wrong:
            raise ValueError(f"{column}: {wrong}") from None
    return written


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
    Config: ClassVar[type[ServiceNowConfig]] = ServiceNowConfig

    def __init__(self, config: ServiceNowConfig) -> None:
        super().__init__(config)
        base = base_of(config.url)
        self._form = f"{base}/nav_to.do?uri={config.table}.do?sys_id="
        self._table = TicketTable(base, config.table, config.auth, config.resolve.state)
        self._fields = {column: parse(text) for column, text in config.fields.items()}
        self._of_owners = {column for column, text in config.fields.items() if is_of_owner(text)} - {
            "short_description"
        }
        self._resolution = config.resolve
        self._is_security = config.table == SECURITY_INCIDENT

    def words(self, text: str) -> str:
        """A text as nothing but words on the vendor's pages."""
        return journal(text)

    def address(self) -> str:
        """The table's address."""
        return self._table.address

    def deliver(self, attempt: Attempt) -> Exchange[Receipt]:
        """The exchange that opens, annotates or resolves a signal's ticket."""
        briefing = self.briefing_in(attempt)
        match attempt.delivery.change:
            case Change.OPENED:
                ticket = yield from self._table.look_up(briefing.notice.key, attempt)
                return self._receipt(ticket or (yield from self._open(briefing, attempt)))
            case Change.UPDATED:
                ticket = yield from self._find(briefing.notice, attempt)
                if ticket is None and attempt.is_note:
                    return Receipt(reference="no open ticket, nothing to note")
                return self._receipt((yield from self._annotate(ticket, briefing, attempt)))
            case Change.RESOLVED:
                ticket = yield from self._find(briefing.notice, attempt)
                if ticket is None and attempt.is_untold:
                    if attempt.number > 1:
                        ticket = yield from self._table.look_up_made(briefing.notice.key, attempt)
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

    def _find(self, notice: Notice, attempt: Attempt) -> Exchange[Ticket | None]:
        """The ticket that the opening made, unless it is closed; else the open one of this signal."""
        sys_id = handle_of(attempt.opening, "sys_id")
        ticket = (yield from self._table.read(sys_id, attempt)) if sys_id else None
        if ticket is not None and ticket.is_active:
            return ticket
        return (yield from self._table.look_up(notice.key, attempt))

    def _open(self, briefing: Briefing, attempt: Attempt) -> Exchange[Ticket]:
        """A new ticket; without what owners.yaml says, where the instance refuses it for that."""

        def less_of(columns: dict[str, str], refused: Rejected) -> dict[str, str] | None:
            left_out = [column for column in columns if column in self._of_owners]
            before = f"ServiceNow refused this with {', '.join(left_out)}; check owners.yaml.\n\n"
            less = {column: text for column, text in columns.items() if column not in self._of_owners}
            told = shorten(f"{before}{text_of(briefing, TEXT_LIMIT)}", TEXT_LIMIT)
            # A group that is not known is left empty by the instance itself, unless a rule of its own minds.
            is_minded = left_out and "business rule" in str(refused).lower()
            return less | {"description": told} if is_minded else None

        send = partial(self._table.insert, attempt=attempt)
        return (yield from taken_without(send, self._columns_for(briefing), less_of))

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
            ending = note_of(briefing, TEXT_LIMIT)
            written = {"close_notes": ending} | self._resolution.model_dump(exclude_none=True)
            if briefing.notice.closing is not None:
                # What the policy says is for what is over.
                written["close_notes"] = ending
            columns = {name: text for name, text in written.items() if text}
            ticket = yield from self._table.update(ticket.sys_id, columns, attempt)
        return self._receipt(ticket)

    def _receipt(self, ticket: Ticket) -> Receipt:
        if ticket.sys_id is None:
            return Receipt(reference=ticket.number)
        return Receipt(
            reference=ticket.number, link=self._form + quote(ticket.sys_id), handles={"sys_id": ticket.sys_id}
        )
