"""What posture messages say, field by field."""

from datetime import UTC, datetime
from typing import Any

import pytest

from router.domain.posture import Cves, GroupedFacts, Image, Package
from router.domain.resources import CloudLocation
from router.domain.rule_fields import rule_fields_of
from router.domain.severity import Severity
from router.domain.signals import Finding, Kind
from router.ingest.observations import find_fingerprint
from tests.constructed.posture import (
    DIGEST,
    a_compliance_category,
    a_machine_vulnerability,
    a_software_update,
    an_exposure_path,
    an_image_vulnerability,
)
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
from tests.parse.test_samples import read_rest_examples


def assessment(**changes: Any) -> Finding:
    """What a recommendation is read as."""
    return read_finding(an_assessment(**changes))


def test_a_recommendation_keeps_what_it_says() -> None:
    """Texts, state, since when, effort and threats; each <br> is a line end. What is not said is not known; it is Medium."""
    finding = assessment()
    assert finding.title == "Management ports should be closed"
    assert finding.description == "Open ports invite guessing."
    assert (finding.categories, finding.cause, finding.cloud) == (("Networking",), "OpenPort", "Azure")
    assert finding.changed == datetime(2026, 11, 9, 17, 20, 31, 521575, UTC)
    assert finding.extended == {"ports": "[22,3389]", "note": "open"}
    assert finding.remediation == ("To fix it:\n1. Open it.\n2. Close it.",)
    assert assessment(displayName=None, metadata={"displayName": "Inside"}).title == "Inside"
    assert assessment(displayName=None, metadata=None).title == ASSESSMENT_KEY
    status = {
        "code": "Unhealthy",
        "description": "Port 22 is open.",
        "firstEvaluationDate": "2026-11-02T04:11:10.1006558Z",
    }
    metadata = {"userImpact": "High", "implementationEffort": "Low", "threats": ["DataSpillage", "AccountBreach"]}
    for message in (one := an_assessment(status=status, metadata=metadata), in_pascal_case(one)):
        finding = read_finding(message)
        assert (finding.status_description, finding.user_impact, finding.effort) == ("Port 22 is open.", "High", "Low")
        assert finding.threats == ("DataSpillage", "AccountBreach")
        assert finding.first_seen == datetime(2026, 11, 2, 4, 11, 10, 100655, UTC)
    finding = assessment(metadata=None, additionalData=None, status="Unhealthy")
    assert (finding.severity, finding.severity_written, finding.description) == (Severity.MEDIUM, None, "")
    assert (finding.status_description, finding.impact, finding.cvss, finding.first_seen) == (None, None, None, None)
    assert (finding.user_impact, finding.effort, finding.threats, finding.grouped) == (None, None, (), None)
    never = {"code": "Unhealthy", "firstEvaluationDate": "0001-01-01T00:00:00Z"}
    assert assessment(status=never).first_seen is None


_UNKNOWN = {"CveId": "CVE-1", "Severity": "Unknown", "Cvss": None}
_OF_CVES: list[tuple[dict[str, Any], str]] = [
    ({"CvesDetails": '[{"CveId": "CVE-1", "Severity": "low"}, {"CveId": "CVE-2", "Severity": "High"}]'}, "High"),
    ({"CvesDetails": [_UNKNOWN], "MaxCvssScore": "9.8"}, "Critical"),
    ({"CvesDetails": {"CVE-2026-1": {"Severity": "High"}}}, "High"),
    ({"CvesDetails": [_UNKNOWN | {"Severity": "", "Cvss": [{"Key": "3.1", "Value": {"Base": 7.5}}]}]}, "High"),
    ({"CvesDetails": [_UNKNOWN | {"Severity": 5, "Cvss": {"2.0": {"base": 10.0}}}]}, "High"),
    ({"CvesDetails": '[{"CveId": "CVE-1", "Sever', "MaxCvssScore": 3.9}, "Low"),
    ({"CvesDetails": [_UNKNOWN], "MaxCvssScore": "0"}, "Medium"),
    ({"CvesDetails": ["CVE-2026-1", None, 3]}, "Medium"),
    ({"Cvss": {"3.0": {"base": 9.1}}}, "Critical"),
    ({"Data": {"cvss": {"3.0": {"base": 4.0}}}}, "Medium"),
    ({"severity": "Low", "MaxCvssScore": "9.8"}, "Low"),
]


def test_a_finding_without_a_severity_has_that_of_its_gravest_cve_else_it_is_medium(subtests: pytest.Subtests) -> None:
    """By the word of each, else by its score. It says what stands there, where that is a word or a whole number."""
    nothings: tuple[object, ...] = (None, "", " ", 9.8, True, [], {"level": "High"})
    for written in (*nothings, "Unknown", "Sev0", 4):
        unscored = {"code": "Unhealthy", "severity": written}
        for place, message in {
            "metadata": an_assessment(metadata={"severity": written}),
            "status": a_sub_assessment(status=unscored, additionalData={}),
            "riskLevel": an_attack_path(riskLevel=written, potentialImpact=None),
        }.items():
            with subtests.test(place, written=written):
                finding = read_finding(message)
                said = str(written) if written in ("Unknown", "Sev0", 4) else None
                assert (finding.severity, finding.severity_written) == (Severity.MEDIUM, said)
                assert finding.has_assumed_severity
    for additional, severity in _OF_CVES:
        with subtests.test(additional=additional):
            for finding in (
                assessment(metadata={"severity": "Unknown"}, additionalData=additional),
                read_finding(a_sub_assessment(status={"code": "Unhealthy"}, additionalData=additional)),
            ):
                assert finding.severity is not None and finding.severity.label == severity
            given = assessment(metadata={"severity": "Informational"}, additionalData=additional)
            assert given.severity is Severity.INFORMATIONAL and not given.has_assumed_severity


def test_a_link_without_a_scheme_gets_one() -> None:
    """The link can be followed, though Event Hubs carries it without a scheme."""
    for links, link in (
        ({"azurePortal": "portal.azure.com/#x"}, "https://portal.azure.com/#x"),
        ({"azurePortalUri": "https://portal.azure.com/#x"}, "https://portal.azure.com/#x"),
        ({"azurePortal": "HTTPS://portal.azure.com/#x"}, "HTTPS://portal.azure.com/#x"),
        ({}, None),
        (None, None),
    ):
        assert assessment(links=links).link == link


def test_a_deleted_finding_is_over_whatever_its_status(subtests: pytest.Subtests) -> None:
    """Healthy and NotApplicable end a finding; so does the action Delete, in one enrichment and any case of its keys."""
    for code, action, is_over in (
        ("Unhealthy", "Insert", False),
        ("Unhealthy", "Write", False),
        ("Healthy", "Insert", True),
        ("healthy", "Insert", True),
        ("NotApplicable", "Insert", True),
        ("Unhealthy", "Delete", True),
        ("Healthy", "delete", True),
    ):
        for message in (an_assessment(code=code, action=action), a_sub_assessment(code=code, action=action)):
            with subtests.test(code, action=action):
                finding = read_finding(message)
                ends = (finding.resolved, finding.deleted, finding.status)
                assert ends == (is_over, action.lower() == "delete", code)
    one = read_finding(an_assessment() | {"securityEventDataEnrichment": {"Action": "Delete", "IsSnapshot": "True"}})
    assert (one.deleted, one.snapshot) == (True, True)
    assert [read_finding(an_assessment(snapshot=is_one)).snapshot for is_one in (True, False)] == [True, False]


def test_a_finding_is_about_what_its_details_say_else_what_its_id_hangs_on() -> None:
    """An image's path in its registry has no owner, the id has. Rules see the resource as one azure-resource entity."""
    details = {"Source": "Aws", "Id": "arn:aws:s3:::invoices", "HierarchyId": "123456789012"}
    finding = assessment(resourceDetails=details)
    assert (finding.resource, finding.cloud) == ("arn:aws:s3:::invoices", "Aws")
    assert finding.location == CloudLocation(cloud="AWS", account="123456789012", native="arn:aws:s3:::invoices")
    assert (assessment(resourceDetails=None).resource, assessment(resourceDetails=None).cloud) == (MACHINE, None)
    image = {"source": "Azure", "id": "/repositories/shop/images/sha256:0a"}
    assert assessment(resourceDetails=image).resource == MACHINE
    for message in (an_assessment(), a_sub_assessment()):
        (entity,) = read_finding(message).entities
        assert (entity.type, entity.text("resourceid")) == ("azureresource", MACHINE)


def test_a_vulnerability_keeps_what_it_says() -> None:
    """In camel case and with $type; without the scanner's id it is known by its title. Its severity has many places."""
    for message in (a_sub_assessment(), in_pascal_case(a_sub_assessment())):
        finding = read_finding(message)
        assert (finding.title, finding.description) == ("An example library", "A crafted request stops it.")
        assert (finding.remediation, finding.categories, finding.cloud) == (("Update it.",), ("Libraries",), "Azure")
        assert finding.changed == datetime(2026, 11, 18, 3, 11, 27, 739687, UTC)
    assert read_finding(a_sub_assessment(id=None)).type == "An example library"
    assert read_finding(a_sub_assessment(id=None, displayName=" ")).type == "cccccccc-0000-4000-8000-000000000099"
    low = {"severity": "Low"}
    assert read_finding(a_sub_assessment()).severity is Severity.HIGH
    for additional in (low, {"Data": {"Severity": "Low"}}, {"vulnerabilityDetails": low}):
        message = a_sub_assessment(status={"code": "Unhealthy"}, additionalData=additional)
        assert read_finding(message).severity is Severity.LOW
    unsaid = read_finding(a_sub_assessment(status="Unhealthy", additionalData=None))
    assert (unsaid.severity, unsaid.status) == (Severity.MEDIUM, "Unhealthy")


def test_the_score_of_the_highest_version_counts() -> None:
    """The vector says the version more exactly than the key. An individual recommendation has the highest of its CVEs."""
    vector = {"base": 9.1, "cvssVectorString": "CVSS:3.1/AV:N"}
    cases: list[tuple[object, str | None]] = [
        ({"2.0": {"base": 6.8}, "3.0": {"base": 7.8}}, "7.8 (CVSS 3.0)"),
        ({"2.0": {"base": 6.8}, "3.0": None}, "6.8 (CVSS 2.0)"),
        ({"2.0": None, "3.0": vector}, "9.1 (CVSS 3.1)"),
        ({"3.0": {"Base": "9"}, "4.0": {"base": 10}}, "10 (CVSS 4.0)"),
        ([{"Key": "3.0", "Value": {"Base": 9.8}}], "9.8 (CVSS 3.0)"),
        ('{"3.0": {"base": 5}}', "5 (CVSS 3.0)"),
        ({"3.0": 7.5}, "7.5 (CVSS 3.0)"),
        ({"2.0": None, "$type": "x", "3.0": {"base": "high"}, "4.0": {"base": True}}, None),
        ({"3.0": {"base": 70}}, None),
        ("7.8", None),
        (None, None),
    ]
    for cvss, words in cases:
        assert read_finding(a_machine_vulnerability(cvss=cvss)).cvss == words, cvss
    nested = {"cvss": None, "Data": {"Cvss": {"3.0": {"Base": 7.5}}}}
    assert read_finding(a_machine_vulnerability(**nested)).cvss == "7.5 (CVSS 3.0)"
    assert read_finding(a_software_update()).cvss == "8.7"
    assert read_finding(a_software_update(additional={"MaxCvssScore": "many"})).cvss is None


def test_an_image_vulnerability_says_its_package_and_its_image() -> None:
    """The image may be named by its path; a scanner's own id is no digest; the registry is what the finding's id hangs on."""
    fix = {"fixed": "1.4.3-r0", "fix_status": "FixAvailable", "vendor": "alpine"}
    package = Package(name="libexample", installed=("1.4.1-r0",), **fix)
    image = Image(
        digest=DIGEST,
        repository="shop/web",
        registry="shop.azurecr.example",
        tags=("4.18.2",),
        pushed="2026-11-12T09:00:00.362Z",
    )
    for message in (an_image_vulnerability(), in_pascal_case(an_image_vulnerability())):
        finding = read_finding(message)
        assert finding.grouped == GroupedFacts(package=package, cves=Cves(ids=("CVE-2026-00101",)), image=image)
        assert finding.cvss == "9.1 (CVSS 3.1)"
        assert finding.impact == "Remote code execution in the container."
        assert finding.status_description == "It was found in a scan."
    cases: list[tuple[str, dict[str, Any], Image | None]] = [
        (f"/repositories/shop/web/images/{DIGEST}", {}, Image(digest=DIGEST, repository="shop/web", registry="shop")),
        ("/repositories/shop", {"imageDigest": DIGEST}, Image(digest=DIGEST, registry="shop")),
        ("/x", {"imageDigest": ASSESSMENT_KEY, "repositoryName": "web"}, Image(repository="web", registry="shop")),
        ("/repositories/shop", {"imageDigest": ASSESSMENT_KEY}, None),
        ("x" * 2_000 + "/repositories/", {}, None),
    ]
    for resource, additional, named in cases:
        message = an_image_vulnerability(resourceDetails={"id": resource})
        message["properties"]["additionalData"] = additional
        grouped = read_finding(message).grouped
        assert grouped is not None
        assert grouped.image == named


def test_a_machine_vulnerability_says_its_cves_and_whether_there_is_a_fix() -> None:
    """On top of additional data or under Data. What is for people is neither for rules, nor does it make a fingerprint."""
    cves = Cves(ids=("CVE-2026-00207",))
    assert read_finding(a_machine_vulnerability()).grouped == GroupedFacts(cves=cves, has_fix=True)
    data = {"Data": {"Patchable": "False", "Cve": ["cve-2026-1234", {"Title": "no"}, None]}}
    nested = a_machine_vulnerability()
    nested["properties"]["additionalData"] = data
    assert read_finding(nested).grouped == GroupedFacts(cves=Cves(ids=("CVE-2026-1234",)), has_fix=False)
    for message in (an_image_vulnerability(), a_machine_vulnerability(), an_exposure_path()):
        finding = read_finding(message)
        fields = rule_fields_of(finding)
        assert (fields.package, fields.cves, fields.risk) == (None, None, None)
        assert (find_fingerprint(finding), finding.level) == (None, finding.severity)


@pytest.mark.shared
def test_real_vulnerabilities_say_their_facts() -> None:
    """The three vulnerabilities of Microsoft's examples: CVE, score, impact, image, and whether there is a fix."""
    findings = {one.title: one for one in read_rest_examples("SubAssessments") if isinstance(one, Finding)}
    putty = findings["PuTTY ssh_agent_channel_data Function Integer Overflow Vulnerability"]
    assert putty.cvss == "9.8 (CVSS 3.0)"
    assert putty.grouped == GroupedFacts(cves=Cves(ids=("CVE-2017-6542",)), has_fix=True)
    assert (putty.impact or "").startswith("Successful exploitation could allow")
    backdoor = findings["'Back Orifice' Backdoor"]
    digest = "sha256:877a6f2a212c44021281f80cb1f4c73a09dce4e99a8cb8efcc03f7ce3c877a6f"
    image = Image(digest=digest, repository="asc/msi-connector", registry="myRegistry")
    assert backdoor.grouped == GroupedFacts(cves=Cves(ids=("CVE-2019-12345",)), image=image, has_fix=True)
    assert (backdoor.status_description, backdoor.cvss) == ("The resource is unhealthy", "10 (CVSS 3.0)")
    rule = findings["Database-level firewall rules should be tracked and maintained at a strict minimum"]
    assert (rule.type, rule.grouped, rule.cvss) == ("VA2064", None, None)
    assert (rule.impact or "").startswith("Firewall rules should be strictly configured")


def test_an_attack_path_keeps_what_it_says() -> None:
    """The target is the resource, the risk level the severity; only a Delete ends it; older ones are read by their graph."""
    finding = read_finding(an_attack_path())
    assert (finding.resource, finding.description) == (f"{MACHINE}-db", "An attacker enters.")
    assert (finding.categories, finding.intents) == (("Exposure to the internet",), ("Initial Access",))
    assert (finding.techniques, finding.resolved) == (("T1190",), False)
    assert read_finding(an_attack_path(action="Delete")).resolved is True
    legacy = read_finding(a_legacy_attack_path())
    assert (legacy.resource, legacy.description) == (f"{MACHINE}-store", "The machine can be reached.")
    assert (legacy.remediation, legacy.categories) == (("1. Close it.\n2. Update it.",), ("Data exposure",))
    assert (legacy.risk_factors, read_finding(an_exposure_path()).risk_factors) == (
        (), ("Internet exposure", "Weak authorization"),
    )  # fmt: skip
    finding = read_finding(an_exposure_path())
    assert (finding.resource, finding.severity) == ("kv-target", Severity.HIGH)
    assert finding.categories == ("Internet exposure", "Weak authorization")
    assert (finding.intents, finding.techniques) == (("InitialAccess", "CredentialAccess"), ())
    assert finding.extended == {"entryPoint": "vm-entry", "target": "kv-target"}
    for factors, category in ((["Internet exposure"], "Internet exposure"), ('[{"name": "Exposed"}]', "Exposed")):
        assert read_finding(an_exposure_path(riskFactors=factors)).categories == (category,)


def _graph(**entity: object) -> dict[str, Any]:
    return {"graphComponent": {"entities": [entity]}}


_NAMED = {"azureResourceId": "/kv"}
_RESOURCES: list[tuple[Message, str | None]] = [
    (an_attack_path(target=None), MACHINE),
    (an_attack_path(target="/x"), "/x"),
    (an_attack_path(target={"entityIdentifiers": {"azureResourceId": "/x"}}), "/x"),
    (an_attack_path(target=None, entryPoint=None), None),
    (a_legacy_attack_path(targetEntityInternalID=None), MACHINE),
    (a_legacy_attack_path(graphComponent=None), "in-2"),
    (an_exposure_path(target={"name": "kv", "id": "/kv"}), "/kv"),
    (an_exposure_path(target={"name": "kv"}, entryPoint={"id": "/vm"}), "/vm"),
    (an_exposure_path(target='{"name": "kv"}'), "kv"),
    (an_exposure_path(target=None), "vm-entry"),
    (an_exposure_path(target=None, entryPoint=None), None),
    (an_exposure_path(target={"name": "kv"}, targetEntityInternalID="/in"), "/in"),
    (an_exposure_path(**_graph(entityName="kv-target", entityIdentifiers=_NAMED)), "/kv"),
]


GUID = "dcc854bb-bc7f-4ff8-9e84-037834d5a460"
_IN_GRAPH = {"entities": [{"id": GUID, "label": "web"}, {"id": "in-2", "entityName": "store"}]}
_ENDS: list[tuple[Message, tuple[str, ...], tuple[str, ...]]] = [
    (an_exposure_path(), ("vm-entry",), ("kv-target",)),
    (an_attack_path(), ("web-01",), ("web-01-db",)),
    (an_attack_path(entryPoint={"id": MACHINE, "displayName": "Web 1"}), ("Web 1",), ("web-01-db",)),
    (an_attack_path(entryPoint="internet", target=None), ("internet",), ()),
    (an_attack_path(entryPoint=GUID, target={"id": GUID, "name": GUID}), (), ()),
    (an_attack_path(target=[{"name": "one"}, {"id": MACHINE}, {"name": "one"}]), ("web-01",), ("one", "web-01")),
    (a_legacy_attack_path(), ("web-01",), ("web-01-store",)),
    (a_legacy_attack_path(graphComponent=None), (), ()),
    (a_legacy_attack_path(entryPointEntityInternalID=GUID, graphComponent=_IN_GRAPH), ("web",), ("store",)),
    (an_attack_path(entryPoint=GUID, **_graph(id=GUID, name="web")), ("web",), ("web-01-db",)),
    (an_attack_path(entryPoint={"id": GUID}, **_graph(id=GUID, name="web")), ("web",), ("web-01-db",)),
]


def test_both_ends_of_a_path_have_names_and_its_target_is_its_resource(subtests: pytest.Subtests) -> None:
    """Their own, else those in the path's graph; never an id that people do not know. Without a target it is the entry."""
    for message, resource in _RESOURCES:
        with subtests.test(path=message["properties"]):
            assert read_finding(message).resource == resource
    ends = {"target": {"name": "kv"}, "entryPoint": {"id": "/vm"}}
    assert read_finding(an_exposure_path(**ends)).extended["entryPoint"] == "/vm"
    assert "entryPoint" not in read_finding(an_exposure_path(entryPoint=None)).extended
    for message, entry_points, targets in _ENDS:
        with subtests.test(path=message["properties"]):
            finding = read_finding(message)
            assert (finding.entry_points, finding.targets) == (entry_points, targets)


def test_tactics_and_techniques_come_in_any_form() -> None:
    """Plain names, ids, both, or objects; a technique is told by its id, and a name is for the tactics."""
    initial, t1190 = ("InitialAccess",), ("T1190",)
    object = {"tactic": "InitialAccess", "techniques": ["T1190", "Valid Accounts"]}
    cases: list[tuple[Any, tuple[str, ...], tuple[str, ...]]] = [
        (["InitialAccess", "Lateral Movement"], ("InitialAccess", "Lateral Movement"), ()),
        ('["InitialAccess"]', initial, ()),
        ("InitialAccess, CredentialAccess", ("InitialAccess", "CredentialAccess"), ()),
        (["TA0001", "T1190", "T1059.001"], ("TA0001",), ("T1190", "T1059.001")),
        (["Initial Access (TA0001)", "T1190: Exploit Public-Facing Application"], ("TA0001",), t1190),
        ([object], ("InitialAccess", "Valid Accounts"), t1190),
        ({"tactics": ["InitialAccess"], "techniques": "T1190"}, initial, t1190),
        ([{"name": "InitialAccess"}, 7, None, ""], initial, ()),
        (7, (), ()),
        (None, (), ()),
    ]
    for written, intents, techniques in cases:
        finding = read_finding(an_exposure_path(mITRETacticsAndTechniques=written))
        assert (finding.intents, finding.techniques) == (intents, techniques), written


def test_scores_and_compliance_are_measured_and_never_resolved() -> None:
    """Even by a Delete. Compliance has a standard and a control; a row about a category is about all its recommendations."""
    measures: list[tuple[Message, str | None]] = [
        (a_secure_score(), "33.41/58"),
        (a_secure_score(score={"max": 58.0, "current": 0}), "0/58"),
        (a_secure_score(score="much"), None),
        (a_score_control(), "5.6/8, 21 healthy, 9 unhealthy, 0 not applicable"),
        (a_compliance_assessment(), "7 passed, 4 failed, 0 skipped"),
    ]
    for message, measure in measures:
        finding = read_finding(message | {"securityEventDataEnrichment": an_enrichment("Delete")})
        assert (finding.measure, finding.severity) == (measure, None)
        assert (finding.resolved, finding.deleted) == (False, True)
    finding = read_finding(a_compliance_assessment())
    assert (finding.status, finding.categories) == ("Failed", ("PCI", "1.1"))
    assert (finding.title, finding.resource) == ("Scan data should be complete", SUBSCRIPTION)
    finding = read_finding(a_compliance_category())
    assert (finding.category, finding.kind, finding.severity) == ("SoftwareUpdate", Kind.COMPLIANCE, None)
    assert (finding.categories, finding.extended) == (("PCI", "6.2"), {"scope": "Subscription"})
    blank = read_finding(a_compliance_category(description=" SoftwareUpdate ", scope=" Subscription"))
    assert (blank.category, blank.extended, blank.overlaps) == (finding.category, finding.extended, False)
    scopes = ("Subscription", "multiCloudAggregation", None, "ManagementGroup", "Connector")
    overlapping = [scope for scope in scopes if read_finding(a_compliance_category(scope=scope)).overlaps]
    assert overlapping == ["ManagementGroup", "Connector"]
    one = read_finding(a_compliance_category(assessmentType="Assessment", scope=None))
    assert (one.category, one.type, one.extended) == (None, "cccc", {})
