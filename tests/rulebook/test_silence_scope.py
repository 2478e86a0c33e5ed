"""The scope of a silence as a person writes it: what is about a whole subscription, or says too little, is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain.patterns import glob_pattern
from router.domain.signals import Stream
from router.domain.suppression import MACHINE, RESOURCE_NAME, Element, Field, Operator
from router.rulebook.silence_scope import WrittenScope, read_silence_scope

SUBSCRIPTION = "/subscriptions/6f0a3c52-8d1e-4b7a-9c45-2e71d0b8a110"
GROUP = f"{SUBSCRIPTION}/resourceGroups/rg-web"
VM = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/web-1"
RESOURCE_ID = Field(None, "resourceid")


def scope_of(
    *entities: str, resource: str | None = None, type: str | None = None, stream: str = "cwpp"
) -> WrittenScope:
    """What a person writes."""
    return WrittenScope(stream=Stream(stream), alert_type=type, resource=resource, entities=entities)


@pytest.mark.parametrize(
    ("resource", "element"),
    [
        ("web-1", Element(RESOURCE_NAME, Operator.IN, frozenset({"web-1"}))),
        (" WEB-1 ", Element(RESOURCE_NAME, Operator.IN, frozenset({"web-1"}))),
        ("web-*", Element(RESOURCE_NAME, Operator.LIKE, frozenset({"web-*"}))),
        (VM, Element(RESOURCE_ID, Operator.IN, frozenset({VM.casefold()}))),
        (f"{VM}/", Element(RESOURCE_ID, Operator.IN, frozenset({VM.casefold()}))),
        (f"{GROUP}/*", Element(RESOURCE_ID, Operator.LIKE, frozenset({f"{GROUP}/*".casefold()}))),
        ("*/virtualMachines/web-*", Element(RESOURCE_ID, Operator.LIKE, frozenset({"*/virtualmachines/web-*"}))),
        ("arn:aws:s3:::shop-images", Element(RESOURCE_ID, Operator.IN, frozenset({"arn:aws:s3:::shop-images"}))),
    ],
)
def test_a_resource_is_named_by_its_name_its_id_or_a_glob(resource: str, element: Element) -> None:
    """Whatever its case."""
    read = read_silence_scope(scope_of(resource=resource))
    assert (read.refused, read.groups) == (None, ((element,),))


@pytest.mark.parametrize(
    "resource",
    [
        "*", "**", "?*", "*?*?*", "*a*", "?????", "*vm*", "a?b*c",
        "/subscriptions/*", "*/subscriptions/*", "/sub*", "*cript*", "/*", "*/*/*",
        "*/resourceGroups/*", "/subscriptions/*/resourceGroups/*/providers/*",
        f"{SUBSCRIPTION}*", f"{SUBSCRIPTION}/*", f"{SUBSCRIPTION}/resourceGroups/*", f"*{SUBSCRIPTION[-12:]}/*",
        SUBSCRIPTION, f"{SUBSCRIPTION}/", SUBSCRIPTION.rpartition("/")[2], SUBSCRIPTION.rpartition("/")[2].upper(),
        "*/providers/Microsoft.Compute/*", "*/virtualMachines/*", "*Microsoft*", "*virtualMachines*",
        "arn:aws:*", "arn:aws:eks:eu-west-1:123456789012:*", "arn:aws:s3:::*",
        "*/projects/shop-prod/*", "*securityConnectors/aws-prod/*",
        "",
    ],
)  # fmt: skip
def test_what_every_resource_of_a_subscription_meets_is_refused(resource: str) -> None:
    """Of an account, a project or a connector too; and with a type as well."""
    for type in (None, "VM_X"):
        read = read_silence_scope(scope_of(resource=resource, type=type))
        assert read.refused is not None
        assert read.refused.startswith("--resource: ")


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


def test_a_machine_is_named_however_alerts_name_it() -> None:
    """By its resource, by a host, or by what was compromised; any of several."""
    for hosts, operator in ((["WEB-1", "web-2"], Operator.IN), (["web-1", "data-*"], Operator.LIKE)):
        read = read_silence_scope(WrittenScope(stream=Stream.CWPP, hosts=hosts))
        assert read.refused is None
        assert read.groups == ((Element(MACHINE, operator, frozenset(map(str.lower, hosts))),),)


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("", "--host: is empty; write the name of a machine, such as web-1"),
        (VM, "is an id, and no name; write --resource"),
        ("*", "--host: '*' has no piece of 3 letters or digits"),
        (
            SUBSCRIPTION.rpartition("/")[2],
            "may be a whole subscription; where a resource is called so, write its whole id",
        ),
        ("web-\udcff", "--host: 'web-\\udcff' is not UTF-8"),
        ("we*", "--host: 'we*' has no piece of 3 letters or digits"),
        ("w*e*b*", "--host: 'w*e*b*' has no piece of 3 letters or digits"),
        ("*Machines*", "--host: '*Machines*' fits every resource"),
        (
            "arn:*",
            "--host: 'arn:*' fits every resource of a subscription, an account or a project; write more of it, such as web-*",
        ),
        ("arn:aws*", "--host: 'arn:aws*' fits every resource"),
        ("arn:aws:ec2:us-east-1:123456789012:*", "fits every resource"),
        ("6f0a*", "--host: '6f0a*' may fit the id of a whole subscription; write more of it, such as web-*"),
    ],
)
def test_what_is_no_name_of_a_machine_is_refused(host: str, words: str) -> None:
    """One line, which says what to write."""
    refused = read_silence_scope(WrittenScope(stream=Stream.CWPP, hosts=[host])).refused
    assert refused is not None
    assert words in refused


@pytest.mark.parametrize(
    "glob",
    [
        "aws*", "AWS-*", "aws?*", "aws-?*", "aws-ec2-*", "aws-ec2*", "aws-ec*", "aws-s3-bucket-*", "aws*ec2*", "aws-?c2-inst*",
        "?ws-s3*", "gcp-*", "log-group*", "arn*", "arn?aws*", "arn?aws?ec2?us-east-1?123456789012?*", "project*", "projects*",
        "us-east-1*", "a*instance*", "*aws-ec2*", "*-ec2-instance*",
    ],
)  # fmt: skip
def test_how_the_names_of_all_that_a_connector_or_an_account_has_begin_is_refused(glob: str) -> None:
    """Of names too: a connector calls a resource `aws-ec2-instance-ID`, and what was compromised is called by its ARN."""
    for written in (scope_of(resource=glob), WrittenScope(stream=Stream.CWPP, hosts=[glob])):
        assert "; write more of it, such as web-*" in str(read_silence_scope(written).refused)


@pytest.mark.parametrize(
    "glob",
    [
        "web*", "machines*", "azure?1", "sql*", "api*", "aks-*-vmss*", "*-abc1-x*", "data-*", "aws-shop*", "x-*sql-prod*",
        "aws-ec2-instance-i-0aaa*",
    ],
)  # fmt: skip
def test_a_glob_of_names_is_no_glob_of_ids(glob: str) -> None:
    """What stands in every id, such as Microsoft.Web, tells names apart: it is taken, and what it would hold is measured."""
    for written in (scope_of(resource=glob), WrittenScope(stream=Stream.CWPP, hosts=[glob])):
        read = read_silence_scope(written)
        assert (read.refused, read.is_narrow) == (None, False)


@pytest.mark.parametrize(
    ("entities", "groups"),
    [
        (["ip.address=10.0.0.1"], 1),
        (["entities.ip.address=10.0.0.1"], 1),
        (["ip.address=10.0.0.1", "ip.address=10.0.0.2"], 1),
        (["ip.address=10.0.0.0/24"], 1),
        (["host.hostname=web-*", "ip.address=10.0.0.1"], 2),
        (["Host.HostName=web-1", "host.dnsdomain=contoso.example"], 1),
        (["compromisedentity=web-1"], 1),
    ],
)
def test_entities_are_named_by_field_and_value(entities: list[str], groups: int) -> None:
    """Two fields of one entity must be met by the same one; the same field again stands for any of its values."""
    read = read_silence_scope(scope_of(*entities))
    assert read.refused is None
    assert len(read.groups) == groups


def test_values_of_one_field_are_one_element() -> None:
    """Globs among them too."""
    ((element,),) = read_silence_scope(scope_of("host.hostname=web-*", "host.hostname=DB-10")).groups
    assert element == Element(Field("host", "hostname"), Operator.LIKE, frozenset({"web-*", "db-10"}))
    ((element,),) = read_silence_scope(scope_of("ip.address=10.0.0.1", "ip.address=10.1.0.0/16")).groups
    assert (element.values, [str(one) for one in element.ranges]) == (frozenset({"10.0.0.1"}), ["10.1.0.0/16"])


@pytest.mark.parametrize(
    ("entity", "words"),
    [
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
    ],
)
def test_an_entity_that_says_too_little_is_refused_with_what_to_write(entity: str, words: str) -> None:
    """One line."""
    refused = read_silence_scope(scope_of(entity)).refused
    assert refused is not None
    assert refused.startswith("--entity: ")
    assert words in refused
    assert "\n" not in refused


def test_neither_everything_nor_a_whole_type_is_silenced() -> None:
    """A resource or an entity is named, whatever else is."""
    for scope, what in ((scope_of(), "everything"), (scope_of(type="VM_X"), "VM_X everywhere")):
        refused = read_silence_scope(scope).refused
        assert refused is not None
        assert f"would silence {what}; say of what it is" in refused
    assert read_silence_scope(scope_of("extendedproperties.resourceType=VM", type="VM_X")).refused is None


def test_a_whole_category_of_findings_is_not_silenced() -> None:
    """As no rule may cover one."""
    wide = scope_of("ip.address=10.0.0.1", type="SoftwareUpdate", stream="cspm")
    refused = read_silence_scope(wide).refused
    assert refused is not None
    assert "is a whole category" in refused
    assert read_silence_scope(scope_of(resource="web-1", type="SoftwareUpdate", stream="cspm")).refused is None


def test_a_value_that_no_signal_has_is_said_and_silences_nothing() -> None:
    """As rules say it."""
    (doubt,) = read_silence_scope(scope_of("ip.address=10.0.0")).doubts
    assert "is no IP address; write one like 10.20.0.5" in doubt
