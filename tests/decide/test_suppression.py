"""When a suppression rule holds a signal back, also a finding by its category, package, CVEs or owner; shadow rules."""

from collections.abc import Sequence
from copy import replace
from datetime import timedelta
from typing import Any

from hypothesis import given, settings

from router.decide import decide
from router.decide.explanation import explain
from router.decide.suppression import covers, find_suppressor, is_about, scope_words
from router.domain.decisions import Outcome
from router.domain.owners import NO_OWNERS, Owner, Owners, Ownership
from router.domain.posture import Cves, Package
from router.domain.rulebook import Rulebook
from router.domain.signals import Finding, Signal, Stream
from router.domain.suppression import Element, Operator, SuppressionRule, Suppressions
from tests.builders import NOW, RESOURCE, SUBSCRIPTION, a_finding, a_rule, a_rulebook, an_alert, an_element, an_ip
from tests.domain.test_rule_fields import OWNERS, signals_and_rules
from tests.examples import some_of

HOST = {"$id": "h", "Type": "host", "HostName": "build-7", "DnsDomain": "corp"}


def holds(rule: SuppressionRule, **alert: object) -> bool:
    return find_suppressor(an_alert("alert-1", **alert), Suppressions.from_rules([rule]), NOW, NO_OWNERS) is rule


def test_in_compares_whole_values_and_contains_looks_inside() -> None:
    """An element holds when an entity's property equals one of its values, or has one in it, in whatever case."""
    for address in ("10.20.0.5", "::ffff:0a14:0005"):
        assert holds(a_rule(ip=["10.20.0.5", "::FFFF:A14:5"]), Entities=[an_ip(address)])
    assert not holds(a_rule(ip=["10.20.0.5"]), Entities=[an_ip("10.20.0.55")])
    rule = a_rule(groups=[[an_element("entities.host.hostname", "BUILD-", operator=Operator.CONTAINS)]])
    assert holds(rule, Entities=[HOST])
    assert not holds(rule, Entities=[HOST | {"HostName": "web-1"}])


def test_a_range_holds_the_addresses_in_it_in_whatever_spelling() -> None:
    """What is no address is in no range, and an IPv4 address that is mapped into IPv6 is in that of the IPv4 address."""
    for range, address, is_held in (
        ("10.20.0.0/16", "::FFFF:0A14:0005", True),
        ("::ffff:10.20.0.0/112", "10.20.0.5", True),
        ("2001:db8::/32", "2001:0DB8:0:0:0:0:0:1", True),
        ("fe80::/10", "fe80::1%eth0", True),
        ("10.20.0.0/16", "10.20.0.0/16", False),
        ("10.20.0.0/16", "10.20.0.5:443", False),
        ("10.20.0.0/16", "10.20.00.5", False),
        ("10.20.0.0/16", "", False),
    ):
        assert holds(a_rule(ip=[range]), Entities=[an_ip(address)]) is is_held, (range, address)
        assert holds(a_rule(ip=["192.0.2.1", range]), Entities=[an_ip("192.0.2.9"), an_ip(address)]) is is_held


def test_elements_on_one_entity_type_must_be_met_by_the_same_entity() -> None:
    """Two hosts that each meet half of a rule do not meet it together; elements on different types may be met by different
    entities, but each must hold. Nothing to compare is no match."""
    name, domain = an_element("entities.host.hostname", "build-7"), an_element("entities.host.dnsdomain", "corp")
    halves = [HOST | {"DnsDomain": "lab"}, {"$id": "i", "Type": "host", "HostName": "web-1", "DnsDomain": "corp"}]
    assert holds(a_rule(groups=[[name, domain]]), Entities=[HOST])
    assert not holds(a_rule(groups=[[name, domain]]), Entities=halves)
    both = a_rule(groups=[[name], [an_element("entities.ip.address", "10.20.0.5")]])
    assert holds(both, Entities=[HOST, an_ip("10.20.0.5")])
    assert not holds(both, Entities=[HOST])
    assert not holds(a_rule(), Entities=[])
    assert not holds(a_rule(groups=[]), Entities=[an_ip("10.20.0.5")])
    assert scope_words([]) == "nothing is named, so it holds nothing"


def test_azureresource_names_the_type_with_a_dash_also_nested_in_others() -> None:
    """Entities nested in others count, and so does what a bare reference points at; a finding offers its resource as one."""
    resource = {"$id": "r", "Type": "azure-resource", "ResourceId": "/subscriptions/S/resourceGroups/RG-WEB/x"}
    element = an_element("entities.azureresource.resourceid", "/resourcegroups/rg-web/", operator=Operator.CONTAINS)
    nested = [{"$id": "c", "Type": "K8s-cluster", "CloudResource": resource}, {"$ref": "r"}]
    assert holds(a_rule(groups=[[element]]), Entities=nested)
    rule = a_rule(alert_type="assessment-1", groups=[[element]])
    assert find_suppressor(a_finding(), Suppressions.from_rules([rule]), NOW, NO_OWNERS) is rule


def test_what_the_signal_itself_says_can_be_asked_too() -> None:
    """Beyond Defender's fields: the resource, the subscription, the compromised entity, an extended property. A rule
    never reaches a type that it does not name."""
    for field, value in (
        ("resourceId", RESOURCE),
        ("subscriptionId", SUBSCRIPTION),
        ("compromisedEntity", "VM-1"),
        ("extendedProperties.client name", "Nessus"),
    ):
        rule = a_rule(groups=[[an_element(field, value)]])
        assert holds(rule, CompromisedEntity="vm-1", ExtendedProperties={"Client Name": "nessus"})
        assert not holds(rule, CompromisedEntity="vm-2", ExtendedProperties={}, AzureResourceId="/subscriptions/x/y")
    rule = a_rule(alert_type="vm_test")
    assert holds(rule, Entities=[an_ip("10.20.0.5")])
    assert not holds(rule, AlertType="VM_Test2", Entities=[an_ip("10.20.0.5")])
    assert not holds(rule, AlertType="SIMULATED_VM_Test", Entities=[an_ip("10.20.0.5")])


def with_shadows(book: Rulebook, *shadows: SuppressionRule) -> Rulebook:
    """The same rules with some shadow rules."""
    return replace(book, shadows=Suppressions.from_rules(shadows))


@settings(max_examples=some_of(200))
@given(signals_and_rules())
def test_the_index_finds_what_asking_each_rule_by_itself_finds(drawn: tuple[Signal, list[SuppressionRule]]) -> None:
    """Of the rules that hold a signal and are in force, the one that ends last is named, whatever their order. Shadow rules
    change nothing, and all that would hold it are named. What may name an unread CVE is held by no rule that asks for CVEs."""
    signal, rules = drawn
    live, shadows = rules[::2], rules[1::2]
    active = [rule for rule in rules if rule.is_active(NOW)]
    holding = [rule for rule in active if is_about(rule, signal) and covers(rule, signal, OWNERS)]
    last = min(
        (one for one in holding if one in live), key=lambda one: (-one.expires.timestamp(), one.name), default=None
    )
    assert find_suppressor(signal, Suppressions.from_rules(live[::-1]), NOW, OWNERS) is last
    book = replace(a_rulebook(*live, stream=signal.stream), owners=OWNERS)
    alone, beside = decide(signal, book, NOW), decide(signal, with_shadows(book, *shadows), NOW)
    is_asked = alone.outcome in (Outcome.SUPPRESSED, Outcome.ROUTED)
    assert replace(beside, shadowed_by=()) == alone
    assert alone.suppressed_by == (last.name if last is not None and is_asked else None)
    assert list(beside.shadowed_by) == sorted(one.name for one in holding if one in shadows and is_asked)
    explanation = explain(signal, with_shadows(book, *shadows), NOW)
    assert (explanation.decision, explanation.holder) == (beside, last)
    begin = "would be held by shadow rule "
    yes = [step.question for step in explanation.steps if step.answer.startswith("yes, until ")]
    assert {f"{begin}{one.name}?" for one in holding if one in shadows} == {one for one in yes if one.startswith(begin)}
    if isinstance(signal, Finding) and signal.cves is not None and not signal.cves.is_whole:
        assert "cve" not in {element.field.name for one in holding for group in one.groups for element in group}


def test_of_many_shadow_rules_only_those_are_asked_that_the_index_finds() -> None:
    """A thousand that name other addresses cost a signal no question; so the cost does not grow with them."""
    asked: list[str] = []

    class Watched(SuppressionRule):
        """A rule that notes that it was asked."""

        def is_active(self, now: object) -> bool:
            asked.append(self.name)
            return True

    def watched(name: str, address: str) -> SuppressionRule:
        rule = a_rule(name, ip=[address])
        return Watched(**{key: getattr(rule, key) for key in SuppressionRule.__struct_fields__})

    others = [watched(f"other-{n}", f"10.{n // 250}.{n % 250}.9") for n in range(1_000)]
    book = with_shadows(a_rulebook(), *others, watched("try", "10.20.0.5"))
    decision = decide(an_alert(Entities=[an_ip("10.20.0.5")]), book, NOW)
    assert (decision.shadowed_by, asked) == (("try",), ["try"])


TEAMS = Owners(
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


def last_of(rules: Sequence[SuppressionRule], finding: Finding) -> SuppressionRule | None:
    """The rule of some that holds a finding."""
    return find_suppressor(finding, Suppressions.from_rules(rules), NOW, TEAMS)


def is_held_by(rule: SuppressionRule, finding: Finding) -> bool:
    is_held = last_of([rule], finding) is rule
    assert (explain(finding, a_book(rule), NOW).holder is rule) is is_held
    return is_held


def a_book(*rules: SuppressionRule) -> Rulebook:
    """A rulebook of findings, with owners."""
    return replace(a_rulebook(*rules, stream=Stream.CSPM), owners=TEAMS)


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
            assert is_held_by(about(an_element("cve", ONE.lower(), TWO), type=type), finding) is is_held, finding.cves
    rules = [about(an_element("cve", one), name=one) for one in (ONE, TWO)]
    assert last_of(rules, an_update(ONE, TWO)) is None


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
        assert is_held_by(about(element), finding) is is_held, element
    both = about(an_element("package", "lodash"), an_element("owner", "web-shop"))
    findings = an_update(), an_update(group="rg-db"), an_update(package=Package(name="curl"))
    assert [is_held_by(both, finding) for finding in findings] == [True, False, False]


def test_a_rule_is_about_the_category_only_with_a_narrow_scope() -> None:
    """A scope that says nothing of a resource, package, CVE or owner never reaches beyond a type. What Defender sorts resources
    under is no category, and alerts have none. Of rules on the type and on the category the last to expire is named."""
    wide, package = an_element("subscriptionId", SUBSCRIPTION), an_element("package", "lodash")
    finding = an_update()
    assert is_held_by(about(wide, type=finding.type), finding)
    assert not is_held_by(about(wide), finding)
    assert last_of([about(wide), about(an_element("package", "curl"), name="beside")], finding) is None
    assert is_held_by(about(wide, an_element("resourceId", finding.resource or "")), finding)
    assert not is_held_by(about(package, type="SystemUpdate"), finding)
    assert not is_held_by(about(package), replace(finding, category=None))
    assert not is_held_by(about(package), an_update(category=None, categories=("SoftwareUpdate",)))
    assert not holds(a_rule(alert_type="SoftwareUpdate"), Entities=[an_ip("10.20.0.5")])
    for days in (10, 50):
        pair = [about(package, name="category"), about(package, name="type", type=finding.type, days=days)]
        assert last_of(pair, finding) is pair[days > 30]


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
        steps = explain(finding, a_book(about(an_element("cve", ONE))), NOW).steps
        assert ("held by accepted?", said) in [(step.question, step.answer) for step in steps]
    unruled = ("held by a rule?", "no, there is no rule for assessment-1, nor for SoftwareUpdate")
    assert unruled in [(step.question, step.answer) for step in explain(an_update(), a_book(), NOW).steps]
