"""What people see of a notice on a phone without scrolling: the chat kinds' text, in lines, and no more of them than fit.

What happened, where, since when, why you, the evidence as far as there is room for it, and how much more there is elsewhere. A
kind renders each line in its vendor's form; what it sets below in small letters, as the key, is not counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from router.destinations.wording.announcements import is_announcement, screen_of
from router.destinations.wording.briefing import PORTAL, Briefing, Fact
from router.destinations.wording.fitting import MARK, shorten
from router.destinations.wording.headlines import groups_words, headline_of
from router.destinations.wording.screen_lines import (
    CUT,
    WIDTH,
    Line,
    fitted,
    fitted_path,
    height_of,
    listed,
    one_line,
    row,
    shortened,
    total,
)
from router.domain.clouds import is_connected
from router.domain.decisions import Change
from router.domain.notices import Group, Link, NamedMember, Notice
from router.domain.whereabouts import whereabouts_of

LINES = 12
"""Lines of one screen."""

LINKS = 4
"""The most links."""

_HEADLINE = 3  # lines at most
_NEWS = 4
_DESCRIPTION = 3
_COMMAND, _CODE = 3, 2
_LINKS = 2
_MEMBERS = 3
_FEW = 3
"""The lines of a group's members that what changed in it leaves room for."""
_LEAST = 7
"""The lines that are left to what happened and to the evidence, before what stands around them is cut to a line each."""
_NAME, _PLACE, _LINK = 30, 20, 30  # characters
_LEAD, _LATE = ("Reported by", "Risk", "Cause", "Measure"), ("Tactics",)
"""What of the facts on what happened stands before the evidence, and what behind it."""
_HOW = ("Commands", "Processes", "Queries")
"""How it was done: what has its lines before all other evidence."""
_WHERE = "Where"
_TIMES = {"First seen": "since", "Respond by": "respond by", "Last seen": "last seen"}
"""What times are called in a row, what can be left out last."""
_SECONDS = re.compile(r"(?<=\d\d:\d\d):\d\d(?= UTC$)")
_ZONE = " UTC"
_PORTAL = "Azure portal"


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
        return height_of(self.headline) + lines + (self.rest is not None) + height_of(_words_of(self.links))


def first_screen_of(notice: Notice, briefing: Briefing) -> FirstScreen:
    """The first screen of a notice and its briefing."""
    if is_announcement(notice):
        return _announced(notice)
    headline, links = _headline_of(notice, briefing.change), _links_of(notice, briefing)
    around = height_of(headline) + height_of(_words_of(links))
    # What is over is told in short: the channel has the rest already.
    is_over = briefing.change is Change.RESOLVED
    evidence, late = ([], []) if is_over else _facts_of(briefing)
    steps = [] if is_over else [step for step in briefing.to_do if step.strip()]

    rows = list(_rows(notice, briefing, LINES - around - (_LEAST if evidence or late else 2)))
    told = {place.casefold() for place in _names_said_of_where(notice, headline, rows[0].text)}
    evidence, late = list(_beside(evidence, told)), list(_beside(late, told))
    room = LINES - around - total(rows)
    # The third line of a description is for what the evidence leaves.
    most = _DESCRIPTION if briefing.news else _DESCRIPTION - 1
    story = list(_story(notice, briefing, room, len(evidence) + len(late), most))
    said: set[str] = set()
    room -= total(story)
    shown, hidden = _shown(evidence, room, said, beyond=_count_of(late, said))
    room -= total(shown) + (hidden + _count_of(late, said) > 0)

    # What the evidence leaves is for what happened, for the first step, and then for what stands behind the evidence.
    story, room = _grown(story, list(_story(notice, briefing, total(story) + room, 0, _DESCRIPTION)), room)
    step = [Line(fitted(steps[0], 1, "To do"), "To do")] if steps and room > 0 else []
    room -= total(step)
    behind: list[Line] = []
    if hidden:
        hidden += _count_of(late, said)
    else:
        behind, hidden = _shown(late, room + (_count_of(late, said) > 0), said)
    room = LINES - around - total([*rows, *story, *shown, *step, *behind]) - (hidden > 0)

    # What all of it leaves is for what was cut before it.
    rows, room = _grown(rows, list(_rows(notice, briefing, total(rows) + room)), room)
    story, room = _grown(story, list(_story(notice, briefing, total(story) + room, 0, _DESCRIPTION + room)), room)
    return FirstScreen(
        headline=headline,
        story=tuple(story),
        facts=(*rows, *shown, *behind, *step),
        hidden=hidden,
        rest=_rest(hidden, briefing) if hidden else None,
        links=links,
    )


def _announced(notice: Notice) -> FirstScreen:
    """The first screen of an announcement: it changes nothing that was open, and has no place."""
    headline = headline_of(notice).within(_HEADLINE * WIDTH)
    story = tuple(screen_of(notice, LINES - height_of(headline)))
    return FirstScreen(headline=headline, story=story, facts=(), hidden=0, rest=None, links=())


def _grown(lines: list[Line], longer: list[Line], room: int) -> tuple[list[Line], int]:
    """The same with more in it, and what is left of the room that it has for that."""
    return longer, room - (total(longer) - total(lines))


def _headline_of(notice: Notice, change: Change) -> str:
    """How it changed and the headline, of which the title gives way."""
    start = f"{change.capitalize()}: "
    parts = whole = headline_of(notice)
    limit = _HEADLINE * WIDTH - len(start)
    title = min(len(parts.title), limit)
    while height_of(text := f"{start}{parts.within(limit)}") > _HEADLINE:
        # A break between words takes room of a line.
        title -= 1
        if title >= len(MARK):
            parts = replace(parts, title=shorten(whole.title, title))
        else:
            limit -= 1
    return text


def _rows(notice: Notice, briefing: Briefing, room: int) -> Iterator[Line]:
    """Where, since when, and why you: a line each, or two where `room` has them."""
    times = _times_of(briefing)
    rows = [
        (_WHERE, _where_of(notice)),
        (
            times[0][0].capitalize() if times else "",
            [text if not at else f"{name} {text}" for at, (name, text) in enumerate(times)],
        ),
        (briefing.why[0].name if briefing.why else "", [", ".join(fact.values) for fact in briefing.why]),
    ]
    told = [(name, said) for name, texts in rows if (said := [text for text in map(one_line, texts) if text])]
    for waiting, (name, texts) in zip(reversed(range(len(told))), told, strict=True):
        most = 2 if room - waiting > 1 else 1
        cut = fitted_path if name == _WHERE else fitted
        yield (line := row(name, texts, most) or Line(cut(texts[0], most, name), name))
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


def _names_said_of_where(notice: Notice, headline: str, said: str) -> Iterator[str]:
    """Where it happened, by every name that stands whole in the headline, or in what is `said` of where."""
    where = whereabouts_of(notice)
    names = (*where.parents, where.name)
    for at in range(len(names)):
        # A location that is too long lacks its end in the headline, and its beginning in its own line.
        if f" - {'/'.join(names[: at + 1])}/" in headline:
            yield names[at]
        if said.startswith(f"{CUT}/{'/'.join(names[at:])}"):
            yield from names[at:]
    if where.words in headline or where.words in said:
        yield from names
    yield from (name for name in map(one_line, _where_of(notice)) if name in said)


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
        yield (line := Line(fitted(news, max(min(_NEWS, room - min(len(members), _FEW)), 1))))
        room -= line.height
        most -= 1
    members = members[: max(room, 0)]
    room -= total(members)
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
        yield Line(fitted(f"{signals} in {groups_words(group.groups)}", 1, "Waiting"), "Waiting")
    else:
        yield Line(fitted(f"{group.standing or 'none'} of {group.total}", 1, "Still standing"), "Still standing")
    for member in group.named[:_MEMBERS] if group.standing else ():
        yield Line(_member_words(member, title))


def _member_words(member: NamedMember, title: str) -> str:
    """A member in one line, of which its title is cut first; one that the headline has already is not said again."""
    severity = f"- {shortened(member.severity or 'Unknown', _PLACE // 2)}: "
    place = one_line(member.place or "")
    if place and member.title == title:
        return fitted(f"{severity}{place}", 1)
    end = f" - {shortened(place, _PLACE)}" if place else ""
    return fitted(f"{severity}{shortened(one_line(member.title), WIDTH - len(severity) - len(end))}{end}", 1)


def _facts_of(briefing: Briefing) -> tuple[list[Fact], list[Fact]]:
    """The facts that stand as evidence, and those that stand behind it, in their order."""
    what = {fact.name: fact for fact in briefing.what}
    lead, late = ([what[name] for name in names if name in what] for names in (_LEAD, _LATE))
    return [*lead, *briefing.evidence], [*late, *briefing.others]


def _beside(facts: Iterable[Fact], told: set[str]) -> Iterator[Fact]:
    """The facts without the values that say nothing, or only where it happened."""
    for fact in facts:
        values = tuple(text for value in fact.values if (text := one_line(value)) and text.casefold() not in told)
        if values:
            yield replace(fact, values=values)


def _shown(facts: Sequence[Fact], room: int, said: set[str], beyond: int = 0) -> tuple[list[Line], int]:
    """The facts that fit into `room` lines, and how many do not; what was said before is neither.

    How it was done has its lines first, and stands in its place in the order all the same. `beyond` are facts that have no room
    yet; the values that are shown are said from now on.
    """
    lines: dict[int, Line] = {}
    waiting = sorted(range(len(facts)), key=lambda at: facts[at].name not in _HOW)
    while waiting:
        fact, others = facts[waiting[0]], [facts[at] for at in waiting[1:]]
        if not _is_said(fact, said):
            # The last line says how many more there are.
            lines_for = _COMMAND if fact.name in _HOW else _CODE if fact.is_code else 1
            most = min(lines_for, room - (beyond + _count_of(others, said) > 0))
            if most < 1:
                break
            name = shortened(one_line(fact.name), _NAME)
            line, whole = listed(fact.values, name, most, is_code=fact.is_code)
            lines[waiting[0]] = line
            said.update(map(str.casefold, whole))
            room -= line.height
        waiting.pop(0)
    return [lines[at] for at in sorted(lines)], _count_of([facts[at] for at in waiting], said)


def _count_of(facts: Iterable[Fact], said: set[str]) -> int:
    """How many of the facts are not said yet."""
    return sum(not _is_said(fact, said) for fact in facts)


def _is_said(fact: Fact, said: set[str]) -> bool:
    return all(value.casefold() in said for value in fact.values)


def _rest(hidden: int, briefing: Briefing) -> str:
    count = "1 more fact" if hidden == 1 else f"{hidden} more facts"
    if briefing.in_full is not None:
        return fitted(f"{CUT} and {count} in the {briefing.in_full}", 1)
    has_portal = any(link.text == PORTAL for link in briefing.links)
    return f"{CUT} and {count}: open the alert" if has_portal else f"{CUT} and {count}"


def _links_of(notice: Notice, briefing: Briefing) -> tuple[Link, ...]:
    """The first links that lead somewhere, as far as they fit: portal, runbook, ticket; others stand behind them."""
    runbooks, pages = set(notice.runbooks[1:]), {page.url for page in notice.links}
    links: list[Link] = []
    for link in sorted(briefing.links, key=lambda link: (link.url in pages, link.url in runbooks)):
        text = _PORTAL if link.text == PORTAL else one_line(link.text)
        short = Link(text=shortened(text, _LINK), url=link.url)
        if link.url and short.text and height_of(_words_of([*links, short])) <= _LINKS:
            links.append(short)
    return tuple(links[:LINKS])


def _words_of(links: Iterable[Link]) -> str:
    return " · ".join(link.text for link in links)


def _sentences(text: str, lines: int) -> str:
    """The beginning of a text in at most `lines` lines, up to the end of a sentence where one is near."""
    beginning = fitted(text, lines, mark=MARK)
    if not beginning.endswith(MARK):
        return beginning
    words = beginning.removesuffix(MARK)
    end = f"{words} ".rfind(". ") + 1
    whole = f"{words[:end]} {MARK}"
    return whole if end > len(words) // 2 and height_of(whole) <= lines else beginning
