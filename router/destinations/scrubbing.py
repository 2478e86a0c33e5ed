"""Removes secrets from a vendor's words, however they are quoted there.

Words and secrets are both reduced to plain bytes first: escapes of JSON, addresses, HTML and shells are undone, nested or not.
"""

from __future__ import annotations

import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from functools import lru_cache
from html import unescape
from urllib.parse import unquote

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
