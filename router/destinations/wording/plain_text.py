"""A briefing as plain text with headings, cut to what a vendor takes: what a responder can do without goes first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from router.destinations.wording.facts import Fact
from router.destinations.wording.fitting import shorten
from router.destinations.wording.notice_text import Briefing
from router.domain.decisions import Change

_VALUE = 1_500  # characters of one value; a longer one is a script, of which the beginning says enough

_BETWEEN = "\n\n"

_SHORT = 60  # characters up to which several values stand on one line

_JOINTS = (", ", "; ")
"""What a value that stands on one line with others does not hold, since its end could not be told."""

_SHARES = {"description": 0.2, "members": 0.2, "to do": 0.15}
"""The most that these parts take of a text that is too long; what is left is the evidence's."""


def text_of(briefing: Briefing, limit: int) -> str:
    """The whole briefing in at most `limit` characters."""
    whole = dict(_parts_of(briefing))
    parts = dict(whole)
    if _size_of(parts.values()) > limit:
        for name, share in _SHARES.items():
            parts[name] = shorten(whole[name], int(limit * share))
        parts["evidence"] = _whole_lines(whole["evidence"], max(_room_for("evidence", parts, limit), limit // 4))
        # Prose, of which the beginning says most, takes what the others leave.
        for name in _SHARES:
            parts[name] = shorten(whole[name], max(_room_for(name, parts, limit), len(parts[name])))
    return shorten(_BETWEEN.join(part for part in parts.values() if part), limit)


def note_of(briefing: Briefing, limit: int) -> str:
    """What a briefing says to who has read an earlier one: the news alone, where it is known what they have read."""
    if briefing.change is Change.RESOLVED:
        return shorten("\n".join(briefing.news), limit)
    if not briefing.knows_changes:
        return shorten(f"Updated.\n\n{text_of(briefing, limit)}", limit)
    lines = [f"- {one}" for one in briefing.news]
    members = _members_of(briefing)
    links = _section("Links", _links_of(briefing))
    return shorten("\n\n".join(filter(None, ["\n".join(["Updated:", *lines]), members, links])), limit)


def _parts_of(briefing: Briefing) -> Iterator[tuple[str, str]]:
    description, news = ("description", briefing.description.strip()), ("news", "\n".join(briefing.news))
    # What happened comes first; of what people know already, what happened is what changed.
    yield from (description, news) if briefing.is_first else (news, description)
    yield from ((title, _section(title, _lines_of(facts))) for title, facts in briefing.tables)
    yield "members", _members_of(briefing)
    yield "evidence", _section("Evidence", _lines_of(briefing.known))
    yield "to do", _section("What to do", briefing.to_do)
    yield "links", _section("Links", _links_of(briefing))
    yield "reference", _section("Reference", _lines_of(briefing.reference))


def _section(title: str, lines: Iterable[str]) -> str:
    body = "\n".join(lines)
    return f"{title.upper()}\n{body}" if body else ""


def _members_of(briefing: Briefing) -> str:
    if briefing.members is None:
        return ""
    title, lines = briefing.members
    return "\n".join([title.upper(), *(f"- {line}" for line in lines)])


def _links_of(briefing: Briefing) -> Iterator[str]:
    return (f"{link.text}: {link.url}" if link.url else link.text for link in briefing.links)


def _lines_of(facts: Iterable[Fact]) -> Iterator[str]:
    for fact in facts:
        values = [shorten(value, _VALUE) for value in fact.values]
        are_short = all(len(one) <= _SHORT and not any(joint in one for joint in _JOINTS) for one in values)
        if len(values) == 1 or (not fact.is_code and are_short):
            yield f"{fact.name}: {', '.join(values)}"
        else:
            yield f"{fact.name}:"
            yield from (f"- {value}" for value in values)


def _whole_lines(text: str, room: int) -> str:
    """As many lines as there is room for, and how many more there are."""
    if len(text) <= room:
        return text
    lines, kept, filled = text.split("\n"), 0, len("… [9999 more lines]")
    while kept < len(lines) and filled + len(lines[kept]) + 1 <= room:
        filled += len(lines[kept]) + 1
        kept += 1
    if kept < 2:
        return shorten(text, room)
    return "\n".join([*lines[:kept], f"… [{len(lines) - kept} more lines]"])


def _room_for(name: str, parts: Mapping[str, str], limit: int) -> int:
    """The characters that the other parts leave to one."""
    return limit - _size_of([*(part for other, part in parts.items() if other != name), "x"]) + 1


def _size_of(parts: Iterable[str]) -> int:
    return sum(len(part) + len(_BETWEEN) for part in parts if part) - len(_BETWEEN)


def fitting[T](
    whole: T, text: Callable[[int], str], form: Callable[[str], T], size: Callable[[T], int], limit: int
) -> T:
    """A form of a briefing that is no larger than `limit`: the whole, else that of its plain text, cut until it fits."""
    fit, room = whole, limit
    while size(fit) > limit:
        fit = form(text(room))
        room = room * 2 // 3
    return fit
