"""What each key of a route's `when` asks; routes that nothing can match, or that change nothing, are said, and no other."""

from collections.abc import Mapping, Sequence
from copy import replace
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from router.domain.catalogue import Attack
from router.domain.coverage import Rung
from router.domain.entities import Entities
from router.domain.owners import Owner, Owners, Ownership
from router.domain.patterns import covers_glob
from router.domain.posture import Cves, Package, Risk
from router.domain.rulebook import Floor
from router.domain.severity import Severity
from router.domain.signals import Alert, Finding, Kind, Signal, Stream
from router.rulebook import load_attack
from router.rulebook.clauses import clauses_for, is_for_other_stream
from router.rulebook.lints import KnownTypes
from router.rulebook.lints.routes import Surroundings, find_contradictions, takes_all_of
from router.rulebook.patterns import compile_globs, may_meet
from router.rulebook.starter import STARTER
from router.rulebook.when_form import WhenForm
from tests.examples import some_of
from tests.rulebook.builders import Files, a_policy, a_route, checked, the_book

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
LOW_RISK, NO_RISK = at_risk(Severity.LOW), at_risk(None)
RISK_OF_ITS_KIND = at_risk(Severity.CRITICAL, is_contextual=False)

ROUTES: Sequence[tuple[Mapping[str, object], Sequence[Signal], Sequence[Signal]]] = [
    ({}, [ALERT], []),
    ({"severity": ["High", "Low"]}, [ALERT], [UNGRADED, an_alert(severity=Severity.MEDIUM)]),
    ({"severity": ["Low", "unknown"]}, [UNGRADED], [ALERT]),
    ({"at_least": "High"}, [ALERT, an_alert(severity=Severity.CRITICAL)], [an_alert(severity=Severity.MEDIUM)]),
    ({"at_least": "Critical"}, [UNGRADED], [ALERT]),
    ({"alert_type": "sql.*"}, [ALERT], []),
    ({"alert_type": ["VM_*", "SQL.DB_?ruteForce"]}, [ALERT], []),
    ({"alert_type": ["SQL.DB", "DB_*", "[Ss]QL.*"]}, [], [ALERT]),
    ({"plan": ["KeyVaults", "sqlservers"]}, [ALERT], [an_alert(plan="Arm"), an_alert(plan=None)]),
    ({"tactics": ["Impact", "Credential Access"]}, [ALERT], []),
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
    ({"resource_type": "microsoft.sql/servers/databases"}, [ALERT], []),
    ({"resource_type": "Microsoft.Sql/servers"}, [], [ALERT]),
    ({"resource_group": "RG-*"}, [ALERT], [NOWHERE]),
    ({"account": ["9*", "1234*"]}, [IN_EKS], [IN_GKE]),
    ({"project": ["books", "x"]}, [IN_GKE], [IN_EKS]),
    ({"project": "4"}, [], [IN_GKE]),
    ({"cluster": "Shop-*"}, [IN_EKS], [ALERT]),
    ({"namespace": ["x", "JOBS"]}, [IN_EKS], [IN_GKE]),
    ({"connector": "CORP"}, [IN_EKS], [ALERT]),
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
    ({"status": "New"}, [ALERT, an_alert(status="Active")], [an_alert(status="InProgress"), an_alert(status=None)]),
    ({"category": ["softwareupdate", "Data"]}, [UPDATE, FINDING], []),
    ({"category": "Software"}, [], [UPDATE, FINDING]),
    ({"package": "LODASH"}, [UPDATE], [an_update(package=Package(name="lodash-es"))]),
    ({"package": ["curl", "lod*"]}, [UPDATE], [FINDING]),
    ({"cve": ["CVE-2019-*", "cve-2020-8203"]}, [UPDATE], []),
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
    ({"at_least": "Medium", "plan": "SqlServers", "tactics": "TA0006"}, [ALERT], [an_alert(plan=None)]),
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


def test_a_route_takes_what_meets_all_of_when_and_leaves_what_misses_one_key() -> None:
    """The table shows each key of `when` to hold and to fail."""
    assert {key for when, takes, _ in ROUTES if takes for key in when} == set(WhenForm.model_fields)
    assert {key for when, _, leaves in ROUTES if leaves for key in when} == set(WhenForm.model_fields)
    for stream in Stream:
        whens = [one for one in ROUTES if [*one[1], *one[2]][0].stream is stream]
        routes = [{"name": f"route-{n:02}", "when": when, "to": ["tickets"]} for n, (when, _, _) in enumerate(whens)]
        book = the_book({**BESIDE, f"{stream}/policy.yaml": a_policy(stream, routes=routes)}, stream)
        for (when, takes, leaves), route in zip(whens, sorted(book.routes, key=lambda one: one.name), strict=True):
            taken = [signal for signal in (*takes, *leaves) if route.matches(signal, BRUTE_FORCE)]
            assert taken == [*takes], when


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


SUBSCRIPTION = "6f0a3c52-8d1e-4b7a-9c45-2e71d0b8a110"
VM = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-shop/providers/Microsoft.Compute/virtualMachines/web-01"
FLOOR = Floor(Severity.MEDIUM, {"VirtualMachines": Severity.LOW})


def the_surroundings(stream: Stream = Stream.CWPP, floor: Floor = FLOOR, *, all_owned: bool = False) -> Surroundings:
    """Those of a stream whose resources are owned by `web`."""
    return Surroundings(
        stream=stream,
        floor=floor,
        types=KnownTypes.of(["Contoso.*", "Sentinel_Rule"]),
        owners={"web", "shop"},
        is_all_owned=all_owned,
    )


type Vain = tuple[str, str, bool]
"""What a `when` asks in vain: the code, where, and whether the route is dead for that."""


def what_is_vain(when: Mapping[str, object], around: Surroundings) -> list[Vain]:
    """All that a `when` asks in vain."""
    found = find_contradictions(WhenForm.model_validate(when), around)
    return [(one.code, ".".join(map(str, one.path)), one.is_fatal) for one in found]


OF_ALERTS: Sequence[tuple[Mapping[str, object], Sequence[Vain]]] = [
    ({"severity": ["Low", "Medium"], "at_least": "High"}, [("dead-route", "at_least", True)]),
    ({"severity": "Informational"}, [("dead-route", "severity", True)]),
    ({"severity": "Low", "plan": "KeyVaults"}, [("dead-route", "severity", True)]),
    ({"kind": "alert", "incident": True}, [("dead-route", "incident", True)]),
    ({"kind": "incident", "incident": False}, [("dead-route", "incident", True)]),
    ({"status": ["Resolved", "New"]}, [("dead-value", "status.0", False)]),
    ({"status": "dismissed"}, [("dead-route", "status.0", True)]),
    ({"subscription": ["prod-*", "6f0a*"]}, [("dead-value", "subscription.0", False)]),
    ({"account": ["Retail", "12345678901?"]}, [("dead-value", "account.0", False)]),
    ({"resource": ["rg-shop/*", "*"]}, [("dead-value", "resource.0", False)]),
    ({"resource_type": "virtualMachines"}, [("dead-route", "resource_type.0", True)]),
    ({"resource_type": ["Microsoft.Sql/*", "*"]}, []),
    ({"owner": ["w*", "payments"]}, [("dead-value", "owner.1", False)]),
    ({"alert_type": "VM_SshBruteforceSucces"}, [("unknown-alert-type", "alert_type.0", False)]),
    ({"alert_type": ["VM_*", "SQLDB_*", "Contoso.Own", "*.Own"]}, [("unknown-alert-type", "alert_type.1", False)]),
    ({"alert_type": ["simulated_vm_*", "*", "sentinel_rule"]}, []),
    ({"alert_type": ["VM_*", "KV_*"], "plan": "KeyVaults"}, []),
    ({"alert_type": "Contoso.Own", "plan": "KeyVaults"}, []),
]
OF_FINDINGS: Sequence[tuple[Mapping[str, object], Sequence[Vain]]] = [
    ({"severity": "Low"}, [("dead-route", "severity", True)]),
    ({"severity": ["Low", "unknown"], "kind": "attack_path"}, [("dead-route", "severity", True)]),
    ({"severity": "unknown", "kind": ["recommendation", "vulnerability"]}, [("dead-route", "severity", True)]),
    ({"severity": "Low", "kind": "attack_path"}, [("dead-route", "severity", True)]),
    ({"severity": "High", "kind": ["secure_score", "compliance"]}, [("dead-route", "severity", True)]),
    ({"status": ["Healthy", "Unhealthy"]}, [("dead-value", "status.0", False)]),
    ({"status": "Resolved"}, [("dead-route", "status.0", True)]),
    ({"status": ["active", "Fired"]}, [("dead-value", "status.1", False)]),
    ({"alert_type": "nothing-of-alerts"}, []),
]
OF_COVERAGE: Sequence[tuple[Mapping[str, object], str]] = [
    ({"severity": "Low", "kind": "attack_path"}, "severity"),
    ({"coverage": True, "severity": ["Medium", "unknown"]}, "severity"),
    ({"kind": "coverage", "severity": "Medium"}, "severity"),
    ({"coverage": True, "at_least": "Medium"}, "at_least"),
    ({"kind": "coverage", "at_least": "Medium"}, "at_least"),
    ({"coverage": True, "kind": ["attack_path", "vulnerability"]}, "coverage"),
    ({"coverage": False, "kind": "coverage"}, "coverage"),
]
"""Here what is about coverage is Low, which is below the floor for everything else: no other severity is asked of it."""


def test_what_a_route_asks_in_vain_is_said() -> None:
    """Each contradiction is said at the key or the value that is at fault; what is possible is not said. What is below the
    floor gets no further, and scores have no severity; what is about coverage has the one that the policy says."""
    alerts, findings = the_surroundings(), the_surroundings(Stream.CSPM, Floor(Severity.MEDIUM))
    for around, whens in ((alerts, OF_ALERTS), (findings, OF_FINDINGS)):
        for when, vain in whens:
            assert what_is_vain(when, around) == vain, (when, around.stream)
    for when, key in OF_COVERAGE:
        found = what_is_vain(when, replace(findings, coverage_severity=Severity.LOW))
        assert found == [("dead-route", key, True)], when
    # An entry of owners.yaml that matches everything leaves nothing for nobody.
    around = the_surroundings(all_owned=True)
    assert what_is_vain({"owner": ["nobody", "web"]}, around) == [("dead-value", "owner.0", False)]


WORDS: dict[str, st.SearchStrategy[object]] = {
    "severity": st.lists(st.sampled_from([*(one.label for one in Severity), "unknown"]), min_size=1, max_size=2),
    "at_least": st.sampled_from([one.label for one in Severity]),
    "kind": st.lists(st.sampled_from(list(Kind)), min_size=1, max_size=2),
    "incident": st.booleans(),
    "coverage": st.booleans(),
    "sample": st.booleans(),
    "status": st.lists(st.sampled_from(["New", "Resolved", "Dismissed", "Healthy", "Unhealthy", "InProgress"]), min_size=1),
    "plan": st.lists(st.sampled_from(["VirtualMachines", "virtualmachines", "KeyVaults", "V*"]), min_size=1, max_size=2),
    "subscription": st.lists(st.sampled_from([SUBSCRIPTION, "6f*", "prod", "*"]), min_size=1, max_size=2),
    "resource": st.lists(st.sampled_from([VM, "*web-01", "web-01"]), min_size=1, max_size=2),
    "resource_type": st.lists(st.sampled_from(["Microsoft.Compute/*", "virtualMachines", "Microsoft.Sql/servers"]), min_size=1),
    "owner": st.lists(st.sampled_from(["web", "nobody", "shop", "payments"]), min_size=1, max_size=2),
    "risk": st.just(["High"]),
}  # fmt: skip
WHENS = st.dictionaries(st.sampled_from([*WORDS, "severity", "severity", "plan"]), st.none(), max_size=8).flatmap(
    lambda keys: st.fixed_dictionaries({key: WORDS[key] for key in keys})
)
KNOWN_LEVELS = st.sampled_from(list(Severity))
LEVELS = st.none() | KNOWN_LEVELS
RESOURCES = st.sampled_from([VM, VM.replace("6f0a", "0000"), VM.replace("Microsoft.Compute", "Microsoft.Sql")])
STATUSES = st.none() | st.sampled_from(["New", "InProgress", "Active"])
STATUSES_OF_FINDINGS = st.none() | st.sampled_from(["Unhealthy", "Active"])
NAMED = {"id": st.just("a"), "type": st.just("VM_X"), "title": st.just("t"), "resource": RESOURCES}


def findings(*kinds: Kind, severity: st.SearchStrategy[Severity | None], **more: object) -> st.SearchStrategy[Finding]:
    """Findings of some kinds, whose risk may be Low."""
    risk = st.none() | st.just(Risk(level=Severity.LOW, is_contextual=True))
    named: dict[str, Any] = {**NAMED, "status": STATUSES_OF_FINDINGS, "severity": severity, "risk": risk, **more}
    return st.builds(Finding, kind=st.sampled_from(kinds), **named)


SIGNALS = st.one_of(
    st.builds(
        Alert, kind=st.sampled_from([Kind.ALERT, Kind.INCIDENT]), severity=LEVELS, status=STATUSES, sample=st.booleans(),
        plan=st.none() | st.sampled_from(["VirtualMachines", "KeyVaults"]), **NAMED,
    ),
    findings(Kind.RECOMMENDATION, Kind.VULNERABILITY, Kind.ATTACK_PATH, severity=KNOWN_LEVELS),
    findings(Kind.RECOMMENDATION, Kind.COVERAGE, severity=st.just(Severity.HIGH), rung=st.just(Rung.PLAN)),
    findings(Kind.SECURE_SCORE, Kind.COMPLIANCE, severity=st.none(), risk=st.none()),
)  # fmt: skip
OWNERS = Owners((Ownership(lambda _, group: group == "rg-shop", Owner("web", "shop")),))
ATTACK = load_attack(STARTER / "attack.yaml")


def what_holds(when: Mapping[str, object], signal: Signal) -> WhenForm:
    """A `when` without the keys that a signal does not meet, so that the rest holds for it."""
    clauses = clauses_for(WhenForm.model_validate(when), ATTACK, OWNERS)
    met = {clause.key for clause in clauses if clause.holds(signal, Attack())}
    return WhenForm.model_validate({key: value for key, value in when.items() if key in met})


@settings(deadline=None, max_examples=some_of(200))
@given(WHENS, SIGNALS, KNOWN_LEVELS, KNOWN_LEVELS)
def test_a_route_that_matches_something_is_never_called_dead(
    when: dict[str, object], signal: Signal, default: Severity, of_vms: Severity
) -> None:
    """A route that a signal meets which passes the floor is said to ask nothing that kills it; coverage passes any floor."""
    floor = Floor(default, {"VirtualMachines": of_vms} if signal.stream is Stream.CWPP else {})
    plan = signal.plan if isinstance(signal, Alert) else None
    is_above = isinstance(signal, Finding) and signal.is_about_coverage
    assume(is_above or signal.level is None or signal.level >= floor.severity_for(plan))
    form = what_holds(when, signal)
    assert not is_for_other_stream(form, signal.stream)
    around = replace(the_surroundings(signal.stream, floor), coverage_severity=Severity.HIGH)
    assert not [one for one in find_contradictions(form, around) if one.is_fatal]


@settings(deadline=None, max_examples=some_of(200))
@given(WHENS, WHENS, SIGNALS)
def test_what_takes_all_of_a_route_does(wide: dict[str, object], narrow: dict[str, object], signal: Signal) -> None:
    """What meets the narrower `when` meets the wider one."""
    shared = {key: value for key, value in wide.items() if key in {*narrow, "severity", "at_least"}}
    form = WhenForm.model_validate(shared)
    if takes_all_of(form, what_holds(narrow, signal)):
        assert what_holds(shared, signal) == form


def test_a_glob_covers_another_only_where_that_is_sure() -> None:
    """A star of the narrower glob may stand for anything, so only a star of the wider one takes it."""
    for wide, narrow in (("vm_*", "vm_ssh*"), ("*", "*"), ("*ssh*", "vm_ssh?"), ("vm_?", "vm_x"), ("vm_?", "vm_?")):
        assert covers_glob(wide, narrow), (wide, narrow)
    for wide, narrow in (("vm_?", "vm_*"), ("vm_x", "vm_?"), ("vm_ssh*", "vm_*"), ("*ab*", "*a*b*")):
        assert not covers_glob(wide, narrow), (wide, narrow)


GLOBS = st.text(alphabet="aB*?", max_size=6)


@given(GLOBS, GLOBS, st.lists(st.text(alphabet="abB\n", max_size=6), max_size=20))
def test_what_is_known_of_two_globs_holds_for_every_text(one: str, other: str, texts: list[str]) -> None:
    """A glob covers itself, and one that covers another one fits what that fits; two that fit one text may meet."""
    assert covers_glob(one, one)
    fits_one, fits_other = compile_globs([one]), compile_globs([other])
    for text in [*texts, *(other.replace("*", text).replace("?", text[:1] or "a") for text in texts)]:
        assert not (covers_glob(one, other) and fits_other(text) and not fits_one(text))
        assert not (fits_one(text) and fits_other(text) and not may_meet(one, other))


def said_of(*routes: Mapping[str, object], **parts: object) -> list[str]:
    """What `rules check` says beside what loading says of a policy with those routes."""
    desk = {"kind": "desk", "url": "https://desk.example.com", "key": {"secret": "DESK_KEY"}}
    destinations = {"oncall": {"kind": "pager", "key": {"secret": "PAGER_KEY"}}, "tickets": desk}
    policy = a_policy("cwpp", destinations=destinations, routes=routes, floor={"default": "Medium"}, **parts)
    owners = {"owners": [{"subscription": "0*", "group": "web"}, {"group": "b"}]}
    found = checked({"cwpp/policy.yaml": policy, "owners.yaml": owners})[1]
    return [f"{one.level} {one.code} {one.message}" for one in found]


def test_a_dead_route_is_said_with_its_place_and_what_only_it_would_reach() -> None:
    """The warning is at the key at fault; a destination that nothing else names is said, too."""
    low = {"name": "low", "when": {"severity": "Low"}, "to": ["oncall", "tickets"]}
    assert said_of(low, {"name": "free", "when": {"owner": "nobody"}, "to": ["oncall"]}) == [
        "warning unused-destination destinations.oncall: is reached by nothing: "
        "route 'free' can match nothing, and no other one names it",
        "warning dead-route routes[0].when.severity: is below the floor, Medium, so the route matches nothing; "
        "lower the floor, or remove the route",
        "warning dead-route routes[1].when.owner[0]: stands for what has no owner, and by owners.yaml everything has one; "
        "the route matches nothing",
    ]


def test_a_quiet_route_beside_a_wider_one_is_said_to_keep_nothing_quiet() -> None:
    """Order never matters, so what a quiet route takes is told where another route takes it, too."""
    quiet = {"name": "hush", "when": {"severity": "Medium", "alert_type": "VM_Ssh*"}, "to": []}
    both = {"severity": ["Medium", "High"], "alert_type": "VM_*"}
    wide = {"name": "all-of-vms", "when": both, "to": ["tickets"]}
    aside = {"name": "high", "when": {"at_least": "High", "alert_type": "VM_*"}, "to": ["oncall"]}
    assert said_of(quiet, wide, aside) == [
        "warning quiet-in-vain routes[0].to: keeps nothing quiet: route 'all-of-vms' takes all that it takes, "
        "and order never matters; narrow that one, or remove this one"
    ]
    assert said_of(quiet, aside, otherwise=["tickets"]) == []
