"""The graph of a signal's entities."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain.entities import Entities, normalised_type


def _types(*raw: object) -> list[str]:
    return [entity.type for entity in Entities(list(raw))]


@pytest.mark.parametrize("written", ["azure-resource", "AzureResource", "azure_resource", "AZURERESOURCE"])
def test_a_type_is_one_however_it_is_written(written: str) -> None:
    """Dashes, underscores and case make no difference to a type."""
    assert normalised_type(written) == "azureresource"
    assert Entities([{"Type": written}]).of_type("azureresource")


def test_nested_entities_count_like_listed_ones() -> None:
    """An entity inside another, at any depth and in any property, is met, in the order of reading."""
    raw = {
        "Type": "process",
        "ImageFile": {"Type": "file", "FileHashes": [{"Type": "filehash"}]},
        "Extra": {"x": {"Type": "ip"}},
    }
    assert _types(raw, {"Type": "host"}) == ["process", "file", "filehash", "ip", "host"]


def test_a_bare_reference_in_the_list_adds_nothing() -> None:
    """A list element that is only a reference stands for an entity that is met where it is defined, once."""
    entities = Entities(
        [{"$ref": "5"}, {"$id": "4", "Type": "K8s-cluster", "CloudResource": {"$id": "5", "Type": "azure-resource"}}]
    )
    assert [entity.type for entity in entities] == ["k8scluster", "azureresource"]
    bare = entities.entity_in({"$ref": "5"})
    assert bare == entities.of_type("azureresource")[0]


def test_a_reference_is_followed_wherever_it_stands() -> None:
    """A property that refers to an entity gives that entity, also to one that comes later or is nested."""
    entities = Entities(
        [
            {"$id": "1", "Type": "process", "Account": {"$ref": "3"}, "Host": {"$ref": "2"}},
            {"$id": "4", "Type": "account", "Name": "ada", "$kind": {"$id": "3", "Type": "account", "Name": "bob"}},
            {"$id": "2", "Type": "host", "HostName": "web-01"},
        ]
    )
    (process,) = entities.of_type("process")
    account, host = process.find("Account"), process.find("host")
    assert account is not None
    assert host is not None
    assert (account.text("name"), host.text("HOSTNAME")) == ("bob", "web-01")


def test_references_in_a_circle_are_followed_step_by_step() -> None:
    """A circle of references can be walked, and is met once."""
    entities = Entities(
        [
            {"$id": "1", "Type": "process", "Parent": {"$ref": "2"}},
            {"$id": "2", "Type": "process", "Parent": {"$ref": "1"}},
        ]
    )
    first, second = entities
    assert first.find("Parent") == second
    assert second.find("Parent") == first


def test_a_reference_that_dangles_gives_nothing() -> None:
    """A reference to an entity that is not there is no error and no entity."""
    entities = Entities([{"$id": "1", "Type": "process", "Host": {"$ref": "9"}, "Files": [{"$ref": "9"}, 5, None]}])
    (process,) = entities
    assert process.find("Host") is None
    assert process.find_all("Files") == []
    assert process.find("Nothing") is None


def test_the_first_of_two_equal_ids_is_meant() -> None:
    """Where an id is used twice, a reference means its first bearer, and both are met."""
    entities = Entities(
        [
            {"$id": "1", "Type": "ip", "Address": "192.0.2.1"},
            {"$id": "1", "Type": "ip", "Address": "192.0.2.2"},
            {"Type": "dns", "HostIpAddress": {"$ref": "1"}},
        ]
    )
    (dns,) = entities.of_type("dns")
    address = dns.find("HostIpAddress")
    assert address is not None
    assert address.text("Address") == "192.0.2.1"
    assert len(entities.of_type("ip")) == 2


def test_a_list_of_references_gives_its_entities() -> None:
    """A list property gives the entities that it holds or refers to, in order."""
    entities = Entities(
        [
            {"$id": "1", "Type": "filehash", "Value": "a"},
            {"Type": "file", "FileHashes": [{"$ref": "1"}, {"Type": "filehash", "Value": "b"}]},
        ]
    )
    (file,) = entities.of_type("file")
    assert [hash.text("Value") for hash in file.find_all("FileHashes")] == ["a", "b"]


@pytest.mark.parametrize(
    ("held", "text"),
    [("x", "x"), ("", None), (7, "7"), (0.5, "0.5"), (True, None), (None, None), ({"a": 1}, None), ([], None)],
)
def test_a_property_is_text_where_it_is_a_scalar(held: object, text: str | None) -> None:
    """Text and numbers are text; what is missing, empty, a boolean or a container is none."""
    (entity,) = Entities([{"Type": "x", "Property": held}])
    assert entity.text("property") == text
    assert entity.get("PROPERTY") == held


@pytest.mark.parametrize("raw", [[], [5, None, "x"], [{"$ref": "1"}], [{"Type": 5}], [{"NoType": "ip"}], [[[]]]])
def test_what_has_no_type_is_no_entity(raw: list[object]) -> None:
    """Only an object with a type is an entity; anything else in the list is passed over."""
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
