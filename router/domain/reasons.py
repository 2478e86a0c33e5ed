"""Why a decision is what it is: a code that programs read and words that people read."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Code(StrEnum):
    """The closed set of reasons that decisions carry."""

    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    UNKNOWN_SHAPE = "unknown_shape"
    WRONG_STREAM = "wrong_stream"
    TOO_LARGE = "too_large"
    INVALID = "invalid"
    INTERNAL = "internal"
    STATUS = "status"
    KIND = "kind"
    FLOOR = "floor"
    RULE = "rule"
    SILENCE = "silence"
    ROUTES = "routes"
    OTHERWISE = "otherwise"
    SAME = "same"
    OLDER = "older"
    NO_DESTINATION = "no_destination"
    DAMAGED = "damaged"
    NOT_SEEN = "not_seen"
    EXEMPT = "exempt"


class Reason(NamedTuple):
    """Why a decision is what it is.

    Attributes:
        code: the code, for programs.
        words: more about it, for people; empty where there is no more to say.
    """

    code: Code
    words: str = ""

    def __str__(self) -> str:
        return f"{self.code}: {self.words}" if self.words else str(self.code)
