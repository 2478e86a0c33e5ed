"""The names of resources in any cloud: what their ids say, what something is called, and where it is.

Azure Resource Manager's ids are https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules,
Amazon's https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html and Google's
https://cloud.google.com/iam/docs/full-resource-names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from router.domain.readable import remembered
from router.domain.values import Value

_WHOLES = re.compile(
    r".*/providers/microsoft\.(?:sql/servers|sql/managedinstances|storage/storageaccounts|documentdb/databaseaccounts"
    r"|dbfor(?:postgresql|mysql|mariadb)/(?:flexible)?servers)/[^/]+(?=/)"
)
_SUBSCRIPTION = re.compile(r"(?:/?subscriptions/)?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/?", re.IGNORECASE)


class ResourceId(NamedTuple):
    """The parts of an ARM id, in their own case; None where the id does not have them."""

    subscription: str | None = None
    resource_group: str | None = None
    type: str | None = None
    name: str | None = None


def parse_resource_id(id: str | None) -> ResourceId:
    """The parts of an ARM id; of any other text, or of none, a ResourceId without parts."""
    return _parts_of(id) if id and id[0] == "/" else _NOTHING


_NOTHING = ResourceId()


@remembered
def _parts_of(id: str) -> ResourceId:
    parts, lowered = id.strip("/").split("/"), id.lower().strip("/").split("/")
    start = len(lowered) - lowered[::-1].index("providers") if "providers" in lowered else len(lowered)
    return ResourceId(
        subscription=_part_after("subscriptions", parts, lowered),
        resource_group=_part_after("resourcegroups", parts, lowered),
        type="/".join([parts[start], *parts[start + 1 :: 2]]) if start < len(parts) else None,
        name=parts[-1] if len(parts) > 2 else None,
    )


def _part_after(word: str, parts: list[str], lowered: list[str]) -> str | None:
    """The part of an id behind a word, whatever its case; None where there is none, or it is empty."""
    at = lowered.index(word) + 1 if word in lowered else len(parts)
    return parts[at] or None if at < len(parts) else None


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


_ARN = re.compile(r"arn:[a-z-]+:(?P<service>[a-z0-9-]*):[a-z0-9-]*:(?P<account>[^:/\s]*):(?P<rest>\S.*)", re.IGNORECASE)
_GOOGLE = re.compile(r"(?:^|//|/)[a-z]+\.googleapis\.com/(?P<rest>\S+)", re.IGNORECASE)
_RELATIVE = re.compile(r"/?projects/[^/\s]", re.IGNORECASE)
"""The same without its service, which other clouds have, too: https://cloud.google.com/apis/design/resource_names"""

_CONNECTED = "/providers/microsoft.security/securityconnectors/"
_ENTITY_PATH = "/securityentitydata/"
_CONNECTOR = "securityconnectors"
_CLUSTERS = ("managedclusters", "connectedclusters")
_NAMESPACES = ("namespaces", "managednamespaces")  # what stands before a namespace behind a cluster
OF_GOOGLE = ("gcp-", "gar-", "gcr-")
_MADE_UP = ("aws-", *OF_GOOGLE, "azure-", "namespace-")
_FROM_ELSEWHERE = ("microsoft.hybridcompute/", "microsoft.kubernetes/", "microsoft.azurearcdata/")
"""What begins the types that stand in Azure for machines and clusters that may run in another cloud."""


class CloudLocation(Value, kw_only=True):
    """Where a resource is, as its own cloud says it.

    Attributes:
        cloud: AWS or GCP; None for Azure, and where nothing tells.
        connectors: the name, the ARM id and the GUID of the security connector that brought it, as far as they are known.
        native: what it is called in its own cloud where that is not Azure: an ARN, or a name of Google's.
    """

    cloud: str | None = None
    account: str | None = None
    projects: tuple[str, ...] = ()
    cluster: str | None = None
    namespaces: tuple[str, ...] = ()
    connectors: tuple[str, ...] = ()
    native: str | None = None


NOWHERE = CloudLocation()
"""A location of which nothing is known."""


@remembered
def location_named(name: str) -> CloudLocation:
    """What one name of a resource says; NOWHERE where it is in none of the known forms."""
    if arn := _ARN.fullmatch(name):
        kind, _, cluster = arn["rest"].partition("/")
        is_cluster = kind.lower() == "cluster" and ":eks:" in name.lower()
        return CloudLocation(
            cloud="AWS", account=arn["account"] or None, cluster=cluster or None if is_cluster else None
        )
    if google := _find_google(name):
        return _location_in_google(google["rest"])
    if name[:1] == "/" and not is_connected(name):
        parts, lowered = name.strip("/").split("/"), name.lower().strip("/").split("/")
        cluster = next((found for word in _CLUSTERS if (found := _part_after(word, parts, lowered))), None)
        return CloudLocation(cluster=cluster, namespaces=_namespaces_in(parts, lowered)) if cluster else NOWHERE
    return NOWHERE


def _find_google(name: str) -> re.Match[str] | None:
    # Most are ids of Azure's, through which the pattern would be looked for from each slash on.
    return _GOOGLE.search(name) if ".googleapis.com/" in name.lower() else None


def location_in_google(name: str) -> CloudLocation:
    """What a name says of a resource that is known to be in GCP, where names come without their service, too."""
    return _location_in_google(name.lstrip("/")) if _RELATIVE.match(name) else location_named(name)


def _location_in_google(rest: str) -> CloudLocation:
    parts, lowered = rest.split("/"), rest.lower().split("/")
    project, cluster = (_part_after(word, parts, lowered) for word in ("projects", "clusters"))
    namespaces = _namespaces_in(parts, lowered) if cluster else ()
    return CloudLocation(cloud="GCP", projects=(project,) if project else (), cluster=cluster, namespaces=namespaces)


def _namespaces_in(parts: list[str], lowered: list[str]) -> tuple[str, ...]:
    return tuple(found for word in _NAMESPACES if (found := _part_after(word, parts, lowered)))[:1]


@remembered
def is_of_azure(id: str) -> bool:
    """Whether an ARM id is that of a resource in Azure itself: of a type, and not what stands for one of another cloud."""
    type = parse_resource_id(id).type
    return type is not None and not is_connected(id) and not type.lower().startswith(_FROM_ELSEWHERE)


def is_connected(id: str | None) -> bool:
    """Whether an ARM id is what a connector to another cloud made: its subscription and group are those of the connector."""
    return id is not None and _CONNECTED in id.lower()


def connected_name(id: str) -> str | None:
    """The last part of what a connector calls a resource of another cloud; None for any other id.

    It is a cluster's bare name in alerts; else it begins with provider, service and type, and cannot be told apart safely.
    """
    if not is_connected(id) or _ENTITY_PATH not in id.lower():
        return None
    return id.strip().rstrip("/")[id.lower().index(_ENTITY_PATH) + len(_ENTITY_PATH) :].partition("/")[0] or None


def connector_named(id: str) -> tuple[str, ...]:
    """The name and the ARM id of the security connector that an ARM id stands under; nothing for any other id."""
    if not is_connected(id):
        return ()
    parts = id.strip().strip("/").split("/")
    end = [part.lower() for part in parts].index(_CONNECTOR) + 2
    return (parts[end - 1], f"/{'/'.join(parts[:end])}") if len(parts) >= end and parts[end - 1] else ()


def is_made_up(name: str, before: tuple[str, ...] = _MADE_UP) -> bool:
    """Whether a connector made the name of what is no cluster, of provider, service and type; people do not call it so."""
    return name.lower().startswith(before)


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

_WHOLE = frozenset({"s3", "sns", "sqs"})
"""Services of Amazon whose names begin with no type of resource."""
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
        # The name stands behind the type of the resource, which other services leave out.
        kind = re.match(r"[^:/]*[:/]", arn["rest"]) if arn["service"].lower() not in _WHOLE else None
        name = arn["rest"][kind.end() :] if kind else arn["rest"]
        return _telling_names([("resource", name)]) if name else ()
    if (google := _find_google(id)) or _RELATIVE.match(id):
        return _names_in_google(google["rest"] if google else id)
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
    return _telling_names([(type, name) for type, name in pairs if type.lower() not in _SCOPES])


def _names_in_google(rest: str) -> tuple[str, ...]:
    parts = rest.strip("/").split("/")
    if parts[0].lower() not in _LOCATIONS:
        return _telling_names([("resource", parts[-1])])
    return _telling_names([(type, name) for type, name in _pairs(parts) if type.lower() not in _LOCATIONS])


def _pairs(parts: Sequence[str]) -> Iterable[tuple[str, str]]:
    return zip(parts[::2], parts[1::2], strict=False)


def _telling_names(pairs: Sequence[tuple[str, str]]) -> tuple[str, ...]:
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
