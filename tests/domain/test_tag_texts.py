"""Owners whose names are values of tags."""

from __future__ import annotations

import pytest

from router.domain.owners import Owner, Owners, Ownership, find_environment_of, find_owner_of
from router.domain.tags import Tags, TagText
from tests.builders import RESOURCE, SUBSCRIPTION, an_alert

GROUP = RESOURCE.rpartition("/providers/")[0].lower()


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{tag.team}", "Payments"),
        ("{tag.TEAM}", "Payments"),
        ("soc-{tag.team}/{tag.cost center}", "soc-Payments/4711"),
        ("{tag.team}{tag.team}", "PaymentsPayments"),
        ("payments", "payments"),
        ("{tag.blank}", None),
        ("{tag.team} {tag.blank}", None),
        ("{tag.nobody's}", None),
    ],
)
def test_a_tag_in_a_text_stands_for_its_value(text: str, filled: str | None) -> None:
    """The value that counts for the resource; where one is missing or blank there is no text."""
    tags = Tags({RESOURCE.lower(): {"blank": "", "cost center": "4711"}, GROUP: {"team": "Payments", "blank": "x"}})
    known = ["team", "Cost Center", "blank", "nobody's"]
    assert TagText.parse(text, known).fill(RESOURCE, tags) == filled


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{tag.temm}", 'names no tag of this entry; add it: tag: {temm: "*"}'),
        ("{tag.}", "names no tag of this entry"),
        ("{tags.team}", "stands for nothing here; there is only {tag.NAME}"),
        ("{team}", "stands for nothing here"),
        ("{}", "stands for nothing here"),
        ("{tag.team", "a brace stands alone"),
        ("tag.team}", "a brace stands alone"),
        ("{{tag.team}}", "a brace stands alone"),
    ],
)
def test_braces_hold_a_tag_that_the_entry_names(text: str, words: str) -> None:
    """So that an entry without the tag matches nothing, and a misspelt name is nobody's group."""
    with pytest.raises(ValueError) as raised:
        TagText.parse(text, ["team"])
    assert words in str(raised.value)


def an_entry(**texts: str) -> Ownership:
    """An entry that matches everything, with texts that have tags in them."""
    owner = Owner(group=texts.get("group"), service="Shop", pager="A_KEY") if "environment" not in texts else None
    parsed = {part: TagText.parse(text, ["team", "env"]) for part, text in texts.items()}
    return Ownership(lambda *_: True, owner, environment=texts.get("environment"), from_tags=parsed)


def test_an_owner_is_who_the_tag_says() -> None:
    """Of a resource without the tag, or with a blank one, the next entry says the owner; the pager is never of a tag."""
    tags = Tags({RESOURCE.lower(): {"team": "Payments"}, GROUP: {"team": "Platform", "env": "staging"}})
    rest = Ownership(lambda *_: True, Owner("rest"), environment="somewhere")
    owners = Owners((an_entry(environment="{tag.env}"), an_entry(group="{tag.team}"), rest), tags)
    other = RESOURCE.replace("vm-1", "vm-2")
    outside = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-other"
    found = [
        (find_owner_of(alert, owners), find_environment_of(alert, owners))
        for alert in (an_alert(AzureResourceId=resource) for resource in (RESOURCE, other, outside, ""))
    ]
    assert found == [
        (Owner("Payments", "Shop", "A_KEY"), "staging"),
        (Owner("Platform", "Shop", "A_KEY"), "staging"),
        (Owner("rest"), "somewhere"),
        (Owner("rest"), "somewhere"),
    ]
