"""An announcement in words: what happened to rules, silences and holds. It has no severity and no place, and no signal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from router.destinations.wording.fitting import MARK
from router.destinations.wording.members import member_lines
from router.destinations.wording.screen_lines import WIDTH, Line, fitted, one_line, shortened, total
from router.destinations.wording.times import moment_words
from router.domain.notices import ANNOUNCEMENT, Notice

_WHY = "the policy's `notify` names this destination"
_WHY_ALONE = "it is yours: you own the rule, or made the silence or hold"
_MEMBERS = 4


def is_announcement(notice: Notice) -> bool:
    """Whether a notice is about rules, silences and holds, and no signal."""
    return notice.kind == ANNOUNCEMENT


class AnnouncementFacts(NamedTuple):
    """What an announcement says beside its text: facts by name.

    Attributes:
        when: when it was so.
        why: why whoever reads it does.
        reference: for who follows it up in other tools.
    """

    when: dict[str, str | None]
    why: dict[str, str | None]
    reference: dict[str, str | None]


def facts_of(notice: Notice) -> AnnouncementFacts:
    """The facts of an announcement."""
    return AnnouncementFacts(
        when={"Found": moment_words(notice.changed)},
        why={"Sent because": _WHY if notice.recipient is None else _WHY_ALONE},
        reference={"Stream": notice.stream, "Kind": notice.kind, "Key": notice.key},
    )


def screen_of(notice: Notice, room: int) -> Iterator[Line]:
    """What a phone shows of an announcement, in at most `room` lines: what happened, what is held, what to do first."""
    members = list(_members(notice))
    step = [Line(fitted(notice.remediation[0], 2, "To do"), "To do")] if notice.remediation else []
    left = max(room - total(members) - total(step), 1)
    story = Line(fitted(one_line(notice.description), left, mark=MARK))
    yield from _first([story, *members, *step], room)


def _members(notice: Notice) -> Iterator[Line]:
    if notice.group is None:
        return
    title, lines = member_lines(notice.group)
    yield Line(str(notice.group.standing), title)
    yield from (Line(f"- {shortened(one_line(line), WIDTH - 2)}") for line in lines[:_MEMBERS])


def _first(lines: Iterable[Line], room: int) -> Iterator[Line]:
    for line in lines:
        room -= line.height
        if room >= 0:
            yield line
