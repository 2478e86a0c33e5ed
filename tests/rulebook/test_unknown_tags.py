"""What `rules check` says of tags that no resource has."""

from __future__ import annotations

from pathlib import Path

import pytest

from router.domain.signals import Stream
from router.rulebook import lint
from tests.builders import RESOURCE
from tests.rulebook.builders import NOW, a_policy, loaded

FILE = "tags/resources.json"
ROWS = [{"id": RESOURCE, "tags": {"Team": "Payments", "env": "prod"}}, {"id": f"{RESOURCE}-2", "tags": {"TEAM": "web"}}]
OWNERS = {"tags": [FILE], "owners": []}


def lints(directory: Path, files: dict[str, object]) -> list[str]:
    """What is said of rules with these files beside the tags of ROWS."""
    result = loaded(directory, {FILE: ROWS, **files})
    assert result.rulebook is not None, result.problems
    found = [one for one in lint(directory, Stream.CWPP, result, NOW) if one.code == "unknown-tag"]
    assert {one.level for one in found} <= {"warning"}
    return [f"{one.file}: {one.message}" for one in found if one.line]


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ({"team": "*"}, None),
        ({"TEAM": "pay*", "env": "PROD"}, None),
        ({"temm": "*"}, "owners[0].tag.temm: no resource has a tag 'temm'; did you mean 'team'?"),
        (
            {"colour": "*"},
            "owners[0].tag.colour: no resource has a tag 'colour'; `tags` in owners.yaml names the files that say "
            "which there are",
        ),
    ],
)
def test_a_tag_that_no_resource_has_is_said(tag: object, said: str | None, tmp_path: Path) -> None:
    """With what was probably meant."""
    found = lints(tmp_path, {"owners.yaml": OWNERS | {"owners": [{"tag": tag, "group": "a"}]}})
    assert found == ([f"owners.yaml: {said}"] if said else [])


def test_tags_of_routes_are_looked_for_too(tmp_path: Path) -> None:
    """At the name of the tag."""
    policy = a_policy(routes=[{"name": "it", "when": {"tag": {"team": ["web", "wbe"], "evn": "x"}}, "to": ["tickets"]}])
    assert lints(tmp_path, {"owners.yaml": OWNERS, "cwpp/policy.yaml": policy}) == [
        "cwpp/policy.yaml: routes[0].when.tag.evn: no resource has a tag 'evn'; did you mean 'env'?",
    ]


@pytest.mark.parametrize("tags", ["live", [FILE, "live"]])
def test_where_the_state_has_tags_nobody_knows_which_there_are(tags: object, tmp_path: Path) -> None:
    """So none is called unknown."""
    assert not lints(tmp_path, {"owners.yaml": {"tags": tags, "owners": [{"tag": {"temm": "*"}, "group": "a"}]}})
