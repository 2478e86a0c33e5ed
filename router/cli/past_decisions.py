"""Where past decisions come from: a decisions file, or a state. What cannot be used of a file is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import orjson

from router.decide.attack_outcomes import PastDecision, past_signal_key
from router.domain.decisions import Outcome
from router.domain.errors import BadFile
from router.domain.signals import Stream

NO_DECISION = "lines that are no decisions"
OTHER_STREAM = "decisions of the other stream"
OTHER_TIME = "decisions of another time"
NO_TIME = "decisions that do not say when they were made"

_OUTCOMES = frozenset(Outcome)


class DecisionSpan(NamedTuple):
    """A span of time.

    Attributes:
        since: its first instant; None where it has no beginning.
        until: the first instant after it; None where it has no end.
    """

    since: datetime | None
    until: datetime | None

    @property
    def is_bounded(self) -> bool:
        """Whether it has a beginning or an end."""
        return self.since is not None or self.until is not None

    def has(self, at: datetime) -> bool:
        """Whether an instant is in it."""
        return (self.since is None or self.since <= at) and (self.until is None or at < self.until)


def decisions_in(path: Path, stream: Stream, span: DecisionSpan, left_out: Counter[str]) -> Iterator[PastDecision]:
    """The decisions of a stream in a decisions file, in its order; raises BadFile where it holds none at all.

    How many of its lines are left out, and why, is counted in `left_out`.
    """
    is_any = False
    for line in _lines_of(path):
        decision = _find_decision(line)
        if decision is None:
            left_out[NO_DECISION] += 1
            continue
        is_any = True
        if decision.stream != stream:
            left_out[OTHER_STREAM] += decision.stream is not None
        elif span.is_bounded and decision.past.at is None:
            left_out[NO_TIME] += 1
        elif decision.past.at is not None and not span.has(decision.past.at):
            left_out[OTHER_TIME] += 1
        else:
            yield decision.past
    if not is_any and left_out[NO_DECISION]:
        raise BadFile(f"{path}: holds no decisions; alert-router run --decisions FILE writes them")


def _lines_of(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from (line for line in file if line.strip())
    except OSError as fault:
        raise BadFile(f"{path}: cannot be read: {fault.strerror}") from fault


class _Line(NamedTuple):
    """A line of a decisions file.

    Attributes:
        stream: the stream that it is of; None where the message was not understood.
        past: what it says.
    """

    stream: str | None
    past: PastDecision


def _find_decision(line: bytes) -> _Line | None:
    """What a line says; None where it is no decision."""
    try:
        body = orjson.loads(line)
        outcome = body["outcome"]
        if outcome not in _OUTCOMES:
            return None
        stream, kind, id = _find_text(body["stream"]), _find_text(body["kind"]), _find_text(body["id"])
        past = PastDecision(
            signal=past_signal_key(stream or "", kind or "", id or ""),
            type=_find_text(body["type"]) or "",
            outcome=Outcome(outcome),
            at=_find_instant(body.get("at")),
            held_by=_find_text(body["suppressed_by"]),
            held_until=_find_instant(body["suppressed_until"]),
            tactics=_texts(body["tactics"]),
            techniques=_texts(body["techniques"]),
            rulebook=_find_text(body["rulebook"]) or "",
            is_quiet=body["notice"] is None,
            is_sample=body["sample"] is True,
        )
    except (ValueError, TypeError, LookupError, AttributeError):
        return None
    return _Line(stream, past)


def _find_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise TypeError("not a text")


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise TypeError("not texts")
    return tuple(value)


def _find_instant(value: object) -> datetime | None:
    written = _find_text(value)
    if written is None:
        return None
    instant = datetime.fromisoformat(written)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
