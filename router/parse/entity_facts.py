"""What entities say in words, and which list of the evidence that belongs to.

Entities: https://learn.microsoft.com/azure/sentinel/entities-reference, and those that Defender sends beyond it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from router.domain.entities import Entity, normalised_type
from router.domain.evidence import says_something
from router.domain.values import Value
from router.parse.fields import time_in

_PARTS = re.compile(r"[\\/]")


class EvidenceItem(Value):
    """What an entity says for one list of the evidence.

    Attributes:
        names: what else a property may call the same thing; each of them stands in the evidence, or is left alone.
    """

    listed: str
    words: str
    names: tuple[str, ...] = ()


def facts_of(entity: Entity) -> list[EvidenceItem]:
    """What an entity says; nothing where no property of it names anything."""
    if entity.type in _OF_OTHERS:
        return []
    facts = list(_FACTS.get(entity.type, _facts_of_unknown)(entity))
    if facts and entity.type in _OF_INTELLIGENCE and (threats := entity.get("threatintelligence")):
        facts += _threats_to(facts[0].words, threats)
    return facts


def _named(
    listed: str, *names: str, shown: int = 1, more: tuple[str, ...] = ()
) -> Callable[[Entity], Iterator[EvidenceItem]]:
    """Return what finds an entity by the first of some properties.

    The next ones stand in brackets behind it, as far as `shown` counts, and so do the properties of `more`.
    """
    has_brackets = shown > 1 or more != ()

    def facts(entity: Entity) -> Iterator[EvidenceItem]:
        if called := _texts(entity, *names):
            words = called[0]
            if has_brackets:
                others = [name for name in called[1:shown] if name != words]
                words = _with_brackets(words, *others, *_texts(entity, *more))
            yield EvidenceItem(listed, words, called)

    return facts


def _text(entity: Entity | None, *names: str) -> str | None:
    """The first of some properties that says something."""
    if entity is not None:
        for name in names:
            if (text := entity.text(name)) and says_something(text):
                return text.strip()
    return None


def _texts(entity: Entity | None, *names: str) -> tuple[str, ...]:
    """What some properties say, in their order, without those that say nothing."""
    if entity is None:
        return ()
    return tuple([text.strip() for name in names if (text := entity.text(name)) and says_something(text)])


def _known(*texts: str | None) -> tuple[str, ...]:
    return tuple([text for text in texts if text])


def _with_brackets(words: str, *more: str | None) -> str:
    """Words with what else is known in brackets behind them."""
    return f"{words} ({', '.join(some)})" if (some := _known(*more)) else words


def _host(host: Entity) -> Iterator[EvidenceItem]:
    name, domain = _text(host, "hostname", "netbiosname", "fqdn"), host.text("dnsdomain")
    if name is not None:
        is_short = domain and not name.lower().endswith(f".{domain.lower()}")
        yield EvidenceItem("hosts", f"{name}.{domain}" if is_short else name, (name,))
    elif resource := _last_part(host.text("azureid")):
        yield EvidenceItem("hosts", resource)


def _cluster(cluster: Entity) -> Iterator[EvidenceItem]:
    resource = cluster.find("cloudresource")
    names = _known(
        *_texts(cluster, "name"), _last_part(_text(resource, "resourceid")), *_texts(resource, "resourcename", "name")
    )
    if names:
        yield EvidenceItem("clusters", names[0], names)


def _account(account: Entity) -> Iterator[EvidenceItem]:
    name = _text(account, "name")
    if name is None:
        name = _text(account, "userprincipalname", "displayname", "aaduserid", "sid", "objectguid", "puid")
    elif "@" not in name and "\\" not in name:
        domain = _text(account, "ntdomain")
        suffix = None if domain else _text(account, "upnsuffix")
        words = f"{domain}\\{name}" if domain else f"{name}@{suffix}" if suffix else name
        yield EvidenceItem("accounts", words, (name,))
        return
    if name:
        yield EvidenceItem("accounts", name)


def _ip(ip: Entity) -> Iterator[EvidenceItem]:
    if address := _text(ip, "address"):
        yield EvidenceItem("ips", address)
        if (place := ip.get("location")) and (location := _location_in(place)):
            yield EvidenceItem("locations", f"{address}: {location}", (location,))


def _location_in(value: object) -> str:
    """A place, with its network in brackets: `Wuhan, Hubei, China (AS4837, China Unicom)`."""
    location = _object_in(value)
    asn = location.get("asn", "")
    number = f"AS{asn}" if asn not in ("", "0") else None
    network = _known(number, location.get("organization") or location.get("carrier"), location.get("cloudprovider"))
    country = location.get("countryname") or location.get("countrycode")
    place = ", ".join(dict.fromkeys(_known(location.get("city"), location.get("state"), country)))
    return _with_brackets(place, *dict.fromkeys(network)) if place else ", ".join(dict.fromkeys(network))


def _object_in(value: object) -> Mapping[str, str]:
    """The scalars of an object that say something, as texts, by their names in lower case."""
    fields = value.items() if isinstance(value, dict) else ()
    texts = {name.lower(): str(field).strip() for name, field in fields if isinstance(field, str | int | float)}
    return {name: text for name, text in texts.items() if says_something(text)}


def _threats_to(whose: str, value: object) -> Iterator[EvidenceItem]:
    """What threat intelligence says of an entity of that name."""
    for item in value if isinstance(value, list) else [value]:
        threat = _object_in(item)
        what = " ".join(_known(threat.get("threattype"), threat.get("threatname")))
        confidence = f"confidence {threat['confidence']}" if "confidence" in threat else None
        description, report = threat.get("threatdescription"), threat.get("reportlink")
        if what or description or report:
            words = _with_brackets(what or "threat", threat.get("providername"), confidence)
            parts = (f"{whose}: {words}", description.rstrip(".") if description else None, report)
            yield EvidenceItem("threats", ". ".join(_known(*parts)), _known(what, report))


def _dns(dns: Entity) -> Iterator[EvidenceItem]:
    if name := _text(dns, "domainname"):
        addresses = [one for field in ("ipadresses", "ipaddresses", "ipaddress") for one in _addresses_in(dns, field)]
        yield EvidenceItem("domains", _with_brackets(name, *dict.fromkeys(addresses)), (name,))


def _addresses_in(entity: Entity, name: str) -> Iterator[str]:
    """The addresses in a property, which are entities, references to some, or texts."""
    yield from (address for ip in entity.find_all(name) if (address := _text(ip, "address")))
    value = entity.get(name)
    yield from (item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str) and item)


def _process(process: Entity) -> Iterator[EvidenceItem]:
    """A process by what ran, with its number, who ran it, and what started it: `x -t 4 (0x1e), by ada, child of bash`."""
    image = process.find("imagefile")
    path = path_of(image) if image else None
    command, pid = _text(process, "commandline"), _text(process, "processid")
    # A command line stands behind the path of its image, unless it names that itself.
    is_beside = path and command and path.casefold() not in command.casefold()
    number, ran = f"({pid})" if pid else None, f"{path}: {command}" if is_beside else command or path
    itself = _with_brackets(ran, pid) if ran else f"process {pid}" if pid else None
    if path:
        yield EvidenceItem("files", path, _texts(image, "name"))
    if itself:
        words = ", ".join(_known(itself, _account_words(process), _parent_words(process)))
        yield EvidenceItem("processes", words, _known(command, path, pid, _text(image, "name"), itself, number))


def _account_words(process: Entity) -> str | None:
    account = process.find("account")
    who = next(_account(account), None) if account else None
    return f"by {who.words}" if who else None


def _parent_words(process: Entity) -> str | None:
    parent = process.find("parentprocess")
    image = parent.find("imagefile") if parent and parent != process else None
    name = _PARTS.split(path_of(image) or "")[-1] if image else None
    return f"child of {name}" if name else None


def path_of(file: Entity) -> str | None:
    """The path of a file, as far as it is known, with the slashes of its system."""
    name, directory = _text(file, "name"), _text(file, "directory")
    if name is None or directory is None:
        return name or directory
    slash = "/" if "/" in directory else "\\"
    return f"{directory.removesuffix(slash)}{slash}{name}"


def _file(file: Entity) -> Iterator[EvidenceItem]:
    if path := path_of(file):
        yield EvidenceItem("files", path, _texts(file, "name"))


def _hash(hash: Entity) -> Iterator[EvidenceItem]:
    value, algorithm = _text(hash, "value", "sha256"), _text(hash, "algorithm")
    if value:
        yield EvidenceItem("hashes", f"{algorithm.upper()}:{value}" if algorithm else value, (value,))


def _blob(blob: Entity) -> Iterator[EvidenceItem]:
    container = blob.find("blobcontainer")
    name, url = _text(blob, "name"), _text(blob, "url")
    inside = "/".join(_known(_text(container, "name"), name)) if name else None
    if words := url or inside:
        yield EvidenceItem("blobs", words, _known(name, inside))


def _registry_key(key: Entity) -> Iterator[EvidenceItem]:
    if words := "\\".join(_texts(key, "hive", "key")):
        yield EvidenceItem("registry_keys", words, _texts(key, "key"))


def _registry_value(value: Entity) -> Iterator[EvidenceItem]:
    name, data = _text(value, "name"), _text(value, "value")
    if name or data:
        words = "\\".join((*_texts(value.find("key"), "hive", "key"), name or "(default)"))
        yield EvidenceItem("registry_values", f"{words} = {data}" if data else words, _known(name, data))


def _connection(connection: Entity) -> Iterator[EvidenceItem]:
    source, destination = (_endpoint(connection, side) for side in ("source", "destination"))
    name = _texts(connection, "friendlyname")
    ends = f"{source or '?'} -> {destination}" if destination else source
    if words := " ".join(_known(ends, _text(connection, "protocol"))) if ends else next(iter(name), None):
        yield EvidenceItem("connections", words, name)


def _endpoint(connection: Entity, side: str) -> str | None:
    """One end of a connection: its address, in brackets where it has colons of its own, and its port, as far as known."""
    address = next(_addresses_in(connection, f"{side}address"), None)
    port = _text(connection, f"{side}port")
    if port is None:
        return address
    if address is None:
        return f"port {port}"
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _session(session: Entity) -> Iterator[EvidenceItem]:
    id = _text(session, "sessionid")
    if id is None:
        return
    account, host = session.find("account"), session.find("host")
    whose = [fact.words for fact in (*(_account(account) if account else ()), *(_host(host) if host else ()))]
    start, end = _find_time(session, "starttimeutc", "starttime"), _find_time(session, "endtimeutc", "endtime")
    lasted = f"from {start}" + (f" to {end}" if end and end != start else "") if start else None
    more = (" on ".join(whose) or None, *_texts(session, "application", "browser", "useragent"), lasted)
    yield EvidenceItem("sessions", _with_brackets(id, *more), (id,))


def _find_time(entity: Entity, *names: str) -> str | None:
    """The first of some properties that says something, to the second where it is a time: `2026-11-17 01:58:40 UTC`."""
    text = _text(entity, *names)
    time = time_in({"time": text}, "time") if text else None
    return f"{time:%Y-%m-%d %H:%M:%S} UTC" if time else text


def _cloud_resource(resource: Entity) -> Iterator[EvidenceItem]:
    """A resource of another cloud than Azure."""
    id = _text(resource, "amazonresourceid", "arn", "fullresourcename")
    name = _text(resource, "resourcename", "name")
    if words := id or name:
        shown = None if words == name else name
        # Where it is, is a text here.
        more = _texts(resource, "projectid", "amazonaccountid", "location")
        yield EvidenceItem("resources", _with_brackets(words, shown, *more), _known(id, name))


def _mail(mail: Entity) -> Iterator[EvidenceItem]:
    """A mail, or one that was reported."""
    sender = _text(mail, "p2sender", "sender", "p1sender")
    subject, id = _text(mail, "subject"), _text(mail, "networkmessageid", "internetmessageid")
    way = " -> ".join(_known(sender, _text(mail, "recipient")))
    reporter = _text(mail, "submitter")
    more = _known(f"reported by {reporter}" if reporter else None, *_texts(mail, "reporttype", "deliveryaction"))
    if words := ": ".join(_known(way, subject)) or id:
        yield EvidenceItem("emails", _with_brackets(words, *more), _known(subject, id))
    if address := _text(mail, "senderip"):
        yield EvidenceItem("ips", address)
    for listed in ("urls", "threats"):
        several = mail.get(listed)
        texts = several if isinstance(several, list) else ()
        yield from (EvidenceItem(listed, text) for text in texts if isinstance(text, str) and text)


def _mail_cluster(cluster: Entity) -> Iterator[EvidenceItem]:
    names = _texts(cluster, "query", "clustersourceidentifier", "clustergroup")
    count = _text(cluster, "mailcount")
    if names:
        words = _with_brackets(names[0], f"{count} mails" if count else None, *_texts(cluster, "threats"))
        yield EvidenceItem("emails", words, names)


_NAMES = (
    "name", "displayname", "resourcename", "friendlyname", "fullname", "address", "url", "resourceid", "value", "id",
)  # fmt: skip
"""Properties by which entities of unknown types may be called."""


def _facts_of_unknown(entity: Entity) -> Iterator[EvidenceItem]:
    kind = entity.type.removeprefix("kubernetes").removeprefix("k8s")
    if (names := _texts(entity, *_NAMES)) and kind != entity.type:
        yield EvidenceItem(_OF_CLUSTERS.get(kind, "kubernetes_objects"), names[0], names)
    elif names:
        yield EvidenceItem("others", f"{entity.type}: {names[0]}", names)


def _last_part(resource: str | None) -> str | None:
    return resource.rstrip("/").rpartition("/")[2] or None if resource else None


_OF_CLUSTERS: Mapping[str, str] = {
    **dict.fromkeys(("service", "ingress"), "services"),
    **dict.fromkeys(("role", "rolebinding", "clusterrole", "clusterrolebinding"), "roles"),
    **dict.fromkeys(
        ("controller", "cronjob", "daemonset", "deployment", "job", "replicaset", "statefulset"), "workloads"
    ),
    "serviceaccount": "service_accounts",
    "secret": "secrets",
}
"""The lists of what stands in a Kubernetes cluster, by the type without `K8s-` before it."""

_OF_INTELLIGENCE = frozenset({"ip", "dns", "url", "filehash", "malware"})
"""Types that threat intelligence knows of."""

_OF_OTHERS = frozenset({"alert", "securityalert", "geolocation", "threatintelligence"})
"""Types that say nothing by themselves: alerts of an incident stand in the notice, the others at what they are about."""

_APPLICATION_NAMES = ("name", "displayname", "instancename", "appid", "oauthappid", "oauthobjectid")
_OF_DEVICES = ("devicetype", "manufacturer", "model", "operatingsystem", "macaddress")
_FACTS: Mapping[str, Callable[[Entity], Iterator[EvidenceItem]]] = {
    normalised_type(type): facts
    for type, facts in {
        "host": _host,
        "K8s-node": _named("nodes", "name"),
        "K8s-pod": _named("pods", "name"),
        "K8s-namespace": _named("namespaces", "name"),
        "K8s-cluster": _cluster,
        "container": _named("containers", "name", "containerid"),
        "container-image": _named("images", "imageid", "name", "digest"),
        "container-registry": _named("resources", "loginserver", "registry", "name"),
        "account": _account,
        "service-principal": _named("accounts", "serviceprincipalname", "name", "serviceprincipalobjectid", "appid"),
        "ip": _ip,
        "dns": _dns,
        "active-directory-domain": _named("domains", "activedirectorydomainname", "name"),
        "url": _named("urls", "url"),
        "malware": _named("malware", "name", more=("category",)),
        "process": _process,
        "file": _file,
        "filehash": _hash,
        "blob": _blob,
        **dict.fromkeys(("blob-container", "file-share"), _named("storage_containers", "url", "name")),
        "registry-key": _registry_key,
        "registry-value": _registry_value,
        **dict.fromkeys(
            ("cloud-application", "oauth-application"), _named("applications", *_APPLICATION_NAMES, shown=3)
        ),
        "security-group": _named("security_groups", "distinguishedname", "displayname", "name", "sid", "objectguid"),
        "mailbox": _named("mailboxes", "mailboxprimaryaddress", "upn", "displayname", shown=3),
        **dict.fromkeys(("mail-message", "SubmissionMail"), _mail),
        "mail-cluster": _mail_cluster,
        "iotdevice": _named("devices", "devicename", "deviceid", shown=2, more=_OF_DEVICES),
        "network-connection": _connection,
        **dict.fromkeys(("host-logon-session", "cloud-logon-session"), _session),
        "azure-resource": _named("resources", "resourceid"),
        **dict.fromkeys(("amazon-resource", "gcp-resource", "google-cloud-resource"), _cloud_resource),
    }.items()
}
"""What finds the facts of each type of entity."""
