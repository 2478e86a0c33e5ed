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
from router.domain.keys import group_key, signal_key, slot_key
from router.domain.ledger import Target, Turn
from router.domain.notices import Delivery, Group, Named, Notice
from router.domain.rulebook import By, DestinationSpec, Grouping, Lane, Limit, written
from router.domain.signals import Kind, Severity

NAMED = 20
"""The latest of its standing members that a group's notice names; it counts them all."""

_ALONE = Grouping((By.INCIDENT,), timedelta(days=1))
_GRAVITY = {severity.label: severity for severity in Severity}
_TEXT = 200  # characters of a member's title, and of its place


@dataclass(frozen=True, slots=True)
class Step:
    """A turn, its notice, and one destination that is told of it as of a member of a group."""

    turn: Turn
    notice: Notice
    target: Target


@dataclass(frozen=True, slots=True)
class Gathered:
    """What is to be written, and the notices that are owed once it is."""

    board: Board
    cards: Cards
    deliveries: tuple[Delivery, ...]


def steps_of(turn: Turn) -> list[Step]:
    """What a turn tells destinations as of a member of a group."""
    if turn.notice is None:
        return []
    return [Step(turn, turn.notice, target) for target in turn.targets if target.grouped]


def members_for(step: Step) -> list[str]:
    """The members that a step asks about: its own signal, and the alerts that it names as an incident."""
    notice = step.notice
    return [notice.key, *(signal_key(notice.stream, Kind.ALERT, id) for id in notice.evidence.alerts)]


def slots_for(step: Step, spec: DestinationSpec | None) -> list[str]:
    """The slots that a step asks about: the one that an incident claimed for it, its values', and the limit's."""
    return [_claimed(step.notice.id), _slot(step, _grouping_of(spec)), _limited(step)]


def account_of(notice: Notice, spec: DestinationSpec) -> str:
    """In words, with which others a destination is told of a signal that comes now, and how much it opens."""
    grouping, said = _grouping_of(spec), []
    lacking = [by.value for by in grouping.by if by is not By.INCIDENT and _value(notice, by) is None]
    if spec.group is not None and lacking:
        said.append(f"no, it has no {' and no '.join(lacking)}")
    elif spec.group is not None and (alike := _words(notice, grouping)):
        same = " and ".join(f"{name} {value}" for name, value in alike)
        said.append(f"with those of {same} within {written(grouping.window)} of the first")
    if notice.evidence.alerts:
        said.append(f"with the {len(notice.evidence.alerts)} alerts that it names")
    if spec.limit is not None:
        said.append(f"at most {spec.limit.most} openings in {written(spec.limit.window)}, beyond that in one summary")
    return "; ".join(said) or "no, but for what an incident names"


def gather(steps: Sequence[Step], board: Board, cards: Cards, spec: DestinationSpec | None, now: datetime) -> Gathered:
    """Applies steps at one destination, at most one of each signal, to the cards that they ask about.

    A step that was applied before changes nothing; what it told is owed again, under the same key.
    """
    gathering = _Gathering(board, cards, spec, now)
    # The gravest first: they open, and notices are in their words. Endings last: nothing is over that another one joins.
    for step in sorted(steps, key=lambda one: (one.target.change is Change.RESOLVED, -_weight(one))):
        gathering.apply(step)
    return gathering.result()


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
                self.owed.append(_delivery(step, member.group, self._group(member.group), member.told))
        elif member is not None and member.stands:
            self._tell(step, member.group)
        elif step.target.change is not Change.RESOLVED:
            self._tell(step, self._group_for(step))

    def _group_for(self, step: Step) -> str:
        """The group that a signal joins: one that stands, else one that it opens."""
        taking = list(self._taking(step))
        key = next((key for key in taking if self._is_joined(step, key)), None) or self._opened(step, taking)
        # Alerts that an incident names and that come after it join it.
        until = self.now + _grouping_of(self.spec).window
        for id in step.notice.evidence.alerts:
            self.slots[_claimed(id)] = SlotCard(group=key, until=until)
        return key

    def _is_joined(self, step: Step, key: str) -> bool:
        """Whether a group stands that a signal joins; one that is graver than it calls people anew."""
        card = self._group(key)
        is_graver = step.target.lane is Lane.PAGE and _weight(step) > _gravity(card.severity)
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
        grouping, limit = _grouping_of(self.spec), self.spec.limit if self.spec is not None else None
        if limit is not None and not self._is_admitted(step, limit):
            beyond = (key for key in self._in(_limited(step)) if self._is_joined(step, key) or self._is_over(key))
            words = ("limit", f"{limit.most} openings in {written(limit.window)}")
            return next(beyond, None) or self._new(step, _limited(step), limit.window, (words,))
        over = next(filter(self._is_over, taking), None)
        return over or self._new(step, _slot(step, grouping), grouping.window, _words(step.notice, grouping))

    def _is_admitted(self, step: Step, limit: Limit) -> bool:
        """Whether there is room for one more opening, which is taken then."""
        pager = _pager(step)
        recent = tuple(one for one in self.board.openings if one.at > self.now - limit.window)
        if sum(one.pager == pager for one in recent) >= limit.most:
            return False
        self.board = replace(self.board, openings=(*recent, Opening(self.now, pager)))
        return True

    def _is_over(self, key: str) -> bool:
        return not self._group(key).group.standing

    def _new(self, step: Step, slot: str, window: timedelta, by: tuple[tuple[str, str], ...]) -> str:
        notice, at = step.notice, step.target.destination
        key = group_key(notice.stream, at, slot, notice.key, step.turn.number, self.now.isoformat())
        group = Group(by=by, total=0, standing=0, named=(), limited=slot == _limited(step))
        self.groups[key] = GroupCard(
            group=group, turn=0, opened=0, severity=None, severity_written=None, respond_by=None, at=self.now
        )
        self.slots[slot] = SlotCard(group=key, until=self.now + window)
        return key

    def _tell(self, step: Step, key: str) -> None:
        """Lets a member join a group, change in it, or be over."""
        card, member = self._group(key), self._member(step.notice.key)
        stands, stood = step.target.change is not Change.RESOLVED, member is not None and member.stands
        others = tuple(one for one in card.group.named if one.key != step.notice.key)
        group = replace(
            card.group,
            total=card.group.total + (stands and not stood),
            standing=card.group.standing + stands - stood,
            named=(_named(step.notice), *others)[:NAMED] if stands else others,
        )
        self.groups[key] = replace(_graver(card, step.notice) if stands else card, group=group, at=self.now)
        self.members[step.notice.key] = MemberCard(
            group=key, turn=step.turn.number, stands=stands, told=None, at=self.now
        )
        self.touched.setdefault(key, []).append(step)

    def result(self) -> Gathered:
        """Gives each group that has something to tell its next turn, and its members the notice that they went into."""
        for key, steps in self.touched.items():
            card = self.groups[key]
            if (change := _change(self.known.groups.get(key), card, steps)) is None:
                continue
            turn = card.turn + 1
            told = Told(turn=turn, change=change, opened=turn if change is Change.OPENED else card.opened)
            self.groups[key] = replace(card, turn=turn, opened=told.opened)
            self.members |= {one.notice.key: replace(self.members[one.notice.key], told=told) for one in steps}
            self.owed.append(_delivery(steps[0], key, card, told))
        board = replace(self.board, unsure=tuple(self.members))
        return Gathered(board, Cards(self.members, self.groups, self.slots), tuple(self.owed))

    def _member(self, key: str) -> MemberCard | None:
        return self.members.get(key) or self.known.members.get(key)

    def _find_group(self, key: str) -> GroupCard | None:
        return self.groups.get(key) or self.known.groups.get(key)

    def _group(self, key: str) -> GroupCard:
        return self.groups[key] if key in self.groups else self.known.groups[key]


def _change(before: GroupCard | None, after: GroupCard, steps: Sequence[Step]) -> Change | None:
    """What a group tells; nothing where some of its members are over and others still stand."""
    if not after.group.standing:
        return Change.RESOLVED
    if before is None or not before.group.standing:
        return Change.OPENED
    return Change.UPDATED if any(step.target.change is not Change.RESOLVED for step in steps) else None


def _delivery(step: Step, key: str, card: GroupCard, told: Told) -> Delivery:
    """A group's notice, in the words of one of its members; a group of one looks like its only member."""
    notice = replace(step.notice, key=key, turn=told.turn)
    if card.group.total > 1 or card.group.limited:
        # A page that High opened must not turn Medium because a Medium joined it.
        notice = replace(
            notice,
            severity=card.severity,
            severity_written=card.severity_written,
            respond_by=card.respond_by,
            group=card.group,
        )
    return Delivery(
        stream=notice.stream,
        destination=step.target.destination,
        lane=step.target.lane,
        key=key,
        turn=told.turn,
        change=told.change,
        opened=told.opened,
        content=notice,
        trace=step.turn.trace,
    )


def _graver(card: GroupCard, notice: Notice) -> GroupCard:
    """The card with the gravest severity since its group opened, and the soonest time to answer."""
    fresh = replace(
        card, severity=notice.severity, severity_written=notice.severity_written, respond_by=notice.respond_by
    )
    if not card.group.standing:
        return fresh
    soonest = min(filter(None, (card.respond_by, notice.respond_by)), default=None)
    return replace(fresh if _gravity(notice.severity) > _gravity(card.severity) else card, respond_by=soonest)


def _gravity(severity: str | None) -> int:
    # In doubt the router is loud: what has no known severity is the gravest.
    return _GRAVITY.get(severity or "", max(Severity) + 1)


def _weight(step: Step) -> int:
    return _gravity(step.notice.severity)


def _named(notice: Notice) -> Named:
    place = notice.compromised_entity or notice.resource
    return Named(
        key=notice.key,
        title=(notice.title or notice.type)[:_TEXT],
        severity=notice.severity,
        place=place[-_TEXT:] if place else None,
    )


def _grouping_of(spec: DestinationSpec | None) -> Grouping:
    """How signals are grouped at a destination; each by itself where the policy only limits them, or does not any more."""
    if spec is None or spec.group is None:
        return _ALONE
    return spec.group


def _slot(step: Step, grouping: Grouping) -> str:
    """The slot of what is like a signal. What has no value there is like nothing else: all of it in one would hide most."""
    notice = step.notice
    values = [(by, _value(notice, by)) for by in grouping.by]
    alike = (f"{by}:{notice.key if value is None else value.casefold()}" for by, value in values)
    return slot_key("alike", _pager(step) or "", *alike)


def _limited(step: Step) -> str:
    """The slot of what is beyond the limit."""
    return slot_key("limit", _pager(step) or "")


def _claimed(id: str) -> str:
    """The slot that an incident claims for an alert that it names."""
    return slot_key("alert", id)


def _pager(step: Step) -> str | None:
    """Whose pager calls: the name of its owner's key, None for the destination's own."""
    owner = step.notice.owner
    return owner.pager if step.target.lane is Lane.PAGE and owner is not None else None


def _words(notice: Notice, grouping: Grouping) -> tuple[tuple[str, str], ...]:
    return tuple((by.value, value) for by in grouping.by if (value := _value(notice, by)) is not None)


def _value(notice: Notice, by: By) -> str | None:
    match by:
        case By.ALERT_TYPE:
            return notice.type or None
        case By.RESOURCE:
            return notice.resource
        case By.SUBSCRIPTION:
            return notice.subscription
        case By.TACTICS:
            return ", ".join(tactic.id for tactic in notice.tactics) or None
        case By.ENTITY:
            return notice.compromised_entity or notice.resource
        case By.OWNER:
            owner = notice.owner
            return " / ".join(filter(None, (owner.group, owner.service))) if owner is not None else "nobody"
        case By.CORRELATION:
            return notice.correlation
        case By.INCIDENT:
            return None
