"""The word in owners.yaml by which the tags count that the state has."""

from __future__ import annotations

from pathlib import Path

import pytest

from router.domain.catalogue import Attack
from router.domain.owners import find_owner_of
from router.domain.tags import Tags
from tests.builders import RESOURCE, an_alert
from tests.rulebook.builders import a_policy, a_sound_rulebook, loaded

FILE = "tags/resources.json"
BY_TEAM = {"tag": {"Team": "*"}, "group": "{tag.team}"}


@pytest.mark.parametrize("tags", ["live", ["live"], [FILE, "live"], ["live", FILE]])
def test_the_state_is_asked_for_the_tags_that_rules_name(tags: object, tmp_path: Path) -> None:
    """Those of owners, of routes and of groups; in lower case, as their names mean the same in any."""
    policy = a_policy(routes=[{"name": "one", "when": {"tag": {"Stage": "prod"}}, "to": ["tickets"]}])
    policy["destinations"]["tickets"]["group"] = {"by": ["tag.Cost"], "window": "1h"}  # type: ignore[index]
    owners = {"tags": tags, "owners": [BY_TEAM, {"group": "b"}]}
    book = a_sound_rulebook(tmp_path, {"cwpp/policy.yaml": policy, "owners.yaml": owners, FILE: []})
    assert book.owners.live_tags == {"team", "stage", "cost"}


@pytest.mark.parametrize(
    ("owners", "files"),
    [
        ({"owners": [BY_TEAM]}, {}),
        ({"tags": FILE, "owners": [BY_TEAM]}, {FILE: []}),
        ({"tags": "./live", "owners": [BY_TEAM]}, {"live": []}),
        ({"tags": "live", "owners": [{"group": "b"}]}, {}),
    ],
    ids=["no tags", "a file", "a file of that name", "no entry that names a tag"],
)
def test_without_the_word_or_a_tag_the_state_is_not_asked(
    owners: object, files: dict[str, object], tmp_path: Path
) -> None:
    """Tags that nobody reviewed count only where somebody reviewed that they do."""
    assert not a_sound_rulebook(tmp_path, {"owners.yaml": owners, **files}).owners.live_tags


def test_the_word_stands_once(tmp_path: Path) -> None:
    """As a file does."""
    (problem,) = loaded(tmp_path, {"owners.yaml": {"tags": ["live", "live"], "owners": []}}).problems
    assert (problem.code, problem.message) == ("tag-file-name", "tags[1]: is named twice; remove one")


def test_a_rulebook_by_other_tags_asks_them_everywhere(tmp_path: Path) -> None:
    """Owners, and the clauses of routes by owner and by tag; the rulebook that it was made of stays as it is."""
    routes = [
        {"name": "owned", "when": {"owner": "payments"}, "to": ["tickets"]},
        {"name": "tagged", "when": {"tag": {"TEAM": ["pay*"]}, "severity": "High"}, "to": ["tickets"]},
        {"name": "unowned", "when": {"owner": "nobody"}, "to": ["tickets"]},
    ]
    owners = {"tags": "live", "owners": [BY_TEAM]}
    book = a_sound_rulebook(tmp_path, {"cwpp/policy.yaml": a_policy(routes=routes), "owners.yaml": owners})
    other, alert = book.with_tags(Tags({RESOURCE.lower(): {"team": "payments"}})), an_alert()
    routed = [[one.name for one in each.routes if one.matches(alert, Attack())] for each in (book, other)]
    assert routed == [["unowned"], ["owned", "tagged"]]
    assert [find_owner_of(alert, each.owners) is None for each in (book, other)] == [True, False]
    assert other.hash == book.hash
