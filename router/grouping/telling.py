"""What is told of a group: its notices, in the words of one of its members. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from router.domain.decisions import Change
from router.domain.groups import GroupCard, Told
from router.domain.notices import Delivery, Named, Notice
from router.domain.signals import Severity
from router.grouping.likeness import LONGEST, Step

NAMED = 20
"""The latest of its standing members that a group's notice names; it counts them all."""

_GRAVITY = {severity.label: severity for severity in Severity}


def change_of(card: GroupCard, steps: Sequence[Step]) -> Change | None:
    """What a group tells; nothing where some of its members are over and others still stand."""
    if not card.group.standing:
        return Change.RESOLVED if card.is_open else None
    if not card.is_open:
        return Change.OPENED
    return Change.UPDATED if any(step.target.change is not Change.RESOLVED for step in steps) else None


def delivery_of(step: Step, key: str, card: GroupCard, told: Told) -> Delivery:
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


def graver(card: GroupCard, notice: Notice) -> GroupCard:
    """The card with the gravest severity since its group opened, and the soonest time to answer."""
    written = notice.severity_written[:LONGEST] if notice.severity_written else None
    fresh = replace(card, severity=notice.severity, severity_written=written, respond_by=notice.respond_by)
    if not card.group.standing:
        return fresh
    soonest = min(filter(None, (card.respond_by, notice.respond_by)), default=None)
    return replace(fresh if gravity_of(notice.severity) > gravity_of(card.severity) else card, respond_by=soonest)


def gravity_of(severity: str | None) -> int:
    # In doubt the router is loud: what has no known severity is the gravest.
    return _GRAVITY.get(severity or "", max(Severity) + 1)


def weight_of(step: Step) -> int:
    return gravity_of(step.notice.severity)


def named_in(notice: Notice) -> Named:
    place = notice.compromised_entity or notice.resource
    return Named(
        key=notice.key,
        title=" ".join((notice.title or notice.type).split())[:LONGEST],
        severity=notice.severity,
        place=" ".join(place.split())[-LONGEST:] if place else None,
    )
