"""An answer of HTTP -> the object in it; whatever else it is says why there is none. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping

from router.coverage.envelopes import refusal_in
from router.domain.conversation import HttpAnswer
from router.domain.errors import Unavailable
from router.domain.texts import one_line

READER = "Reader"
SECURITY_READER = "Security Reader"
LOG_ANALYTICS_READER = "Log Analytics Reader"
"""The roles that open what is asked, and nothing that could be changed.
https://learn.microsoft.com/azure/role-based-access-control/built-in-roles"""

_LONGEST = 300
"""How much of a refusal is repeated."""


def object_in(answer: HttpAnswer, role: str) -> Mapping[str, object]:
    """The object in an answer; raises Unavailable, which says why there is none. `role` is what a 403 means is missing."""
    body = _parsed(answer.body)
    said = refusal_in(body) if isinstance(body, Mapping) else None
    words = f": {one_line(said)[:_LONGEST]}" if said else ""
    if answer.status == 403:
        raise Unavailable(f"403, so that the role {role} is missing{words}")
    if 300 <= answer.status < 400:
        raise Unavailable(f"{answer.status}, and redirects are not followed")
    if answer.status != 200 or said:
        raise Unavailable(f"{answer.status}{words}")
    if not isinstance(body, Mapping):
        raise Unavailable("the answer is no object of JSON")
    return body


def _parsed(data: bytes) -> object:
    """What is in a body; None where that is no JSON."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
