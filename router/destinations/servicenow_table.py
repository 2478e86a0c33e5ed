"""ServiceNow's Table API, as far as tickets need it: look up, read, insert, update, and what its answers mean.

https://www.servicenow.com/docs/r/api-reference/rest-apis/c_TableAPI.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

import orjson

from router.destinations.answers import error_for, excerpt_of, words_in
from router.destinations.base import JSON, Exchange
from router.destinations.config import Auth
from router.destinations.credentials import authorized
from router.destinations.text import json_bytes
from router.domain.asks import HttpAnswer, HttpRequest
from router.domain.errors import DeliveryError, Rejected, Unauthorized, Unavailable
from router.domain.notices import Attempt

NAME = "servicenow"

_SHOWN = "sysparm_fields=sys_id,number,active,state,correlation_id&sysparm_exclude_reference_link=true"
# A data policy or a business rule answers 403 as well, about the one record that it does not want:
# https://www.servicenow.com/docs/r/api-reference/rest-api-explorer/c_RESTAPI.html
_ABOUT_ONE_RECORD = re.compile(r"data policy|business rule|mandatory", re.IGNORECASE)
_TRANSIENT = re.compile(r"transaction cancell?ed|maximum execution time|try again", re.IGNORECASE)


class Ticket(NamedTuple):
    """What the router needs to know of a record; None where the account may not read it."""

    sys_id: str | None
    number: str | None
    is_active: bool
    state: str | None


class Table:
    """One table of one instance. Whatever goes wrong is raised as a DeliveryError."""

    def __init__(self, base: str, table: str, auth: Auth, resolved: str) -> None:
        self.address = f"{base}/api/now/table/{table}"
        self._table = table
        self._auth = auth
        self._resolved = resolved

    def look_up(self, key: str, attempt: Attempt) -> Exchange[Ticket | None]:
        """The oldest ticket under a correlation_id that is neither resolved nor closed."""
        query = quote(f"correlation_id={key}^active=true^state!={self._resolved}^ORDERBYsys_created_on", safe="")
        found = yield from self._ask("GET", f"{self.address}?sysparm_query={query}&sysparm_limit=1&{_SHOWN}", attempt)
        if not isinstance(found, list) or not found:
            return None
        # An instance ignores a condition on a column that is missing or not readable, and then finds any ticket at
        # all (glide.invalid_query.returns_no_rows is off in a base system).
        if not isinstance(found[0], dict) or found[0].get("correlation_id") != key:
            raise Unauthorized(
                f"{NAME}: {self._table} does not show correlation_id, so tickets cannot be told apart; "
                "let the account read that column"
            )
        return _ticket_in(found[0])

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

    def _ask(
        self, method: str, url: str, attempt: Attempt, columns: Mapping[str, str] | None = None
    ) -> Exchange[object]:
        body = json_bytes(columns) if columns is not None else b""
        request = HttpRequest(method=method, url=url, headers={**JSON, "accept": "application/json"}, body=body)
        answer = yield from authorized(request, self._auth, attempt, NAME)
        error = _find_error(answer, attempt)
        if error is not None:
            raise error
        return _body_of(answer)["result"]


def _find_error(answer: HttpAnswer, attempt: Attempt) -> DeliveryError | None:
    """What an answer means, also one that says success around an error."""
    error = error_for(answer, NAME, attempt)
    if isinstance(error, Unauthorized) and answer.status == 403 and _ABOUT_ONE_RECORD.search(str(error)):
        return Rejected(str(error), status=403)
    if error is not None:
        return error
    body = _body_of(answer)
    if "error" in body or body.get("status") == "failure":
        said = excerpt_of("; ".join(words_in(answer)), attempt)
        text = f"{NAME}: answered {answer.status} around an error ({said})"
        return Unavailable(text) if _TRANSIENT.search(said) else Rejected(text, status=answer.status)
    if "result" not in body:
        # An instance that sleeps or is being upgraded answers 200 with a page for people.
        return Unavailable(f"{NAME}: answered {answer.status} without a result; is the instance awake?")
    return None


def _body_of(answer: HttpAnswer) -> dict[str, Any]:
    try:
        body = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def _ticket_in(record: object) -> Ticket:
    columns = record if isinstance(record, dict) else {}
    texts = {name: value for name, value in columns.items() if isinstance(value, str) and value}
    return Ticket(texts.get("sys_id"), texts.get("number"), texts.get("active") != "false", texts.get("state"))
