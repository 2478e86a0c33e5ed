"""A store of which some statements fail, and some come late."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

from router.domain.errors import StoreError
from router.store.store import Store, Transaction
from tests.store.watching import Around

STATEMENTS = {
    "claim": "SKIP LOCKED",
    "settle": "UPDATE deliveries .* state<>'sent'",
    "pauses": r"FROM destinations\s+WHERE stream=\? AND probe_at",
    "pause": "INSERT INTO destinations .*paused_since",
    "first_due": "AS is_late",
    "beside": "receipt FROM deliveries|FROM lookups|LEFT JOIN notices p ON .* WHERE d.place",
    "abandon": "destination <> ALL",
}
"""By what a statement is known, under the names that tests give them."""


_LATE: ContextVar[set[str]] = ContextVar("destinations whose claims come late")


class Faulty(Around):
    """A store of which some statements find storage down, and whose claims at some destinations come late.

    down   the names of the statements that fail; `faults` says how many did
    late   for each destination whose claims come late, what they wait for once they are made; `made` says how many do
    hung   the names of the statements that are never answered
    seen   how often each statement was asked
    """

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.down: set[str] = set()
        self.hung: set[str] = set()
        self.late: dict[str, asyncio.Event] = {}
        self.made = 0
        self.faults = 0
        self.seen: dict[str, int] = dict.fromkeys(STATEMENTS, 0)

    async def run[T](self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        async with self._waiting():
            return await super().run(work)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Transaction]:
        async with self._waiting(), super().session() as tx:
            yield tx

    @asynccontextmanager
    async def _waiting(self) -> AsyncIterator[None]:
        """A context at whose end what was claimed in it comes late."""
        late: set[str] = set()
        token = _LATE.set(late)
        try:
            yield
        finally:
            _LATE.reset(token)
        for name in late:
            self.made += 1
            await self.late[name].wait()

    async def asked[T](self, tx: Transaction, sql: str, values: Sequence[Any], ask: Callable[[], Awaitable[T]]) -> T:
        for name, words in STATEMENTS.items():
            if re.search(words, sql, re.DOTALL):
                self.seen[name] += 1
                if name in self.down:
                    self.faults += 1
                    raise StoreError("storage is down")
                if name in self.hung:
                    await asyncio.Event().wait()
        answered = await ask()
        if isinstance(answered, tuple) and answered[1] and re.search(STATEMENTS["claim"], sql):
            _LATE.get(set()).update({one for one in values if isinstance(one, str)} & self.late.keys())
        return answered


def faulty(store: Store) -> tuple[Store, Faulty]:
    """The same store that fails as a test says, and what says so."""
    made = Faulty(store)
    return made, made
