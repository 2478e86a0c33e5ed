"""The graph of a signal's entities, and its extended properties in words."""

from hypothesis import given
from hypothesis import strategies as st

from router.decide.notice import unlisted_in
from router.domain.entities import Entities, normalised_type
from router.domain.evidence import BOILERPLATE, Evidence, PropertyTable, items_in


def _types(*raw: object) -> list[str]:
    return [entity.type for entity in Entities(list(raw))]


def test_nested_entities_count_like_listed_ones() -> None:
    """An entity inside another, at any depth and in any property, is met, in the order of reading. A list element that is
    only a reference stands for an entity that is met where it is defined, once."""
    files = {"Type": "file", "FileHashes": [{"Type": "filehash"}]}
    raw = {"Type": "process", "ImageFile": files, "Extra": {"x": {"Type": "ip"}}}
    assert _types(raw, {"Type": "host"}) == ["process", "file", "filehash", "ip", "host"]
    cluster = {"$id": "4", "Type": "K8s-cluster", "CloudResource": {"$id": "5", "Type": "azure-resource"}}
    entities = Entities([{"$ref": "5"}, cluster])
    assert [entity.type for entity in entities] == ["k8scluster", "azureresource"]
    assert entities.entity_in({"$ref": "5"}) == entities.of_type("azureresource")[0]


def test_a_reference_is_followed_wherever_it_stands() -> None:
    """Also to one that comes later or is nested, and in a list. Where an id is used twice, its first bearer is meant, and both
    are met; one that dangles is no error and no entity; a circle is followed step by step."""
    entities = Entities(
        [
            {"$id": "1", "Type": "process", "Account": {"$ref": "3"}, "Host": {"$ref": "2"}, "Parent": {"$ref": "6"}},
            {"$id": "4", "Type": "account", "Name": "ada", "$kind": {"$id": "3", "Type": "account", "Name": "bob"}},
            {
                "$id": "2",
                "Type": "host",
                "HostName": "web-1",
                "Files": [{"$ref": "9"}, 5, None],
                "Image": {"$ref": "9"},
            },
            {"$id": "2", "Type": "host", "HostName": "web-02"},
            {"$id": "5", "Type": "filehash", "Value": "a"},
            {"Type": "file", "FileHashes": [{"$ref": "5"}, {"Type": "filehash", "Value": "b"}]},
            {"$id": "6", "Type": "process", "Parent": {"$ref": "1"}},
        ]
    )
    first, second = entities.of_type("process")
    account, host = first.find("account"), first.find("host")
    assert account is not None
    assert host is not None
    assert (account.text("name"), host.text("hostname")) == ("bob", "web-1")
    assert len(entities.of_type("host")) == 2
    assert (host.find("image"), host.find_all("files"), host.find("nothing")) == (None, [], None)
    (file,) = entities.of_type("file")
    assert [hash.text("value") for hash in file.find_all("filehashes")] == ["a", "b"]
    assert (first.find("parent"), second.find("parent")) == (second, first)


def test_a_property_is_text_where_it_is_a_scalar() -> None:
    """Text and numbers are text; what is missing, empty, a boolean or a container is none."""
    for held, text in (
        ("x", "x"), ("", None), (7, "7"), (0.5, "0.5"), (True, None), (None, None), ({"a": 1}, None), ([], None),
    ):  # fmt: skip
        (entity,) = Entities([{"Type": "x", "Property": held}])
        assert (entity.text("property"), entity.get("property")) == (text, held)


def test_what_has_no_type_is_no_entity() -> None:
    """Only an object with a type is an entity; anything else in the list is passed over. Dashes, underscores and case make no
    difference to a type; nesting as deep as no recursion would survive is walked."""
    raws: list[list[object]] = [[], [5, None, "x"], [{"$ref": "1"}], [{"Type": 5}], [{"NoType": "ip"}], [[[]]]]
    for raw in raws:
        assert not Entities(raw)
        assert list(Entities(raw).of_type("ip")) == []
    for written in ("azure-resource", "AzureResource", "azure_resource", "AZURERESOURCE"):
        assert normalised_type(written) == "azureresource"
        assert Entities([{"Type": written}]).of_type("azureresource")
    deep: dict[str, object] = {"Type": "ip"}
    for _ in range(100_000):
        deep = {"x": deep}
    assert _types(deep) == ["ip"]


@given(st.dictionaries(st.sampled_from(["name", "Name", "NAME", "Sid", "sid"]), st.sampled_from([None, "a", 0, "b"])))
def test_a_property_is_asked_for_in_lower_case_however_it_is_spelt(properties: dict[str, object]) -> None:
    """Of several spellings the last one counts that has a value; several at once are those that are asked for one by one."""
    (entity,) = Entities([{"Type": "account", **properties}])
    names = frozenset({"name", "sid", "upnsuffix"})
    said = {name.lower(): value for name, value in properties.items() if value is not None}
    assert {name: entity.get(name) for name in names} == {name: said.get(name) for name in names}
    assert entity.get_all(names) == said


_TABLE = PropertyTable(
    {
        "username": "accounts",
        "domainname": "domains",
        "operations": "operations",
        "processid": "processes",
        "resourcetype": BOILERPLATE,
        "Resource type": "kubernetes_objects",
    }
)


def test_a_value_becomes_readable() -> None:
    """JSON inside a text becomes one text for each of its elements; anything else stays what it is. A reference of a scanner
    is its title with its link: an object of nothing else."""
    for value, items in (
        ("  plain text ", ("plain text",)),
        ("[not, json]", ("[not, json]",)),
        ('["a", "", 5, true, null]', ("a", "5", "true")),
        ('{"displayValue": "Read on", "kind": "Link", "value": "https://a"}', ("Read on: https://a",)),
        ('{"displayValue": "Open", "kind": "OpenBlade", "value": "blade"}', ("Open",)),
        ('{"$type": "X", "a": {"b": [1, 2], "c": "d"}, "e": ""}', ("a.b: 1, 2", "a.c: d")),
        ('{"p": {"a": {"b": {"c": 1}}, "d": [{"e": 2}, {"f": 3}]}}', ("p.a.b.c: 1", "p.d: e: 2", "p.d: f: 3")),
        ('{"a": "{\\"b\\": {\\"c\\": 1, \\"d\\": 2}}"}', ("a.b.c: 1", "a.b.d: 2")),
        ('["{\\"b\\": 1}", "{b"]', ("b: 1", "{b")),
        ('[{"resources": ["pods"], "operations": ["CREATE"]}]', ("resources: pods; operations: CREATE",)),
        ('["\\ud800"]', ("\ufffd",)),
        ("[" * 20 + "1" + "]" * 20, ("… [cut]",)),
        ("[" * 100_000, ("[" * 100_000,)),
        ("{}", ()),
        ("n/a", ()),
        ('[{"title": "CVE-2026-1", "link": "https://a.example"}]', ("CVE-2026-1: https://a.example",)),
        ('[{"Title": "CVE-2026-1", "Link": null}]', ("CVE-2026-1",)),
        ('[{"title": "a", "link": "b", "kind": "c"}]', ("title: a; link: b; kind: c",)),
    ):
        assert items_in(value) == items, value


def test_what_belongs_to_no_list_is_named_shortest_first() -> None:
    """Names as they are written, by the length of their values; nothing that is listed, boilerplate, or says nothing."""
    extended = {"Potential causes": "a long text", "User name": "ada", "Port": "80", "resourceType": "VM", "No": "N/A"}
    assert unlisted_in(extended, _TABLE, Evidence()) == ("Port", "Potential causes")
    # Alerts of machines name the Windows domain beside the account that stands in it.
    domain = {"domain name": "contoso"}
    assert unlisted_in(domain, _TABLE, Evidence(accounts=("CONTOSO\\ada",))) == ()
    assert unlisted_in(domain, _TABLE, Evidence()) == ("domain name",)


def test_a_list_is_found_by_name_and_value() -> None:
    """A number counts things, and a domain without a dot is one of Windows: they stand behind their own names."""
    for name, value, listed in (
        ("USER_NAME", "ada", "accounts"),
        ("User name", "3", None),
        ("Operations", "6", None),
        ("Process Id", "6", "processes"),
        ("Domain name", "x.example", "domains"),
        ("Domain name", "CONTOSO", None),
        ("Resource Type", "Virtual Machine", BOILERPLATE),
        ("Resource type", "webhooks", "kubernetes_objects"),
        ("Unheard of", "x", None),
        ("$type", "Example", BOILERPLATE),
    ):
        assert _TABLE.find_list(name, value) == listed, name
