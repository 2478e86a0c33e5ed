"""Where in which cloud the resource of a signal is.

Since 2025-10-21 alerts on clusters of EKS and GKE name a connector's entity as their resource, and the cluster's own name among
the entities; findings of other clouds carry `hierarchyId`, the AWS account or the number of the GCP project:
https://learn.microsoft.com/azure/defender-for-cloud/release-notes-recommendations-alerts
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from router.domain.clouds import (
    CloudLocation,
    connected_name,
    is_made_up,
    is_made_up_for_google,
    is_of_azure,
    location_in_google,
    location_named,
)
from router.domain.entities import Entities, Entity
from router.domain.signals import Signal

_FOREIGN = {"amazonresource": "AWS", "awsresource": "AWS", "gcpresource": "GCP", "googlecloudresource": "GCP"}
"""The types of entities, normalised, that stand for resources of other clouds."""
_CLUSTER = "k8scluster"

_NAMES = ("nativeclouduniqueidentifier", "nativeresourceid", "id", "azureresourceid")
_IN_ENTITIES = (
    "ResourceId",
    "AmazonResourceId",
    "FullResourceName",
    "RelativeResourceName",
    "ResourceName",
    "Name",
    "Id",
)
_ACCOUNTS = ("accountid", "amazonaccountid", "awsaccountid")
_PROJECTS = ("projectid", "gcpprojectid", "projectnumber")
_SAID_CLOUDS = ("source", "environmentname", "cloudprovider")
_CLOUDS = {"aws": "AWS", "amazon": "AWS", "gcp": "GCP", "google": "GCP", "googlecloud": "GCP"}
_ACCOUNT_DIGITS = 12


def location_of(signal: Signal) -> CloudLocation:
    """The location of a signal's resource; NOWHERE where nothing tells. Draws the graph of an alert's entities."""
    if signal.location is not None:
        return signal.location
    return location_among(signal.resource, {}, signal.entities, signal.extended)


def location_among(
    resource: str | None, details: Mapping[str, str], entities: Entities, extended: Mapping[str, object]
) -> CloudLocation:
    """The location of a resource, of which a message gives some details under names in lower case.

    Where several say it, the first counts: these details, the names of the resource in its own cloud, its entities, and what a
    connector calls it.
    """
    is_here = is_of_azure(resource)
    # What is in Azure may have to do with a resource elsewhere, as an incident has, and is still in Azure.
    foreign = [entity for entity in entities if entity.type == _CLUSTER or (not is_here and entity.type in _FOREIGN)]
    behind = [found for entity in foreign if (found := entity.find("CloudResource")) is not None]
    names = [*(details[name] for name in _NAMES if name in details), *([resource] if resource else [])]
    names += _texts_in([*foreign, *behind], _IN_ENTITIES)
    names = [name.strip() for name in names]
    named = [location_named(name) for name in names]
    kind = next((str(value) for name, value in extended.items() if name.lower() == "resourcetype"), "")
    said = [word for name in _SAID_CLOUDS if (word := details.get(name, "").strip())]
    hierarchy = details.get("hierarchyid", "").strip()
    cloud = _cloud_said(said) or next(filter(None, (location.cloud for location in named)), None)
    if cloud is None and not is_here:
        types = (_FOREIGN.get(entity.type) for entity in (*foreign, *behind))
        cloud = next(filter(None, types), None) or _cloud_said([kind])
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
    return CloudLocation(
        cloud=cloud,
        account=next(iter(accounts), None) if cloud != "GCP" else None,
        projects=tuple(dict.fromkeys(projects)) if cloud != "AWS" else (),
        cluster=next((location.cluster for location in named if location.cluster), None)
        or _connected_cluster(names, kind)
        or next(iter(_texts_in(entities.of_type(_CLUSTER), ("Name",))), None),
    )


def _cloud_said(words: list[str]) -> str | None:
    """The cloud that the first word of one of the texts means."""
    firsts = (text.strip().lower().partition(" ")[0].replace("-", "") for text in words)
    return next(filter(None, map(_CLOUDS.get, firsts)), None)


def _cloud_by_hierarchy(hierarchy: str, names: list[str]) -> str | None:
    """The cloud of what a connector brought, by what stands above it: an AWS account has 12 digits, and so may a project."""
    if not (hierarchy.isascii() and hierarchy.isdigit()):
        return None
    made_up = [name for one in names if (name := connected_name(one))]
    is_account = len(hierarchy) == _ACCOUNT_DIGITS and not any(map(is_made_up_for_google, made_up))
    return "AWS" if is_account else "GCP"


def _texts_in(entities: list[Entity], names: tuple[str, ...]) -> Iterator[str]:
    return (text for entity in entities for name in names if (text := entity.text(name)))


def _connected_cluster(names: list[str], kind: str) -> str | None:
    """The cluster that a connector's entity stands for: where the alert says so, or where its name was not made up."""
    name = next((found for one in names if (found := connected_name(one))), None)
    if name is None or ("cluster" not in kind.lower() and is_made_up(name)):
        return None
    return name
