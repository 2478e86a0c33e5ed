"""What a responder looks for first in a signal."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a responder looks for first, out of a signal's entities and extended properties.

    The lists stand in the order in which a responder asks for them: where it happened, who did it from where, by which means,
    to what. Each list is without repeats, what entities say before what properties say.

    Attributes:
        hosts: host names.
        nodes: names of Kubernetes nodes.
        pods: names of pods.
        namespaces: names of Kubernetes namespaces.
        clusters: names of clusters.
        workloads: Kubernetes deployments, replica sets, daemon sets, jobs and the like.
        containers: names of containers.
        images: container images.
        services: services of a cluster or of an operating system.
        service_accounts: Kubernetes service accounts.
        roles: roles and their bindings, of a cluster or of a cloud.
        kubernetes_objects: other objects of a cluster, such as webhook configurations.
        databases: databases and their servers.
        storage_containers: containers of blobs or documents, and file shares.
        blobs: blobs, and files in file shares, by their URLs where there are any.
        secrets: names of what a vault holds, and of vaults; never a secret itself.
        accounts: user accounts and service principals, by their names, with a SID in brackets that the signal says by itself.
        attackers: IP addresses that the signal itself calls the attacker's.
        ips: IP addresses.
        locations: where addresses are, and in whose network.
        domains: domain names, with the addresses that they resolve to in brackets.
        urls: URLs.
        threats: what threat intelligence says of addresses, files and the like, and its reports.
        malware: names of malware, with its category in brackets.
        commands: suspicious commands, scripts and shell histories.
        processes: processes, what the signal is about first: `path: command line (number), by account, child of image`, as
            far as it is known; without the path where the command line says it.
        queries: statements in SQL and other query languages.
        files: paths of files.
        hashes: hashes of files.
        registry_keys: keys of the Windows registry.
        registry_values: values of the Windows registry, behind their keys.
        applications: applications, in a cloud or of a client.
        user_agents: user agents and other words of client software for itself.
        operations: operations on a service's interface.
        security_groups: security groups of a directory.
        mailboxes: mailboxes.
        emails: mails, clusters of mails, and mails that were reported.
        devices: devices of the Internet of Things.
        connections: network connections: source -> destination:port protocol; the source alone where no more is known.
        sessions: logon sessions.
        resources: resource ids.
        others: what entities of other types name, behind their type.
    """

    hosts: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    pods: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    workloads: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    service_accounts: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    kubernetes_objects: tuple[str, ...] = ()
    databases: tuple[str, ...] = ()
    storage_containers: tuple[str, ...] = ()
    blobs: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    attackers: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    threats: tuple[str, ...] = ()
    malware: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()
    queries: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    hashes: tuple[str, ...] = ()
    registry_keys: tuple[str, ...] = ()
    registry_values: tuple[str, ...] = ()
    applications: tuple[str, ...] = ()
    user_agents: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    mailboxes: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    connections: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


_AROUND_A_COMMAND = re.compile(r"(?: \((?:0x[0-9a-f]+|\d+)\))?(?:, by [^,]+)?(?:, child of [^,]+)?\Z", re.IGNORECASE)
_SID_BEHIND = re.compile(r" \(S-1-[0-9-]+\)\Z", re.IGNORECASE)


def command_line_of(process: str, files: Iterable[str]) -> str:
    """The command line, else the path, in the words for a process: what logs of other products have as well."""
    found = _AROUND_A_COMMAND.search(process)
    command = process[: found.start()] if found else process
    image = next((path for path in files if command.startswith(f"{path}: ")), None)
    return command.removeprefix(f"{image}: ") if image else command or process


def account_name_of(account: str) -> str:
    """The name in the words for an account, without a SID in brackets."""
    return _SID_BEHIND.sub("", account)
