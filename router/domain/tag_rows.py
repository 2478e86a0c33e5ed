"""The rows of an answer of Resource Graph: whose tags each one says."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from router.domain.texts import one_line

LONGEST_VALUE = 256
"""Characters of a tag's value, as Azure has them:
https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources#limitations
"""

_SUBSCRIPTION = "microsoft.resources/subscriptions"
_GROUP = "microsoft.resources/subscriptions/resourcegroups"

_NO_ROW = "is no object with id and tags"
_NO_ID = "has no id; ask for `project id, tags`"
_ODD_ID = "has an id that does not begin with /subscriptions/"
_ODD_TAGS = "has tags that are no mapping"
_ODD_VALUE = f"has a tag whose value is no text of at most {LONGEST_VALUE} characters; it is left out"
_TWICE = "gives a tag of a resource another value than before; the later one counts"


class TagRows:
    """The tags in the rows of one answer.

    Attributes:
        by_id: as `Tags` wants them. What has no tag is not in it.
    """

    def __init__(self, rows: Iterable[object]) -> None:
        self.by_id: dict[str, Mapping[str, str]] = {}
        self._names = _TagNames()
        self._values = _TagValues()
        self._faults: dict[str, list[int]] = {}
        for number, row in enumerate(rows, 1):
            for fault in self._take(row):
                self._faults.setdefault(fault, []).append(number)

    def complaints(self) -> Iterator[str]:
        """What is wrong with rows: each sort once, with the first row and how many others are like it."""
        for fault, numbers in self._faults.items():
            others = f" (and {len(numbers) - 1} more like it)" if len(numbers) > 1 else ""
            yield f"row {numbers[0]} {fault}{others}"

    def _take(self, row: object) -> Iterator[str]:
        """Takes the tags of a row; yields what is wrong with it."""
        if not isinstance(row, dict):
            yield _NO_ROW
            return
        id, written = row.get("id"), row.get("tags")
        if type(id) is not str or type(written) is not dict:
            lowered = {key.lower(): value for key, value in row.items()}
            id, written = _find_id(lowered), _find_mapping(lowered.get("tags"))
        if id is None or written is None:
            yield _NO_ID if id is None else _ODD_TAGS
            return
        id = "/" + id.strip().strip("/").lower()
        if not id.startswith("/subscriptions/"):
            # Management groups stand among the containers, and have no tags.
            yield from [_ODD_ID] if written else []
            return
        tags = dict(self.by_id.get(id, ()))
        for name, value in written.items():
            if type(value) is not str or (text := self._values[value]) is None:
                yield from [] if value is None else [_ODD_VALUE]
            elif tags.setdefault(lowered_name := self._names[name], text) != text:
                tags[lowered_name] = text
                yield _TWICE
        if tags:
            self.by_id[id] = tags


class _TagNames(dict[str, str]):
    """The names of tags in lower case: a few names come again in every row."""

    def __missing__(self, name: str) -> str:
        self[name] = lowered = name.lower()
        return lowered


class _TagValues(dict[str, str | None]):
    """The values of tags as they are used, on one legible line; None for what is too long for Azure."""

    def __missing__(self, value: str) -> str | None:
        self[value] = text = one_line(value).strip() if len(value) <= LONGEST_VALUE else None
        return text


def _find_id(row: Mapping[str, object]) -> str | None:
    """The id in a row with lower-case keys; that of a subscription or a resource group also from its other columns."""
    if isinstance(id := row.get("id") or row.get("resourceid"), str):
        return id
    subscription, group = row.get("subscriptionid"), row.get("resourcegroup") or ""
    if not isinstance(subscription, str) or not subscription or not isinstance(group, str):
        return None
    if not _is_container(str(row.get("type") or "").lower(), row.get("name"), group):
        return None
    return f"/subscriptions/{subscription}" + (f"/resourceGroups/{group}" if group else "")


def _is_container(type: str, name: object, group: str) -> bool:
    """Whether a row without an id is that of a subscription or a group: the tags of a resource are not those of its group."""
    if type:
        return type == (_GROUP if group else _SUBSCRIPTION)
    return name is None or (isinstance(name, str) and name.lower() == group.lower())


def _find_mapping(tags: object) -> Mapping[str, object] | None:
    """Tags as a mapping, also where they are the text of one, as tables and CSV have them; None for anything else."""
    if isinstance(tags, str):
        try:
            tags = json.loads(tags) if tags.strip() else None
        except (ValueError, RecursionError):
            return None
    if tags is None:
        return {}
    return tags if isinstance(tags, dict) else None
