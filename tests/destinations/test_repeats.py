"""People are told each thing once: a property that a fact tells, and a page that is a link, are not told again."""

from __future__ import annotations

from typing import Any

import pytest

from router.destinations.paging import details_of
from router.destinations.wording.chat_text import first_screen_of
from router.destinations.wording.plain_text import text_of
from router.domain.evidence import Evidence
from router.domain.notices import Link, Notice
from router.domain.posture import DatabaseRule
from tests.destinations.builders import a_briefing, a_notice, a_software_update


def others_in(notice: Notice, **extended: str) -> list[str]:
    """The names of the properties that a notice with these tells beside its facts."""
    told = {field: getattr(notice, field) for field in ("package", "rule", "scanner", "impact", "targets", "cvss")}
    return [fact.name for fact in a_briefing(a_notice(**told, extended=extended, unlisted=tuple(extended))).others]


@pytest.mark.parametrize(
    ("fact", "name", "value"),
    [
        ({}, "SoftwareName", "lodash"),
        ({}, "PackageType", "npm"),
        ({}, "DetectedSoftwareVersions", "4.17.15"),
        ({}, "FixedVersion", "4.17.21"),
        ({}, "Scanner", "mdvm"),
        ({"cvss": "8.7"}, "MaxCvssScore", "8.7"),
        ({"impact": "It stops."}, "impact", "It stops."),
        ({"targets": ("kv-pay",)}, "target", "kv-pay"),
        ({"rule": DatabaseRule(id="VA1", server="sql-1")}, "ruleId", "VA1"),
    ],
)
def test_a_property_that_a_fact_tells_whole_is_not_told_again(fact: dict[str, Any], name: str, value: str) -> None:
    """It is told where its value is another, and where no fact has it, such as the target of a Key Vault alert."""
    finding = a_software_update(**fact)
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


def test_what_a_finding_may_lead_to_stands_beside_what_intelligence_says() -> None:
    """Both are called threats; neither takes the place of the other in a page's details."""
    notice = a_software_update(threats=("Data exfiltration",), evidence=Evidence(threats=("Botnet",)))
    assert details_of(a_briefing(notice))["threats"] == ("Data exfiltration", "Botnet")


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
