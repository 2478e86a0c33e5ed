"""From bytes to a JSON document: strictly and fast first, leniently where that fails.

What comes out nests no deeper than 1,024 levels, holds no number beyond a double, and only text that UTF-8 can write and
a database can hold, so that nothing further on chokes on it. What is not understood is refused."""

from __future__ import annotations

import json
import re
from math import isinf

import orjson

from router.domain.decisions import Code, Reason
from router.domain.signals import Quarantined


class MessageRefused(Exception):
    """A message cannot be understood."""

    def __init__(self, code: Code, words: str, at_fault: str | None = None) -> None:
        super().__init__(words)
        self.reason = Reason(code, words)
        self.at_fault = at_fault

    def quarantined(self, body: bytes) -> Quarantined:
        """The refusal as a value, with the whole body."""
        return Quarantined(reason=self.reason, body=body, at_fault=self.at_fault)


_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


def document_in(body: bytes) -> object:
    """The JSON document that a body is; raises MessageRefused (not_json) where it is none."""
    try:
        return orjson.loads(_without_nul(body))
    except orjson.JSONDecodeError:
        # Tells UTF-16 and UTF-32 too, which redirected output on Windows likes to be.
        return _read_leniently(body.decode(json.detect_encoding(body), "replace"))


def find_document(text: str) -> object:
    """The JSON list or object that a text holds, or None."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return orjson.loads(_without_nul(text.encode("utf-8", "surrogatepass")) if "\\u0000" in text else text)
    except orjson.JSONDecodeError:
        try:
            return _read_leniently(text)
        except MessageRefused:
            return None


def serialised(document: object) -> bytes:
    """A document that was read here as a body of its own."""
    try:
        return orjson.dumps(document)
    except orjson.JSONEncodeError:  # it writes 254 levels where it reads 1,024
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _read_leniently(text: str) -> object:
    """The document with NaN as null, control characters as they stand, and lone surrogates and NUL replaced by U+FFFD."""
    try:
        tree = json.loads(text, strict=False, parse_constant=lambda _: None, parse_float=_finite, parse_int=_whole)
        again = json.dumps(tree, ensure_ascii=False).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return orjson.loads(_without_nul(again.encode()))
    except RecursionError:
        raise MessageRefused(Code.NOT_JSON, "nested too deeply") from None
    except json.JSONDecodeError as error:  # orjson's is one too
        # The second reading of a mended text can fail at nothing but its depth, and its places are not the sender's.
        if error.msg.startswith("depth limit"):
            raise MessageRefused(Code.NOT_JSON, "nested too deeply") from None
        raise MessageRefused(Code.NOT_JSON, error.msg, f"line {error.lineno} column {error.colno}") from None


def _without_nul(body: bytes) -> bytes:
    """A document with U+FFFD for each NUL that it escapes: no text of PostgreSQL's holds one."""
    return _NUL.sub(rb"\1\\ufffd", body) if b"\\u0000" in body else body


def _finite(digits: str) -> float | str:
    """The number, or its digits where it is beyond a double."""
    number = float(digits)
    return digits if isinf(number) else number


def _whole(digits: str) -> float | str:
    """The number, whole where 64 bits can hold it: int() is quadratic in its digits, and refuses 4,300."""
    return int(digits) if len(digits) <= 20 else _finite(digits)
