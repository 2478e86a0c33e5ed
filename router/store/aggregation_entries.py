"""The entries that stores hold of an aggregation, each the state of a member, a group or a window, whatever the store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from router.domain.errors import Undecodable
from router.domain.groups import AggregationState, GroupState, MemberState, WindowState
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


def waiting_in(standing: Iterable[tuple[str, GroupState]]) -> tuple[str, ...]:
    """Those of some standing groups that wait until a limit has room; groups that last are found by a walk."""
    return tuple(key for key, one in standing if one.waiting is not None and not one.is_open and one.window_key is None)


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
