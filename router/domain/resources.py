"""What an Azure resource id says: subscription, resource group, type."""

from __future__ import annotations

import re
from typing import NamedTuple

from router.domain.memoize import remembered

_WHOLES = re.compile(
    r".*/providers/microsoft\.(?:sql/servers|sql/managedinstances|storage/storageaccounts|documentdb/databaseaccounts"
    r"|dbfor(?:postgresql|mysql|mariadb)/(?:flexible)?servers)/[^/]+(?=/)"
)
_SUBSCRIPTION = re.compile(r"(?:/?subscriptions/)?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/?", re.IGNORECASE)


class ResourceId(NamedTuple):
    """The parts of an ARM id, in their own case; None where the id does not have them.

    Attributes:
        subscription: the subscription's id.
        resource_group: the resource group's name.
        type: the type that the last provider names, such as Microsoft.Sql/servers/databases.
        name: the last part.
    """

    subscription: str | None = None
    resource_group: str | None = None
    type: str | None = None
    name: str | None = None


def parse_resource_id(id: str | None) -> ResourceId:
    """The parts of an ARM id; of any other text, or of none, a ResourceId without parts.

    The form is Azure Resource Manager's: https://learn.microsoft.com/azure/azure-resource-manager/management/
    """
    return _parts_of(id) if id and id[0] == "/" else _NOTHING


_NOTHING = ResourceId()


@remembered
def _parts_of(id: str) -> ResourceId:
    parts = id.strip("/").split("/")
    lowered = [part.lower() for part in parts]
    return ResourceId(
        subscription=_after("subscriptions", lowered, parts),
        resource_group=_after("resourcegroups", lowered, parts),
        type=_type_in(lowered, parts),
        name=parts[-1] if len(parts) > 2 else None,
    )


def _after(word: str, lowered: list[str], parts: list[str]) -> str | None:
    try:
        return parts[lowered.index(word) + 1]
    except (ValueError, IndexError):
        return None


def _type_in(lowered: list[str], parts: list[str]) -> str | None:
    """The type named by the last provider in the id, such as Microsoft.Sql/servers/databases."""
    if "providers" not in lowered:
        return None
    start = len(lowered) - lowered[::-1].index("providers")
    if start >= len(parts):
        return None
    return "/".join([parts[start], *parts[start + 1 :: 2]])


def find_subscription_id(text: str) -> str | None:
    """The id of a subscription that a text is, alone or as an ARM id, in lower case; None where it is none."""
    found = _SUBSCRIPTION.fullmatch(text.strip())
    return found[1].lower() if found is not None else None


def find_whole(id: str) -> str | None:
    """What is watched as a whole, so that an alert about a part of it, as a database, is about the whole, too.

    Ids are in lower case; None for what is no part of such a thing.
    """
    found = _WHOLES.match(id)
    return found.group() if found is not None else None
