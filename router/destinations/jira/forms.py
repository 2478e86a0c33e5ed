"""What Jira's fields take: values of any shape with placeholders in them, and rich text below a limit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, Field, JsonValue

from router.destinations.jira.document import Node, briefing_nodes, document_of, note_nodes, paragraph, paragraphs
from router.destinations.wording.briefing import Briefing
from router.destinations.wording.fitting import json_size, shorten
from router.destinations.wording.placeholders import parse
from router.destinations.wording.shortening import shortened
from router.domain.notices import Notice

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
