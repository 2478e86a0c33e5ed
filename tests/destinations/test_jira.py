"""Jira: one issue for each signal, whatever people, workflows and a lagging index do to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from pydantic import ValidationError

from router.destinations.jira import FIELD_LIMIT, JiraConfig
from router.destinations.jira_document import RICH_LIMIT, rich, rich_briefing_of
from router.destinations.jira_issue import SETTLED
from router.domain.conversation import Ask, HttpRequest, Result
from router.domain.decisions import Change
from router.domain.deliveries import Attempt, Background, Receipt
from router.domain.errors import Rejected, Unauthorized, Unavailable
from router.domain.evidence import Evidence
from router.domain.notices import Notice
from tests.destinations.builders import (
    NOW,
    a_briefing,
    a_delivery,
    a_destination,
    a_huge_notice,
    a_notice,
    a_secret,
    an_attempt,
)
from tests.destinations.conversations import Answer, converse, in_turn, replied

SECRET = "JIRA_TOKEN"
OPENING = Receipt(reference="SEC-7", handles={"id": "10042"})
NONE = replied(200, {"issues": [], "isLast": True})
FOUND = replied(200, {"issues": [{"id": "10042", "key": "SEC-7", "fields": {}}], "isLast": True})
CREATED = replied(201, {"id": "10043", "key": "SEC-8"})
COMMENTED = replied(201, {"id": "1"})
GONE = replied(404, {"errorMessages": ["Issue does not exist or you do not have permission to see it."], "errors": {}})
WENT = replied(204)

TO_DO, DONE = ("To Do", "new"), ("Done", "done")


def shown(status: tuple[str, str] = TO_DO, id: str = "10042", key: str = "SEC-7", created: object = None) -> Answer:
    """An issue in a status, as it is read."""
    return replied(200, {"id": id, "key": key, "fields": {"status": a_status(*status), "created": created}})


def a_status(name: str, category: str) -> dict[str, Any]:
    """A status in the category of that key."""
    return {"name": name, "statusCategory": {"key": category, "name": category}}


def ways(*names: tuple[str, str, tuple[str, str]]) -> Answer:
    """The transitions that are open: id, name, and where each leads."""
    return replied(200, {"transitions": [{"id": id, "name": name, "to": a_status(*to)} for id, name, to in names]})


WAYS = ways(("11", "Start", ("In Progress", "indeterminate")), ("31", "Close", DONE), ("41", "Reject", ("No", "done")))


def steps(attempt: Attempt, *answers: Answer, **config: Any) -> tuple[list[str], Result, dict[str, Any]]:
    """What was asked for, the result, and what was written last."""
    asks, results = converse(a_destination("jira", **config), [attempt], in_turn(*answers))
    written = [ask.body for ask in asks if isinstance(ask, HttpRequest) and ask.body]
    return [_step(ask) for ask in asks], results[0], orjson.loads(written[-1]) if written else {}


def _step(ask: Ask) -> str:
    assert isinstance(ask, HttpRequest)
    return f"{ask.method} {urlsplit(ask.url).path.removeprefix('/rest/api/3/')}"


def opened(notice: Notice | None = None, number: int = 1) -> Attempt:
    """An opening."""
    delivery = a_delivery(notice)
    return Attempt(delivery=delivery, number=number, now=NOW, secrets={SECRET: a_secret(SECRET)})


def later(change: Change, opening: Receipt | None = OPENING) -> Attempt:
    """What comes after an opening."""
    return an_attempt(a_notice(turn=2), change, secrets=[SECRET], opening=opening)


def fields_of(notice: Notice | None = None, **config: Any) -> dict[str, Any]:
    """The fields of a new issue."""
    _, result, written = steps(opened(notice), NONE, CREATED, **config)
    assert isinstance(result, Receipt), result
    return dict(written["fields"])


def test_an_opening_searches_then_creates() -> None:
    """The search is for the signal's label in the project, and names the fields that it wants."""
    asks, results = converse(a_destination("jira"), [opened()], in_turn(NONE, CREATED))
    search = asks[0]
    assert isinstance(search, HttpRequest)
    assert orjson.loads(search.body) == {
        "jql": f'project = "SEC" AND labels = "dfc-{a_notice().key}" AND statusCategory != Done ORDER BY created ASC',
        "fields": ["status"],
        "maxResults": 10,
    }
    link = "https://jira.example/browse/SEC-8"
    assert results == [Receipt(reference="SEC-8", link=link, handles={"id": "10043"})]


def test_a_retry_that_finds_its_issue_is_delivered() -> None:
    """An issue made by an attempt whose answer was lost is found again, and no second one is made."""
    asked, result, _ = steps(opened(number=2), FOUND, shown())
    assert asked == ["POST search/jql", "GET issue/10042"]
    assert isinstance(result, Receipt)
    assert result.handles == {"id": "10042"}


def test_an_open_issue_of_an_earlier_life_is_told_that_the_signal_is_back() -> None:
    """A first attempt can have made nothing: what it finds could not be finished when the signal was over."""
    asked, result, written = steps(opened(), FOUND, shown(), COMMENTED)
    assert asked == ["POST search/jql", "GET issue/10042", "POST issue/10042/comment"]
    assert "Opened again" in str(written)
    assert isinstance(result, Receipt)


@pytest.mark.parametrize(
    ("created", "is_told"),
    [
        ("2026-11-24T10:59:59.000+0000", True),
        ("2026-11-24T12:59:59.999+0200", True),
        ("2026-11-24T11:00:00.000+0000", False),
        ("soon", False),
        (None, False),
    ],
)
def test_an_older_issue_is_told_at_whichever_attempt_gets_through(created: object, is_told: bool) -> None:
    """The comment of the first attempt may have failed; an issue that came since may be of this delivery's own making."""
    attempt = replace(opened(number=2), since=datetime(2026, 11, 24, 11, tzinfo=UTC))
    answers = [FOUND, shown(created=created), *([COMMENTED] if is_told else [])]
    asked, result, _ = steps(attempt, *answers)
    assert isinstance(result, Receipt)
    assert ("POST issue/10042/comment" in asked) is is_told


@pytest.mark.parametrize(("seconds", "is_sure"), [(6, False), (119, False), (120, True)])
def test_attempts_that_failed_seconds_apart_do_not_make_it_sure(seconds: int, is_sure: bool) -> None:
    """What an update before may have made is looked for until the index has it, whatever else went wrong meanwhile."""
    attempt = later(Change.UPDATED, opening=None)
    attempt = replace(attempt, number=3, since=NOW - timedelta(seconds=seconds))
    _, result, _ = steps(attempt, NONE, *([CREATED] if is_sure else []))
    assert isinstance(result, Receipt if is_sure else Unavailable)


def test_what_the_index_still_has_as_open_is_read_first() -> None:
    """A search lags; an issue that is done by now gets no comment, and the signal gets a new one."""
    asked, _, _ = steps(opened(), FOUND, shown(DONE), CREATED)
    assert asked == ["POST search/jql", "GET issue/10042", "POST issue"]


@pytest.mark.parametrize("lost", [Unavailable("no answer"), replied(500), replied(502)])
def test_a_creation_without_an_answer_is_tried_when_a_search_would_find_it(lost: Answer) -> None:
    """It may have been made, and the index lags; a minute later it does not."""
    _, result, _ = steps(opened(), NONE, lost)
    assert isinstance(result, Unavailable)
    assert result.retry_after == SETTLED


def test_an_update_is_a_comment() -> None:
    """An update goes to the issue that the opening made, as rich text."""
    asked, result, written = steps(later(Change.UPDATED), shown(), COMMENTED)
    assert asked == ["GET issue/10042", "POST issue/10042/comment"]
    assert written["body"]["type"] == "doc"
    assert written["body"]["content"][0]["content"][0] == {"type": "text", "text": "Updated."}
    assert isinstance(result, Receipt)
    assert result.reference == "SEC-7"


@pytest.mark.parametrize("before", [GONE, shown(DONE)])
def test_an_update_of_an_issue_that_is_gone_or_done_opens_one(before: Answer) -> None:
    """Where people deleted or finished it, that the signal changed is told in a new one."""
    asked, result, written = steps(later(Change.UPDATED), before, NONE, CREATED)
    assert asked == ["GET issue/10042", "POST search/jql", "POST issue"]
    assert f"dfc-{a_notice().key}" in written["fields"]["labels"]
    assert isinstance(result, Receipt)
    assert result.handles == {"id": "10043"}


@pytest.mark.parametrize(
    ("answers", "last"),
    [
        ([shown(), COMMENTED], "POST issue/10042/comment"),
        ([shown(DONE), NONE], "POST search/jql"),
        ([GONE, NONE], "POST search/jql"),
    ],
)
def test_a_status_is_a_comment_where_an_issue_is_open_and_opens_none(answers: list[Answer], last: str) -> None:
    """What people finished stays finished."""
    asked, result, _ = steps(replace(later(Change.UPDATED), is_note=True), *answers)
    assert asked[-1] == last
    assert isinstance(result, Receipt)
    assert (result.reference == "no open issue, nothing to note") is (last == "POST search/jql")


def test_an_update_without_a_past_finds_the_issue() -> None:
    """An update whose opening left no receipt goes to the issue that is found by label."""
    asked, _, _ = steps(later(Change.UPDATED, None), FOUND, shown(), COMMENTED)
    assert asked == ["POST search/jql", "GET issue/10042", "POST issue/10042/comment"]


def test_an_update_finds_the_issue_that_an_earlier_update_made() -> None:
    """The opening's is done, and is not read twice though the index still shows it; the next one is open."""
    both = replied(200, {"issues": [{"id": "10042"}, {"id": "10043"}]})
    asked, result, _ = steps(later(Change.UPDATED), shown(DONE), both, shown(TO_DO, "10043", "SEC-8"), COMMENTED)
    assert asked == ["GET issue/10042", "POST search/jql", "GET issue/10043", "POST issue/10043/comment"]
    assert isinstance(result, Receipt)
    assert result.reference == "SEC-8"


@pytest.mark.parametrize(
    ("resolve", "id"),
    [
        ({}, "31"),
        ({"transition": "reject"}, "41"),
        ({"transition": "41"}, "41"),
        ({"transition": "No"}, "41"),
        ({"transition": "Done"}, "31"),
    ],
)
def test_a_resolution_takes_a_transition_to_a_done_status(resolve: dict[str, str], id: str) -> None:
    """The first one, or the one of that name, id or status."""
    asked, result, written = steps(later(Change.RESOLVED), shown(), WAYS, COMMENTED, WENT, resolve=resolve)
    assert asked == [
        "GET issue/10042",
        "GET issue/10042/transitions",
        "POST issue/10042/comment",
        "POST issue/10042/transitions",
    ]
    assert written == {"transition": {"id": id}}
    assert isinstance(result, Receipt)


def test_what_is_not_seen_any_more_is_not_said_to_be_over() -> None:
    """A comment says since when, before the issue is done."""
    notice = a_notice(closing="not seen since 2026-11-03, two snapshots came without it")
    gone = replace(later(Change.RESOLVED), delivery=replace(later(Change.RESOLVED).delivery, content=notice))
    answers = (shown(), WAYS, COMMENTED, WENT)
    asks, _ = converse(a_destination("jira"), [gone], in_turn(*answers))
    assert len(asks) == len(answers)
    assert isinstance(asks[2], HttpRequest)
    assert b"Not seen since 2026-11-03" in (asks[2].body or b"")
    assert b"reports that this is over" not in (asks[2].body or b"")


def test_a_resolution_says_how_where_the_policy_does() -> None:
    """The resolution is a field of the transition's screen."""
    _, _, written = steps(later(Change.RESOLVED), shown(), WAYS, COMMENTED, WENT, resolve={"resolution": "Won't Do"})
    assert written == {"transition": {"id": "31"}, "fields": {"resolution": {"name": "Won't Do"}}}


@pytest.mark.parametrize(
    ("resolve", "open_ways"),
    [
        ({}, ways()),
        ({}, ways(("11", "Start", TO_DO))),
        ({"transition": "Start"}, WAYS),
        ({"transition": "Gone"}, WAYS),
    ],
)
def test_a_resolution_that_no_transition_takes_is_told_to_both(resolve: dict[str, str], open_ways: Answer) -> None:
    """Who works the issue reads a comment; who owns the workflow has a dead letter, which names what there is."""
    asked, result, written = steps(later(Change.RESOLVED), shown(), open_ways, COMMENTED, resolve=resolve)
    assert asked[-1] == "POST issue/10042/comment"
    assert "reports that this is over" in str(written)
    assert isinstance(result, Rejected)
    assert "SEC-7 stays open" in str(result)
    assert result.authenticated
    assert ("Close, Reject" if open_ways is WAYS else "none") in str(result)


def test_a_transition_that_another_one_is_in_the_way_of_is_tried_again() -> None:
    """Jira allows one at a time, and answers 409 to the other."""
    _, result, _ = steps(
        later(Change.RESOLVED), shown(), WAYS, COMMENTED, replied(409, {"errorMessages": ["Conflict"]})
    )
    assert isinstance(result, Unavailable)


@pytest.mark.parametrize("before", [GONE, shown(DONE)])
def test_an_issue_that_is_over_is_not_finished_again(before: Answer) -> None:
    """What people finished or deleted stays as they left it, and the receipt says why nothing was done."""
    asked, result, _ = steps(later(Change.RESOLVED), before, NONE)
    assert asked == ["GET issue/10042", "POST search/jql"]
    assert result == Receipt(reference="no open issue, nothing to resolve")


@pytest.mark.parametrize("change", [Change.UPDATED, Change.RESOLVED])
@pytest.mark.parametrize(("opening", "turn"), [(None, 2), (OPENING, 3)])
def test_what_is_not_found_is_looked_for_again(change: Change, opening: Receipt | None, turn: int) -> None:
    """An issue that an opening without receipt, or an update, made just now is not in the index for a while."""
    for number, expected in ((1, Unavailable), (2, Unavailable), (3, Receipt)):
        delivery = a_delivery(a_notice(turn=turn), change)
        secrets = {SECRET: a_secret(SECRET)}
        attempt = Attempt(delivery=delivery, number=number, now=NOW, secrets=secrets, opening=opening)
        read = [shown(DONE)] if opening else []
        _, result, _ = steps(attempt, *read, NONE, CREATED)
        assert isinstance(result, expected)
        assert not isinstance(result, Unavailable) or result.retry_after == SETTLED


def test_severity_says_how_urgent() -> None:
    """Each severity has a priority; what is not known is as urgent as Critical."""
    known = {severity: fields_of(a_notice(severity=severity))["priority"]["name"] for severity in (*SEVERITIES, None)}
    assert list(known.values()) == ["Highest", "High", "Medium", "Low", "Lowest", "Highest"]


SEVERITIES = ("Critical", "High", "Medium", "Low", "Informational")


def test_priorities_are_the_customers_own() -> None:
    """A severity that is left out has none: it is for the project to say."""
    own = {"High": "P1", "Unknown": "P0"}
    assert fields_of(priorities=own)["priority"] == {"name": "P1"}
    assert fields_of(a_notice(severity=None), priorities=own)["priority"] == {"name": "P0"}
    assert "priority" not in fields_of(a_notice(severity="Low"), priorities=own)
    assert "priority" not in fields_of(priorities={})


def test_labels_are_filled_in() -> None:
    """The signal's own comes first; spaces become hyphens, since Jira allows none; an empty one is left out."""
    labels = ["defender", "{tactics}", "{plan}"]
    mine = f"dfc-{a_notice().key}"
    assert fields_of(labels=labels)["labels"] == [mine, "defender", "Credential-Access", "VirtualMachines"]
    assert fields_of(a_notice(plan=None, tactics=()), labels=labels)["labels"] == [mine, "defender"]
    assert all(" " not in label for label in fields_of(a_notice(plan="p" * 300), labels=labels)["labels"])


def test_fields_of_any_shape_are_filled_in() -> None:
    """Texts hold placeholders wherever they stand; what comes out empty goes, with what held nothing else."""
    fields = {
        "components": [{"name": "{owner.service}"}, {"name": "Cloud"}],
        "customfield_1": {"value": "{owner.group}", "child": {"value": "{plan}"}},
        "customfield_2": [{"name": "{owner.service}"}],
        "customfield_3": 5,
        "customfield_4": None,
        "customfield_5": [],
        "duedate": "{owner.group}",
    }
    full = fields_of(fields=fields)
    assert full["components"] == [{"name": "Payments"}, {"name": "Cloud"}]
    assert full["customfield_1"] == {"value": "payments-platform", "child": {"value": "VirtualMachines"}}
    assert (full["customfield_3"], full["customfield_4"], full["customfield_5"]) == (5, None, [])
    bare = fields_of(a_notice(owner=None), fields=fields)
    assert bare["components"] == [{"name": "Cloud"}]
    assert bare["customfield_1"] == {"child": {"value": "VirtualMachines"}}
    assert not {"customfield_2", "duedate"} & set(bare)


def test_fields_may_replace_what_the_router_fills() -> None:
    """A summary stays one line, and a description that is given as text becomes rich text."""
    own = {"summary": "{title}\n{place}", "description": "{title}", "priority": {"id": "1"}}
    made = fields_of(a_notice(title="two\nlines"), fields=own)
    assert made["summary"] == "two lines vm-pay-01"
    assert made["description"] == rich("two lines")
    assert made["priority"] == {"id": "1"}


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"fields": {"customfield_1": {"value": "{owner.salary}"}}}, "customfield_1: {owner.salary} is no placeholder"),
        ({"fields": {"customfield_1": ["{severity"]}}, "a brace stands alone"),
        ({"fields": {"labels": ["x"]}}, "the router needs this field"),
        ({"fields": {"Due Date": "x"}}, "match pattern"),
        ({"labels": ["{nobody}"]}, "is no placeholder"),
        ({"project": 'SEC" OR 1=1'}, "match pattern"),
        ({"priorities": {"Severe": "High"}}, "Input should be"),
    ],
)
def test_a_mistake_in_the_config_is_a_problem(config: dict[str, Any], problem: str) -> None:
    """It is found when the policy is read."""
    example = JiraConfig.model_json_schema()["examples"][0]
    with pytest.raises(ValidationError, match=problem.replace("{", r"\{")):
        JiraConfig.model_validate(example | config)


def test_a_project_and_an_issue_type_may_be_ids() -> None:
    """What is written in digits is an id."""
    by_name = fields_of()
    assert (by_name["project"], by_name["issuetype"]) == ({"key": "SEC"}, {"name": "Task"})
    by_id = fields_of(project="10001", issue_type="10004")
    assert (by_id["project"], by_id["issuetype"]) == ({"id": "10001"}, {"id": "10004"})


def test_a_link_leads_to_what_people_can_open() -> None:
    """Behind api.atlassian.com nobody can: the link needs `site`, and is left out without it."""
    gateway = "https://api.atlassian.com/ex/jira/11223344"
    asks, (result,) = converse(a_destination("jira", url=gateway), [opened()], in_turn(NONE, CREATED))
    assert isinstance(asks[0], HttpRequest)
    assert asks[0].url == f"{gateway}/rest/api/3/search/jql"
    assert isinstance(result, Receipt)
    assert result.link is None
    _, result, _ = steps(opened(), NONE, CREATED, site="https://jira.example/", url=gateway)
    assert isinstance(result, Receipt)
    assert result.link == "https://jira.example/browse/SEC-8"


@pytest.mark.parametrize("over", [0, 1])
def test_a_summary_fits(over: int) -> None:
    """A summary of 255 characters is whole; one more and it is cut with a mark."""
    summary = fields_of(a_notice(title="t" * (FIELD_LIMIT - len("High:  - vm-pay-01") + over)))["summary"]
    assert len(summary) == FIELD_LIMIT
    assert summary.endswith("[cut] - vm-pay-01") == bool(over)


@pytest.mark.parametrize("over", [0, 1])
def test_a_field_fits(over: int) -> None:
    """A text of 255 characters is whole; one more and it is cut with a mark."""
    text = fields_of(a_notice(title="t" * (FIELD_LIMIT + over)), fields={"customfield_1": "{title}"})["customfield_1"]
    assert len(text) == FIELD_LIMIT
    assert text.endswith("[cut]") == bool(over)


@pytest.mark.parametrize(("length", "is_cut"), [(20_000, False), (40_000, True)])
def test_a_description_fits(length: int, is_cut: bool) -> None:
    """What Jira takes has its facts in tables; of what is too long the text is cut, and its links lead somewhere."""
    document = rich_briefing_of(a_briefing(a_notice(description="d" * length)))
    assert ("[cut]" in _text_of(document)) == is_cut
    assert any(node["type"] == "table" for node in document["content"]) != is_cut
    assert "Accounts: root" in _text_of(document) or not is_cut
    assert '"href":"https://portal.azure.com/#view/alerts/1"' in orjson.dumps(document).decode()


def test_an_issue_that_an_update_opens_says_first_what_happened() -> None:
    """Its readers know nothing of it yet; what is new of it comes behind."""
    changed = a_briefing(change=Change.UPDATED, background=Background(last=a_notice(severity="Medium")))
    paragraphs = [node for node in rich_briefing_of(changed)["content"] if node["type"] == "paragraph"]
    said = ["".join(piece.get("text", "") for piece in node["content"]) for node in paragraphs]
    assert changed.news
    assert said.index(changed.description) < said.index(changed.news[0])


def test_facts_are_tables_and_what_people_copy_is_code() -> None:
    """A name beside its value, a command in a block that keeps its blanks, a link that leads where it says."""
    nodes = rich_briefing_of(a_briefing(a_notice(evidence=Evidence(processes=("php -r  1",), ips=("a", "b")))))[
        "content"
    ]
    assert nodes[0]["content"] == [{"type": "text", "text": a_notice().description}]
    written = orjson.dumps(nodes).decode()
    assert '{"type":"codeBlock","content":[{"type":"text","text":"php -r  1"}]}' in written
    assert '"marks":[{"type":"link","attrs":{"href":"https://portal.azure.com/#view/alerts/1"}}]' in written
    headings = [one["content"][0]["text"] for one in nodes if one["type"] == "heading"]
    assert headings == ["What", "Where", "When", "Why you", "Evidence", "What to do", "Links", "Reference"]


def _text_of(document: dict[str, Any]) -> str:
    if document["type"] == "hardBreak":
        return "\n"
    ends = "\n" if document["type"] in ("paragraph", "heading", "codeBlock") else ""
    return str(document.get("text", "")) + "".join(_text_of(piece) for piece in document.get("content", [])) + ends


@pytest.mark.parametrize(
    "notice",
    [a_huge_notice(), a_notice(description="安" * 50_000), a_notice(description="x\n" * 50_000)],
    ids=["huge", "wide letters", "short lines"],
)
def test_a_rich_text_is_below_the_limit_however_it_is_counted(notice: Notice) -> None:
    """Its JSON in bytes is, so its characters are; what is cut has a mark."""
    document = rich_briefing_of(a_briefing(notice), "Opened again. ")
    assert len(orjson.dumps(document)) <= RICH_LIMIT
    assert "[cut]" in _text_of(document)


def test_rich_text_has_no_empty_piece() -> None:
    """Jira refuses a text of no characters; empty lines part paragraphs."""
    assert rich("a\nb\n\n\n\n  \nc")["content"] == [
        {
            "type": "paragraph",
            "content": [{"type": "text", "text": "a"}, {"type": "hardBreak"}, {"type": "text", "text": "b"}],
        },
        {"type": "paragraph", "content": [{"type": "text", "text": "c"}]},
    ]


@pytest.mark.parametrize(
    "errors",
    [
        {"project": "valid project is required"},
        {"project": "You cannot create issues in this project."},
        {"issuetype": "Specify a valid issue type"},
        {"priority": "Specify the Priority (name) in the string format"},
        {
            "customfield_10010": "Field 'customfield_10010' cannot be set. It is not on the appropriate screen, or unknown."
        },
    ],
)
def test_a_400_about_what_the_config_decides_pauses_the_destination(errors: dict[str, str]) -> None:
    """Every issue would meet it, so that none is given up on; the text says which field and what to check."""
    _, result, _ = steps(opened(), NONE, replied(400, {"errorMessages": [], "errors": errors}))
    assert isinstance(result, Unauthorized)
    assert next(iter(errors.values())) in str(result)
    assert "issue_type" in str(result)


def test_a_project_that_may_not_be_seen_pauses_the_destination() -> None:
    """The search says so before anything is created."""
    said = {"errorMessages": ["The value 'SEC' does not exist for the field 'project'."], "errors": {}}
    _, result, _ = steps(opened(), replied(400, said))
    assert isinstance(result, Unauthorized)
    assert "does not exist" in str(result)


def test_a_400_about_one_issue_is_a_dead_letter() -> None:
    """A value that one notice brought fails that one, with the field's name and Jira's words."""
    said = {"errorMessages": [], "errors": {"summary": "Summary is required."}}
    _, result, _ = steps(opened(), NONE, replied(400, said))
    assert isinstance(result, Rejected)
    assert "summary: Summary is required." in str(result)


OF_OWNER = {"components": [{"name": "{owner.service}"}], "customfield_1": "{owner.group}", "customfield_2": "{type}"}
UNKNOWN = {"errorMessages": [], "errors": {"components": "Component name 'Payments' is not valid"}}


def test_what_owners_yaml_says_costs_nobody_the_issue() -> None:
    """A component that is not there is left out, with all else that the team says of itself; the issue says so."""
    told, result, last = steps(opened(), NONE, replied(400, UNKNOWN), CREATED, fields=OF_OWNER)
    assert told == ["POST search/jql", "POST issue", "POST issue"]
    assert isinstance(result, Receipt)
    assert last["fields"].keys() >= {"customfield_2", "priority", "summary"}
    assert last["fields"].keys().isdisjoint({"components", "customfield_1"})
    assert "Jira refused this with components, customfield_1; check owners.yaml." in _text_of(
        last["fields"]["description"]
    )


@pytest.mark.parametrize("fields", [OF_OWNER, {"customfield_2": "{type}"}])
def test_where_something_else_is_refused_the_first_refusal_says_so(fields: dict[str, Any]) -> None:
    """It is a dead letter that names the field; also where the issue is refused without what the team says."""
    _, result, _ = steps(opened(), NONE, replied(400, {"errors": {"customfield_2": "too long"}}), fields=fields)
    assert isinstance(result, Rejected)
    assert "customfield_2: too long" in str(result)
    answers = [replied(400, UNKNOWN), replied(400, {"errors": {"components": "Component is required"}})]
    _, result, _ = steps(opened(), NONE, *answers, fields=OF_OWNER)
    assert "'Payments' is not valid" in str(result)


@pytest.mark.parametrize("step", [0, 1])
def test_a_404_of_what_every_site_has_is_about_the_address(step: int) -> None:
    """A site that is gone, or another product at that address, pauses the destination."""
    answers = [NONE, CREATED]
    answers[step] = replied(404, {"errorMessage": "Site temporarily unavailable"})
    _, result, _ = steps(opened(), *answers)
    assert isinstance(result, Unauthorized)
    assert "check the address" in str(result)


@pytest.mark.parametrize("answer", [NONE, replied(404, {"errorMessages": ["No"]}), replied(401)])
def test_a_token_that_is_over_is_noticed_though_the_answer_says_nothing(answer: Any) -> None:
    """Jira answers as to nobody: an empty search, an issue that is not there. Nothing is taken for gone."""
    headers = {"x-seraph-loginreason": "AUTHENTICATED_FAILED"}
    answer = type(answer)(status=answer.status, headers=headers, body=answer.body)
    for attempt in (opened(), later(Change.RESOLVED)):
        asked, result, _ = steps(attempt, answer)
        assert len(asked) == 1
        assert isinstance(result, Unauthorized)


@pytest.mark.parametrize(
    ("written", "wait"),
    [
        ("2026-11-24T12:01Z", 30.0),
        ("2026-11-24T12:00:40+00:00", 10.0),
        ("2026-11-24T12:00:40", 10.0),
        ("2026-11-24T11:00Z", 0.0),
        ("2027-11-24T12:00Z", 31_535_970.0),
        ("1795521640", 10.0),
        ("soon", None),
        ("", None),
    ],
)
def test_a_429_that_names_an_instant_is_heeded(written: str, wait: float | None) -> None:
    """Some refusals say when the limit is over instead of how long to wait."""
    _, result, _ = steps(opened(), replied(429, None, x_ratelimit_reset=written))
    assert isinstance(result, Unavailable)
    assert result.retry_after == wait


def test_a_wait_in_seconds_counts_first() -> None:
    """Where both are named, `Retry-After` is."""
    _, result, _ = steps(opened(), replied(429, None, retry_after="7", x_ratelimit_reset="2026-11-24T12:01Z"))
    assert isinstance(result, Unavailable)
    assert result.retry_after == 7.0


def test_an_error_under_a_success_is_none() -> None:
    """A 200 that carries messages is not taken for a search that found nothing."""
    _, result, _ = steps(opened(), replied(200, {"issues": [], "errorMessages": ["The index is not there"]}))
    assert isinstance(result, Rejected)
    assert "The index is not there" in str(result)


@pytest.mark.parametrize(
    ("attempt", "answers"),
    [
        (opened(), [replied(200)]),
        (opened(), [replied(200, {"ok": True})]),
        (opened(), [NONE, replied(200, ["?"])]),
        (later(Change.UPDATED), [replied(200)]),
        (later(Change.UPDATED), [shown(), replied(200)]),
        (later(Change.RESOLVED), [shown(), replied(200)]),
        (later(Change.RESOLVED), [shown(), WAYS, replied(200)]),
    ],
)
def test_a_page_for_people_is_no_answer(attempt: Attempt, answers: list[Answer]) -> None:
    """Whatever a sign-in page stands in for, the delivery waits."""
    _, result, _ = steps(attempt, *answers)
    assert isinstance(result, Unavailable)


def test_an_issue_whose_status_is_not_shown_is_open() -> None:
    """In doubt people are told where they look."""
    bare = replied(200, {"id": "10042", "key": "SEC-7"})
    asked, _, _ = steps(later(Change.UPDATED), bare, COMMENTED)
    assert asked[-1] == "POST issue/10042/comment"


def test_an_id_cannot_leave_the_issues() -> None:
    """Whatever a receipt holds stays one step of the path."""
    opening = Receipt(handles={"id": "../../evil?x=1#"})
    asks, _ = converse(a_destination("jira"), [later(Change.RESOLVED, opening)], in_turn(GONE, NONE))
    assert isinstance(asks[0], HttpRequest)
    assert urlsplit(asks[0].url).path == "/rest/api/3/issue/..%2F..%2Fevil%3Fx%3D1%23"
