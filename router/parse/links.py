"""The pages that an alert names beside its own: `ExtendedLinks`, whose fields come in any case, and which may be null."""

from __future__ import annotations

from router.domain.web_links import Link
from router.parse.fields import fields_in, items_in, name_in


def links_in(value: object) -> tuple[Link, ...]:
    """The links of a list, or of a list inside a string, as often as they stand there; one without a name has its category."""
    links = (fields_in(item) for item in items_in(value))
    return tuple(
        Link(text=name_in(fields, "label", "category") or url, url=url)
        for fields in links
        if (url := name_in(fields, "href")) is not None
    )
