"""What the outbox asks of whoever keeps its rows: a table whose changes are conditional, and a queue.

The outbox reads entries, decides by the rules of `domain/lifecycle` and `domain/turn_order`, and has moves made. Everything is
asked for by the batch. How rows are found and written, and what becomes of those that cannot be decoded, is the table's own.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from router.domain.damage import DamagedLetter
from router.domain.deliveries import Claim, DeadLetter, Delivery, Pointer, Receipt
from router.domain.delivery_lifecycle import OutboxEntry
from router.domain.errors import StoreError, Undecodable


@dataclass(frozen=True, slots=True)
class Move[E: OutboxEntry]:
    """One change of one delivery.

    Attributes:
        before: The entry as it was read; the change is made only if it is still so.
        after: The entry as it shall be.
        receipt: What the delivery brought back, where it was sent.
    """

    before: E
    after: E
    receipt: Receipt | None = None


@dataclass(frozen=True, slots=True)
class SignalEntries[E: OutboxEntry]:
    """The deliveries of one signal to one destination.

    Attributes:
        entries: Those that are open; the closed ones too where the next step depends on them.
        turn: The one turn that is asked for; None where any of them may be claimed.
    """

    entries: Sequence[E]
    turn: int | None = field(default=None, kw_only=True)


class OutboxTable[E: OutboxEntry](Protocol):
    """The rows of an outbox, and the queue that points at them; every method raises StoreError."""

    def transaction(self) -> AbstractContextManager[object]:
        """What is moved inside is kept as a whole, where the table can do that."""
        ...

    async def add(self, deliveries: Sequence[Delivery], now: datetime) -> None:
        """Creates deliveries where there are none, as `lifecycle.added` has them, and points at all of them."""
        ...

    def due(
        self, pointer: Pointer, now: datetime, lease: timedelta, limit: int
    ) -> AsyncGenerator[Sequence[SignalEntries[E]]]:
        """Signals at which a pointer points and whose first turn may be due, some at a time, in order of due, each once.

        `limit` is how many the caller has use for. No lease that is right is longer than `lease`.
        """
        ...

    async def signals_of(self, entries: Sequence[E], turn: int | None = None) -> Sequence[SignalEntries[E]]:
        """The signals of some entries as they are now, each once."""
        ...

    async def move(self, moves: Sequence[Move[E]]) -> Sequence[E | None]:
        """Makes moves, each by itself; returns the entries as they are now, None for one that was not as before any more."""
        ...

    async def move_together(self, moves: Sequence[Move[E]]) -> bool:
        """Makes moves of one signal, all or none; False where one was not as before any more."""
        ...

    async def move_in_order(self, signals: Sequence[Sequence[Move[E]]]) -> Sequence[bool]:
        """Makes the moves of some signals, in order, as many together as the table can; whether all of a signal's were."""
        ...

    async def claims(self, entries: Sequence[E]) -> Sequence[Claim | Undecodable | StoreError]:
        """The claims that entries stand for which were moved just now, or why one could not be read."""
        ...

    async def read(self, entries: Sequence[E]) -> Sequence[Delivery | Undecodable]:
        """The deliveries of some entries, whatever their state, or why one could not be decoded."""
        ...

    async def set_aside(self, entry: E, why: Undecodable) -> None:
        """Keeps the row of a delivery whole that cannot be decoded, where people see it."""
        ...

    async def find_all(self, deliveries: Sequence[Delivery]) -> Sequence[E]:
        """The entries of those deliveries that are there."""
        ...

    async def history(self, entry: E) -> Sequence[E]:
        """Every entry of the same signal at the same destination."""
        ...

    async def note_delivered(self, takers: Collection[tuple[str, str]]) -> None:
        """Remembers that destinations, each with its stream, took a delivery."""
        ...

    async def point(self, entries: Sequence[E], now: datetime) -> None:
        """Points at entries that are open, for when they are due, and at what waited for those that are closed."""
        ...

    async def point_soon(self, entries: Sequence[E]) -> None:
        """Points a little later at where these lie, where nothing else leads to what waits behind them."""
        ...

    async def dead(self) -> Sequence[DeadLetter | DamagedLetter]:
        """The dead letters, oldest first; of those that cannot be decoded what is left of them."""
        ...

    async def find_letter(self, id: str, now: datetime) -> E | DamagedLetter | None:
        """The dead letter of an id."""
        ...

    async def discard_damaged(self, id: str, now: datetime) -> bool:
        """Takes a dead letter off the list that cannot be decoded; False if there is none."""
        ...

    def open_since(
        self, stream: str, names: Collection[str], born_until: datetime, now: datetime, *, others: bool = False
    ) -> AsyncGenerator[Sequence[E]]:
        """What has been owed since an instant or longer to destinations of those names, or to all others; some at a time."""
        ...

    def with_impossible_times(self, now: datetime) -> AsyncGenerator[Sequence[E]]:
        """Open entries that an index says only a wrong clock can have written so; some at a time."""
        ...

    async def died_after(self, instant: datetime) -> Sequence[E]:
        """The dead letters that died after an instant."""
        ...
