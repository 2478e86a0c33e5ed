"""What vulnerabilities as grouped until July 2026 say of software, CVEs and image, in each of their forms.

| `assessedResourceType` | where it stands |
|---|---|
| ServerVulnerability, ContainerRegistryVulnerability | on top, or under `Data`: `cve`, `patchable`, `imageDigest`, ... |
| AzureContainerRegistryVulnerability and its like | `softwareDetails`, `vulnerabilityDetails`, `artifactDetails` |

https://learn.microsoft.com/rest/api/defenderforcloud/sub-assessments
"""

from __future__ import annotations

import re

from router.domain.posture import Cves, GroupedFacts, Image, Package
from router.domain.resource_names import is_guid
from router.parse.arm import Posture
from router.parse.cves import MOST_IDS
from router.parse.fields import Fields, fields_in, find_flag, items_in, labels_in, name_in
from router.parse.recommendations import MOST_WORDS, find_registry

_CVE = re.compile(r"CVE-\d{4}-\d{4,19}", re.ASCII | re.IGNORECASE)


def find_grouped_facts(type: str, posture: Posture, additional: Fields) -> GroupedFacts | None:
    """What a vulnerability says for people, given the scanner's id of it; None where it says nothing of that."""
    resource = name_in(fields_in(posture.properties.get("resourcedetails")), "id")
    data = {**fields_in(additional.get("data")), **additional}
    details, software = (fields_in(data.get(name)) for name in ("vulnerabilitydetails", "softwaredetails"))
    package = _find_package(software)
    facts = GroupedFacts(
        package=package,
        cves=_find_cves((type, name_in(details, "cveid"), *_cves_in(data.get("cve")))),
        image=_find_image(data, fields_in(data.get("artifactdetails")), resource, posture.scope),
        has_fix=find_flag(data.get("patchable")),
    )
    return facts if facts != GroupedFacts() else None


def _find_package(software: Fields) -> Package | None:
    name = name_in(software, "packagename")
    if name is None:
        return None
    version = name_in(software, "version")
    return Package(
        name=name,
        type=name_in(software, "packagetype"),
        language=name_in(software, "language"),
        installed=(version,) if version else (),
        fixed=name_in(software, "fixedversion"),
        fix_status=name_in(software, "fixstatus"),
        vendor=name_in(software, "vendor"),
    )


def _cves_in(value: object) -> list[str | None]:
    return [
        name_in(fields_in(item), "title", "cveid", "id") or (item if isinstance(item, str) else None)
        for item in items_in(value)
    ]


def _find_cves(written: tuple[str | None, ...]) -> Cves | None:
    found = (_CVE.fullmatch(one.strip()) for one in written if one)
    ids = tuple(dict.fromkeys(one[0].upper() for one in found if one))
    return Cves(ids=ids[:MOST_IDS], is_whole=len(ids) <= MOST_IDS) if ids else None


def _find_image(data: Fields, artifact: Fields, resource: str | None, scope: str | None) -> Image | None:
    """The image; what says neither digest nor repository names none.

    The resource's path is the registry's own word, while `imageDigest` may be an id of the scanner's.
    """
    found = _PATH.search(resource or "")
    path = found.groupdict() if found else {}
    digest = name_in(artifact, "digest") or path.get("digest") or name_in(data, "imagedigest")
    repository = name_in(artifact, "repositoryname") or path.get("repository") or name_in(data, "repositoryname")
    digest = digest if digest and not is_guid(digest) else None
    if not digest and not repository:
        return None
    return Image(
        digest=digest,
        repository=repository,
        pushed=name_in(artifact, "lastpushedtoregistryutc"),
        registry=name_in(artifact, "registryhost") or find_registry(scope),
        tags=labels_in(artifact.get("tags"))[:MOST_WORDS],
    )


_PATH = re.compile(
    r"(?:\A|/)repositories/(?P<repository>\S{1,512})/images/(?P<digest>sha\d{3}:[0-9a-f]{1,128})?",
    re.ASCII | re.IGNORECASE,
)
