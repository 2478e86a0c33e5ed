"""What people read of software, CVEs, risk and coverage, each thing once: a property that a fact tells is not told again."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from router.destinations.base import document_of
from router.destinations.paging import details_of
from router.destinations.wording.changes import ending_of
from router.destinations.wording.chat_text import first_screen_of
from router.destinations.wording.facts import coverage_words, image_words, package_words, risk_words, words_of_posture
from router.destinations.wording.headlines import headline, reporter_of
from router.destinations.wording.plain_text import text_of
from router.domain.coverage import Rung
from router.domain.decisions import Change
from router.domain.deliveries import Background, Counterpart
from router.domain.evidence import Evidence
from router.domain.notices import Group, Link, NamedMember, Notice
from router.domain.posture import DatabaseRule, Image, Package, Risk
from router.domain.recommendations import EDR_INSTALLED, RECOMMENDATIONS
from router.domain.rulebook import Lane
from router.domain.severity import Severity
from tests.destinations.builders import NOW, a_briefing, a_delivery, a_finding, a_notice, a_software_update


def fact(name: str, **changes: Any) -> str | None:
    """One fact of a software update."""
    briefing = a_briefing(a_software_update(**changes))
    facts = {one.name: ", ".join(one.values) for one in (*briefing.what, *briefing.evidence)}
    return facts.get(name)


def test_risk_packages_and_images_in_words() -> None:
    """The level as Defender wrote it, with its reasons; what is installed and mends it; an image as registries write it."""
    risks: dict[Risk | None, str | None] = {
        None: None,
        Risk(level=Severity.HIGH, is_contextual=True): "High",
        Risk(level=Severity.HIGH): "High (by its severity)",
        Risk(level=None, written="Not evaluated", is_contextual=True): "Not evaluated",
        Risk(level=None, written="None", factors=("Sensitive Data",)): "None (Sensitive Data)",
        Risk(level=Severity.HIGH, attack_paths=("a", "b"), is_contextual=True): "High (on 2 attack paths)",
    }
    assert {risk: risk_words(risk) for risk in risks} == risks
    packages: dict[Package | None, str | None] = {
        None: None,
        Package(name="lodash"): "lodash, no fix",
        Package(name="lodash", installed=("1", "2"), fixed="3"): "lodash 1, 2 -> 3",
        Package(name="lodash", type="npm", installed=("1",), fix_status="NoFix"): "lodash (npm) 1, no fix",
    }
    assert {package: package_words(package) for package in packages} == packages
    registry, digest = "shop.azurecr.io", "sha256:0a"
    images: dict[Image | None, str | None] = {
        None: None,
        Image(repository="shop/web", digest=digest): f"shop/web@{digest}",
        Image(repository="web", registry=registry, tags=("1.4", "latest")): f"{registry}/web:1.4",
        Image(repository="web", registry=registry, tags=("1.4",), digest=digest): f"{registry}/web:1.4@{digest}",
        Image(digest=digest, registry=registry, tags=("1.4",)): digest,
    }
    assert {image: image_words(image) for image in images} == images
    assert fact("Rule", rule=DatabaseRule(id="VA1059", server="sql-1", database="orders")) == "VA1059 on sql-1/orders"
    assert fact("Rule", rule=DatabaseRule(id="VA1059")) == "VA1059"


def test_cves_in_words() -> None:
    """The first few, and how many more there are, as far as the notice names them."""
    told = {
        ("", False): None, ("abcde", False): "a, b, c, d, e", ("abcdef", False): "a, b, c, d, e and 1 more",
        ("abcdefg", True): "a, b, c, d, e and 2 more at least", ("a", True): "a and others", ("", True): "others",
    }  # fmt: skip
    assert {(cves, more): fact("CVEs", cves=tuple(cves), has_more_cves=more) for cves, more in told} == told


def test_a_document_says_how_a_signal_ended_that_nobody_says_is_fixed() -> None:
    """Its receiver need not read it out of the reason; of what Defender says is over it is null."""
    closing = "not seen since 2026-11-03, two snapshots came without it"
    assert document_of(a_delivery(), a_finding(closing=closing))["closing"] == closing
    assert document_of(a_delivery(), a_finding())["closing"] is None


def test_a_summary_of_groups_says_how_many_wait_and_which_open_next() -> None:
    """Its headline counts signals and groups, its text names groups; once nothing waits it says so, and never "fixed"."""
    named = tuple(NamedMember(key=f"g{n}", title=f"Update p{n}", severity="High", place="3 signals") for n in range(2))
    by = (("limit", "100 openings in 1d"),)
    group = Group(by=by, total=90, standing=60, named=named, limited=True, groups=20)
    notice = a_software_update(group=group)
    assert "60 of 90 wait in 20 groups for room under the limit of 100 openings in 1d, the gravest: " in headline(
        notice, 500
    )
    text = text_of(a_briefing(notice), 10_000)
    assert "WAITING FOR THEIR TURN\n- High: Update p0 - 3 signals\n- High: Update p1 - 3 signals\n- and 18 more" in text
    assert "60 signals wait for room in 20 groups; each group gets a ticket of its own" in text
    over = a_software_update(group=replace(group, standing=0, groups=0, named=()))
    assert "none of 90 waits any longer" in headline(over, 500)
    assert "NONE WAITS ANY LONGER" in text_of(a_briefing(over), 10_000)
    assert ending_of(over, None, NOW) == "All that waited for room has a ticket of its own by now, or is over."
    assert ending_of(a_software_update(), None, NOW) != ending_of(over, None, NOW)


def test_what_mends_it_in_words() -> None:
    """Whether there is a fix where no version is named, how much work it is, and what it may lead to."""
    words = words_of_posture(
        a_software_update(has_fix=False, effort="Low", user_impact="High", threats=("DataSpillage", "AccountBreach"))
    )
    assert (words["Fix"], words["Effort"]) == ("none is known", "Low, impact on users: High")
    assert words["Threats"] == "DataSpillage, AccountBreach"
    assert words_of_posture(a_software_update(has_fix=True))["Fix"] == "available"
    bare = words_of_posture(a_software_update())
    assert (bare["Fix"], bare["Effort"], bare["Threats"]) == (None, None, None)


def without_a_sensor(**changes: Any) -> Notice:
    """A machine without a sensor, which Defender calls low."""
    return a_finding(**{"type": EDR_INSTALLED, "severity": "High", "severity_written": "Low"} | changes)


def silence_of(rung: str) -> Notice:
    """What the router says of a source that is silent."""
    return a_finding(kind="coverage", type=rung, severity="Medium", severity_written="High", remediation=())


def test_a_ticket_says_which_rung_is_missing_and_what_comes_of_that() -> None:
    """Beside its severity, whose two authors it names; as a detail too, until it is over: rules of pagers may ask for it."""
    words = "sensor-installed: no sensor is there, so what happens inside raises no alert"
    lines = text_of(a_briefing(without_a_sensor()), 10_000).splitlines()
    assert lines[lines.index("Severity: High") + 1] == f"Not watched: {words}; High by the policy, Defender says Low"
    assert any("alert-router coverage check" in line for line in lines)
    notice = without_a_sensor(severity_written=" high ", remediation=("Deploy it.",))
    told = details_of(a_briefing(notice))
    assert (told["not_watched"], told["remediation"][0], len(told["remediation"])) == (words, "Deploy it.", 3)
    over = details_of(a_briefing(notice, Change.RESOLVED))
    assert ("not_watched" not in over, over["remediation"]) == (True, ("Deploy it.",))


def test_each_recommendation_that_counts_has_words_and_something_to_do() -> None:
    """Also where the message has no remediation; what is known of it is told, such as that Helm leaves it unhealthy."""
    for one in RECOMMENDATIONS:
        notice = without_a_sensor(type=one.key or "f00d", title=one.title, remediation=())
        words, steps = coverage_words(notice, is_over=False), details_of(a_briefing(notice)).get("remediation", ())
        assert (words is not None, bool(steps)) == (not one.is_deprecated, not one.is_deprecated), one
        if not one.is_deprecated:
            assert words is not None and words.startswith(f"{one.rung}: ")
            assert all(any(it in step for step in steps) for it in filter(None, (one.note, one.plan)))


def test_a_silent_source_is_the_router_s_own_word() -> None:
    """No page of Defender's says so; any other finding says nothing of coverage, nor more to do than its message."""
    for rung in Rung:
        notice = silence_of(rung)
        assert coverage_words(notice, is_over=False) == (
            f"{rung}: coverage.yaml expects it, and nothing was heard of it for too long, so what happens there may tell nobody"
        )
        assert reporter_of(notice) == "alert-router"
        assert details_of(a_briefing(notice))["remediation"]
        told = replace(notice, remediation=("Look at continuous export.",))
        assert details_of(a_briefing(told))["remediation"] == ("Look at continuous export.",)
    assert coverage_words(silence_of("odd"), is_over=False)
    other = a_finding(remediation=("Close it.",))
    assert coverage_words(other, is_over=False) is None
    assert details_of(a_briefing(other))["remediation"] == ("Close it.",)


def others_in(notice: Notice, **extended: str) -> list[str]:
    """The names of the properties that a notice with these tells beside its facts."""
    told = {field: getattr(notice, field) for field in ("package", "rule", "scanner", "impact", "targets", "cvss")}
    return [fact.name for fact in a_briefing(a_notice(**told, extended=extended, unlisted=tuple(extended))).others]


def test_a_property_that_a_fact_tells_whole_is_not_told_again() -> None:
    """It is told where its value is another, and where no fact has it, such as the target of a Key Vault alert."""
    told: list[tuple[dict[str, Any], str, str]] = [
        ({}, "SoftwareName", "lodash"), ({}, "PackageType", "npm"), ({}, "DetectedSoftwareVersions", "4.17.15"),
        ({}, "FixedVersion", "4.17.21"), ({}, "Scanner", "mdvm"), ({"cvss": "8.7"}, "MaxCvssScore", "8.7"),
        ({"impact": "It stops."}, "impact", "It stops."), ({"targets": ("kv-pay",)}, "target", "kv-pay"),
        ({"rule": DatabaseRule(id="VA1", server="sql-1")}, "ruleId", "VA1"),
    ]  # fmt: skip
    for by, name, value in told:
        finding = a_software_update(**by)
        assert others_in(finding, **{name: value}) == []
        assert others_in(finding, **{name: f"{value}, more"}) == [name]
        assert others_in(a_notice(), **{name: value}) == [name]


def test_a_report_that_is_a_link_is_evidence_by_its_name() -> None:
    """Its page stands among the links; a report whose page does not is told with its address."""
    gold, iron = "https://reports.example/gold", "https://reports.example/iron"
    evidence = Evidence(threats=(f"Report: GOLD: {gold}", f"Report: IRON: {iron}"))
    briefing = a_briefing(a_notice(evidence=evidence, links=(Link(text="Report: GOLD", url=gold),)))
    (threats,) = briefing.evidence
    assert threats.values == ("Report: GOLD", f"Report: IRON: {iron}")


def test_a_page_has_all_of_a_threat_and_of_a_property() -> None:
    """What a finding may lead to stands beside what intelligence says; a property that holds a list is told whole."""
    notice = a_software_update(threats=("Data exfiltration",), evidence=Evidence(threats=("Botnet",)))
    assert details_of(a_briefing(notice))["threats"] == ("Data exfiltration", "Botnet")
    notice = a_notice(extended={"Odd Things": json.dumps(["first", "second", "third"])}, unlisted=("Odd Things",))
    assert all(word in str(details_of(a_briefing(notice))) for word in ("first", "second", "third"))


def test_nobody_is_sent_to_what_cannot_be_looked_up() -> None:
    """A mail's number in its server's queue, a webhook's id and `no open issue` are no tickets."""
    mail = Counterpart(destination="mail", lane=Lane.TICKET, reference="4XQueueId12")
    assert a_briefing(a_notice(), background=Background(elsewhere=(mail,))).in_full is None


def test_a_part_of_the_place_is_not_told_again_on_a_first_screen() -> None:
    """Where it happened says `cluster/namespace/pod`, which is each of the three."""
    cluster = "/subscriptions/1/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/aks"
    evidence = Evidence(clusters=("aks",), namespaces=("shop",), pods=("web-1",), containers=("web",))
    notice = a_notice(resource=cluster, compromised_entity="aks", cluster="aks", evidence=evidence)
    names = [line.name for line in first_screen_of(a_briefing(notice)).facts]
    assert "Containers" in names
    assert not {"Clusters", "Namespaces", "Pods"} & {*names}


def test_values_that_hold_a_comma_stand_on_lines_of_their_own() -> None:
    """On one line nobody could tell where one ends; those that hold none stand on one line as long as they are short."""
    evidence = Evidence(ips=("192.0.2.1", "192.0.2.2"), locations=("192.0.2.1: Ghent, Belgium", "192.0.2.2: Utrecht"))
    lines = text_of(a_briefing(a_notice(evidence=evidence)), 10_000).splitlines()
    assert "IP addresses: 192.0.2.1, 192.0.2.2" in lines
    at = lines.index("Locations:")
    assert lines[at + 1 : at + 3] == ["- 192.0.2.1: Ghent, Belgium", "- 192.0.2.2: Utrecht"]
