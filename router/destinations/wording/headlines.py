"""The first line that people read of a notice, and what it is made of."""

from __future__ import annotations

from dataclasses import dataclass

from router.destinations.wording.fitting import MARK, shorten
from router.domain.notices import ANNOUNCEMENT, Group, Notice
from router.domain.recommendations import find_missing_rung
from router.domain.severity import assumed_words, severity_named
from router.domain.signals import AZURE_MONITOR, DEFENDER, Kind, Stream
from router.domain.whereabouts import whereabouts_of

ROUTER = "alert-router"
"""Where an announcement happens, for those columns of a vendor's that must name a place."""


def severity_of(notice: Notice) -> str:
    """The severity in words; one that is not known says so, and one that the message does not give."""
    if notice.severity is not None:
        return f"{notice.severity}{_assumed_words(notice)}"
    return f"Unknown ({notice.severity_written})" if notice.severity_written else "Unknown"


def _assumed_words(notice: Notice) -> str:
    if notice.kind not in _POSTURE or severity_named(notice.severity_written) is not None:
        return ""
    # The policy gives that of what is about coverage.
    is_about_coverage = find_missing_rung(Kind(notice.kind), notice.type, notice.title) is not None
    return "" if is_about_coverage else assumed_words(notice.severity or "", notice.severity_written)


_POSTURE = frozenset(kind.value for kind in Kind if kind.stream is Stream.CSPM) - {Kind.COVERAGE.value}


def reporter_of(notice: Notice) -> str:
    """Who says it: Azure Monitor of its own alerts, Defender for Cloud of its exports, the router of its own findings."""
    if notice.kind in (ANNOUNCEMENT, Kind.COVERAGE):
        return ROUTER
    return AZURE_MONITOR if notice.product == AZURE_MONITOR else DEFENDER


def location_of(notice: Notice) -> str:
    """Where it happens, as a person would say: `server/database`, `cluster/namespace/pod`, or a host's name."""
    return whereabouts_of(notice).words if notice.kind != ANNOUNCEMENT else ROUTER


@dataclass(frozen=True, slots=True)
class Headline:
    """The parts of a headline, each on one line.

    Attributes:
        start: what stands before the title: severity, how many signals it is about.
        title: the title.
        location: where it happens; empty for an announcement, which happens nowhere.
        environment: the environment, in brackets behind the location; empty where none is known.
    """

    start: str
    title: str
    location: str
    environment: str

    def within(self, limit: int) -> str:
        """The headline in at most `limit` characters.

        The title gives way first. Location and environment together have half of the limit, and what stands before the title
        has what they leave of it.
        """
        end = f" - {self.location}{self.environment}" if self.location else ""
        if len(self.start) + len(self.title) + len(end) > limit:
            if len(end) > limit // 2:
                location = shorten(self.location, max(limit // 2 - len(" - ") - len(self.environment), len(MARK)))
                end = shorten(f" - {location}{self.environment}", limit // 2)
            start = shorten(self.start, max(limit - len(end) - len(MARK), 0))
            return shorten(f"{start}{shorten(self.title, limit - len(start) - len(end))}{end}", limit)
        return f"{self.start}{self.title}{end}"


def headline_of(notice: Notice) -> Headline:
    """The parts of a notice's headline; an announcement's is its title."""
    if notice.kind == ANNOUNCEMENT:
        return Headline(start="", title=_one_line(notice.title), location="", environment="")
    mark = "[Sample] " if notice.sample else ""
    environment = _one_line(notice.environment or "")
    title = _one_line(notice.title) or _one_line(notice.type)
    return Headline(
        start=_one_line(f"{mark}{severity_of(notice)}: {_count(notice.group)}") + (" " if title else ""),
        title=title,
        location=_one_line(location_of(notice)),
        environment=f" ({environment})" if environment else "",
    )


def headline(notice: Notice, limit: int) -> str:
    """One line of at most `limit` characters: severity, how many signals it is about, title, location, environment."""
    return headline_of(notice).within(limit)


def _one_line(text: str) -> str:
    """A text without line breaks and with single blanks."""
    return " ".join(text.split())


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
