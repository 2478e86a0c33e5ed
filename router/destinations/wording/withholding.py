"""Withholding: what a destination never gets, by the names of properties and of lists of evidence.

A property that is withheld is also not told where the notice repeats it: where a list has it as a whole item, and where a
text quotes it, as a description does that Defender filled in.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import fields, replace
from typing import Any

from router.destinations.wording.texts import name_of, with_texts
from router.domain.evidence import Evidence
from router.domain.notices import Group, Notice

WITHHELD = "[withheld]"
"""What stands where a text quotes what is withheld."""

_SHORTEST = 4  # characters of what is looked for within texts: less stands in too many words
_PARTS = re.compile(r"[,;\n]")

_IDENTITY = frozenset(
    {
        "stream", "kind", "id", "type", "severity", "severity_written", "status", "plan", "sample", "resource",
        "resource_type", "resource_group", "subscription", "subscription_name", "environment", "attack_version", "routes",
        "routes_to", "reason", "rulebook", "product", "started", "ended", "changed", "respond_by", "link", "links", "runbooks",
        "closing", "account", "project", "cluster", "tactics", "techniques", "turn", "snapshot", "status_only", "release",
    }
)  # fmt: skip
"""The fields that say what a notice is about and why it is sent; nothing that a property says is looked for there."""


def withheld_from(notice: Notice, names: Collection[str]) -> Notice:
    """A notice without the properties and lists of these names, by letters and digits, and without what they say."""
    if not names:
        return notice
    evidence, lists = _without_lists(notice.evidence, names)
    properties = {name: value for name, value in notice.extended.items() if name_of(name) in names}
    values = list(dict.fromkeys(value for value in (*lists, *properties.values()) if value.strip()))
    kept = {name: value for name, value in notice.extended.items() if name not in properties}
    unlisted = tuple(name for name in notice.unlisted if name not in properties)
    left = replace(notice, evidence=evidence, extended=kept, unlisted=unlisted)
    return _without_values(left, values) if values else left


def _without_lists(evidence: Evidence, names: Collection[str]) -> tuple[Evidence, tuple[str, ...]]:
    """Evidence without the lists of these names, and what stood in them."""
    gone = [one.name for one in fields(evidence) if name_of(one.name) in names]
    return replace(evidence, **dict.fromkeys(gone, ())), tuple(_items_in([getattr(evidence, name) for name in gone]))


def _items_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _items_in(item)


def _without_values(notice: Notice, values: list[str]) -> Notice:
    whole = {name_of_item(part) for value in values for part in (value, *_PARTS.split(value)) if part.strip()}
    wanted = sorted({form for value in values for form in _forms_of(value)}, key=len, reverse=True)

    def unquoted(text: str) -> str:
        lowered = text.lower()
        for value in wanted:
            if value.lower() in lowered:
                text = re.sub(re.escape(value), WITHHELD, text, flags=re.IGNORECASE)
                lowered = text.lower()
        return text

    def cleared(value: Any) -> Any:
        if isinstance(value, tuple):
            value = tuple(item for item in value if not (isinstance(item, str) and name_of_item(item) in whole))
        return with_texts(value, unquoted)

    changed: dict[str, Any] = {
        one.name: cleared(getattr(notice, one.name))
        for one in fields(notice)
        if one.name not in _IDENTITY | {"key", "owner", "evidence", "group", "extended", "compromised_entity"}
    }
    entity = notice.compromised_entity
    return replace(
        notice,
        **changed,
        evidence=Evidence(**{one.name: cleared(getattr(notice.evidence, one.name)) for one in fields(notice.evidence)}),
        group=_group_without(notice.group, whole, cleared),
        extended={name: unquoted(value) for name, value in notice.extended.items() if name_of_item(value) not in whole},
        compromised_entity=None if entity is None or name_of_item(entity) in whole else unquoted(entity),
        link=notice.link if notice.link is None or unquoted(notice.link) == notice.link else None,
        links=tuple(replace(one, text=unquoted(one.text)) for one in notice.links if unquoted(one.url) == one.url),
    )


def _group_without(group: Group | None, whole: Collection[str], cleared: Any) -> Group | None:
    if group is None:
        return None
    by = tuple((name, cleared(value)) for name, value in group.by if name_of_item(value) not in whole)
    named = tuple(
        replace(
            one,
            title=cleared(one.title),
            place=None if one.place and name_of_item(one.place) in whole else cleared(one.place),
        )
        for one in group.named
    )
    return replace(group, by=by, named=named)


def name_of_item(text: str) -> str:
    """An item of a list as it is compared: on one line, in whatever case."""
    return " ".join(text.split()).casefold()


def _forms_of(value: str) -> Iterator[str]:
    """The forms in which a text may quote a value: as it is, and on one line."""
    for form in (value.strip(), " ".join(value.split())):
        if len(form) >= _SHORTEST:
            yield form
