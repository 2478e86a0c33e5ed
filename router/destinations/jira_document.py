"""Rich text as Jira takes it: nodes of the Atlassian Document Format, in which a text is a text and nothing else.

https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from router.destinations.wording.facts import Fact
from router.destinations.wording.fitting import json_size
from router.destinations.wording.notice_text import Briefing
from router.destinations.wording.plain_text import fitting, note_of, text_of
from router.domain.decisions import Change
from router.domain.notices import Link

type Node = dict[str, Any]


def document_of(nodes: Iterable[Node]) -> Node:
    """A document of block nodes."""
    return {"type": "doc", "version": 1, "content": list(nodes)}


def briefing_nodes(briefing: Briefing) -> Iterator[Node]:
    """The whole briefing: what happened first, facts in tables, what people copy in blocks of code."""
    yield from paragraphs(briefing.description)
    yield from (paragraph(one) for text in briefing.news for one in text.split("\n"))
    for title, facts in briefing.tables:
        yield from _table(title, facts)
    yield from _members(briefing)
    yield from _table("Evidence", briefing.known)
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


RICH_LIMIT = 32_767  # of a rich text; in characters at the vendor's, in bytes of its JSON here, which are more
_LINKS = 4  # that a text without tables keeps as links


def rich_briefing_of(briefing: Briefing, before: str = "") -> dict[str, Any]:
    """The whole briefing as rich text that Jira takes, after the words `before`."""
    return _fitted(briefing, before, briefing_nodes(briefing), text_of)


def rich_note_of(briefing: Briefing) -> dict[str, Any]:
    """What a briefing says to who has read an earlier one, as rich text."""
    return _fitted(briefing, "", note_nodes(briefing), note_of)


def rich(text: str) -> dict[str, Any]:
    """A text as rich text."""
    return document_of(paragraphs(text))


def _fitted(
    briefing: Briefing, before: str, nodes: Iterable[Node], text: Callable[[Briefing, int], str]
) -> dict[str, Any]:
    """Nodes as a document that Jira takes, with words before them; of what is too long the text, and the first links."""
    words = [paragraph(before)] if before else []
    return fitting(
        document_of([*words, *nodes]),
        lambda room: text(briefing, room),
        lambda cut: document_of([*words, *paragraphs(cut), *_list("Links", map(_link, briefing.links[:_LINKS]))]),
        json_size,
        RICH_LIMIT,
    )
