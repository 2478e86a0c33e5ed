"""When a rule about a category, a package, CVEs or an owner holds a finding back, and when it must not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from router.decide import explain
from router.decide.suppression import find_suppressor
from router.domain.owners import Owner, Owners, Ownership
from router.domain.posture import Cves, Package
from router.domain.rulebook import Rulebook
from router.domain.signals import Finding, Stream
from router.domain.suppression import Element, Operator, SuppressionRule, Suppressions
from tests.builders import NOW, SUBSCRIPTION, a_finding, a_rule, a_rulebook, an_alert, an_element, an_ip

OWNERS = Owners(
    (
        Ownership(lambda _, group: group == "rg-web", Owner("web-shop", "Web shop")),
        Ownership(lambda _, group: group == "rg-db", Owner(None, "Ledger")),
    )
)
ONE, TWO, THREE = "CVE-2021-23337", "CVE-2020-8203", "CVE-2026-1"


def an_update(*cves: str, is_whole: bool = True, group: str = "rg-web", **fields: Any) -> Finding:
    """A recommendation to update lodash, for CVEs, on a resource in a resource group."""
    finding = a_finding()
    update = replace(
        finding,
        category="SoftwareUpdate",
        package=Package(name="lodash"),
        cves=Cves(ids=cves, is_whole=is_whole),
        resource=(finding.resource or "").replace("rg-web", group),
    )
    return replace(update, **fields)


def about(*elements: Element, type: str = "SoftwareUpdate", name: str = "accepted", days: int = 30) -> SuppressionRule:
    """A rule about a category, with each of some elements on the finding itself."""
    return a_rule(name, alert_type=type, expires=NOW + timedelta(days=days), groups=[[one] for one in elements])


def holds(rule: SuppressionRule, finding: Finding) -> bool:
    is_held = find_suppressor(finding, Suppressions.from_rules([rule]), NOW, OWNERS) is rule
    assert (explain(finding, a_book(rule), NOW).holder is rule) is is_held
    return is_held


def answers_of(finding: Finding, *rules: SuppressionRule) -> dict[str, str]:
    """What an explanation answers, by its questions."""
    return {step.question: step.answer for step in explain(finding, a_book(*rules), NOW).steps}


def a_book(*rules: SuppressionRule) -> Rulebook:
    """A rulebook of findings, with owners."""
    return replace(a_rulebook(*rules, stream=Stream.CSPM), owners=OWNERS)


def test_a_rule_on_cves_names_every_cve_of_what_it_holds() -> None:
    """One that it does not name is told, and so is what may name more than was read; by category and by assessment key.
    Who accepted one CVE did not look at the other: two rules do not hold together what neither holds."""
    for finding, is_held in (
        (an_update(ONE), True),
        (an_update(ONE, TWO), True),
        (an_update(ONE, THREE), False),
        (an_update(THREE, ONE), False),
        (an_update(), False),
        (an_update(cves=None), False),
        (an_update(ONE, is_whole=False), False),
        (an_update(ONE, TWO, is_whole=False), False),
    ):
        for type in ("softwareUPDATE", "assessment-1"):
            assert holds(about(an_element("cve", ONE.lower(), TWO), type=type), finding) is is_held, finding.cves
    rules = [about(an_element("cve", one), name=one) for one in (ONE, TWO)]
    assert find_suppressor(an_update(ONE, TWO), Suppressions.from_rules(rules), NOW, OWNERS) is None


def test_a_package_and_an_owner_are_asked_for_as_other_fields_are() -> None:
    """By whole values or by parts, ignoring case; what has none is not held. Every element must hold."""
    for element, finding, is_held in (
        (an_element("package", "LODASH"), an_update(), True),
        (an_element("package", "lodash"), an_update(package=Package(name="lodash-es")), False),
        (an_element("package", "odas", operator=Operator.CONTAINS), an_update(), True),
        (an_element("package", "lodash"), an_update(package=None, extended={"package": "lodash"}), False),
        (an_element("owner", "web-SHOP"), an_update(), True),
        (an_element("owner", "web shop"), an_update(), True),
        (an_element("owner", "web", operator=Operator.CONTAINS), an_update(), True),
        (an_element("owner", "web-shop"), an_update(group="rg-db"), False),
        (an_element("owner", "ledger"), an_update(group="rg-db"), True),
        (an_element("owner", "nobody"), an_update(group="rg-other"), False),
    ):
        assert holds(about(element), finding) is is_held, element
    both = about(an_element("package", "lodash"), an_element("owner", "web-shop"))
    findings = an_update(), an_update(group="rg-db"), an_update(package=Package(name="curl"))
    assert [holds(both, finding) for finding in findings] == [True, False, False]


def test_a_rule_is_about_the_category_only_with_a_narrow_scope() -> None:
    """A scope that says nothing of a resource, package, CVE or owner never reaches beyond a type. What Defender sorts resources
    under is no category, and alerts have none. Of rules on the type and on the category the last to expire is named."""
    wide, package = an_element("subscriptionId", SUBSCRIPTION), an_element("package", "lodash")
    finding = an_update()
    assert holds(about(wide, type=finding.type), finding)
    assert not holds(about(wide), finding)
    beside = Suppressions.from_rules([about(wide), about(an_element("package", "curl"), name="beside")])
    assert find_suppressor(finding, beside, NOW, OWNERS) is None
    assert holds(about(wide, an_element("resourceId", finding.resource or "")), finding)
    assert not holds(about(package, type="SystemUpdate"), finding)
    assert not holds(about(package), replace(finding, category=None))
    assert not holds(about(package), an_update(category=None, categories=("SoftwareUpdate",)))
    rules = Suppressions.from_rules([a_rule(alert_type="SoftwareUpdate")])
    assert find_suppressor(an_alert(Entities=[an_ip("10.20.0.5")]), rules, NOW, OWNERS) is None
    package = an_element("package", "lodash")
    for days in (10, 50):
        pair = [about(package, name="category"), about(package, name="type", type=an_update().type, days=days)]
        assert find_suppressor(an_update(), Suppressions.from_rules(pair), NOW, OWNERS) is pair[days > 30]


def test_an_explanation_says_which_cve_is_not_named_and_which_category_no_rule_is_about() -> None:
    """So that its reader knows what to look at."""
    many = an_update(*(f"CVE-2026-{number}" for number in range(1, 9)))
    unnamed = "no, the rule must name every CVE, and does not name"
    for finding, said in (
        (an_update(ONE, TWO), f"{unnamed} CVE-2020-8203"),
        (an_update(ONE, is_whole=False), "no, its list of CVEs was cut, so it may name more than the rule does"),
        (an_update(), "no, cve in ['cve-2021-23337'] is not met: the signal has nothing there"),
        (many, f"{unnamed} CVE-2026-1, CVE-2026-2, CVE-2026-3, CVE-2026-4, CVE-2026-5 and 3 more"),
        (an_update(ONE), f"yes, until {NOW + timedelta(days=30):%Y-%m-%dT%H:%M:%SZ}"),
    ):
        assert answers_of(finding, about(an_element("cve", ONE)))["held by accepted?"] == said
    answer = answers_of(an_update())["held by a rule?"]
    assert answer == "no, there is no rule for assessment-1, nor for SoftwareUpdate"
