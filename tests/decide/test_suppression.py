"""When a suppression rule holds a signal back, and when it must not; shadow rules say what they would hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from router.decide import decide, explain
from router.decide.suppression import covers, find_suppressor
from router.domain.decisions import Outcome
from router.domain.owners import NO_OWNERS
from router.domain.rulebook import Rulebook
from router.domain.signals import Alert
from router.domain.suppression import Element, Operator, SuppressionRule, Suppressions
from tests.builders import (
    NOW,
    RESOURCE,
    SUBSCRIPTION,
    a_finding,
    a_route,
    a_rule,
    a_rulebook,
    an_alert,
    an_element,
    an_ip,
)

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


def test_the_alert_type_is_compared_whole() -> None:
    """A rule never reaches a type that it does not name."""
    rule = a_rule(alert_type="vm_test")
    assert holds(rule, Entities=[an_ip("10.20.0.5")])
    assert not holds(rule, AlertType="VM_Test2", Entities=[an_ip("10.20.0.5")])
    assert not holds(rule, AlertType="SIMULATED_VM_Test", Entities=[an_ip("10.20.0.5")])


def test_what_the_signal_itself_says_can_be_asked_too() -> None:
    """Beyond Defender's fields: the resource, the subscription, the compromised entity, an extended property."""
    for field, value in (
        ("resourceId", RESOURCE),
        ("subscriptionId", SUBSCRIPTION),
        ("compromisedEntity", "VM-1"),
        ("extendedProperties.client name", "Nessus"),
    ):
        rule = a_rule(groups=[[an_element(field, value)]])
        assert holds(rule, CompromisedEntity="vm-1", ExtendedProperties={"Client Name": "nessus"})
        assert not holds(rule, CompromisedEntity="vm-2", ExtendedProperties={}, AzureResourceId="/subscriptions/x/y")


def test_of_several_rules_the_one_that_expires_last_is_named_and_ties_go_by_name() -> None:
    """The decision names the rule that will hold the signal longest."""
    alert = an_alert(Entities=[an_ip("10.20.0.5")])
    early, late = a_rule("a-early"), a_rule("z-late", expires=NOW + timedelta(days=60))
    twin = a_rule("b-late", expires=NOW + timedelta(days=60))
    assert find_suppressor(alert, Suppressions.from_rules([early, late]), NOW, NO_OWNERS) is late
    assert find_suppressor(alert, Suppressions.from_rules([late, twin, early]), NOW, NO_OWNERS) is twin


HOSTS = st.sampled_from(["build-7", "web-1", "db-2", ""])
ADDRESSES = st.sampled_from(["10.20.0.5", "10.20.0.55", "00.00.00.00", "::1", "0:0::1", "::ffff:10.20.0.5"])
RANGES = st.sampled_from(
    ["10.20.0.0/24", "10.20.0.0/26", "10.0.0.0/8", "10.20.0.55/32", "::/127", "::ffff:10.0.0.0/104"]
)


def some(values: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    """One to three of them."""
    return st.lists(values, min_size=1, max_size=3)


ELEMENTS = st.one_of(
    some(ADDRESSES | RANGES).map(lambda values: an_element("entities.ip.address", *values)),
    some(HOSTS).map(lambda values: an_element("entities.host.hostname", *values)),
    st.sampled_from(["b", "web", "x"]).map(
        lambda value: an_element("entities.host.hostname", value, operator=Operator.CONTAINS)
    ),
    HOSTS.filter(bool).map(lambda value: an_element("compromisedEntity", value)),
)


@st.composite
def rules(draw: st.DrawFn, most: int = 3) -> list[SuppressionRule]:
    """Rules of two alert types, some over, some disabled, with elements grouped as the rulebook groups them."""
    found = []
    for number in range(draw(st.integers(0, 8))):
        groups: dict[object, list[Element]] = {}
        for element in draw(st.lists(ELEMENTS, min_size=1, max_size=most)):
            groups.setdefault(element.field.entity or element, []).append(element)
        found.append(
            a_rule(
                f"rule-{number}",
                alert_type=draw(st.sampled_from(["VM_Test", "VM_Other"])),
                expires=NOW + timedelta(days=draw(st.integers(-1, 2))),
                enabled=draw(st.booleans()),
                groups=list(groups.values()),
            )
        )
    return found


@given(rules(), st.lists(HOSTS, max_size=3), st.lists(ADDRESSES, max_size=3), HOSTS)
def test_the_index_and_asking_every_rule_agree(
    rules: list[SuppressionRule], hosts: list[str], addresses: list[str], compromised: str
) -> None:
    """`explain` asks each rule in turn, `decide` asks the index: they always name the same rule."""
    named = [HOST | {"HostName": host, "$id": f"h{n}"} for n, host in enumerate(hosts)]
    alert = an_alert(Entities=[*named, *map(an_ip, addresses)], CompromisedEntity=compromised)
    explanation = explain(alert, a_rulebook(*rules), NOW)
    assert explanation.decision.suppressed_by == (explanation.holder.name if explanation.holder is not None else None)


@given(rules(), st.lists(ADDRESSES, max_size=3))
def test_rules_that_are_over_or_disabled_change_no_decision(rules: list[SuppressionRule], addresses: list[str]) -> None:
    """A rule that is not active is as good as absent, and the order of rules never matters."""
    alert = an_alert(Entities=[an_ip(address) for address in addresses])
    active = [rule for rule in reversed(rules) if rule.is_active(NOW)]
    assert explain(alert, a_rulebook(*rules), NOW).decision == explain(alert, a_rulebook(*active), NOW).decision


def with_shadows(book: Rulebook, *shadows: SuppressionRule) -> Rulebook:
    """The same rules with some shadow rules."""
    return replace(book, shadows=Suppressions.from_rules(shadows))


# What is drawn is likely to be covered: else the property would speak of nothing.
SHADOWED = st.builds(
    lambda of_type, severity, status, ips: an_alert(
        AlertType=of_type,
        Severity=severity,
        Status=status,
        CompromisedEntity="web-1",
        Entities=[HOST, *map(an_ip, ips)],
    ),
    st.sampled_from(["VM_Test", "VM_Test", "VM_Other"]),
    st.sampled_from(["High", "High", "Odd", "Low"]),
    st.sampled_from(["New", "New", "Resolved"]),
    st.lists(ADDRESSES, min_size=1, max_size=2),
)


@given(rules(1), rules(1), SHADOWED)
def test_no_shadow_rule_changes_anything_but_what_is_said_of_shadow_rules(
    live: Sequence[SuppressionRule], shadows: Sequence[SuppressionRule], alert: Alert
) -> None:
    """Outcome, reason, steps, destinations; all that would hold it are named, and an explanation says of each whether."""
    book = a_rulebook(*live, routes=[a_route("tickets", "tickets")])
    alone, beside = decide(alert, book, NOW), decide(alert, with_shadows(book, *shadows), NOW)
    assert replace(beside, shadowed_by=()) == alone
    would_hold = sorted(rule.name for rule in shadows if rule.is_active(NOW) and covers(rule, alert, NO_OWNERS))
    is_asked = alone.outcome in (Outcome.SUPPRESSED, Outcome.ROUTED)
    # The index finds those that asking each by itself finds, where rules are asked at all.
    about = {rule.name for rule in shadows if rule.alert_type == alert.type.casefold()}
    assert list(beside.shadowed_by) == ([name for name in would_hold if name in about] if is_asked else [])
    begin = "would be held by shadow rule "
    asked = [
        step for step in explain(alert, with_shadows(book, *shadows), NOW).steps if step.question.startswith(begin)
    ]
    answers = {step.question.removeprefix(begin).removesuffix("?"): step.answer for step in asked}
    assert answers.keys() == about
    if is_asked:
        assert {name for name, answer in answers.items() if answer.startswith("yes, until ")} == set(beside.shadowed_by)


def test_what_a_rule_holds_says_which_shadow_rules_would_hold_it_too() -> None:
    """All of them, in the order of their names; at its end one would hold nothing any more."""
    alert = an_alert(Entities=[an_ip("10.20.0.5")])
    ends = a_rule("ends", expires=NOW), a_rule("last", expires=NOW + timedelta(microseconds=1))
    book = with_shadows(a_rulebook(a_rule()), a_rule("two"), a_rule("one"), a_rule("off", enabled=False), *ends)
    decision = decide(alert, book, NOW)
    assert (decision.suppressed_by, decision.shadowed_by) == ("scanner", ("last", "one", "two"))
    assert decide(alert, with_shadows(a_rulebook(), a_rule("try")), NOW).outcome is Outcome.ROUTED


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
