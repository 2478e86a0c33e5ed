"""What people see of a notice on a phone without scrolling: the chat kinds' text, in lines, and no more of them than fit.

What happened, where, since when, why you, the evidence as far as there is room for it, and how much more there is elsewhere. A
kind renders each line in its vendor's form; what it sets below in small letters, as the key, is not counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from textwrap import wrap

from router.destinations.wording.facts import Fact
from router.destinations.wording.fitting import CUT, MARK, one_line, shorten, shortened
from router.destinations.wording.headlines import groups_words, headline_of, member_lines, subject_of
from router.destinations.wording.notice_text import PORTAL, Briefing, owner_of
from router.destinations.wording.whereabouts import whereabouts_of
from router.domain.decisions import Change
from router.domain.notices import ANNOUNCEMENT, Group, Link, NamedMember, Notice
from router.domain.resources import is_connected

WIDTH = 45
"""Characters of a line on a phone."""

_FAR_TOO_LONG = 100 * WIDTH
"""Characters of a text that fits on no screen, however it is broken: where it breaks need not be found."""


_PROGRAM = re.compile(r'"[^"]*"|(?:(?!\s[-/\\"])[^"])*?\.(?:exe|com|cmd|bat|ps1|dll)\b|\S+', re.IGNORECASE)
"""What a command line runs: it is quoted, ends as programs of Windows do, or ends at a blank."""
_ROOT = re.compile(r'"?(?:[a-z]:|%\w+%|~)?(?P<separator>[\\/])[\\/]*', re.IGNORECASE)
"""How the path of a file begins."""
_LONGEST_PATH = 1_000  # characters
_BEGINNING = 20
"""How many characters of a value are worth to be told."""


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
        return height_of(str(self))


def height_of(text: str) -> int:
    """How many lines a text takes where it is broken between words, and in a word that is longer than a line."""
    if len(text) > _FAR_TOO_LONG:
        return len(text) // WIDTH
    return len(wrap(text, WIDTH)) if len(text) > WIDTH else bool(text)


def total(lines: Iterable[Line]) -> int:
    """How many lines of the screen they take together."""
    return sum(line.height for line in lines)


def fitted_text(text: str, lines: int, name: str = "", *, mark: str = CUT) -> str:
    """A text on one line that takes at most `lines` lines of the screen behind its name, cut where it must be."""
    label = f"{name}: " if name else ""
    longest = lines * WIDTH - len(label)
    # Of a text of a megabyte only the beginning is looked at.
    enough = 4 * longest + WIDTH
    words = one_line(text[:enough])
    if len(words) <= longest and len(text) <= enough and height_of(label + words) <= lines:
        return words
    while longest > len(mark) and height_of(f"{label}{words[: longest - len(mark)]}{mark}") > lines:
        longest -= 1
    return f"{words[: longest - len(mark)].rstrip()}{mark}"


def fitted_path(path: str, lines: int, name: str) -> str:
    """A path of names behind its own name: without what it is a part of, outermost first, before its end is cut."""
    # Of a path of a megabyte only what may fit is looked at.
    _, separator, end = path[-lines * WIDTH :].partition("/")
    while separator and height_of(f"{name}: {CUT}/{end}") > lines:
        _, separator, end = end.partition("/")
    return f"{CUT}/{end}" if separator else fitted_text(path, lines, name)


def listed(values: Sequence[str], name: str, most: int, *, is_code: bool) -> tuple[Line, Sequence[str]]:
    """As many values as fit into that many lines, with how many more there are; and those that are whole.

    Of what people copy, programs lose the middle of their paths where not all fit, and the beginning of the first value that
    does not fit is told as well: what comes before it is often what started it.
    """
    # Two characters are a comma and a blank.
    enough = most * WIDTH // 2
    texts = list(values[: enough + 1])
    if is_code and not _fits(_several(texts, len(values) - len(texts), name, is_code=True), most):
        texts = [without_middle(text, is_path=name == "Files") for text in texts]
    count, line = min(len(texts), enough), Line("", name)
    while count and not _fits(line := _several(texts[:count], len(values) - count, name, is_code=is_code), most):
        count -= 1
    if count < len(texts) and (is_code or not count):
        longer = _with_beginning(texts[:count], texts[count], len(values) - count - 1, name, most, is_code=is_code)
        if not count or len(longer.text) - len(line.text) >= _BEGINNING:
            line = longer
    return line, [value for text, value in zip(texts[:count], values, strict=False) if text == value]


def _several(values: Sequence[str], others: int, name: str, *, is_code: bool) -> Line:
    return Line(", ".join(values), name, is_code, f" and {others} more" if others else "")


def _with_beginning(before: Sequence[str], value: str, others: int, name: str, most: int, *, is_code: bool) -> Line:
    """Values, and behind them as much of another as fits; of a path by itself, as the name of an image, the end."""
    is_path = " " not in value and not is_code and "://" not in value
    cut = _end_of_path if is_path else shortened
    length = most * WIDTH - len(str(_several([*before, ""], others, name, is_code=is_code)))
    while (
        not _fits(line := _several([*before, cut(value, length)], others, name, is_code=is_code), most) and length > 0
    ):
        length -= 1
    return line


def _fits(line: Line, most: int) -> bool:
    return len(str(line)) <= most * WIDTH and line.height <= most


def without_middle(command: str, *, is_path: bool = False) -> str:
    """A command line whose program is told without the middle of its path: `c:\\…\\regsvr32.exe /s`; or such a path alone."""
    found = None if is_path else _PROGRAM.match(command[:_LONGEST_PATH])
    program = found[0] if found is not None else command
    root = _ROOT.match(program)
    at = max(program.rfind("/"), program.rfind("\\")) + 1
    if root is None or at <= root.end() or at == len(program):
        return command
    return f"{root[0]}{CUT}{root['separator']}{program[at:]}{command[len(program) :]}"


def _end_of_path(path: str, limit: int) -> str:
    """A path of at most `limit` characters: without what it is a part of, outermost first, before its end is cut."""
    if len(path) <= limit:
        return path
    separator = "\\" if "\\" in path else "/"
    _, found, end = path[-max(limit - len(CUT), 1) :].partition(separator)
    if not found:
        _, found, end = path.rpartition(separator)
    return shortened(f"{CUT}{separator}{end}" if found else path, limit)


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


LINES = 12
"""Lines of one screen."""

LINKS = 4
"""The most links."""

_HEADLINE = 3  # lines at most
_NEWS = 4
_DESCRIPTION = 2
_COMMAND, _CODE = 3, 2
_VALUE = 2  # of a fact that the title speaks of
_STEP = 10
_LINKS = 2
_MEMBERS, _ANNOUNCED = 3, 4
_FEW = 3
"""The lines of a group's members that what changed in it leaves room for."""
_NAME, _PLACE, _LINK, _TIME = 30, 20, 30, 40  # characters
_LEAD, _LATE = ("Incident", "Reported by", "Risk", "Cause", "Measure"), ("Tactics",)
"""What of the facts on what happened is told before all evidence, and what behind it."""
_HOW = ("Commands", "Processes", "Queries")
"""How it was done."""
_WHERE = "Where"
_LAST = "Last seen"
_TIMES = {"First seen": "since", "Respond by": "respond by", _LAST: "last seen"}
"""What times are called in a row, what can be left out last."""
_SECONDS = re.compile(r"(?<=\d\d:\d\d):\d\d(?= UTC$)")
_ZONE = " UTC"
_PORTAL = "Azure portal"


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstScreen:
    """What people see first of a notice: at most `LINES` lines, and below them the first step.

    Attributes:
        headline: how it changed, severity, title, location.
        story: what happened: what this turn is about, the beginning of the description, the first of a group's members.
        facts: where, since when, why you, evidence; each once.
        hidden: how many facts of the evidence have no room.
        rest: the line that says so; None where none is hidden.
        step: what to do first; None where nothing is known.
        links: pages to look at, the portal's first.
    """

    headline: str
    story: tuple[Line, ...]
    facts: tuple[Line, ...]
    hidden: int
    rest: str | None
    step: Line | None
    links: tuple[Link, ...]

    @property
    def text(self) -> str:
        """All of it as plain text."""
        rest = [*([self.rest] if self.rest is not None else []), *([str(self.step)] if self.step is not None else [])]
        links = [f"{link.text}: {link.url}" for link in self.links]
        parts = ([self.headline], map(str, self.story), [*map(str, self.facts), *rest], links)
        return "\n\n".join(filter(None, map("\n".join, parts)))

    @property
    def height(self) -> int:
        """How many lines of the screen it takes; the step, which is whole however long it is, stands below them."""
        lines = sum(line.height for line in (*self.story, *self.facts))
        return height_of(self.headline) + lines + (self.rest is not None) + height_of(_words_of(self.links))


def first_screen_of(briefing: Briefing) -> FirstScreen:
    """The first screen of a notice in words."""
    notice = briefing.notice
    if notice.kind == ANNOUNCEMENT:
        return _announced(notice)
    headline, links = _headline_of(notice, briefing.change), _links_of(notice, briefing)
    # What is over is told in short, where the channel has the rest already.
    is_over = briefing.change is Change.RESOLVED and not briefing.is_first
    subject, evidence = ([], []) if is_over else _facts_of(briefing)
    step = None if is_over else _step_of(briefing.to_do)
    members = [] if notice.group is None else list(_member_lines(notice.group, notice.title))
    prose = "" if is_over else without_repeated(briefing.description, headline)

    texts = list(_row_texts(notice, briefing))
    rows = list(_rows(texts, 0))
    told = {place.casefold() for place in _names_said_of_where(notice, headline, rows[0].text)}
    subject, evidence = (list(_beside(facts, told)) for facts in (subject, evidence))
    room = LINES - height_of(headline) - height_of(_words_of(links)) - total(rows)
    # Of what people know already, what happened is what changed; of what is new to them it is not.
    is_new = briefing.is_first
    first = min(len(members), _FEW) or _DESCRIPTION * bool(subject or (is_new and prose))
    news = list(_news(briefing, room - first - bool(subject or evidence)))
    members = members[: max(room - total(news) - bool(subject or evidence), 0)]
    room -= total(news) + total(members)
    said: set[str] = set()
    about, unsaid = _shown(subject, room, said, _VALUE, beyond=len(evidence))
    # One line says how many facts have no room.
    count = unsaid + _count_of(evidence, said) > 0
    room -= total(about) + count
    # Without a subject it is the description that says what happened, but not all that can be said.
    most = _DESCRIPTION + (not about)
    description = _description(prose, min(room - (len(briefing.evidence) > 0 and not about), most))
    room -= total(description)
    before = said.copy()
    shown, hidden = _shown(evidence, room + count, said, 1, beyond=unsaid)
    hidden += unsaid
    room += count - total(shown) - (hidden > 0)

    # What they leave is for what was cut before.
    if not hidden:
        longer, lost = _shown(evidence, total(shown) + room, before, _VALUE)
        shown, room = _grown(shown, shown if lost else longer, room)
    description, room = _grown(description, _description(prose, min(total(description) + room, most)), room)
    rows, room = _grown(rows, list(_rows(texts, room)), room)
    description, room = _grown(description, _description(prose, total(description) + room), room)
    happened = [*about, *description, *news] if is_new else [*news, *about, *description]
    return FirstScreen(
        headline=headline,
        story=(*happened, *members),
        facts=(*rows, *shown),
        hidden=hidden,
        rest=_rest(hidden, briefing) if hidden else None,
        step=step,
        links=links,
    )


def _announced(notice: Notice) -> FirstScreen:
    """The first screen of an announcement, which has no place: what happened, what is held, what to do first."""
    headline = headline_of(notice).within(_HEADLINE * WIDTH)
    title, named = member_lines(notice.group) if notice.group is not None else ("", ())
    lines = [Line(str(notice.group.standing), title)] if notice.group is not None else []
    lines += [Line(f"- {shortened(one_line(line), WIDTH - 2)}") for line in named[:_ANNOUNCED]]
    lines += [Line(fitted_text(step, 2, "To do"), "To do") for step in notice.remediation[:1]]
    room = LINES - height_of(headline)
    story = [Line(fitted_text(one_line(notice.description), max(room - total(lines), 1), mark=MARK)), *lines]
    while total(story) > room:
        story.pop()
    return FirstScreen(headline=headline, story=tuple(story), facts=(), hidden=0, rest=None, step=None, links=())


def _grown(lines: list[Line], longer: list[Line], room: int) -> tuple[list[Line], int]:
    """The same with more in it, and what is left of the room that it has for that."""
    return longer, room - (total(longer) - total(lines))


def _headline_of(notice: Notice, change: Change) -> str:
    """How it changed and the headline, of which the title gives way."""
    start = f"{change.capitalize()}: "
    whole = headline_of(notice)
    parts = whole = replace(whole, title=one_line(whole.title))
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


type _Texts = tuple[str, Sequence[str], int]
"""What a row is called, what it says, and how much of that never gives way."""


def _row_texts(notice: Notice, briefing: Briefing) -> Iterator[_Texts]:
    """Where; since when and by when, which never give way; and why you, as far as there is anything to say."""
    yield _WHERE, [text for text in map(one_line, _where_of(notice)) if text], 0
    times, firm = _times_of(briefing)
    if times:
        yield (
            times[0][0].capitalize(),
            [f"{name} {text}" if at else text for at, (name, text) in enumerate(times)],
            firm,
        )
    known = {"Owner": owner_of(notice), "Sent by": briefing.notice.routes}
    if why := [fact for fact in briefing.why if known.get(fact.name)]:
        yield why[0].name, [one_line(", ".join(fact.values)) for fact in why], 0


def _rows(texts: Sequence[_Texts], room: int) -> Iterator[Line]:
    """A line of each, or two as far as there is `room` for more."""
    for name, told, least in texts:
        short = _row(name, told, 1, least)
        long = _row(name, told, max(short.height, 2), least)
        yield (line := long if long.height - short.height <= room else short)
        room -= line.height - short.height


def _row(name: str, texts: Sequence[str], most: int, least: int) -> Line:
    """As many whole texts as fit into `most` lines; the first `least` of them in any case, or else the first one, cut."""
    for count in range(len(texts), least, -1):
        line = Line(", ".join(texts[:count]), name)
        if line.height <= most:
            return line
    if least:
        return Line(", ".join(texts[:least]), name)
    return Line((fitted_path if name == _WHERE else fitted_text)(texts[0], most, name), name)


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


def _news(briefing: Briefing, room: int) -> Iterator[Line]:
    """What this turn is about: how something ended may go on to say what it was, which the headline does."""
    if news := " ".join(one.partition("\n")[0] for one in briefing.news):
        yield Line(fitted_text(news, max(min(_NEWS, room), 1)))


def _description(text: str, lines: int) -> list[Line]:
    """The beginning of the description; a line of it that is no sentence says nothing."""
    told = _sentences(text, lines) if text and lines > 0 else ""
    return [Line(told)] if told and (lines > 1 or not told.endswith(MARK)) else []


def _step_of(steps: Iterable[str]) -> Line | None:
    """The first step, whole, with what introduces it; the beginning of one that is too long for a chat."""
    told = [text for text in map(one_line, steps) if text]
    text = " ".join(told[:2]) if told and told[0].endswith(":") else "".join(told[:1])
    return Line(_sentences(text, _STEP), "To do") if text else None


def _member_lines(group: Group, title: str) -> Iterator[Line]:
    """How many of a group's members still stand, and the first of them, a line each."""
    if group.groups is not None:
        if not group.standing:
            yield Line("None waits any longer")
            return
        signals = "1 signal" if group.standing == 1 else f"{group.standing} signals"
        yield Line(fitted_text(f"{signals} in {groups_words(group.groups)}", 1, "Waiting"), "Waiting")
    else:
        yield Line(fitted_text(f"{group.standing or 'none'} of {group.total}", 1, "Still standing"), "Still standing")
    for member in group.named[:_MEMBERS] if group.standing else ():
        yield Line(_member_words(member, title))


def _member_words(member: NamedMember, title: str) -> str:
    """A member in one line, of which its title is cut first; one that the headline has already is not said again."""
    severity = f"- {shortened(member.severity or 'Unknown', _PLACE // 2)}: "
    place = one_line(member.place or "")
    if place and member.title == title:
        return fitted_text(f"{severity}{place}", 1)
    end = f" - {shortened(place, _PLACE)}" if place else ""
    return fitted_text(f"{severity}{shortened(one_line(member.title), WIDTH - len(severity) - len(end))}{end}", 1)


def _facts_of(briefing: Briefing) -> tuple[Sequence[Fact], Sequence[Fact]]:
    """The facts that say what happened, those that the title speaks of first; and those that are evidence, in their order."""
    what, subject = (
        {fact.name: fact for fact in briefing.what},
        subject_of(briefing.notice.title, (*briefing.located, *briefing.evidence)),
    )
    lead, late = ([what[name] for name in names if name in what] for names in (_LEAD, _LATE))
    return [*subject, *lead], [
        *(fact for fact in (*briefing.located, *briefing.evidence) if fact not in subject),
        *late,
        *briefing.others,
    ]


def _beside(facts: Iterable[Fact], told: set[str]) -> Iterator[Fact]:
    """The facts without the values that say nothing, or only where it happened."""
    for fact in facts:
        values = tuple(text for value in fact.values if (text := one_line(value)) and text.casefold() not in told)
        if values:
            yield replace(fact, values=values)


def _shown(facts: Sequence[Fact], room: int, said: set[str], plain: int, beyond: int = 0) -> tuple[list[Line], int]:
    """The facts that fit into `room` lines, and how many do not; what was said before is neither.

    A value that people do not copy has `plain` lines. `beyond` are facts that have no room yet, and the last line says how many
    do not fit. The values that are shown are said from now on.
    """
    lines: list[Line] = []
    for at, fact in enumerate(facts):
        if _is_said(fact, said):
            continue
        most = _COMMAND if fact.name in _HOW else _CODE if fact.is_code else plain
        most = min(most, room - (beyond > 0 or not all(_is_said(one, said) for one in facts[at + 1 :])))
        if most < 1:
            return lines, _count_of(facts[at:], said)
        line, whole = listed(fact.values, shortened(one_line(fact.name), _NAME), most, is_code=fact.is_code)
        lines.append(line)
        # An address stands before its place, and an image before its command line.
        said.update(name for value in whole for name in (value.casefold(), value.casefold().partition(": ")[0]))
        room -= line.height
    return lines, 0


def _count_of(facts: Iterable[Fact], said: set[str]) -> int:
    """How many of the facts are not said yet."""
    return sum(not _is_said(fact, said) for fact in facts)


def _is_said(fact: Fact, said: set[str]) -> bool:
    return all(value.casefold() in said for value in fact.values)


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
        text = _PORTAL if link.text == PORTAL else one_line(link.text)
        short = Link(text=shortened(text, _LINK), url=link.url)
        if link.url and short.text and height_of(_words_of([*links, short])) <= _LINKS:
            links.append(short)
    return tuple(links[:LINKS])


def _words_of(links: Iterable[Link]) -> str:
    return " · ".join(link.text for link in links)


def _sentences(text: str, lines: int) -> str:
    """The beginning of a text in at most `lines` lines, up to the end of a sentence where one is near, else of a word."""
    beginning = fitted_text(text, lines, mark=MARK)
    if not beginning.endswith(MARK):
        return beginning
    words = beginning.removesuffix(MARK)
    end = f"{words} ".rfind(". ") + 1
    whole = f"{words[:end]} {MARK}"
    return (
        whole if end > len(words) // 2 and height_of(whole) <= lines else f"{words.rpartition(' ')[0] or words}{MARK}"
    )
