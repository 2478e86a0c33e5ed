"""What a finding says beside its state: why, what follows, how grave, of what software and image, from where to where."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from router.domain.posture import Cves, GroupedFacts, Image, Package
from router.domain.rule_fields import rule_fields_of
from router.domain.signals import Finding
from router.ingest.observations import find_fingerprint
from tests.constructed.posture import (
    DIGEST,
    a_machine_vulnerability,
    a_software_update,
    an_exposure_path,
    an_image_vulnerability,
)
from tests.parse.messages import (
    ASSESSMENT_KEY,
    MACHINE,
    a_legacy_attack_path,
    an_assessment,
    an_attack_path,
    in_pascal_case,
    read_finding,
)
from tests.parse.test_samples import read_rest_examples


def test_a_recommendation_says_why_and_how_much_work_it_is() -> None:
    """The status in words, when Defender first came to it, and what the metadata says of users, effort and threats."""
    status = {
        "code": "Unhealthy",
        "description": "Port 22 is open.",
        "firstEvaluationDate": "2026-11-02T04:11:10.1006558Z",
        "statusChangeDate": "2026-11-09T17:20:31Z",
    }
    metadata = {"userImpact": "High", "implementationEffort": "Low", "threats": ["DataSpillage", "AccountBreach"]}
    for message in (one := an_assessment(status=status, metadata=metadata), in_pascal_case(one)):
        finding = read_finding(message)
        assert finding.status_description == "Port 22 is open."
        assert (finding.user_impact, finding.effort) == ("High", "Low")
        assert finding.threats == ("DataSpillage", "AccountBreach")
        assert finding.first_seen == datetime(2026, 11, 2, 4, 11, 10, 100655, UTC)


def test_what_is_not_said_is_not_known() -> None:
    """A message without any of it is read all the same; a year 1 is a time that was never set."""
    finding = read_finding(an_assessment(metadata=None, additionalData=None, status="Unhealthy"))
    assert (finding.status_description, finding.impact, finding.cvss, finding.first_seen) == (None, None, None, None)
    assert (finding.user_impact, finding.effort, finding.threats, finding.grouped) == (None, None, (), None)
    never = {"code": "Unhealthy", "firstEvaluationDate": "0001-01-01T00:00:00Z"}
    assert read_finding(an_assessment(status=never)).first_seen is None


@pytest.mark.parametrize(
    ("cvss", "words"),
    [
        ({"2.0": {"base": 6.8}, "3.0": {"base": 7.8}}, "7.8 (CVSS 3.0)"),
        ({"2.0": {"base": 6.8}, "3.0": None}, "6.8 (CVSS 2.0)"),
        ({"2.0": None, "3.0": {"base": 9.1, "cvssVectorString": "CVSS:3.1/AV:N"}}, "9.1 (CVSS 3.1)"),
        ({"3.0": {"Base": "9"}, "4.0": {"base": 10}}, "10 (CVSS 4.0)"),
        ([{"Key": "3.0", "Value": {"Base": 9.8}}], "9.8 (CVSS 3.0)"),
        ('{"3.0": {"base": 5}}', "5 (CVSS 3.0)"),
        ({"3.0": 7.5}, "7.5 (CVSS 3.0)"),
        ({"2.0": None, "$type": "x", "3.0": {"base": "high"}, "4.0": {"base": True}}, None),
        ({"3.0": {"base": 70}}, None),
        ("7.8", None),
        (None, None),
    ],
)
def test_the_score_of_the_highest_version_counts(cvss: object, words: str | None) -> None:
    """A version without a base score has none; the vector says the version more exactly than the key."""
    assert read_finding(a_machine_vulnerability(cvss=cvss)).cvss == words


def test_the_score_stands_in_each_form_where_it_is() -> None:
    """Under Data in pascal case; an individual recommendation has the highest of its CVEs."""
    nested = {"cvss": None, "Data": {"Cvss": {"3.0": {"Base": 7.5}}}}
    assert read_finding(a_machine_vulnerability(**nested)).cvss == "7.5 (CVSS 3.0)"
    assert read_finding(a_software_update()).cvss == "8.7"
    assert read_finding(a_software_update(additional={"MaxCvssScore": "many"})).cvss is None


def test_an_image_vulnerability_says_its_package_and_its_image() -> None:
    """Software with both versions, the CVE, and the image with registry, repository, tag and digest."""
    facts = GroupedFacts(
        package=Package(
            name="libexample", installed=("1.4.1-r0",), fixed="1.4.3-r0", fix_status="FixAvailable", vendor="alpine"
        ),
        cves=Cves(ids=("CVE-2026-00101",)),
        image=Image(
            digest=DIGEST,
            repository="shop/web",
            registry="shop.azurecr.example",
            tags=("4.18.2",),
            pushed="2026-11-12T09:00:00.362Z",
        ),
    )
    for message in (an_image_vulnerability(), in_pascal_case(an_image_vulnerability())):
        finding = read_finding(message)
        assert finding.grouped == facts
        assert finding.cvss == "9.1 (CVSS 3.1)"
        assert finding.impact == "Remote code execution in the container."
        assert finding.status_description == "It was found in a scan."


def test_a_machine_vulnerability_says_its_cves_and_whether_there_is_a_fix() -> None:
    """On top of additional data or under Data; what is no CVE is not one."""
    finding = read_finding(a_machine_vulnerability())
    assert finding.grouped == GroupedFacts(cves=Cves(ids=("CVE-2026-00207",)), has_fix=True)
    data = {
        "Data": {"Patchable": "False", "Cve": ["cve-2026-1234", {"Title": "no"}, None]},
        "cve": None,
        "patchable": None,
    }
    nested = a_machine_vulnerability()
    nested["properties"]["additionalData"] = {name: held for name, held in data.items() if held is not None}
    assert read_finding(nested).grouped == GroupedFacts(cves=Cves(ids=("CVE-2026-1234",)), has_fix=False)


@pytest.mark.parametrize(
    ("resource", "additional", "image"),
    [
        (f"/repositories/shop/web/images/{DIGEST}", {}, Image(digest=DIGEST, repository="shop/web", registry="shop")),
        ("/repositories/shop", {"imageDigest": DIGEST}, Image(digest=DIGEST, registry="shop")),
        ("/x", {"imageDigest": ASSESSMENT_KEY, "repositoryName": "web"}, Image(repository="web", registry="shop")),
        ("/repositories/shop", {"imageDigest": ASSESSMENT_KEY}, None),
        ("x" * 2_000 + "/repositories/", {}, None),
    ],
)  # fmt: skip
def test_an_image_is_named_by_its_path_too(resource: str, additional: dict[str, Any], image: Image | None) -> None:
    """The scanner's own id of an image is no digest; the registry is what the finding's id hangs on."""
    message = an_image_vulnerability(resourceDetails={"id": resource})
    message["properties"]["additionalData"] = additional
    grouped = read_finding(message).grouped
    assert grouped is not None
    assert grouped.image == image


def test_what_is_for_people_is_neither_for_rules_nor_news() -> None:
    """Rules match of a grouped vulnerability and of an attack path what they always matched, and no fingerprint is made."""
    for message in (an_image_vulnerability(), a_machine_vulnerability(), an_exposure_path()):
        finding = read_finding(message)
        fields = rule_fields_of(finding)
        assert (fields.package, fields.cves, fields.risk) == (None, None, None)
        assert (find_fingerprint(finding), finding.level) == (None, finding.severity)


GUID = "dcc854bb-bc7f-4ff8-9e84-037834d5a460"


@pytest.mark.parametrize(
    ("message", "entry_points", "targets"),
    [
        (an_exposure_path(), ("vm-entry",), ("kv-target",)),
        (an_attack_path(), ("web-01",), ("web-01-db",)),
        (an_attack_path(entryPoint={"id": MACHINE, "displayName": "Web 1"}), ("Web 1",), ("web-01-db",)),
        (an_attack_path(entryPoint="internet", target=None), ("internet",), ()),
        (an_attack_path(entryPoint=GUID, target={"id": GUID, "name": GUID}), (), ()),
        (an_attack_path(target=[{"name": "one"}, {"id": MACHINE}, {"name": "one"}]), ("web-01",), ("one", "web-01")),
        (a_legacy_attack_path(), ("web-01",), ("web-01-store",)),
        (a_legacy_attack_path(graphComponent=None), (), ()),
        (
            a_legacy_attack_path(
                entryPointEntityInternalID=GUID,
                graphComponent={"entities": [{"id": GUID, "label": "web"}, {"id": "in-2", "entityName": "store"}]},
            ),
            ("web",),
            ("store",),
        ),
        (
            an_attack_path(entryPoint=GUID, graphComponent={"entities": [{"id": GUID, "name": "web"}]}),
            ("web",),
            ("web-01-db",),
        ),
        (
            an_attack_path(entryPoint={"id": GUID}, graphComponent={"entities": [{"id": GUID, "name": "web"}]}),
            ("web",),
            ("web-01-db",),
        ),
    ],
)
def test_both_ends_of_a_path_have_names(
    message: dict[str, Any], entry_points: tuple[str, ...], targets: tuple[str, ...]
) -> None:
    """Their own, else that in the path's graph, else that of the resource; never an id that nobody knows."""
    finding = read_finding(message)
    assert (finding.entry_points, finding.targets) == (entry_points, targets)


def test_risk_factors_are_kept_apart_from_categories() -> None:
    """The older shape has categories and no factors."""
    assert read_finding(an_exposure_path()).risk_factors == ("Internet exposure", "Weak authorization")
    assert read_finding(a_legacy_attack_path()).risk_factors == ()


@pytest.mark.shared
def test_real_vulnerabilities_say_their_facts() -> None:
    """The three vulnerabilities of Microsoft's examples: CVE, score, impact, image, and whether there is a fix."""
    findings = {
        finding.title: finding for finding in read_rest_examples("SubAssessments") if isinstance(finding, Finding)
    }
    putty = findings["PuTTY ssh_agent_channel_data Function Integer Overflow Vulnerability"]
    assert (putty.cvss, putty.grouped) == (
        "9.8 (CVSS 3.0)",
        GroupedFacts(cves=Cves(ids=("CVE-2017-6542",)), has_fix=True),
    )
    assert (putty.impact or "").startswith("Successful exploitation could allow")
    backdoor = findings["'Back Orifice' Backdoor"]
    digest = "sha256:877a6f2a212c44021281f80cb1f4c73a09dce4e99a8cb8efcc03f7ce3c877a6f"
    image = Image(digest=digest, repository="asc/msi-connector", registry="myRegistry")
    assert backdoor.grouped == GroupedFacts(cves=Cves(ids=("CVE-2019-12345",)), image=image, has_fix=True)
    assert (backdoor.status_description, backdoor.cvss) == ("The resource is unhealthy", "10 (CVSS 3.0)")
    rule = findings["Database-level firewall rules should be tracked and maintained at a strict minimum"]
    assert (rule.type, rule.grouped, rule.cvss) == ("VA2064", None, None)
    assert (rule.impact or "").startswith("Firewall rules should be strictly configured")
