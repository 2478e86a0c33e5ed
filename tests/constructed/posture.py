"""Posture messages of 2026, put together from Microsoft's documentation, specification and queries of real users.

None of them was seen as it stands here: no real message of an individual recommendation or of a risk was found.
"""

from collections.abc import Sequence
from typing import Any

import orjson

type Message = dict[str, Any]

SUBSCRIPTION = "/subscriptions/22222222-3333-4444-5555-666666666666"
MACHINE = f"{SUBSCRIPTION}/resourceGroups/rg-shop/providers/Microsoft.Compute/virtualMachines/shop-01"
DATABASE = f"{SUBSCRIPTION}/resourceGroups/rg-shop/providers/Microsoft.Sql/servers/shop/databases/orders"
REGISTRY = f"{SUBSCRIPTION}/resourceGroups/rg-shop/providers/Microsoft.ContainerRegistry/registries/shop"
UPDATE_KEY = "bbbb2222-0000-4000-8000-000000000002"
SECRET_KEY = "bbbb2222-0000-4000-8000-000000000003"
RULE_KEY = "eadae6a8-e9f4-4173-8c12-6f64703f9d01"
DIGEST = "sha256:" + "ab" * 32


def a_cve(id: str, **changes: object) -> Message:
    """An element of `CvesDetails`."""
    return {
        "CveId": id,
        "Description": "A crafted request stops it, as CVE-1999-0001 did.",
        "Cvss": [{"Key": "3.0", "Value": {"Base": 9.8, "CvssVectorString": "CVSS:3.0/AV:N"}}],
        "Severity": "Critical",
        "FixStatus": "FixAvailable",
        "FixedVersion": "4.17.21",
    } | changes


def cves_of(*ids: str) -> str:
    """`CvesDetails` as it comes: a list that is a text."""
    return orjson.dumps([a_cve(id) for id in ids]).decode()


def a_recommendation(
    category: str | None,
    *,
    key: str = UPDATE_KEY,
    scope: str = MACHINE,
    code: str = "Unhealthy",
    action: str = "Insert",
    snapshot: bool = False,
    metadata: Message | None = None,
    **changes: object,
) -> Message:
    """An individual recommendation of a category; changes are to its properties."""
    enrichment = {"action": action, "apiVersion": "2019-01-01", "isSnapshot": snapshot}
    return {
        "id": f"{scope}/providers/Microsoft.Security/assessments/{key}",
        "name": key,
        "type": "Microsoft.Security/assessments",
        "properties": {
            "displayName": "Update lodash",
            "status": {
                "code": code,
                "firstEvaluationDate": "2026-11-01T00:00:00Z",
                "statusChangeDate": "2026-11-09T17:20:31Z",
            },
            "resourceDetails": {
                "Source": "Azure",
                "Id": scope,
                "ResourceType": "microsoft.compute/virtualmachines",
                "ResourceName": "shop-01",
                "NativeResourceId": scope,
                "ConnectorId": None,
            },
            "metadata": {
                "recommendationCategory": category,
                "severity": "High",
                "assessmentType": "DynamicBuiltIn",
                "description": "An older version has vulnerabilities.",
                "remediationDescription": "Update it.",
            }
            | (metadata or {}),
        }
        | changes,
        "assessmentEventDataEnrichment": enrichment,
        "securityEventDataEnrichment": enrichment,
    }


def a_software_update(cves: Sequence[str] = ("CVE-2026-1001", "CVE-2026-1002"), **changes: Any) -> Message:
    """A package to update on a machine; `additional` changes its additional data, other changes go to its properties."""
    additional = changes.pop("additional", {})
    data = {
        "SoftwareName": "lodash",
        "PackageType": "npm",
        "Language": "JavaScript",
        "MaxCvssScore": "8.7",
        "DetectedSoftwareVersions": "4.17.15",
        "FixedVersion": "4.17.21",
        "FixStatus": "FixAvailable",
        "CvesDetails": cves_of(*cves),
        "ScannersDetails": {
            "mdvm": {
                "DetectedSoftwareVersions": ["4.17.15"],
                "FixedVersion": "4.17.21",
                "FixStatus": "FixAvailable",
                "category": "SoftwareUpdate",
                "CvesIds": list(cves),
            }
        },
    }
    return a_recommendation("SoftwareUpdate", additionalData=data | additional, **changes)


def an_image_update(**changes: Any) -> Message:
    """A package to update in a container image, with its risk."""
    resource = {
        "Digest": DIGEST,
        "RepositoryDetails": {"RepositoryName": "shop/web", "LastPushedToRegistryUTC": "2026-11-01"},
    }
    details = {
        "Source": "Azure",
        "Id": f"/repositories/shop/web/images/{DIGEST}",
        "ResourceType": "microsoft.containerregistry/registries/repositories/images.containerimage",
    }
    said = {"scope": REGISTRY, "resourceDetails": details, "resourceAdditionalData": resource, "risk": a_risk()}
    return a_software_update(**said | changes)


def a_risk(**changes: object) -> Message:
    """The specification's own example of a risk."""
    return {
        "level": "Critical",
        "riskFactors": ["Exposure to the Internet", "Sensitive Data", "Critical Resource"],
        "attackPathsReferences": ["a37b2ab5-0000-4000-8000-000000000001"],
        "isContextualRisk": True,
        "paths": [{"id": "p", "nodes": [{"id": "n", "nodePropertiesLabel": []}], "edges": []}],
    } | changes


def a_broken_rule(**changes: Any) -> Message:
    """A rule that a database breaks: its key is that of the rule, its resource the database."""
    additional = {
        "ruleId": "VA1059",
        "severity": "High",
        "category": "Surface area reduction",
        "impact": "It can be used to run commands.",
        "benchmarks": [{"benchmark": "FedRAMP", "reference": "AC-6"}, {"benchmark": "CIS", "reference": "2.15"}],
        "hasBaseline": False,
        "Scanner": "SQL Vulnerability Assessment",
        "sqlServerInstance": "shop",
    }
    data = additional | changes.pop("additional", {})
    title = "VA1059 - xp_cmdshell should be disabled"
    return a_recommendation(
        "SqlVulnerabilities",
        **{"key": RULE_KEY, "scope": DATABASE, "displayName": title, "additionalData": data} | changes,
    )


def an_exposed_secret(**changes: Any) -> Message:
    """A secret in plain text on a machine."""
    data = {"SecretScannerName": "MDC secret scanner", "FilePath": "/etc/shop.conf"}
    return a_recommendation(
        "ExposedSecrets", **{"key": SECRET_KEY, "displayName": "Remove a secret", "additionalData": data} | changes
    )


def an_exposure_path(**changes: object) -> Message:
    """An attack path of Exposure Management, of which all is named and nothing has an id; changes are to its properties."""
    return {
        "id": f"{SUBSCRIPTION}/providers/Microsoft.Security/attackPaths/ffff",
        "name": "ffff",
        "type": "microsoft.security/attackpaths",
        "properties": {
            "displayName": "Internet exposed VM with high severity vulnerabilities",
            "attackPathType": "InternetExposed",
            "riskLevel": "High",
            "riskFactors": [{"name": "Internet exposure"}, {"name": "Weak authorization"}],
            "entryPoint": {"name": "vm-entry", "type": "microsoft.compute/virtualmachines"},
            "target": {"name": "kv-target", "type": "microsoft.keyvault/vaults"},
            "mITRETacticsAndTechniques": ["InitialAccess", "CredentialAccess"],
            "attackStory": "An internet exposed machine lets an attacker reach a key vault.",
        }
        | changes,
    }


def a_compliance_category(**changes: object) -> Message:
    """A row of compliance that is about a whole category; changes are to its properties."""
    path = "regulatoryComplianceStandards/PCI/regulatoryComplianceControls/6.2/regulatoryComplianceAssessments"
    return {
        "id": f"{SUBSCRIPTION}/providers/Microsoft.Security/{path}/cccc",
        "name": "cccc",
        "type": "Microsoft.Security/regulatoryComplianceStandards/regulatoryComplianceControls/regulatoryComplianceAssessments",
        "properties": {
            "assessmentType": "AssessmentCategory",
            "description": "SoftwareUpdate",
            "state": "Failed",
            "scope": "Subscription",
        }
        | changes,
    }


def an_image_vulnerability(**changes: Any) -> Message:
    """A vulnerability of an image as it was grouped until July 2026; `additional` changes its additional data."""
    additional = {
        "artifactDetails": {
            "repositoryName": "shop/web",
            "registryHost": "shop.azurecr.example",
            "digest": DIGEST,
            "tags": ["4.18.2"],
            "lastPushedToRegistryUTC": "2026-11-12T09:00:00.362Z",
        },
        "softwareDetails": {
            "packageName": "libexample",
            "vendor": "alpine",
            "version": "1.4.1-r0",
            "fixedVersion": "1.4.3-r0",
            "fixStatus": "FixAvailable",
            "language": "",
        },
        "vulnerabilityDetails": {
            "cveId": "CVE-2026-00101",
            "severity": "High",
            "cvss": {"2.0": None, "3.0": {"base": 9.1, "cvssVectorString": "CVSS:3.1/AV:N/AC:L"}},
        },
    } | changes.pop("additional", {})
    id = f"{REGISTRY}/providers/Microsoft.Security/assessments/c0b7cfc6-3172-465a-b378-53c7ff2cc0d5/subassessments/1"
    return {
        "id": id,
        "name": "59fd7635-ddae-45a3-bf3c-765e5cc60494",
        "type": "Microsoft.Security/assessments/subAssessments",
        "properties": {
            "id": "CVE-2026-00101",
            "displayName": "Out-of-bounds write in libexample",
            "status": {"code": "Unhealthy", "cause": "", "severity": "High", "description": "It was found in a scan."},
            "impact": "Remote code execution in the container.",
            "timeGenerated": "2026-11-17T21:05:16.5525381Z",
            "resourceDetails": {"source": "Azure", "id": f"/repositories/shop/web/images/{DIGEST}"},
            "additionalData": additional,
        }
        | changes,
    }


def a_machine_vulnerability(**additional: Any) -> Message:
    """A vulnerability of a machine as it was grouped until July 2026; changes are to its additional data."""
    data = {
        "cvss": {"2.0": {"base": 6.8}, "3.0": {"base": 7.8}},
        "patchable": True,
        "cve": [{"title": "CVE-2026-00207", "link": "https://security.example/CVE-2026-00207"}],
    }
    message = an_image_vulnerability(id="99001", displayName="Example agent: privilege escalation")
    message["id"] = (
        f"{MACHINE}/providers/Microsoft.Security/assessments/1195afff-c881-495e-9bc5-1486211ae03f/subassessments/2"
    )
    return message | {
        "properties": message["properties"]
        | {"resourceDetails": {"source": "Azure", "id": MACHINE}, "additionalData": data | additional}
    }
