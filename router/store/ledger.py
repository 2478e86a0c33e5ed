"""The latest state known of each signal, and how messages about it become turns."""

from __future__ import annotations

from collections.abc import Mapping
from copy import replace
from datetime import datetime
from typing import NamedTuple

from router.domain.clocks import is_plausible
from router.domain.decisions import Change, Outcome
from router.domain.deliveries import Delivery
from router.domain.hubs import Arrival
from router.domain.notices import Notice, RecordEntry
from router.domain.rule_fields import RuleFields
from router.domain.rulebook import Lane
from router.domain.values import Value, repr_without
from router.store.snapshots import Appearances


class State(NamedTuple):
    """The state in which a signal was last observed.

    Attributes:
        status: as it is written, in lower case; New and Active are one status.
        severity: None where none is known.
        measure: what a score measures; for another finding the fingerprint of its CVEs, the version that mends it and its risk;
            for an incident the fingerprints of the alerts that it named so far, in order, or of very many the first of them and
            how many they are.
    """

    resolved: bool
    status: str
    severity: int | None
    measure: str | None = None

    def differs_in_status_only(self, other: State) -> bool:
        """Whether nothing sets two states of a signal that stands apart but the status."""
        return not self.resolved and self._replace(status=other.status) == other


class Seen(NamedTuple):
    """When a state held.

    Attributes:
        changed: the time that the message itself gives.
        arrival: where and when the message came in.
        deleted: whether the message is a Delete, whose own time says nothing.
    """

    changed: datetime | None
    arrival: Arrival
    deleted: bool = False

    def is_older_than(self, other: Seen) -> bool:
        """Whether this state is older: by own times where they differ and neither is a Delete, else by arrival."""
        mine, theirs = self.changed, other.changed
        if mine is None or theirs is None or mine == theirs or self.deleted or other.deleted:
            return self.arrival.is_before(other.arrival)
        return mine < theirs

    def without_impossible(self, now: datetime) -> Seen:
        """The same without times that are ahead of a clock: no later message could ever be later than those."""
        enqueued, arrival = self.arrival.enqueued, self.arrival
        if enqueued is not None and not is_plausible(enqueued, now):
            arrival = replace(arrival, enqueued=None)
        changed = self.changed if self.changed is not None and is_plausible(self.changed, now) else None
        return self._replace(changed=changed, arrival=arrival)


class Target(NamedTuple):
    """One destination that a turn notifies, and of what; `opened` is the turn that opened the signal there.

    Where the signal is a member of a group there, the group has turns of its own.
    """

    destination: str
    lane: Lane
    change: Change
    opened: int
    grouped: bool = False


class Held(Value, kw_only=True):
    """What holds a signal, and its body, which is decided again when that ends.

    Attributes:
        rule: the name of the rule or the silence.
        until: when that ends, as it stood when the signal was last decided.
        rulebook: the hash of the rulebook under which the signal was suppressed.
        source: what people call the place where the message came in.
        body: None where a row was asked for without it.
        since: when it was first decided that this rule holds the signal; None where that is not known, as with `messages`.
    """

    rule: str
    until: datetime
    rulebook: str
    source: str
    body: bytes | None = None
    since: datetime | None = None
    messages: int | None = None

    __repr__ = repr_without("body")


class Turn(Value, kw_only=True):
    """One step of one signal, counted from 1; without a notice no destination is notified. `trace` is a W3C traceparent."""

    number: int
    entry: RecordEntry
    notice: Notice | None = None
    targets: tuple[Target, ...] = ()
    trace: str | None = None

    def deliveries(self) -> tuple[Delivery, ...]:
        """The deliveries that this turn owes, but for those of groups."""
        if self.notice is None:
            return ()
        return tuple(
            Delivery(
                stream=self.notice.stream,
                destination=target.destination,
                lane=target.lane,
                key=self.notice.key,
                turn=self.number,
                change=target.change,
                opened=target.opened,
                content=self.notice,
                trace=self.trace,
            )
            for target in self.targets
            if not target.grouped
        )


UNSEEN = "unseen:"
"""How the origin of a state begins that no message told of: snapshots came without the signal. No hub may be named so."""


STANDING = frozenset({Outcome.ROUTED, Outcome.SUPPRESSED})
"""Outcomes after which a signal that is not over stands."""


class LedgerRow(Value, kw_only=True):
    """What is known of one signal: the state in which it was last observed, when that held, and its latest turn.

    Attributes:
        open: each destination where it is open, with the turn that opened it there.
        grouped: those of these destinations where it is open as a member of a group.
        forwarded: whether any destination was ever notified of it.
        held: what holds it; None where nothing does.
        closed_at: when it was last observed to be resolved.
        heard: when a message about it that was not older than what is known came in, or it was decided again.
        since: when it was first routed or held since it stood last; None where it never stood.
        owner: what owners.yaml called its owner then, and cluster: the name of its Kubernetes cluster.
        fields: what rules can match of it. A row is found without them, and keeps those that are stored where it is written
            without them.
        appearances: when messages named it, where it is a finding that ends when it is no longer there.
        is_stored: whether the state has it already.
    """

    key: str
    stream: str
    state: State
    seen: Seen
    turn: int
    outcome: Outcome
    open: Mapping[str, int] = {}
    grouped: frozenset[str] = frozenset()
    forwarded: bool = False
    held: Held | None = None
    closed_at: datetime | None = None
    heard: datetime | None = None
    since: datetime | None = None
    owner: str | None = None
    cluster: str | None = None
    fields: RuleFields | None = None
    appearances: Appearances | None = None
    is_stored: bool = False

    @property
    def stands(self) -> bool:
        """Whether it was routed or is held, and is not over."""
        return not self.state.resolved and self.outcome in STANDING

    @property
    def is_unseen(self) -> bool:
        """Whether it ended because it was not seen any more, and nothing was heard of it since."""
        return self.state.resolved and self.seen.arrival.origin.startswith(UNSEEN)


RECORD = "record"
"""The destination that is the record's optional second home; no destination of a policy may bear this name."""


def record_key(decision: str, stream: str) -> str:
    """The key under which the record's second home is owed a decision, by the decision's own key."""
    return f"{decision}/{stream}"


def record_delivery(entry: RecordEntry, stream: str) -> Delivery:
    """The delivery that the record's second home is owed for one decision."""
    return Delivery(
        stream=stream,
        destination=RECORD,
        lane=Lane.ROWS,
        key=record_key(entry.key, stream),
        turn=1,
        change=Change.OPENED,
        opened=1,
        content=entry,
    )
