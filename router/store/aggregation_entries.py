"""The entries that stores hold of an aggregation, each the state of a member, a group or a window, whatever the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import datetime

from router.domain.damage import Past
from router.domain.decisions import Change
from router.domain.errors import Undecodable
from router.domain.groups import AdmissionState, AggregationState, GroupState, MemberState, WindowState
from router.domain.notices import Group
from router.domain.severity import Severity
from router.store import stored_names
from router.store.codec import decode

type AggregationEntry = MemberState | GroupState | WindowState

TAGS = (stored_names.MEMBER_STATE, stored_names.GROUP_STATE, stored_names.WINDOW_STATE)
"""The tags of entries, in the order in which `AggregationState` has them."""


def entry_of(tag: str, body: bytes) -> AggregationEntry:
    """The entry of a tag that a body holds; raises Undecodable."""
    if tag not in TAGS:
        raise Undecodable("type: is no card's")
    entry: AggregationEntry = decode(tag, body)
    return entry


def mended_entry(
    tag: str, key: str, others: Sequence[tuple[str, AggregationEntry]], past: Sequence[Past], now: datetime
) -> AggregationEntry | None:
    """What replaces a damaged entry, as far as the other entries of its destination tell; None where they do not.

    A group has as many members as their entries say, and the turns that its deliveries bear. A member is in the group that
    names it, with no turn applied, so that its next one is. A window is left out: the next signal of its key opens a group.
    """
    match tag:
        case stored_names.MEMBER_STATE:
            group = _find_group_of(key, others)
            if group is None:
                return None
            return MemberState(group=group, turn=0, stands=True, group_turn=None, at=now)
        case stored_names.GROUP_STATE:
            members = [entry for _, entry in others if isinstance(entry, MemberState) and entry.group == key]
            if not members:
                return None
            standing = sum(member.stands for member in members)
            last = max(past, key=lambda one: one.turn, default=None)
            return GroupState(
                group=Group(by=(), total=len(members), standing=standing, named=()),
                turn=last.turn if last is not None else 0,
                opened=last.opened if last is not None else 0,
                is_open=last is not None and last.change is not Change.RESOLVED,
                # Whatever comes is graver, and at a pager opens.
                severity=min(Severity).label,
                severity_written=None,
                respond_by=None,
                at=now,
            )
    return None


async def mended_admission(standing: AsyncIterator[tuple[str, GroupState]]) -> AdmissionState:
    """What replaces a damaged admission state, as far as the standing groups of its destination tell.

    The latest openings are forgotten, which lets the destination open more, never less. Groups that last are found by
    whoever tells of them on the clock.
    """
    waiting: list[str] = []
    admitted: list[str] = []
    async for key, state in standing:
        if state.waiting is not None and state.window_key is None:
            (admitted if state.is_open else waiting).append(key)
    return AdmissionState(waiting=tuple(waiting), admitted=tuple(admitted))


def _find_group_of(key: str, others: Sequence[tuple[str, AggregationEntry]]) -> str | None:
    """The group that names a member, else the only group that counts more members than have entries."""
    standing = {name: entry for name, entry in others if isinstance(entry, GroupState) and entry.group.standing > 0}
    left = Counter(entry.group for _, entry in others if isinstance(entry, MemberState) and entry.stands)
    short = [name for name, state in standing.items() if state.group.standing > left[name]]
    naming = (name for name, state in standing.items() if any(one.key == key for one in state.group.named))
    return next(naming, short[0] if len(short) == 1 else None)


def entries_of(states: AggregationState) -> Iterator[tuple[str, str, AggregationEntry]]:
    """Each entry with its tag and its key."""
    by_tag: tuple[Mapping[str, AggregationEntry], ...] = (states.members, states.groups, states.windows)
    for tag, entries in zip(TAGS, by_tag, strict=True):
        for key, entry in entries.items():
            yield tag, key, entry


def standing_in(entry: AggregationEntry) -> int:
    """How many signals stand in an entry; nothing of it may be taken away before there are none."""
    match entry:
        case MemberState():
            return int(entry.stands)
        case GroupState():
            return entry.group.standing
        case WindowState():
            return 0


def last_used_at(entry: AggregationEntry) -> datetime:
    """When an entry was last of use, as far as time tells."""
    return entry.until if isinstance(entry, WindowState) else entry.at
