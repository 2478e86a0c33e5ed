"""What an HTTP answer means for a delivery."""

from __future__ import annotations

import re
from collections.abc import Iterator

import orjson

from router.destinations.scrubbing import scrubbed
from router.destinations.wording.fitting import shorten
from router.destinations.wording.masking import masked
from router.domain.conversation import CROWDED, HttpAnswer, retry_after_in
from router.domain.deliveries import Attempt
from router.domain.errors import DeliveryError, Rejected, Unauthorized, Unavailable
from router.domain.legible import one_line

EXCERPT = 200
"""Longest excerpt of a vendor's own words, in characters."""

_LATER = frozenset({408, 425, 429})
_CREDENTIALS = frozenset({401, 403})
_READABLE = 65_536
_QUERY = re.compile(r"\?[^\s=?]*=\S*")
_AUTHORIZATION = re.compile(r"\b(basic|bearer)\s+\S+", re.IGNORECASE)
_LONGEST_WORDS = 4_096  # characters of a vendor's words that are looked through
_DEPTH = 4


def error_for(answer: HttpAnswer, name: str, attempt: Attempt) -> DeliveryError | None:
    """The error that an answer means, its text starting with the kind's name; None for a 2xx.

    A redirect is never followed, so it is Rejected like any other status that is not retried.
    """
    status = answer.status
    if 200 <= status < 300:
        return None
    text = f"{name}: answered {status}{_said(answer, attempt)}"
    if status in _LATER or status >= 500:
        wish = retry_after_in(answer, attempt.now)
        return Unavailable(text, retry_after=wish, is_crowded=status in CROWDED)
    if status in _CREDENTIALS:
        return Unauthorized(f"{text}; check its credentials and what they may do")
    if 300 <= status < 400:
        text += "; redirects are not followed, so name the final address"
    return Rejected(text, status=status)


def excerpt_of(text: str, attempt: Attempt) -> str:
    """A vendor's words on one bounded line, without secrets of the attempt, URL queries and credentials."""
    text = scrubbed(text, attempt.secrets.values())
    # A vendor may quote what it was sent, and people read what it says.
    text = _AUTHORIZATION.sub(r"\1 ***", masked(_QUERY.sub("", text[:_LONGEST_WORDS])))
    return shorten(one_line(" ".join(text.split())), EXCERPT)


def _said(answer: HttpAnswer, attempt: Attempt) -> str:
    words = excerpt_of("; ".join(dict.fromkeys(words_in(answer))), attempt)
    return f" ({words})" if words else ""


def words_in(answer: HttpAnswer) -> Iterator[str]:
    """The texts that a vendor explains itself with; a page for people (HTML) explains nothing."""
    try:
        body: object = orjson.loads(answer.body) if len(answer.body) <= _READABLE else None
    except orjson.JSONDecodeError:
        text = answer.body[:_READABLE].decode("utf-8", "replace").strip()
        if not text.startswith("<"):
            yield text
        return
    yield from _explanations_in(body, _DEPTH)


def _explanations_in(value: object, depth: int) -> Iterator[str]:
    match value:
        case str() if value:
            yield value
        case list() if depth:
            for item in value[:5]:
                yield from _explanations_in(item, depth - 1)
        case dict() if depth:
            for key in ("message", "detail", "error", "errors", "title", "text"):
                yield from _explanations_in(value.get(key), depth - 1)
