"""What each key of a route's `when` asks of a signal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from router.domain.catalogue import Attack
from router.domain.coverage import Rung
from router.domain.entities import Entities
from router.domain.posture import Cves, Package, Risk
from router.domain.rulebook import Route
from router.domain.severity import Severity
from router.domain.signals import Alert, Finding, Kind, Signal, Stream
from router.domain.tags import Tags
from router.rulebook.clauses import clauses_for
from router.rulebook.when_form import WhenForm
from tests.builders import the_attack_table
from tests.rulebook.builders import a_route, a_sound_rulebook

DATABASE = "/subscriptions/AAAA-1/resourceGroups/rg-data/providers/Microsoft.Sql/servers/s1/databases/ledger"


def an_alert(**fields: object) -> Alert:
    """A high alert on a SQL database."""
    alert = Alert(
        kind=Kind.ALERT,
        id="1",
        type="SQL.DB_BruteForce",
        title="Brute force",
        severity=Severity.HIGH,
        status="New",
        resource=DATABASE,
        plan="SqlServers",
    )
    return replace(alert, **fields)  # type: ignore[arg-type]


def a_finding(**fields: object) -> Finding:
    """A medium recommendation on data."""
    finding = Finding(
        kind=Kind.RECOMMENDATION,
        id="2",
        type="51fd8bb1",
        title="Public access",
        severity=Severity.MEDIUM,
        status="Unhealthy",
        resource=DATABASE,
        categories=("Data", "Networking"),
    )
    return replace(finding, **fields)  # type: ignore[arg-type]


def an_update(**fields: object) -> Finding:
    """A medium recommendation to update lodash."""
    update = a_finding(
        category="SoftwareUpdate",
        package=Package(name="lodash", type="npm"),
        cves=Cves(ids=("CVE-2020-8203", "CVE-2021-23337")),
    )
    return replace(update, **fields)  # type: ignore[arg-type]


def a_risk(level: Severity | None, *, is_contextual: bool = True) -> Risk:
    """A risk of some level."""
    return Risk(level=level, written=level.label if level is not None else "Not evaluated", is_contextual=is_contextual)


OWNERS: Mapping[str, object] = {
    "owners.yaml": {"owners": [{"resource_group": "rg-data", "group": "payments-platform", "service": "Payments"}]}
}

CONNECTOR = "/subscriptions/AAAA-1/resourceGroups/rg-connectors/providers/Microsoft.Security/securityConnectors/corp"
IN_EKS: Mapping[str, object] = {
    "resource": f"{CONNECTOR}/securityentitydata/shop-prod",
    "entities": Entities(
        [
            {"Type": "K8s-cluster", "Name": "arn:aws:eks:eu-west-2:123456789012:cluster/shop-prod"},
            {"Type": "K8s-namespace", "Name": "shop"},
            {"Type": "K8s-namespace", "Name": "jobs"},
        ]
    ),
}
"""An alert on a cluster of AWS."""

IN_GKE: Mapping[str, object] = {
    "resource": f"{CONNECTOR}/securityentitydata/ledger",
    "entities": Entities(
        [
            {"Type": "K8s-cluster", "Name": "container.googleapis.com/projects/books/zones/z/clusters/ledger"},
            {"Type": "gcp-resource", "ProjectNumber": "42"},
        ]
    ),
}
"""An alert on a cluster of Google's."""

TAGS = Tags({"/subscriptions/aaaa-1/resourcegroups/rg-data": {"team": "Payments", "cost center": "47"}})

BRUTE_FORCE = Attack(("TA0006",), ("T1110.003",))

HOLDS: list[tuple[Mapping[str, object], Signal]] = [
    ({}, an_alert()),
    ({"severity": ["High", "Low"]}, an_alert()),
    ({"severity": "High"}, an_alert()),
    ({"severity": ["Low", "unknown"]}, an_alert(severity=None)),
    ({"at_least": "High"}, an_alert()),
    ({"at_least": "High"}, an_alert(severity=Severity.CRITICAL)),
    ({"at_least": "Critical"}, an_alert(severity=None)),
    ({"alert_type": "SQL.DB_BruteForce"}, an_alert()),
    ({"alert_type": "sql.*"}, an_alert()),
    ({"alert_type": ["VM_*", "SQL.DB_?ruteForce"]}, an_alert()),
    ({"plan": "SqlServers"}, an_alert()),
    ({"plan": ["KeyVaults", "sqlservers"]}, an_alert()),
    ({"tactics": "CredentialAccess"}, an_alert()),
    ({"tactics": ["Impact", "Credential Access"]}, an_alert()),
    ({"tactics": "TA0006"}, an_alert()),
    ({"techniques": "T1110"}, an_alert()),
    ({"techniques": "T1110.003"}, an_alert()),
    ({"subscription": "aaaa-1"}, an_alert()),
    ({"resource": "*/databases/LEDGER"}, an_alert()),
    ({"resource": "/subscriptions/*/rg-data/*"}, an_alert()),
    ({"resource_type": "microsoft.sql/servers/databases"}, an_alert()),
    ({"resource": "arn:aws:eks:*:cluster/shop-*"}, an_alert(**IN_EKS)),
    ({"resource": "*/securityentitydata/SHOP-*"}, an_alert(**IN_EKS)),
    ({"resource_group": "RG-*"}, an_alert()),
    ({"account": ["9*", "1234*"]}, an_alert(**IN_EKS)),
    ({"project": "books"}, an_alert(**IN_GKE)),
    ({"project": "42"}, an_alert(**IN_GKE)),
    ({"cluster": "Shop-*"}, an_alert(**IN_EKS)),
    ({"namespace": ["x", "JOBS"]}, an_alert(**IN_EKS)),
    ({"connector": "CORP"}, an_alert(**IN_EKS)),
    ({"connector": "*/rg-connectors/*"}, an_alert(**IN_GKE)),
    ({"tag": {"TEAM": ["web", "pay*"], "Cost Center": "*"}}, an_alert()),
    ({"incident": True}, an_alert(kind=Kind.INCIDENT)),
    ({"incident": False}, an_alert()),
    ({"sample": True}, an_alert(sample=True)),
    ({"sample": False}, an_alert()),
    ({"coverage": True}, a_finding(rung=Rung.PLAN)),
    ({"coverage": False}, a_finding()),
    ({"coverage": False}, an_alert()),
    ({"kind": ["alert", "incident"]}, an_alert()),
    ({"status": "New"}, an_alert()),
    ({"status": "New"}, an_alert(status="Active")),
    ({"status": "active"}, an_alert()),
    ({"category": "Data"}, a_finding()),
    ({"category": ["networking"]}, a_finding()),
    ({"category": "softwareupdate"}, an_update()),
    ({"category": ["Compute", "Software*"]}, an_update()),
    ({"category": "Data"}, an_update()),
    ({"package": "LODASH"}, an_update()),
    ({"package": ["curl", "lod*"]}, an_update()),
    ({"cve": "cve-2021-23337"}, an_update()),
    ({"cve": ["CVE-2019-*", "CVE-2020-8203"]}, an_update()),
    ({"cve": "CVE-2020-8203"}, an_update(cves=Cves(ids=("CVE-2020-8203",), is_whole=False))),
    ({"risk": "Low"}, an_update(risk=a_risk(Severity.LOW))),
    ({"risk": ["High", "Critical"]}, an_update(risk=a_risk(Severity.HIGH, is_contextual=False))),
    ({"risk": "unknown"}, an_update()),
    ({"risk": "unknown"}, an_update(risk=a_risk(None))),
    ({"owner": "PAYMENTS-*"}, a_finding()),
    ({"owner": "payments"}, an_alert()),
    ({"owner": "nobody"}, an_alert(resource=None)),
    ({"owner": ["other", "Nobody"]}, a_finding(resource="/subscriptions/BBBB")),
    ({"severity": "Critical"}, an_update(risk=a_risk(Severity.CRITICAL))),
    ({"at_least": "Critical"}, an_update(risk=a_risk(Severity.CRITICAL))),
    ({"severity": "Medium"}, an_update(risk=a_risk(Severity.CRITICAL, is_contextual=False))),
    ({"severity": "Low"}, an_update(severity=None, risk=a_risk(Severity.LOW))),
    ({"severity": "unknown"}, an_update(severity=None, risk=a_risk(None))),
    ({"kind": "recommendation"}, a_finding()),
    ({"at_least": "Medium", "plan": "SqlServers", "tactics": "TA0006"}, an_alert()),
]

FAILS: list[tuple[Mapping[str, object], Signal]] = [
    ({"severity": ["Medium", "Low"]}, an_alert()),
    ({"severity": ["High", "Low"]}, an_alert(severity=None)),
    ({"severity": "unknown"}, an_alert()),
    ({"at_least": "Critical"}, an_alert()),
    ({"at_least": "High"}, an_alert(severity=Severity.MEDIUM)),
    ({"alert_type": "SQL.DB"}, an_alert()),
    ({"alert_type": "DB_*"}, an_alert()),
    ({"alert_type": "[Ss]QL.*"}, an_alert()),
    ({"plan": "KeyVaults"}, an_alert()),
    ({"plan": "SqlServers"}, an_alert(plan=None)),
    ({"tactics": "Impact"}, an_alert()),
    ({"techniques": "T1111"}, an_alert()),
    ({"techniques": "T1110.001"}, an_alert()),
    ({"subscription": "aaaa"}, an_alert()),
    ({"subscription": "aaaa-1"}, an_alert(resource=None)),
    ({"resource": "ledger"}, an_alert()),
    ({"resource": "*"}, an_alert(resource=None)),
    ({"resource_type": "Microsoft.Sql/servers"}, an_alert()),
    ({"resource_group": "rg-connectors"}, an_alert(**IN_EKS)),
    ({"resource_group": "*"}, an_alert(resource=None)),
    ({"account": "*"}, an_alert(**IN_GKE)),
    ({"project": "*"}, an_alert(**IN_EKS)),
    ({"project": "4"}, an_alert(**IN_GKE)),
    ({"cluster": "*"}, an_alert()),
    ({"namespace": "*"}, an_alert(**IN_GKE)),
    ({"namespace": "sho"}, an_alert(**IN_EKS)),
    ({"connector": "*"}, an_alert()),
    ({"tag": {"team": "web"}}, an_alert()),
    ({"tag": {"team": "*", "owner": "*"}}, an_alert()),
    ({"tag": {"team": "*"}}, an_alert(**IN_EKS)),
    ({"incident": True}, an_alert()),
    ({"incident": False}, an_alert(kind=Kind.INCIDENT)),
    ({"sample": True}, an_alert()),
    ({"sample": False}, an_alert(sample=True)),
    ({"coverage": True}, a_finding()),
    ({"coverage": False}, a_finding(rung=Rung.PLAN)),
    ({"kind": "incident"}, an_alert()),
    ({"status": "New"}, an_alert(status="InProgress")),
    ({"status": "New"}, an_alert(status=None)),
    ({"category": "Compute"}, a_finding()),
    ({"category": "SoftwareUpdate"}, a_finding()),
    ({"category": "Software"}, an_update()),
    ({"package": "*"}, a_finding()),
    ({"package": "lodash"}, an_update(package=Package(name="lodash-es"))),
    ({"cve": "*"}, a_finding()),
    ({"cve": "CVE-2021-2333"}, an_update()),
    ({"risk": ["Low", "unknown"]}, an_update(risk=a_risk(Severity.HIGH))),
    ({"risk": ["Low", "Medium", "High", "Critical"]}, an_update(risk=a_risk(None))),
    ({"owner": "nobody"}, a_finding()),
    ({"owner": "*"}, a_finding(resource=None)),
    ({"owner": "pay"}, a_finding()),
    ({"severity": "Medium"}, an_update(risk=a_risk(Severity.LOW))),
    ({"at_least": "Medium"}, an_update(risk=a_risk(Severity.LOW))),
    ({"at_least": "High"}, an_update(risk=a_risk(Severity.CRITICAL, is_contextual=False))),
    ({"at_least": "Medium", "plan": "KeyVaults"}, an_alert()),
]


def a_tagged_route(directory: Path, when: Mapping[str, object], stream: Stream) -> Route:
    """A route over what rules directory and owners say, where some resources have tags."""
    route = a_route(directory, when, stream, OWNERS)
    owners = a_sound_rulebook(directory, OWNERS, stream).owners
    if "tag" not in when:
        return route
    form = WhenForm.model_validate(when)
    return replace(route, when=clauses_for(form, the_attack_table(), replace(owners, tags=TAGS)))


@pytest.mark.parametrize(("when", "signal"), HOLDS, ids=lambda value: str(value)[:60])
def test_a_route_takes_what_meets_all_of_when(when: Mapping[str, object], signal: Signal, tmp_path: Path) -> None:
    """A signal that meets every key that is given takes the route."""
    assert a_tagged_route(tmp_path, when, signal.stream).matches(signal, BRUTE_FORCE)


@pytest.mark.parametrize(("when", "signal"), FAILS, ids=lambda value: str(value)[:60])
def test_a_route_leaves_what_misses_one_key(when: Mapping[str, object], signal: Signal, tmp_path: Path) -> None:
    """A signal that misses one key of `when` does not take the route."""
    assert not a_tagged_route(tmp_path, when, signal.stream).matches(signal, BRUTE_FORCE)


def test_every_key_of_when_is_shown_to_hold_and_to_fail() -> None:
    """The two tables above leave no key of `when` out."""
    for table in (HOLDS, FAILS):
        assert {key for when, _ in table for key in when} == set(WhenForm.model_fields)


@pytest.mark.parametrize(
    ("written", "current"), [("T1562.001", "T1685"), ("T1562", "T1685"), ("T1562", "T1686"), ("T1562", "T1686.002")]
)
def test_a_revoked_technique_in_a_route_stands_for_its_successors(written: str, current: str, tmp_path: Path) -> None:
    """A route written before ATT&CK v19 still takes the alerts whose techniques were renumbered by it."""
    assert a_route(tmp_path, {"techniques": written}).matches(an_alert(), Attack((), (current,)))


def test_a_technique_does_not_cover_another_with_a_longer_number(tmp_path: Path) -> None:
    """T1110 covers T1110.003, and nothing that merely starts with the same digits."""
    assert not a_route(tmp_path, {"techniques": "T1110"}).matches(an_alert(), Attack((), ("T11103",)))


def test_a_clause_says_how_it_was_written(tmp_path: Path) -> None:
    """An explanation can repeat each key of `when` as its author wrote it."""
    route = a_route(tmp_path, {"severity": ["High", "Low"], "plan": "SqlServers", "sample": False})
    assert {clause.key: clause.written for clause in route.when} == {
        "severity": "High, Low",
        "plan": "SqlServers",
        "sample": "false",
    }


def test_a_clause_on_tags_stands_for_each_tag(tmp_path: Path) -> None:
    """So an explanation says which of them is not there."""
    route = a_route(tmp_path, {"tag": {"Team": ["payments", "web"], "environment": "prod"}, "namespace": "shop"})
    assert [(clause.key, clause.written) for clause in route.when] == [
        ("namespace", "shop"),
        ("tag.Team", "payments, web"),
        ("tag.environment", "prod"),
    ]


def test_a_route_tells_which_kinds_it_names(tmp_path: Path) -> None:
    """A kind that is only noted by nature is routed where a route names it."""
    assert a_route(tmp_path, {"kind": "secure_score"}, Stream.CSPM).kinds == {"secure_score"}
    assert a_route(tmp_path, {"at_least": "Low"}).kinds == frozenset()


def test_a_glob_with_many_stars_answers_at_once(tmp_path: Path) -> None:
    """No glob makes the router slow: this one would run for years if it were tried in every way."""
    route = a_route(tmp_path, {"resource": "*a" * 30 + "b"})
    assert not route.matches(an_alert(resource="a" * 5_000), BRUTE_FORCE)
