"""What the names of resources in any cloud say: ARNs, Google's names, ARM ids, and what Defender calls what it connects to."""

from __future__ import annotations

import re
from dataclasses import dataclass

from router.domain.memoize import remembered
from router.domain.resources import parse_resource_id

_ARN = re.compile(r"arn:[a-z-]+:[a-z0-9-]*:[a-z0-9-]*:(?P<account>[^:/\s]*):(?P<rest>\S.*)", re.IGNORECASE)
"""https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html"""

_GOOGLE = re.compile(r"(?:^|//|/)[a-z]+\.googleapis\.com/(?P<rest>\S+)", re.IGNORECASE)
"""https://cloud.google.com/iam/docs/full-resource-names"""

_RELATIVE = re.compile(r"/?projects/[^/\s]", re.IGNORECASE)
"""The same without its service, which other clouds have, too: https://cloud.google.com/apis/design/resource_names"""

_CONNECTED = "/providers/microsoft.security/securityconnectors/"
_ENTITY = "/securityentitydata/"
_CONNECTOR = "securityconnectors"
_CLUSTERS = ("managedclusters", "connectedclusters")
_NAMESPACES = ("namespaces", "managednamespaces")
"""What stands before a namespace behind a cluster: https://cloud.google.com/asset-inventory/docs/resource-name-format and
https://learn.microsoft.com/azure/templates/microsoft.containerservice/managedclusters/managednamespaces"""

_OF_GOOGLE = ("gcp-", "gar-", "gcr-")
_MADE_UP = ("aws-", *_OF_GOOGLE, "azure-", "namespace-")
_FROM_ELSEWHERE = ("microsoft.hybridcompute/", "microsoft.kubernetes/", "microsoft.azurearcdata/")
"""What begins the types that stand in Azure for machines and clusters that may run in another cloud."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudLocation:
    """Where a resource is, as its own cloud says it.

    Attributes:
        cloud: AWS or GCP; None for Azure, and where nothing tells.
        account: the id of the AWS account.
        projects: the id and the number of the GCP project, as far as they are known.
        cluster: the name of the Kubernetes cluster.
        namespaces: the namespaces in that cluster that the signal names.
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
    if google := _GOOGLE.search(name):
        return _location_in_google(google["rest"])
    if name[:1] == "/" and not is_connected(name):
        parts = name.strip("/").split("/")
        cluster = next((found for word in _CLUSTERS if (found := _part_after(word, parts))), None)
        return CloudLocation(cluster=cluster, namespaces=_namespaces_in(parts)) if cluster else NOWHERE
    return NOWHERE


def location_in_google(name: str) -> CloudLocation:
    """What a name says of a resource that is known to be in GCP, where names come without their service, too."""
    return _location_in_google(name.lstrip("/")) if _RELATIVE.match(name) else location_named(name)


def _location_in_google(rest: str) -> CloudLocation:
    parts = rest.split("/")
    project, cluster = _part_after("projects", parts), _part_after("clusters", parts)
    namespaces = _namespaces_in(parts) if cluster else ()
    return CloudLocation(cloud="GCP", projects=(project,) if project else (), cluster=cluster, namespaces=namespaces)


def _namespaces_in(parts: list[str]) -> tuple[str, ...]:
    return tuple(found for word in _NAMESPACES if (found := _part_after(word, parts)))[:1]


def is_of_azure(id: str | None) -> bool:
    """Whether an ARM id is that of a resource in Azure itself: of a type, and not what stands for one of another cloud."""
    return id is not None and _is_of_azure(id)


@remembered
def _is_of_azure(id: str) -> bool:
    type = parse_resource_id(id).type
    return type is not None and not is_connected(id) and not type.lower().startswith(_FROM_ELSEWHERE)


def is_connected(id: str | None) -> bool:
    """Whether an ARM id is what a connector to another cloud made: its subscription and group are those of the connector."""
    return id is not None and _CONNECTED in id.lower()


def connected_name(id: str) -> str | None:
    """The last part of what a connector calls a resource of another cloud; None for any other id.

    It is a cluster's bare name in alerts; else it begins with provider, service and type, and cannot be told apart safely.
    """
    if not is_connected(id) or _ENTITY not in id.lower():
        return None
    return id.strip().rstrip("/")[id.lower().index(_ENTITY) + len(_ENTITY) :].partition("/")[0] or None


def connector_named(id: str) -> tuple[str, ...]:
    """The name and the ARM id of the security connector that an ARM id stands under; nothing for any other id."""
    if not is_connected(id):
        return ()
    parts = id.strip().strip("/").split("/")
    end = [part.lower() for part in parts].index(_CONNECTOR) + 2
    return (parts[end - 1], f"/{'/'.join(parts[:end])}") if len(parts) >= end and parts[end - 1] else ()


def is_made_up(name: str) -> bool:
    """Whether a connector made the name of what is no cluster, of provider, service and type, so that nobody calls it so."""
    return name.lower().startswith(_MADE_UP)


def is_made_up_for_google(name: str) -> bool:
    """Whether a connector made the name of something in Google's cloud."""
    return name.lower().startswith(_OF_GOOGLE)


def _part_after(word: str, parts: list[str]) -> str | None:
    lowered = [part.lower() for part in parts]
    at = lowered.index(word) + 1 if word in lowered else len(parts)
    return parts[at] or None if at < len(parts) else None
