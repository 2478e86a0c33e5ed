"""Kubeconfig files: they are read before kubectl reads them, and refused for what would send credentials astray.

Several files are merged as kubectl merges them: the first file that has a cluster, a user or a context of a name wins it as a
whole. https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/,
https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from router.app.certificates import authorities_for
from router.app.settings import Settings
from router.coverage.fields import find_text
from router.domain.errors import BadFile, BadUsage
from router.domain.patterns import glob_pattern, is_glob
from router.domain.urls import is_example, is_loopback, never_asked, split_url

_LARGEST = 16 * 1024 * 1024
"""Bytes beyond which a file is no kubeconfig."""

_SHOWN = 10
"""How many contexts an error names of those that there are."""

_OF_CLUSTERS = ("server", "tls-server-name", "certificate-authority", "certificate-authority-data", "extensions")
_OF_USERS = (
    "token", "tokenFile", "username", "password", "exec",
    "client-certificate", "client-certificate-data", "client-key", "client-key-data",
)  # fmt: skip
"""The fields that kubectl is given. Any other field is refused or left out."""

_PATHS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")

_OTHER_USERS = ("as", "as-uid", "as-groups", "as-user-extra")
"""The fields by which a user asks as another one."""


@dataclass(frozen=True, slots=True)
class NamedContext:
    """A context that is asked, and the name of its cluster."""

    name: str
    context: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterAccess:
    """How the API server of one context is asked: what kubectl is told of it and of its user, which may hold secrets.

    Attributes:
        may_ask: whether a program of the kubeconfig may ask the person at the terminal.
    """

    context: str
    server: str
    cluster: Mapping[str, object]
    user: Mapping[str, object] = field(repr=False)
    may_ask: bool

    def through(self, proxy: str | None) -> Mapping[str, object]:
        """Return a kubeconfig of this context alone, which asks through a proxy, or directly."""
        name, reached = self.context, {**self.cluster, **({} if proxy is None else {"proxy-url": proxy})}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": reached}],
            "users": [{"name": name, "user": dict(self.user)}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        }


@dataclass(frozen=True, slots=True)
class _KubeconfigEntry:
    """A cluster, a user or a context, and the kubeconfig in which it stands."""

    body: Mapping[str, object]
    file: str

    def text(self, name: str) -> str:
        """Return a field without blanks around it; empty if it is no text."""
        value = self.body.get(name)
        return value.strip() if isinstance(value, str) else ""

    def known(self, names: Iterable[str]) -> dict[str, object]:
        """Return some fields; a path in one is relative to the folder of its kubeconfig."""
        found = {name: self.body[name] for name in names if self.body.get(name) not in (None, "")}
        return {name: self._beside(value) if name in _PATHS else value for name, value in found.items()}

    def _beside(self, path: object) -> object:
        return str(Path(self.file).absolute().parent / path) if isinstance(path, str) else path


@dataclass(frozen=True, slots=True)
class Kubeconfig:
    """Several kubeconfig files as one."""

    files: tuple[str, ...]
    _clusters: Mapping[str, _KubeconfigEntry] = field(repr=False)
    _users: Mapping[str, _KubeconfigEntry] = field(repr=False)
    _contexts: Mapping[str, _KubeconfigEntry] = field(repr=False)

    @property
    def contexts(self) -> tuple[str, ...]:
        """The names of the contexts."""
        return tuple(self._contexts)

    def access_for(self, context: str, settings: Settings) -> ClusterAccess:
        """Return how one of the contexts is asked; raises BadFile if it must not be asked."""
        entry = self._contexts[context]
        where = f"{entry.file}: context {context}"
        cluster = _entry_for(entry, "cluster", self._clusters, where)
        user = _entry_for(entry, "user", self._users, where)
        server = _server_in(cluster, where)
        _refuse_user(user, where)
        reached, asker = cluster.known(_OF_CLUSTERS), user.known(_OF_USERS)
        if settings.ca_file is not None and not any(name.startswith("certificate-authority") for name in reached):
            reached["certificate-authority"] = authorities_for(settings)
        plugin = asker.get("exec")
        if isinstance(plugin, dict) and isinstance(command := plugin.get("command"), str) and "/" in command:
            asker["exec"] = {**plugin, "command": str(Path(user.file).absolute().parent / command)}
        return ClusterAccess(
            context=context,
            server=server,
            cluster={**reached, "server": server},
            user=asker,
            may_ask=plugin is not None and find_text(plugin, "interactiveMode") != "Never",
        )


def open_kubeconfig(file: Path | None, settings: Settings) -> Kubeconfig:
    """Return the kubeconfig at a path, else those of the settings as one; raises BadFile if one cannot be read.

    Of several that KUBECONFIG lists those count that are there, as for kubectl.
    """
    paths = [file] if file is not None else [path for path in settings.kubeconfigs if path.exists()]
    return merge_kubeconfigs([(str(path), _parse(path)) for path in paths])


def merge_kubeconfigs(files: Iterable[tuple[str, object]]) -> Kubeconfig:
    """Return several parsed files, each by its name, as one; raises BadFile if one is no kubeconfig."""
    named = list(files)
    return Kubeconfig(
        tuple(name for name, _ in named),
        _merged(named, "clusters", "cluster"),
        _merged(named, "users", "user"),
        _merged(named, "contexts", "context"),
    )


def contexts_for(arguments: Iterable[str], known: Sequence[str]) -> tuple[NamedContext, ...]:
    """Return the contexts that arguments name, `[NAME=]CONTEXT`, each once; raises BadUsage if one is missing or ambiguous.

    Two contexts under one name would be judged as one cluster: sensors of this one, and nodes of that one.
    """
    found = tuple(dict.fromkeys(one for argument in arguments for one in _contexts_for(argument, known)))
    by_name: dict[str, NamedContext] = {}
    for one in found:
        other = by_name.setdefault(one.name.lower(), one)
        if other.context != one.context:
            raise BadUsage(
                f"--context {one.name}: two contexts count as it, {other.context} and {one.context}; "
                "leave one out, or write NAME=CONTEXT"
            )
    return found


def _contexts_for(argument: str, known: Sequence[str]) -> Iterator[NamedContext]:
    if argument in known:  # a context may be called anything
        yield NamedContext(argument, argument)
        return
    name, separator, context = (part.strip() for part in argument.partition("="))
    if not separator:
        name, context = "", argument
    elif not name or not context:
        raise BadUsage(f"--context {argument}: has nothing on one side of =; write NAME=CONTEXT")
    found = [one for one in known if one == context]
    if is_glob(context) and not found:
        if name:
            raise BadUsage(f"--context {argument}: one name for several contexts; name each by itself")
        found = [one for one in known if glob_pattern(context).match(one)]
    if not found:
        more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
        there = f"there are {', '.join(known[:_SHOWN])}{more}"
        nothing = "there is no context at all; name the file with --kubeconfig"
        raise BadUsage(f"--context {argument}: is in no kubeconfig; {there if known else nothing}")
    yield from (NamedContext(name or one, one) for one in found)


def _parse(path: Path) -> object:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise BadFile(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:  # a zero byte in its name
        raise BadFile(f"{str(path)!r}: is no name of a file") from error
    if len(data) > _LARGEST:
        raise BadFile(f"{path}: is larger than 16 MB, so no kubeconfig")
    try:
        # Aliases are not counted here: who writes this file is who runs this program.
        return yaml.safe_load(data)
    except (yaml.YAMLError, ValueError, RecursionError):  # whose text may quote a token
        raise BadFile(f"{path}: is no YAML, so no kubeconfig") from None


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
    context: _KubeconfigEntry, part: str, entries: Mapping[str, _KubeconfigEntry], where: str
) -> _KubeconfigEntry:
    name = context.body.get(part)
    if not isinstance(name, str) or name not in entries:
        raise BadFile(f"{where}: its {part} is not there; name one of the {part}s of the kubeconfig")
    return entries[name]


def _server_in(cluster: _KubeconfigEntry, where: str) -> str:
    """Return the API server; raises BadFile if TLS does not vouch for it, or another host stands between."""
    if cluster.body.get("insecure-skip-tls-verify"):
        raise BadFile(
            f"{where}: insecure-skip-tls-verify would send its credentials to whoever answers; "
            "give certificate-authority-data instead"
        )
    if cluster.body.get("proxy-url"):
        raise BadFile(f"{where}: proxy-url is not followed; run this where the API server is reached directly")
    server = cluster.text("server").rstrip("/")
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


def _refuse_user(user: _KubeconfigEntry, where: str) -> None:
    for one in _OTHER_USERS:
        if user.body.get(one):
            raise BadFile(
                f"{where}: its user asks as somebody else, by {one}, which is not followed; name another user"
            )
    if user.body.get("auth-provider"):
        raise BadFile(
            f"{where}: auth-provider is gone from kubectl since version 1.26; use an exec plugin, such as kubelogin"
        )
