"""The tags of resources in Azure, and which of them count for a resource."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from router.domain.clouds import is_connected


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


NO_TAGS = Tags()
"""What is known where no file of tags is named."""


def ids_around(resource: str) -> Iterator[str]:
    """The ids, in lower case, of a resource, its parents, its resource group and its subscription; nothing for no ARM id.

    What a connector brings from another cloud ends at the connector, whose group and subscription say nothing of it.
    """
    parts = resource.strip().strip("/").lower().split("/")
    if parts[0] != "subscriptions":
        return
    last = parts.index("securityconnectors") + 2 if is_connected(resource) else 2
    while len(parts) >= last:
        yield "/" + "/".join(parts)
        parts = parts[:-2]
        if parts[-2:-1] == ["providers"]:
            parts = parts[:-2]
