"""What each key of a route's `when` asks of a signal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from router.domain.catalogue import Attack
from router.domain.coverage import Rung
from router.domain.entities import Entities
from router.domain.posture import Cves, Package, Risk
from router.domain.severity import Severity
from router.domain.signals import Alert, Finding, Kind, Signal, Stream
from router.rulebook.when_form import WhenForm
from tests.rulebook.builders import Files, a_policy, a_route, the_book

GROUP = "/subscriptions/AAAA-1/resourceGroups/rg-data"
DATABASE = f"{GROUP}/providers/Microsoft.Sql/servers/s1/databases/ledger"
CONNECTOR = "/subscriptions/AAAA-1/resourceGroups/rg-connectors/providers/Microsoft.Security/securityConnectors/corp"
EKS = "arn:aws:eks:eu-west-2:123456789012:cluster/shop-prod"
GKE = "container.googleapis.com/projects/books/zones/z/clusters/ledger"


def an_alert(**fields: object) -> Alert:
    """A high alert on a SQL database."""
    sound: dict[str, Any] = {"severity": Severity.HIGH, "status": "New", "plan": "SqlServers", "resource": DATABASE}
    return Alert(
        **{"kind": Kind.ALERT, "id": "1", "type": "SQL.DB_BruteForce", "title": "Brute force"} | sound | fields
    )


def a_finding(**fields: object) -> Finding:
    """A medium recommendation on data."""
    sound: dict[str, Any] = {"severity": Severity.MEDIUM, "status": "Unhealthy", "resource": DATABASE}
    told = {"kind": Kind.RECOMMENDATION, "id": "2", "type": "51fd8bb1", "title": "Public access"}
    return Finding(**told | sound | {"categories": ("Data", "Networking")} | fields)


def an_update(**fields: object) -> Finding:
    """A medium recommendation to update lodash."""
    package, cves = Package(name="lodash", type="npm"), Cves(ids=("CVE-2020-8203", "CVE-2021-23337"))
    return a_finding(**({"category": "SoftwareUpdate", "package": package, "cves": cves} | fields))


def at_risk(level: Severity | None, *, is_contextual: bool = True, **fields: object) -> Finding:
    """Such a recommendation whose risk is of some level."""
    written = level.label if level is not None else "Not evaluated"
    return an_update(risk=Risk(level=level, written=written, is_contextual=is_contextual), **fields)


def entities(*named: tuple[str, str, str]) -> Entities:
    """Entities by type, one property and its value."""
    return Entities([{"Type": type, name: value} for type, name, value in named])


ALERT, FINDING, UPDATE = an_alert(), a_finding(), an_update()
UNGRADED, INCIDENT, SAMPLE = an_alert(severity=None), an_alert(kind=Kind.INCIDENT), an_alert(sample=True)
NOWHERE, ON_COVERAGE = an_alert(resource=None), a_finding(rung=Rung.PLAN)
IN_EKS = an_alert(
    resource=f"{CONNECTOR}/securityentitydata/shop-prod",
    entities=entities(("K8s-cluster", "Name", EKS), ("K8s-namespace", "Name", "shop"), ("K8s-namespace", "Name", "jobs")),
)  # fmt: skip
IN_GKE = an_alert(
    resource=f"{CONNECTOR}/securityentitydata/ledger",
    entities=entities(("K8s-cluster", "Name", GKE), ("gcp-resource", "ProjectNumber", "42")),
)
CRITICAL_RISK, LOW_RISK, NO_RISK = at_risk(Severity.CRITICAL), at_risk(Severity.LOW), at_risk(None)
RISK_OF_ITS_KIND = at_risk(Severity.CRITICAL, is_contextual=False)

ROUTES: Sequence[tuple[Mapping[str, object], Sequence[Signal], Sequence[Signal]]] = [
    ({}, [ALERT], []),
    ({"severity": ["High", "Low"]}, [ALERT], [UNGRADED, an_alert(severity=Severity.MEDIUM)]),
    ({"severity": ["Low", "unknown"]}, [UNGRADED], [ALERT]),
    ({"at_least": "High"}, [ALERT, an_alert(severity=Severity.CRITICAL)], [an_alert(severity=Severity.MEDIUM)]),
    ({"at_least": "Critical"}, [UNGRADED], [ALERT]),
    ({"alert_type": "SQL.DB_BruteForce"}, [ALERT], []),
    ({"alert_type": "sql.*"}, [ALERT], []),
    ({"alert_type": ["VM_*", "SQL.DB_?ruteForce"]}, [ALERT], []),
    ({"alert_type": ["SQL.DB", "DB_*", "[Ss]QL.*"]}, [], [ALERT]),
    ({"plan": ["KeyVaults", "sqlservers"]}, [ALERT], [an_alert(plan="Arm"), an_alert(plan=None)]),
    ({"tactics": ["Impact", "Credential Access"]}, [ALERT], []),
    ({"tactics": "TA0006"}, [ALERT], []),
    ({"tactics": "Impact"}, [], [ALERT]),
    ({"techniques": "T1110"}, [ALERT], []),
    ({"techniques": "T1110.003"}, [ALERT], []),
    ({"techniques": ["T1111", "T1110.001"]}, [], [ALERT]),
    ({"subscription": "aaaa-1"}, [ALERT], [NOWHERE]),
    ({"subscription": "aaaa"}, [], [ALERT]),
    ({"resource": "*/databases/LEDGER"}, [ALERT], []),
    ({"resource": "ledger"}, [], [ALERT]),
    ({"resource": "*"}, [ALERT], [NOWHERE]),
    ({"resource": "arn:aws:eks:*:cluster/shop-*"}, [IN_EKS], [IN_GKE]),
    ({"resource": "*/securityentitydata/SHOP-*"}, [IN_EKS], [IN_GKE]),
    ({"resource_type": "microsoft.sql/servers/databases"}, [ALERT], []),
    ({"resource_type": "Microsoft.Sql/servers"}, [], [ALERT]),
    ({"resource_group": "RG-*"}, [ALERT], [NOWHERE]),
    ({"resource_group": "rg-connectors"}, [], [IN_EKS]),
    ({"account": ["9*", "1234*"]}, [IN_EKS], [IN_GKE]),
    ({"project": "books"}, [IN_GKE], [IN_EKS]),
    ({"project": "42"}, [IN_GKE], []),
    ({"project": "4"}, [], [IN_GKE]),
    ({"cluster": "Shop-*"}, [IN_EKS], [ALERT]),
    ({"namespace": ["x", "JOBS"]}, [IN_EKS], [IN_GKE]),
    ({"namespace": "sho"}, [], [IN_EKS]),
    ({"connector": "CORP"}, [IN_EKS], [ALERT]),
    ({"connector": "*/rg-connectors/*"}, [IN_GKE], []),
    ({"tag": {"TEAM": ["web", "pay*"], "Cost Center": "*"}}, [ALERT], []),
    ({"tag": {"team": "*"}}, [ALERT], [IN_EKS]),
    ({"tag": {"team": "*", "owner": "*"}}, [], [ALERT]),
    ({"incident": True}, [INCIDENT], [ALERT]),
    ({"incident": False}, [ALERT], [INCIDENT]),
    ({"sample": True}, [SAMPLE], [ALERT]),
    ({"sample": False}, [ALERT], [SAMPLE]),
    ({"coverage": True}, [ON_COVERAGE], [FINDING]),
    ({"coverage": False}, [FINDING], [ON_COVERAGE]),
    ({"kind": ["alert", "incident"]}, [ALERT], []),
    ({"kind": "incident"}, [INCIDENT], [ALERT]),
    ({"kind": "recommendation"}, [FINDING], []),
    ({"status": "New"}, [ALERT, an_alert(status="Active")], [an_alert(status="InProgress"), an_alert(status=None)]),
    ({"status": "active"}, [ALERT], []),
    ({"category": "Data"}, [FINDING, UPDATE], []),
    ({"category": "softwareupdate"}, [UPDATE], [FINDING]),
    ({"category": "Software"}, [], [UPDATE]),
    ({"package": "LODASH"}, [UPDATE], [an_update(package=Package(name="lodash-es"))]),
    ({"package": ["curl", "lod*"]}, [UPDATE], [FINDING]),
    ({"cve": "cve-2021-23337"}, [UPDATE], []),
    ({"cve": ["CVE-2019-*", "CVE-2020-8203"]}, [UPDATE], []),
    ({"cve": "CVE-2020-8203"}, [an_update(cves=Cves(ids=("CVE-2020-8203",), is_whole=False))], []),
    ({"cve": "CVE-2021-2333"}, [], [UPDATE]),
    ({"cve": "*"}, [UPDATE], [FINDING]),
    ({"risk": "Low"}, [LOW_RISK], [UPDATE]),
    ({"risk": ["High", "Critical"]}, [RISK_OF_ITS_KIND], [LOW_RISK, NO_RISK]),
    ({"risk": "unknown"}, [UPDATE, NO_RISK], [LOW_RISK]),
    ({"owner": "PAYMENTS-*"}, [FINDING], []),
    ({"owner": "nobody"}, [NOWHERE], [ALERT]),
    ({"owner": ["other", "Nobody"]}, [a_finding(resource="/subscriptions/BBBB")], [FINDING]),
    ({"owner": ["payments", "x"]}, [FINDING], [a_finding(resource=None)]),
    ({"owner": "pay"}, [], [FINDING]),
    ({"severity": "Critical"}, [CRITICAL_RISK], [RISK_OF_ITS_KIND]),
    ({"at_least": "High"}, [CRITICAL_RISK], [RISK_OF_ITS_KIND]),
    ({"at_least": "Medium"}, [RISK_OF_ITS_KIND], [LOW_RISK]),
    ({"severity": "Medium"}, [RISK_OF_ITS_KIND], [LOW_RISK]),
    ({"severity": "Low"}, [at_risk(Severity.LOW, severity=None)], [UPDATE]),
    ({"severity": "unknown"}, [at_risk(None, severity=None)], [NO_RISK]),
    ({"at_least": "Medium", "plan": "SqlServers", "tactics": "TA0006"}, [ALERT], [an_alert(plan=None)]),
    ({"at_least": "Medium", "plan": "KeyVaults"}, [], [ALERT]),
]  # fmt: skip
"""For each `when` what takes the route, and what does not."""

BESIDE: Files = {
    "owners.yaml": {
        "owners": [{"resource_group": "rg-data", "group": "payments-platform", "service": "Payments"}],
        "tags": "tags.json",
    },
    "tags.json": [{"id": GROUP, "tags": {"team": "Payments", "cost center": "47"}}],
}
BRUTE_FORCE = Attack(("TA0006",), ("T1110.003",))


def test_a_route_takes_what_meets_all_of_when_and_leaves_what_misses_one_key(subtests: pytest.Subtests) -> None:
    """The table shows each key of `when` to hold and to fail."""
    assert {key for when, takes, _ in ROUTES if takes for key in when} == set(WhenForm.model_fields)
    assert {key for when, _, leaves in ROUTES if leaves for key in when} == set(WhenForm.model_fields)
    for stream in Stream:
        whens = [one for one in ROUTES if [*one[1], *one[2]][0].stream is stream]
        routes = [{"name": f"route-{n:02}", "when": when, "to": ["tickets"]} for n, (when, _, _) in enumerate(whens)]
        book = the_book({**BESIDE, f"{stream}/policy.yaml": a_policy(stream, routes=routes)}, stream)
        for (when, takes, leaves), route in zip(whens, sorted(book.routes, key=lambda one: one.name), strict=True):
            with subtests.test(str(when)):
                assert [signal for signal in takes if not route.matches(signal, BRUTE_FORCE)] == []
                assert [signal for signal in leaves if route.matches(signal, BRUTE_FORCE)] == []


def test_a_technique_and_a_glob_fit_no_more_than_they_say() -> None:
    """T1110 covers T1110.003, and nothing that merely starts with the same digits. No glob makes the router slow: one with many
    stars would run for years if it were tried in every way."""
    assert not a_route({"techniques": "T1110"}).matches(ALERT, Attack((), ("T11103",)))
    assert not a_route({"resource": "*a" * 30 + "b"}).matches(an_alert(resource="a" * 5_000), BRUTE_FORCE)


def test_a_clause_says_how_it_was_written() -> None:
    """An explanation can repeat each key of `when` as its author wrote it, and says which of several tags is not there."""
    route = a_route({"severity": ["High", "Low"], "plan": "SqlServers", "sample": False})
    written = {"severity": "High, Low", "plan": "SqlServers", "sample": "false"}
    assert {clause.key: clause.written for clause in route.when} == written
    route = a_route({"tag": {"Team": ["payments", "web"], "environment": "prod"}, "namespace": "shop"})
    tags = [("tag.Team", "payments, web"), ("tag.environment", "prod")]
    assert [(clause.key, clause.written) for clause in route.when] == [("namespace", "shop"), *tags]


def test_a_route_tells_which_kinds_it_names() -> None:
    """A kind that is only noted by nature is routed where a route names it."""
    assert a_route({"kind": "secure_score"}, Stream.CSPM).kinds == {"secure_score"}
    assert a_route({"at_least": "Low"}).kinds == frozenset()
