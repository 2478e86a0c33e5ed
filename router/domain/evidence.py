"""What a responder looks for first in a signal."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a responder looks for first, out of a signal's entities. Each list is in order and without repeats.

    Attributes:
        hosts: host names.
        nodes: names of Kubernetes nodes.
        pods: names of pods.
        namespaces: names of Kubernetes namespaces.
        clusters: names of clusters.
        containers: names of containers.
        images: container images.
        accounts: user accounts.
        ips: IP addresses.
        processes: processes, by their command lines where there are any.
        files: paths of files.
        hashes: hashes of files.
        urls: URLs.
        resources: resource ids.
    """

    hosts: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    pods: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    hashes: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
