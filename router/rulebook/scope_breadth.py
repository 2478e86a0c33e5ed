"""Whether a text that `contains` looks for tells one signal from the next, or is in all of them.

A resource id is `/subscriptions/ID/resourceGroups/GROUP/providers/NAMESPACE/TYPE/NAME`, and only its group and its name tell
resources of one kind apart. So a text is read along that form, part by part, until it says something that is not in each id.

https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum, auto
from functools import lru_cache

from router.domain.suppression import Field
from router.rulebook.cloud_breadth import is_in_each_cloud_id

FEWEST = 3
"""Letters and digits that a text must have at least, and also what it says of a group or a name, unless it is whole."""

_WORDS = frozenset(
    {
        "subscription", "subscriptions", "resourcegroup", "resourcegroups", "provider", "providers", "microsoft", "azure",
    }
)  # fmt: skip
"""What every resource id has in it, apart from punctuation, or nearly so."""

_PUNCTUATION = " ./\\-_:@"

_WITH_IDS = frozenset({"resourceid", "azureid", "subscriptionid", "compromisedentity"})
_EXTENDED = "extendedproperties."


class _IdPart(Enum):
    """What every id has between its slashes, in this order; a group and a name stand between."""

    SUBSCRIPTIONS = auto()
    ID = auto()
    GROUPS = auto()
    PROVIDERS = auto()
    NAMESPACE = auto()
    TYPE = auto()


_NEXT: Mapping[_IdPart, frozenset[_IdPart]] = {
    _IdPart.SUBSCRIPTIONS: frozenset({_IdPart.ID}),
    _IdPart.ID: frozenset({_IdPart.GROUPS, _IdPart.PROVIDERS}),
    _IdPart.GROUPS: frozenset(),
    _IdPart.PROVIDERS: frozenset({_IdPart.NAMESPACE}),
    _IdPart.NAMESPACE: frozenset({_IdPart.TYPE}),
    _IdPart.TYPE: frozenset(),
}
_ANY = frozenset(_IdPart)

# What Defender's alerts are about. A piece that stands alone is known by this list; behind `providers/` any is.
_NAMESPACES = (
    "apimanagement", "app", "automation", "cache", "cdn", "cognitiveservices", "compute", "containerinstance",
    "containerregistry", "containerservice", "dbformariadb", "dbformysql", "dbforpostgresql", "devices", "documentdb",
    "eventhub", "hybridcompute", "keyvault", "kubernetes", "machinelearningservices", "network", "operationalinsights",
    "security", "servicebus", "sql", "sqlvirtualmachine", "storage", "synapse", "web",
)  # fmt: skip
_TYPES = (
    "accounts", "applicationgateways", "automationaccounts", "connectedclusters", "containerapps", "containergroups",
    "databaseaccounts", "flexibleservers", "iothubs", "machines", "managedclusters", "managedinstances", "namespaces",
    "profiles", "publicipaddresses", "redis", "registries", "servers", "service", "sites", "sqlvirtualmachines",
    "storageaccounts", "vaults", "virtualmachines", "virtualmachinescalesets", "virtualnetworks", "workspaces",
)  # fmt: skip
_SPELLED = {
    _IdPart.SUBSCRIPTIONS: "\nsubscriptions\n",
    _IdPart.GROUPS: "\nresourcegroups\n",
    _IdPart.PROVIDERS: "\nproviders\n",
    _IdPart.NAMESPACE: "".join(f"\nmicrosoft.{name}\n" for name in _NAMESPACES),
    _IdPart.TYPE: "".join(f"\n{name}\n" for name in _TYPES),
}
"""The names that a part may have, each between line ends, by which a piece of one is found."""

_END = "\n"
_LENGTHS = (8, 4, 4, 4, 12)  # of the pieces of a subscription's id
_PIECE = re.compile(r"[0-9a-f]*")
_WORD = re.compile(r"[a-z0-9.]+")
_OF_MICROSOFT = re.compile(r"microsoft\.[a-z0-9.]*")


def find_breadth(text: str, field: Field) -> str | None:
    """Why a text tells nothing apart in a field, as a complaint; None where it does."""
    return _find_breadth(text.casefold(), field.name in _WITH_IDS or field.name.startswith(_EXTENDED))


def names_many(text: str, field: Field) -> bool:
    """Whether a whole value of a field stands for a subscription, an account, a project or a connector, not for a resource."""
    return field.name in _WITH_IDS and find_breadth(f"{text.strip().rstrip('/')}/", field) is not None


@lru_cache(maxsize=4096)
def _find_breadth(text: str, has_ids: bool) -> str | None:
    if _letters_in(text) < FEWEST:
        return f"has fewer than {FEWEST} letters or digits, which almost every value has in it; write more of it"
    if text.strip(_PUNCTUATION) in _WORDS or (has_ids and _is_in_each_id(text.strip())):
        return (
            "is in every value: a rule may not cover a whole alert type; "
            "write it with a group or a resource, such as /resourceGroups/rg-build/"
        )
    if has_ids and is_in_each_cloud_id(text.strip()):
        return (
            "is in the names of all resources of a cloud, an account, a project or a connector: "
            "a rule may not cover a whole alert type; write it with a resource, such as :cluster/shop-prod"
        )
    return None


def _letters_in(text: str) -> int:
    return sum(map(str.isalnum, text))


def _is_in_each_id(text: str) -> bool:
    parts = text.split("/")
    before = _ANY
    for position, part in enumerate(parts):
        is_first, is_last = position == 0, position == len(parts) - 1
        found = before & _meanings_of(part, is_first, is_last, behind_any=before is _ANY) if part else _ANY
        if not found and (_letters_in(part) >= FEWEST or not (is_first or is_last)):
            return False
        before = frozenset().union(*(_NEXT[one] for one in found)) if part and found else _ANY
    return True


def _meanings_of(part: str, is_first: bool, is_last: bool, *, behind_any: bool) -> frozenset[_IdPart]:
    """What a part may be of every id; it may begin early where it is the first, and end early where it is the last."""
    piece = f"{'' if is_first else _END}{part}{'' if is_last else _END}"
    meanings = {meaning for meaning, names in _SPELLED.items() if piece in names}
    if _is_piece_of_a_guid(part, is_first=is_first, is_last=is_last):
        meanings.add(_IdPart.ID)
    if _OF_MICROSOFT.fullmatch(part):
        meanings.add(_IdPart.NAMESPACE)
    if not behind_any and _WORD.fullmatch(part):
        meanings |= {_IdPart.NAMESPACE, _IdPart.TYPE}
    return frozenset(meanings)


def _is_piece_of_a_guid(part: str, *, is_first: bool, is_last: bool) -> bool:
    pieces = part.split("-")
    if not all(map(_PIECE.fullmatch, pieces)):
        return False
    starts = range(len(_LENGTHS) - len(pieces) + 1)
    return any(_lie_at(start, pieces, is_first=is_first, is_last=is_last) for start in starts)


def _lie_at(start: int, pieces: list[str], *, is_first: bool, is_last: bool) -> bool:
    """Whether pieces are those of a subscription's id from one of them on: whole but at ends that may be cut."""
    end = start + len(pieces)
    if (not is_first and start != 0) or (not is_last and end != len(_LENGTHS)):
        return False
    for position, (piece, length) in enumerate(zip(pieces, _LENGTHS[start:end], strict=True)):
        may_be_cut = (is_first and position == 0) or (is_last and position == len(pieces) - 1)
        if len(piece) > length or (len(piece) < length and not may_be_cut):
            return False
    return True
