"""Where in which cloud the resource of a signal is.

Since 2025-10-21 alerts on clusters of EKS and GKE name a connector's entity as their resource, and the cluster's own name among
the entities; findings of other clouds carry `hierarchyId`, the AWS account or the number of the GCP project:
https://learn.microsoft.com/azure/defender-for-cloud/release-notes-recommendations-alerts
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from router.domain.entities import Entities, Entity
from router.domain.evidence import items_in, property_key, says_something, text_of
from router.domain.resources import (
    NOWHERE,
    OF_GOOGLE,
    CloudLocation,
    connected_name,
    connector_named,
    is_connected,
    is_made_up,
    is_of_azure,
    location_in_google,
    location_named,
    parse_resource_id,
)
from router.domain.signals import Signal

_FOREIGN = {"amazonresource": "AWS", "awsresource": "AWS", "gcpresource": "GCP", "googlecloudresource": "GCP"}
"""The types of entities, normalised, that stand for resources of other clouds."""
_CLUSTER, _NAMESPACE, _POD = "k8scluster", "k8snamespace", "k8spod"
_ELSEWHERE = frozenset({*_FOREIGN, _CLUSTER})
_INSIDE = frozenset({_NAMESPACE, _POD})
_NAMESPACES = frozenset({"namespace", "namespacename", "k8snamespace", "kubernetesnamespace", "podnamespace"})
"""The keys of properties that name a namespace, where the signal names a cluster: others have namespaces, too."""
_KIND, _EFFECTIVE = "resourcetype", "effectiveazureresourceid"

_NAMES = ("nativeclouduniqueidentifier", "nativeresourceid", "id", "azureresourceid")
_IN_ENTITIES = (
    "resourceid", "amazonresourceid", "fullresourcename", "relativeresourcename", "resourcename", "name", "id",
)  # fmt: skip
_ACCOUNTS = ("accountid", "amazonaccountid", "awsaccountid")
_PROJECTS = ("projectid", "gcpprojectid", "projectnumber")
_SAID_CLOUDS = ("source", "environmentname", "cloudprovider")
_CLOUDS = dict.fromkeys(("aws", "amazon", "eks"), "AWS") | dict.fromkeys(("gcp", "google", "googlecloud", "gke"), "GCP")
_ACCOUNT_DIGITS = 12


def location_of(signal: Signal) -> CloudLocation:
    """The location of a signal's resource; NOWHERE where nothing tells. Draws the graph of an alert's entities."""
    if signal.location is not None:
        return signal.location
    # So are most: what is in Azure, in no cluster and names none. Then nothing else is asked.
    entities = signal.entities
    if _is_in_azure(signal) and location_named(signal.resource or "") is NOWHERE and not entities.of_type(_CLUSTER):
        return NOWHERE
    return location_among(signal.resource, {}, entities, signal.extended)


def location_among(
    resource: str | None, details: Mapping[str, str], entities: Entities, extended: Mapping[str, object]
) -> CloudLocation:
    """The location of a resource, of which a message gives some details under names in lower case.

    Where several say it, the first counts: these details, the names of the resource in its own cloud, its entities, and what a
    connector calls it.
    """
    is_here = is_of_azure(resource or "")
    # What is in Azure may have to do with a resource elsewhere, as an incident has, and is still in Azure.
    foreign = [] if is_here else entities.of_type(*_ELSEWHERE)
    behind = _cloud_resources(foreign)
    names = [*(details[name] for name in _NAMES if name in details), *([resource] if resource else [])]
    names += _texts_in([*foreign, *behind], _IN_ENTITIES)
    if not is_here and (effective := text_of(extended, _EFFECTIVE)):
        names.append(effective)
    names = [name.strip() for name in names]
    named = [location_named(name) for name in names]
    kind = text_of(extended, _KIND) if not is_here else ""
    said = [word for name in _SAID_CLOUDS if (word := details.get(name, "").strip())]
    hierarchy = details.get("hierarchyid", "").strip()
    cloud = find_cloud_in(said) or next(filter(None, (location.cloud for location in named)), None)
    if cloud is None and not is_here:
        types = (_FOREIGN.get(entity.type) for entity in (*foreign, *behind))
        cloud = next(filter(None, types), None) or find_cloud_in([kind])
        if cloud is None and not said:
            cloud = _cloud_by_hierarchy(hierarchy, names)
    if cloud == "GCP":
        named = [location_in_google(name) for name in names]
    accounts = [location.account for location in named if location.account] + list(_texts_in(foreign, _ACCOUNTS))
    projects = [one for location in named for one in location.projects] + list(_texts_in(foreign, _PROJECTS))
    accounts = [details[name] for name in _ACCOUNTS if name in details] + accounts
    projects = [details[name] for name in _PROJECTS if name in details] + projects
    if hierarchy and cloud is not None:
        (accounts if cloud == "AWS" else projects).insert(0, hierarchy)
    cluster = (
        next((location.cluster for location in named if location.cluster), None)
        or _connected_cluster(names, kind)
        or next(filter(None, map(_cluster_of, entities.of_type(_CLUSTER))), None)
    )
    return CloudLocation(
        cloud=cloud,
        account=next(iter(accounts), None) if cloud != "GCP" else None,
        projects=tuple(dict.fromkeys(projects)) if cloud != "AWS" else (),
        cluster=cluster,
        namespaces=tuple(dict.fromkeys(_namespaces_in(cluster, named, entities, extended))) if cluster else (),
        connectors=_connectors_in(names, details),
        native=next((name for name, location in zip(names, named, strict=True) if location.cloud), None),
    )


def is_foreign(resource: str | None, location: CloudLocation) -> bool:
    """Whether a resource is in another cloud than Azure, so that subscription and group in its id are its connector's."""
    return location.cloud is not None or is_connected(resource)


def _is_in_azure(signal: Signal) -> bool:
    """Whether that is known by its resource alone, so that the entities of an alert need not be asked."""
    return signal.location is None and is_of_azure(signal.resource or "")


def resource_group_of(signal: Signal) -> str | None:
    """The resource group that the resource of a signal is in; None for what is in another cloud, whatever its id says."""
    if not _is_in_azure(signal) and is_foreign(signal.resource, location_of(signal)):
        return None
    return parse_resource_id(signal.resource).resource_group


def names_of(signal: Signal) -> tuple[str, ...]:
    """What the resource of a signal is called: by its id, and in its own cloud, as far as the signal says it."""
    if signal.resource and _is_in_azure(signal):
        return (signal.resource,)
    return tuple(dict.fromkeys(filter(None, (signal.resource, location_of(signal).native))))


def find_effective_resource(signal: Signal) -> str | None:
    """The ARM id of what an alert is about as its properties give it, which may be another than that of its resource."""
    return text_of(signal.extended, _EFFECTIVE) or None


def _cloud_resources(entities: list[Entity]) -> list[Entity]:
    """The resources in a cloud that entities stand for."""
    return [found for entity in entities if (found := entity.find("cloudresource")) is not None]


def _cluster_of(entity: Entity) -> str | None:
    """The name of the cluster that an entity stands for."""
    names = [name.strip() for name in _texts_in([entity, *_cloud_resources([entity])], _IN_ENTITIES)]
    named = next((found for name in names if (found := location_in_google(name).cluster)), None)
    return named or _connected_cluster(names, "") or entity.text("name")


def _namespaces_in(
    cluster: str, named: list[CloudLocation], entities: Entities, extended: Mapping[str, object]
) -> Iterator[str]:
    """The namespaces that a signal names in a cluster: in the names of its resource, its entities and its properties."""
    for location in named:
        yield from location.namespaces
    for entity in entities.of_type(*_INSIDE):
        if entity.type == _NAMESPACE:
            around = entity.find("cluster")
            other = _cluster_of(around) if around is not None else None
            if other is None or other.casefold() == cluster.casefold():
                yield from _texts_in([entity], ("name",))
        else:
            yield from _texts_in([entity], ("namespace",))
    for name, value in extended.items():
        if property_key(name) in _NAMESPACES:
            for item in items_in(str(value)):
                yield from filter(None, map(str.strip, item.split(",")))


def _connectors_in(names: list[str], details: Mapping[str, str]) -> tuple[str, ...]:
    guid = details.get("connectorid", "").strip()
    connector = next(filter(None, map(connector_named, names)), ())
    return (*connector, guid) if says_something(guid) else connector


def find_cloud_in(words: Sequence[str]) -> str | None:
    """The cloud that the first word of one of the texts means, AWS or GCP; None where none means either."""
    firsts = (text.strip().lower().partition(" ")[0].replace("-", "") for text in words)
    return next(filter(None, map(_CLOUDS.get, firsts)), None)


def _cloud_by_hierarchy(hierarchy: str, names: list[str]) -> str | None:
    """The cloud of what a connector brought, by what stands above it: an AWS account has 12 digits, and so may a project."""
    if not (hierarchy.isascii() and hierarchy.isdigit()):
        return None
    made_up = [name for one in names if (name := connected_name(one))]
    is_account = len(hierarchy) == _ACCOUNT_DIGITS and not any(is_made_up(name, OF_GOOGLE) for name in made_up)
    return "AWS" if is_account else "GCP"


def _texts_in(entities: list[Entity], names: tuple[str, ...]) -> Iterator[str]:
    return (text for entity in entities for name in names if (text := entity.text(name)))


def _connected_cluster(names: list[str], kind: str) -> str | None:
    """The cluster that a connector's entity stands for: where the alert says so, or where its name was not made up."""
    name = next((found for one in names if (found := connected_name(one))), None)
    if name is None or ("cluster" not in kind.lower() and is_made_up(name)):
        return None
    return name
