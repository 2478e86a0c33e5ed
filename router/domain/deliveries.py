"""Deliveries: what is owed to a destination, what a lane allows it, what becomes of it, and what is known beside it.

What the state knows of a signal beside its notice is read within moments of sending, so it is not out of date."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from router.domain.decisions import Change
from router.domain.keys import delivery_key
from router.domain.notices import Notice, RecordEntry
from router.domain.rulebook import Lane
from router.domain.values import Value, repr_without

LONGEST_LIFE = {Lane.PAGE: timedelta(hours=6), Lane.TICKET: timedelta(hours=72), Lane.ROWS: timedelta(hours=72)}
"""How old a delivery may grow; an attempt at that age or later is its last."""

LONGEST_WAIT = {Lane.PAGE: timedelta(minutes=15), Lane.TICKET: timedelta(hours=4), Lane.ROWS: timedelta(hours=4)}
"""How long a delivery waits for its next attempt at most, whatever its destination wishes."""

LEASE = {Lane.PAGE: timedelta(minutes=1), Lane.TICKET: timedelta(minutes=5), Lane.ROWS: timedelta(minutes=5)}
"""How long a claim is one worker's alone. If the worker dies, the delivery waits so long; a request takes 30 s at most."""

LONGEST_HOLD = {Lane.PAGE: timedelta(hours=4), Lane.TICKET: timedelta(hours=48), Lane.ROWS: timedelta(hours=48)}
"""How long a person may hold a destination, extensions counted: shorter than anything lives that is owed there."""


class Counterpart(Value, kw_only=True):
    """The same signal at another destination, which was told of it earlier."""

    destination: str
    lane: Lane
    reference: str | None = None
    link: str | None = None


class Earlier(Value, kw_only=True):
    """Other signals of the same type on the same resource, before this one.

    Attributes:
        count: how many, at least where `is_whole` is False.
        is_whole: whether the count is of all that are on record.
    """

    count: int
    last: datetime
    is_whole: bool = True


class Background(Value, kw_only=True):
    """What the state knows of a signal, or of its group, when a destination is notified.

    Attributes:
        last: the notice of it that the destination last took; None where it took none, or none is kept.
        handles: the vendor's ids that it answered then, by name, as in `Receipt`.
        opened: when the destination was first owed it, since it last opened there.
        elsewhere: where else people were told of it already, as far as they still are.
        earlier: how often the same happened before, where it did.
    """

    last: Notice | None = None
    handles: Mapping[str, str] = {}
    opened: datetime | None = None
    elsewhere: tuple[Counterpart, ...] = ()
    earlier: Earlier | None = None


NO_BACKGROUND = Background()
"""Nothing is known beside the notice."""


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    OWED = "owed"
    CLAIMED = "claimed"
    SENT = "sent"
    SKIPPED = "skipped"
    DEAD = "dead"


OPEN = frozenset({DeliveryState.OWED, DeliveryState.CLAIMED})
"""The states in which a delivery still has to be sent. In every other one it is closed."""


class DeliveredTurn(Value, kw_only=True):
    """One turn of a signal, a group or an entry of the record at one destination.

    Attributes:
        key: the key of the signal, group or entry.
        change: whether the turn opened, updated or resolved it.
        opened: the turn whose delivery opened the signal at this destination; its own turn where `change` is opened.
    """

    stream: str
    destination: str
    lane: Lane
    key: str
    turn: int
    change: Change
    opened: int

    @property
    def id(self) -> str:
        """The delivery key."""
        return delivery_key(self.key, self.turn, self.destination)


class Delivery(DeliveredTurn, kw_only=True):
    """One notice, or one entry of the record, owed to one destination.

    Attributes:
        trace: the W3C traceparent of the intake of its message:
            https://www.w3.org/TR/trace-context/#traceparent-header
    """

    content: Notice | RecordEntry
    trace: str | None = None


class Receipt(Value, kw_only=True):
    """What a destination answered to a delivery that it took.

    Attributes:
        reference: the vendor's reference, such as a ticket's number.
        handles: the vendor's ids of it by name, which later deliveries need.
    """

    reference: str | None = None
    link: str | None = None
    handles: Mapping[str, str] = {}


REFUSED_KEY = "refused_key"
"""The handle of a receipt that names an owner's key which was refused, where the destination's own took the page."""


class Attempt(Value, kw_only=True):
    """One attempt at one delivery: all that a destination may know.

    Attributes:
        opening: the receipt of the delivery that opened the signal here, where there is one.
        is_note: whether it says nothing but a status that was not told here before: it must open nothing.
        is_untold: whether it resolves what its destination was never told of: it says that it opened and is over.
        background: what the state knows of the signal beside.
        page: the console's page of the signal or group; None where there is none.
    """

    delivery: Delivery
    number: int
    now: datetime
    secrets: Mapping[str, str] = {}
    opening: Receipt | None = None
    since: datetime | None = None
    is_note: bool = False
    is_untold: bool = False
    background: Background = NO_BACKGROUND
    page: str | None = None

    __repr__ = repr_without("secrets")


SUSPECT = 3
"""A delivery whose claim was lost so often is tried with nothing beside it; lost once more, it is dead: it kills."""


class FailedAttempt(NamedTuple):
    """An attempt that failed: when, and why, without a secret."""

    at: datetime
    error: str


class DeliveryStatus(DeliveredTurn, kw_only=True):
    """How far a delivery has come, as its row says.

    Attributes:
        due: when it may be claimed; where it is claimed, when that claim ends.
        settled: when something last became of it; None where nothing has.
        failed: the latest attempts that failed, oldest first.
        lost: how many claims in a row ended without a settlement when the last claim was made.
        redriven: how often a person asked for it again.
        claim: what no two claims of it share; empty where it was never claimed.
        row_id: the row's number; 0 of one that is not stored yet.
    """

    state: DeliveryState
    born: datetime
    due: datetime
    attempts: int = 0
    lost: int = 0
    redriven: int = 0
    settled: datetime | None = None
    error: str | None = None
    failed: tuple[FailedAttempt, ...] = ()
    receipt: Receipt | None = None
    claim: str = ""
    row_id: int = 0

    @property
    def is_open(self) -> bool:
        """Whether it is owed or claimed."""
        return self.state in OPEN

    @property
    def losses(self) -> int:
        """How many of its claims in a row ended without a settlement, if it is claimed now."""
        return self.lost + (self.state is DeliveryState.CLAIMED)

    @property
    def is_suspect(self) -> bool:
        """Whether it may be poison, which kills the worker that tries it: then it is tried alone, after everything else."""
        return self.losses >= SUSPECT

    @property
    def is_poison(self) -> bool:
        """Whether it also killed the worker that tried it alone: then it is given up on."""
        return self.losses > SUSPECT


class Claim(Value, kw_only=True):
    """A delivery that this worker alone may send until its lease ends. `number` is the attempt it makes, from 1.

    Attributes:
        id: what no two claims share.
        lost: the claims before this one that were not settled in time: their workers died of it, or while it was in hand.
        failed: the latest attempts that failed, oldest first.
        is_note, is_untold: as in `Attempt`.
        is_elsewhere: whether another destination took something of its signal.
        earlier: how often the same happened at its resource before, also a count of 0; None where the claim does not know.
    """

    delivery: Delivery
    id: str
    number: int
    born: datetime
    opening: Receipt | None = None
    lost: int = 0
    failed: tuple[FailedAttempt, ...] = ()
    is_note: bool = False
    is_untold: bool = False
    is_elsewhere: bool = False
    earlier: Earlier | None = None


class Settlement(Value, kw_only=True):
    """What became of a claim. `due` is set where it is owed again; `error` is its last trouble, without a secret.

    `spent` is False where the claim was put back untried.
    """

    claim: Claim
    state: DeliveryState
    at: datetime
    due: datetime | None = None
    receipt: Receipt | None = None
    error: str | None = None
    spent: bool = True

    @property
    def delivery(self) -> Delivery:
        """The delivery that was claimed."""
        return self.claim.delivery


class Pause(Value, kw_only=True):
    """A destination that refuses our credentials: since when, why, and when it is next probed."""

    stream: str
    destination: str
    since: datetime
    probe: datetime
    error: str


class Backlog(NamedTuple):
    """What a destination is owed, and how many deliveries to it are dead.

    Attributes:
        oldest: since when the oldest is owed; None where nothing is.
        due, error: of what is due next, when it is, and its last trouble.
    """

    lane: Lane
    oldest: datetime | None
    dead: int
    owed: int = 0
    due: datetime | None = None
    error: str | None = None
