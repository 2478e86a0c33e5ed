"""A ticket destination for findings on a store, driven by messages and by a clock, and all that it received."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import batched
from typing import Any

from router.domain.catalogue import Catalogue
from router.domain.decisions import Change
from router.domain.deliveries import Claim, DeliveryState, Settlement
from router.domain.notices import Group, Notice
from router.domain.rulebook import Lane, Rulebook
from router.domain.signals import Stream
from router.ingest.intake import Intake
from router.store.claims import Recipient, settle_claims
from router.store.groups import GroupState
from tests.builders import a_message
from tests.store.acts import groups_at
from tests.store.within import claim_in, within

AT = ("cspm", "tickets")
MINUTE = timedelta(minutes=1)


@dataclass
class Ticket:
    """What was received of one group: when, and what it changed."""

    notices: list[tuple[datetime, Change, Notice]] = field(default_factory=list)

    @property
    def changes(self) -> list[str]:
        """What each notice changed."""
        return [change.value for _, change, _ in self.notices]

    @property
    def last(self) -> Notice:
        """The latest notice."""
        return self.notices[-1][2]

    @property
    def is_summary(self) -> bool:
        """Whether it counts what waits."""
        return self.last.group is not None and self.last.group.limited

    @property
    def standing(self) -> int:
        """How many signals stand, as its latest notice says."""
        _, change, notice = self.notices[-1]
        if notice.group is None:
            return int(change is not Change.RESOLVED)
        return notice.group.standing


class Backlog:
    """The destination `tickets` of a rulebook; `tickets` are what it received, by the keys of their groups."""

    def __init__(self, store: Any, book: Rulebook, runs: Any) -> None:
        self.store, self.book, self._runs = store, book, runs
        self.tickets: dict[str, Ticket] = {}

    @property
    def intake(self) -> Intake:
        """An intake as a worker has it that starts now."""
        return Intake(self.store, {Stream.CSPM: self.book}, Catalogue())

    def take(self, bodies: Iterable[bytes], now: datetime, *, at_a_time: int = 100) -> None:
        """Takes messages in."""
        intake = self.intake
        for some in batched(bodies, at_a_time, strict=False):
            self._runs(intake.ingest([a_message(body, at=now) for body in some], now))

    def sweep(self, now: datetime) -> None:
        """Lets the clock tell what is due."""
        self._runs(self.intake.admit_waiting(Stream.CSPM, now))

    def receive(self, now: datetime) -> list[Claim]:
        """Receives what is owed, and keeps it in mind."""
        claims: list[Claim] = self._runs(self._receive(now))
        for one in claims:
            content = one.delivery.content
            assert isinstance(content, Notice)
            self.tickets.setdefault(one.delivery.key, Ticket()).notices.append((now, one.delivery.change, content))
        return claims

    async def _receive(self, now: datetime) -> list[Claim]:
        found: list[Claim] = []
        recipient = Recipient(AT[0], Lane.TICKET, AT[1])
        while claims := await claim_in(self.store, recipient, now, now + MINUTE, 100):
            found += claims
            done = [Settlement(claim=one, state=DeliveryState.SENT, at=now) for one in claims]
            await within(self.store, settle_claims, done)
        return found

    def pass_by(self, now: datetime) -> Sequence[str]:
        """Sweeps and receives; returns what each notice changed."""
        self.sweep(now)
        return [one.delivery.change.value for one in self.receive(now)]

    def standing(self) -> dict[str, GroupState]:
        """The groups in which somebody stands."""
        return self._runs(groups_at(self.store, *AT))  # type: ignore[no-any-return]

    def of_values(self) -> list[Ticket]:
        """The tickets of groups, without summaries."""
        return [one for one in self.tickets.values() if not one.is_summary]

    def summaries(self) -> list[Ticket]:
        """The tickets that count what waits."""
        return [one for one in self.tickets.values() if one.is_summary]


def group_in(notice: Notice) -> Group:
    """The group of a notice that tells of several."""
    assert notice.group is not None
    return notice.group
