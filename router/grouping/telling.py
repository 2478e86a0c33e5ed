"""What is told of a group: its notices, in the words of one of its members. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from router.domain.decisions import Change
from router.domain.groups import GroupCard, Told
from router.domain.notices import Delivery, Evidence, Named, Notice
from router.domain.rulebook import Lane
from router.grouping.gravity import gravity_of
from router.grouping.likeness import LONGEST, Step, is_for_whom

NAMED = 20
"""The most of its standing members that a group's notice names; it counts them all."""

_ROOM = {"id": 500, "resource": 500, "link": 500, "description": 1_000}
"""Characters of the longer texts that a notice keeps which waits; a card is a row of a table."""

_LISTED = 3
"""Items of a list that such a notice keeps."""


def change_of(card: GroupCard, steps: Sequence[Step]) -> Change | None:
    """What a group tells; nothing where some of its members are over and others still stand."""
    if not card.group.standing:
        return Change.RESOLVED if card.is_open else None
    if not card.is_open:
        return Change.OPENED
    return Change.UPDATED if any(step.target.change is not Change.RESOLVED for step in steps) else None


def delivery_of(step: Step, key: str, card: GroupCard, told: Told) -> Delivery:
    """A group's notice, in the words of one of its members; a group of one looks like its only member."""
    return _delivery(step.notice, step.target.destination, step.target.lane, key, card, told, step.turn.trace)


def opening_of_waiting(destination: str, lane: Lane, key: str, card: GroupCard) -> Delivery | None:
    """The opening of a group that waited for room, in the words that waited; None where none did."""
    if card.waiting is None:
        return None
    told = Told(turn=card.opened, change=Change.OPENED, opened=card.opened)
    return _delivery(card.waiting, destination, lane, key, card, told, None)


def _delivery(
    words: Notice, destination: str, lane: Lane, key: str, card: GroupCard, told: Told, trace: str | None
) -> Delivery:
    notice = replace(words, key=key, turn=told.turn)
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
        destination=destination,
        lane=lane,
        key=key,
        turn=told.turn,
        change=told.change,
        opened=told.opened,
        content=notice,
        trace=trace,
    )


def graver(card: GroupCard, notice: Notice) -> GroupCard:
    """The card with the gravest severity since its group opened, and the soonest time to answer."""
    written = notice.severity_written[:LONGEST] if notice.severity_written else None
    fresh = replace(card, severity=notice.severity, severity_written=written, respond_by=notice.respond_by)
    if not card.group.standing:
        return fresh
    soonest = min(filter(None, (card.respond_by, notice.respond_by)), default=None)
    return replace(fresh if gravity_of(notice.severity) > gravity_of(card.severity) else card, respond_by=soonest)


def weight_of(step: Step) -> int:
    """How grave a step's signal is."""
    return gravity_of(step.notice.severity)


def named_in(notice: Notice) -> Named:
    """A member as its group's notices name it."""
    place = notice.compromised_entity or notice.resource
    return Named(
        key=notice.key,
        title=" ".join((notice.title or notice.type).split())[:LONGEST],
        severity=notice.severity,
        place=" ".join(place.split())[-LONGEST:] if place else None,
    )


def named_of(standing: Iterable[Named]) -> tuple[Named, ...]:
    """Those of some standing members, the latest first, that notices name: the gravest first, and as many as they may be.

    The first of each severity is always among them. An update that named it may have been skipped for a later one, and
    whoever was graver than all before is to be named in what people get.
    """
    graver_first = sorted(standing, key=lambda one: -gravity_of(one.severity))
    first_of = {gravity_of(one.severity): one.key for one in graver_first}  # the last of them came first
    while len(graver_first) > NAMED:
        last = next(one for one in reversed(graver_first) if one.key not in first_of.values())
        graver_first.remove(last)
    return tuple(graver_first)


def words_that_wait(card: GroupCard, steps: Sequence[Step]) -> Notice:
    """In whose words a group will open that has no room yet: its gravest member's that still stands, the latest of those."""
    words = card.waiting
    if words is not None and any(words.key == step.notice.key for step in steps):
        words = None
    standing = (step for step in steps if step.target.change is not Change.RESOLVED)
    fresh = next((step.notice for step in standing if is_for_whom(card, step)), None)
    if fresh is not None and (words is None or gravity_of(fresh.severity) >= gravity_of(words.severity)):
        return _bounded(fresh)
    return words or words_left(card, card.waiting or steps[0].notice)


def words_left(card: GroupCard, like: Notice) -> Notice:
    """What a card alone knows of its gravest member, where no notice of a standing one was kept: for whom `like` is."""
    first = (
        card.group.named[0] if card.group.named else Named(key=like.key, title="", severity=card.severity, place=None)
    )
    return replace(
        like,
        key=first.key,
        id=first.key,
        type="",
        title=first.title,
        description="",
        severity=first.severity,
        severity_written=first.severity,
        status=None,
        resource=None,
        resource_type=None,
        resource_group=None,
        subscription=None,
        compromised_entity=first.place,
        tactics=(),
        techniques=(),
        link=None,
        remediation=(),
        evidence=Evidence(),
        started=None,
        ended=None,
        changed=None,
        correlation=None,
        alerts=(),
        extended={},
    )


def _bounded(notice: Notice) -> Notice:
    """A notice whose packed form always fits into a card; what has no room is evidence that the portal has, too."""
    texts: dict[str, Any] = {
        name: value[: _ROOM.get(name, LONGEST)]
        for name in Notice.__dataclass_fields__
        if name != "link" and isinstance(value := getattr(notice, name), str)
    }
    evidence = {name: _some(getattr(notice.evidence, name)) for name in Evidence.__dataclass_fields__}
    return replace(
        notice,
        **texts,
        link=notice.link if len(notice.link or "") <= _ROOM["link"] else None,
        remediation=_some(notice.remediation),
        evidence=Evidence(**evidence),
        categories=_some(notice.categories),
        alerts=_some(notice.alerts),
        extended={},
    )


def _some(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(text[: LONGEST // 2] for text in texts[:_LISTED])
