"""What people see of a notice on a phone without scrolling: the chat kinds' text, in lines, and no more of them than fit.

What happened, where, since when, why you, the evidence as far as there is room for it, and how much more there is elsewhere. A
kind renders each line in its vendor's form; what it sets below in small letters, as the key, is not counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap

from router.destinations.wording.briefing import PORTAL, Briefing, Fact
from router.destinations.wording.fitting import MARK
from router.destinations.wording.headlines import groups_words
from router.domain.clouds import is_connected
from router.domain.decisions import Change
from router.domain.notices import Group, Link, NamedMember, Notice
from router.domain.whereabouts import whereabouts_of

LINES = 12
"""Lines of one screen."""

WIDTH = 45
"""Characters of a line on a phone."""

LINKS = 4
"""The most links."""

CUT = "…"
"""What stands where a line was cut; the headline and the description have the mark that they have elsewhere."""

_HEADLINE = 3  # lines at most
_NEWS = 4
_DESCRIPTION = 3
_CODE = 2
_LINKS = 2
_MEMBERS = 3
_FEW = 3
"""The lines of a group's members that what changed in it leaves room for."""
_LEAST = 7
"""The lines that are left to what happened and to the evidence, before what stands around them is cut to a line each."""
_NAME, _PLACE, _LINK = 30, 20, 30  # characters
_LEAD, _LATE = ("Reported by", "Risk", "Cause", "Measure"), ("Tactics",)
"""What of the facts on what happened stands before the evidence, and what behind it."""
_TIMES = {"Respond by": "respond by", "First seen": "since", "Last seen": "last seen"}
"""What times are called in a row, the one that nobody can do without first."""
_SECONDS = re.compile(r"(?<=\d\d:\d\d):\d\d(?= UTC$)")
_ZONE = " UTC"
_PORTAL = "Azure portal"


@dataclass(frozen=True, slots=True)
class Line:
    """A paragraph or a fact, that takes a line of the screen or a few.

    Attributes:
        text: what it says.
        name: what the fact is called; empty for a paragraph.
        is_code: whether people copy the text into a shell or a search.
        more: what follows the text and is not part of it: how many more values there are.
    """

    text: str
    name: str = ""
    is_code: bool = False
    more: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.text}{self.more}" if self.name else f"{self.text}{self.more}"

    @property
    def height(self) -> int:
        """How many lines of the screen it takes."""
        return _height(str(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstScreen:
    """What people see first of a notice. All of it together has at most `LINES` lines.

    Attributes:
        headline: how it changed, severity, title, location.
        story: what happened: what this turn is about, the beginning of the description, the first of a group's members.
        facts: where, since when, why you, evidence, what to do first; each once.
        hidden: how many facts of the evidence have no room.
        rest: the line that says so; None where none is hidden.
        links: pages to look at, the portal's first.
    """

    headline: str
    story: tuple[Line, ...]
    facts: tuple[Line, ...]
    hidden: int
    rest: str | None
    links: tuple[Link, ...]

    @property
    def text(self) -> str:
        """All of it as plain text."""
        rest = [self.rest] if self.rest is not None else []
        links = [f"{link.text}: {link.url}" for link in self.links]
        parts = ([self.headline], map(str, self.story), [*map(str, self.facts), *rest], links)
        return "\n\n".join(filter(None, map("\n".join, parts)))

    @property
    def height(self) -> int:
        """How many lines of the screen it takes."""
        lines = sum(line.height for line in (*self.story, *self.facts))
        return _height(self.headline) + lines + (self.rest is not None) + _height(_words_of(self.links))


def first_screen_of(notice: Notice, briefing: Briefing) -> FirstScreen:
    """The first screen of a notice and its briefing."""
    headline = _fitted(f"{briefing.change.capitalize()}: {briefing.headline}", _HEADLINE, mark=MARK)
    links = _links_of(briefing)
    room = LINES - _height(headline) - _height(_words_of(links))
    # What is over is told in short: the channel has the rest already.
    facts = [] if briefing.change is Change.RESOLVED else _facts_of(briefing)
    around = list(_around(notice, briefing, room - (_LEAST if facts else 2)))
    room -= _total(around)
    story = list(_story(notice, briefing, room, len(facts), _DESCRIPTION))
    room -= _total(story)
    said = [name for name in map(_one_line, _where_of(notice)) if name in around[0].text]
    shown, hidden = _evidence(facts, room, said)
    room -= _total(shown) + (hidden > 0)

    # What the evidence leaves is for what was cut before it.
    around = list(_around(notice, briefing, (taken := _total(around)) + room))
    room -= _total(around) - taken
    steps = [step for step in briefing.to_do if step.strip()]
    if room and not hidden and facts and steps:
        shown.append(Line(_fitted(steps[0], 1, "To do"), "To do"))
        room -= 1
    story = list(_story(notice, briefing, _total(story) + room, 0, _DESCRIPTION + room))
    return FirstScreen(
        headline=headline,
        story=tuple(story),
        facts=(*around, *shown),
        hidden=hidden,
        rest=_rest(hidden, briefing) if hidden else None,
        links=links,
    )


def _around(notice: Notice, briefing: Briefing, room: int) -> Iterator[Line]:
    """Where, since when, and why you: a line each, or two where `room` has them."""
    times = _times_of(briefing)
    rows = [
        ("Where", _where_of(notice)),
        (
            times[0][0].capitalize() if times else "",
            [text if not at else f"{name} {text}" for at, (name, text) in enumerate(times)],
        ),
        (briefing.why[0].name if briefing.why else "", [", ".join(fact.values) for fact in briefing.why]),
    ]
    told = [(name, said) for name, texts in rows if (said := [text for text in map(_one_line, texts) if text])]
    for waiting, (name, texts) in zip(reversed(range(len(told))), told, strict=True):
        yield (line := _joined(name, texts, 2 if room - waiting > 1 else 1))
        room -= line.height


def _where_of(notice: Notice) -> Iterator[str]:
    """Where it happened, by the names that people use: the resource with what it is a part of, then what is around it."""
    where = whereabouts_of(notice)
    yield where.words
    yield from filter(None, (where.environment, where.subscription))
    for name, value in (("cluster", notice.cluster), ("resource group", notice.resource_group)):
        # A connector's resource group is its own, and not that of what it brings from another cloud.
        if value and value.casefold() not in where.words.casefold() and not is_connected(notice.resource):
            yield f"{name} {value}"


def _times_of(briefing: Briefing) -> list[tuple[str, str]]:
    """The times by name, what can be left out last; neither a time, nor its day, nor the zone is said twice."""
    facts = {fact.name: _SECONDS.sub("", fact.values[0]) for fact in briefing.when if fact.name in _TIMES}
    times: list[tuple[str, str]] = []
    for name in filter(facts.get, _TIMES):
        if facts[name] not in [text for _, text in times]:
            times.append((_TIMES[name], facts[name]))
    is_utc = all(text.endswith(_ZONE) for _, text in times)
    days = ["", *(text.partition(" ")[0] for _, text in times)]
    return [
        (name, text.removeprefix(f"{day} ").removesuffix(_ZONE if is_utc and day else ""))
        for day, (name, text) in zip(days, times, strict=False)
    ]


def _story(notice: Notice, briefing: Briefing, room: int, facts: int, most: int) -> Iterator[Line]:
    """What happened, in at most `room` lines, of which some stay for the facts; `most` of them are for the description."""
    members = [] if notice.group is None else list(_member_lines(notice.group, notice.title))
    # How something ended may go on to say what it was, which the headline does.
    news = " ".join(one.partition("\n")[0] for one in briefing.news)
    description = "" if briefing.change is Change.RESOLVED else briefing.description.strip()
    # One says how many facts have no room. A group's members are its evidence: the facts are those of its latest alone.
    room -= min(facts, 1 if members else 2 if news else 3)
    if news and description and briefing.change is Change.OPENED and room > 1:
        # Of what people know already, what happened is what changed; of what is new to them it is not.
        yield (line := Line(_sentences(description, min(most, room) - 1)))
        room -= line.height
        description = ""
    if news:
        yield (line := Line(_fitted(news, max(min(_NEWS, room - min(len(members), _FEW)), 1))))
        room -= line.height
        most -= 1
    members = members[: max(room, 0)]
    room -= _total(members)
    if description and room > 0:
        yield Line(_sentences(description, min(most, room)))
    yield from members


def _member_lines(group: Group, title: str) -> Iterator[Line]:
    """How many of a group's members still stand, and the first of them, a line each."""
    if group.groups is not None:
        if not group.standing:
            yield Line("None waits any longer")
            return
        signals = "1 signal" if group.standing == 1 else f"{group.standing} signals"
        yield Line(_fitted(f"{signals} in {groups_words(group.groups)}", 1, "Waiting"), "Waiting")
    else:
        yield Line(_fitted(f"{group.standing or 'none'} of {group.total}", 1, "Still standing"), "Still standing")
    for member in group.named[:_MEMBERS] if group.standing else ():
        yield Line(_member_words(member, title))


def _member_words(member: NamedMember, title: str) -> str:
    """A member in one line, of which its title is cut first; one that the headline has already is not said again."""
    severity = f"- {_shortened(member.severity or 'Unknown', _PLACE // 2)}: "
    place = _one_line(member.place or "")
    if place and member.title == title:
        return _fitted(f"{severity}{place}", 1)
    end = f" - {_shortened(place, _PLACE)}" if place else ""
    return _fitted(f"{severity}{_shortened(_one_line(member.title), WIDTH - len(severity) - len(end))}{end}", 1)


def _facts_of(briefing: Briefing) -> list[Fact]:
    """The facts that stand as evidence, in their order."""
    what = {fact.name: fact for fact in briefing.what}
    lead, late = ([what[name] for name in names if name in what] for names in (_LEAD, _LATE))
    return [*lead, *briefing.evidence, *late, *briefing.others]


def _evidence(facts: Sequence[Fact], room: int, places: Iterable[str]) -> tuple[list[Line], int]:
    """The first facts that fit into `room` lines, and how many do not; what the screen says already is neither."""
    said = {place.casefold() for place in places}
    lines: list[Line] = []
    waiting = list(facts)
    while waiting:
        fact = waiting[0]
        if _is_said(fact, said):
            waiting.pop(0)
            continue
        # The last line says how many more there are.
        most = min(_CODE if fact.is_code else 1, room - (len(waiting) > 1))
        if most < 1:
            break
        name = _shortened(_one_line(fact.name), _NAME)
        values = [value for value in map(_one_line, fact.values) if value]
        line, count = _listed(values, name, most, is_code=fact.is_code)
        lines.append(line)
        said.update(map(str.casefold, values[:count]))
        room -= line.height
        waiting.pop(0)
    return lines, sum(not _is_said(fact, said) for fact in waiting)


def _is_said(fact: Fact, said: set[str]) -> bool:
    return all(_one_line(value).casefold() in said for value in fact.values if value.strip())


def _listed(values: Sequence[str], name: str, most: int, *, is_code: bool) -> tuple[Line, int]:
    """As many whole values as fit, with how many more there are; and how many of them are whole."""
    # Two characters are a comma and a blank.
    for count in range(min(len(values), most * WIDTH // 2), 0, -1):
        line = Line(", ".join(values[:count]), name, is_code, _more(len(values) - count))
        if len(str(line)) <= most * WIDTH and line.height <= most:
            return line, count
    more = _more(len(values) - 1)
    length = most * WIDTH
    while (line := Line(_shortened(values[0], length), name, is_code, more)).height > most and length > 0:
        length -= 1
    return line, 0


def _more(count: int) -> str:
    return f" and {count} more" if count else ""


def _rest(hidden: int, briefing: Briefing) -> str:
    count = "1 more fact" if hidden == 1 else f"{hidden} more facts"
    if briefing.in_full is not None:
        return _fitted(f"{CUT} and {count} in the {briefing.in_full}", 1)
    has_portal = any(link.text == PORTAL for link in briefing.links)
    return f"{CUT} and {count}: open the alert" if has_portal else f"{CUT} and {count}"


def _links_of(briefing: Briefing) -> tuple[Link, ...]:
    """The first links that lead somewhere, as far as they fit."""
    links: list[Link] = []
    for link in briefing.links:
        text = _PORTAL if link.text == PORTAL else _one_line(link.text)
        short = Link(text=_shortened(text, _LINK), url=link.url)
        if link.url and short.text and _height(_words_of([*links, short])) <= _LINKS:
            links.append(short)
    return tuple(links[:LINKS])


def _words_of(links: Iterable[Link]) -> str:
    return " · ".join(link.text for link in links)


def _joined(name: str, texts: Sequence[str], most: int) -> Line:
    """As many of the texts as fit, of which the first is cut where it has to be; it says where some are left out."""
    for count in range(len(texts), 0, -1):
        text = ", ".join([*texts[:count], *([CUT] if count < len(texts) else [])])
        if _height(f"{name}: {text}") <= most:
            return Line(text, name)
    return Line(_fitted(texts[0], most, name), name)


def _sentences(text: str, lines: int) -> str:
    """The beginning of a text in at most `lines` lines, up to the end of a sentence where one is near."""
    fitted = _fitted(text, lines, mark=MARK)
    if not fitted.endswith(MARK):
        return fitted
    words = fitted.removesuffix(MARK)
    end = f"{words} ".rfind(". ") + 1
    whole = f"{words[:end]} {MARK}"
    return whole if end > len(words) // 2 and _height(whole) <= lines else fitted


def _fitted(text: str, lines: int, name: str = "", *, mark: str = CUT) -> str:
    """A text on one line that takes at most `lines` lines of the screen behind its name, cut where it must be."""
    label = f"{name}: " if name else ""
    longest = lines * WIDTH - len(label)
    # Of a text of a megabyte only the beginning is looked at.
    enough = 4 * longest + WIDTH
    words = _one_line(text[:enough])
    if len(words) <= longest and len(text) <= enough and _height(label + words) <= lines:
        return words
    while longest > len(mark) and _height(f"{label}{words[: longest - len(mark)]}{mark}") > lines:
        longest -= 1
    return f"{words[: longest - len(mark)].rstrip()}{mark}"


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: max(limit - len(CUT), 0)].rstrip()}{CUT}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _total(lines: Iterable[Line]) -> int:
    return sum(line.height for line in lines)


def _height(text: str) -> int:
    """How many lines a text takes where it is broken between words, and in a word that is longer than a line."""
    return len(wrap(text, WIDTH)) if len(text) > WIDTH else bool(text)
