"""What people see of a notice on a phone without scrolling: the chat kinds' text, in lines, and no more of them than fit.

What happened, where, since when, why you, the evidence as far as there is room for it, and how much more there is elsewhere. A
kind renders each line in its vendor's form; what it sets below in small letters, as the key, is not counted. A line is counted
by its characters, since each phone breaks it at another word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from copy import replace

from router.destinations.wording.facts import Fact, owner_words
from router.destinations.wording.fitting import CUT, MARK, one_line, shortened
from router.destinations.wording.headlines import groups_words, headline_of, member_lines, subject_of
from router.destinations.wording.notice_text import PORTAL, Briefing
from router.destinations.wording.whereabouts import whereabouts_of
from router.domain.decisions import Change
from router.domain.notices import ANNOUNCEMENT, Group, Link, NamedMember, Notice
from router.domain.resources import is_connected
from router.domain.values import Value

LINES = 12  # lines of one screen

WIDTH = 45  # characters of a line on a phone

LINKS = 4  # the most links

# The most lines of each part.
_HEADLINE, _NEWS, _DESCRIPTION, _COMMAND, _CODE, _SUBJECT, _STEP, _LINK_ROWS, _ANNOUNCED = 3, 4, 2, 3, 2, 2, 10, 2, 4
_MEMBERS, _FEW = 3, 3
"""The members of a group that are named, and the lines of them that what changed leaves room for."""
_NAME, _PLACE, _LINK, _TIME = 30, 20, 30, 40  # characters
_BEGINNING = 20  # how many characters of a value are worth to be told

_LEAD, _LATE = ("Incident", "Reported by", "Risk", "Cause", "Measure"), ("Tactics",)
"""What of the facts on what happened is told before all evidence, and what behind it."""
_HOW = ("Commands", "Processes", "Queries")  # how it was done
_WHERE = "Where"
_LAST = "Last seen"
_TIMES = {"First seen": "since", "Respond by": "respond by", _LAST: "last seen"}
"""What times are called in a row, what can be left out last."""
_SECONDS = re.compile(r"(?<=\d\d:\d\d):\d\d(?= UTC$)")
_ZONE = " UTC"
_PARTS = re.compile(r"/|, | - | \(|\)")  # what stands between the names of a place


class Line(Value):
    """A paragraph, or a fact with its name, that takes a line of the screen or a few.

    `is_code` is whether people copy the text into a shell or a search; `more` says how many more values there are.
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
        return height_of(str(self))


class FirstScreen(Value, kw_only=True):
    """What people see first of a notice: at most `LINES` lines, and below them the first step.

    `hidden` is how many facts have no room, and `rest` the line that says so.
    """

    headline: str
    story: tuple[Line, ...]
    facts: tuple[Line, ...] = ()
    hidden: int = 0
    rest: str | None = None
    step: Line | None = None
    links: tuple[Link, ...] = ()

    @property
    def text(self) -> str:
        """All of it as plain text."""
        rest = [str(line) for line in (self.rest, self.step) if line is not None]
        links = [f"{link.text}: {link.url}" for link in self.links]
        parts = ([self.headline], map(str, self.story), [*map(str, self.facts), *rest], links)
        return "\n\n".join(filter(None, map("\n".join, parts)))


def height_of(text: str) -> int:
    """How many lines of the screen a text takes."""
    return -(-len(text) // WIDTH)


def total(lines: Iterable[Line]) -> int:
    """How many lines of the screen they take together."""
    return sum(line.height for line in lines)


def first_screen_of(briefing: Briefing) -> FirstScreen:
    """The first screen of a notice in words."""
    notice, is_new = briefing.notice, briefing.is_first
    if notice.kind == ANNOUNCEMENT:
        return _announced(briefing)
    headline, links, texts = _headline_of(notice, briefing.change), _links_of(notice, briefing), _row_texts(briefing)
    rows = list(_rows(texts, 0))
    room = LINES - height_of(headline) - height_of(_words_of(links)) - total(rows)

    # What is over is told in short, where the channel has the rest already.
    is_over = briefing.change is Change.RESOLVED and not is_new
    names = set() if is_over else set(_names_said_of_where(notice, headline, rows[0].text))
    subject, evidence = ([], []) if is_over else _facts_of(briefing, {name.casefold() for name in names})
    prose = "" if is_over else without_repeated(briefing.description, headline)

    # Of what people know already, what happened is what changed; of what is new to them it is not.
    members = [] if notice.group is None else list(_member_lines(notice.group, notice.title))
    has_facts = bool(subject or evidence)
    first = min(len(members), _FEW) or _DESCRIPTION * bool(subject or (is_new and prose))
    news = _news(briefing, room - first - has_facts)
    members = members[: max(room - total(news) - has_facts, 0)]
    room -= total(news) + total(members)
    said: set[str] = set()
    about, subject = _shown(subject, room, _SUBJECT, said, beyond=len(evidence))
    room -= total(about)
    # Without a subject it is the description that says what happened, but not all that can be said.
    most = _DESCRIPTION + (not about)
    description = _description(prose, min(room - bool(subject or evidence), most))
    room -= total(description)
    before = said.copy()
    shown, left = _shown(evidence, room, 1, said, beyond=len(subject))
    hidden = len(subject) + len(left)
    if not hidden:
        longer, left = _shown(evidence, room, _SUBJECT, before)
        shown = shown if left else longer
    room -= total(shown) + (hidden > 0)

    # What they leave is for what was cut before.
    longer = list(_rows(texts, room))
    room -= total(longer) - total(rows)
    description = _description(prose, total(description) + room)
    happened = [*about, *description, *news] if is_new else [*news, *about, *description]
    return FirstScreen(
        headline=headline,
        story=(*happened, *members),
        facts=(*longer, *shown),
        hidden=hidden,
        rest=_rest(hidden, briefing) if hidden else None,
        step=None if is_over else _step_of(briefing.to_do),
        links=links,
    )


def _announced(briefing: Briefing) -> FirstScreen:
    """The first screen of an announcement, which has no place: what happened, what is held, what to do first."""
    links = _links_of(notice := briefing.notice, briefing)
    headline = headline_of(notice).within(_HEADLINE * WIDTH)
    title, named = member_lines(notice.group) if notice.group is not None else ("", ())
    lines = [Line(str(notice.group.standing), title)] if notice.group is not None else []
    lines += [Line(fitted_text(f"- {line}", 1)) for line in named[:_ANNOUNCED]]
    lines += [Line(fitted_text(step, 2, "To do"), "To do") for step in notice.remediation[:1]]
    room = LINES - height_of(headline) - height_of(_words_of(links))
    story = [Line(_sentences(notice.description, max(room - total(lines), 1))), *lines]
    while total(story) > room:
        story.pop()
    return FirstScreen(headline=headline, story=tuple(story), links=links)


def _headline_of(notice: Notice, change: Change) -> str:
    """How it changed and the headline, of which the title gives way."""
    start, whole = f"{change.capitalize()}: ", headline_of(notice)
    return start + replace(whole, title=one_line(whole.title)).within(_HEADLINE * WIDTH - len(start))


type _Texts = tuple[str, Sequence[str], int]
"""What a row is called, what it says, and how much of that never gives way."""


def _row_texts(briefing: Briefing) -> Sequence[_Texts]:
    """Where; since when and by when, which never give way; and why you, as far as there is anything to say."""
    notice = briefing.notice
    rows: list[_Texts] = [(_WHERE, [text for text in map(one_line, _where_of(notice)) if text], 0)]
    times, firm = _times_of(briefing)
    if times:
        (name, first), *others = times
        rows.append((name.capitalize(), [first, *(f"{name} {text}" for name, text in others)], firm))
    known = {"Owner": owner_words(notice), "Sent by": notice.routes}
    if why := [fact for fact in briefing.why if known.get(fact.name)]:
        rows.append((why[0].name, [one_line(", ".join(fact.values)) for fact in why], 0))
    return rows


def _rows(texts: Sequence[_Texts], room: int) -> Iterator[Line]:
    """A line of each, or two as far as there is `room` for more."""
    for name, told, least in texts:
        short = _row(name, told, 1, least)
        long = _row(name, told, max(short.height, 2), least)
        yield (line := long if long.height - short.height <= room else short)
        room -= line.height - short.height


def _row(name: str, texts: Sequence[str], most: int, least: int) -> Line:
    """As many whole texts as fit into `most` lines; the first `least` of them in any case, or else the first one, cut."""
    for count in range(len(texts), 0, -1):
        line = Line(", ".join(texts[:count]), name)
        if line.height <= most or count == least:
            return line
    room = most * WIDTH - len(name) - len(": ")
    return Line(end_of_path(texts[0], room) if name == _WHERE else shortened(texts[0], room), name)


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
    is_whole = where.words in headline or where.words in said
    parts = {part.strip() for part in _PARTS.split(f"{headline}, {said}")}
    yield from (name for name in (*where.parents, where.name) if is_whole or name in parts)
    yield from (name for name in map(one_line, _where_of(notice)) if name in said)


def _times_of(briefing: Briefing) -> tuple[list[tuple[str, str]], int]:
    """The times by name, and how many of them never give way; neither a day nor the zone is said twice."""
    facts = {fact.name: shortened(_SECONDS.sub("", fact.values[0]), _TIME) for fact in briefing.when}
    told = {name: facts[name] for name in _TIMES if name in facts}
    if told.get(_LAST) in (told.get(name) for name in _TIMES if name != _LAST):
        told.pop(_LAST, None)
    is_utc = all(text.endswith(_ZONE) for text in told.values())
    days = ["", *(text.partition(" ")[0] for text in told.values())]
    times = [
        (_TIMES[name], text.removeprefix(f"{day} ").removesuffix(_ZONE if is_utc and day else ""))
        for day, (name, text) in zip(days, told.items(), strict=False)
    ]
    return times, len(told) - (_LAST in told and len(told) > 1)


def _news(briefing: Briefing, room: int) -> list[Line]:
    """What this turn is about: how something ended may go on to say what it was, which the headline does."""
    news = " ".join(one.partition("\n")[0] for one in briefing.news)
    return [Line(fitted_text(news, max(min(_NEWS, room), 1)))] if news else []


def _member_lines(group: Group, title: str) -> Iterator[Line]:
    """How many of a group's members still stand, and the first of them, a line each."""
    if group.groups is not None and not group.standing:
        yield Line("None waits any longer")
        return
    if group.groups is not None:
        signals = "1 signal" if group.standing == 1 else f"{group.standing} signals"
        name, count = "Waiting", f"{signals} in {groups_words(group.groups)}"
    else:
        name, count = "Still standing", f"{group.standing or 'none'} of {group.total}"
    yield Line(fitted_text(count, 1, name), name)
    yield from (Line(_member_words(member, title)) for member in group.named[: _MEMBERS * bool(group.standing)])


def _member_words(member: NamedMember, title: str) -> str:
    """A member in one line, of which its title is cut first; one that the headline has already is not said again."""
    severity = f"- {shortened(member.severity or 'Unknown', _PLACE // 2)}: "
    place = one_line(member.place or "")
    if place and member.title == title:
        return fitted_text(f"{severity}{place}", 1)
    end = f" - {shortened(place, _PLACE)}" if place else ""
    return fitted_text(f"{severity}{shortened(one_line(member.title), WIDTH - len(severity) - len(end))}{end}", 1)


def _facts_of(briefing: Briefing, told: set[str]) -> tuple[Sequence[Fact], Sequence[Fact]]:
    """The facts that say what happened, those that the title speaks of first; and those that are evidence, in their order.

    They have none of the names that are `told`.
    """
    what = {fact.name: fact for fact in briefing.what}
    lead, late = ([what[name] for name in names if name in what] for names in (_LEAD, _LATE))
    evidence = (*briefing.located, *briefing.evidence)
    subject = subject_of(briefing.notice.title, evidence)
    others = (*(fact for fact in evidence if fact not in subject), *late, *briefing.others)
    return list(_beside((*subject, *lead), told)), list(_beside(others, told))


def _beside(facts: Iterable[Fact], told: set[str]) -> Iterator[Fact]:
    """The facts without the values that say nothing, or only where it happened."""
    for fact in facts:
        if values := tuple(text for value in fact.values if (text := one_line(value)) and text.casefold() not in told):
            yield replace(fact, values=values)


def _shown(
    facts: Sequence[Fact], room: int, plain: int, said: set[str], beyond: int = 0
) -> tuple[list[Line], Sequence[Fact]]:
    """The facts that fit into `room` lines, and those that do not; what was said before is neither.

    A value that people do not copy has `plain` lines. `beyond` are facts that have no room yet, and the last line says how many
    do not fit. The values that are shown whole are said from now on.
    """
    lines: list[Line] = []
    while facts := [fact for fact in facts if not said.issuperset(map(str.casefold, fact.values))]:
        most = _COMMAND if facts[0].name in _HOW else _CODE if facts[0].is_code else plain
        most = min(most, room - (beyond > 0 or len(facts) > 1))
        if most < 1:
            break
        line, whole = _fact_line(facts[0], most)
        lines.append(line)
        # An address stands before its place, and an image before its command line.
        said.update(name for value in whole for name in (value.casefold(), value.casefold().partition(": ")[0]))
        room -= line.height
        facts = facts[1:]
    return lines, facts


def _fact_line(fact: Fact, most: int) -> tuple[Line, Iterable[str]]:
    """As many values as fit into that many lines, with how many more there are; and those that are whole.

    Of what people copy, programs lose the middle of their paths where not all fit, and the beginning of the first value that
    does not fit is told as well: what comes before it is often what started it.
    """
    name = shortened(one_line(fact.name), _NAME)
    room = most * WIDTH - len(name) - len(": ")
    values: Sequence[str] = fact.values[: room // 2 + 1]
    if len(values) == len(fact.values) and len(whole := ", ".join(values)) <= room:
        return Line(whole, name, fact.is_code), values
    if fact.is_code:
        values = [without_middle(value, is_path=fact.name == "Files") for value in values]
    text, more = "", ""
    told: set[str] = set()
    for left, value in zip(range(len(fact.values) - 1, -1, -1), values, strict=False):
        start, end = f"{text}, " if text else "", f" and {left} more" if left else ""
        beginning = room - len(start) - len(end)
        if len(value) > beginning:
            if not text or (fact.is_code and beginning >= _BEGINNING):
                is_path = " " not in value and not fact.is_code and "://" not in value
                separator = "\\" if "\\" in value else "/"
                cut = end_of_path(value, beginning, separator) if is_path else shortened(value, beginning)
                text, more = start + cut, end
            break
        text, more = start + value, end
        told.add(value)
    return Line(text, name, fact.is_code, more), told.intersection(fact.values)


def _rest(hidden: int, briefing: Briefing) -> str:
    count = "1 more fact" if hidden == 1 else f"{hidden} more facts"
    if briefing.in_full is not None:
        return fitted_text(f"{CUT} and {count} in the {briefing.in_full}", 1)
    has_portal = any(link.text == PORTAL for link in briefing.links)
    return f"{CUT} and {count}: open the alert" if has_portal else f"{CUT} and {count}"


def _links_of(notice: Notice, briefing: Briefing) -> tuple[Link, ...]:
    """The first links that lead somewhere, as far as they fit: portal, runbook, ticket; others stand behind them."""
    runbooks, pages = set(notice.runbooks[1:]), {page.url for page in notice.links}
    links: list[Link] = []
    for link in sorted(briefing.links, key=lambda link: (link.url in pages, link.url in runbooks)):
        short = Link(
            text="Azure portal" if link.text == PORTAL else shortened(one_line(link.text), _LINK), url=link.url
        )
        if link.url and short.text and height_of(_words_of([*links, short])) <= _LINK_ROWS:
            links.append(short)
    return tuple(links[:LINKS])


def _words_of(links: Iterable[Link]) -> str:
    return " · ".join(link.text for link in links)


def _step_of(steps: Iterable[str]) -> Line | None:
    """The first step, whole, with what introduces it; the beginning of one that is too long for a chat."""
    told = [text for text in map(one_line, steps) if text]
    text = " ".join(told[:2]) if told and told[0].endswith(":") else "".join(told[:1])
    return Line(_sentences(text, _STEP), "To do") if text else None


def _description(text: str, lines: int) -> list[Line]:
    """The beginning of the description; a line of it that is no sentence says nothing."""
    told = _sentences(text, lines) if text and lines > 0 else ""
    return [Line(told)] if told and (lines > 1 or not told.endswith(MARK)) else []


def _sentences(text: str, lines: int) -> str:
    """The beginning of a text in at most `lines` lines, up to the end of a sentence where one is near, else of a word."""
    beginning = fitted_text(text, lines, mark=MARK)
    if not beginning.endswith(MARK):
        return beginning
    words = beginning.removesuffix(MARK)
    end = f"{words} ".rfind(". ") + 1
    if end > len(words) // 2 and end + len(f" {MARK}") <= lines * WIDTH:
        return f"{words[:end]} {MARK}"
    return f"{words.rpartition(' ')[0] or words}{MARK}"


def fitted_text(text: str, lines: int, name: str = "", *, mark: str = CUT) -> str:
    """A text on one line that takes at most `lines` lines of the screen behind its name, cut where it must be."""
    room = lines * WIDTH - (len(f"{name}: ") if name else 0)
    # Of a text of a megabyte only the beginning is looked at.
    words = one_line(text[: 4 * room + WIDTH])
    if len(words) <= room and len(text) <= 4 * room + WIDTH:
        return words
    return f"{words[: room - len(mark)].rstrip()}{mark}"


def end_of_path(path: str, limit: int, separator: str = "/") -> str:
    """A path of at most `limit` characters: without what it is a part of, outermost first, before its end is cut."""
    if len(path) <= limit:
        return path
    _, found, end = path[-max(limit - len(CUT), 1) :].partition(separator)
    if not found:
        _, found, end = path.rpartition(separator)
    return shortened(f"{CUT}{separator}{end}" if found else path, limit)


_PROGRAM = re.compile(r'"[^"]*"|(?:(?!\s[-/\\"])[^"])*?\.(?:exe|com|cmd|bat|ps1|dll)\b|\S+', re.IGNORECASE)
"""What a command line runs: it is quoted, ends as programs of Windows do, or ends at a blank."""
_ROOT = re.compile(r'"?(?:[a-z]:|%\w+%|~)?(?P<separator>[\\/])[\\/]*', re.IGNORECASE)
"""How the path of a file begins."""
_LONGEST_PATH = 1_000  # characters


def without_middle(command: str, *, is_path: bool = False) -> str:
    """A command line whose program is told without the middle of its path: `c:\\…\\regsvr32.exe /s`; or such a path alone."""
    found = None if is_path else _PROGRAM.match(command[:_LONGEST_PATH])
    program = found[0] if found is not None else command
    root = _ROOT.match(program)
    at = max(program.rfind("/"), program.rfind("\\")) + 1
    if root is None or at <= root.end() or at == len(program):
        return command
    return f"{root[0]}{CUT}{root['separator']}{program[at:]}{command[len(program) :]}"


_SENTENCE = re.compile(r"\s*(?P<words>.{1,300}?)(?:[.:!?](?=\s|\Z)\s*|\Z)", re.DOTALL)
_WORD = re.compile(r"[^\W_]+")
_STEM = 5  # characters by which words are compared: `detected` is `detection`
_EMPTY = frozenset(
    word[:_STEM]
    for word in _WORD.findall(
        "a an the this that these is was were are be been has have had on in at to of by for from with and or s your it its "
        "may might possible potential potentially detected observed found identified indicates performed generated someone "
        "suspicious suspected anomalous unusual analysis alert host data machine logs system resource environment "
        "azure microsoft defender cloud security center"
    )
)
"""Words that say nothing beside a headline."""


def without_repeated(description: str, headline: str) -> str:
    """A description without the first sentences that say nothing beside the headline."""
    told = _EMPTY.union(word[:_STEM] for word in _WORD.findall(headline.casefold()))
    text = description.strip()
    while text and (first := _SENTENCE.match(text)) is not None:
        if any(word[:_STEM] not in told for word in _WORD.findall(first["words"].casefold())):
            break
        text = text[first.end() :]
    return text
