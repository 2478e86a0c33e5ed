"""Rich text as Jira takes it: nodes of the Atlassian Document Format, in which a text is a text and nothing else.

https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from router.destinations.wording.briefing import Briefing, Fact
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


def text_in(document: Node) -> str:
    """What people read of a document, a line for each block and each row of a table."""
    return "\n".join(_lines_in(document)).strip()


def _lines_in(node: Node) -> Iterator[str]:
    match node["type"]:
        case "paragraph" | "codeBlock":
            yield _words_in(node)
        case "heading":
            yield from ("", _words_in(node).upper())
        case "tableRow":
            name, value = node["content"]
            lists = value["content"][0]["type"] == "bulletList"
            first = value["content"][0]
            yield f"{_words_in(name)}: {', '.join(map(_words_in, first['content'])) if lists else ' '.join(_lines_in(value))}"
        case "listItem":
            yield "- " + " ".join(line for one in node["content"] for line in _lines_in(one))
        case _:
            for one in node.get("content", []):
                yield from _lines_in(one)


def _words_in(node: Node) -> str:
    if node["type"] == "text":
        href = next((mark["attrs"]["href"] for mark in node.get("marks", []) if mark["type"] == "link"), None)
        return f"{node['text']} ({href})" if href else str(node["text"])
    return "\n" if node["type"] == "hardBreak" else "".join(map(_words_in, node.get("content", [])))


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
