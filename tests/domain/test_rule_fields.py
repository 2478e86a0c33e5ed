"""What rules can match of a signal is kept: every rule and route says the same of what is made of it again."""

from collections.abc import Iterator, Sequence
from copy import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide import decide
from router.decide.signal_facts import attack_of
from router.decide.suppression import covers, is_about, values_of
from router.domain.catalogue import Catalogue
from router.domain.owners import Owner, Owners, Ownership
from router.domain.posture import Cves, Package, Risk
from router.domain.recommendations import EDR_INSTALLED, find_missing_rung
from router.domain.rule_fields import ENTITY_FIELDS, RuleFields, rule_fields_of, signal_of
from router.domain.rulebook import Rulebook
from router.domain.severity import Severity
from router.domain.signals import Alert, Finding, Kind, Signal, Stream
from router.domain.suppression import Element, Field, Operator, SuppressionRule
from router.domain.tags import Tags
from router.parse import read_signals
from router.rulebook import load_catalogue
from router.rulebook.clauses import clauses_for
from router.rulebook.scope import PORTABLE, find_field
from router.rulebook.when_form import WhenForm
from router.store.codec import decode, encode
from tests import builders

SAMPLES = Path(__file__).parents[2] / "alert_router_demo" / "samples"


def rebuilt(signal: Signal) -> Alert | Finding:
    """A signal made again of what was kept, by way of what a store writes and reads."""
    fields = rule_fields_of(signal)
    stored = decode(RuleFields, encode(fields))
    assert stored == fields
    return signal_of(stored)


WORDS = st.sampled_from(
    ["build-7", "BUILD-7", "10.20.0.5", "::1", "0:0::1", "7", "True", "0.5", "İstanbul", "", "corp"]
)
VALUES: st.SearchStrategy[object] = st.one_of(
    WORDS,
    st.sampled_from([None, True, 7, 0.5, {"Type": "ip", "Address": "::1"}, {"$ref": "1"}, {"a": [["b"]]}]),
    st.lists(st.one_of(WORDS, st.sampled_from([None, 7, ["build-7"]])), max_size=3),
)
NAMES = sorted({name for names in ENTITY_FIELDS.values() for name in names})
SPELLINGS = st.sampled_from(NAMES + [name.upper() for name in NAMES] + [name.capitalize() for name in NAMES])


@st.composite
def entities(draw: st.DrawFn) -> dict[str, object]:
    """An entity of a type that rules may know, with properties in any case, other entities inside it, or references."""
    type = draw(st.sampled_from([*ENTITY_FIELDS, "azure-resource", "Azure_Resource", "IP", "K8s-pod", "url", ""]))
    named = {"$id": draw(st.sampled_from(["1", "2"])), draw(st.sampled_from(["Type", "type", "TYPE"])): type}
    properties: dict[str, object] = draw(st.dictionaries(SPELLINGS, VALUES, max_size=4))
    return named | properties | ({"Nested": draw(entities())} if draw(st.integers(0, 3)) == 0 else {})


AKS = "/subscriptions/x/resourceGroups/rg-web/providers/Microsoft.ContainerService/managedClusters/aks-1"
EKS = "/subscriptions/x/resourceGroups/rg-connectors/providers/Microsoft.Security/securityConnectors/corp/securityentitydata/c"
IN_CLUSTERS: Sequence[dict[str, object]] = (
    {"Type": "K8s-cluster", "Name": "arn:aws:eks:eu-west-2:123456789012:cluster/shop-prod"},
    {"Type": "K8s-cluster", "Name": "container.googleapis.com/projects/shop/zones/z/clusters/shop-prod"},
    {"Type": "gcp-resource", "ProjectNumber": "42"},
    {"Type": "K8s-namespace", "Name": "build-7"},
    {"Type": "K8s-namespace", "Name": "build-7", "Cluster": {"Type": "K8s-cluster", "Name": "aks-1"}},
)
"""Entities by which an alert says in which cluster it is."""

PLACES = [builders.RESOURCE, builders.RESOURCE.upper(), "/subscriptions/x/y", "vm-1", AKS, EKS, None]
EXTENDED = st.dictionaries(st.sampled_from(["Client Name", "client name", "User", "É", ""]), VALUES, max_size=4)


@st.composite
def alerts(draw: st.DrawFn) -> Signal:
    """Alerts as they are read, with whatever rules look at."""
    return read(
        builders.alert_body(
            AlertType=draw(st.sampled_from(["VM_Test", "SIMULATED_VM_Test", "SQL.DB_BruteForce", ""])),
            Severity=draw(st.sampled_from(["Low", "Medium", "High", "Critical", "odd", None])),
            Status=draw(st.sampled_from(["New", "Active", "Resolved", "InProgress", "", None])),
            Intent=draw(st.sampled_from(["Execution", "Persistence, CredentialAccess", "nonsense", ""])),
            Techniques=draw(st.sampled_from([[], ["T1562.001"], ["T1110", "T1059.001"]])),
            AzureResourceId=draw(st.sampled_from(PLACES)),
            ProductComponentName=draw(st.sampled_from(["VirtualMachines", "SqlServers", None])),
            IsIncident=draw(st.booleans()),
            CompromisedEntity=draw(WORDS),
            Entities=draw(st.lists(st.one_of(entities(), st.sampled_from(IN_CLUSTERS)), max_size=4)),
            ExtendedProperties=draw(EXTENDED) | draw(st.sampled_from([{}, {"Namespace": "build-7"}])),
        )
    )


LEVELS = st.none() | st.sampled_from(Severity)
CVES = st.sampled_from(["CVE-2021-1", "CVE-2022-2", "CVE-2026-33"])


@st.composite
def findings(draw: st.DrawFn) -> Signal:
    """Findings of every kind, with whatever rules look at."""
    action = draw(st.sampled_from(["Write", "Delete"]))
    key = draw(st.sampled_from(["assessment-1", EDR_INSTALLED]))
    kind = draw(st.sampled_from([kind for kind in Kind if kind.stream is Stream.CSPM]))
    finding = read(builders.finding_body(key, draw(st.sampled_from(["Unhealthy", "Healthy", "odd"])), action=action))
    assert isinstance(finding, Finding)
    return replace(
        finding,
        kind=kind,
        rung=find_missing_rung(kind, finding.type, finding.title),
        severity=draw(LEVELS),
        categories=tuple(draw(st.lists(st.sampled_from(["Data", "Compute"]), max_size=2))),
        extended=draw(EXTENDED),
        category=draw(st.sampled_from([None, "SoftwareUpdate", "softwareupdate", "ExposedSecrets"])),
        package=draw(st.none() | st.builds(Package, name=st.sampled_from(["lodash", "Lodash", "curl"]), type=WORDS)),
        cves=draw(st.none() | st.builds(Cves, ids=st.lists(CVES, max_size=3).map(tuple), is_whole=st.booleans())),
        risk=draw(st.none() | st.builds(Risk, level=LEVELS, is_contextual=st.booleans())),
        resource=draw(st.sampled_from([builders.RESOURCE, builders.RESOURCE.replace("rg-web", "rg-db"), None])),
    )


def read(body: bytes) -> Signal:
    (signal,) = read_signals(body, CATALOGUE)
    assert isinstance(signal, Signal), signal
    return signal


CATALOGUE = load_catalogue()
FIELDS = [
    *sorted(PORTABLE),
    "resourceId", "subscriptionId", "compromisedEntity", "package", "cve", "owner",
    "extendedProperties.Client Name", "extendedProperties.User", "extendedProperties.É",
]  # fmt: skip


def texts_offered(signal: Signal) -> list[tuple[str, str]]:
    """Each field that a rule may look at, with each text that a signal offers for it."""
    return [(name, text) for name in FIELDS for text in values_of(signal, field_of(name), OWNERS)]


def field_of(name: str) -> Field:
    found = find_field(name)
    assert found is not None
    return found


@st.composite
def signals_and_rules(draw: st.DrawFn) -> tuple[Signal, list[SuppressionRule]]:
    """A signal, and rules over what it offers and what it does not, with elements grouped as the rulebook groups them."""
    signal = draw(st.one_of(alerts(), findings()))
    offered = texts_offered(signal)
    asked = st.tuples(st.sampled_from(FIELDS), WORDS.filter(bool))
    # A rule on a finding's CVEs must name all of them, so some do.
    cves = signal.cves.ids if isinstance(signal, Finding) and signal.cves is not None else ()
    named = [signal.category] if isinstance(signal, Finding) and signal.category else []
    rules = []
    for number in range(draw(st.integers(1, 6))):
        groups: dict[object, list[Element]] = {}
        for _ in range(draw(st.sampled_from([1, 1, 2, 3]))):
            name, text = draw(
                st.one_of(st.sampled_from(offered), st.sampled_from(offered), asked) if offered else asked
            )
            where, operator = field_of(name), draw(st.sampled_from(Operator))
            part = text[draw(st.integers(0, 1)) :] if operator is Operator.CONTAINS else text
            texts = [text, *cves] if name == "cve" and draw(st.booleans()) else [part or text]
            ranges = ["10.20.0.0/24", "::/64"] if where.name == "address" and draw(st.booleans()) else []
            element = builders.an_element(name, *texts, *ranges, operator=Operator.IN if ranges else operator)
            groups.setdefault(where.entity or len(groups), []).append(element)
        rules.append(
            builders.a_rule(
                f"rule-{number}",
                alert_type=draw(st.sampled_from([signal.type, signal.type, *named, *named, "VM_Other"])),
                expires=builders.NOW + timedelta(days=draw(st.integers(0, 3))),
                enabled=draw(st.sampled_from([True, True, True, False])),
                groups=list(groups.values()),
            )
        )
    return signal, rules


WHENS: dict[str, Any] = {
    "severity": ["High", "unknown"], "at_least": "High", "alert_type": "VM_*", "plan": "VirtualMachines",
    "tactics": "Execution", "techniques": ["T1685", "T1110"], "subscription": builders.SUBSCRIPTION,
    "resource": "*/virtualmachines/*", "resource_type": "Microsoft.Compute/virtualMachines",
    "resource_group": ["rg-web", "rg-connectors"], "account": "123456789012", "project": ["shop", "42"],
    "cluster": ["shop-prod", "aks-1"], "namespace": "build-7", "connector": ["corp", "*-guid"], "tag": {"team": "web"},
    "incident": True, "sample": True, "kind": ["secure_score", "incident", "vulnerability"], "coverage": True,
    "category": ["Data", "SoftwareUpdate"], "package": "lod*", "cve": "CVE-2021-*", "risk": ["High", "unknown"],
    "owner": ["web", "nobody"], "status": ["Active", "Unhealthy"],
}  # fmt: skip
"""What a route asks by each key of a `when`: a key that it gains must be kept too."""

OWNERS = Owners(
    (
        Ownership(lambda _, __: True, Owner("shop"), lambda location: "build-7" in location.namespaces),
        Ownership(lambda subscription, group: group == "rg-web", Owner("web", "Web shop")),
    ),
    Tags({builders.RESOURCE.lower().partition("/providers/")[0]: {"team": "web"}}),
)


def a_book(stream: Stream, rules: Sequence[SuppressionRule] = ()) -> Rulebook:
    """A rulebook with a route for each key that a `when` may have."""
    assert WHENS.keys() == WhenForm.model_fields.keys()
    forms = {key: WhenForm.model_validate({key: asked}) for key, asked in WHENS.items()}
    routes = [
        builders.a_route(key, "tickets", when=clauses_for(form, builders.the_attack_table(), OWNERS))
        for key, form in forms.items()
    ]
    book = builders.a_rulebook(*rules, stream=stream, routes=routes, floor=Severity.INFORMATIONAL)
    return replace(book, catalogue=CATALOGUE, owners=OWNERS)


def agrees(signal: Signal, book: Rulebook) -> None:
    """Every rule, every route and the whole decision say of the rebuilt signal what they say of the first one."""
    again = rebuilt(signal)
    assert type(again) is type(signal)
    assert set(texts_offered(again)) == set(texts_offered(signal))
    for rule in book.suppressions.by_name.values():
        assert covers(rule, again, OWNERS) == covers(rule, signal, OWNERS), rule
        assert is_about(rule, again) == is_about(rule, signal), rule
    assert attack_of(again, book) == attack_of(signal, book)
    attack = attack_of(signal, book)
    for route in book.routes:
        assert route.matches(again, attack) == route.matches(signal, attack), route.name
    assert decide(again, book, builders.NOW - timedelta(seconds=1)) == decide(
        signal, book, builders.NOW - timedelta(seconds=1)
    )
    assert rule_fields_of(again) == rule_fields_of(signal)


@given(signals_and_rules())
def test_every_rule_and_route_says_the_same_of_a_signal_made_again(drawn: tuple[Signal, list[SuppressionRule]]) -> None:
    """Whatever is in it, and whatever they ask."""
    signal, rules = drawn
    agrees(signal, a_book(signal.stream, rules))


@pytest.mark.parametrize("stream", Stream)
def test_every_bundled_sample_is_decided_as_before(stream: Stream) -> None:
    """Also by rules over each text that the sample itself offers, and by none that it does not."""
    for signal in samples(stream):
        offered = texts_offered(signal)
        held = [
            builders.a_rule(f"rule-{number}", alert_type=signal.type, groups=[[builders.an_element(field, text)]])
            for number, (field, text) in enumerate(offered)
            if field != "cve"  # One CVE of several holds nothing.
        ]
        assert all(covers(rule, signal, OWNERS) for rule in held)
        agrees(signal, a_book(stream, held))
        agrees(signal, a_book(stream))


def samples(stream: Stream) -> Iterator[Signal]:
    for line in (SAMPLES / f"{stream}.ndjson").read_bytes().splitlines():
        yield from (signal for signal in read_signals(line, CATALOGUE) if isinstance(signal, Signal))


def test_nothing_is_kept_that_no_rule_can_match_and_each_entity_by_itself() -> None:
    """Neither entities of other types, nor other properties, nor the same entity twice, nor a property without a text."""
    halves = [{"Type": "host", "HostName": "build-7"}, {"Type": "host", "DnsDomain": "corp"}]
    kept = rule_fields_of(builders.an_alert(Entities=halves)).entities
    assert kept == {"host": ({"hostname": ("build-7",)}, {"dnsdomain": ("corp",)})}
    address = builders.an_ip("10.20.0.5") | {"Location": {"City": "Ulm"}}
    entities = [address, address | {"$id": "2"}, {"Type": "url", "Url": "https://x"}]
    fields = rule_fields_of(builders.an_alert(Entities=entities, ExtendedProperties={"a": ""}))
    assert fields.entities == {"ip": ({"address": ("10.20.0.5",)},)}
    assert fields.extended == {}


def nested(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


def with_address(value: bytes) -> bytes:
    """An alert with an ip entity whose address is that JSON."""
    return builders.alert_body(Entities=["x"]).replace(b'"x"', b'{"Type":"ip","Address":' + value + b"}")


HOSTILE = [
    builders.alert_body(Entities=[], ExtendedProperties={"a": 1}).replace(b'"a":1', b'"a":' + nested(900)),
    with_address(nested(900)),
    with_address(b"[" * 900 + b"]" * 900),
    with_address(b"9" * 9_000),
    with_address(b'[NaN,1e999,-1e400,"a"]'),
    builders.alert_body(Entities=["x"]).replace(b'"x"', rb'{"Type":"host","HostName":"half \ud800"}'),
    builders.alert_body(ExtendedProperties=r'{"\ud800k": "v\udfff", "l": ["\udc00"]}', AlertDisplayName="\x00\u2028"),
    builders.alert_body(ExtendedProperties={"a": "x" * 3_000_000}, Entities=[builders.an_ip("y" * 100_000)] * 3),
    builders.alert_body(Entities=[{"$id": "1", "Type": "host", "HostName": {"$ref": "1"}, "Again": {"$ref": "2"}}]),
    builders.alert_body(Entities={"host": [{"Type": "host", "HostName": "vm"}]}, ExtendedProperties=[1, 2]),
]


def test_what_is_hostile_is_kept_and_written_like_anything_else(subtests: pytest.Subtests) -> None:
    """A message is never lost for what rules could match of it."""
    for body in HOSTILE:
        with subtests.test(body=body[:200]):
            (signal,) = read_signals(body, Catalogue())
            assert isinstance(signal, Signal)
            agrees(signal, a_book(Stream.CWPP))
