"""The names in the ids of resources: what something is called, with what it is a part of. Pure.

Azure Resource Manager's ids are https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules,
Amazon's https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html and Google's
https://cloud.google.com/iam/docs/full-resource-names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from router.domain.clouds import connected_name
from router.domain.memoize import remembered

_GUID = re.compile(r"\{?[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}\}?", re.IGNORECASE)
_ANY_GUID = re.compile(rf"(?<![0-9a-z]){_GUID.pattern}(?![0-9a-z])", re.IGNORECASE)
_LONE_GUID = re.compile(rf"(?<![\w.-]){_GUID.pattern}(?![\w.-])", re.IGNORECASE)
"""A GUID that is a part of a path by itself, and not the end of a name such as `vm-...`."""
_FILLERS = frozenset({"default", "current", "latest", "n/a", "na", "none", "null", "unknown", "undefined", "-"})
"""Names that Azure gives to the only one there is, and words for nothing."""

_END = 6
"""Characters of a GUID by which people tell it from others."""

_SCOPES = frozenset({"subscriptions", "resourcegroups", "managementgroups", "tenants", "locations"})
"""What says where a resource of ARM is and not what it is."""
_ENTITY = "securityentitydata"
_ABOUT = "microsoft.security"
"""The provider whose children say something of a resource, and are no part of it."""

_ARN = re.compile(r"arn:[a-z-]+:(?P<service>[a-z0-9-]*):[^:\s]*:[^:\s]*:(?P<rest>\S.*)", re.IGNORECASE)
_WHOLE = frozenset({"s3", "sns", "sqs"})
"""Services of Amazon whose names begin with no type of resource."""
_GOOGLE = re.compile(r"(?:^|//|/)(?P<service>[a-z]+)\.googleapis\.com/(?P<rest>\S+)|^/?(?P<relative>projects/\S+)")
_LOCATIONS = frozenset({"projects", "zones", "regions", "locations", "folders", "organizations"})
"""The collections of Google that say where something is and not what it is."""


def is_guid(text: str) -> bool:
    """Whether a text is a GUID and nothing else."""
    return _GUID.fullmatch(text.strip()) is not None


def is_telling(text: str | None) -> bool:
    """Whether a text names something by itself; GUIDs, a number and the word `default` do not."""
    word = text.strip() if text else ""
    if not word or word.isdigit() or word.lower() in _FILLERS:
        return False
    beside = _ANY_GUID.sub(" ", word)
    return beside == word or any(is_telling(part) for part in re.split(r"[\W_]+", beside))


def ending(id: str) -> str:
    """The end of an id by which people tell it from others, as texts show it: `…ab12cd`."""
    return f"…{id.strip().strip('{}')[-_END:]}"


def with_endings(text: str) -> str:
    """A text in which only the ends of those GUIDs are said that stand by themselves: `invoices/…ab12cd`."""
    return _LONE_GUID.sub(lambda found: ending(found[0]), text)


def last_ending(id: str) -> str | None:
    """The end of the last GUID in an id; None where there is none in it."""
    found = _ANY_GUID.findall(id)
    return ending(found[-1]) if found else None


@remembered
def names_of_resource(id: str) -> tuple[str, ...]:
    """What the id of a resource calls it, behind the names of what it is a part of: server and database.

    Empty where it names a subscription, a resource group or a project alone, or says nothing that people would call a name. A
    resource whose own name is a GUID is called by its type and the end of the GUID: `role assignment …ab12cd`.
    """
    id = id.strip()
    if (connected := connected_name(id)) is not None:
        return (connected,) if is_telling(connected) else ()
    if arn := _ARN.fullmatch(id):
        return _names_in_arn(arn["service"].lower(), arn["rest"])
    if google := _GOOGLE.search(id):
        return _names_in_google(google["rest"] or google["relative"])
    if id.startswith("/"):
        return _names_in_arm(id.strip("/").split("/"))
    return (id,) if is_telling(id) else ()


def _names_in_arm(parts: Sequence[str]) -> tuple[str, ...]:
    lowered = [part.lower() for part in parts]
    starts = [at for at, part in enumerate(lowered) if part == "providers"]
    pairs: list[tuple[str, str]] = []
    for start, end in pairwise([*starts, len(parts)]):
        # What Defender says of a resource stands below it; by itself it is all that there is.
        if pairs and lowered[start + 1 : start + 2] == [_ABOUT]:
            break
        pairs += _pairs(parts[start + 2 : end])
    # What a cluster runs stands behind it as one word, which says each name and a star for the rest.
    while len(pairs) > 1 and pairs[-1][0].lower() == _ENTITY:
        pairs.pop()
    if not starts and lowered and lowered[0] not in _SCOPES:
        pairs = [("", parts[-1])]
    return _called([(type, name) for type, name in pairs if type.lower() not in _SCOPES])


def _names_in_arn(service: str, rest: str) -> tuple[str, ...]:
    """What stands behind the type of the resource, which other services leave out."""
    kind = re.match(r"[^:/]*[:/]", rest)
    name = rest if service in _WHOLE or kind is None else rest[kind.end() :]
    return _called([("resource", name)]) if name else ()


def _names_in_google(rest: str) -> tuple[str, ...]:
    parts = rest.strip("/").split("/")
    if parts[0].lower() not in _LOCATIONS:
        return _called([("resource", parts[-1])])
    return _called([(type, name) for type, name in _pairs(parts) if type.lower() not in _LOCATIONS])


def _pairs(parts: Sequence[str]) -> Iterable[tuple[str, str]]:
    return zip(parts[::2], parts[1::2], strict=False)


def _called(pairs: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """The names among pairs of type and name that tell something; a number only behind another name."""
    names: list[str] = []
    for _, name in pairs:
        if is_telling(name) or (names and name.isdigit()):
            names.append(name)
    if pairs and not is_telling(pairs[-1][1]) and (end := last_ending(pairs[-1][1])) is not None:
        names.append(f"{_singular(pairs[-1][0]) or 'resource'} {end}")
    return tuple(names)


def _singular(type: str) -> str:
    """The type of a resource as a person would say it: `role assignment` of `roleAssignments`."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type).lower()
    return re.sub(r"ies$", "y", words) if words.endswith("ies") else re.sub(r"(?<=[^s])s$", "", words)
