"""Tags that rules name: those that the state is asked for, and those that no resource has."""

from __future__ import annotations

from typing import Any

from router.domain.catalogue import Attack
from router.domain.owners import find_owner_of
from router.domain.tags import Tags
from tests.builders import RESOURCE, an_alert
from tests.rulebook.builders import Files, a_policy, lints, messages, the_book

FILE = "tags/resources.json"
BY_TEAM = {"tag": {"Team": "*"}, "group": "{tag.team}"}


def test_the_state_is_asked_for_the_tags_that_rules_name() -> None:
    """Those of owners, of routes and of groups; in lower case, as their names mean the same in any."""
    policy = a_policy(routes=[{"name": "one", "when": {"tag": {"Stage": "prod"}}, "to": ["tickets"]}])
    policy["destinations"]["tickets"]["group"] = {"by": ["tag.Cost"], "window": "1h"}  # type: ignore[index]
    for tags in ("live", ["live"], [FILE, "live"]):
        owners = {"tags": tags, "owners": [BY_TEAM, {"group": "b"}]}
        book = the_book({"cwpp/policy.yaml": policy, "owners.yaml": owners, FILE: []})
        assert book.owners.live_tags == {"team", "stage", "cost"}


def test_without_the_word_or_a_tag_the_state_is_not_asked() -> None:
    """Tags that nobody reviewed count only where somebody reviewed that they do. The word stands once, as a file does."""
    named: list[tuple[object, Files]] = [
        ({"owners": [BY_TEAM]}, {}),
        ({"tags": FILE, "owners": [BY_TEAM]}, {FILE: []}),
        ({"tags": "./live", "owners": [BY_TEAM]}, {"live": []}),
        ({"tags": "live", "owners": [{"group": "b"}]}, {}),
    ]
    assert [the_book({"owners.yaml": owners, **files}).owners.live_tags for owners, files in named] == [frozenset()] * 4
    twice = {"owners.yaml": {"tags": ["live", "live"], "owners": []}}
    assert messages(twice) == ["tags[1]: is named twice; remove one"]


def test_a_rulebook_by_other_tags_asks_them_everywhere() -> None:
    """Owners, and the clauses of routes by owner and by tag; the rulebook that it was made of stays as it is."""
    routes = [
        {"name": "owned", "when": {"owner": "payments"}, "to": ["tickets"]},
        {"name": "tagged", "when": {"tag": {"TEAM": ["pay*"]}, "severity": "High"}, "to": ["tickets"]},
        {"name": "unowned", "when": {"owner": "nobody"}, "to": ["tickets"]},
    ]
    owners = {"tags": "live", "owners": [BY_TEAM]}
    book = the_book({"cwpp/policy.yaml": a_policy(routes=routes), "owners.yaml": owners})
    other, alert = book.with_tags(Tags({RESOURCE.lower(): {"team": "payments"}})), an_alert()
    routed = [[one.name for one in each.routes if one.matches(alert, Attack())] for each in (book, other)]
    assert routed == [["unowned"], ["owned", "tagged"]]
    assert [find_owner_of(alert, each.owners) is None for each in (book, other)] == [True, False]
    assert other.hash == book.hash


TAGGED = [
    {"id": RESOURCE, "tags": {"Team": "Payments", "env": "prod"}},
    {"id": f"{RESOURCE}-2", "tags": {"TEAM": "web"}},
]


def unknown(tag: object, tags: object = FILE, **policy: Any) -> list[str]:
    """What lints say of tags that no resource has, where an entry of owners asks for one."""
    owners = {"tags": tags, "owners": [{"tag": tag, "group": "a"}]}
    files = {FILE: TAGGED, "owners.yaml": owners, "cwpp/policy.yaml": a_policy(**policy)}
    return lints(files, code="unknown-tag")


def test_a_tag_that_no_resource_has_is_said() -> None:
    """With what was probably meant; those of routes are looked for, too, and none where the state has tags."""
    assert unknown({"TEAM": "pay*", "env": "PROD"}) == []
    said = ["owners.yaml: owners[0].tag.temm: no resource has a tag 'temm'; did you mean 'team'?"]
    assert unknown({"temm": "*"}) == said
    assert unknown({"colour": "*"}) == [
        "owners.yaml: owners[0].tag.colour: no resource has a tag 'colour'; `tags` in owners.yaml names the files that say "
        "which there are"
    ]
    route = {"name": "it", "when": {"tag": {"team": ["web", "wbe"], "evn": "x"}}, "to": ["tickets"]}
    said = ["cwpp/policy.yaml: routes[0].when.tag.evn: no resource has a tag 'evn'; did you mean 'env'?"]
    assert unknown({"team": "*"}, routes=[route]) == said
    assert unknown({"temm": "*"}, "live") == unknown({"temm": "*"}, [FILE, "live"]) == []
