"""The tags of resources in Azure, and which of them count for a resource."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from router.domain.resources import is_connected
from router.domain.texts import remembered


@dataclass(frozen=True, slots=True)
class Tags:
    """The tags of resources, resource groups and subscriptions.

    Attributes:
        by_id: for each ARM id in lower case, without a slash at its end, its tags by their names in lower case: in Azure
            the names of tags ignore case, and their values keep it.
            https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources
    """

    by_id: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

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
