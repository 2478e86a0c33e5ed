"""One destination as a delivery loop knows it: how much may be on its way there, when it may be asked, and what it answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from copy import replace
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from router.deliver.retries import chance
from router.deliver.sender import Sender
from router.domain.conversation import Result
from router.domain.decisions import Change
from router.domain.deliveries import REFUSED_KEY, Delivery, Pause, Receipt, Settlement
from router.domain.errors import Rejected, Unauthorized, Unavailable
from router.domain.notices import Notice
from router.store.claims import Recipient
from router.store.destinations import OF_KEY, PROBE, TOLD

BUSY = timedelta(seconds=5)
"""How long what cannot be tried just now waits, where nothing says how long that will last."""

ROUNDS = 4
"""How many rounds of sends are claimed in one round trip to the state, at a destination that answers at once."""

QUICK = timedelta(seconds=0.1)
"""How soon a destination answers that answers at once."""

LONGEST_REST = timedelta(seconds=30)
"""For how long a destination that wishes to be left alone is at most, by this worker; then one send asks how it is."""

EPOCH = datetime.fromtimestamp(0, UTC)
FAR = datetime.max.replace(tzinfo=UTC)
_NEVER = datetime.min.replace(tzinfo=UTC)


class Finished(NamedTuple):
    """What became of claims of one destination that were sent together, and what that brought; nothing if it was not tried."""

    destination: Destination
    settlements: Sequence[Settlement]
    results: Sequence[Result] = ()


class Answers(NamedTuple):
    """What was answered: what became of claims, and the pauses of destinations and owners' keys; None where one is resumed."""

    settled: Sequence[Settlement]
    pauses: Mapping[str, Pause | None]
    keys: Mapping[str, Pause | None]


def answers_in(finished: Sequence[Finished], now: datetime) -> Answers:
    """Return what was answered to claims, some of them of one destination."""
    destinations = {one.destination.recipient.destination: one.destination for one in finished}
    results: dict[str, list[Result]] = {name: [] for name in destinations}
    keys: dict[str, Pause | None] = {}
    for one in finished:
        results[one.destination.recipient.destination] += one.results
        for settlement, result in zip(one.settlements, one.results, strict=False):
            keys |= find_key_answer(settlement.delivery, result, now)
    after = {
        name: pause_after(one.pause, results[name], stream=one.recipient.stream, destination=name, now=now)
        for name, one in destinations.items()
    }
    return Answers(
        [settlement for one in finished for settlement in one.settlements],
        {name: pause for name, pause in after.items() if pause != destinations[name].pause},
        keys,
    )


def pause_after(
    pause: Pause | None, results: Sequence[Result], *, stream: str, destination: str, now: datetime
) -> Pause | None:
    """The pause of a destination after an attempt brought some results, given the one before; None where there is none.

    A refusal counts for more than whatever else came with it. Where nothing was brought, nothing changes.
    """
    refusal = next((result for result in results if isinstance(result, Unauthorized)), None)
    if refusal is not None:
        since = min(pause.since, now) if pause is not None else now
        return Pause(stream=stream, destination=destination, since=since, probe=now + PROBE, error=str(refusal))
    if pause is None or not results:
        return pause
    if any(isinstance(one, Receipt) or (isinstance(one, Rejected) and one.authenticated) for one in results):
        return None
    return replace(pause, since=min(pause.since, now), probe=now + PROBE)


def find_key_answer(delivery: Delivery, result: Result, now: datetime) -> dict[str, Pause | None]:
    """Return what a result says of an owner's own key, by the key's name among the pauses: None where it took the page."""
    if not isinstance(result, Receipt):
        return {}
    owner = delivery.content.owner if isinstance(delivery.content, Notice) else None
    refused = result.handles.get(REFUSED_KEY)
    own = owner.pager if owner is not None and delivery.change is Change.OPENED else None
    if (key := refused or own) is None:
        return {}
    name = f"{delivery.destination}{OF_KEY}{key}"
    if refused is None:
        return {name: None}
    whose = f" of {owner.name}" if owner is not None and owner.pager == key and owner.name else ""
    error = f"{delivery.destination}: refuses {key}, the pager key{whose}, and is paged by its own key instead"
    return {name: Pause(stream=delivery.stream, destination=name, since=now, probe=now + TOLD, error=error)}


@dataclass
class Destination:
    """What a loop knows of a destination.

    Attributes:
        most: how many sends may be on their way at a time.
        width: how many may be now. One is left where the destination is asked too much; each round that it takes adds one.
        out: how many are, or wait for one of `permits`.
        is_quick: whether it answered at once when it was asked last.
        is_odd: whether only what `claim_odd` claims is due.
        pause: its pause, where it refuses our credentials.
        due: when something is next due there; 1970 where something may be, far ahead where nothing is known of.
        came_empty: whether nothing was claimed there when it was asked last.
        stopped: until when what is claimed and was not begun waits, and the trouble for which it does.
        quiet_until: in the loop's time, until when it is not asked since nothing could be claimed.
    """

    recipient: Recipient
    sender: Sender
    most: int
    clock: Callable[[], datetime]
    width: int = field(init=False)
    permits: asyncio.Semaphore = field(init=False)
    out: int = 0
    is_quick: bool = False
    is_odd: bool = False
    pause: Pause | None = None
    due: datetime = EPOCH
    came_empty: bool = False
    stopped: tuple[datetime, str] | None = None
    quiet_until: float = 0.0
    _taken: int = 0
    _rest_until: datetime = _NEVER

    def __post_init__(self) -> None:
        self.width = self.most
        self.permits = asyncio.Semaphore(self.most)

    @property
    def room(self) -> int:
        """How many deliveries can be sent at once now, or in a moment."""
        is_ahead = self.is_quick and self.width == self.most and self.sender.batch == 1
        many = self.width * (ROUNDS if is_ahead else 1)
        return 0 if self.find_end_of_rest() else max(many - self.out, 0) * self.sender.batch

    @property
    def is_rare(self) -> bool:
        """Whether it is not claimed with others: a probe, or what `claim_odd` claims."""
        return self.is_odd or self.pause is not None

    def is_asked(self, now: datetime) -> bool:
        """Return whether deliveries are to be claimed there now."""
        return self.due <= now and self.room > 0

    def find_end_of_rest(self) -> datetime | None:
        """Return the instant until which the destination wishes to be left alone; None where it does not."""
        rest = self._rest_until - self.clock()
        return self._rest_until if timedelta() < rest <= LONGEST_REST else None

    def hear(self, results: Sequence[Result], width: int, began: datetime, now: datetime) -> None:
        """Ask a destination less that was asked too much when so many sends were allowed, and more that takes what it gets."""
        self.is_quick = now - began <= QUICK
        refusal = next((one for one in results if isinstance(one, Unauthorized)), None)
        if refusal is not None:
            self.stopped = (now + PROBE, str(refusal))
        crowded = [one for one in results if isinstance(one, Unavailable) and one.is_crowded]
        if crowded:
            self.width, self._taken = 1, 0
            wish = timedelta(seconds=max(one.retry_after or 0.0 for one in crowded))
            if wish or width == 1:
                rest = min(wish or BUSY, LONGEST_REST)
                self._rest_until = now + rest
                # Spread by chance, so that those who wait for the same do not come together.
                self.stopped = self.stopped or (self._rest_until + rest * chance(), str(crowded[0]))
        elif any(isinstance(one, Receipt) for one in results):
            self._taken += 1
            if self.width < self.most and self._taken >= self.width:
                self.width, self._taken = self.width + 1, 0
