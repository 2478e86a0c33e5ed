"""Where it happened, as every text says it, and what people read of software, CVEs, risk and coverage, each thing once."""

import json
import re
from copy import replace
from itertools import product
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from router.decide import decide, notice_for
from router.destinations.base import document_of
from router.destinations.paging import details_of
from router.destinations.wording.changes import ending_of
from router.destinations.wording.facts import coverage_words, image_words, package_words, risk_words, words_of_posture
from router.destinations.wording.headlines import headline, reporter_of
from router.destinations.wording.plain_text import text_of
from router.destinations.wording.whereabouts import UNKNOWN, whereabouts_of
from router.domain.coverage import Rung
from router.domain.decisions import Change
from router.domain.deliveries import Background, Counterpart
from router.domain.evidence import Evidence
from router.domain.notices import Group, Link, NamedMember, Notice
from router.domain.posture import DatabaseRule, Image, Package, Risk
from router.domain.recommendations import EDR_INSTALLED, RECOMMENDATIONS
from router.domain.resources import is_telling, names_of_resource, parse_resource_id
from router.domain.rulebook import Lane
from router.domain.severity import Severity
from router.domain.signals import Stream
from router.ingest.grouping.group_notices import named_member, notice_from_state
from router.parse import evidence_of
from router.store.groups import GroupState
from tests.builders import a_rulebook
from tests.destinations.builders import NOW, a_briefing, a_finding, a_notice, a_software_update, an_attempt
from tests.parse.messages import an_assessment, read_finding

SUBSCRIPTION = "/subscriptions/6f0a3c52-8d1e-4b7a-9c45-2e71d0b8a110"
GROUP = f"{SUBSCRIPTION}/resourceGroups/rg-data"
CONNECTED = f"{GROUP}/providers/Microsoft.Security/securityConnectors/corp/securityentitydata"
GUID = "0b2c8f0e-6a4e-4c5c-9c1d-1f0f5a1c0d11"
OTHER = "6f0a3c52-8d1e-4b7a-9c45-2e71d0b8a110"
LAPTOP = Evidence(hosts=("laptop-of-mallory",))

ON_FILE: dict[str, list[dict[str, Any]]] = {}
for _line in Path(__file__).with_name("places.ndjson").read_text(encoding="utf-8").splitlines():
    ON_FILE.setdefault(json.loads(_line)["table"], []).append(json.loads(_line))


def at(resource: str | None, entity: str | None = None, evidence: Evidence = LAPTOP, **fields: Any) -> Notice:
    """A notice about a resource, with somebody's laptop among the evidence."""
    parts = parse_resource_id(resource)
    return a_notice(
        resource=resource,
        resource_type=parts.type,
        resource_group=parts.resource_group,
        subscription=parts.subscription,
        compromised_entity=entity,
        evidence=evidence,
        **fields,
    )


def words(resource: str | None, *args: Any, **fields: Any) -> str:
    return whereabouts_of(at(resource, *args, **fields)).words


def test_a_resource_is_named_with_what_it_is_a_part_of() -> None:
    """Its id says both, and never the laptop that is among the entities; `default` and the like are no names."""
    for one in ON_FILE["resources"]:
        assert words(one["resource"]) == one["said"]
        assert words(one["resource"].upper()).lower() == one["said"].lower()


def test_a_scope_is_said_with_its_name_or_the_end_of_its_id() -> None:
    """A GUID by itself is never said; whoever wants the whole of it finds it among the facts."""
    for entity, one in product((None, OTHER), ON_FILE["scopes"]):
        assert words(one["resource"], entity, subscription_name=one["subscription"]) == one["said"]


def test_the_compromised_entity_is_said_where_the_resource_says_less() -> None:
    """A subscription, a workspace, a connector's name and a bare GUID do; addresses and accounts are nowhere."""
    evidence = Evidence(
        hosts=("laptop-of-mallory",),
        ips=("203.0.113.9", "203.0.113.10"),
        accounts=("mallory@contoso.example (S-1-5-18)",),
    )
    for one in ON_FILE["entities"]:
        name = "Contoso Payments" if parse_resource_id(one["resource"]).subscription else None
        assert words(one["resource"], one["entity"], evidence, subscription_name=name) == one["said"], one


def test_a_host_is_said_only_where_nothing_else_has_a_name() -> None:
    """It may be the attacked machine or the attacker's; one called `0` is none."""
    assert words(None) == words(GUID, GUID) == "laptop-of-mallory"
    assert words(GUID, GUID, Evidence(hosts=("0", "default"))) == "resource …1c0d11"
    assert words(None, None, Evidence()) == UNKNOWN
    assert words(None, "0", Evidence(nodes=("aks-pool-1",))) == "aks-pool-1"
    assert words(None, None, Evidence(resources=(f"{GROUP}/providers/Microsoft.Web/sites/app",))) == "app"


BARE = GUID.replace("-", "")
CLUSTERS: list[tuple[dict[str, Any], Evidence, str]] = [
    ({"cluster": GUID}, LAPTOP, "cluster …1c0d11"),
    ({"cluster": BARE}, Evidence(namespaces=("jobs",), pods=("export-1",)), "cluster …1c0d11/jobs/export-1"),
    ({"cluster": GUID}, Evidence(clusters=(GUID, "shop-prod"), pods=("export-1",)), "shop-prod/export-1"),
    ({"cluster": "default"}, LAPTOP, "cluster default"),
    ({"targets": (f"{GUID}/{GUID}", "vm-7")}, LAPTOP, "vm-7"),
]


def test_a_guid_is_said_by_its_end_however_it_is_written() -> None:
    """With hyphens or without, in braces, two together, or beside names; what is only a part of a name is said with it.

    A cluster whose name is one is called a cluster, or as the evidence, its own cloud or the connector calls it.
    """
    for one in ON_FILE["guids"]:
        assert words(one["resource"], one["entity"], Evidence()).startswith(one["said"]), one
    for fields, evidence, said in CLUSTERS:
        assert words(None, None, evidence, **fields) == said, fields
    resource = f"{CONNECTED}/aws-eks-cluster-shop-prod"
    assert words(resource, cluster=GUID, native_name="shop-prod") == "shop-prod"
    assert words(resource, cluster=GUID, native_name=BARE) == "aws-eks-cluster-shop-prod"


AKS = f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/aks-web"
ARC = f"{GROUP}/providers/Microsoft.Kubernetes/connectedClusters/arc-hq"
INSIDE = [
    (Evidence(namespaces=("jobs",), pods=("export-1",)), "/jobs/export-1"),
    (Evidence(namespaces=("jobs",), pods=("export-1", "export-2")), "/jobs"),
    (Evidence(namespaces=("jobs", "web"), pods=("export-1",)), "/export-1"),
    (Evidence(namespaces=("jobs",), nodes=("pool-1",)), "/jobs"),
    (Evidence(nodes=("pool-1",), hosts=("pool-1",)), "/pool-1"),
    (Evidence(nodes=("pool-1", "pool-2")), ""),
    (Evidence(), ""),
]
NAMED = [
    (AKS, "aks-web"),
    (ARC, "arc-hq"),
    (f"{CONNECTED}/shop-prod", "shop-prod"),
    (f"{CONNECTED}/aws-eks-cluster-shop-prod-eu-west-2", "shop-prod"),
    ("arn:aws:eks:eu-west-2:123456789012:cluster/shop-prod", "shop-prod"),
    ("//container.googleapis.com/projects/shop/zones/z/clusters/shop-prod", "shop-prod"),
]


def test_a_pod_is_named_with_its_cluster_and_namespace() -> None:
    """In any cloud the cluster has its own name; a namespace, pod or node stands behind it where there is no doubt which."""
    for (evidence, inside), (resource, cluster) in product(INSIDE, NAMED):
        assert words(resource, None, evidence, cluster=cluster) == f"{cluster}{inside}"


REGISTRY = f"{GROUP}/providers/Microsoft.ContainerRegistry/registries/contoso"
DIGEST = "sha256:eceeba9f3c1f021b333ab146d3142a73e81c5985277dfa9e8961628b1d82153c"
IMAGES: list[tuple[dict[str, Any], tuple[str, ...], str]] = [
    ({"image": Image(repository="shop/web", digest=DIGEST)}, (), "contoso/shop/web@sha256:eceeba9f3c1f"),
    ({"image": Image(repository="shop/web")}, (), "contoso/shop/web"),
    ({}, ("contoso.azurecr.example/shop/web:4.18",), "contoso/shop/web:4.18"),
    ({}, (f"contoso.azurecr.example/shop/web@{DIGEST}",), "contoso/shop/web@sha256:eceeba9f3c1f"),
    ({}, ("shop/web:4.18",), "contoso/shop/web:4.18"),
    ({}, ("elsewhere.example/shop/web:4.18",), "contoso"),
    ({}, ("shop/web:1", "shop/web:2"), "contoso"),
]
DATABASES = [
    ("Microsoft.Compute/virtualMachines/sqlvm-1", "SQLVM-1\\PROD", "ledger", "sqlvm-1/PROD/ledger"),
    ("Microsoft.HybridCompute/machines/hq-sql", "hq-sql.corp.example", "ledger", "hq-sql/ledger"),
    ("Microsoft.Sql/servers/sql-weu/databases/ledger", "sql-weu", "ledger", "sql-weu/ledger"),
    ("Microsoft.Sql/servers/sql-weu", None, "master", "sql-weu/master"),
]


def test_an_image_is_named_with_its_registry_and_a_database_with_its_machine() -> None:
    """A repository with tag or digest, which is as long as people compare it; a rule says which database of which instance."""
    for fields, images, said in IMAGES:
        assert words(REGISTRY, None, Evidence(images=images), **fields) == said
    for below, server, database, said in DATABASES:
        rule = DatabaseRule(id="VA1", server=server, database=database)
        assert words(f"{GROUP}/providers/{below}", rule=rule) == said


def test_what_a_connector_brings_is_called_as_its_own_cloud_calls_it() -> None:
    """Of an ARN or Google's name the last name, else the resource's; what the connector made up is the last resort."""
    resource = f"{CONNECTED}/aws-s3-bucket-invoices"
    for details, name in (
        ({"nativeResourceId": "arn:aws:s3:::invoices", "resourceName": "x"}, "invoices"),
        ({"nativeCloudUniqueIdentifier": "//iam.googleapis.com/projects/p/serviceAccounts/etl"}, "etl"),
        ({"resourceName": "the-invoices"}, "the-invoices"),
        ({"resourceName": GUID}, "aws-s3-bucket-invoices"),
        ({}, "aws-s3-bucket-invoices"),
    ):
        finding = read_finding(an_assessment(resourceDetails={"source": "Aws", "id": resource, **details}))
        book = a_rulebook(stream=Stream.CSPM)
        notice = notice_for(
            finding, evidence_of(finding, book.catalogue), decide(finding, book, NOW), book, "0" * 32, 1
        )
        assert whereabouts_of(notice).words == name


def test_an_account_of_another_cloud_is_said_in_place_of_the_connectors_subscription() -> None:
    """The connector's own says nothing of the resource."""
    notice = at(f"{CONNECTED}/shop-prod", cluster="shop-prod", account="123456789012")
    assert whereabouts_of(notice).subscription == "AWS account 123456789012"
    named = at(f"{CONNECTED}/shop-prod", account="123456789012", subscription_name="Retail")
    assert whereabouts_of(named).subscription == "Retail"
    project = at("//cloudresourcemanager.googleapis.com/projects/shop", project="shop")
    assert whereabouts_of(project).words == "GCP project shop"
    assert words(None, None, Evidence(), account="123456789012", subscription_name="Retail") == "AWS account Retail"


def test_a_subscription_is_said_by_name_only() -> None:
    """Its id is a fact, and no name."""
    assert whereabouts_of(at(AKS)).subscription is None
    assert whereabouts_of(at(AKS, subscription_name="Payments")).subscription == "Payments"


def test_ids_of_any_cloud_have_names() -> None:
    """Types, regions, accounts and projects are none of them."""
    for one in ON_FILE["ids"]:
        assert names_of_resource(one["resource"]) == tuple(one["names"]), one


def test_members_of_a_group_are_named_by_the_same_words() -> None:
    """A group's notice names what a notice of their own would; and so does one that is made of the group's state alone."""
    member = named_member(at(f"{GROUP}/providers/Microsoft.Sql/servers/sql-weu/databases/ledger", "ledger"))
    assert member.place == "sql-weu/ledger"
    group = Group(by=(), total=2, standing=1, named=(member,))
    state = GroupState(group=group, audience_key="a", at=NOW, window_key=None, until=None)
    like = at(AKS, "another", subscription_name="Another", environment="production")
    said = whereabouts_of(notice_from_state(state, like))
    assert (said.words, said.subscription) == ("sql-weu/ledger", None)


PIECES = [
    "subscriptions", "providers", "Microsoft.Security", "securityConnectors", "securityentitydata", GUID, GUID.upper(), BARE,
    f"{{{GUID}}}", "default", "0", "arn:aws:s3:::", "arn:aws:ecs:eu-west-2:123456789012:task", "//compute.googleapis.com",
    "projects", "a b", "",
]  # fmt: skip
JOINED = st.tuples(
    st.lists(st.sampled_from(PIECES), max_size=9), st.sampled_from(["/", "//", "@", ":", "\\", " ", ", "])
)
TEXTS = st.text(max_size=20) | JOINED.map(lambda drawn: drawn[1].join(drawn[0]))
BEING_SAID = re.compile(r"(?<![\w.-])[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}(?![\w.-])", re.IGNORECASE)
FEW = st.lists(TEXTS, max_size=2).map(tuple)


SOME = st.none() | TEXTS
NOTICES = st.builds(
    at,
    SOME,
    SOME,
    st.builds(Evidence, hosts=FEW, clusters=FEW, pods=FEW, namespaces=FEW, nodes=FEW, images=FEW, resources=FEW),
    cluster=SOME,
    native_name=SOME,
    subscription_name=SOME,
    rule=st.none() | st.builds(DatabaseRule, id=st.just("VA1"), server=SOME, database=SOME),
    image=st.none() | st.builds(Image, repository=TEXTS),
    targets=FEW,
)


@given(NOTICES)
def test_there_are_always_words(notice: Notice) -> None:
    """Whatever a message writes, and whichever of its fields says where: something that tells, in one line, no bare GUID."""
    bare = at(notice.resource, notice.compromised_entity, Evidence(hosts=notice.evidence.hosts))
    finding = a_finding(resource=notice.resource, compromised_entity=notice.compromised_entity)
    said = [whereabouts_of(one).words for one in (bare, finding, notice)]
    assert all(map(is_telling, said))
    assert said[0] == " ".join(said[0].split())
    assert not any(map(BEING_SAID.search, said))


def fact(name: str, **changes: Any) -> str | None:
    """One fact of a software update."""
    briefing = a_briefing(a_software_update(**changes))
    facts = {one.name: ", ".join(one.values) for one in (*briefing.what, *briefing.evidence)}
    return facts.get(name)


def test_risk_packages_and_images_in_words() -> None:
    """The level as Defender wrote it, with its reasons; what is installed and mends it; an image as registries write it."""
    risks: dict[Risk | None, str | None] = {
        None: None,
        Risk(level=Severity.HIGH, is_contextual=True): "High",
        Risk(level=Severity.HIGH): "High (by its severity)",
        Risk(level=None, written="Not evaluated", is_contextual=True): "Not evaluated",
        Risk(level=None, written="None", factors=("Sensitive Data",)): "None (Sensitive Data)",
        Risk(level=Severity.HIGH, attack_paths=("a", "b"), is_contextual=True): "High (on 2 attack paths)",
    }
    assert {risk: risk_words(risk) for risk in risks} == risks
    packages: dict[Package | None, str | None] = {
        None: None,
        Package(name="lodash"): "lodash, no fix",
        Package(name="lodash", installed=("1", "2"), fixed="3"): "lodash 1, 2 -> 3",
        Package(name="lodash", type="npm", installed=("1",), fix_status="NoFix"): "lodash (npm) 1, no fix",
    }
    assert {package: package_words(package) for package in packages} == packages
    registry, digest = "shop.azurecr.io", "sha256:0a"
    images: dict[Image | None, str | None] = {
        None: None,
        Image(repository="shop/web", digest=digest): f"shop/web@{digest}",
        Image(repository="web", registry=registry, tags=("1.4", "latest")): f"{registry}/web:1.4",
        Image(repository="web", registry=registry, tags=("1.4",), digest=digest): f"{registry}/web:1.4@{digest}",
        Image(digest=digest, registry=registry, tags=("1.4",)): digest,
    }
    assert {image: image_words(image) for image in images} == images
    assert fact("Rule", rule=DatabaseRule(id="VA1059", server="sql-1", database="orders")) == "VA1059 on sql-1/orders"
    assert fact("Rule", rule=DatabaseRule(id="VA1059")) == "VA1059"


def test_cves_in_words() -> None:
    """The first few, and how many more there are, as far as the notice names them."""
    told = {
        ("", False): None, ("abcde", False): "a, b, c, d, e", ("abcdef", False): "a, b, c, d, e and 1 more",
        ("abcdefg", True): "a, b, c, d, e and 2 more at least", ("a", True): "a and others", ("", True): "others",
    }  # fmt: skip
    assert {(cves, more): fact("CVEs", cves=tuple(cves), has_more_cves=more) for cves, more in told} == told


def test_a_document_says_how_a_signal_ended_that_nobody_says_is_fixed() -> None:
    """Its receiver need not read it out of the reason; of what Defender says is over it is null."""
    closing = "not seen since 2026-11-03, two snapshots came without it"
    assert document_of(an_attempt(), a_finding(closing=closing))["closing"] == closing
    assert document_of(an_attempt(), a_finding())["closing"] is None


def test_a_summary_of_groups_says_how_many_wait_and_which_open_next() -> None:
    """Its headline counts signals and groups, its text names groups; once nothing waits it says so, and never "fixed"."""
    named = tuple(NamedMember(key=f"g{n}", title=f"Update p{n}", severity="High", place="3 signals") for n in range(2))
    by = (("limit", "100 openings in 1d"),)
    group = Group(by=by, total=90, standing=60, named=named, limited=True, groups=20)
    notice = a_software_update(group=group)
    assert "60 of 90 wait in 20 groups for room under the limit of 100 openings in 1d, the gravest: " in headline(
        notice, 500
    )
    text = text_of(a_briefing(notice), 10_000)
    assert "WAITING FOR THEIR TURN\n- High: Update p0 - 3 signals\n- High: Update p1 - 3 signals\n- and 18 more" in text
    assert "60 signals wait for room in 20 groups; each group gets a ticket of its own" in text
    over = a_software_update(group=replace(group, standing=0, groups=0, named=()))
    assert "none of 90 waits any longer" in headline(over, 500)
    assert "NONE WAITS ANY LONGER" in text_of(a_briefing(over), 10_000)
    assert ending_of(over, None, NOW) == "All that waited for room has a ticket of its own by now, or is over."
    assert ending_of(a_software_update(), None, NOW) != ending_of(over, None, NOW)


def test_what_mends_it_in_words() -> None:
    """Whether there is a fix where no version is named, how much work it is, and what it may lead to."""
    words = words_of_posture(
        a_software_update(has_fix=False, effort="Low", user_impact="High", threats=("DataSpillage", "AccountBreach"))
    )
    assert (words["Fix"], words["Effort"]) == ("none is known", "Low, impact on users: High")
    assert words["Threats"] == "DataSpillage, AccountBreach"
    assert words_of_posture(a_software_update(has_fix=True))["Fix"] == "available"
    bare = words_of_posture(a_software_update())
    assert (bare["Fix"], bare["Effort"], bare["Threats"]) == (None, None, None)


def without_a_sensor(**changes: Any) -> Notice:
    """A machine without a sensor, which Defender calls low."""
    return a_finding(**{"type": EDR_INSTALLED, "severity": "High", "severity_written": "Low"} | changes)


def silence_of(rung: str) -> Notice:
    """What the router says of a source that is silent."""
    return a_finding(kind="coverage", type=rung, severity="Medium", severity_written="High", remediation=())


def test_a_ticket_says_which_rung_is_missing_and_what_comes_of_that() -> None:
    """Beside its severity, whose two authors it names; as a detail too, until it is over: rules of pagers may ask for it."""
    words = "sensor-installed: no sensor is there, so what happens inside raises no alert"
    lines = text_of(a_briefing(without_a_sensor()), 10_000).splitlines()
    assert lines[lines.index("Severity: High") + 1] == f"Not watched: {words}; High by the policy, Defender says Low"
    assert any("alert-router coverage check" in line for line in lines)
    notice = without_a_sensor(severity_written=" high ", remediation=("Deploy it.",))
    told = details_of(a_briefing(notice))
    assert (told["not_watched"], told["remediation"][0], len(told["remediation"])) == (words, "Deploy it.", 3)
    over = details_of(a_briefing(notice, Change.RESOLVED))
    assert ("not_watched" not in over, over["remediation"]) == (True, ("Deploy it.",))


def test_each_recommendation_that_counts_has_words_and_something_to_do() -> None:
    """Also where the message has no remediation; what is known of it is told, such as that Helm leaves it unhealthy."""
    for one in RECOMMENDATIONS:
        notice = without_a_sensor(type=one.key or "f00d", title=one.title, remediation=())
        words, steps = coverage_words(notice, is_over=False), details_of(a_briefing(notice)).get("remediation", ())
        assert (words is not None, bool(steps)) == (not one.is_deprecated, not one.is_deprecated), one
        if not one.is_deprecated:
            assert words is not None and words.startswith(f"{one.rung}: ")
            assert all(any(it in step for step in steps) for it in filter(None, (one.note, one.plan)))


def test_a_silent_source_is_the_router_s_own_word() -> None:
    """No page of Defender's says so; any other finding says nothing of coverage, nor more to do than its message."""
    for rung in Rung:
        notice = silence_of(rung)
        assert coverage_words(notice, is_over=False) == (
            f"{rung}: coverage.yaml expects it, and nothing was heard of it for too long, so what happens there may tell nobody"
        )
        assert reporter_of(notice) == "alert-router"
        assert details_of(a_briefing(notice))["remediation"]
        told = replace(notice, remediation=("Look at continuous export.",))
        assert details_of(a_briefing(told))["remediation"] == ("Look at continuous export.",)
    assert coverage_words(silence_of("odd"), is_over=False)
    other = a_finding(remediation=("Close it.",))
    assert coverage_words(other, is_over=False) is None
    assert details_of(a_briefing(other))["remediation"] == ("Close it.",)


def others_in(notice: Notice, **extended: str) -> list[str]:
    """The names of the properties that a notice with these tells beside its facts."""
    told = {field: getattr(notice, field) for field in ("package", "rule", "scanner", "impact", "targets", "cvss")}
    return [fact.name for fact in a_briefing(a_notice(**told, extended=extended, unlisted=tuple(extended))).others]


def test_a_property_that_a_fact_tells_whole_is_not_told_again() -> None:
    """It is told where its value is another, and where no fact has it, such as the target of a Key Vault alert."""
    told: list[tuple[dict[str, Any], str, str]] = [
        ({}, "SoftwareName", "lodash"), ({}, "PackageType", "npm"), ({}, "DetectedSoftwareVersions", "4.17.15"),
        ({}, "FixedVersion", "4.17.21"), ({}, "Scanner", "mdvm"), ({"cvss": "8.7"}, "MaxCvssScore", "8.7"),
        ({"impact": "It stops."}, "impact", "It stops."), ({"targets": ("kv-pay",)}, "target", "kv-pay"),
        ({"rule": DatabaseRule(id="VA1", server="sql-1")}, "ruleId", "VA1"),
    ]  # fmt: skip
    for by, name, value in told:
        finding = a_software_update(**by)
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


def test_a_page_has_all_of_a_threat_and_of_a_property() -> None:
    """What a finding may lead to stands beside what intelligence says; a property that holds a list is told whole."""
    notice = a_software_update(threats=("Data exfiltration",), evidence=Evidence(threats=("Botnet",)))
    assert details_of(a_briefing(notice))["threats"] == ("Data exfiltration", "Botnet")
    notice = a_notice(extended={"Odd Things": json.dumps(["first", "second", "third"])}, unlisted=("Odd Things",))
    assert all(word in str(details_of(a_briefing(notice))) for word in ("first", "second", "third"))


def test_nobody_is_sent_to_what_cannot_be_looked_up() -> None:
    """A mail's number in its server's queue, a webhook's id and `no open issue` are no tickets."""
    mail = Counterpart(destination="mail", lane=Lane.TICKET, reference="4XQueueId12")
    assert a_briefing(a_notice(), background=Background(elsewhere=(mail,))).in_full is None


def test_values_that_hold_a_comma_stand_on_lines_of_their_own() -> None:
    """On one line nobody could tell where one ends; those that hold none stand on one line as long as they are short."""
    evidence = Evidence(ips=("192.0.2.1", "192.0.2.2"), locations=("192.0.2.1: Ghent, Belgium", "192.0.2.2: Utrecht"))
    lines = text_of(a_briefing(a_notice(evidence=evidence)), 10_000).splitlines()
    assert "IP addresses: 192.0.2.1, 192.0.2.2" in lines
    at = lines.index("Locations:")
    assert lines[at + 1 : at + 3] == ["- 192.0.2.1: Ghent, Belgium", "- 192.0.2.2: Utrecht"]
