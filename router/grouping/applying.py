"""What turns of signals make of the groups at one destination, and what it is told of them. Pure.

The first signal of a group goes out at once, under the group's key. Those like it that come within the window join it, and
it is over with the last of them. The alerts that an incident names, and the incident, are one group whatever they are like.
Where a destination has opened as much as its limit lets it, what comes next joins one more group, whose notice is the
summary of what is held.

At a pager what joins calls nobody. So one that is graver than all before it does not join: it opens. And whoever has a pager
of their own is called by that, with groups and a limit of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from router.domain.decisions import Change
from router.domain.groups import Board, Cards, GroupCard, MemberCard, Opening, SlotCard, Told
from router.domain.keys import group_key
from router.domain.notices import Delivery, Group
from router.domain.rulebook import DestinationSpec, Lane, Limit, written
from router.grouping.likeness import (
    Step,
    claimed_slot,
    grouping_of,
    limited_slot,
    members_for,
    pager_of,
    slot_of,
    slots_for,
    words_of,
)
from router.grouping.telling import NAMED, change_of, delivery_of, graver, gravity_of, named_in, weight_of


@dataclass(frozen=True, slots=True)
class Gathered:
    """What is to be written, and the notices that are owed once it is."""

    board: Board
    cards: Cards
    deliveries: tuple[Delivery, ...]


def gather(steps: Sequence[Step], board: Board, cards: Cards, spec: DestinationSpec | None, now: datetime) -> Gathered:
    """Applies steps at one destination, at most one of each signal, to the cards that they ask about.

    A step that was applied before changes nothing; what it told is owed again, under the same key.
    """
    gathering = _Gathering(board, cards, spec, now)
    # The gravest first: they open, and notices are in their words. Endings last: nothing is over that another one joins.
    for step in sorted(steps, key=lambda one: (one.target.change is Change.RESOLVED, -weight_of(one))):
        gathering.apply(step)
    return gathering.result()


def told_before(steps: Sequence[Step], cards: Cards) -> list[Delivery]:
    """What those of some steps told that are on their members' cards."""
    known = [(step, cards.members.get(step.notice.key)) for step in steps]
    return [
        delivery_of(step, member.group, cards.groups[member.group], member.told)
        for step, member in known
        if member is not None and member.turn == step.turn.number and member.told is not None
    ]


@dataclass(slots=True)
class _Gathering:
    """The cards of a destination while steps are applied to them; those that changed hide those that are known."""

    board: Board
    known: Cards
    spec: DestinationSpec | None
    now: datetime
    members: dict[str, MemberCard] = field(default_factory=dict)
    groups: dict[str, GroupCard] = field(default_factory=dict)
    slots: dict[str, SlotCard] = field(default_factory=dict)
    touched: dict[str, list[Step]] = field(default_factory=dict)
    owed: list[Delivery] = field(default_factory=list)

    def apply(self, step: Step) -> None:
        member = self._member(step.notice.key)
        if member is not None and member.turn >= step.turn.number:
            if member.turn == step.turn.number and member.told is not None:
                self.owed.append(delivery_of(step, member.group, self._group(member.group), member.told))
        elif member is not None and member.stands:
            self._claim(step, member.group)
            self._tell(step, member.group)
        elif step.target.change is not Change.RESOLVED:
            self._tell(step, self._group_for(step))

    def _group_for(self, step: Step) -> str:
        """The group that a signal joins: one that stands, else one that it opens."""
        taking = list(self._taking(step))
        key = next((key for key in taking if self._is_joined(step, key)), None) or self._opened(step, taking)
        self._claim(step, key)
        return key

    def _claim(self, step: Step, key: str) -> None:
        """Lets the alerts that an incident names join its group when they come."""
        until = self.now + grouping_of(self.spec).window
        self.slots |= {claimed_slot(id): SlotCard(group=key, until=until) for id in step.notice.alerts}

    def _is_joined(self, step: Step, key: str) -> bool:
        """Whether a group stands that a signal joins; one that is graver than it calls people anew."""
        card = self._group(key)
        is_graver = step.target.lane is Lane.PAGE and weight_of(step) > gravity_of(card.severity)
        return card.group.standing > 0 and not is_graver

    def _taking(self, step: Step) -> Iterator[str]:
        """The groups that take a signal: that of its incident, those of the alerts that it names, that of its values."""
        claimed, alike, _ = slots_for(step, self.spec)
        yield from self._in(claimed)
        for alert in members_for(step)[1:]:
            if (member := self._member(alert)) is not None and member.stands:
                yield member.group
        yield from self._in(alike)

    def _in(self, slot: str) -> Iterator[str]:
        found = self.slots.get(slot) or self.known.slots.get(slot)
        if found is not None and found.until > self.now and self._find_group(found.group) is not None:
            yield found.group

    def _opened(self, step: Step, taking: Sequence[str]) -> str:
        """The group that opens: one that is over before its window is, a new one, or that of what is beyond the limit."""
        grouping, limit = grouping_of(self.spec), self.spec.limit if self.spec is not None else None
        if limit is not None and not self._is_admitted(pager_of(step), limit, beyond=False):
            beyond = (key for key in self._in(limited_slot(step)) if self._is_joined(step, key) or self._is_over(key))
            words = ("limit", f"{limit.most} openings in {written(limit.window)}")
            return next(beyond, None) or self._new(step, limited_slot(step), limit.window, (words,))
        over = next((key for key in taking if self._is_over(key) and not self._group(key).group.limited), None)
        return over or self._new(step, slot_of(step, grouping), grouping.window, words_of(step.notice, grouping))

    def _is_admitted(self, pager: str | None, limit: Limit, *, beyond: bool) -> bool:
        """Whether there is room for one more opening, which is taken then."""
        recent = tuple(one for one in self.board.openings if one.at > self.now - limit.window)
        if sum((one.pager, one.beyond) == (pager, beyond) for one in recent) >= limit.most:
            return False
        self.board = replace(self.board, openings=(*recent, Opening(self.now, pager, beyond)))
        return True

    def _is_over(self, key: str) -> bool:
        return not self._group(key).group.standing

    def _new(self, step: Step, slot: str, window: timedelta, by: tuple[tuple[str, str], ...]) -> str:
        notice, at = step.notice, step.target.destination
        key = group_key(notice.stream, at, slot, notice.key, step.turn.number, self.now.isoformat())
        group = Group(by=by, total=0, standing=0, named=(), limited=slot == limited_slot(step))
        self.groups[key] = GroupCard(
            group=group,
            turn=0,
            opened=0,
            is_open=False,
            severity=None,
            severity_written=None,
            respond_by=None,
            at=self.now,
        )
        self.slots[slot] = SlotCard(group=key, until=self.now + window)
        return key

    def _tell(self, step: Step, key: str) -> None:
        """Lets a member join a group, change in it, or be over."""
        card, member = self._group(key), self._member(step.notice.key)
        stands, stood = step.target.change is not Change.RESOLVED, member is not None and member.stands
        is_new = member is None or member.group != key
        others = tuple(one for one in card.group.named if one.key != step.notice.key)
        group = replace(
            card.group,
            total=card.group.total + (stands and is_new),
            standing=card.group.standing + stands - stood,
            named=(named_in(step.notice), *others)[:NAMED] if stands else others,
        )
        self.groups[key] = replace(graver(card, step.notice) if stands else card, group=group, at=self.now)
        self.members[step.notice.key] = MemberCard(
            group=key, turn=step.turn.number, stands=stands, told=None, at=self.now
        )
        self.touched.setdefault(key, []).append(step)

    def result(self) -> Gathered:
        """Gives each group that has something to tell its next turn, and its members the notice that they went into."""
        for key, steps in self.touched.items():
            card = self.groups[key]
            change = change_of(card, steps)
            if change is None or (change is Change.OPENED and not self._is_told(steps[0], card)):
                continue
            turn = card.turn + 1
            told = Told(turn=turn, change=change, opened=turn if change is Change.OPENED else card.opened)
            self.groups[key] = replace(card, turn=turn, opened=told.opened, is_open=change is not Change.RESOLVED)
            self.members |= {one.notice.key: replace(self.members[one.notice.key], told=told) for one in steps}
            self.owed.append(delivery_of(steps[0], key, card, told))
        board = replace(self.board, unsure=tuple(self.members))
        return Gathered(board, Cards(self.members, self.groups, self.slots), tuple(self.owed))

    def _is_told(self, step: Step, card: GroupCard) -> bool:
        """Whether a group may open: a summary that was over, no more often than the destination opens anything."""
        limit = self.spec.limit if self.spec is not None else None
        is_first = not card.group.limited or not card.turn
        return is_first or limit is None or self._is_admitted(pager_of(step), limit, beyond=True)

    def _member(self, key: str) -> MemberCard | None:
        return self.members.get(key) or self.known.members.get(key)

    def _find_group(self, key: str) -> GroupCard | None:
        return self.groups.get(key) or self.known.groups.get(key)

    def _group(self, key: str) -> GroupCard:
        return self.groups[key] if key in self.groups else self.known.groups[key]
