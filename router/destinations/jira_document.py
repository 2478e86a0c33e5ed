"""Rich text as Jira takes it: nodes of the Atlassian Document Format, in which a text is a text and nothing else.

https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field, JsonValue

from router.destinations.config import parse
from router.destinations.wording.facts import Fact
from router.destinations.wording.fitting import json_size, shorten
from router.destinations.wording.notice_text import Briefing
from router.destinations.wording.plain_text import shortened
from router.domain.decisions import Change
from router.domain.notices import Link, Notice

type Node = dict[str, Any]


def document_of(nodes: Iterable[Node]) -> Node:
    """A document of block nodes."""
    return {"type": "doc", "version": 1, "content": list(nodes)}


def briefing_nodes(briefing: Briefing) -> Iterator[Node]:
    """The whole briefing: what happened first, facts in tables, what people copy in blocks of code."""
    yield from paragraphs(briefing.description)
    yield from (paragraph(one) for text in briefing.news for one in text.split("\n"))
    yield from _table("What", briefing.what)
    yield from _table("Where", briefing.where)
    yield from _table("When", briefing.when)
    yield from _table("Why you", briefing.why)
    yield from _members(briefing)
    yield from _table("Evidence", (*briefing.evidence, *briefing.others))
    yield from _list("What to do", map(paragraph, briefing.to_do))
    yield from _list("Links", map(_link, briefing.links))
    yield from _table("Reference", briefing.reference)


def note_nodes(briefing: Briefing) -> Iterator[Node]:
    """What a briefing says to who has read an earlier one: the news alone, where it is known what they have read."""
    if briefing.change is Change.RESOLVED:
        yield from (paragraph(one) for text in briefing.news for one in text.split("\n"))
    elif briefing.knows_changes:
        yield paragraph("Updated:")
        yield _bullets(map(paragraph, briefing.news))
        yield from _members(briefing)
        yield from _list("Links", map(_link, briefing.links))
    else:
        yield paragraph("Updated.")
        yield from briefing_nodes(briefing)


def paragraphs(text: str) -> Iterator[Node]:
    """A text as paragraphs: one ends where a line is empty, and a line ends with a break."""
    for block in text.split("\n\n"):
        if lines := [line for line in block.split("\n") if line.strip()]:
            yield {"type": "paragraph", "content": list(_broken(lines))}


def paragraph(line: str) -> Node:
    """A line as a paragraph."""
    return {"type": "paragraph", "content": [_text(line)] if line.strip() else []}


def _broken(lines: Sequence[str]) -> Iterator[Node]:
    for number, line in enumerate(lines):
        if number:
            yield {"type": "hardBreak"}
        yield _text(line)


def _text(words: str) -> Node:
    return {"type": "text", "text": words}


def _heading(title: str) -> Node:
    return {"type": "heading", "attrs": {"level": 3}, "content": [_text(title)]}


def _table(title: str, facts: Sequence[Fact]) -> Iterator[Node]:
    if facts:
        yield _heading(title)
        yield {"type": "table", "content": [_row(fact) for fact in facts]}


def _row(fact: Fact) -> Node:
    if fact.is_code:
        values = [{"type": "codeBlock", "content": [_text("\n".join(fact.values))]}]
    elif len(fact.values) > 1:
        values = [_bullets(map(paragraph, fact.values))]
    else:
        values = list(paragraphs(fact.values[0])) or [paragraph("")]
    name = {"type": "tableHeader", "content": [paragraph(fact.name)]}
    return {"type": "tableRow", "content": [name, {"type": "tableCell", "content": values}]}


def _members(briefing: Briefing) -> Iterator[Node]:
    if briefing.members is not None:
        title, lines = briefing.members
        yield from _list(title, map(paragraph, lines)) if lines else [paragraph(f"{title}.")]


def _list(title: str, items: Iterable[Node]) -> Iterator[Node]:
    if listed := list(items):
        yield _heading(title)
        yield _bullets(listed)


def _bullets(items: Iterable[Node]) -> Node:
    return {"type": "bulletList", "content": [{"type": "listItem", "content": [item]} for item in items]}


def _link(link: Link) -> Node:
    words = _text(link.text)
    if link.url:
        words["marks"] = [{"type": "link", "attrs": {"href": link.url}}]
    return {"type": "paragraph", "content": [words]}


FIELD_LIMIT = 255  # characters of a text field
RICH_LIMIT = 32_767  # of a rich text; in characters at the vendor's, in bytes of its JSON here, which are more

# How much of a briefing goes into a rich text, longest first: how many bytes it takes depends on its lines and letters.
_ROOM = (28_000, 20_000, 14_000, 7_000, 3_000, 500)
_OURS = frozenset({"project", "issuetype", "labels"})
_NOTHING = object()

type Maker = Callable[[Notice], Any]
"""What a notice makes of a value with placeholders; `_NOTHING` where its texts come out empty."""


def _checked(written: dict[str, JsonValue]) -> dict[str, JsonValue]:
    for field, value in written.items():
        if field in _OURS:
            raise ValueError(f"{field}: the router needs this field for itself; use `project`, `issue_type`, `labels`")
        try:
            maker_for(value)
        except ValueError as wrong:
            raise ValueError(f"{field}: {wrong}") from None
    return written


type FieldName = Annotated[str, Field(pattern=r"^[a-z][A-Za-z0-9_]*$", max_length=80)]
type Fields = Annotated[dict[FieldName, JsonValue], AfterValidator(_checked)]
"""Fields of a new issue by their ids; any text in a value may hold placeholders."""


def maker_for(value: JsonValue) -> Maker:
    """What makes a value for each notice; ValueError for a placeholder that is not known."""
    match value:
        case str():
            fill = parse(value)
            return lambda notice: shorten(fill(notice).strip(), FIELD_LIMIT) or _NOTHING
        case list():
            makers = [maker_for(item) for item in value]
            return lambda notice: _without_empty([make(notice) for make in makers], value)
        case dict():
            named = {name: maker_for(item) for name, item in value.items()}
            return lambda notice: _without_empty({name: make(notice) for name, make in named.items()}, value)
        case _:
            return lambda notice: value


def _without_empty(made: Any, written: JsonValue) -> Any:
    """A list or object without what came out empty; nothing, where nothing else was in it."""
    if isinstance(made, dict):
        made = {name: item for name, item in made.items() if item is not _NOTHING}
    else:
        made = [item for item in made if item is not _NOTHING]
    return made if made or not written else _NOTHING


def made_of(makers: dict[str, Maker], notice: Notice) -> dict[str, Any]:
    """The fields of a notice; one that comes out empty is left out."""
    made = {name: make(notice) for name, make in makers.items()}
    return {name: value for name, value in made.items() if value is not _NOTHING}


def rich_briefing_of(briefing: Briefing, before: str = "") -> dict[str, Any]:
    """The whole briefing as rich text that Jira takes, after the words `before`."""
    words = [paragraph(before)] if before else []
    return _fitted(briefing, lambda cut: [*words, *briefing_nodes(cut)])


def rich_note_of(briefing: Briefing) -> dict[str, Any]:
    """What a briefing says to who has read an earlier one, as rich text."""
    return _fitted(briefing, note_nodes)


def rich(text: str) -> dict[str, Any]:
    """A text as rich text."""
    return document_of(paragraphs(text))


def _fitted(briefing: Briefing, make: Callable[[Briefing], Iterable[Node]]) -> dict[str, Any]:
    for room in _ROOM:
        document = document_of(make(shortened(briefing, room)))
        if json_size(document) <= RICH_LIMIT:
            return document
    # Nothing but what happened, where letters of many bytes leave no room for more.
    return rich(shorten(briefing.headline, _ROOM[-1]))
