"""Texts in which values of tags stand, such as "{tag.team}"."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from router.domain.tags import Tags

_BRACES = re.compile(r"\{([^{}]*)\}")
_PREFIX = "tag."


@dataclass(frozen=True, slots=True)
class TagText:
    """A text with places for values of tags.

    Attributes:
        fixed: what stands around the values, one piece more than there are values.
        names: the names of the tags, in lower case.
    """

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
