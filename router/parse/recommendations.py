"""What findings say of software, image, rule of a database, scanner and risk, in additional data.

Defender has each update, secret and rule as a recommendation of its own since 2026-07-31, told by its category:
https://learn.microsoft.com/azure/defender-for-cloud/transition-grouped-individual-recommendations
No real message of one was seen, so everything here is read where it stands and required nowhere. Before, vulnerabilities were
grouped, in these forms (https://learn.microsoft.com/rest/api/defenderforcloud/sub-assessments):

| `assessedResourceType` | where it stands |
|---|---|
| ServerVulnerability, ContainerRegistryVulnerability | on top, or under `Data`: `cve`, `patchable`, `imageDigest`, ... |
| AzureContainerRegistryVulnerability and its like | `softwareDetails`, `vulnerabilityDetails`, `artifactDetails` |
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from router.domain.posture import Cves, DatabaseRule, GroupedFacts, Image, Package, Risk
from router.domain.resources import is_guid, parse_resource_id
from router.domain.severity import Severity, severity_named
from router.parse.arm import Posture
from router.parse.cves import MOST_IDS, find_cve
from router.parse.documents import find_document
from router.parse.fields import (
    Fields,
    fields_in,
    find_flag,
    is_true,
    items_in,
    labels_in,
    name_in,
    plain_values,
    text_in,
    texts_in,
)

MOST_WORDS = 50
"""Versions, factors, benchmarks and attack paths that a finding keeps; `extended` has them as they were written."""

MOST_EXTENDED = 2_000
"""Characters of a list of CVEs that `extended` keeps: one of a package may be longer than all else that is said of it."""

_LONG = ("cvesdetails", "scannersdetails")
_REGISTRY = "microsoft.containerregistry/registries"
_SCANNERS = ("scanner", "secretscannername", "toolname", "scannername")


def find_package(additional: Fields) -> Package | None:
    """The software that a recommendation asks to update, in additional data; None where it names none."""
    name = name_in(additional, "softwarename")
    if name is None:
        return None
    scanners = [fields_in(said) for said in fields_in(additional.get("scannersdetails")).values()]
    # Where it is empty there is no fix, whatever a scanner says.
    fixed = additional if isinstance(additional.get("fixedversion"), str) else _first_with("fixedversion", scanners)
    status = additional if text_in(additional, "fixstatus") else _first_with("fixstatus", scanners)
    return Package(
        name=name,
        type=name_in(additional, "packagetype"),
        language=name_in(additional, "language"),
        installed=next(filter(None, map(_versions_in, (additional, *scanners))), ()),
        fixed=name_in(fixed, "fixedversion"),
        fix_status=name_in(status, "fixstatus"),
    )


def find_image(resource: Fields, additional: Fields, scope: str | None) -> Image | None:
    """The container image that a recommendation is about, in what is said of its resource; None where none is named."""
    said = [one for data in (resource, additional) for one in (data, fields_in(data.get("repositorydetails")))]
    return _image_in(said, scope)


def _image_in(said: Sequence[Fields], scope: str | None) -> Image | None:
    """The image that several objects name; its registry may be only in `scope`, what the finding's id hangs on."""

    def find_first(*names: str) -> str | None:
        return next((name for one in said if (name := name_in(one, *names))), None)

    digest, repository = find_first("digest", "imagedigest"), find_first("repositoryname")
    # Some scanners give an id of their own for a digest.
    digest = digest if digest and not is_guid(digest) else None
    if not digest and not repository:
        return None
    above = parse_resource_id(scope)
    return Image(
        digest=digest,
        repository=repository,
        pushed=find_first("lastpushedtoregistryutc"),
        registry=find_first("registryhost") or (above.name if (above.type or "").lower() == _REGISTRY else None),
        tags=next(filter(None, (labels_in(one.get("tags"))[:MOST_WORDS] for one in said)), ()),
    )


def find_rule(resource: Fields, additional: Fields) -> DatabaseRule | None:
    """The rule of a vulnerability assessment that a database breaks; None where no rule is named."""
    id = name_in(additional, "ruleid")
    if id is None:
        return None
    return DatabaseRule(
        id=id,
        category=name_in(additional, "category"),
        impact=name_in(additional, "impact"),
        benchmarks=labels_in(additional.get("benchmarks"), "benchmark", "name")[:MOST_WORDS],
        has_baseline=find_flag(additional.get("hasbaseline")),
        server=name_in(additional, "sqlserverinstance") or name_in(resource, "servername"),
        database=name_in(resource, "databasename") or name_in(additional, "databasename"),
    )


def find_scanner(additional: Fields) -> str | None:
    """The name of what found it, in the order in which Microsoft's portal asks for it."""
    said = additional.get("scannersdetails")
    if isinstance(said, str):
        said = find_document(said)
    names = [name.strip() for name in said if name and not name.isspace()] if isinstance(said, dict) else []
    return names[0] if names else name_in(additional, *_SCANNERS)


def find_risk(value: object) -> Risk | None:
    """How much is at stake; None where nothing is said of it."""
    risk = fields_in(value) or ({} if isinstance(value, str) and value.lstrip()[:1] in ("{", "[") else {"level": value})
    written = text_in(risk, "level")
    level = severity_named(written)
    factors = labels_in(risk.get("riskfactors"), "name")[:MOST_WORDS]
    paths = labels_in(risk.get("attackpathsreferences"), "id", "name")[:MOST_WORDS]
    if written is None and not factors and not paths:
        return None
    return Risk(
        # A risk is Low at least: no other word of severities is a level of risks.
        level=level if level is not Severity.INFORMATIONAL else None,
        written=written,
        factors=factors,
        attack_paths=paths,
        is_contextual=is_true(risk.get("iscontextualrisk")),
    )


def extended_in(value: object) -> Mapping[str, object]:
    """Additional data as a finding keeps it: of a long list of CVEs, only how long it is."""
    values = plain_values(value)
    long = [name for name, held in values.items() if name.lower() in _LONG and len(str(held)) > MOST_EXTENDED]
    return values | {name: f"[left out: {len(str(values[name]))} characters]" for name in long} if long else values


def _first_with(name: str, scanners: list[Fields]) -> Fields:
    return next((said for said in scanners if text_in(said, name)), {})


def _versions_in(said: Fields) -> tuple[str, ...]:
    value = said.get("detectedsoftwareversions")
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    written = (str(value),) if is_number else texts_in(value)
    versions = (version.strip() for text in written for version in text.split(","))
    return tuple(dict.fromkeys(filter(None, versions)))[:MOST_WORDS]


def find_grouped_facts(type: str, posture: Posture, additional: Fields) -> GroupedFacts | None:
    """What a vulnerability says for people, given the scanner's id of it; None where it says nothing of that."""
    data = {**fields_in(additional.get("data")), **additional}
    details, software = (fields_in(data.get(name)) for name in ("vulnerabilitydetails", "softwaredetails"))
    path = _PATH.search(name_in(fields_in(posture.properties.get("resourcedetails")), "id") or "")
    named = {"imagedigest": data.get("imagedigest"), "repositoryname": data.get("repositoryname")}
    # The resource's path is the registry's own word, while `imageDigest` may be an id of the scanner's.
    said = [fields_in(data.get("artifactdetails")), path.groupdict() if path else {}, named]
    facts = GroupedFacts(
        package=_find_grouped_package(software),
        cves=_find_cves(
            (type, name_in(details, "cveid"), *labels_in(items_in(data.get("cve")), "title", "cveid", "id"))
        ),
        image=_image_in(said, posture.scope),
        has_fix=find_flag(data.get("patchable")),
    )
    return facts if facts != GroupedFacts() else None


def _find_grouped_package(software: Fields) -> Package | None:
    name, version = name_in(software, "packagename"), name_in(software, "version")
    if name is None:
        return None
    return Package(
        name=name,
        type=name_in(software, "packagetype"),
        language=name_in(software, "language"),
        installed=(version,) if version else (),
        fixed=name_in(software, "fixedversion"),
        fix_status=name_in(software, "fixstatus"),
        vendor=name_in(software, "vendor"),
    )


def _find_cves(written: Iterable[str | None]) -> Cves | None:
    ids = tuple(dict.fromkeys(filter(None, (find_cve(one.strip()) for one in written if one))))
    return Cves(ids=ids[:MOST_IDS], is_whole=len(ids) <= MOST_IDS) if ids else None


_PATH = re.compile(
    r"(?:\A|/)repositories/(?P<repositoryname>\S{1,512})/images/(?P<digest>sha\d{3}:[0-9a-f]{1,128})?",
    re.ASCII | re.IGNORECASE,
)
