"""A text that `contains` looks for tells signals apart, in Azure and in other clouds, or its rule is refused."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from router.domain.signals import Stream
from router.rulebook.scope import find_field
from router.rulebook.scope_breadth import FEWEST, find_breadth
from tests.rulebook.builders import a_scoped_body, checked, loaded, rules_of
from tests.samples import SAMPLES

SUBSCRIPTION = "6f0a3c52-8d1e-4b7a-9c45-2e71d0b8a110"
WHOLE = f"/subscriptions/{SUBSCRIPTION}"
RESOURCE, HOST = "entities.azureresource.resourceid", "entities.host.hostname"
ACCOUNT, PROJECT = "123456789012", "shop-4711"
CONNECTOR = f"{WHOLE}/resourceGroups/rg-connect/providers/Microsoft.Security/securityConnectors/aws-prod"
ARN = f"arn:aws:eks:eu-west-2:{ACCOUNT}:cluster/"
GKE = f"container.googleapis.com/projects/{PROJECT}/zones/europe-west1-b/clusters/"
DIGEST = "9f2b6c1de3a0"


def breadth_of(text: str, field: str = RESOURCE) -> str | None:
    """What is said about a text in a field."""
    found = find_field(field)
    assert found is not None
    return find_breadth(text, found)


OF_EACH_RESOURCE = [
    "s", "1", "rg", "rg-", " a b ", "/a1/", "/subscriptions/", "/resourceGroups/", "/PROVIDERS/", "/resourceGrou",
    "Microsoft.Compute", "microsoft", "Azure", ".Compute/", "oft.Compute/virt", "/providers/Foo.Bar/things/",
    "/virtualMachines/", "/virtualMachines/vm", SUBSCRIPTION, SUBSCRIPTION[:8], SUBSCRIPTION[7:21],
    f"/subscriptions/{SUBSCRIPTION}", f"{SUBSCRIPTION}/resourceGroups/rg", "/resourceGroups/rg-", "x/providers/", "abc",
]  # fmt: skip
OF_A_CLOUD = [
    "arn:", "arn:aws:", "arn:aws:eks:", "arn:aws:eks:eu-west-2:", f"arn:aws:eks:eu-west-2:{ACCOUNT}:", ARN, ARN[:-1],
    "aws:", ":aws:", ":eks:", "eks", "ec2", "s3", ":cluster/", "cluster", f":{ACCOUNT}:", ACCOUNT,
    f"{ACCOUNT}:cluster/", "arn:aws:s3:::", "arn:aws:iam::", "us-east-1", "eu-west-2", ":us-east-1:", "us-east-1a",
    "europe-west1-b", "us-eas", "securityconnectors", "/securityConnectors/", "securityentitydata/", "ityentitydata/",
    CONNECTOR, f"{CONNECTOR}/", "/securityConnectors/aws-prod", "/securityConnectors/aws-prod/securityentitydata/",
    "aws-prod/securityentitydata/", f"{CONNECTOR}/securityentitydata/", f"{CONNECTOR}/securityentitydata/aws-ec2-",
    "securityentitydata/gar-gcp-repository-",
    "/resourceGroups/rg-connect/providers/Microsoft.Security/securityConnectors/",
    "rg-connect/providers/Microsoft.Security/securityConnectors/aws-prod/", "googleapis.com", "googleapis",
    "container.googleapis.com", "container.googleapis.com/projects/", "//storage.googleapis.com/", "/projects/",
    f"projects/{PROJECT}/", f"/projects/{PROJECT}", f"projects/{PROJECT}/zones/", GKE, GKE[:-1],
    f"{PROJECT}/zones/europe-west1-b/clusters/", f"projects/{PROJECT}/serviceAccounts/",
    f"projects/{PROJECT}/global/images/", "/clusters/", "sha256:", "images", "/images/sha256:", "images/sha256:9f",
    "/repositories/", "repositories",
    "/resourceGroups/rg-connect/providers/Microsoft.Security/",
]  # fmt: skip
"""All of AWS, a service, a region, an account, a project, or one connector."""

TELLING_APART = [
    "/resourceGroups/rg-build/", "/resourceGroups/r1/", "/rg-build/", "/managedClusters/aks-platform-weu", "/abc/",
    f"{SUBSCRIPTION}/resourceGroups/rg-build", "/resourceGroups/prod",
    f"{ARN}shop-prod", f"{ACCOUNT}:cluster/shop-prod", ":cluster/shop-prod", "cluster/batch", "arn:aws:s3:::invoices",
    "arn:aws:s3:::images", f"arn:aws:sqs:eu-west-2:{ACCOUNT}:orders",
    f"arn:aws:ec2:eu-west-2:{ACCOUNT}:instance/i-0a1b2c3d", f"arn:aws:iam::{ACCOUNT}:role/deploy", f"{GKE}books",
    "/clusters/books", f"projects/{PROJECT}/global/images/golden",
    "//storage.googleapis.com/projects/_/buckets/invoices", "securityentitydata/shop-prod", "shop-prod",
    f"{CONNECTOR}/securityentitydata/shop-prod",
    f"{CONNECTOR}/securityentitydata/aws-ec2-elastic-ip-eipalloc-0a-eu-west-2",
    f"/repositories/shop/images/sha256:{DIGEST}", "/repositories/shop/", "/repositories/db/images/",
    f"sha256:{DIGEST}", "/repositories/web/images/", "eipalloc-0a1b", "/resourceGroups/rg-connect/", "i-0a1b2c3d",
    f"{WHOLE}/resourceGroups/rg-ai/providers/Microsoft.CognitiveServices/accounts/talk/projects/first",
]  # fmt: skip
"""A whole group or name however short, the beginning of one; a whole ARN, a cluster, a bucket, a repository, an image."""


def test_a_text_that_each_resource_meets_is_refused() -> None:
    """In any case, and in each field that has ids. Its rule is left out in either stream, wherever in a list the text stands,
    and the line and what to do are said."""
    for field in (RESOURCE, "resourceId", "entities.host.azureid"):
        assert [text for text in (*OF_EACH_RESOURCE, *OF_A_CLOUD) if not breadth_of(text, field)] == []
        assert [text for text in (*OF_EACH_RESOURCE, *OF_A_CLOUD) if not breadth_of(text.upper(), field)] == []
        assert [text for text in TELLING_APART if breadth_of(text, field)] == []
    for stream in Stream:
        bodies = [a_scoped_body({"field": RESOURCE, "contains": ["/rg-build/", text]}) for text in OF_EACH_RESOURCE]
        files = {f"{stream}/suppressions/rule-{n:02}.json": body for n, body in enumerate(bodies)}
        assert rules_of(files, stream) == set()
        problems = [one for one in loaded(files, stream).problems if one.level == "problem"]
        assert [one.file for one in problems] == list(files)
        assert all(one.line is not None and "write" in one.message for one in problems)


def test_where_no_ids_are_a_text_has_three_letters_or_digits() -> None:
    """Any word tells apart there; marks do not count."""
    for text in ("web", "abc", "10.20.", "a.-b1"):
        assert breadth_of(text, HOST) is None
    assert breadth_of("a.-b", HOST)
    for text in ("/opt/agent/", SUBSCRIPTION):
        assert breadth_of(text, COMMAND) is None


TYPES = st.sampled_from(["Compute/virtualMachines", "Storage/storageAccounts", "Web/sites", "KeyVault/vaults"])


@st.composite
def pairs_of_ids(draw: st.DrawFn) -> tuple[str, str]:
    """Two resources of a subscription, whose groups and names have nothing in common."""
    head = f"/subscriptions/{draw(st.uuids().map(str) | st.just(str(UUID(int=0))))}/resourceGroups"
    names = [st.text("jkmqw-", min_size=1, max_size=8), st.text("lnxyz0_", min_size=1, max_size=8)]
    one, other = (f"{head}/{draw(name)}/providers/Microsoft.{draw(TYPES)}/{draw(name)}" for name in names)
    return one, other


@settings(deadline=None)
@given(ids=pairs_of_ids(), data=st.data())
def test_no_text_that_is_taken_is_in_every_resource_of_a_subscription(
    ids: tuple[str, str], data: st.DataObject
) -> None:
    """Whatever piece of a resource's id a rule looks for, in whatever case, another resource is left to be heard."""
    one, other = ids
    start = data.draw(st.integers(0, len(one) - FEWEST))
    text = one[start : data.draw(st.integers(start + FEWEST, len(one)))]
    text = data.draw(st.sampled_from([text, text.upper(), text.swapcase()]))
    if text.casefold() in other.casefold():
        assert breadth_of(text) is not None


HEADS = [
    ARN, f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/", f"arn:aws:iam::{ACCOUNT}:role/", "arn:aws:s3:::", GKE,
    f"//compute.googleapis.com/projects/{PROJECT}/zones/us-central1-a/instances/",
    "/securityConnectors/aws-prod/securityentitydata/", "/repositories/", "sha256:",
]  # fmt: skip
TELLING = (PROJECT, "aws-prod")
"""Names of what holds many: at the beginning of a text nothing says that they are not names of resources."""


@given(st.sampled_from(HEADS), st.data())
def test_no_piece_of_what_all_ids_of_a_form_begin_with_is_taken(head: str, data: st.DataObject) -> None:
    """From the beginning of a part to any place, a piece says nothing of the resource behind it."""
    starts = [0, *(place + 1 for place, mark in enumerate(head[:-1]) if mark in "/:")]
    starts = [start for start in starts if not head[start:].startswith(TELLING)]
    start = data.draw(st.sampled_from(starts))
    end = data.draw(st.integers(start + 1, len(head)))
    text = head[start:end]
    assume("/" in text or ":" in text)  # A beginning of a word alone may be one of a name.
    assert breadth_of(text), text


@given(st.sampled_from(HEADS[:-1]), st.text("jkmqwxyz", min_size=FEWEST, max_size=12))
def test_a_name_behind_what_all_ids_begin_with_is_taken(head: str, name: str) -> None:
    """The whole id, and its end from the part before the name."""
    assert breadth_of(f"{head}{name}") is None


OF_CATEGORIES: list[tuple[str, bool]] = [
    (WHOLE, False), (f"{WHOLE}/", False), (CONNECTOR, False), (f"{CONNECTOR}/", False), (ACCOUNT, False),
    (f"projects/{PROJECT}", False), (f"//container.googleapis.com/projects/{PROJECT}", False),
    (f"{CONNECTOR}/securityentitydata/db", True), (f"{ARN}db", True), ("arn:aws:s3:::db", True), (f"{GKE}db", True),
    (f"{WHOLE}/resourceGroups/r1/providers/Microsoft.Compute/virtualMachines/v", True),
    (f"/repositories/db/images/sha256:{DIGEST}", True),
]  # fmt: skip


def test_a_rule_for_a_category_lists_resources_and_nothing_that_holds_many(subtests: pytest.Subtests) -> None:
    """A subscription or a connector is no one resource, unless the rule says more; a rule for one type may list it."""
    for value, is_taken in OF_CATEGORIES:
        element, more = {"field": RESOURCE, "in": [value]}, {"field": "package", "in": ["openssl"]}
        bodies = {
            "category": a_scoped_body(element, alertType="SoftwareUpdate"),
            "more": a_scoped_body(element, more, alertType="SoftwareUpdate"),
            "one-type": a_scoped_body(element, alertType="VM_Test"),
        }
        with subtests.test(value):
            files = {f"cspm/suppressions/{name}.json": body for name, body in bodies.items()}
            assert rules_of(files, Stream.CSPM) == {"more", "one-type"} | ({"category"} if is_taken else set())


COMMAND, DIRECTORY, IP = "entities.process.commandline", "entities.file.directory", "entities.ip.address"
SUFFIX, FILE = "entities.account.upnsuffix", "entities.file.name"
SHOP = (RESOURCE, "contains", "/resourceGroups/rg-shop/")
type Scope = list[tuple[str, str, object]]
BROAD: list[Scope] = [
    [(SUFFIX, "contains", "com")],
    [(SUFFIX, "contains", [".net", ".org"])],
    [("entities.host.dnsdomain", "contains", "onmicrosoft")],
    [(COMMAND, "contains", "exe")],
    [(COMMAND, "contains", "/bin/")],
    [(DIRECTORY, "contains", "usr")],
    [(DIRECTORY, "contains", "System32"), (FILE, "contains", ".exe")],
    [("extendedProperties.Suspicious Process", "contains", "exe")],
    [("compromisedEntity", "contains", "vmss")],
    [(IP, "contains", "192.168")],
    [(IP, "in", ["10.0.0.0/8"])],
    [(IP, "in", ["10.0.0.0/9", "172.16.0.0/12"])],
    [(IP, "in", ["fd00::/8"])],
    [(IP, "in", ["10.0.0.0/8"]), (SUFFIX, "contains", "com")],
]
NAMING: list[Scope] = [
    [(HOST, "in", ["web-lin-01"])],
    [SHOP],
    [(IP, "in", ["10.0.0.5"])],
    [(IP, "in", ["10.20.0.0/16"])],
    [(IP, "in", ["192.168.1.0/24", "203.0.113.0/24"])],
    [(IP, "in", ["10.0.0.0/8"]), SHOP],
    [(COMMAND, "contains", "exe"), (HOST, "in", ["web-lin-01"])],
    [(COMMAND, "contains", "/opt/agent/")],
    [(DIRECTORY, "in", ["/usr/bin"]), (FILE, "in", ["curl"])],
    [(SUFFIX, "in", ["contoso.com"])],
]


def is_broad(scope: Scope, stream: Stream = Stream.CWPP) -> bool:
    """Whether `rules check` says that a rule and a shadow rule hold a whole type."""
    body = a_scoped_body(*({"field": field, how: what} for field, how, what in scope))
    files = {f"{stream}/suppressions/one.json": body, f"{stream}/suppressions/shadow/other.json": body}
    result, found = checked(files, stream)
    assert [one for one in result.problems if one.level == "problem"] == []
    codes = [one.code for one in found if one.code == "holds-most"]
    assert len(codes) in (0, 2)
    return bool(codes)


def test_a_scope_that_most_of_a_type_meets_is_warned_about() -> None:
    """It says a whole type by what all programs, domains or addresses of one sort have. One host, one group, one address, one
    program: what else an element says does not make a rule broad. In cspm it is asked about findings."""
    assert [scope for scope in BROAD if not is_broad(scope)] == []
    assert [scope for scope in NAMING if is_broad(scope)] == []
    assert not is_broad([("package", "in", ["openssl"])], Stream.CSPM)
    assert is_broad([("extendedProperties.path", "contains", "usr")], Stream.CSPM)


@pytest.mark.shared
def test_no_rule_that_was_seen_in_the_field_is_called_broad() -> None:
    """The rules that Microsoft publishes or that a client listed name something, or are refused for another reason."""
    for file in sorted((SAMPLES / "rules").glob("defender_rule*.json")):
        found = checked({"cwpp/suppressions/seen.json": file.read_text(encoding="utf-8")})[1]
        assert "holds-most" not in {one.code for one in found}
