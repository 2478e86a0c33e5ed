"""The scope of a silence and its window as a person writes them: what is about a whole subscription is refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain.patterns import glob_pattern
from router.domain.signals import Stream
from router.domain.silences import Recurrence
from router.domain.suppression import Element, Field, Operator
from router.rulebook.silence_scope import WrittenScope, read_recurrence, read_silence_scope
from tests.domain.test_silences import RECURRENCES
from tests.silences import called, named, weekly

SUBSCRIPTION = "/subscriptions/6f0a3c52-8d1e-4b7a-9c45-2e71d0b8a110"
GROUP = f"{SUBSCRIPTION}/resourceGroups/rg-web"
VM = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/web-1"


def scope_of(
    *entities: str, resource: str | None = None, type: str | None = None, stream: str = "cwpp"
) -> WrittenScope:
    """What a person writes."""
    return WrittenScope(stream=Stream(stream), alert_type=type, resource=resource, entities=entities)


def refusal(written: WrittenScope) -> str:
    """What is said of a scope that is refused, else nothing; it is one line."""
    refused = read_silence_scope(written).refused or ""
    assert "\n" not in refused
    return refused


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
        assert (read.refused, read.groups) == (None, (element,)), resource
    for hosts in (["WEB-1", "web-2"], ["web-1", "data-*"]):
        read = read_silence_scope(of_hosts(*hosts))
        assert (read.refused, read.groups) == (None, (called(*map(str.lower, hosts)),))


OF_EVERY_RESOURCE = [
    "*", "**", "?*", "*?*?*", "*a*", "?????", "*vm*", "a?b*c",
    "/subscriptions/*", "*/subscriptions/*", "/sub*", "*cript*", "/*", "*/*/*",
    "*/resourceGroups/*", "/subscriptions/*/resourceGroups/*/providers/*",
    f"{SUBSCRIPTION}*", f"{SUBSCRIPTION}/*", f"{SUBSCRIPTION}/resourceGroups/*", f"*{SUBSCRIPTION[-12:]}/*",
    SUBSCRIPTION, f"{SUBSCRIPTION}/", SUBSCRIPTION.rpartition("/")[2], SUBSCRIPTION.rpartition("/")[2].upper(),
    "*/providers/Microsoft.Compute/*", "*/virtualMachines/*", "*Microsoft*", "*virtualMachines*",
    "arn:aws:*", "arn:aws:eks:eu-west-1:123456789012:*", "arn:aws:s3:::*",
    "*/projects/shop-prod/*", "*securityConnectors/aws-prod/*",
    "",
]  # fmt: skip


def test_what_every_resource_of_a_subscription_meets_is_refused() -> None:
    """Of an account, a project or a connector too; and with a type as well."""
    scopes = [scope_of(resource=resource, type=type) for resource in OF_EVERY_RESOURCE for type in (None, "VM_X")]
    assert [written for written in scopes if not refusal(written).startswith("--resource: ")] == []


ONE = f"{SUBSCRIPTION}/resourceGroups/q/providers/Microsoft.Compute/virtualMachines/x"
OTHER = f"{SUBSCRIPTION}/resourceGroups/zz/providers/Microsoft.Compute/virtualMachines/jj"
CUTS = st.lists(st.integers(0, len(ONE)), min_size=2, max_size=6).map(sorted)


@given(CUTS, st.sampled_from(["*", "?*", "*?"]))
def test_a_glob_that_fits_resources_of_one_kind_which_have_no_name_in_common_is_refused(
    cuts: list[int], star: str
) -> None:
    """However it is put together, of pieces of an id or less."""
    pieces = [ONE[one:other] for one, other in zip(cuts[::2], cuts[1::2], strict=False)]
    glob = f"{star}{star.join(pieces)}{star}"
    if glob_pattern(glob).match(ONE) and glob_pattern(glob).match(OTHER):
        assert read_silence_scope(scope_of(resource=glob)).refused is not None


NO_MACHINES = [
    ("", "--host: is empty; write the name of a machine, such as web-1"),
    (VM, "is an id, and no name; write --resource"),
    ("*", "--host: '*' has no piece of 3 letters or digits"),
    (SUBSCRIPTION.rpartition("/")[2], "may be a whole subscription; where a resource is called so, write its"),
    ("web-\udcff", "--host: 'web-\\udcff' is not UTF-8"),
    ("we*", "--host: 'we*' has no piece of 3 letters or digits"),
    ("w*e*b*", "--host: 'w*e*b*' has no piece of 3 letters or digits"),
    ("*Machines*", "--host: '*Machines*' fits every resource"),
    ("arn:*", "--host: 'arn:*' fits every resource of a subscription, an account or a project; write more of it"),
    ("arn:aws*", "--host: 'arn:aws*' fits every resource"),
    ("arn:aws:ec2:us-east-1:123456789012:*", "fits every resource"),
    ("6f0a*", "--host: '6f0a*' may fit the id of a whole subscription; write more of it, such as web-*"),
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
            assert (read.refused, read.is_narrow) == (None, False), glob


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
        assert (read.refused, len(read.groups)) == (None, groups), written
    ((element,),) = read_silence_scope(scope_of("host.hostname=web-*", "host.hostname=DB-10")).groups
    assert element == Element(Field("host", "hostname"), Operator.LIKE, frozenset({"web-*", "db-10"}))
    ((element,),) = read_silence_scope(scope_of("ip.address=10.0.0.1", "ip.address=10.1.0.0/16")).groups
    assert (element.values, [str(one) for one in element.ranges]) == (frozenset({"10.0.0.1"}), ["10.1.0.0/16"])
    # A value that no signal has is said, as rules say it.
    (doubt,) = read_silence_scope(scope_of("ip.address=10.0.0")).doubts
    assert "is no IP address; write one like 10.20.0.5" in doubt


TOO_LITTLE = [
    ("web-1", "has no =; write FIELD=VALUE, such as ip.address=10.0.0.1"),
    ("ip.address=", "has an empty value"),
    ("ip.adress=10.0.0.1", "'ip.adress' names nothing; did you mean 'ip.address'?"),
    ("hostname=web-1", "did you mean 'host.hostname'?"),
    ("host.hostname=*", "has no piece of 3 letters or digits"),
    ("host.hostname=w*", "write more of it, such as web-*"),
    ("ip.address=10.*", "write a range, such as ip.address=10.20.0.0/16"),
    ("ip.address=0.0.0.0/0", "is too wide"),
    ("ip.address=10.0.0.1/8", "write 10.0.0.0/8 for the range"),
    ("subscriptionid=6f0a3c52-8d1e-4b7a-9c45-2e71d0b8a110", "would silence a whole subscription"),
    (f"host.azureid={SUBSCRIPTION}", "is a whole subscription"),
    ("extendedproperties.resourceType=VM", "alone is about too much; add --type"),
    ("account.upnsuffix=contoso.example", "alone is about too much; add --type"),
    ("host.dnsdomain=*.example*", "alone is about too much; add --type"),
    ("malware.category=Trojan", "alone is about too much; add --type"),
    ("host.hostname=web-\udcff", "is not UTF-8; write it as text"),
    ("package=openssl", "is known of findings only"),
]


def test_an_entity_that_says_too_little_is_refused_with_what_to_write() -> None:
    """One line each. A resource or an entity is named, whatever else is: neither everything nor a whole type or category is
    silenced, as no rule may cover one either."""
    said = {entity: refusal(scope_of(entity)) for entity, _ in TOO_LITTLE}
    assert [entity for entity in said if not said[entity].startswith("--entity: ")] == []
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
        ("Sat 02:60-04:00 UTC", "'02:60' is no time of the day"),
        ("Sat 02:00-04:00 Europe/Berlim", "did you mean 'Europe/Berlin'?"),
        ("Sat 02:00-04:00 CEST", "'CEST' is no time zone"),
        ("Sat 02:00-04:00 localtime", "'localtime' is no time zone"),
        ("Sat 02:00-04:00 Factory", "'Factory' is no time zone"),
        ("Sat 02:00-04:00 ../../etc/passwd", "is no time zone"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            read_recurrence(text)
