"""Credential plugins, such as kubelogin, `aws eks get-token` and gke-gcloud-auth-plugin: what they are asked and answer. Pure.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins,
https://kubernetes.io/docs/reference/config-api/client-authentication.v1/
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from router.coverage.fields import find, find_text
from router.domain.errors import BadFile

_GROUP = "client.authentication.k8s.io"
_VERSIONS = (f"{_GROUP}/v1", f"{_GROUP}/v1beta1")

INFO = "KUBERNETES_EXEC_INFO"
"""The variable in which a plugin is told what it is asked for."""


class InteractiveMode(StrEnum):
    """Whether a plugin may ask the person at the terminal."""

    NEVER = "Never"
    IF_AVAILABLE = "IfAvailable"
    ALWAYS = "Always"


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialPlugin:
    """A program that gives out credentials. Its arguments and variables may hold secrets, and are left out of the repr.

    Attributes:
        version: the version of the API that it speaks.
        command: the program; one with a folder in its name is relative to the folder of its kubeconfig.
        arguments: its arguments.
        variables: the variables that it is given beside those of the environment.
        install_hint: what its kubeconfig says to do where it is not installed.
        wants_cluster: whether it is told of the cluster.
        mode: whether it may ask the person at the terminal.
        named_in: the kubeconfig.
    """

    version: str
    command: str
    arguments: tuple[str, ...] = field(default=(), repr=False)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    install_hint: str | None = None
    wants_cluster: bool = False
    mode: InteractiveMode = InteractiveMode.IF_AVAILABLE
    named_in: str


@dataclass(frozen=True, slots=True)
class Credential:
    """What a plugin gave out; left out of the repr.

    Attributes:
        token: a bearer token.
        certificate: a client certificate and its key, both PEM.
    """

    token: str | None = field(default=None, repr=False)
    certificate: tuple[bytes, bytes] | None = field(default=None, repr=False)


def plugin_in(said: object, file: str, where: str) -> CredentialPlugin | None:
    """The plugin that a user of a kubeconfig has; None for none. Raises BadFile where it cannot be run."""
    if said is None:
        return None
    version, command = find_text(said, "apiVersion"), find_text(said, "command")
    if version not in _VERSIONS:
        raise BadFile(
            f"{where}: its exec plugin speaks no apiVersion that is known; use one of {' and '.join(_VERSIONS)}"
        )
    if command is None:
        raise BadFile(f"{where}: its exec plugin has no command")
    written = find_text(said, "interactiveMode")
    if written is None and version == _VERSIONS[0]:
        raise BadFile(f"{where}: its exec plugin has no interactiveMode, which {version} asks for; write IfAvailable")
    if written is not None and written not in set(InteractiveMode):
        raise BadFile(f"{where}: its exec plugin has an unknown interactiveMode; one of {', '.join(InteractiveMode)}")
    return CredentialPlugin(
        version=version,
        command=command,
        arguments=_arguments(find(said, "args"), where),
        variables=_variables(find(said, "env"), where),
        install_hint=find_text(said, "installHint"),
        wants_cluster=find(said, "provideClusterInfo") is True,
        mode=InteractiveMode(written or InteractiveMode.IF_AVAILABLE),
        named_in=file,
    )


def _arguments(said: object, where: str) -> tuple[str, ...]:
    listed = said if isinstance(said, list) else [] if said is None else [None]
    if not all(isinstance(one, str) and "\0" not in one for one in listed):
        raise BadFile(f"{where}: its exec plugin has args that are no list of texts; put each in quotes")
    return tuple(listed)


def _variables(said: object, where: str) -> dict[str, str]:
    listed = said if isinstance(said, list) else [] if said is None else [None]
    found: dict[str, str] = {}
    for one in listed:
        name, value = find(one, "name"), find(one, "value")
        if (
            not isinstance(name, str)
            or not isinstance(value, str)
            or not name
            or set(name + value) & {"\0"}
            or "=" in name
        ):
            raise BadFile(f"{where}: its exec plugin has an env that is no list of names and values, each a text")
        found[name] = value
    return found


def info_for(plugin: CredentialPlugin, cluster: Mapping[str, object], *, is_interactive: bool) -> str:
    """What a plugin is told, as JSON, for the variable `INFO`."""
    spec: dict[str, object] = {"interactive": is_interactive}
    if plugin.wants_cluster:
        spec["cluster"] = cluster
    return json.dumps({"apiVersion": plugin.version, "kind": "ExecCredential", "spec": spec})


def cluster_info(server: str, tls_name: str | None, authority: bytes | None, config: object) -> dict[str, object]:
    """What a plugin may be told of its cluster."""
    info: dict[str, object] = {"server": server}
    if tls_name is not None:
        info["tls-server-name"] = tls_name
    if authority is not None:
        info["certificate-authority-data"] = base64.b64encode(authority).decode()
    if config is not None:
        info["config"] = config
    return info


def find_credential(printed: bytes, version: str) -> Credential | None:
    """What a plugin printed; None where it is no credential in the version that was asked for."""
    try:
        value = json.loads(printed)
    except (ValueError, RecursionError):
        return None
    if find(value, "kind") != "ExecCredential" or find(value, "apiVersion") != version:
        return None
    token = find(value, "status", "token")
    token = token if isinstance(token, str) and token.isascii() and token.isprintable() and " " not in token else None
    certificate, key = find(value, "status", "clientCertificateData"), find(value, "status", "clientKeyData")
    has_both = isinstance(certificate, str) and isinstance(key, str) and bool(certificate and key)
    if not token and not has_both:
        return None
    return Credential(token or None, (str(certificate).encode(), str(key).encode()) if has_both else None)
