"""People are told each thing once: a property that a fact tells, and a page that is a link, are not told again."""

from __future__ import annotations

from typing import Any

import pytest

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
