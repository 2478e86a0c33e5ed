"""The first line that people read of a notice, and what it is made of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import replace
from functools import cache
from typing import Any

from msgspec.structs import asdict

from router.destinations.wording.escaping import read_table
from router.destinations.wording.facts import Fact
from router.destinations.wording.fitting import MARK, one_line, shorten, shortened
from router.destinations.wording.whereabouts import whereabouts_of
from router.domain.catalogue import SAMPLE_TITLE
from router.domain.notices import ANNOUNCEMENT, Group, Notice
from router.domain.readable import remembered
from router.domain.recommendations import find_missing_rung
from router.domain.severity import assumed_words, severity_named
from router.domain.signals import AZURE_MONITOR, DEFENDER, Kind, Stream
from router.domain.values import Value

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


class Headline(Value):
    """The parts of a headline, each on one line: severity and count, title, location, and the environment in brackets.

    An announcement has no location; the environment is empty where none is known.
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
    # Our mark stands before it already.
    title = _one_line(notice.title.removeprefix(SAMPLE_TITLE) if notice.sample else notice.title)
    title = title or _one_line(notice.type)
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
    return {**asdict(group), "by": dict(group.by), "named": list(map(asdict, group.named))}


_MOST, _TELLING = 4, 2  # facts of a subject, and those that a summary tells
_SHORTEST, _LONGEST = 20, 200  # characters of a subject in a summary

_FROM = ("Locations", "Attackers", "IP addresses", "Accounts")
_BY = ("Commands", "Processes", "Queries")


@cache
def _subjects() -> tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]:
    """What words of a title, in lower case, speak of, by the names of facts."""
    return tuple(
        (re.compile(words), tuple(names)) for words, *names in read_table("wording/title_subjects.toml")["subjects"]
    )


@remembered
def _names_in(title: str) -> tuple[str, ...]:
    """The names of the facts that a title speaks of, each once."""
    lowered = title.casefold()  # A search that minds no case takes twice as long.
    return tuple(dict.fromkeys(name for words, names in _subjects() if words.search(lowered) for name in names))


def subject_of(title: str, evidence: Sequence[Fact]) -> tuple[Fact, ...]:
    """The facts that a title speaks of, as far as they are known; else how it was done, or who did it."""
    facts = {fact.name: fact for fact in evidence}
    # An address stands before its place.
    placed = {value.partition(": ")[0] for value in (facts["Locations"].values if "Locations" in facts else ())}
    names = [name for name in _names_in(title) if name in facts and not placed.issuperset(facts[name].values)]
    known = names or [name for name in _BY if name in facts] or [name for name in _FROM if name in facts]
    return tuple(facts[name] for name in known[:_MOST])


def summary_of(notice: Notice, evidence: Sequence[Fact], limit: int) -> str:
    """The headline in at most `limit` characters, with the subject behind the title as far as there is room for it."""
    parts = headline_of(notice)
    values = (one_line(fact.values[0]) for fact in subject_of(notice.title, evidence)[:_TELLING])
    subject = ", ".join(value for value in values if value and value not in parts.location)
    whole = parts.within(limit)
    room = min(limit - len(whole) - len(": "), _LONGEST)
    if not subject or room < min(len(subject), _SHORTEST):
        return whole
    return replace(parts, title=f"{parts.title}: {shortened(subject, room)}").within(limit)
