"""ServiceNow's Table API, as far as tickets need it: look up, read, insert, update.

https://www.servicenow.com/docs/r/api-reference/rest-apis/c_TableAPI.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import quote

import orjson

from router.destinations.base import is_handle
from router.destinations.config import Auth
from router.destinations.requests import JSON, Exchange, authorized, error_for, excerpt_of, words_in
from router.destinations.wording.escaping import without_code
from router.destinations.wording.fitting import json_bytes
from router.domain.clocks import SKEW
from router.domain.conversation import HttpAnswer, HttpRequest
from router.domain.deliveries import Attempt
from router.domain.errors import DeliveryError, Rejected, Unauthorized, Unavailable

HEADERS = {**JSON, "accept": "application/json"}

# A data policy or a business rule answers 403 as well, about the one record that it does not want.
_ABOUT_ONE_RECORD = re.compile(r"data policy|business rule|mandatory", re.IGNORECASE)
_TRANSIENT = re.compile(r"transaction cancell?ed|maximum execution time|try again", re.IGNORECASE)


def find_error(answer: HttpAnswer, kind: str, attempt: Attempt) -> DeliveryError | None:
    """What an answer that is no success means, also one that says success around an error; None for a success."""
    error = error_for(answer, kind, attempt)
    if isinstance(error, Unauthorized) and answer.status == 403 and _ABOUT_ONE_RECORD.search(str(error)):
        # Rules of the instance see a record only once its user is known; a proxy's page is in no such form.
        return Rejected(str(error), status=403, authenticated=_is_of_the_instance(answer))
    if error is not None:
        return error
    body = _body_of(answer)
    if "error" in body or body.get("status") == "failure":
        said = excerpt_of("; ".join(words_in(answer)), attempt)
        text = f"{kind}: answered {answer.status} around an error ({said})"
        return Unavailable(text) if _TRANSIENT.search(said) else Rejected(text, status=answer.status)
    if "result" not in body:
        # An instance that sleeps or is being upgraded answers 200 with a page for people.
        return Unavailable(f"{kind}: answered {answer.status} without a result; is the instance awake?")
    return None


def _is_of_the_instance(answer: HttpAnswer) -> bool:
    body = _body_of(answer)
    return isinstance(body.get("error"), dict) and body.get("status") == "failure"


def result_in(answer: HttpAnswer) -> object:
    """What a successful answer brings; None where it brings nothing."""
    return _body_of(answer).get("result")


def _body_of(answer: HttpAnswer) -> dict[str, Any]:
    try:
        body = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


NAME = "servicenow"

_SHOWN = "sysparm_fields=sys_id,number,active,state,correlation_id&sysparm_exclude_reference_link=true"


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

    def look_up_made(self, key: str, attempt: Attempt) -> Exchange[Ticket | None]:
        """The latest ticket under a correlation_id, closed or not, if it was made since this delivery is owed."""
        query = quote(f"correlation_id={key}^ORDERBYDESCsys_created_on", safe="")
        shown = _SHOWN.replace("&", ",sys_created_on&", 1)
        found = yield from self._ask("GET", f"{self.address}?sysparm_query={query}&sysparm_limit=1&{shown}", attempt)
        latest = found[0] if isinstance(found, list) and found and isinstance(found[0], dict) else {}
        is_made = latest.get("correlation_id") == key and _is_made_since(latest.get("sys_created_on"), attempt.since)
        return _ticket_in(latest) if is_made else None

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
        # Every column goes this way, whatever it was put together of.
        told = {name: without_code(text) for name, text in columns.items()} if columns is not None else None
        body = json_bytes(told) if told is not None else b""
        request = HttpRequest(method=method, url=url, headers=HEADERS, body=body)
        answer = yield from authorized(request, self._auth, attempt, NAME)
        error = find_error(answer, NAME, attempt)
        if error is not None:
            raise error
        return result_in(answer)


def _is_made_since(written: object, since: datetime | None) -> bool:
    """Whether a record was made since an instant, by a clock that may be a little wrong; the API writes UTC."""
    try:
        made = datetime.fromisoformat(written).replace(tzinfo=UTC) if isinstance(written, str) else None
    except ValueError:
        return False
    return made is not None and since is not None and made >= since - SKEW


def _ticket_in(record: object) -> Ticket:
    columns = record if isinstance(record, dict) else {}
    texts = {name: value for name, value in columns.items() if is_handle(value)}
    return Ticket(texts.get("sys_id"), texts.get("number"), texts.get("active") != "false", texts.get("state"))
