"""What an answer of a ServiceNow instance means, whichever of its APIs gave it.

https://www.servicenow.com/docs/r/api-reference/rest-api-explorer/c_RESTAPI.html
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from router.destinations.answers import error_for, excerpt_of, words_in
from router.destinations.base import JSON
from router.domain.conversation import HttpAnswer
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
