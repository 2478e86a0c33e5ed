"""The first line that people read of a notice, and what it is made of."""

from __future__ import annotations

from router.destinations.wording.fitting import shorten
from router.domain.notices import Group, Notice
from router.domain.signals import AZURE_MONITOR, DEFENDER
from router.domain.whereabouts import whereabouts_of


def severity_of(notice: Notice) -> str:
    """The severity in words; one that is not known says so."""
    if notice.severity is not None:
        return notice.severity
    return f"Unknown ({notice.severity_written})" if notice.severity_written else "Unknown"


def reporter_of(notice: Notice) -> str:
    """Who says it: Azure Monitor of its own alerts, and Defender for Cloud of all that it exports, whatever it calls itself."""
    return AZURE_MONITOR if notice.product == AZURE_MONITOR else DEFENDER


def location_of(notice: Notice) -> str:
    """Where it happens, as a person would say: `server/database`, `cluster/namespace/pod`, or a host's name."""
    return whereabouts_of(notice).words


def headline(notice: Notice, limit: int) -> str:
    """One line of at most `limit` characters: severity, how many signals it is about, title, location, environment."""
    mark = "[Sample] " if notice.sample else ""
    within = f" ({notice.environment})" if notice.environment else ""
    what = f"{severity_of(notice)}: {_count(notice.group)}{notice.title or notice.type}"
    line = f"{mark}{what} - {location_of(notice)}{within}"
    return shorten(" ".join(line.split()), limit)


def _count(group: Group | None) -> str:
    """How many signals a headline is about, before it names the latest."""
    if group is None:
        return ""
    count = f"{group.total}" if group.standing in (0, group.total) else f"{group.standing} of {group.total}"
    if group.groups is not None:
        beyond = f"for room under the limit of {dict(group.by)['limit']}"
        if not group.standing:
            return f"none of {group.total} waits any longer {beyond}, the last: "
        return f"{count} wait in {groups_words(group.groups)} {beyond}, the gravest: "
    if group.limited:
        return f"{count} beyond the limit of {dict(group.by)['limit']}, the latest: "
    return f"{count} signals, the latest: "


def groups_words(count: int) -> str:
    """How many groups, in words."""
    return "1 group" if count == 1 else f"{count} groups"
