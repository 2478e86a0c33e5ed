"""What owners.yaml calls subscriptions, which environment they are, and which runbooks a notice names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from router.decide import decide, notice_for
from router.domain.notices import Notice
from router.domain.owners import Owner
from router.domain.rulebook import Rulebook
from router.domain.signals import Signal, Stream
from router.parse import evidence_of
from tests.builders import RESOURCE, SUBSCRIPTION, an_alert
from tests.parse.messages import an_assessment, read_finding
from tests.rulebook.builders import NOW, a_policy, a_sound_rulebook, loaded, rules_in

CONNECTED = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-connectors/providers/Microsoft.Security/securityConnectors/corp"
    "/securityentitydata/"
)
EKS = "arn:aws:eks:eu-west-2:123456789012:cluster/shop-prod"
GKE = "//container.googleapis.com/projects/shop/zones/z/clusters/shop-prod"
NAMES = {
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


@pytest.mark.parametrize(
    ("signal", "name", "environment"),
    [
        (an_alert(), "Contoso Payments", "production"),
        (an_alert(AzureResourceId=RESOURCE.upper()), "Contoso Payments", "production"),
        (an_alert(AzureResourceId=f"/subscriptions/{SUBSCRIPTION}"), "Contoso Payments", "production"),
        (an_alert(AzureResourceId=RESOURCE.replace("1111", "2222")), None, None),
        (an_alert(AzureResourceId=""), None, None),
        (in_cluster(EKS), "Retail", "retail"),
        (in_cluster(GKE), "The shop", None),
        (in_cluster(EKS.replace("1234", "9999")), None, None),
        (in_cluster("shop-prod"), None, None),
    ],
)
def test_a_notice_says_what_its_subscription_is_called(
    signal: Signal, name: str | None, environment: str | None, tmp_path: Path
) -> None:
    """Whatever the case of its id; what a connector brings is called by its account or project, not by the connector's."""
    notice = notice_of(signal, a_sound_rulebook(tmp_path, {"owners.yaml": NAMES}))
    assert (notice.subscription_name, notice.environment) == (name, environment)


def test_an_entry_of_owners_may_say_another_environment(tmp_path: Path) -> None:
    """The first entry that says one counts, before the subscription; one that says nothing else owns nothing."""
    owners = [
        {"resource_group": "rg-web", "environment": "test"},
        {"resource_group": "rg-*", "group": "web", "environment": "staging"},
        {"cluster": "shop-*", "environment": "shop"},
        {"group": "platform"},
    ]
    book = a_sound_rulebook(tmp_path, {"owners.yaml": NAMES | {"owners": owners}})
    web, data = an_alert(), an_alert(AzureResourceId=RESOURCE.replace("rg-web", "rg-data"))
    bare = an_alert(AzureResourceId=f"/subscriptions/{SUBSCRIPTION}")
    for signal, environment, group in (
        (web, "test", "web"),
        (data, "staging", "web"),
        (bare, "production", "platform"),
        (in_cluster(EKS), "shop", "platform"),
    ):
        notice = notice_of(signal, book)
        assert (notice.environment, notice.owner) == (environment, Owner(group))


def test_an_entry_without_anything_said_still_owns(tmp_path: Path) -> None:
    """It says that nobody is named here, whatever stands below it, as it always did."""
    owners = [{"resource_group": "rg-web"}, {"group": "platform"}]
    assert notice_of(an_alert(), a_sound_rulebook(tmp_path, {"owners.yaml": {"owners": owners}})).owner == Owner()


WIKI = "https://wiki.example"


@pytest.mark.parametrize(
    ("policy", "owners", "expected"),
    [
        ({}, {}, ()),
        ({}, {"vm_*": f"{WIKI}/vm"}, (f"{WIKI}/vm",)),
        ({"VM_*": f"{WIKI}/ours"}, {"*": f"{WIKI}/all"}, (f"{WIKI}/ours", f"{WIKI}/all")),
        ({"*": f"{WIKI}/all"}, {"VM_Test": f"{WIKI}/all"}, (f"{WIKI}/all",)),
        ({"VM": f"{WIKI}/no", "K8S*": f"{WIKI}/no"}, {}, ()),
        (
            {"VM_T*": f"{WIKI}/1", "VM_*": f"{WIKI}/2"},
            {"*": f"{WIKI}/3", "VM_Test": f"{WIKI}/4"},
            (f"{WIKI}/1", f"{WIKI}/2", f"{WIKI}/3"),
        ),
    ],
)
def test_a_notice_names_the_first_three_runbooks_that_fit(
    policy: dict[str, str], owners: dict[str, str], expected: tuple[str, ...], tmp_path: Path
) -> None:
    """Those of the policy first, each in the order in which they are written, and none twice."""
    files: dict[str, object] = {
        "cwpp/policy.yaml": a_policy(runbooks=policy),
        "owners.yaml": {"owners": [], "runbooks": owners},
    }
    assert notice_of(an_alert(), a_sound_rulebook(tmp_path, files)).runbooks == expected


@pytest.mark.parametrize("glob", ["assessment-1", "SoftwareUpdate", "softwareu*", "Data"])
def test_a_runbook_of_findings_may_be_about_a_category(glob: str, tmp_path: Path) -> None:
    """The type of a finding is a GUID; people write what sort of recommendation it is."""
    metadata = {"severity": "High", "recommendationCategory": "SoftwareUpdate", "categories": ["Data"]}
    finding = read_finding(an_assessment(metadata=metadata) | {"name": "assessment-1"})
    book = a_sound_rulebook(tmp_path, {"cspm/policy.yaml": a_policy("cspm", runbooks={glob: WIKI})}, Stream.CSPM)
    assert notice_of(finding, book).runbooks == (WIKI,)


def test_a_runbook_of_one_stream_is_not_the_others(tmp_path: Path) -> None:
    """A policy speaks for its own stream, and owners.yaml for both."""
    rules_in(tmp_path, stream="cspm")
    files = {"cwpp/policy.yaml": a_policy(runbooks={"*": f"{WIKI}/ours"}), "owners.yaml": {"owners": []}}
    assert a_sound_rulebook(tmp_path, files).runbooks
    assert not a_sound_rulebook(tmp_path, {"owners.yaml": {"owners": []}}, Stream.CSPM).runbooks


@pytest.mark.parametrize(
    "url",
    [
        "https://wiki.example/pages/viewpage.action?pageId=4711#Step-2",
        "HTTPS://WIKI.example:8443/k8s",
        "https://192.0.2.1/k8s",
        "https://wiki.example/a?tokens=no&keyword=a",
    ],
)
def test_the_address_of_a_runbook_may_have_a_query(url: str, tmp_path: Path) -> None:
    """It is shown as it is written, and never asked."""
    files = {"owners.yaml": {"owners": [], "runbooks": {"*": url}}}
    assert notice_of(an_alert(), a_sound_rulebook(tmp_path, files)).runbooks == (url,)


@pytest.mark.parametrize(
    "change",
    [
        {"owners.yaml": NAMES | {"subscriptions": {SUBSCRIPTION: {"name": "Another", "environment": "production"}}}},
        {"owners.yaml": NAMES | {"subscriptions": {SUBSCRIPTION: {"name": "Contoso Payments", "environment": "test"}}}},
        {"owners.yaml": NAMES | {"runbooks": {"*": WIKI}}},
        {"owners.yaml": NAMES | {"owners": [{"environment": "test"}]}},
        {"cwpp/policy.yaml": a_policy(runbooks={"*": WIKI})},
    ],
)
def test_the_hash_says_that_names_or_runbooks_changed(change: dict[str, Any], tmp_path: Path) -> None:
    """What notices say is a part of what the hash stands for."""
    before = a_sound_rulebook(tmp_path / "before", {"owners.yaml": NAMES})
    after = a_sound_rulebook(tmp_path / "after", {"owners.yaml": NAMES} | change)
    assert before.hash != after.hash
    assert loaded(tmp_path / "after", {"owners.yaml": NAMES} | change).problems == ()
