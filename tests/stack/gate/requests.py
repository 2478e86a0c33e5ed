"""Requests as they come to a gate, and how a test says which of them it means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Seen:
    """One request.

    Attributes:
        service: whom it is for.
        method, path, headers, body: what it says; the path holds the query, too.
    """

    service: str
    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")


type Matching = Callable[[Seen], bool]


def everything(_: Seen) -> bool:
    """Any request."""
    return True


def to(service: str, *words: str) -> Matching:
    """Requests for a service whose path or body mentions all of some words."""
    return lambda seen: seen.service == service and all(word in seen.path or word in seen.text for word in words)
