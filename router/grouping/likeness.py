"""What signals have in common, so that a destination is told of them together. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from router.domain.groups import GroupCard
from router.domain.keys import same_id, signal_key, slot_key, written_key
from router.domain.ledger import Target, Turn
from router.domain.notices import Notice
from router.domain.rulebook import By, DestinationSpec, Grouping, written
from router.domain.signals import Kind
from router.grouping.limits import Audience, audience_of

LONGEST = 200
"""Characters of a text of a message that a card keeps: a card is a row of a table."""

_ALONE = Grouping((By.INCIDENT,), timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Step:
    """A turn, its notice, and one destination that is told of it as of a member of a group."""

    turn: Turn
    notice: Notice
    target: Target


def steps_of(turn: Turn) -> list[Step]:
    """What a turn tells destinations as of a member of a group."""
    if turn.notice is None:
        return []
    return [Step(turn, turn.notice, target) for target in turn.targets if target.grouped]


def members_for(step: Step) -> list[str]:
    """The members that a step asks about: its own signal, and the alerts that it names as an incident."""
    notice = step.notice
    named = [make(notice.stream, Kind.ALERT, id) for id in notice.alerts for make in (signal_key, written_key)]
    return [notice.key, *dict.fromkeys(named)]


def slots_for(step: Step, spec: DestinationSpec | None) -> list[str]:
    """The slots that a step asks about: the one that an incident claimed for it, its values', and the limit's."""
    grouping = grouping_of(spec)
    return [claimed_slot(step.notice.id, whose_of(step, grouping)), slot_of(step, grouping), limited_slot(step)]


def account_of(notice: Notice, spec: DestinationSpec) -> str:
    """In words, with which others a destination is told of a signal that comes now, and how much it opens."""
    grouping, said = grouping_of(spec), []
    lacking = [by.value for by in grouping.by if by is not By.INCIDENT and _value(notice, by) is None]
    if spec.group is not None and lacking:
        said.append(f"no, it has no {' and no '.join(lacking)}")
    elif spec.group is not None and (alike := words_of(notice, grouping)):
        same = " and ".join(f"{name} {value}" for name, value in alike)
        said.append(f"with those of {same} within {written(grouping.window)} of the first")
    if notice.alerts:
        said.append(f"with the {len(notice.alerts)} alerts that it names")
    if spec.limit is not None:
        said.append(f"at most {spec.limit.most} openings in {written(spec.limit.window)}, beyond that in one summary")
    return "; ".join(said) or "no, but for what an incident names"


def grouping_of(spec: DestinationSpec | None) -> Grouping:
    """How signals are grouped at a destination; each by itself where the policy only limits them, or does not any more."""
    if spec is None or spec.group is None:
        return _ALONE
    return spec.group


def slot_of(step: Step, grouping: Grouping) -> str:
    """The slot of what is like a signal. What has no value there is like nothing else: all of it in one would hide most."""
    notice = step.notice
    values = [(by, _value(notice, by)) for by in grouping.by]
    alike = [(by, notice.key if value is None else value.casefold()) for by, value in values]
    # With their lengths, so that no text can be written to look like another one and its neighbour.
    return slot_key("alike", *_words_of(audience_for(step)), *(f"{by}:{len(value)}:{value}" for by, value in alike))


def limited_slot(step: Step) -> str:
    """The slot of what is beyond the limit."""
    return slot_key("limit", *_words_of(audience_for(step)))


def is_for_whom(card: GroupCard, step: Step) -> bool:
    """Whether a step is for the people of a summary that its signal is in; it may have moved to others since it joined."""
    return not card.group.limited or card.whose in (None, limited_slot(step))


def claimed_slot(id: str, whose: str) -> str:
    """The slot that an incident claims for an alert that it names, if that alert is for the same people."""
    return slot_key("alert", same_id(id), whose)


def whose_of(step: Step, grouping: Grouping) -> str:
    """For whom a signal is, whatever it is like: its pager, whether it is real, and its owner where the policy parts owners."""
    owner = _value(step.notice, By.OWNER) if By.OWNER in grouping.by else None
    return slot_key("whose", *_words_of(audience_for(step)), owner or "")


def audience_for(step: Step) -> Audience:
    """Whom a step would call."""
    return audience_of(step.notice, step.target.lane)


def _words_of(audience: Audience) -> tuple[str, str]:
    return audience.pager or "", "sample" if audience.sample else "real"


def words_of(notice: Notice, grouping: Grouping) -> tuple[tuple[str, str], ...]:
    """What the signals of a group have in common, name by name."""
    return tuple((by.value, value[:LONGEST]) for by in grouping.by if (value := _value(notice, by)) is not None)


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
