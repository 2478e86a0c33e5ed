"""Which tags count for a resource: its own, and those of what is around it."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.tags import NO_TAGS, Tags, TagText, ids_around

SUB = "/subscriptions/aaaa"
GROUP = f"{SUB}/resourcegroups/rg"
SERVER = f"{GROUP}/providers/microsoft.sql/servers/s"
DATABASE = f"{SERVER}/databases/d"
VM = f"{GROUP}/providers/microsoft.compute/virtualmachines/vm"
ASSESSMENT = f"{VM}/providers/microsoft.security/assessments/1111"
CONNECTOR = f"{GROUP}/providers/microsoft.security/securityconnectors/aws"


BROUGHT = f"{CONNECTOR}/securityentitydata/x"
OF_SECURITY = "providers/microsoft.security"


AROUND = [
    (ASSESSMENT, [VM, GROUP, SUB]),
    (f"{ASSESSMENT}/subassessments/2", [ASSESSMENT, VM, GROUP, SUB]),
    (SUB, []),
    (f"{SUB}/{OF_SECURITY}/locations/eu/alerts/1", [f"{SUB}/{OF_SECURITY}/locations/eu", SUB]),
    # Ids that end in the middle: what is whole of them counts.
    (f"{GROUP}/providers/microsoft.compute", [GROUP, SUB]),
    (f"{VM}/extensions", [VM, GROUP, SUB]),
    (f"{SUB}/resourcegroups", [SUB]),
    # A group and a server that are called "providers".
    (
        f"{SUB}/resourcegroups/providers/providers/microsoft.sql/servers/providers/databases/d",
        [
            f"{SUB}/resourcegroups/providers/providers/microsoft.sql/servers/providers",
            f"{SUB}/resourcegroups/providers",
            SUB,
        ],
    ),
    # What a connector brings ends at the connector, whatever its group is called.
    (CONNECTOR, []),
    (BROUGHT, [CONNECTOR]),
    (f"{BROUGHT}/{OF_SECURITY}/assessments/1", [BROUGHT, CONNECTOR]),
    (
        f"{CONNECTOR}/securityentitydata/x".replace("/rg/", "/securityconnectors/"),
        [CONNECTOR.replace("/rg/", "/securityconnectors/")],
    ),
    (f"{SUB}/resourcegroups/{OF_SECURITY}/securityconnectors/aws/x", []),
]


def test_around_a_resource_are_its_parents_its_group_and_its_subscription() -> None:
    """From the inside out, in lower case; an extension, such as an assessment, lies within what it is about. What is no id in
    a subscription has nothing around it."""
    for resource, around in AROUND:
        assert ids_around(resource) == ids_around(f" {resource.upper()}/ ") == (resource, *around)
    for text in ("", "/", "/subscriptions", "/subscriptions/", "arn:aws:s3:::bucket",
                 "//container.googleapis.com/projects/p", "/providers/microsoft.management/managementgroups/mg"):  # fmt: skip
        assert ids_around(text) == (), text


def test_the_nearest_tag_counts() -> None:
    """Each name by itself; names ignore case, values keep it; a tag that is blank is there all the same. A bucket of
    AWS is not the team's that made the connector: the connector's own tags are about what it brings, and those of its
    group not."""
    landing = {"team": "Landing", "env": "prod", "cost": "1"}
    tags = Tags({SUB: landing, GROUP: {"team": "Web", "env": ""}, DATABASE: {"cost": "7"}})
    assert [tags.find(DATABASE, name) for name in ("Team", "ENV", "cost", "nobody's")] == ["Web", "", "7", None]
    assert tags.find(f"{DATABASE.upper()}/", "team") == "Web"
    assert tags.find(SUB, "team") == "Landing"
    assert tags.find("/subscriptions/bbbb", "team") is None
    assert tags.find(None, "team") is tags.find("", "team") is NO_TAGS.find(DATABASE, "team") is None
    tags = Tags({SUB: {"team": "landing"}, GROUP: {"team": "connectors"}, CONNECTOR: {"cloud": "aws"}})
    brought = f"{CONNECTOR}/securityentitydata/x"
    assert (tags.find(brought, "team"), tags.find(brought, "cloud")) == (None, "aws")


_WORD = st.sampled_from(["a", "b", "providers", "subscriptions", "resourceGroups", "Microsoft.X", "securityConnectors"])
_PAIRS = st.lists(st.tuples(_WORD.filter(lambda word: word != "providers"), _WORD), min_size=1, max_size=3)
_RESOURCES = st.lists(_PAIRS, max_size=3)


@given(in_group=st.booleans(), resources=_RESOURCES, tagged=st.sets(st.integers(0, 12)))
@settings(deadline=None)
def test_a_tag_is_found_as_one_walks_outwards(
    in_group: bool, resources: list[list[tuple[str, str]]], tagged: set[int]
) -> None:
    """Whatever things are called: the first of them that has the tag, in the order in which an id is built."""
    id = "/subscriptions/S" + ("/resourceGroups/RG" if in_group else "")
    outward = ["/subscriptions/S", *([id] if in_group else [])]
    for types in resources:
        id += "/providers/Microsoft.X"
        for type, name in types:
            id += f"/{type}/{name}"
            outward.append(id)
    by_id: Mapping[str, Mapping[str, str]] = {
        outward[number].lower(): {"team": str(number)} for number in tagged if number < len(outward)
    }
    expected = max((number for number in tagged if number < len(outward)), default=None)
    assert Tags(by_id).find(outward[-1], "TEAM") == (None if expected is None else str(expected))


def test_of_two_that_know_a_tag_of_the_same_thing_the_upper_one_counts() -> None:
    """Of anything else each counts, and what is nearer to a resource counts first, whoever knows it."""
    upper = Tags({VM: {"team": "upper"}, GROUP: {"env": "upper"}})
    lower = Tags({VM: {"team": "lower", "env": "lower"}, SUB: {"team": "lower", "cost": "lower"}})
    both = upper.over(lower)
    assert [both.find(VM, name) for name in ("team", "env", "cost")] == ["upper", "lower", "lower"]
    assert [both.find(GROUP, name) for name in ("team", "env")] == ["lower", "upper"]
    assert upper.over(NO_TAGS) is upper
    assert NO_TAGS.over(lower) is lower


def test_a_tag_in_a_text_stands_for_its_value() -> None:
    """The value that counts for the resource; where one is missing or blank there is no text."""
    tags = Tags({VM: {"blank": "", "cost center": "4711"}, GROUP: {"team": "Payments", "blank": "x"}})
    known = ["team", "Cost Center", "blank", "nobody's"]
    for text, filled in (
        ("{tag.team}", "Payments"),
        ("{tag.TEAM}", "Payments"),
        ("soc-{tag.team}/{tag.cost center}", "soc-Payments/4711"),
        ("{tag.team}{tag.team}", "PaymentsPayments"),
        ("payments", "payments"),
        ("{tag.blank}", None),
        ("{tag.team} {tag.blank}", None),
        ("{tag.nobody's}", None),
    ):
        assert TagText.parse(text, known).fill(VM, tags) == filled, text


def test_braces_hold_a_tag_that_the_entry_names() -> None:
    """So that an entry without the tag matches nothing, and a misspelt name is nobody's group."""
    for text, words in (
        ("{tag.temm}", 'names no tag of this entry; add it: tag: {temm: "*"}'),
        ("{tag.}", "names no tag of this entry"),
        ("{tags.team}", "stands for nothing here; there is only {tag.NAME}"),
        ("{team}", "stands for nothing here"),
        ("{}", "stands for nothing here"),
        ("{tag.team", "a brace stands alone"),
        ("tag.team}", "a brace stands alone"),
        ("{{tag.team}}", "a brace stands alone"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            TagText.parse(text, ["team"])
