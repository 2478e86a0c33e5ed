"""The closed set of placeholders that `fields` of a ticket may use; there is no template language."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Annotated

from pydantic import AfterValidator

from router.destinations.wording.briefing import link_of
from router.destinations.wording.headlines import location_of, severity_of
from router.domain.notices import Notice

type Text = Callable[[Notice], str]
"""What a notice makes of a text with placeholders."""

PLACEHOLDERS: Mapping[str, Text] = {
    "owner.group": lambda notice: (notice.owner.group if notice.owner else None) or "",
    "owner.service": lambda notice: (notice.owner.service if notice.owner else None) or "",
    "severity": lambda notice: notice.severity or severity_of(notice),
    "title": lambda notice: notice.title,
    "type": lambda notice: notice.type,
    "id": lambda notice: notice.id,
    "key": lambda notice: notice.key,
    "kind": lambda notice: notice.kind,
    "stream": lambda notice: notice.stream,
    "status": lambda notice: notice.status or "",
    "plan": lambda notice: notice.plan or "",
    "place": location_of,
    "resource": lambda notice: notice.resource or "",
    "resource_type": lambda notice: notice.resource_type or "",
    "resource_group": lambda notice: notice.resource_group or "",
    "subscription": lambda notice: notice.subscription or "",
    "tactics": lambda notice: ", ".join(tactic.name for tactic in notice.tactics),
    "techniques": lambda notice: ", ".join(notice.techniques),
    "routes": lambda notice: ", ".join(notice.routes),
    "link": lambda notice: link_of(notice) or "",
    "respond_by": lambda notice: notice.respond_by or "",
    "respond_by.date": lambda notice: (notice.respond_by or "").partition("T")[0],
}

_OF_OWNERS = "{owner."

_BRACES = re.compile(r"\{([^{}]*)\}")


def parse(text: str) -> Text:
    """What fills a text in for each notice; ValueError for an unknown placeholder or a brace that stands alone."""
    pieces = _BRACES.split(text)
    fixed, names = pieces[::2], pieces[1::2]
    for name in names:
        if name not in PLACEHOLDERS:
            near = get_close_matches(name, PLACEHOLDERS, n=1)
            meant = f"did you mean {{{near[0]}}}?" if near else f"there are {', '.join(sorted(PLACEHOLDERS))}"
            raise ValueError(f"{{{name}}} is no placeholder; {meant}")
    if any("{" in piece or "}" in piece for piece in fixed):
        raise ValueError("a brace stands alone; braces hold a placeholder, such as {owner.group}")
    makers = [PLACEHOLDERS[name] for name in names]

    def filled(notice: Notice) -> str:
        made = (piece + maker(notice) for piece, maker in zip(fixed, makers, strict=False))
        return "".join(made) + fixed[-1]

    return filled


def is_of_owner(written: object) -> bool:
    """Whether what becomes of a config's value is what a team says of itself in owners.yaml."""
    return _OF_OWNERS in str(written)


def _checked(text: str) -> str:
    parse(text)
    return text


Template = Annotated[str, AfterValidator(_checked)]
"""A text of a config with placeholders, which are checked when the policy is read."""
