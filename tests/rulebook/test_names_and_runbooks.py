"""What notices say by owners.yaml: names of subscriptions, environments, runbooks, and owners by the tags of resources."""

from __future__ import annotations

from router.decide import decide, notice_for
from router.destinations.config import parse
from router.domain.catalogue import Attack
from router.domain.notices import Notice
from router.domain.owners import Owner, find_environment_of, find_owner_of
from router.domain.rulebook import Rulebook
from router.domain.signals import Signal, Stream
from router.parse import evidence_of
from tests.builders import RESOURCE, SUBSCRIPTION, an_alert
from tests.parse.messages import an_assessment, read_finding
from tests.rulebook.builders import NOW, a_policy, a_route, messages, the_book

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
    # A policy speaks for its own stream.
    assert not the_book({"cwpp/policy.yaml": a_policy(runbooks={"*": WIKI})}, Stream.CSPM).runbooks


FILE = "tags/resources.json"
GROUP = RESOURCE.rpartition("/providers/")[0]
ROWS = [
    {"id": RESOURCE, "tags": {"Team": "Pay\u202ements", "env": "PROD"}},
    {"id": GROUP, "tags": {"team": "Web", "env": "test"}},
    {"id": f"/subscriptions/{SUBSCRIPTION}", "tags": {"team": "", "cost": "4711"}},
]


def ruled(*entries: object, **more: object) -> Rulebook:
    """Rules with these entries and the tags of ROWS."""
    return the_book({"owners.yaml": {"tags": FILE, "owners": entries, **more}, FILE: ROWS})


def test_a_tag_names_the_group() -> None:
    """Legible as all that people read, and with the case that it is written in; where it is blank the next entry owns.
    The pager is never of a tag."""
    pager = {"secret": "SOC_KEY"}
    soc = {"group": "{tag.team}", "service": "soc-{tag.Team}", "pager": pager, "environment": "elsewhere"}
    first = {"tag": {"ENV": "prod"}, "environment": "{tag.env}"}
    book = ruled(first, {"tag": {"TEAM": "*"}, **soc}, {"group": "platform"})
    other, outside = RESOURCE.replace("vm-1", "vm-2"), f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-other"
    notices = [notice_of(an_alert(AzureResourceId=resource), book) for resource in (RESOURCE, other, outside)]
    assert [notice.owner for notice in notices] == [
        Owner("Pay\\u202ements", "soc-Pay\\u202ements", "SOC_KEY"),
        Owner("Web", "soc-Web", "SOC_KEY"),
        Owner("platform"),
    ]
    assert [notice.environment for notice in notices] == ["PROD", "elsewhere", None]
    assert parse("{owner.group}")(notices[1]) == "Web"


def test_an_entry_whose_tag_is_nowhere_matches_nothing() -> None:
    """Nor does one where another value is asked for."""
    teams = {"tag": {"temm": "*"}, "group": "{tag.temm}"}, {"tag": {"team": "x*"}, "group": "x"}
    book = ruled(*teams, {"tag": {"team": "*", "cost": "47??"}, "group": "{tag.team}-{tag.cost}"})
    assert find_owner_of(an_alert(), book.owners) == Owner("Pay\\u202ements-4711")
    assert find_owner_of(an_alert(AzureResourceId="/subscriptions/bbbb"), book.owners) is None
    assert find_environment_of(an_alert(), book.owners) is None


def test_routes_ask_for_the_owner_that_a_tag_names() -> None:
    """As for any other."""
    owners = {"tags": FILE, "owners": [{"tag": {"team": "*"}, "group": "{tag.team}"}]}
    of_web = a_route({"owner": ["web", "nobody"]}, files={"owners.yaml": owners, FILE: ROWS})
    other, nobodys = RESOURCE.replace("vm-1", "vm-2"), "/subscriptions/bbbb"
    alerts = [an_alert(AzureResourceId=resource) for resource in (RESOURCE, other, nobodys)]
    assert [of_web.matches(alert, Attack()) for alert in alerts] == [False, True, True]


def test_a_text_names_tags_of_its_entry() -> None:
    """And a pager none: who may tag a resource must not choose who is paged. A subscription is called by no tag either."""
    said: list[tuple[dict[str, object], str]] = [
        ({"group": "{tag.team}"}, "group: {tag.team} names no tag of this entry"),
        ({"tag": {"team": "*"}, "service": "{team}"}, "service: {team} stands for nothing here"),
        ({"tag": {"env": "*"}, "environment": "{tag.env"}, "environment: a brace stands alone"),
        ({"tag": {"team": "*"}, "pager": "{tag.team}"}, "pager: takes no tag"),
        ({"tag": {"team": "*"}, "pager": {"secret": "KEY_{tag.team}"}}, "pager: takes no tag"),
    ]
    for entry, words in said:
        (message,) = messages({"owners.yaml": {"owners": [entry]}})
        assert message.startswith(f"owners[0].{words}"), message
    (message,) = messages({"owners.yaml": {"owners": [], "subscriptions": {SUBSCRIPTION: {"name": "{tag.name}"}}}})
    assert "takes no tag" in message
