"""`Microsoft.Security/securityConnectors`: the AWS accounts and GCP projects that Defender for Cloud is connected to.

A plan is on where the connector has its offering; there is no offering that says that it is off.
https://learn.microsoft.com/rest/api/defenderforcloud/security-connectors
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from router.coverage.documents import Item
from router.coverage.facts import CoverageFact, ResourceFact, Source, source_of
from router.coverage.fields import find, find_list, find_text, whole_objects_at
from router.coverage.verdicts import Workload
from router.domain.coverage import WorkloadKind
from router.domain.resources import parse_resource_id

_KINDS: Mapping[str, WorkloadKind] = {
    "aws": WorkloadKind.AWS_ACCOUNT,
    "awsaccount": WorkloadKind.AWS_ACCOUNT,
    "gcp": WorkloadKind.GCP_PROJECT,
    "gcpproject": WorkloadKind.GCP_PROJECT,
}
"""By the name of the environment or the type of its data, in lower case. Those of code and registries are not judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorFact:
    """What a connector says of the account or project that it connects.

    Attributes:
        subject: the account or the project, as `environment_subject` writes it: a project by its number, and once more by its
            id, by which Google's own documents name it.
        connector: the connector's ARM id in lower case.
        offerings: its offerings, by their types in lower case; None where the document does not say them.
        excluded: the accounts or projects of its organization that it leaves out.
        source: where it stands.
    """

    subject: str
    connector: str
    offerings: Mapping[str, Mapping[str, object]] | None
    excluded: tuple[str, ...] = ()
    source: Source


def environment_subject(kind: WorkloadKind, name: str) -> str:
    """What facts about an account or a project are found under: two clouds may have one number."""
    return f"{kind}/{name.lower()}"


def reads(item: Item) -> bool:
    """Whether it is a connector to another cloud."""
    return item.type == "microsoft.security/securityconnectors" and _kind_of(item) is not None


def facts_in(item: Item) -> Iterator[CoverageFact]:
    """The account or project, and what the connector offers it."""
    kind = _kind_of(item)
    environment = item.find("environmentData")
    number = find_text(item.find("hierarchyIdentifier")) or find_text(environment, "projectDetails", "projectNumber")
    id = (item.id or "").rstrip("/")
    parts = parse_resource_id(id)
    if kind is None or number is None or parts.name is None:
        return
    source = source_of(item)
    yield ResourceFact(
        workload=Workload(
            kind=kind,
            name=find_text(item.body, "name") or number,
            id=number,
            subscription=parts.subscription.lower() if parts.subscription else None,
            subject=number.lower(),
        ),
        source=source,
    )
    names = {number.lower(), (find_text(environment, "projectDetails", "projectId") or number).lower()}
    for name in sorted(names):
        yield ConnectorFact(
            subject=environment_subject(kind, name),
            connector=id.lower(),
            offerings=_offerings(item),
            excluded=_excluded(environment),
            source=source,
        )


def _kind_of(item: Item) -> WorkloadKind | None:
    said = find_text(item.find("environmentName")) or find_text(item.find("environmentData"), "environmentType") or ""
    return _KINDS.get(said.lower())


def _offerings(item: Item) -> Mapping[str, Mapping[str, object]] | None:
    offerings = whole_objects_at(item.find("offerings"))
    if offerings is None:
        return None
    return {name.lower(): one for one in offerings if (name := find_text(one, "offeringType"))}


def _excluded(environment: object) -> tuple[str, ...]:
    organization = find(environment, "organizationalData")
    named = (find_list(organization, name) for name in ("excludedAccountIds", "excludedProjectNumbers"))
    return tuple(str(one) for some in named for one in some or ())
