"""What posture messages say, field by field."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from router.domain.resources import CloudLocation
from router.domain.severity import Severity
from router.domain.signals import Finding, Kind
from tests.constructed.posture import a_compliance_category, an_exposure_path
from tests.parse.messages import (
    ASSESSMENT_KEY,
    MACHINE,
    SUBSCRIPTION,
    Message,
    a_compliance_assessment,
    a_legacy_attack_path,
    a_score_control,
    a_secure_score,
    a_sub_assessment,
    an_assessment,
    an_attack_path,
    an_enrichment,
    in_pascal_case,
    read_finding,
)


def test_a_recommendation_keeps_what_it_says() -> None:
    """A recommendation's texts come from its metadata, its state from its status."""
    finding = read_finding(an_assessment())
    assert finding.title == "Management ports should be closed"
    assert finding.description == "Open ports invite guessing."
    assert finding.categories == ("Networking",)
    assert finding.cause == "OpenPort"
    assert finding.cloud == "Azure"
    assert finding.changed == datetime(2026, 11, 9, 17, 20, 31, 521575, UTC)
    assert finding.extended == {"ports": "[22,3389]", "note": "open"}


def test_a_recommendation_without_metadata_is_read() -> None:
    """Where the metadata is missing, so is the severity; the finding is read all the same, as a Medium one."""
    finding = read_finding(an_assessment(metadata=None))
    assert (finding.severity, finding.severity_written, finding.description) == (Severity.MEDIUM, None, "")


NO_WORD = "null", '""', '" "', '"Unknown"', '"Sev0"', "4", "9.8", "true", "[]", '{"level": "High"}'
"""What may stand in the place of a severity and is none."""


@pytest.mark.parametrize("written", list(map(json.loads, NO_WORD)))
@pytest.mark.parametrize("place", ["metadata", "status", "riskLevel"])
def test_a_finding_whose_severity_is_no_severity_is_medium(written: object, place: str) -> None:
    """It says what stands there, where that is a word or a whole number."""
    finding = {
        "metadata": lambda: read_finding(an_assessment(metadata={"severity": written})),
        "status": lambda: read_finding(
            a_sub_assessment(status={"code": "Unhealthy", "severity": written}, additionalData={})
        ),
        "riskLevel": lambda: read_finding(an_attack_path(riskLevel=written, potentialImpact=None)),
    }[place]()
    said = str(written) if written in ("Unknown", "Sev0", 4) and written is not True else None
    assert (finding.severity, finding.severity_written, finding.has_assumed_severity) == (Severity.MEDIUM, said, True)


@pytest.mark.parametrize(
    ("additional", "severity"),
    [
        (
            {
                "CvesDetails": json.dumps(
                    [{"CveId": "CVE-1", "Severity": "low"}, {"CveId": "CVE-2", "Severity": "High"}]
                )
            },
            "High",
        ),
        ({"CvesDetails": [{"CveId": "CVE-1", "Severity": "Unknown", "Cvss": None}], "MaxCvssScore": "9.8"}, "Critical"),
        ({"CvesDetails": {"CVE-2026-1": {"Severity": "High"}}}, "High"),
        (
            {"CvesDetails": [{"CveId": "CVE-1", "Severity": "", "Cvss": [{"Key": "3.1", "Value": {"Base": 7.5}}]}]},
            "High",
        ),
        ({"CvesDetails": [{"CveId": "CVE-1", "Severity": 5, "Cvss": {"2.0": {"base": 10.0}}}]}, "High"),
        ({"CvesDetails": '[{"CveId": "CVE-1", "Sever', "MaxCvssScore": 3.9}, "Low"),
        ({"CvesDetails": [{"CveId": "CVE-1", "Severity": "Unknown", "Cvss": None}], "MaxCvssScore": "0"}, "Medium"),
        ({"CvesDetails": ["CVE-2026-1", None, 3]}, "Medium"),
        ({"Cvss": {"3.0": {"base": 9.1}}}, "Critical"),
        ({"Data": {"cvss": {"3.0": {"base": 4.0}}}}, "Medium"),
        ({"severity": "Low", "MaxCvssScore": "9.8"}, "Low"),
    ],
)
def test_a_finding_without_a_severity_has_that_of_its_gravest_cve(additional: dict[str, Any], severity: str) -> None:
    """By the word of each, else by its score; what the message gives in another place counts before them."""
    for finding in (
        read_finding(an_assessment(metadata={"severity": "Unknown"}, additionalData=additional)),
        read_finding(a_sub_assessment(status={"code": "Unhealthy"}, additionalData=additional)),
    ):
        assert finding.severity is not None and finding.severity.label == severity
    given = read_finding(an_assessment(metadata={"severity": "Informational"}, additionalData=additional))
    assert given.severity is Severity.INFORMATIONAL and not given.has_assumed_severity


def test_the_title_of_a_recommendation_falls_back() -> None:
    """The display name is on top, else in the metadata, else the assessment key stands for it."""
    assert read_finding(an_assessment(displayName=None, metadata={"displayName": "Inside"})).title == "Inside"
    assert read_finding(an_assessment(displayName=None, metadata=None)).title == ASSESSMENT_KEY


def test_remediation_loses_its_markup_of_lines() -> None:
    """Each <br> of a recommendation's remediation is a line end."""
    assert read_finding(an_assessment()).remediation == ("To fix it:\n1. Open it.\n2. Close it.",)


@pytest.mark.parametrize(
    ("links", "link"),
    [
        ({"azurePortal": "portal.azure.com/#x"}, "https://portal.azure.com/#x"),
        ({"azurePortalUri": "https://portal.azure.com/#x"}, "https://portal.azure.com/#x"),
        ({"azurePortal": "HTTPS://portal.azure.com/#x"}, "HTTPS://portal.azure.com/#x"),
        ({}, None),
        (None, None),
    ],
)
def test_a_link_without_a_scheme_gets_one(links: object, link: str | None) -> None:
    """The link can be followed, though Event Hubs carries it without a scheme."""
    assert read_finding(an_assessment(links=links)).link == link


@pytest.mark.parametrize("build", [an_assessment, a_sub_assessment])
@pytest.mark.parametrize(
    ("code", "action", "resolved", "deleted"),
    [
        ("Unhealthy", "Insert", False, False),
        ("Unhealthy", "Write", False, False),
        ("Healthy", "Insert", True, False),
        ("healthy", "Insert", True, False),
        ("NotApplicable", "Insert", True, False),
        ("Unhealthy", "Delete", True, True),
        ("Healthy", "delete", True, True),
    ],
)
def test_a_deleted_finding_is_over_whatever_its_status(
    build: object, code: str, action: str, resolved: bool, deleted: bool
) -> None:
    """Healthy and NotApplicable end a finding; so does the action Delete, whose status may say anything."""
    assert callable(build)
    finding = read_finding(build(code=code, action=action))
    assert (finding.resolved, finding.deleted, finding.status) == (resolved, deleted, code)


def test_an_action_in_one_enrichment_is_enough() -> None:
    """Delete and isSnapshot count wherever they are said, and in any case of their keys."""
    message = an_assessment() | {"securityEventDataEnrichment": {"Action": "Delete", "IsSnapshot": "True"}}
    finding = read_finding(message)
    assert (finding.deleted, finding.snapshot) == (True, True)
    assert read_finding(an_assessment(snapshot=True)).snapshot is True
    assert read_finding(an_assessment()).snapshot is False


@pytest.mark.parametrize("build", [an_assessment, a_sub_assessment])
def test_a_finding_offers_its_resource_as_an_entity(build: object) -> None:
    """Rules see a finding's resource as one azure-resource entity."""
    assert callable(build)
    (entity,) = read_finding(build()).entities
    assert (entity.type, entity.text("ResourceId")) == ("azureresource", MACHINE)


def test_a_finding_without_details_is_about_what_its_id_hangs_on() -> None:
    """Where resourceDetails says nothing, the finding's own id tells its resource."""
    finding = read_finding(an_assessment(resourceDetails=None))
    assert (finding.resource, finding.cloud) == (MACHINE, None)


def test_resource_details_are_read_in_pascal_case_too() -> None:
    """One message mixes cases, and its resource is found."""
    details = {"Source": "Aws", "Id": "arn:aws:s3:::invoices", "HierarchyId": "123456789012"}
    finding = read_finding(an_assessment(resourceDetails=details))
    assert (finding.resource, finding.cloud) == ("arn:aws:s3:::invoices", "Aws")
    assert finding.location == CloudLocation(cloud="AWS", account="123456789012", native="arn:aws:s3:::invoices")


def test_a_resource_without_a_name_of_its_own_is_what_the_finding_hangs_on() -> None:
    """An image's path within its registry has neither subscription nor owner; the finding's id has both."""
    details = {"source": "Azure", "id": "/repositories/shop/images/sha256:0a"}
    assert read_finding(an_assessment(resourceDetails=details)).resource == MACHINE


def test_a_vulnerability_keeps_what_it_says() -> None:
    """A vulnerability says the same in camel case and with $type on every object."""
    for message in (a_sub_assessment(), in_pascal_case(a_sub_assessment())):
        finding = read_finding(message)
        assert finding.title == "An example library"
        assert finding.description == "A crafted request stops it."
        assert finding.remediation == ("Update it.",)
        assert finding.categories == ("Libraries",)
        assert finding.cloud == "Azure"
        assert finding.changed == datetime(2026, 11, 18, 3, 11, 27, 739687, UTC)


@pytest.mark.parametrize(
    ("changes", "severity"),
    [
        ({}, Severity.HIGH),
        ({"status": {"code": "Unhealthy"}, "additionalData": {"severity": "Low"}}, Severity.LOW),
        ({"status": {"code": "Unhealthy"}, "additionalData": {"Data": {"Severity": "Low"}}}, Severity.LOW),
        (
            {"status": {"code": "Unhealthy"}, "additionalData": {"vulnerabilityDetails": {"severity": "Low"}}},
            Severity.LOW,
        ),
        ({"status": "Unhealthy", "additionalData": None}, Severity.MEDIUM),
    ],
)
def test_the_severity_of_a_vulnerability_is_found_wherever_it_stands(
    changes: dict[str, Any], severity: Severity
) -> None:
    """The status tells the severity, else the additional data at one of its places."""
    finding = read_finding(a_sub_assessment(**changes))
    assert (finding.severity, finding.status) == (severity, "Unhealthy")


def test_a_vulnerability_without_an_id_is_known_by_its_title() -> None:
    """The scanner's id is the type, else the title, which is alike on every resource, and without either the name."""
    assert read_finding(a_sub_assessment(id=None)).type == "An example library"
    assert read_finding(a_sub_assessment(id=None, displayName=" ")).type == "cccccccc-0000-4000-8000-000000000099"


def test_an_attack_path_of_exposure_management_keeps_what_it_says() -> None:
    """The target is the resource, the risk level the severity, and the story the description."""
    finding = read_finding(an_attack_path())
    assert finding.resource == f"{MACHINE}-db"
    assert finding.description == "An attacker enters."
    assert finding.categories == ("Exposure to the internet",)
    assert (finding.intents, finding.techniques) == (("Initial Access",), ("T1190",))


def test_a_legacy_attack_path_keeps_what_it_says() -> None:
    """Internal ids are looked up in the path's graph, so that the resource is a resource."""
    finding = read_finding(a_legacy_attack_path())
    assert finding.resource == f"{MACHINE}-store"
    assert finding.description == "The machine can be reached."
    assert finding.remediation == ("1. Close it.\n2. Update it.",)
    assert finding.categories == ("Data exposure",)


@pytest.mark.parametrize(
    ("message", "resource"),
    [
        (an_attack_path(target=None), MACHINE),
        (an_attack_path(target="/x"), "/x"),
        (an_attack_path(target={"entityIdentifiers": {"azureResourceId": "/x"}}), "/x"),
        (an_attack_path(target=None, entryPoint=None), None),
        (a_legacy_attack_path(targetEntityInternalID=None), MACHINE),
        (a_legacy_attack_path(graphComponent=None), "in-2"),
    ],
)
def test_the_resource_of_an_attack_path_is_its_target_else_its_entry(message: Message, resource: str | None) -> None:
    """A path without a target is about its entry point."""
    assert read_finding(message).resource == resource


def test_a_path_that_only_names_things_is_read() -> None:
    """The target's name is the resource, factors are categories, tactics are intents, and both ends are kept."""
    finding = read_finding(an_exposure_path())
    assert (finding.resource, finding.severity) == ("kv-target", Severity.HIGH)
    assert finding.categories == ("Internet exposure", "Weak authorization")
    assert (finding.intents, finding.techniques) == (("InitialAccess", "CredentialAccess"), ())
    assert finding.extended == {"entryPoint": "vm-entry", "target": "kv-target"}
    assert read_finding(an_exposure_path(riskFactors=["Internet exposure"])).categories == ("Internet exposure",)
    assert read_finding(an_exposure_path(riskFactors='[{"name": "Exposed"}]')).categories == ("Exposed",)


@pytest.mark.parametrize(
    ("ends", "resource", "entry_point"),
    [
        ({"target": {"name": "kv", "id": "/kv"}}, "/kv", "vm-entry"),
        ({"target": {"name": "kv"}, "entryPoint": {"id": "/vm"}}, "/vm", "/vm"),
        ({"target": '{"name": "kv"}'}, "kv", "vm-entry"),
        ({"target": None}, "vm-entry", "vm-entry"),
        ({"target": None, "entryPoint": None}, None, None),
        ({"target": {"name": "kv"}, "targetEntityInternalID": "/in"}, "/in", "vm-entry"),
        (
            {
                "graphComponent": {
                    "entities": [{"entityName": "kv-target", "entityIdentifiers": {"azureResourceId": "/kv"}}]
                }
            },
            "/kv",
            "vm-entry",
        ),
    ],
)
def test_a_name_is_the_resource_only_where_there_is_no_id(
    ends: dict[str, object], resource: str | None, entry_point: str | None
) -> None:
    """An id of the target, one of the entry point, a name that the graph knows; else the name."""
    finding = read_finding(an_exposure_path(**ends))
    assert (finding.resource, finding.extended.get("entryPoint")) == (resource, entry_point)


@pytest.mark.parametrize(
    ("written", "intents", "techniques"),
    [
        (["InitialAccess", "Lateral Movement"], ("InitialAccess", "Lateral Movement"), ()),
        ('["InitialAccess"]', ("InitialAccess",), ()),
        ("InitialAccess, CredentialAccess", ("InitialAccess", "CredentialAccess"), ()),
        (["TA0001", "T1190", "T1059.001"], ("TA0001",), ("T1190", "T1059.001")),
        (["Initial Access (TA0001)", "T1190: Exploit Public-Facing Application"], ("TA0001",), ("T1190",)),
        (
            [{"tactic": "InitialAccess", "techniques": ["T1190", "Valid Accounts"]}],
            ("InitialAccess", "Valid Accounts"),
            ("T1190",),
        ),
        ({"tactics": ["InitialAccess"], "techniques": "T1190"}, ("InitialAccess",), ("T1190",)),
        ([{"name": "InitialAccess"}, 7, None, ""], ("InitialAccess",), ()),
        (7, (), ()),
        (None, (), ()),
    ],
)
def test_tactics_and_techniques_come_in_any_form(
    written: object, intents: tuple[str, ...], techniques: tuple[str, ...]
) -> None:
    """Plain names, ids, both, or objects; a technique is told by its id, and a name is for the tactics."""
    finding = read_finding(an_exposure_path(mITRETacticsAndTechniques=written))
    assert (finding.intents, finding.techniques) == (intents, techniques)


def test_only_a_delete_ends_an_attack_path() -> None:
    """An attack path stands until a message deletes it."""
    assert read_finding(an_attack_path()).resolved is False
    assert read_finding(an_attack_path(action="Delete")).resolved is True


def test_scores_are_measured() -> None:
    """A score's measure is current/max; a control's tells its resources too; neither has a severity."""
    assert _measured(a_secure_score()) == ("33.41/58", None)
    assert _measured(a_secure_score(score={"max": 58.0, "current": 0})) == ("0/58", None)
    assert _measured(a_secure_score(score="much")) == (None, None)
    assert _measured(a_score_control()) == ("5.6/8, 21 healthy, 9 unhealthy, 0 not applicable", None)


def test_compliance_is_measured() -> None:
    """Compliance says its state and its counts, and which standard and control it belongs to."""
    finding = read_finding(a_compliance_assessment())
    assert (finding.status, finding.measure) == ("Failed", "7 passed, 4 failed, 0 skipped")
    assert finding.categories == ("PCI", "1.1")
    assert (finding.title, finding.resource) == ("Scan data should be complete", SUBSCRIPTION)


def test_compliance_by_category_is_joined_by_category() -> None:
    """A row about a category is about all its recommendations; one about a recommendation is known by that one's key."""
    finding = read_finding(a_compliance_category())
    assert (finding.category, finding.kind, finding.severity) == ("SoftwareUpdate", Kind.COMPLIANCE, None)
    assert (finding.categories, finding.extended) == (("PCI", "6.2"), {"scope": "Subscription"})
    blank = read_finding(a_compliance_category(description=" SoftwareUpdate ", scope=" Subscription"))
    assert (blank.category, blank.extended, blank.overlaps) == (finding.category, finding.extended, False)
    overlaps = {
        scope: read_finding(a_compliance_category(scope=scope)).overlaps
        for scope in ("Subscription", "multiCloudAggregation", None, "ManagementGroup", "Connector")
    }
    assert [scope for scope, is_so in overlaps.items() if is_so] == ["ManagementGroup", "Connector"]
    one = read_finding(a_compliance_category(assessmentType="Assessment", scope=None))
    assert (one.category, one.type, one.extended) == (None, "cccc", {})


@pytest.mark.parametrize("build", [a_secure_score, a_score_control, a_compliance_assessment])
def test_scores_and_compliance_are_never_resolved(build: object) -> None:
    """A score is a measurement: even its deletion resolves nothing."""
    assert callable(build)
    finding = read_finding(build() | {"securityEventDataEnrichment": an_enrichment("Delete")})
    assert (finding.resolved, finding.deleted, finding.severity) == (False, True, None)


def _measured(message: Message) -> tuple[str | None, Severity | None]:
    finding: Finding = read_finding(message)
    return finding.measure, finding.severity
