"""A ticket destination for findings on a store, driven by messages and by a clock, and all that it received."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from router.domain.decisions import Change
from router.domain.deliveries import Claim
from router.domain.notices import Group, Notice
from router.domain.signals import Stream
from router.ingest.grouping import tell_waiting
from router.store.groups import GroupState
from tests.builders import a_message
from tests.store.acts import groups_at, run
from tests.store.life import Life

AT = (Stream.CSPM.value, "tickets")


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
    def group(self) -> Group:
        """The group of the latest notice, which tells of several."""
        assert self.last.group is not None
        return self.last.group

    @property
    def is_summary(self) -> bool:
        """Whether it counts what waits."""
        return self.last.group is not None and self.last.group.limited

    @property
    def standing(self) -> int:
        """How many signals stand, as its latest notice says."""
        return self.group.standing if self.last.group is not None else int(self.changes[-1] != "resolved")


@dataclass
class Backlog(Life):
    """The destination `tickets` of a rulebook; `tickets` are what it received, by the keys of their groups."""

    tickets: dict[str, Ticket] = field(default_factory=dict)

    def take(self, bodies: Iterable[bytes], now: datetime) -> None:
        """Takes messages in, all at once."""
        self.now = now
        self.ingest(*(a_message(body, at=now) for body in bodies))

    def sweep(self, now: datetime) -> None:
        """Lets the clock tell what is due."""
        run(tell_waiting(self.store, self.book, now))

    def receive(self, now: datetime) -> list[Claim]:
        """Receives what is owed, and keeps it in mind."""
        self.now = now
        claims = self.owed("tickets")
        for one in claims:
            assert isinstance(one.delivery.content, Notice)
            ticket = self.tickets.setdefault(one.delivery.key, Ticket())
            ticket.notices.append((now, one.delivery.change, one.delivery.content))
        return claims

    def pass_by(self, now: datetime) -> Sequence[str]:
        """Sweeps and receives; returns what each notice changed."""
        self.sweep(now)
        return [one.delivery.change.value for one in self.receive(now)]

    def standing(self) -> dict[str, GroupState]:
        """The groups in which somebody stands."""
        return run(groups_at(self.store, *AT))

    def of_values(self) -> list[Ticket]:
        """The tickets of groups, without summaries."""
        return [one for one in self.tickets.values() if not one.is_summary]

    def summaries(self) -> list[Ticket]:
        """The tickets that count what waits."""
        return [one for one in self.tickets.values() if one.is_summary]
