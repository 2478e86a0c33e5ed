"""What Splunk's HTTP Event Collector answers: a code of its own, and at which event it stopped.

https://help.splunk.com/en/splunk-enterprise/get-data-in/collect-http-event-data/troubleshoot-http-event-collector
"""

from __future__ import annotations

from typing import NamedTuple

import orjson

from router.destinations.answers import error_for, excerpt_of, words_in
from router.domain.conversation import HttpAnswer
from router.domain.deliveries import Attempt
from router.domain.errors import DeliveryError, Rejected, Unauthorized, Unavailable

NAME = "splunk_hec"

_TAKEN = 0
ABOUT_ONE_EVENT = frozenset({5, 6, 12, 13, 15})
"""Codes for an event that cannot be read."""

_ABOUT_ALL = frozenset({1, 2, 3, 4, 7, 10, 11, 14, 16, 21, 22})


class Reply(NamedTuple):
    """What Splunk says in an answer; None stands for what it does not say.

    Attributes:
        code: Splunk's own code.
        number: the number of the event at which it stopped.
    """

    code: int | None
    number: int | None


def find_error(answer: HttpAnswer, attempt: Attempt) -> DeliveryError | None:
    """What an answer means; Splunk's own code counts for more than the status around it."""
    code = reply_in(answer).code
    error = error_for(answer, NAME, attempt)
    if error is None and code == _TAKEN:
        return None
    if code is None:
        # Whatever stands between us and Splunk may answer 200 with a page for people.
        return error or Unavailable(f"{NAME}: answered {answer.status} without a code of Splunk's")
    if isinstance(error, Unavailable):
        return error
    text = f"{NAME}: answered {answer.status} with code {code} ({excerpt_of('; '.join(words_in(answer)), attempt)})"
    if code in _ABOUT_ALL:
        return Unauthorized(f"{text}; check the token, its indexes, and that it needs no acknowledgement")
    if code in ABOUT_ONE_EVENT:
        # Splunk reads an event only once it knows the token.
        return Rejected(text, status=answer.status, authenticated=True)
    return error or Unavailable(text)


def reply_in(answer: HttpAnswer) -> Reply:
    """Splunk's code and number in an answer, each None where there is none."""
    try:
        body = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        body = None
    numbers = body if isinstance(body, dict) else {}
    code, number = (numbers.get(name) for name in ("code", "invalid-event-number"))
    return Reply(code if type(code) is int else None, number if type(number) is int and number >= 0 else None)
