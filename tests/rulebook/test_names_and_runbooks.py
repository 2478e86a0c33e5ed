"""What owners.yaml calls subscriptions, which environment they are, and which runbooks a notice names."""

from __future__ import annotations

from router.decide import decide, notice_for
from router.domain.notices import Notice
from router.domain.owners import Owner
from router.domain.rulebook import Rulebook
from router.domain.signals import Signal, Stream
from router.parse import evidence_of
from tests.builders import RESOURCE, SUBSCRIPTION, an_alert
from tests.parse.messages import an_assessment, read_finding
from tests.rulebook.builders import NOW, Files, a_policy, messages, the_book

CONNECTED = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-connectors/providers/Microsoft.Security/securityConnectors/corp"
    "/securityentitydata/"
)
EKS = "arn:aws:eks:eu-west-2:123456789012:cluster/shop-prod"
GKE = "//container.googleapis.com/projects/shop/zones/z/clusters/shop-prod"
NAMES: dict[str, object] = {
    "owners": [],
    "subscriptions": {SUBSCRIPTION: {"name": "Contoso Payments", "environment": "production"}},
    "accounts": {"123456789012": {"name": "Retail", "environment": "retail"}},
    "projects": {"Shop": {"name": "The shop"}},
}


def notice_of(signal: Signal, book: Rulebook) -> Notice:
    """The notice of a signal under some rules."""
    return notice_for(signal, evidence_of(signal, book.catalogue), decide(signal, book, NOW), book, "0" * 32, 1)


def in_cluster(name: str) -> Signal:
    """An alert on a cluster that a connector brought, which has its own name among the entities."""
    return an_alert(
        AzureResourceId=f"{CONNECTED}shop-prod", Entities=[{"$id": "1", "Type": "K8s-cluster", "Name": name}]
    )


CALLED: list[tuple[Signal, str | None, str | None]] = [
    (an_alert(), "Contoso Payments", "production"),
    (an_alert(AzureResourceId=RESOURCE.upper()), "Contoso Payments", "production"),
    (an_alert(AzureResourceId=f"/subscriptions/{SUBSCRIPTION}"), "Contoso Payments", "production"),
    (an_alert(AzureResourceId=RESOURCE.replace("1111", "2222")), None, None),
    (an_alert(AzureResourceId=""), None, None),
    (in_cluster(EKS), "Retail", "retail"),
    (in_cluster(GKE), "The shop", None),
    (in_cluster(EKS.replace("1234", "9999")), None, None),
    (in_cluster("shop-prod"), None, None),
]


def test_a_notice_says_what_its_subscription_is_called() -> None:
    """Whatever the case of its id; what a connector brings is called by its account or project, not by the connector's."""
    book = the_book({"owners.yaml": NAMES})
    for signal, name, environment in CALLED:
        notice = notice_of(signal, book)
        assert (notice.subscription_name, notice.environment) == (name, environment), signal.resource


def test_an_entry_of_owners_may_say_another_environment() -> None:
    """The first entry that says one counts, before the subscription; one that says nothing else owns nothing."""
    owners = [
        {"resource_group": "rg-web", "environment": "test"},
        {"resource_group": "rg-*", "group": "web", "environment": "staging"},
        {"cluster": "shop-*", "environment": "shop"},
        {"group": "platform"},
    ]
    book = the_book({"owners.yaml": NAMES | {"owners": owners}})
    for signal, environment, group in (
        (an_alert(), "test", "web"),
        (an_alert(AzureResourceId=RESOURCE.replace("rg-web", "rg-data")), "staging", "web"),
        (an_alert(AzureResourceId=f"/subscriptions/{SUBSCRIPTION}"), "production", "platform"),
        (in_cluster(EKS), "shop", "platform"),
    ):
        notice = notice_of(signal, book)
        assert (notice.environment, notice.owner) == (environment, Owner(group))
    # An entry without anything said still owns: it says that nobody is named here, whatever stands below it.
    nobody = the_book({"owners.yaml": {"owners": [{"resource_group": "rg-web"}, {"group": "platform"}]}})
    assert notice_of(an_alert(), nobody).owner == Owner()


WIKI = "https://wiki.example"
RUNBOOKS: list[tuple[dict[str, str], dict[str, str], str]] = [
    ({}, {}, ""),
    ({}, {"vm_*": f"{WIKI}/vm"}, "vm"),
    ({"VM_*": f"{WIKI}/ours"}, {"*": f"{WIKI}/all"}, "ours all"),
    ({"*": f"{WIKI}/all"}, {"VM_Test": f"{WIKI}/all"}, "all"),
    ({"VM": f"{WIKI}/no", "K8S*": f"{WIKI}/no"}, {}, ""),
    ({"VM_T*": f"{WIKI}/1", "VM_*": f"{WIKI}/2"}, {"*": f"{WIKI}/3", "VM_Test": f"{WIKI}/4"}, "1 2 3"),
]


def test_a_notice_names_the_first_three_runbooks_that_fit() -> None:
    """Those of the policy first, each in the order in which they are written, and none twice; with a query as it is."""
    for policy, owners, expected in RUNBOOKS:
        files = {"cwpp/policy.yaml": a_policy(runbooks=policy), "owners.yaml": {"owners": [], "runbooks": owners}}
        assert notice_of(an_alert(), the_book(files)).runbooks == tuple(f"{WIKI}/{one}" for one in expected.split())
    for url in (
        "https://wiki.example/pages/viewpage.action?pageId=4711#Step-2",
        "HTTPS://WIKI.example:8443/k8s",
        "https://192.0.2.1/k8s",
        "https://wiki.example/a?tokens=no&keyword=a",
    ):
        book = the_book({"owners.yaml": {"owners": [], "runbooks": {"*": url}}})
        assert notice_of(an_alert(), book).runbooks == (url,)


def test_a_runbook_of_findings_may_be_about_a_category() -> None:
    """The type of a finding is a GUID; people write what sort of recommendation it is."""
    metadata = {"severity": "High", "recommendationCategory": "SoftwareUpdate", "categories": ["Data"]}
    finding = read_finding(an_assessment(metadata=metadata) | {"name": "assessment-1"})
    for glob in ("assessment-1", "SoftwareUpdate", "softwareu*", "Data"):
        book = the_book({"cspm/policy.yaml": a_policy("cspm", runbooks={glob: WIKI})}, Stream.CSPM)
        assert notice_of(finding, book).runbooks == (WIKI,), glob


def test_a_runbook_of_one_stream_is_not_the_others() -> None:
    """A policy speaks for its own stream, and owners.yaml for both."""
    files = {"cwpp/policy.yaml": a_policy(runbooks={"*": f"{WIKI}/ours"}), "owners.yaml": {"owners": []}}
    assert the_book(files).runbooks
    assert not the_book(files, Stream.CSPM).runbooks


def test_the_hash_says_that_names_or_runbooks_changed() -> None:
    """What notices say is a part of what the hash stands for."""
    before = the_book({"owners.yaml": NAMES}).hash
    named: list[dict[str, object]] = [
        NAMES | {"subscriptions": {SUBSCRIPTION: {"name": "Another", "environment": "production"}}},
        NAMES | {"subscriptions": {SUBSCRIPTION: {"name": "Contoso Payments", "environment": "test"}}},
        NAMES | {"runbooks": {"*": WIKI}},
        NAMES | {"owners": [{"environment": "test"}]},
    ]
    changed: list[Files] = [{"owners.yaml": names} for names in named]
    for files in (*changed, {"owners.yaml": NAMES, "cwpp/policy.yaml": a_policy(runbooks={"*": WIKI})}):
        assert the_book(files).hash != before
        assert messages(files) == []
