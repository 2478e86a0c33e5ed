"""Kubeconfig files: they are read before kubectl reads them, and refused for what would send credentials astray.

Several files are merged as kubectl merges them: the first file that has a cluster, a user or a context of a name wins it as a
whole. https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/,
https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from router.app.certificates import authorities_for
from router.app.settings import Settings
from router.coverage.fields import find_text
from router.domain.errors import BadFile, BadUsage
from router.domain.patterns import glob_pattern, is_glob
from router.domain.urls import is_example, is_loopback, never_asked, split_url
from router.domain.values import Value, repr_without

_LARGEST = 16 * 1024 * 1024
"""Bytes beyond which a file is no kubeconfig."""

_KNOWN = {
    "cluster": ("server", "tls-server-name", "certificate-authority", "certificate-authority-data", "extensions"),
    "user": (
        *("token", "tokenFile", "username", "password", "exec"),
        *("client-certificate", "client-certificate-data", "client-key", "client-key-data"),
    ),
}
"""The fields that kubectl is given. Any other field is refused or left out."""

_PATHS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")

_REFUSED = {
    "insecure-skip-tls-verify": "{} would send its credentials to whoever answers; give certificate-authority-data instead",
    "proxy-url": "{} is not followed; run this where the API server is reached directly",
    "auth-provider": "{} is gone from kubectl since version 1.26; use an exec plugin, such as kubelogin",
    **dict.fromkeys(
        ("as", "as-uid", "as-groups", "as-user-extra"),
        "its user asks as somebody else, by {}, which is not followed; name another user",
    ),
}


class NamedContext(Value):
    """A context that is asked, and the name of its cluster."""

    name: str
    context: str


class ClusterAccess(Value, kw_only=True):
    """How the API server of one context is asked: what kubectl is told of it and of its user, which may hold secrets.

    Attributes:
        may_ask: whether a program of the kubeconfig may ask the person at the terminal.
    """

    context: str
    server: str
    cluster: Mapping[str, object]
    user: Mapping[str, object]
    may_ask: bool

    __repr__ = repr_without("user")

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


class _KubeconfigEntry(Value):
    """A cluster, a user or a context, and the kubeconfig in which it stands."""

    body: Mapping[str, object]
    file: str

    __repr__ = repr_without("body")

    def beside(self, path: object) -> object:
        """Return a path from the folder of the kubeconfig."""
        return str(Path(self.file).absolute().parent / path) if isinstance(path, str) else path


class Kubeconfig(Value):
    """Several kubeconfig files as one: clusters, users and contexts by their names."""

    parts: Mapping[str, Mapping[str, _KubeconfigEntry]]

    @property
    def contexts(self) -> tuple[str, ...]:
        """The names of the contexts."""
        return tuple(self.parts["context"])

    def access_for(self, context: str, settings: Settings) -> ClusterAccess:
        """Return how one of the contexts is asked; raises BadFile if it must not be asked."""
        entry = self.parts["context"][context]
        where = f"{entry.file}: context {context}"
        told = {part: self._read_part(entry, part, where) for part in _KNOWN}
        reached, asker = told["cluster"], told["user"]
        server = _check_server(reached.get("server"), where)
        if settings.ca_file is not None and not any(name.startswith("certificate-authority") for name in reached):
            reached["certificate-authority"] = authorities_for(settings)
        return ClusterAccess(
            context=context,
            server=server,
            cluster={**reached, "server": server},
            user=asker,
            may_ask="exec" in asker and find_text(asker, "exec", "interactiveMode") != "Never",
        )

    def _read_part(self, context: _KubeconfigEntry, part: str, where: str) -> dict[str, object]:
        """Return the cluster or the user of a context as kubectl is told it."""
        name = context.body.get(part)
        if not isinstance(name, str) or name not in self.parts[part]:
            raise BadFile(f"{where}: its {part} is not there; name one of the {part}s of the kubeconfig")
        entry = self.parts[part][name]
        for refused, why in _REFUSED.items():
            if entry.body.get(refused):
                raise BadFile(f"{where}: {why.format(refused)}")
        found = {known: entry.body[known] for known in _KNOWN[part] if entry.body.get(known) not in (None, "")}
        plugin = found.get("exec")
        if isinstance(plugin, dict) and isinstance(command := plugin.get("command"), str) and "/" in command:
            found["exec"] = {**plugin, "command": entry.beside(command)}
        return {known: entry.beside(value) if known in _PATHS else value for known, value in found.items()}


def _check_server(written: object, where: str) -> str:
    """Return the API server; raises BadFile if TLS does not vouch for it."""
    server = written.strip().rstrip("/") if isinstance(written, str) else ""
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


def open_kubeconfig(file: Path | None, settings: Settings) -> Kubeconfig:
    """Return the kubeconfig at a path, else those of the settings as one; raises BadFile if one cannot be read.

    Of several that KUBECONFIG lists those count that are there, as for kubectl.
    """
    paths = [file] if file is not None else [path for path in settings.kubeconfigs if path.exists()]
    return merge_kubeconfigs([(str(path), _parse(path)) for path in paths])


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


def merge_kubeconfigs(files: Iterable[tuple[str, object]]) -> Kubeconfig:
    """Return several parsed files, each by its name, as one; raises BadFile if one is no kubeconfig."""
    parts: dict[str, dict[str, _KubeconfigEntry]] = {"cluster": {}, "user": {}, "context": {}}
    for file, value in files:
        for part, found in parts.items():
            own = _read_entries(file, value, part)
            found |= {name: entry for name, entry in own.items() if name not in found}
    return Kubeconfig(parts)


def _read_entries(file: str, value: object, part: str) -> dict[str, _KubeconfigEntry]:
    """The clusters, users or contexts of one file; an empty one has none, as kubectl takes it."""
    listed = value.get(f"{part}s") if isinstance(value, Mapping) else () if value is not None else None
    if listed is None:
        return {}
    if not isinstance(listed, list) or not all(isinstance(one, Mapping) for one in listed):
        raise BadFile(f"{file}: is no kubeconfig: it has no list of {part}s")
    found: dict[str, _KubeconfigEntry] = {}
    for entry in listed:
        name, body = entry.get("name"), entry.get(part)
        if not isinstance(name, str) or not name:
            raise BadFile(f"{file}: is no kubeconfig: one of its {part}s has no name")
        if name in found:
            raise BadFile(f"{file}: has two {part}s that are called {name}; name one of them otherwise")
        found[name] = _KubeconfigEntry(body if isinstance(body, Mapping) else {}, file)
    return found


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
    before, separator, after = argument.partition("=")
    name, context = (before.strip(), after.strip()) if separator else ("", argument)
    if separator and not (name and context):
        raise BadUsage(f"--context {argument}: has nothing on one side of =; write NAME=CONTEXT")
    found = [one for one in known if one == context]
    if is_glob(context) and not found:
        if name:
            raise BadUsage(f"--context {argument}: one name for several contexts; name each by itself")
        found = [one for one in known if glob_pattern(context).match(one)]
    if not found:
        more = f" and {len(known) - 10} more" if len(known) > 10 else ""
        there = f"there are {', '.join(known[:10])}{more}"
        nothing = "there is no context at all; name the file with --kubeconfig"
        raise BadUsage(f"--context {argument}: is in no kubeconfig; {there if known else nothing}")
    yield from (NamedContext(name or one, one) for one in found)
