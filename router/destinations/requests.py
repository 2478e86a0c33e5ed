"""Requests that bear our credentials, and what an HTTP answer means, told without secrets."""

from __future__ import annotations

import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Generator, Iterable, Iterator
from copy import replace
from functools import lru_cache
from html import unescape
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson

from router.destinations.config import Auth, BasicAuth, BearerAuth, SecretName
from router.destinations.wording.fitting import shorten
from router.destinations.wording.masking import masked
from router.domain.conversation import CROWDED, AccessToken, HttpAnswer, HttpRequest, SendMail, retry_after_in
from router.domain.deliveries import Attempt
from router.domain.errors import DeliveryError, Rejected, Unauthorized, Unavailable
from router.domain.readable import one_line

JSON = {"content-type": "application/json"}


type Exchange[T] = Generator[HttpRequest | AccessToken | SendMail, Any, T]
"""One or more requests, each sent its answer, that end in a T; DeliveryError is raised out of it."""


def secret_named(name: str, attempt: Attempt, kind: str) -> str:
    """The value of the secret of that name; raises Unauthorized where it has none."""
    if value := attempt.secrets.get(name):
        return value
    raise Unauthorized(f"{kind}: the secret {name} has no value; set the app setting of that name")


def user_named(auth: BasicAuth, attempt: Attempt, kind: str) -> str:
    """The user's name, which may be the value of a secret, too."""
    return secret_named(auth.user.secret, attempt, kind) if isinstance(auth.user, SecretName) else auth.user


def header_secret(name: str, attempt: Attempt, kind: str) -> str:
    """The value of a secret that stands in a header; raises Unauthorized where it has none, or one that no header takes."""
    if fits_header(value := secret_named(name, attempt, kind)):
        return value
    raise Unauthorized(f"{kind}: the secret {name} cannot stand in a header; set it anew, in printable ASCII")


def fits_header(value: str) -> bool:
    """Whether a text can stand in a header."""
    return value.isascii() and value.isprintable()


_ESCAPE = re.compile(
    rb"%([0-9a-f]{2})|\\+x([0-9a-f]{2})|(?:\\+|%)u(d[89ab][0-9a-f]{2})(?:\\+|%)u(d[c-f][0-9a-f]{2})"
    rb"|(?:\\+|%)u(?:([0-9a-f]{4})|\{([0-9a-f]{1,6})\})|(&#?[0-9a-z]{2,31};)|\\+([0-3][0-7]{2})|\\+([bfnrt]?)|\+"
)
_CONTROLS = {b"": b"", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_LAST_CHARACTER = 0x10FFFF
_PASSES = 6  # escapes within escapes that are undone
_PIECES = re.compile(r"[/?&=#]")
_LONG = 16  # characters; an account's id in a path is shorter, and no secret
_TOO_SHORT_TO_FIND = 5  # bytes: what is left of so short a secret between others in base64 may stand anywhere


def scrubbed(text: str, secrets: Iterable[str]) -> str:
    """A text with `***` in place of each secret: as it is, escaped, in hex or in base64, in letters of either case.

    Of a secret that is an address, also without what stands behind its host. Takes time in proportion to the text.
    """
    written = text.encode("utf-8", "replace")
    plain, places = _reduced(written)
    found: list[tuple[int, int]] = []
    for secret in filter(None, secrets):
        pattern = _pattern_of(secret)
        found += [one.span() for one in pattern.finditer(written.lower())]
        found += [(places[one.start()], places[one.end()]) for one in pattern.finditer(plain)]
    parts, at = [], 0
    for start, end in sorted(found):
        if start >= at:
            parts += [written[at:start], b"***"]
        at = max(at, end)
    return b"".join([*parts, written[at:]]).decode("utf-8", "replace")


@lru_cache(maxsize=256)
def _pattern_of(secret: str) -> re.Pattern[bytes]:
    """What finds a secret in lower-case bytes, whether or not their escapes are undone."""
    patterns: list[bytes] = []
    for part in {secret, *_hidden_in(secret)}:
        raw = part.encode("utf-8", "replace")
        patterns.append(rb"[\s:,-]{0,2}(?:0x)?".join(b"%02x" % byte for byte in raw))
        for form in (raw, *_in_base64(raw)):
            patterns += [re.escape(one) for one in (form.lower(), _reduced(form)[0]) if one]
    patterns.sort(key=len, reverse=True)  # At one place the longest is found.
    return re.compile(b"|".join(patterns))


def _reduced(written: bytes) -> tuple[bytes, list[int]]:
    """Bytes in lower case with their escapes undone, and where each of them stood; one place more is their end."""
    plain, places = written.lower(), list(range(len(written) + 1))
    for _ in range(_PASSES):
        parts: list[bytes] = []
        kept: list[int] = []
        at = 0
        for escape in _ESCAPE.finditer(plain):
            meant = _meaning_of(escape)
            parts += [plain[at : escape.start()], meant]
            kept += places[at : escape.start()] + [places[escape.start()]] * len(meant)
            at = escape.end()
        if not parts:
            break
        plain, places = b"".join([*parts, plain[at:]]).lower(), kept + places[at:]
    return plain, places


def _meaning_of(escape: re.Match[bytes]) -> bytes:
    percent, byte, high, low, unit, point, entity, octal, control = escape.groups()
    if percent or byte:
        return bytes.fromhex((percent or byte).decode())
    if high:
        return bytes.fromhex((high + low).decode()).decode("utf-16-be").encode()
    if unit or point:
        number = int(unit or point, 16)
        return chr(number).encode("utf-8", "replace") if number <= _LAST_CHARACTER else b""
    if octal:
        return bytes([int(octal, 8)])
    if entity:
        return unescape(entity.decode()).encode("utf-8", "replace")
    return b" " if escape[0] == b"+" else _CONTROLS[control]


def _hidden_in(address: str) -> Iterator[str]:
    """The parts of a secret address that are secret by themselves: all behind its host, and each long piece of that."""
    _, is_address, rest = address.partition("://")
    behind = rest.partition("/")[2] if is_address else ""
    for piece in (behind, *_PIECES.split(behind)):
        if len(piece) >= _LONG:
            yield from (piece, unquote(piece))


def _in_base64(raw: bytes) -> Iterator[bytes]:
    for ahead in range(3) if len(raw) > _TOO_SHORT_TO_FIND else ():
        # In base64 a password looks different after each length of what stands before it, such as its user's name.
        whole = 4 * ((ahead + len(raw)) // 3)
        for encoded in (b64encode(b"\0" * ahead + raw), urlsafe_b64encode(b"\0" * ahead + raw)):
            yield encoded[4 * bool(ahead) : whole]


EXCERPT = 300  # longest excerpt of a vendor's own words, in characters

_LATER = frozenset({408, 425, 429})
_CREDENTIALS = frozenset({401, 403})
_READABLE = 65_536
_EMPTY = frozenset({"", "{}", "[]", "null", '""'})
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
    words = excerpt_of("; ".join(dict.fromkeys(words_in(answer))), attempt)
    text = f"{name}: answered {status}{f' ({words})' if words else ''}"
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


def words_in(answer: HttpAnswer) -> Iterator[str]:
    """The texts that a vendor explains itself with, else all that it answered; a page for people (HTML) explains nothing."""
    text = answer.body[:_READABLE].decode("utf-8", "replace").strip()
    try:
        found = list(_explanations_in(orjson.loads(answer.body) if len(answer.body) <= _READABLE else None, _DEPTH))
    except orjson.JSONDecodeError:
        found = []
    yield from found or ([text] if not text.startswith("<") and text not in _EMPTY else [])


def json_object(answer: HttpAnswer) -> dict[str, Any]:
    """The JSON object of an answer; an empty one where it holds none."""
    try:
        body = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


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


_PORTS = {"https": 443, "http": 80}


def authorized(request: HttpRequest, auth: Auth, attempt: Attempt, kind: str) -> Exchange[HttpAnswer]:
    """The answer to a request that bears our credentials; raises Unauthorized where a secret has no value.

    A token of client credentials that is refused is replaced once: a vendor may take it back before it expires.
    """
    answer: HttpAnswer
    if isinstance(auth, BearerAuth):
        answer = yield _bearing(request, f"Bearer {header_secret(auth.bearer.secret, attempt, kind)}")
        return answer
    if isinstance(auth, BasicAuth):
        written = f"{user_named(auth, attempt, kind)}:{secret_named(auth.password.secret, attempt, kind)}"
        answer = yield _bearing(request, f"Basic {b64encode(written.encode('utf-8', 'replace')).decode()}")
        return answer
    secret = secret_named(auth.client_secret.secret, attempt, kind)
    wanted = AccessToken(url=auth.token_url, client_id=auth.client_id, client_secret=secret, scope=auth.scope)
    token: str = yield wanted
    answer = yield _bearing(request, f"Bearer {token}")
    if answer.status == 401:
        token = yield replace(wanted, refused=token)
        answer = yield _bearing(request, f"Bearer {token}")
    # The token is known here alone, so here it is kept out of quotes of the answer.
    return replace(answer, body=answer.body.replace(token.encode(), b"***"))


def secret_url(secret: SecretName, origin: str, attempt: Attempt, kind: str) -> str:
    """The address that a secret holds; raises Unauthorized where it does not lead to the origin that the rules name.

    The error names the secret and never what it holds.
    """
    written = secret_named(secret.secret, attempt, kind)
    if not _leads_to(origin, written):
        raise Unauthorized(f"{kind}: the secret {secret.secret} holds no address at {origin}; set it anew")
    return written


def _leads_to(origin: str, written: str) -> bool:
    if not (written.isascii() and written.isprintable()) or " " in written or "\\" in written:
        return False
    try:
        url, named = urlsplit(written), urlsplit(origin)
        places = [(one.scheme, one.hostname, one.port or _PORTS.get(one.scheme)) for one in (url, named)]
    except ValueError:
        return False
    return places[0] == places[1] and "@" not in url.netloc and not url.fragment


def _bearing(request: HttpRequest, authorization: str) -> HttpRequest:
    return replace(request, headers={**request.headers, "authorization": authorization})
