"""What an HTTP answer means for a delivery."""

from __future__ import annotations

import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from html import escape
from urllib.parse import quote, quote_plus, unquote

import orjson

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
_PIECES = re.compile(r"[/?&=#]")
_LONG = 16  # characters; an account's id in a path is shorter, and no secret
_DEPTH = 4
_TOO_SHORT_TO_FIND = 5  # bytes: what is left of so short a secret between others in base64 may stand anywhere


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
    told = {form for value in attempt.secrets.values() if value for form in _forms_of(value)}
    for form in sorted(told, key=len, reverse=True):
        text = text.replace(form, "***")
    # A vendor may quote what it was sent, and people read what it says.
    text = _AUTHORIZATION.sub(r"\1 ***", masked(_QUERY.sub("", text[:_LONGEST_WORDS])))
    return shorten(one_line(" ".join(text.split())), EXCERPT)


def _forms_of(secret: str) -> Iterator[str]:
    """The forms in which a vendor may show a secret that it was sent; of an address also what stands behind its host."""
    for part in (secret, *_hidden_in(secret)):
        yield from _letters_of(part)


def _hidden_in(address: str) -> Iterator[str]:
    """The parts of a secret address that are secret by themselves: all behind its host, and each long piece of that."""
    _, is_address, rest = address.partition("://")
    behind = rest.partition("/")[2] if is_address else ""
    for piece in (behind, *_PIECES.split(behind)):
        if len(piece) >= _LONG:
            yield from (piece, unquote(piece))


def _letters_of(secret: str) -> Iterator[str]:
    yield secret
    yield from (quote(secret, safe="", errors="replace"), quote_plus(secret, errors="replace"), escape(secret))
    raw = secret.encode("utf-8", "replace")
    for ahead in range(3) if len(raw) > _TOO_SHORT_TO_FIND else ():
        # In base64 a password looks different after each length of what stands before it, such as its user's name.
        whole = 4 * ((ahead + len(raw)) // 3)
        for encoded in (b64encode(b"\0" * ahead + raw), urlsafe_b64encode(b"\0" * ahead + raw)):
            yield encoded[4 * bool(ahead) : whole].decode()


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
