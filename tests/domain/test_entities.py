"""The graph of a signal's entities."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from router.domain.entities import Entities, normalised_type


def _types(*raw: object) -> list[str]:
    return [entity.type for entity in Entities(list(raw))]


def test_a_type_is_one_however_it_is_written() -> None:
    """Dashes, underscores and case make no difference to a type."""
    for written in ("azure-resource", "AzureResource", "azure_resource", "AZURERESOURCE"):
        assert normalised_type(written) == "azureresource"
        assert Entities([{"Type": written}]).of_type("azureresource")


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
                "HostName": "web-01",
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
    account, host = first.find("Account"), first.find("host")
    assert account is not None
    assert host is not None
    assert (account.text("name"), host.text("HOSTNAME")) == ("bob", "web-01")
    assert len(entities.of_type("host")) == 2
    assert (host.find("Image"), host.find_all("Files"), host.find("Nothing")) == (None, [], None)
    (file,) = entities.of_type("file")
    assert [hash.text("Value") for hash in file.find_all("FileHashes")] == ["a", "b"]
    assert (first.find("Parent"), second.find("Parent")) == (second, first)


def test_a_property_is_text_where_it_is_a_scalar() -> None:
    """Text and numbers are text; what is missing, empty, a boolean or a container is none."""
    for held, text in (
        ("x", "x"), ("", None), (7, "7"), (0.5, "0.5"), (True, None), (None, None), ({"a": 1}, None), ([], None),
    ):  # fmt: skip
        (entity,) = Entities([{"Type": "x", "Property": held}])
        assert (entity.text("property"), entity.get("PROPERTY")) == (text, held)


def test_what_has_no_type_is_no_entity() -> None:
    """Only an object with a type is an entity; anything else in the list is passed over."""
    raws: list[list[object]] = [[], [5, None, "x"], [{"$ref": "1"}], [{"Type": 5}], [{"NoType": "ip"}], [[[]]]]
    for raw in raws:
        assert not Entities(raw)
        assert list(Entities(raw).of_type("ip")) == []


def test_very_deep_entities_are_met() -> None:
    """Nesting as deep as no recursion would survive is walked."""
    raw: dict[str, object] = {"Type": "ip"}
    for _ in range(100_000):
        raw = {"x": raw}
    assert _types(raw) == ["ip"]


@given(st.dictionaries(st.sampled_from(["name", "Name", "NAME", "Sid", "sid"]), st.sampled_from([None, "a", 0, "b"])))
def test_several_properties_at_once_are_those_that_are_asked_for_one_by_one(properties: dict[str, object]) -> None:
    """Whatever their case, also where several spellings are there."""
    (entity,) = Entities([{"Type": "account", **properties}])
    names = frozenset({"name", "sid", "upnsuffix"})
    assert {name: entity.get_all(names).get(name) for name in names} == {name: entity.get(name) for name in names}
