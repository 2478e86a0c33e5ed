"""The tags of resources in Azure: read from rows, which of them count for a resource, and texts that they fill in."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache

from router.domain.readable import lowered, one_line, remembered
from router.domain.resources import is_connected
from router.domain.values import Value


class Tags(Value):
    """The tags of resources, resource groups and subscriptions.

    Attributes:
        by_id: for each ARM id in lower case, without a slash at its end, its tags by their names in lower case.
    """

    by_id: Mapping[str, Mapping[str, str]] = {}

    def find(self, resource: str | None, name: str) -> str | None:
        """The value of a tag: of the resource itself, else of the next thing around it that has the tag; else None."""
        if not self.by_id or not resource:
            return None
        name = name.lower()
        for id in ids_around(resource):
            if (tags := self.by_id.get(id)) is not None and name in tags:
                return tags[name]
        return None

    def over(self, other: Tags) -> Tags:
        """These, and beneath them others: where both know a tag of the very same thing, these count."""
        if not self.by_id or not other.by_id:
            return self if self.by_id else other
        both = {id: {**other.by_id[id], **self.by_id[id]} for id in self.by_id.keys() & other.by_id.keys()}
        return Tags({**other.by_id, **self.by_id, **both})


_CONNECTOR = ("providers", "microsoft.security", "securityconnectors")

NO_TAGS = Tags()
"""What is known where no file of tags is named."""


@remembered
def ids_around(resource: str) -> tuple[str, ...]:
    """The ids, in lower case, of a resource, its parents, its resource group and its subscription; nothing for no ARM id.

    What a connector brings from another cloud ends at the connector, whose group and subscription say nothing of it.
    """
    parts = resource.strip().strip("/").lower().split("/")
    if len(parts) < 2 or parts[0] != "subscriptions":
        return ()
    outermost = _end_of_connector(parts) if is_connected(resource) else 0
    return tuple("/" + "/".join(parts[:end]) for end in reversed(_ends(parts)) if end >= outermost)


def _ends(parts: Sequence[str]) -> Sequence[int]:
    """After how many parts of an id the id of each thing in it ends, the subscription first; the last may be beyond them.

    An id is read from its beginning: one that ends in the middle of a name still tells what it lies in.
    """
    ends = [2]
    while ends[-1] < len(parts):
        # An extension begins with its provider: /providers/Microsoft.Security/assessments/NAME.
        ends.append(ends[-1] + (4 if parts[ends[-1]] == "providers" else 2))
    return ends


def _end_of_connector(parts: Sequence[str]) -> int:
    return next(start + 4 for start in range(len(parts)) if tuple(parts[start : start + 3]) == _CONNECTOR)


LONGEST_VALUE = 256
"""Characters of a tag's value, as Azure has them:
https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources#limitations
"""


class TagRows:
    """The tags in the rows of an answer of Resource Graph to `project id, tags`.

    Attributes:
        faults: the numbers of the rows that cannot be used, or not whole, by what is wrong with them.
    """

    def __init__(self, rows: Iterable[object]) -> None:
        self.by_id: dict[str, Mapping[str, str]] = {}
        self.faults: dict[str, list[int]] = {}
        for number, row in enumerate(rows, 1):
            if (fault := self._take(row)) is not None:
                self.faults.setdefault(fault, []).append(number)

    def _take(self, row: object) -> str | None:
        """Takes the tags of a row; returns what is wrong with it."""
        if not isinstance(row, dict) or not isinstance(row.get("id"), str):
            return "is no object with an id; ask for `project id, tags`"
        written = row.get("tags") or {}
        if not isinstance(written, dict):
            return "has tags that are no mapping"
        id = "/" + row["id"].strip().strip("/").lower()
        if not id.startswith("/subscriptions/"):
            # Management groups stand among the containers, and have no tags.
            return "has an id that does not begin with /subscriptions/" if written else None
        values = {lowered(name): _legible(value) for name, value in written.items() if isinstance(value, str)}
        tags = {name: value for name, value in values.items() if value is not None}
        if tags:
            self.by_id[id] = {**self.by_id.get(id, {}), **tags}
        if len(tags) == sum(value is not None for value in written.values()):
            return None
        return f"has a tag whose value is no text of at most {LONGEST_VALUE} characters; it is left out"


@lru_cache(maxsize=65_536)
def _legible(value: str) -> str | None:
    """The value of a tag as it is used, on one legible line; None for what is too long for Azure."""
    return one_line(value).strip() if len(value) <= LONGEST_VALUE else None


_BRACES = re.compile(r"\{([^{}]*)\}")
_PREFIX = "tag."


class TagText(Value):
    """A text with places for values of tags, which stand between its fixed pieces."""

    fixed: tuple[str, ...]
    names: tuple[str, ...]

    @classmethod
    def parse(cls, text: str, known: Collection[str]) -> TagText:
        """A text in which {tag.NAME} stands for one of the known tags; ValueError where braces hold anything else."""
        pieces = _BRACES.split(text)
        fixed, written = pieces[::2], pieces[1::2]
        if any("{" in piece or "}" in piece for piece in fixed):
            raise ValueError("a brace stands alone; braces hold the name of a tag, as in {tag.team}")
        for one in written:
            if not one.startswith(_PREFIX):
                raise ValueError(f"{{{one}}} stands for nothing here; there is only {{tag.NAME}}")
            if (name := one.removeprefix(_PREFIX)).lower() not in {tag.lower() for tag in known}:
                raise ValueError(f'{{{one}}} names no tag of this entry; add it: tag: {{{name}: "*"}}')
        return cls(tuple(fixed), tuple(one.removeprefix(_PREFIX).lower() for one in written))

    def fill(self, resource: str | None, tags: Tags) -> str | None:
        """The text with the values that count for a resource; None where one of them is missing or blank."""
        filled = [self.fixed[0]]
        for name, after in zip(self.names, self.fixed[1:], strict=True):
            if not (value := tags.find(resource, name)):
                return None
            filled += (value, after)
        return "".join(filled)
