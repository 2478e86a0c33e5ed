"""Trouble on request: a script of faults that an endpoint plays before it behaves."""

from collections.abc import Mapping
from dataclasses import field
from threading import Lock
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

LONGEST_HANG = 600.0  # seconds
_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True, config=_STRICT)
class Status:
    """Answers with this status; without `body`, with the vendor's own error body. The request has no effect."""

    code: Annotated[int, Field(ge=200, le=599)]
    retry_after: str | None = None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    kind: Literal["status"] = "status"


@dataclass(frozen=True, slots=True, config=_STRICT)
class Hang:
    """Behaves, but only after this many seconds, whether or not the caller still waits."""

    seconds: Annotated[float, Field(gt=0, le=LONGEST_HANG)]
    kind: Literal["hang"] = "hang"


@dataclass(frozen=True, slots=True, config=_STRICT)
class Drop:
    """Closes the connection without an answer. The request has no effect."""

    kind: Literal["drop"] = "drop"


@dataclass(frozen=True, slots=True, config=_STRICT)
class LoseAnswer:
    """Behaves, then closes the connection: the request has its effect and the caller never learns of it."""

    kind: Literal["lose_answer"] = "lose_answer"


type Fault = Annotated[Status | Hang | Drop | LoseAnswer, Field(discriminator="kind")]


class _Entry:
    __slots__ = ("fault", "left", "method")

    def __init__(self, fault: Fault, left: int | None, method: str | None) -> None:
        self.fault, self.left, self.method = fault, left, method


class FaultScript:
    """The script of one endpoint: entries are played in order; safe to use from any thread."""

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self._lock = Lock()

    def add(self, fault: Fault, *, times: int | None = 1, method: str | None = None) -> None:
        """Plays `fault` for the next `times` requests, for all until `clear` if None; of one HTTP `method` if given."""
        if times is not None and times < 1:
            raise ValueError(f"times: {times} is below 1; give a count, or None for until cleared")
        with self._lock:
            self._entries.append(_Entry(fault, times, method.upper() if method else None))

    def clear(self) -> None:
        """Behaves from now on."""
        with self._lock:
            self._entries.clear()

    def take(self, method: str) -> Fault | None:
        """Gives the fault that the next request of this HTTP method meets, and counts it as played."""
        return self._take((None, method))

    def take_named(self, method: str) -> Fault | None:
        """Gives the fault that was ordered for this method by its name, where one was, and counts it as played."""
        return self._take((method,))

    def _take(self, methods: tuple[str | None, ...]) -> Fault | None:
        with self._lock:
            for index, entry in enumerate(self._entries):
                if entry.method in methods:
                    if entry.left is not None:
                        entry.left -= 1
                        if not entry.left:
                            del self._entries[index]
                    return entry.fault
            return None
