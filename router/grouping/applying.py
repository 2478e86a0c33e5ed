"""What turns of signals make of the groups at one destination, and what it is told of them. Pure.

The first signal of a group goes out at once, under the group's key. Those like it that come within the window join it, and
it is over with the last of them. The alerts that an incident names, and the incident, are one group whatever they are like,
as far as they are for the same people. Where a destination has opened as much as its limit lets it, what comes next joins one
more group, whose notice is the summary of what is held. A summary that may not open yet waits, and opens as soon as there is
room, whoever looks first: the next message, or a sweep.

At a pager what joins calls nobody. So one that is graver than all before it does not join: it opens. And whoever has a pager
of their own is called by that, with groups and a limit of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from router.domain.clocks import is_possible
from router.domain.decisions import Change
from router.domain.groups import Board, Cards, GroupCard, MemberCard, SlotCard, Told
from router.domain.keys import group_key
from router.domain.notices import Delivery, Group
from router.domain.rulebook import DestinationSpec, Lane, Limit, written
from router.grouping.gravity import gravity_of
from router.grouping.likeness import (
    Step,
    audience_for,
    claimed_slot,
    grouping_of,
    is_for_whom,
    limited_slot,
    members_for,
    slot_of,
    whose_of,
    words_of,
)
from router.grouping.limits import Audience, audience_of, has_room, has_room_beyond, opening_of, recent
from router.grouping.telling import (
    change_of,
    delivery_of,
    graver,
    named_in,
    named_of,
    opening_of_waiting,
    weight_of,
    words_that_wait,
)

MOST_ADMITTED = 40
"""Groups that waited of which one change of a board lets open: a transaction of a table takes 100 rows."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What is to be written, and the notices that are owed once it is."""

    board: Board
    cards: Cards
    deliveries: tuple[Delivery, ...]


def gather(
    steps: Sequence[Step], destination: str, board: Board, cards: Cards, spec: DestinationSpec | None, now: datetime
) -> Gathered:
    """Applies steps at one destination, at most one of each signal, to the cards that they ask about.

    Groups that wait come first, so that nobody who comes later takes their room; without steps, only they do. A step that
    was applied before changes nothing; what it told is owed again, under the same key.
    """
    gathering = _Gathering(destination, board, cards, spec, now)
    gathering.admit_waiting()
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
        if member.group in cards.groups
    ]


def admitted_before(destination: str, board: Board, cards: Cards, spec: DestinationSpec | None) -> list[Delivery]:
    """The openings of the groups that waited and that the last change of a board let open."""
    known = ((key, cards.groups.get(key)) for key in board.admitted)
    openings = (opening_of_waiting(destination, lane_of(spec), key, card) for key, card in known if card is not None)
    return [opening for opening in openings if opening is not None]


def lane_of(spec: DestinationSpec | None) -> Lane:
    """The lane of a destination; one that the policy no longer names gets dead letters like tickets."""
    return spec.lane if spec is not None else Lane.TICKET


@dataclass(slots=True)
class _Gathering:
    """The cards of a destination while steps are applied to them; those that changed hide those that are known."""

    destination: str
    board: Board
    known: Cards
    spec: DestinationSpec | None
    now: datetime
    members: dict[str, MemberCard] = field(default_factory=dict)
    groups: dict[str, GroupCard] = field(default_factory=dict)
    slots: dict[str, SlotCard] = field(default_factory=dict)
    touched: dict[str, list[Step]] = field(default_factory=dict)
    admitted: list[str] = field(default_factory=list)
    owed: list[Delivery] = field(default_factory=list)

    def admit_waiting(self) -> None:
        """Lets groups that wait open as far as there is room, those that have waited longest first."""
        for key in self.board.waiting:
            card = self._find_group(key)
            if card is None or card.waiting is None or not _waits(card):
                continue
            if len(self.admitted) == MOST_ADMITTED:
                return
            audience = audience_of(card.waiting, lane_of(self.spec))
            if self._takes_room(audience, card.severity, beyond=True) or self._takes_room(audience, card.severity):
                turn = card.turn + 1
                self.groups[key] = opened = replace(card, turn=turn, opened=turn, is_open=True, at=self.now)
                self.admitted.append(key)
                if (opening := opening_of_waiting(self.destination, lane_of(self.spec), key, opened)) is not None:
                    self.owed.append(opening)

    def apply(self, step: Step) -> None:
        """Lets a step's signal join a group, change in it, or leave it."""
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
        """Lets the alerts that an incident names join its group when they come, if they are for the same people."""
        grouping = grouping_of(self.spec)
        until, whose = self.now + grouping.window, whose_of(step, grouping)
        self.slots |= {claimed_slot(id, whose): SlotCard(group=key, until=until) for id in step.notice.alerts}

    def _is_joined(self, step: Step, key: str) -> bool:
        """Whether a group stands that a signal joins; one that is graver than what called people calls them anew."""
        card = self._group(key)
        calls = step.target.lane is Lane.PAGE and card.is_open and weight_of(step) > gravity_of(card.severity)
        return card.group.standing > 0 and not calls

    def _taking(self, step: Step) -> Iterator[str]:
        """The groups that take a signal: that of its incident, those of the alerts that it names, that of its values."""
        grouping = grouping_of(self.spec)
        whose = whose_of(step, grouping)
        yield from self._in(claimed_slot(step.notice.id, whose), grouping.window)
        for alert in members_for(step)[1:]:
            member = self._member(alert)
            if member is not None and member.stands and self._group(member.group).whose in (whose, limited_slot(step)):
                yield member.group
        yield from self._in(slot_of(step, grouping), grouping.window)

    def _in(self, slot: str, window: timedelta) -> Iterator[str]:
        """The group of a slot, unless its time is over, or was written down by a clock that was wrong."""
        found = self.slots.get(slot) or self.known.slots.get(slot)
        if found is None or self._find_group(found.group) is None:
            return
        if self.now < found.until and is_possible(found.until, self.now, window):
            yield found.group

    def _opened(self, step: Step, taking: Sequence[str]) -> str:
        """The group that opens: one that is over before its window is, a new one, or that of what is beyond the limit."""
        limit = self.spec.limit if self.spec is not None else None
        if limit is not None and not self._takes_room(audience_for(step), step.notice.severity):
            words = ("limit", f"{limit.most} openings in {written(limit.window)}")
            slot = limited_slot(step)
            return next(self._beyond(step, limit), None) or self._new(step, slot, slot, limit.window, (words,))
        grouping = grouping_of(self.spec)
        over = next((key for key in taking if self._is_over(key) and not self._group(key).group.limited), None)
        slot, whose = slot_of(step, grouping), whose_of(step, grouping)
        return over or self._new(step, slot, whose, grouping.window, words_of(step.notice, grouping))

    def _beyond(self, step: Step, limit: Limit) -> Iterator[str]:
        """The groups that take what is beyond the limit: the one whose window it is, else one that waits for room."""
        whose = limited_slot(step)
        yield from (key for key in self._in(whose, limit.window) if self._is_joined(step, key) or self._is_over(key))
        known = {**self.known.groups, **self.groups}
        yield from (key for key, card in known.items() if card.whose == whose and _waits(card))

    def _takes_room(self, audience: Audience, severity: str | None, *, beyond: bool = False) -> bool:
        """Whether there is room for one more opening, which is taken then."""
        limit = self.spec.limit if self.spec is not None else None
        if limit is None:
            return True
        openings = recent(self.board.openings, limit, self.now)
        if beyond:
            is_free = has_room_beyond(openings, audience, limit, lane_of(self.spec), severity)
        else:
            is_free = has_room(openings, audience, limit)
        if is_free:
            one = opening_of(audience, severity, self.now, beyond=beyond)
            self.board = replace(self.board, openings=(*openings, one))
        return is_free

    def _is_over(self, key: str) -> bool:
        return not self._group(key).group.standing

    def _new(self, step: Step, slot: str, whose: str, window: timedelta, by: tuple[tuple[str, str], ...]) -> str:
        notice = step.notice
        key = group_key(notice.stream, self.destination, slot, notice.key, step.turn.number, self.now.isoformat())
        self.groups[key] = GroupCard(
            group=Group(by=by, total=0, standing=0, named=(), limited=slot == limited_slot(step)),
            turn=0,
            opened=0,
            is_open=False,
            severity=None,
            severity_written=None,
            respond_by=None,
            at=self.now,
            whose=whose,
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
            named=named_of((named_in(step.notice), *others)) if stands else others,
        )
        # What waited is of use until its opening is certainly owed.
        waits = key in self.admitted or (group.standing > 0 and not card.is_open)
        self.groups[key] = replace(
            graver(card, step.notice) if stands else card,
            group=group,
            waiting=card.waiting if waits else None,
            at=self.now,
        )
        self.members[step.notice.key] = MemberCard(
            group=key, turn=step.turn.number, stands=stands, told=None, at=self.now
        )
        self.touched.setdefault(key, []).append(step)

    def result(self) -> Gathered:
        """Gives each group that has something to tell its next turn, and its members the notice that they went into."""
        for key, touched in self.touched.items():
            card = self.groups[key]
            # In the words of one whom it calls: who has moved to other people meanwhile leaves the others behind.
            theirs = [step for step in touched if is_for_whom(card, step)]
            steps = theirs + [step for step in touched if step not in theirs]
            change = change_of(card, steps)
            if change is Change.OPENED and card.group.limited and not self._is_admitted(card, steps):
                self.groups[key] = replace(card, waiting=words_that_wait(card, steps))
            elif change is not None:
                self._tells(key, change, steps)
        waiting = dict.fromkeys((*self.board.waiting, *self.touched))
        board = replace(
            self.board,
            unsure=tuple(self.members),
            waiting=tuple(key for key in waiting if (found := self._find_group(key)) is not None and _waits(found)),
            admitted=tuple(self.admitted),
        )
        return Gathered(board, Cards(self.members, self.groups, self.slots), tuple(self.owed))

    def _is_admitted(self, card: GroupCard, steps: Sequence[Step]) -> bool:
        """Whether a summary may open with what changed in it; the end of one of its members opens nothing."""
        news = [step for step in steps if step.target.change is not Change.RESOLVED and is_for_whom(card, step)]
        return bool(news) and self._takes_room(audience_for(news[0]), card.severity, beyond=True)

    def _tells(self, key: str, change: Change, steps: Sequence[Step]) -> None:
        card = self.groups[key]
        turn = card.turn + 1
        told = Told(turn=turn, change=change, opened=turn if change is Change.OPENED else card.opened)
        self.groups[key] = replace(card, turn=turn, opened=told.opened, is_open=change is not Change.RESOLVED)
        self.members |= {one.notice.key: replace(self.members[one.notice.key], told=told) for one in steps}
        self.owed.append(delivery_of(steps[0], key, card, told))

    def _member(self, key: str) -> MemberCard | None:
        """The card of a signal, if that of its group is there as well."""
        found = self.members.get(key) or self.known.members.get(key)
        return found if found is not None and self._find_group(found.group) is not None else None

    def _find_group(self, key: str) -> GroupCard | None:
        return self.groups.get(key) or self.known.groups.get(key)

    def _group(self, key: str) -> GroupCard:
        return self.groups[key] if key in self.groups else self.known.groups[key]


def _waits(card: GroupCard) -> bool:
    return card.waiting is not None and card.group.standing > 0 and not card.is_open
