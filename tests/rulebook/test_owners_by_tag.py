"""Owners that are found by tags, and named by them."""

from __future__ import annotations

from pathlib import Path

import pytest

from router.decide import decide, notice_for
from router.destinations.config import parse
from router.domain.catalogue import Attack
from router.domain.notices import Notice
from router.domain.owners import Owner, find_environment_of, find_owner_of
from router.domain.rulebook import Rulebook
from router.domain.signals import Signal
from router.parse import evidence_of
from tests.builders import RESOURCE, SUBSCRIPTION, an_alert
from tests.rulebook.builders import NOW, a_route, a_sound_rulebook, loaded

FILE = "tags/resources.json"
GROUP = RESOURCE.rpartition("/providers/")[0]
ROWS = [
    {"id": RESOURCE, "tags": {"Team": "Pay\u202ements", "env": "PROD"}},
    {"id": GROUP, "tags": {"team": "Web", "env": "test"}},
    {"id": f"/subscriptions/{SUBSCRIPTION}", "tags": {"team": "", "cost": "4711"}},
]


def ruled(directory: Path, *entries: object) -> Rulebook:
    """Rules with these entries and the tags of ROWS."""
    return a_sound_rulebook(directory, {"owners.yaml": {"tags": FILE, "owners": entries}, FILE: ROWS})


def notice_of(signal: Signal, book: Rulebook) -> Notice:
    """What people are told of a signal."""
    return notice_for(signal, evidence_of(signal, book.catalogue), decide(signal, book, NOW), book, "0" * 32, 1)


def test_a_tag_names_the_group(tmp_path: Path) -> None:
    """Legible as all that people read, and with the case that it is written in; where it is blank the next entry owns."""
    book = ruled(
        tmp_path,
        {"tag": {"ENV": "prod"}, "environment": "{tag.env}"},
        {
            "tag": {"TEAM": "*"},
            "group": "{tag.team}",
            "service": "soc-{tag.Team}",
            "pager": {"secret": "SOC_KEY"},
            "environment": "elsewhere",
        },
        {"group": "platform"},
    )
    other, outside = RESOURCE.replace("vm-1", "vm-2"), f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-other"
    notices = [notice_of(an_alert(AzureResourceId=resource), book) for resource in (RESOURCE, other, outside)]
    assert [notice.owner for notice in notices] == [
        Owner("Pay\\u202ements", "soc-Pay\\u202ements", "SOC_KEY"),
        Owner("Web", "soc-Web", "SOC_KEY"),
        Owner("platform"),
    ]
    assert [notice.environment for notice in notices] == ["PROD", "elsewhere", None]
    assert parse("{owner.group}")(notices[1]) == "Web"


def test_an_entry_whose_tag_is_nowhere_matches_nothing(tmp_path: Path) -> None:
    """Nor does one where another value is asked for."""
    book = ruled(
        tmp_path,
        {"tag": {"temm": "*"}, "group": "{tag.temm}"},
        {"tag": {"team": "x*"}, "group": "x"},
        {"tag": {"team": "*", "cost": "47??"}, "group": "{tag.team}-{tag.cost}"},
    )
    assert find_owner_of(an_alert(), book.owners) == Owner("Pay\\u202ements-4711")
    assert find_owner_of(an_alert(AzureResourceId="/subscriptions/bbbb"), book.owners) is None
    assert find_environment_of(an_alert(), book.owners) is None


def test_routes_ask_for_the_owner_that_a_tag_names(tmp_path: Path) -> None:
    """As for any other."""
    files = {"owners.yaml": {"tags": FILE, "owners": [{"tag": {"team": "*"}, "group": "{tag.team}"}]}, FILE: ROWS}
    of_web = a_route(tmp_path, {"owner": ["web", "nobody"]}, files=files)
    other, nobodys = RESOURCE.replace("vm-1", "vm-2"), "/subscriptions/bbbb"
    alerts = [an_alert(AzureResourceId=resource) for resource in (RESOURCE, other, nobodys)]
    assert [of_web.matches(alert, Attack()) for alert in alerts] == [False, True, True]


@pytest.mark.parametrize(
    ("entry", "path", "words"),
    [
        ({"tag": {"team": "*"}, "group": "{tag.temm}"}, "group", "{tag.temm} names no tag of this entry"),
        ({"group": "{tag.team}"}, "group", "{tag.team} names no tag of this entry"),
        ({"tag": {"team": "*"}, "service": "{team}"}, "service", "{team} stands for nothing here"),
        ({"tag": {"env": "*"}, "environment": "{tag.env"}, "environment", "a brace stands alone"),
        ({"tag": {"team": "*"}, "pager": "{tag.team}"}, "pager", "takes no tag"),
        ({"tag": {"team": "*"}, "pager": {"secret": "{tag.team}"}}, "pager", "takes no tag"),
        ({"tag": {"team": "*"}, "pager": {"secret": "KEY_{tag.team}"}}, "pager", "takes no tag"),
    ],
)
def test_a_text_names_tags_of_its_entry(entry: object, path: str, words: str, tmp_path: Path) -> None:
    """And a pager none: who may tag a resource must not choose who is paged."""
    (problem,) = loaded(tmp_path, {"owners.yaml": {"owners": [entry]}}).problems
    assert problem.message.startswith(f"owners[0].{path}: {words}"), problem


def test_a_subscription_is_called_by_no_tag(tmp_path: Path) -> None:
    """Its name is written once for all; an entry is what has tags."""
    named = {SUBSCRIPTION: {"name": "{tag.name}"}}
    (problem,) = loaded(tmp_path, {"owners.yaml": {"owners": [], "subscriptions": named}}).problems
    assert "takes no tag" in problem.message
