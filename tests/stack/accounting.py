"""The books of a run: what was sent into a hub, and where all of it is in the end; and what tests do to its worker."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from router.domain.deliveries import DeliveryState
from router.domain.hubs import Partition
from router.domain.keys import event_uid, signal_key
from router.store import partitions
from router.store.codec import Columns
from router.store.delivery_status import count_deliveries
from router.store.quarantine import list_quarantined
from tests.builders import alert_body
from tests.stack.functions_host import Conditions, Death, FunctionsHost, Outcome
from tests.stack.stack import Stack
from tests.store.within import within
from tests.waiting import PATIENCE, until

ROWS, DECISIONS = "Custom-ASimAlertEventLogs", "Custom-AlertRouterDecisions_CL"
"""The SOC's tables."""


def quick(lease: int = 3) -> dict[str, str]:
    """Settings under which what a dead worker left is taken up within seconds; a wake-up comes back when its lease is over.

    A conversation with the SOC may take 0.8 of the lease.
    """
    hidden = "AzureFunctionsJobHost__extensions__queues__visibilityTimeout"
    return {"ALERT_ROUTER_GRACE": "1", "ALERT_ROUTER_LEASE": str(lease), hidden: f"00:00:{lease + 1:02}"}


QUICK = quick()

_BETWEEN = 2.0


@dataclass(frozen=True, slots=True)
class Letter:
    """A message to the hub `cwpp`: what is to be on record of it, and who at the SOC is to be told."""

    body: bytes = field(repr=False)
    outcome: str
    key: str = ""
    turn: int = 1
    tells: frozenset[str] = frozenset()


def key_of(name: str) -> str:
    """The key of an alert."""
    return signal_key("cwpp", "alert", name)


def _alert(name: str, severity: str, *tells: str) -> Letter:
    return Letter(alert_body(name, Severity=severity), "routed", key_of(name), tells=frozenset(tells))


def high(name: str) -> Letter:
    """An alert that is a page, a ticket and a row."""
    return _alert(name, "High", "pages", "tickets", "rows")


def medium(name: str) -> Letter:
    """An alert that is a ticket and a row."""
    return _alert(name, "Medium", "tickets", "rows")


def low(name: str) -> Letter:
    """An alert below the floor."""
    return Letter(alert_body(name, Severity="Low"), "below_floor")


def junk(body: bytes = b"no JSON") -> Letter:
    """A message that is not understood."""
    return Letter(body, "quarantined")


@dataclass(frozen=True, slots=True)
class Books:
    """What is on record, by message; what is at the SOC, by signal, each thing as often as it is there.

    Rows and decisions are known by their ids, since a table may have a row twice. `quarantined` are whole bodies.
    """

    record: dict[str, list[str]] = field(default_factory=dict)
    pages: Counter[str] = field(default_factory=Counter)
    tickets: Counter[str] = field(default_factory=Counter)
    rows: set[str] = field(default_factory=set)
    decisions: set[str] = field(default_factory=set)
    quarantined: dict[str, bytes] = field(default_factory=dict)


class Post:
    """Takes letters to the hub, and keeps the books as they are due when everything has arrived."""

    def __init__(self, stack: Stack) -> None:
        self.due = Books()
        self._stack = stack

    async def send(self, *letters: Letter, partition: int = 0) -> None:
        """Publishes letters in one batch."""
        first = self._stack.hubs.last_sequences("cwpp")[str(partition)] + 1
        for number, letter in enumerate(letters, first):
            self._enter(f"cwpp:{partition}:1:{number}", f"cwpp/{partition}:{number}", letter)
        self._stack.hubs.append("cwpp", partition, *(letter.body for letter in letters))

    def _enter(self, message: str, source: str, letter: Letter) -> None:
        self.due.record[message] = [letter.outcome]
        self.due.decisions.add(message)
        if letter.outcome == "quarantined":
            self.due.quarantined[source] = letter.body
        if "pages" in letter.tells:
            self.due.pages[letter.key] += 1
        if "tickets" in letter.tells:
            self.due.tickets[letter.key] += 1
        if "rows" in letter.tells:
            self.due.rows.add(event_uid(letter.key, letter.turn))


async def books_of(stack: Stack) -> Books:
    """The books as they are."""
    async with stack.store() as store:
        kept = {one.source: one.quarantined.body for one in await within(store, list_quarantined)}
    record: dict[str, list[str]] = {}
    for row in await rows_in(stack, "SELECT COALESCE(message, key) AS message, outcome FROM decisions"):
        record.setdefault(row.text("message"), []).append(row.text("outcome"))
    at_soc = stack.soc.state()
    return Books(
        record=record,
        pages=Counter(page.dedup_key for page in at_soc["pages"]),
        tickets=Counter(ticket["correlation_id"] for ticket in at_soc["tickets"]),
        rows={row["EventUid"] for row in at_soc["rows"].get(ROWS, [])},
        decisions={row["MessageKey"] for row in at_soc["rows"].get(DECISIONS, [])},
        quarantined=kept,
    )


async def left_over(stack: Stack) -> list[str]:
    """In words, what is not done, or was given up on."""
    async with stack.store() as store:
        counts = await within(store, count_deliveries, "cwpp")
        left = [
            f"{where}: {count} {state}" for (where, state), count in counts.items() if state is not DeliveryState.SENT
        ]
        async with store.session() as tx:
            left += [f"{loss.span}: lost, {loss.why}" for loss in await partitions.read_losses(tx, "cwpp")]
            taken = {one.partition.id: one.sequence for one in await partitions.list_claims(tx, "cwpp")}
            for id, last in stack.hubs.last_sequences("cwpp").items():
                known = await partitions.find_partition(tx, Partition("cwpp", id))
                if last >= 0 and (known is None or known.epoch.number != 1 or taken.get(id) != last):
                    left.append(f"cwpp/{id}: taken in up to {taken.get(id)} of {last}, {known}")
            tries = await tx.fetch("SELECT * FROM tries")
            return [*left, *(f"a try of {row.raw('process')}" for row in tries)]


async def is_delivered(stack: Stack) -> bool:
    """Whether nothing is owed any more."""
    return not await rows_in(stack, "SELECT id FROM deliveries WHERE state IN ('owed', 'claimed') LIMIT 1")


async def rows_in(stack: Stack, sql: str) -> list[Columns]:
    """What a query finds in the state."""
    async with stack.store() as store, store.session() as tx:
        return await tx.fetch(sql)


LANES = ("page", "ticket", "rows")


def conditions(death: Death = Death.CHECKPOINTED) -> Conditions:
    """A platform that is quick."""
    return Conditions(speed=100, death=death, restart_delay=0.05)


def asleep() -> dict[str, str]:
    """Settings under which nothing delivers in any lane of `cwpp`."""
    return {f"AzureWebJobs__deliver_cwpp_{lane}__Disabled": "true" for lane in LANES}


def runs(host: FunctionsHost, function: str, outcome: Outcome) -> int:
    """How many runs of a function ended so."""
    return sum(1 for run in host.invocations if run.function == function and run.outcome is outcome)


def forget_checkpoints(stack: Stack) -> None:
    """Deletes what the platform noted of how far it has read the hub `cwpp`."""
    forgotten = [key for key in stack.checkpoints if key[0] == "cwpp"]
    assert forgotten, "nothing was noted, so nothing is forgotten"
    for key in forgotten:
        del stack.checkpoints[key]


def kill(host: FunctionsHost) -> None:
    """Kills the worker at once, from any thread."""
    os.kill(host.worker_pid, signal.SIGKILL)


async def kill_again_and_again(host: FunctionsHost, every: float, killed: list[int]) -> None:
    """Kills workers until it is cancelled, one in so many seconds on the average, and notes those that are gone."""
    chance = random.Random(20261124)  # noqa: S311  A seed, so that a failure can be had again.
    while True:
        # As deaths come: many right after another, and now and then a while without one.
        await asyncio.sleep(chance.expovariate(1 / every))
        worker = host.worker_pid
        await host.kill_worker()
        killed.append(worker)


async def sweep(host: FunctionsHost) -> None:
    """Fires a sweep, which must come to its end."""
    swept = await host.fire("sweep")
    assert swept.outcome is Outcome.OK, swept.error


async def settle(stack: Stack, sweeping: Callable[[], Awaitable[None]]) -> None:
    """Sweeps now and then until nothing is left to do; raises TimeoutError that says what is."""
    left = ["nothing was looked at in time"]

    async def is_settled() -> bool:
        nonlocal left
        left = await left_over(stack)
        return not left

    try:
        async with asyncio.timeout(PATIENCE):
            while left:
                await sweeping()
                with suppress(TimeoutError):
                    async with asyncio.timeout(_BETWEEN):
                        await until(is_settled, look=0.5)
    except TimeoutError:
        raise TimeoutError(f"After {PATIENCE:.0f} seconds: {'; '.join(left)}") from None
