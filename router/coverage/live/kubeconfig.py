"""What kubeconfig files say of a context: which API server, whom it is to trust, and who asks it. Pure.

Several files are merged as kubectl merges them: the first file that has a cluster, a user or a context of a name wins it as a
whole. https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/,
https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from router.coverage.fields import find
from router.coverage.live.credential_plugins import CredentialPlugin, plugin_in
from router.domain.errors import BadFile
from router.domain.urls import is_example, is_loopback, never_asked, split_url

_NOT_FOLLOWED = ("as", "as-uid", "as-groups", "as-user-extra")
"""What makes a user ask as somebody else."""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file that a kubeconfig names.

    Attributes:
        path: its path as it is written.
        named_in: the kubeconfig; a relative path is relative to its folder.
    """

    path: str
    named_in: str


type Pem = bytes | LocalFile
"""Certificates or a key: themselves, or the file that holds them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesUser:
    """Who asks. At most one of token, password and plugin is there; what is secret is left out of the repr.

    Attributes:
        name: what the kubeconfig calls the user.
        token: a bearer token.
        token_file: the file of a bearer token; where it can be read, its token counts.
        login: a name and a password.
        certificate: the user's certificate and those that vouch for it.
        key: the key of that.
        plugin: the program that is asked for a token or a certificate.
    """

    name: str
    token: str | None = field(default=None, repr=False)
    token_file: LocalFile | None = None
    login: tuple[str, str] | None = field(default=None, repr=False)
    certificate: Pem | None = field(default=None, repr=False)
    key: Pem | None = field(default=None, repr=False)
    plugin: CredentialPlugin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterAccess:
    """How the API server of one context is asked.

    Attributes:
        context: the name of the context.
        server: the URL of the API server, which may have a path, without a slash at its end.
        authority: whom to trust; None for whom this machine trusts.
        tls_name: the name in the server's certificate, where it is not that of its host.
        plugin_config: what the kubeconfig has for a credential plugin to know of this cluster.
        user: who asks.
    """

    context: str
    server: str
    authority: Pem | None = None
    tls_name: str | None = None
    plugin_config: object = None
    user: KubernetesUser


@dataclass(frozen=True, slots=True)
class _KubeconfigEntry:
    """A cluster, a user or a context, and the kubeconfig in which it stands."""

    body: Mapping[str, object]
    file: str


@dataclass(frozen=True, slots=True)
class Kubeconfig:
    """Several kubeconfig files as one.

    Attributes:
        files: the files, in the order in which they count.
    """

    files: tuple[str, ...]
    _clusters: Mapping[str, _KubeconfigEntry] = field(repr=False)
    _users: Mapping[str, _KubeconfigEntry] = field(repr=False)
    _contexts: Mapping[str, _KubeconfigEntry] = field(repr=False)

    @property
    def contexts(self) -> tuple[str, ...]:
        """The names of the contexts."""
        return tuple(self._contexts)

    def access_for(self, context: str) -> ClusterAccess:
        """How one of the contexts is asked; raises BadFile where it cannot be, or is not to be."""
        said = self._contexts[context]
        where = f"{said.file}: context {context}"
        cluster = _entry_for(said, "cluster", self._clusters, where)
        user = _entry_for(said, "user", self._users, where)
        return ClusterAccess(
            context=context,
            server=_server_in(cluster, where),
            authority=_pem_in(cluster, "certificate-authority", where),
            tls_name=_text(cluster, "tls-server-name"),
            plugin_config=_plugin_config(cluster, where),
            user=_user_in(user, str(said.body.get("user")), where),
        )


def kubeconfig_of(files: Iterable[tuple[str, object]]) -> Kubeconfig:
    """Several parsed files, each by its name, as one; raises BadFile where one is no kubeconfig."""
    named = list(files)
    return Kubeconfig(
        tuple(name for name, _ in named),
        _merged(named, "clusters", "cluster"),
        _merged(named, "users", "user"),
        _merged(named, "contexts", "context"),
    )


def _merged(files: Sequence[tuple[str, object]], part: str, each: str) -> dict[str, _KubeconfigEntry]:
    found: dict[str, _KubeconfigEntry] = {}
    for file, value in files:
        own: dict[str, _KubeconfigEntry] = {}
        for entry in _listed(file, value, part):
            name, body = entry.get("name"), entry.get(each)
            if not isinstance(name, str) or not name:
                raise BadFile(f"{file}: is no kubeconfig: one of its {part} has no name")
            if name in own:
                raise BadFile(f"{file}: has two {part} that are called {name}; name one of them otherwise")
            own[name] = _KubeconfigEntry(body if isinstance(body, Mapping) else {}, file)
        found |= {name: entry for name, entry in own.items() if name not in found}
    return found


def _listed(file: str, value: object, part: str) -> list[Mapping[str, object]]:
    if value is None:  # an empty file, as kubectl takes it
        return []
    listed = value.get(part) if isinstance(value, Mapping) else ()
    if listed is None:
        return []
    if not isinstance(listed, list) or not all(isinstance(one, Mapping) for one in listed):
        raise BadFile(f"{file}: is no kubeconfig: it has no list of {part}")
    return listed


def _entry_for(
    said: _KubeconfigEntry, part: str, entries: Mapping[str, _KubeconfigEntry], where: str
) -> _KubeconfigEntry:
    name = said.body.get(part)
    if not isinstance(name, str) or name not in entries:
        raise BadFile(f"{where}: its {part} is not there; name one of the {part}s of the kubeconfig")
    return entries[name]


def _server_in(cluster: _KubeconfigEntry, where: str) -> str:
    """The API server. Nobody is asked whom TLS does not vouch for, nor through somebody else."""
    if cluster.body.get("insecure-skip-tls-verify"):
        raise BadFile(
            f"{where}: insecure-skip-tls-verify would send its credentials to whoever answers; "
            "give certificate-authority-data instead"
        )
    if _text(cluster, "proxy-url"):
        raise BadFile(f"{where}: proxy-url is not followed; run this where the API server is reached directly")
    server = (_text(cluster, "server") or "").rstrip("/")
    try:
        url = split_url(server)
    except ValueError as error:
        raise BadFile(f"{where}: its server is no address: it {error}") from None
    host = url.hostname or ""
    if url.scheme != "https" and not is_loopback(host):
        raise BadFile(f"{where}: its server is asked without TLS; write https")
    if url.query or url.fragment:
        raise BadFile(f"{where}: its server has more than a host and a path; take the rest away")
    if is_example(host):
        raise BadFile(f"{where}: {never_asked(host)}")
    return server


def _user_in(user: _KubeconfigEntry, name: str, where: str) -> KubernetesUser:
    for one in _NOT_FOLLOWED:
        if user.body.get(one):
            raise BadFile(
                f"{where}: its user asks as somebody else, by {one}, which is not followed; name another user"
            )
    if user.body.get("auth-provider"):
        raise BadFile(
            f"{where}: auth-provider is gone from kubectl since version 1.26; use an exec plugin, such as kubelogin"
        )
    token, token_file = _text(user, "token"), _file(user, "tokenFile")
    login = (_text(user, "username") or "", _text(user, "password") or "")
    has_login = any(login)
    if has_login and (token or token_file):
        raise BadFile(
            f"{where}: its user has a token and a password; kubectl takes one of them, so take the other away"
        )
    certificate, key = _pem_in(user, "client-certificate", where), _pem_in(user, "client-key", where)
    if (certificate is None) is not (key is None):
        raise BadFile(f"{where}: its user has one of client-certificate and client-key; give both")
    # Who has a token or a password needs none of a plugin, which kubectl then does not run either.
    needs_plugin = not (token or token_file or has_login)
    return KubernetesUser(
        name=name,
        token=token,
        token_file=token_file,
        login=login if has_login else None,
        certificate=certificate,
        key=key,
        plugin=plugin_in(user.body.get("exec"), user.file, where) if needs_plugin else None,
    )


def _pem_in(entry: _KubeconfigEntry, name: str, where: str) -> Pem | None:
    """Certificates or a key: what stands in the kubeconfig goes before a file."""
    written = _text(entry, f"{name}-data")
    if written is None:
        return _file(entry, name)
    try:
        return base64.b64decode("".join(written.split()), validate=True)
    except (binascii.Error, ValueError):  # whose text may quote a key
        raise BadFile(f"{where}: {name}-data is no base64; write it anew") from None


def _file(entry: _KubeconfigEntry, name: str) -> LocalFile | None:
    path = _text(entry, name)
    return LocalFile(path, entry.file) if path is not None else None


def _plugin_config(cluster: _KubeconfigEntry, where: str) -> object:
    """What a plugin may know beside; raises BadFile for what JSON has not, such as a date, as which it is told.

    https://kubernetes.io/docs/reference/config-api/client-authentication.v1/#client-authentication-k8s-io-v1-Cluster
    """
    extensions = cluster.body.get("extensions")
    for one in extensions if isinstance(extensions, list) else ():
        if find(one, "name") == "client.authentication.k8s.io/exec":
            found = find(one, "extension")
            try:
                json.dumps(found)
            except (TypeError, ValueError, RecursionError):
                raise BadFile(f"{where}: what its extension says is no JSON; put dates in quotes") from None
            return found
    return None


def _text(entry: _KubeconfigEntry, name: str) -> str | None:
    value = entry.body.get(name)
    return (value.strip() or None) if isinstance(value, str) else None
