"""Owners that are found by tags, and named by them."""

from __future__ import annotations

from router.destinations.config import parse
from router.domain.catalogue import Attack
from router.domain.owners import Owner, find_environment_of, find_owner_of
from router.domain.rulebook import Rulebook
from tests.builders import RESOURCE, SUBSCRIPTION, an_alert
from tests.rulebook.builders import a_route, messages, the_book
from tests.rulebook.test_names_and_runbooks import notice_of

FILE = "tags/resources.json"
GROUP = RESOURCE.rpartition("/providers/")[0]
ROWS = [
    {"id": RESOURCE, "tags": {"Team": "Pay\u202ements", "env": "PROD"}},
    {"id": GROUP, "tags": {"team": "Web", "env": "test"}},
    {"id": f"/subscriptions/{SUBSCRIPTION}", "tags": {"team": "", "cost": "4711"}},
]


def ruled(*entries: object, **more: object) -> Rulebook:
    """Rules with these entries and the tags of ROWS."""
    return the_book({"owners.yaml": {"tags": FILE, "owners": entries, **more}, FILE: ROWS})


def test_a_tag_names_the_group() -> None:
    """Legible as all that people read, and with the case that it is written in; where it is blank the next entry owns.
    The pager is never of a tag."""
    soc = {
        "group": "{tag.team}",
        "service": "soc-{tag.Team}",
        "pager": {"secret": "SOC_KEY"},
        "environment": "elsewhere",
    }
    first = {"tag": {"ENV": "prod"}, "environment": "{tag.env}"}
    book = ruled(first, {"tag": {"TEAM": "*"}, **soc}, {"group": "platform"})
    other, outside = RESOURCE.replace("vm-1", "vm-2"), f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-other"
    notices = [notice_of(an_alert(AzureResourceId=resource), book) for resource in (RESOURCE, other, outside)]
    assert [notice.owner for notice in notices] == [
        Owner("Pay\\u202ements", "soc-Pay\\u202ements", "SOC_KEY"),
        Owner("Web", "soc-Web", "SOC_KEY"),
        Owner("platform"),
    ]
    assert [notice.environment for notice in notices] == ["PROD", "elsewhere", None]
    assert parse("{owner.group}")(notices[1]) == "Web"


def test_an_entry_whose_tag_is_nowhere_matches_nothing() -> None:
    """Nor does one where another value is asked for."""
    teams = {"tag": {"temm": "*"}, "group": "{tag.temm}"}, {"tag": {"team": "x*"}, "group": "x"}
    book = ruled(*teams, {"tag": {"team": "*", "cost": "47??"}, "group": "{tag.team}-{tag.cost}"})
    assert find_owner_of(an_alert(), book.owners) == Owner("Pay\\u202ements-4711")
    assert find_owner_of(an_alert(AzureResourceId="/subscriptions/bbbb"), book.owners) is None
    assert find_environment_of(an_alert(), book.owners) is None


def test_routes_ask_for_the_owner_that_a_tag_names() -> None:
    """As for any other."""
    owners = {"tags": FILE, "owners": [{"tag": {"team": "*"}, "group": "{tag.team}"}]}
    of_web = a_route({"owner": ["web", "nobody"]}, files={"owners.yaml": owners, FILE: ROWS})
    other, nobodys = RESOURCE.replace("vm-1", "vm-2"), "/subscriptions/bbbb"
    alerts = [an_alert(AzureResourceId=resource) for resource in (RESOURCE, other, nobodys)]
    assert [of_web.matches(alert, Attack()) for alert in alerts] == [False, True, True]


def test_a_text_names_tags_of_its_entry() -> None:
    """And a pager none: who may tag a resource must not choose who is paged. A subscription is called by no tag either."""
    said: list[tuple[dict[str, object], str]] = [
        ({"group": "{tag.team}"}, "group: {tag.team} names no tag of this entry"),
        ({"tag": {"team": "*"}, "service": "{team}"}, "service: {team} stands for nothing here"),
        ({"tag": {"env": "*"}, "environment": "{tag.env"}, "environment: a brace stands alone"),
        ({"tag": {"team": "*"}, "pager": "{tag.team}"}, "pager: takes no tag"),
        ({"tag": {"team": "*"}, "pager": {"secret": "KEY_{tag.team}"}}, "pager: takes no tag"),
    ]
    for entry, words in said:
        (message,) = messages({"owners.yaml": {"owners": [entry]}})
        assert message.startswith(f"owners[0].{words}"), message
    (message,) = messages({"owners.yaml": {"owners": [], "subscriptions": {SUBSCRIPTION: {"name": "{tag.name}"}}}})
    assert "takes no tag" in message
