"""What a group's notice says of its members."""

from __future__ import annotations

from typing import Any

from router.destinations.wording.headlines import groups_words
from router.domain.notices import Group, NamedMember, Notice


def count_words(group: Group) -> str:
    """How many signals a group has, and what they have in common."""
    alike = ", ".join(f"{name} {value}" for name, value in group.by)
    if group.groups is not None:
        signals = "1 signal waits" if group.standing == 1 else f"{group.standing} signals wait"
        return f"{signals} for room in {groups_words(group.groups)}; each group gets a ticket of its own"
    return f"{group.total} signals, {group.standing} still stand{f'; alike in {alike}' if alike else ''}"


def member_lines(group: Group) -> tuple[str, tuple[str, ...]]:
    """What a list of those that still stand is called, and a line for each: the latest, and how many are not named."""
    if not group.standing:
        return "None stands any longer" if group.groups is None else "None waits any longer", ()
    if group.groups is not None:
        title, unnamed = "Waiting for their turn", group.groups - len(group.named)
    else:
        title, unnamed = "Still standing", group.standing - len(group.named)
    lines = [f"{one.severity or 'Unknown'}: {one.title}{f' - {one.place}' if one.place else ''}" for one in group.named]
    return title, (*lines, *([f"and {unnamed} more"] if unnamed > 0 else []))


def group_of(notice: Notice) -> dict[str, Any] | None:
    """The signals that a notice is about, with the keys of `router.domain.notices.Group`; None where it is about one."""
    if (group := notice.group) is None:
        return None
    names = NamedMember.__dataclass_fields__
    return {
        "by": dict(group.by),
        "total": group.total,
        "standing": group.standing,
        "named": [{name: getattr(one, name) for name in names} for one in group.named],
        "limited": group.limited,
        "groups": group.groups,
    }
