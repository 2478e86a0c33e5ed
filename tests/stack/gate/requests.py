"""Requests as they come to a gate, and how a test says which of them it means."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from router.store.azure.shards import named


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


def reads(table: str, *words: str) -> Matching:
    """Look-ups in a table, of a row or of a range, that mention all of some words."""
    return lambda seen: (
        (seen.service, seen.method) == ("table", "GET")
        and re.search(rf"/{table}\(", seen.path) is not None
        and all(word in seen.path for word in words)
    )


def writes(table: str, *words: str) -> Matching:
    """Transactions on a table whose steps mention all of some words."""
    step = re.compile(rf"^[A-Z]+ \S+/{table}[(? ]", re.MULTILINE)
    return lambda seen: (
        (seen.service, seen.method) == ("table", "POST")
        and step.search(seen.text) is not None
        and all(word in seen.text for word in words)
    )


def moves(destination: str, key: str, state: str) -> Matching:
    """What takes the deliveries of a signal at a destination of `cwpp` to a state."""
    return writes("deliveries", f'"cwpp.{destination}.', f'"s:{named(key)}:', f'"state": "{state}"')


def sends(queue: str) -> Matching:
    """Messages that are put into a queue."""
    return lambda seen: (seen.service, seen.method) == ("queue", "POST") and f"/{queue}/messages" in seen.path
