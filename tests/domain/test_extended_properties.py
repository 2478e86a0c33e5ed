"""Extended properties in words, and those that belong to no list of the evidence."""

from __future__ import annotations

from router.decide.notice import unlisted_in
from router.domain.evidence import BOILERPLATE, Evidence, PropertyTable, items_in

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
        (
            '{"properties": {"a": {"b": {"c": 1}}, "d": [{"e": 2}, {"f": 3}]}}',
            ("properties.a.b.c: 1", "properties.d: e: 2", "properties.d: f: 3"),
        ),
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
    extended = {
        "Potential causes": "a long text",
        "User name": "ada",
        "Port": "80",
        "resourceType": "VM",
        "Empty": "N/A",
    }
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
