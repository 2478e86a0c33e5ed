"""The notices of a group, each in the words of one of its members. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import replace
from typing import Any

from router.destinations.wording.whereabouts import whereabouts_of
from router.domain.decisions import Change
from router.domain.deliveries import Delivery
from router.domain.notices import NamedMember, Notice
from router.domain.rulebook import Lane
from router.domain.severity import gravity_of
from router.ingest.grouping.grouping_keys import LONGEST, MemberTurn, is_for_same_audience
from router.store.groups import GroupState

NAMED = 20
"""The most of its standing members that a group's notice names; it counts them all."""

_KEPT = (
    "turn", "stream", "kind", "plan", "sample", "attack_version", "routes", "reason", "rulebook", "owner", "product",
    "categories", "measure", "cause", "cloud", "snapshot", "respond_by", "category", "package", "scanner", "paged",
)  # fmt: skip
"""What a notice that is made of a group's state has of one that is like it."""


def change_of(state: GroupState, member_turns: Sequence[MemberTurn]) -> Change | None:
    """What a group's notice changes; None where some of its members are over and others still stand: there is no notice."""
    if not state.group.standing:
        return Change.RESOLVED if state.is_open else None
    if not state.is_open:
        return Change.OPENED
    return Change.UPDATED if any(one.stands for one in member_turns) else None


def is_status_only(change: Change, member_turns: Sequence[MemberTurn]) -> bool:
    """Whether a group's notice changes nothing but the status of members; one that is over is told of with the others."""
    standing = (one for one in member_turns if one.stands)
    return change is Change.UPDATED and all(one.notice.status_only for one in standing)


def delivery_of(
    words: Notice, destination: str, lane: Lane, key: str, state: GroupState, change: Change, status_only: bool = False
) -> Delivery:
    """What a destination is told of a group's latest turn, in the words of a member; a group of one looks like its only one.

    `status_only` says whether nothing changed but the status of members.
    """
    is_over = change is Change.RESOLVED
    notice = replace(
        words,
        key=key,
        turn=state.turn,
        status_only=status_only,
        paged=words.paged or state.paged,
        closing=words.closing if is_over else None,
        release=words.release if not is_over else None,
    )
    if state.group.total > 1 or state.group.limited:
        # A page that High opened must not turn Medium because a Medium joined it.
        notice = replace(
            notice,
            severity=state.severity,
            severity_written=state.severity_written,
            respond_by=state.respond_by,
            group=state.group,
        )
    return Delivery(
        stream=notice.stream,
        destination=destination,
        lane=lane,
        key=key,
        turn=state.turn,
        change=change,
        opened=state.opened,
        content=notice,
    )


def with_gravest(state: GroupState, notice: Notice) -> GroupState:
    """The state with the gravest severity since its group opened, the soonest time to answer, and whether a pager was told."""
    written = notice.severity_written[:LONGEST] if notice.severity_written else None
    fresh = replace(
        state, severity=notice.severity, severity_written=written, respond_by=notice.respond_by, paged=notice.paged
    )
    if not state.group.standing:
        return fresh
    soonest = min(filter(None, (state.respond_by, notice.respond_by)), default=None)
    gravest = fresh if gravity_of(notice.severity) > gravity_of(state.severity) else state
    return replace(gravest, respond_by=soonest, paged=state.paged or notice.paged)


def named_member(notice: Notice) -> NamedMember:
    """A member as its group's notices name it."""
    return NamedMember(
        key=notice.key,
        title=_title_of(notice),
        severity=notice.severity,
        place=whereabouts_of(notice).words[-LONGEST:],
    )


def named_group(key: str, state: GroupState) -> NamedMember:
    """A group that waits for its turn as the summary names it: with how many stand in it, and whose it is."""
    words = state.words
    owner = words.owner if words is not None else None
    whose = " / ".join(filter(None, (owner.group, owner.service))) if owner is not None else None
    count = "1 signal" if state.group.standing == 1 else f"{state.group.standing} signals"
    return NamedMember(
        key=key,
        title=_title_of(words) if words is not None else "",
        severity=state.severity,
        place=f"{count}, {whose}"[:LONGEST] if whose else count,
    )


def _title_of(notice: Notice) -> str:
    return " ".join((notice.unfilled_title or notice.title or notice.type).split())[:LONGEST]


def members_to_name(standing: Iterable[NamedMember]) -> tuple[NamedMember, ...]:
    """Those of some standing members, the latest first, that notices name: the gravest first, and as many as they may be.

    The first of each severity is always among them. An update that named it may have been skipped for a later one, and
    a member that was graver than all before is to be named in what people get.
    """
    graver_first = sorted(standing, key=lambda one: -gravity_of(one.severity))
    first_of = {gravity_of(one.severity): one.key for one in graver_first}  # the last of them came first
    while len(graver_first) > NAMED:
        last = next(one for one in reversed(graver_first) if one.key not in first_of.values())
        graver_first.remove(last)
    return tuple(graver_first)


def words_of(state: GroupState, member_turns: Sequence[MemberTurn]) -> Notice:
    """The notice in whose words a group opens: that of its gravest standing member, and of those the latest."""
    words = state.words
    if words is not None and any(words.key == one.notice.key for one in member_turns):
        words = None
    standing = (one for one in member_turns if one.stands)
    fresh = next((one.notice for one in standing if is_for_same_audience(state, one)), None)
    if fresh is not None and (words is None or gravity_of(fresh.severity) >= gravity_of(words.severity)):
        return fresh
    return words or notice_from_state(state, state.words or member_turns[0].notice)


def notice_from_state(state: GroupState, like: Notice) -> Notice:
    """A notice of what a group's state alone knows of its gravest member, for the audience of a notice that is like it."""
    named = state.group.named
    first = named[0] if named else NamedMember(key=like.key, title="", severity=state.severity, place=None)
    kept: dict[str, Any] = {name: getattr(like, name) for name in _KEPT}
    return Notice(
        **kept,
        key=first.key,
        id=first.key,
        title=first.title,
        severity=first.severity,
        severity_written=first.severity,
        compromised_entity=first.place,
        type="",
    )
