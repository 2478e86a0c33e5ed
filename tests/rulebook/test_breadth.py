"""A text or a silence that is about too much is refused, in Azure and in other clouds; what tells signals apart is taken."""

import re
from uuid import UUID

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from router.domain.errors import BadField
from router.domain.patterns import glob_pattern
from router.domain.signals import Stream
from router.domain.silences import Recurrence
from router.domain.suppression import Element, Field, Operator
from router.rulebook.scope import find_field
from router.rulebook.scope_breadth import FEWEST, find_breadth
from router.rulebook.silence_scope import WrittenScope, read_recurrence, read_silence_scope
from tests.domain.test_silences import RECURRENCES
from tests.rulebook.builders import a_scoped_body, checked, loaded, rules_of
from tests.samples import SAMPLES
from tests.silences import called, named, weekly

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
    "arn:aws:", "arn:aws:eks:", "arn:aws:eks:eu-west-2:", "aws:", "eks", "ec2", "s3", "cluster", f":{ACCOUNT}:", ACCOUNT,
    "us-east-1", "eu-west-2", ":us-east-1:", "us-east-1a", "europe-west1-b", "us-eas", "securityconnectors", "ityentitydata/",
    CONNECTOR, f"{CONNECTOR}/", "/securityConnectors/aws-prod", "aws-prod/securityentitydata/",
    f"{CONNECTOR}/securityentitydata/aws-ec2-", "securityentitydata/gar-gcp-repository-",
    "/resourceGroups/rg-connect/providers/Microsoft.Security/securityConnectors/",
    "rg-connect/providers/Microsoft.Security/securityConnectors/aws-prod/", "googleapis.com", "googleapis",
    "/projects/", f"projects/{PROJECT}/", f"/projects/{PROJECT}", f"projects/{PROJECT}/serviceAccounts/",
    f"{PROJECT}/zones/europe-west1-b/clusters/", f"projects/{PROJECT}/global/images/", "/clusters/", "images",
    "images/sha256:9f", "/repositories/", "repositories", "/resourceGroups/rg-connect/providers/Microsoft.Security/",
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
    """In any case, and in each field that has ids. Its rule is left out in either stream, and its line is said."""
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
def test_no_text_that_is_taken_is_in_all_of_a_subscription(ids: tuple[str, str], data: st.DataObject) -> None:
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
    [("entities.host.dnsdomain", "contains", "onmicrosoft")],
    [(COMMAND, "contains", "exe")],
    [(DIRECTORY, "contains", "System32"), (FILE, "contains", ".exe")],
    [("extendedProperties.Suspicious Process", "contains", "exe")],
    [("compromisedEntity", "contains", "vmss")],
    [(IP, "contains", "192.168")],
    [(IP, "in", ["10.0.0.0/9", "172.16.0.0/12"])],
    [(IP, "in", ["fd00::/8"])],
    [(IP, "in", ["10.0.0.0/8"]), (SUFFIX, "contains", "com")],
]
NAMING: list[Scope] = [
    [(HOST, "in", ["web-lin-01"])],
    [SHOP],
    [(IP, "in", ["10.20.0.0/16"])],
    [(IP, "in", ["192.168.1.0/24", "203.0.113.0/24"])],
    [(IP, "in", ["10.0.0.0/8"]), SHOP],
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


GROUP = f"{WHOLE}/resourceGroups/rg-web"
VM = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/web-1"


def scope_of(
    *entities: str, resource: str | None = None, type: str | None = None, stream: str = "cwpp"
) -> WrittenScope:
    """What a person writes."""
    return WrittenScope(stream=Stream(stream), alert_type=type, resource=resource, entities=entities)


def refusal(written: WrittenScope) -> str:
    """What is said of a scope that is refused, else nothing; it is one line."""
    try:
        read_silence_scope(written)
    except BadField as refused:
        assert "\n" not in str(refused)
        return str(refused)
    return ""


def of_hosts(*hosts: str) -> WrittenScope:
    """Some machines."""
    return WrittenScope(stream=Stream.CWPP, hosts=hosts)


def of_id(value: str) -> tuple[Element, ...]:
    """An element on a whole id, or a glob of ids."""
    operator = Operator.LIKE if "*" in value else Operator.IN
    return (Element(Field(None, "resourceid"), operator, frozenset({value.casefold()})),)


RESOURCES = [
    ("web-1", named("web-1")),
    (" WEB-1 ", named("web-1")),
    ("web-*", named("web-*")),
    (VM, of_id(VM)),
    (f"{VM}/", of_id(VM)),
    (f"{GROUP}/*", of_id(f"{GROUP}/*")),
    ("*/virtualMachines/web-*", of_id("*/virtualmachines/web-*")),
    ("arn:aws:s3:::shop-images", of_id("arn:aws:s3:::shop-images")),
]


def test_a_resource_is_named_by_its_name_its_id_or_a_glob_and_a_machine_however_alerts_name_it() -> None:
    """Whatever its case; a machine by its resource, by a host, or by what was compromised, any of several."""
    for resource, element in RESOURCES:
        read = read_silence_scope(scope_of(resource=resource))
        assert read.groups == (element,), resource
    for hosts in (["WEB-1", "web-2"], ["web-1", "data-*"]):
        read = read_silence_scope(of_hosts(*hosts))
        assert read.groups == (called(*map(str.lower, hosts)),)


OF_EVERY_RESOURCE = [
    "*", "**", "?*", "*?*?*", "*a*", "?????", "*vm*", "a?b*c",
    "/subscriptions/*", "*/subscriptions/*", "/sub*", "*cript*", "/*", "*/*/*",
    "*/resourceGroups/*", "/subscriptions/*/resourceGroups/*/providers/*",
    f"{WHOLE}*", f"{WHOLE}/*", f"{WHOLE}/resourceGroups/*", f"*{WHOLE[-12:]}/*",
    WHOLE, f"{WHOLE}/", WHOLE.rpartition("/")[2], WHOLE.rpartition("/")[2].upper(),
    "*/providers/Microsoft.Compute/*", "*/virtualMachines/*", "*Microsoft*", "*virtualMachines*",
    "arn:aws:*", "arn:aws:eks:eu-west-1:123456789012:*", "arn:aws:s3:::*",
    "*/projects/shop-prod/*", "*securityConnectors/aws-prod/*",
    "",
]  # fmt: skip


def test_what_every_resource_of_a_subscription_meets_is_refused() -> None:
    """Of an account, a project or a connector too; and with a type as well."""
    scopes = [scope_of(resource=resource, type=type) for resource in OF_EVERY_RESOURCE for type in (None, "VM_X")]
    assert [written for written in scopes if not refusal(written).startswith("resource: ")] == []


ONE = f"{WHOLE}/resourceGroups/q/providers/Microsoft.Compute/virtualMachines/x"
OTHER = f"{WHOLE}/resourceGroups/zz/providers/Microsoft.Compute/virtualMachines/jj"
CUTS = st.lists(st.integers(0, len(ONE)), min_size=2, max_size=6).map(sorted)


@given(CUTS, st.sampled_from(["*", "?*", "*?"]))
def test_a_glob_that_fits_resources_which_have_no_name_in_common_is_refused(cuts: list[int], star: str) -> None:
    """However it is put together, of pieces of an id or less."""
    pieces = [ONE[one:other] for one, other in zip(cuts[::2], cuts[1::2], strict=False)]
    glob = f"{star}{star.join(pieces)}{star}"
    if glob_pattern(glob).match(ONE) and glob_pattern(glob).match(OTHER):
        assert refusal(scope_of(resource=glob))


NO_MACHINES = [
    ("", "host: is empty; write the name of a machine, such as web-1"),
    (VM, "is an id, and no name; write `resource`"),
    ("*", "host: '*' has no piece of 3 letters or digits"),
    (WHOLE.rpartition("/")[2], "may be a whole subscription; where a resource is called so, write its"),
    ("web-\udcff", "host: 'web-\\udcff' is not UTF-8"),
    ("w*e*b*", "host: 'w*e*b*' has no piece of 3 letters or digits"),
    ("*Machines*", "host: '*Machines*' fits every resource"),
    ("arn:*", "host: 'arn:*' fits every resource of a subscription, an account or a project; write more of it"),
    ("arn:aws:ec2:us-east-1:123456789012:*", "fits every resource"),
    ("6f0a*", "host: '6f0a*' may fit the id of a whole subscription; write more of it, such as web-*"),
]


def test_what_is_no_name_of_a_machine_is_refused() -> None:
    """One line, which says what to write."""
    said = {host: refusal(of_hosts(host)) for host, _ in NO_MACHINES}
    assert [host for host, words in NO_MACHINES if words not in said[host]] == []


ALL_OF_A_CONNECTOR = [
    "aws*", "AWS-*", "aws?*", "aws-?*", "aws-ec2-*", "aws-ec2*", "aws-ec*", "aws-s3-bucket-*", "aws*ec2*", "aws-?c2-inst*",
    "?ws-s3*", "gcp-*", "log-group*", "arn*", "arn?aws*", "arn?aws?ec2?us-east-1?123456789012?*", "project*", "projects*",
    "us-east-1*", "a*instance*", "*aws-ec2*", "*-ec2-instance*",
]  # fmt: skip
"""A connector calls a resource `aws-ec2-instance-ID`, and what was compromised is called by its ARN."""

GLOBS_OF_NAMES = [
    "web*", "machines*", "azure?1", "sql*", "api*", "aks-*-vmss*", "*-abc1-x*", "data-*", "aws-shop*", "x-*sql-prod*",
    "aws-ec2-instance-i-0aaa*",
]  # fmt: skip
"""What stands in every id, such as Microsoft.Web, tells names apart."""


def test_a_glob_of_names_is_taken_but_for_how_all_that_a_connector_has_begins() -> None:
    """What it would hold is measured."""
    for glob in ALL_OF_A_CONNECTOR:
        for written in (scope_of(resource=glob), of_hosts(glob)):
            assert "; write more of it, such as web-*" in refusal(written)
    for glob in GLOBS_OF_NAMES:
        for written in (scope_of(resource=glob), of_hosts(glob)):
            read = read_silence_scope(written)
            assert not read.is_narrow, glob


def test_entities_are_named_by_field_and_value() -> None:
    """Two fields of one entity must be met by the same one; the same field again stands for any of its values."""
    entities: list[tuple[list[str], int]] = [
        (["ip.address=10.0.0.1"], 1),
        (["entities.ip.address=10.0.0.1"], 1),
        (["ip.address=10.0.0.1", "ip.address=10.0.0.2"], 1),
        (["ip.address=10.0.0.0/24"], 1),
        (["host.hostname=web-*", "ip.address=10.0.0.1"], 2),
        (["Host.HostName=web-1", "host.dnsdomain=contoso.example"], 1),
        (["compromisedentity=web-1"], 1),
    ]
    for written, groups in entities:
        read = read_silence_scope(scope_of(*written))
        assert len(read.groups) == groups, written
    ((element,),) = read_silence_scope(scope_of("host.hostname=web-*", "host.hostname=DB-10")).groups
    assert element == Element(Field("host", "hostname"), Operator.LIKE, frozenset({"web-*", "db-10"}))
    ((element,),) = read_silence_scope(scope_of("ip.address=10.0.0.1", "ip.address=10.1.0.0/16")).groups
    assert (element.values, [str(one) for one in element.ranges]) == (frozenset({"10.0.0.1"}), ["10.1.0.0/16"])
    # A value that no signal has is said, as rules say it.
    (doubt,) = read_silence_scope(scope_of("ip.address=10.0.0")).doubts
    assert "is no IP address; write one like 10.20.0.5" in doubt.words


TOO_LITTLE = [
    ("web-1", "has no =; write FIELD=VALUE, such as ip.address=10.0.0.1"),
    ("ip.address=", "has an empty value"),
    ("ip.adress=10.0.0.1", "'ip.adress' names nothing; did you mean 'ip.address'?"),
    ("hostname=web-1", "did you mean 'host.hostname'?"),
    ("host.hostname=*", "has no piece of 3 letters or digits"),
    ("ip.address=10.*", "write a range, such as ip.address=10.20.0.0/16"),
    ("ip.address=0.0.0.0/0", "is too wide"),
    ("subscriptionid=6f0a3c52-8d1e-4b7a-9c45-2e71d0b8a110", "would silence a whole subscription"),
    (f"host.azureid={WHOLE}", "is a whole subscription"),
    ("extendedproperties.resourceType=VM", "alone is about too much; add `type`"),
    ("account.upnsuffix=contoso.example", "alone is about too much; add `type`"),
    ("host.dnsdomain=*.example*", "alone is about too much; add `type`"),
    ("malware.category=Trojan", "alone is about too much; add `type`"),
    ("host.hostname=web-\udcff", "is not UTF-8; write it as text"),
    ("package=openssl", "is known of findings only"),
]


def test_an_entity_that_says_too_little_is_refused_with_what_to_write() -> None:
    """One line each. A resource or an entity is named, whatever else is: neither everything nor a whole type or category is
    silenced, as no rule may cover one either."""
    said = {entity: refusal(scope_of(entity)) for entity, _ in TOO_LITTLE}
    assert [entity for entity in said if not said[entity].startswith("entity: ")] == []
    assert [entity for entity, words in TOO_LITTLE if words not in said[entity]] == []
    assert "would silence everything; say of what it is" in refusal(scope_of())
    assert "would silence VM_X everywhere; say of what it is" in refusal(scope_of(type="VM_X"))
    assert not refusal(scope_of("extendedproperties.resourceType=VM", type="VM_X"))
    wide = scope_of("ip.address=10.0.0.1", type="SoftwareUpdate", stream="cspm")
    assert "is a whole category" in refusal(wide)
    assert not refusal(scope_of(resource="web-1", type="SoftwareUpdate", stream="cspm"))


@given(RECURRENCES)
def test_what_is_written_is_read_as_it_was(every: Recurrence) -> None:
    """Whatever days, times and zone."""
    assert read_recurrence(str(every)) == every


def test_days_may_be_written_as_people_do() -> None:
    """As names, ranges and lists."""
    written = {
        "Sat 02:00-04:00 Europe/Berlin": weekly(5, zone="Europe/Berlin"),
        "saturday 2:00 - 4:00 europe/berlin": weekly(5, zone="Europe/Berlin"),
        "Mon-Fri 02:00-04:00 UTC": weekly(0, 1, 2, 3, 4),
        "Fri-Mon 02:00-04:00 UTC": weekly(4, 5, 6, 0),
        "Tue,Thu 02:00-04:00 utc": weekly(1, 3),
        "daily 02:00-04:00 UTC": weekly(*range(7)),
        "weekends 02:00-04:00 UTC": weekly(5, 6),
        "Sun 22:00-24:00 UTC": weekly(6, begins="22:00", ends="00:00"),
    }
    assert {text: read_recurrence(text) for text in written} == written


def test_what_is_no_window_is_refused_with_what_to_write() -> None:
    """One line each."""
    for text, words in (
        ("", "is no window; write one such as"),
        ("Sat 2-4 UTC", "is no window; write one such as"),
        ("Sat 02:00-04:00", "names no time zone; write one behind it, such as Europe/Berlin or UTC"),
        ("Sut 02:00-04:00 UTC", "'Sut' is no day; write one of Mon, Tue"),
        ("S 02:00-04:00 UTC", "'S' is no day"),
        ("Sat- 02:00-04:00 UTC", "'' is no day"),
        ("Sat 02:00-25:00 UTC", "'25:00' is no time of the day"),
        ("Sat 02:00-04:00 Europe/Berlim", "did you mean 'Europe/Berlin'?"),
        ("Sat 02:00-04:00 CEST", "'CEST' is no time zone"),
        ("Sat 02:00-04:00 localtime", "'localtime' is no time zone"),
        ("Sat 02:00-04:00 Factory", "'Factory' is no time zone"),
        ("Sat 02:00-04:00 ../../etc/passwd", "is no time zone"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            read_recurrence(text)
