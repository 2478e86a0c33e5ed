"""A double of ServiceNow's Table API: plain inserts, and look-ups that lag behind them.

https://www.servicenow.com/docs/r/yokohama/api-reference/rest-apis/c_TableAPI.html
"""

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import web

from alert_router_demo.soc import encoded_query
from alert_router_demo.soc.accounts import SocAccount, basic_credentials
from alert_router_demo.soc.endpoint import Endpoint, RefusedRequest, json_answer
from alert_router_demo.soc.tickets import PREFIXES, RESOLVED_STATES, TicketRecord, Tickets, as_columns, is_column

LIMIT = 10_000  # records in an answer without `sysparm_limit`
_NOT_AUTHENTICATED = ("User Not Authenticated", "Required to provide Auth information")
_NO_RECORD = ("No Record found", "Record doesn't exist or ACL restricts the record retrieval")
_LABELS = {"close_code": "Resolution code", "close_notes": "Resolution notes", "caller_id": "Caller"}


class ServiceNowDouble(Endpoint):
    """An instance with the base system's data policy: who resolves must say how.

    Attributes:
        lag: how many seconds pass before an inserted record is found by queries.
        mandatory: the columns that a record must have.
        mandatory_when_resolved: those that it must have in state 6 or 7.
        inactive_states: the states that close it.
        tickets: the records.
    """

    name = "servicenow"
    holds = "tickets"

    def __init__(
        self,
        accounts: Iterable[SocAccount],
        *,
        lag: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__()
        self.lag = lag
        self.mandatory: frozenset[str] = frozenset()
        self.mandatory_when_resolved = frozenset({"close_code", "close_notes"})
        self.inactive_states = frozenset({"6", "7", "8"})
        self.tickets = Tickets(lambda: self.inactive_states)
        self._known = basic_credentials(accounts)
        self._clock = clock
        self._now = now

    def count(self) -> int:
        """Gives how many records it holds."""
        return len(self.tickets)

    def routes(self) -> Iterable[web.RouteDef]:
        """Gives the Table API's paths."""
        table, record = "/api/now/table/{table}", "/api/now/table/{table}/{sys_id}"
        return (
            web.post(table, self._insert),
            web.get(table, self._query, allow_head=False),
            web.get(record, self._read, allow_head=False),
            web.patch(record, self._update),
            web.put(record, self._update),
        )

    def error_body(self, status: int, message: str, detail: str | None = None) -> Any:
        """Gives `{"error": {"message", "detail"}, "status": "failure"}`."""
        return {"error": {"message": message, "detail": detail}, "status": "failure"}

    async def _insert(self, request: web.Request) -> web.Response:
        user = self._user_of(request)
        table = self._table_of(request)
        values = await self._columns_of(request)
        self._check_mandatory(values)
        ticket = self.tickets.insert(table, values, user, self._now(), self._clock() + self.lag)
        location = {"Location": f"{request.url.with_query(None)}/{ticket.fields['sys_id']}"}
        return json_answer({"result": _shown(ticket, request)}, 201, location)

    async def _query(self, request: web.Request) -> web.Response:
        self._user_of(request)
        table = self._table_of(request)
        query = encoded_query.parse(request.query.get("sysparm_query", ""), is_column)
        found = self.tickets.select(table, query, self._clock())
        start = _count_in(request, "sysparm_offset", 0)
        page = found[start : start + _count_in(request, "sysparm_limit", LIMIT)]
        return json_answer(
            {"result": [_shown(ticket, request) for ticket in page]}, headers={"X-Total-Count": str(len(found))}
        )

    async def _read(self, request: web.Request) -> web.Response:
        self._user_of(request)
        return json_answer({"result": _shown(self._ticket_of(request), request)})

    async def _update(self, request: web.Request) -> web.Response:
        user = self._user_of(request)
        ticket = self._ticket_of(request)
        values = await self._columns_of(request)
        self._check_mandatory(ticket.fields | values)
        self.tickets.update(ticket, values, user, self._now())
        return json_answer({"result": _shown(ticket, request)})

    def _user_of(self, request: web.Request) -> str:
        account = self._known.get(request.headers.get("Authorization", ""))
        if account is None:
            raise self._refusal(401, *_NOT_AUTHENTICATED)
        return account.servicenow_user

    def _table_of(self, request: web.Request) -> str:
        table = request.match_info["table"]
        if table not in PREFIXES:
            raise self._refusal(400, f"Invalid table {table}")
        return table

    def _ticket_of(self, request: web.Request) -> TicketRecord:
        ticket = self.tickets.find(self._table_of(request), request.match_info["sys_id"])
        if ticket is None:
            raise self._refusal(404, *_NO_RECORD)
        return ticket

    async def _columns_of(self, request: web.Request) -> dict[str, str]:
        try:
            body = orjson.loads(await request.read())
        except orjson.JSONDecodeError as broken:
            raise self._refusal(400, "Exception while reading request", str(broken)) from broken
        if not isinstance(body, dict):
            raise self._refusal(400, "Exception while reading request", "The payload is not an object")
        return as_columns(body)

    def _check_mandatory(self, fields: Mapping[str, str]) -> None:
        needed = set(self.mandatory)
        if fields.get("state") in RESOLVED_STATES:
            needed |= self.mandatory_when_resolved
        missing = sorted(column for column in needed if not fields.get(column))
        if missing:
            labels = ", ".join(_LABELS.get(column, column.replace("_", " ").capitalize()) for column in missing)
            detail = f"Data Policy Exception: The following fields are mandatory: {labels}"
            raise self._refusal(403, "Operation Failed", detail)

    def _refusal(self, status: int, message: str, detail: str | None = None) -> RefusedRequest:
        return RefusedRequest(status, self.error_body(status, message, detail))


def _shown(ticket: TicketRecord, request: web.Request) -> dict[str, str]:
    wanted = request.query.get("sysparm_fields")
    if not wanted:
        return ticket.fields
    return {name: ticket.fields[name] for name in wanted.split(",") if name in ticket.fields}


def _count_in(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, "")
    return int(text) if text.isdecimal() else default
