"""Finds what a responder looks for first in a signal's entities.

Entities: https://learn.microsoft.com/azure/sentinel/entities-reference
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from router.domain.entities import Entity
from router.domain.evidence import Evidence
from router.domain.signals import Kind, Signal

MOST = 50
"""The most elements of each list; where there are more, the last one says how many."""


def evidence_of(signal: Signal) -> Evidence:
    """The evidence in a signal's entities, each list without repeats, in the order in which entities are met."""
    lists: dict[str, dict[str, None]] = {}
    for entity in signal.entities:
        if (listed := _LISTED.get(entity.type)) and (words := listed[1](entity)):
            lists.setdefault(listed[0], {})[words] = None
    return Evidence(**{name: _bounded(words) for name, words in lists.items()})


def alerts_named_in(signal: Signal) -> tuple[str, ...]:
    """The ids of the alerts that an incident names; none for any other signal, which speaks for itself only."""
    if signal.kind is not Kind.INCIDENT:
        return ()
    ids = (id for entity in signal.entities if entity.type in _ALERTS for id in _alert_ids(entity))
    return tuple(dict.fromkeys(ids))


def _bounded(words: Iterable[str]) -> tuple[str, ...]:
    every = tuple(words)
    if len(every) <= MOST:
        return every
    return (*every[: MOST - 1], f"... and {len(every) - MOST + 1} more")


def _name(entity: Entity) -> str | None:
    return entity.text("Name")


def _host(host: Entity) -> str | None:
    name = host.text("HostName") or host.text("NetBiosName")
    if name is None:
        return _last_part(host.text("AzureID"))
    domain = host.text("DnsDomain")
    return f"{name}.{domain}" if domain and not name.lower().endswith(f".{domain.lower()}") else name


def _cluster(cluster: Entity) -> str | None:
    resource = cluster.find("CloudResource")
    return cluster.text("Name") or _last_part(resource.text("ResourceId") if resource else None)


def _container(container: Entity) -> str | None:
    return container.text("Name") or container.text("ContainerId")


def _image(image: Entity) -> str | None:
    return image.text("ImageId") or image.text("Name")


def _account(account: Entity) -> str | None:
    name = account.text("Name")
    if name is None:
        return account.text("AadUserId") or account.text("Sid")
    if "@" in name or "\\" in name:
        return name
    if domain := account.text("NTDomain"):
        return f"{domain}\\{name}"
    suffix = account.text("UPNSuffix")
    return f"{name}@{suffix}" if suffix else name


def _process(process: Entity) -> str | None:
    image = process.find("ImageFile")
    command = process.text("CommandLine") or (_path(image) if image else None)
    pid = process.text("ProcessId")
    if command is None:
        return None if pid is None else f"({pid})"
    return command if pid is None else f"{command} ({pid})"


def _path(file: Entity) -> str | None:
    name, directory = file.text("Name"), file.text("Directory")
    if name is None or directory is None:
        return name or directory
    slash = "/" if "/" in directory else "\\"
    return f"{directory.removesuffix(slash)}{slash}{name}"


def _hash(hash: Entity) -> str | None:
    value, algorithm = hash.text("Value"), hash.text("Algorithm")
    return f"{algorithm.upper()}:{value}" if value and algorithm else value


def _last_part(resource: str | None) -> str | None:
    return resource.rstrip("/").rpartition("/")[2] or None if resource else None


_ALERTS = frozenset({"alert", "securityalert"})
"""The types under which an incident names its alerts, with their ids in a list as msticpy's Alert entity has them:
https://msticpy.readthedocs.io/en/latest/api/msticpy.datamodel.entities.alert.html"""


def _alert_ids(alert: Entity) -> Iterable[str]:
    ids = alert.get("SystemAlertIds") or alert.get("SystemAlertId")
    return [id for id in (ids if isinstance(ids, list) else [ids]) if isinstance(id, str) and id]


_LISTED: Mapping[str, tuple[str, Callable[[Entity], str | None]]] = {
    "host": ("hosts", _host),
    "k8snode": ("nodes", _name),
    "k8spod": ("pods", _name),
    "k8snamespace": ("namespaces", _name),
    "k8scluster": ("clusters", _cluster),
    "container": ("containers", _container),
    "containerimage": ("images", _image),
    "account": ("accounts", _account),
    "ip": ("ips", lambda ip: ip.text("Address")),
    "process": ("processes", _process),
    "file": ("files", _path),
    "filehash": ("hashes", _hash),
    "url": ("urls", lambda url: url.text("Url")),
    "azureresource": ("resources", lambda resource: resource.text("ResourceId")),
}
"""For each type of entity, the list of the evidence that it goes into, and its words there."""
