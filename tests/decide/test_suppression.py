"""When a suppression rule holds a signal back, and when it must not; shadow rules say what they would hold."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings

from router.decide import decide, explain
from router.decide.suppression import covers, find_suppressor, is_about
from router.domain.decisions import Outcome
from router.domain.owners import NO_OWNERS
from router.domain.rulebook import Rulebook
from router.domain.signals import Finding, Signal
from router.domain.suppression import Operator, SuppressionRule, Suppressions
from tests.builders import (
    NOW,
    RESOURCE,
    SUBSCRIPTION,
    a_finding,
    a_rule,
    a_rulebook,
    an_alert,
    an_element,
    an_ip,
)
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
        return Watched(**{key: getattr(rule, key) for key in SuppressionRule.__dataclass_fields__})

    others = [watched(f"other-{n}", f"10.{n // 250}.{n % 250}.9") for n in range(1_000)]
    book = with_shadows(a_rulebook(), *others, watched("try", "10.20.0.5"))
    decision = decide(an_alert(Entities=[an_ip("10.20.0.5")]), book, NOW)
    assert (decision.shadowed_by, asked) == (("try",), ["try"])
