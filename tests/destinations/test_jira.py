"""Jira: one issue for each signal, whatever people, workflows and a lagging index do to it."""

from copy import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest

from alert_router_demo.soc.jira import text_of
from router.destinations.jira_document import rich, rich_briefing_of
from router.destinations.jira_issue import SETTLED
from router.domain.conversation import Ask, HttpRequest, Result
from router.domain.decisions import Change
from router.domain.deliveries import Attempt, Background, Receipt
from router.domain.errors import Rejected, Unauthorized, Unavailable
from router.domain.notices import Notice
from tests.destinations.builders import NOW, a_briefing, a_destination, a_notice, an_attempt
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
    return list(map(_step, asks)), results[0], orjson.loads(written[-1]) if written else {}


def _step(ask: Ask) -> str:
    assert isinstance(ask, HttpRequest)
    match ask.method, urlsplit(ask.url).path.partition("/rest/api/3/")[2].split("/"):
        case "POST", ["search", "jql"]:
            return "search"
        case "POST", ["issue"]:
            return "create"
        case method, ["issue", id, *rest]:
            return f"{'read' if method == 'GET' else 'write'} {'/'.join([id, *rest])}"
    raise AssertionError(ask.url)


def opened(notice: Notice | None = None, number: int = 1) -> Attempt:
    """An opening."""
    return replace(an_attempt(notice, secrets=[SECRET]), number=number)


def later(change: Change, opening: Receipt | None = OPENING, turn: int = 2, **attempt: Any) -> Attempt:
    """What comes after an opening."""
    return replace(an_attempt(a_notice(turn=turn), change, secrets=[SECRET], opening=opening), **attempt)


def fields_of(notice: Notice | None = None, **config: Any) -> dict[str, Any]:
    """The fields of a new issue."""
    _, result, written = steps(opened(notice), NONE, CREATED, **config)
    assert isinstance(result, Receipt), result
    return dict(written["fields"])


BOTH = replied(200, {"issues": [{"id": "10042"}, {"id": "10043"}]})
NOTHING, NO_NOTE = "no open issue, nothing to resolve", "no open issue, nothing to note"
AN_HOUR_OLD = replace(opened(number=2), since=datetime(2026, 11, 24, 11, tzinfo=UTC))
UPDATED, RESOLVED, A_NOTE = later(Change.UPDATED), later(Change.RESOLVED), later(Change.UPDATED, is_note=True)
END = "read 10042, read 10042/transitions, write 10042/comment, write 10042/transitions"
FLOWS: dict[str, tuple[Attempt, list[Answer], str, object]] = {
    # An opening
    "finds the issue of an attempt whose answer was lost": (opened(number=2), [FOUND, shown()], "search, read 10042", "SEC-7"),
    "tells an open issue of an earlier life that it is back": (
        opened(), [FOUND, shown(), COMMENTED], "search, read 10042, write 10042/comment", "SEC-7",
    ),
    "reads what the index still has as open": (opened(), [FOUND, shown(DONE), CREATED], "search, read 10042, create", "SEC-8"),
    **{
        f"tells an issue that is older than the delivery, made {created}": (
            AN_HOUR_OLD, [FOUND, shown(created=created), COMMENTED], "search, read 10042, write 10042/comment", "SEC-7",
        )
        for created in ("2026-11-24T10:59:59.000+0000", "2026-11-24T12:59:59.999+0200")
    },
    **{
        f"tells no issue that may be of its own making, made {created}": (
            AN_HOUR_OLD, [FOUND, shown(created=created)], "search, read 10042", "SEC-7",
        )
        for created in ("2026-11-24T11:00:00.000+0000", "soon", None)
    },
    **{
        f"waits until a search would find what it may have made ({lost})": (opened(), [NONE, lost], "search, create", SETTLED)
        for lost in (Unavailable("no answer"), replied(500), replied(502))
    },
    # An update
    "is a comment": (UPDATED, [shown(), COMMENTED], "read 10042, write 10042/comment", "SEC-7"),
    "opens one where the issue is gone": (UPDATED, [GONE, NONE, CREATED], "read 10042, search, create", "SEC-8"),
    "opens one where the issue is done": (UPDATED, [shown(DONE), NONE, CREATED], "read 10042, search, create", "SEC-8"),
    "finds the issue without a past": (
        later(Change.UPDATED, None), [FOUND, shown(), COMMENTED], "search, read 10042, write 10042/comment", "SEC-7",
    ),
    "finds the issue of an earlier update, and reads none twice": (
        UPDATED, [shown(DONE), BOTH, shown(TO_DO, "10043", "SEC-8"), COMMENTED],
        "read 10042, search, read 10043, write 10043/comment", "SEC-8",
    ),
    "tells an issue whose status is not shown": (
        UPDATED, [replied(200, {"id": "10042", "key": "SEC-7"}), COMMENTED], "read 10042, write 10042/comment", "SEC-7",
    ),
    # A mere status
    "notes where an issue is open": (A_NOTE, [shown(), COMMENTED], "read 10042, write 10042/comment", "SEC-7"),
    "opens none where people finished it": (A_NOTE, [shown(DONE), NONE], "read 10042, search", NO_NOTE),
    "opens none where the issue is gone": (A_NOTE, [GONE, NONE], "read 10042, search", NO_NOTE),
    # A resolution
    "finishes the issue": (RESOLVED, [shown(), WAYS, COMMENTED, WENT], END, "SEC-7"),
    "finishes none that is gone": (RESOLVED, [GONE, NONE], "read 10042, search", NOTHING),
    "finishes none that people finished": (RESOLVED, [shown(DONE), NONE], "read 10042, search", NOTHING),
    "waits where another transition is in the way": (RESOLVED, [shown(), WAYS, COMMENTED, replied(409)], END, Unavailable),
    **{
        f"tells it once, at attempt {number}": (
            later(Change.RESOLVED, number=number), [shown(), WAYS, replied(503)],
            "read 10042, read 10042/transitions, write 10042/transitions", Unavailable,
        )
        for number in range(2, 6)
    },
    # Where an issue made just now may not be in the index for a while
    **{
        f"looks again for what is not found: {change} at turn {turn}, attempt {number}": (
            later(change, opening, turn, number=number), [*([shown(DONE)] if opening else []), NONE, CREATED],
            ("read 10042, search" if opening else "search") + (", create" if found == "SEC-8" else ""), found,
        )
        for change, made in ((Change.UPDATED, "SEC-8"), (Change.RESOLVED, NOTHING))
        for opening, turn in ((None, 2), (OPENING, 3))
        for number, found in ((1, SETTLED), (2, SETTLED), (3, made))
    },
    # Whatever a sign-in page stands in for, the delivery waits.
    "takes no page for people for a search": (opened(), [replied(200)], "search", Unavailable),
    "takes no other document for a search": (opened(), [replied(200, {"ok": True})], "search", Unavailable),
    "takes no list for an issue": (opened(), [NONE, replied(200, ["?"])], "search, create", SETTLED),
    "takes no page for an issue": (UPDATED, [replied(200)], "read 10042", Unavailable),
    "takes no page for a comment": (UPDATED, [shown(), replied(200)], "read 10042, write 10042/comment", Unavailable),
    "takes no page for transitions": (RESOLVED, [shown(), replied(200)], "read 10042, read 10042/transitions", Unavailable),
    "takes no page for a comment on the end": (
        RESOLVED, [shown(), WAYS, replied(200)], "read 10042, read 10042/transitions, write 10042/comment", Unavailable,
    ),
    **{
        f"is not sure after {seconds} seconds": (
            later(Change.UPDATED, None, number=3, since=NOW - timedelta(seconds=seconds)), [NONE, CREATED], asked, found,
        )
        for seconds, asked, found in ((6, "search", SETTLED), (119, "search", SETTLED), (120, "search, create", "SEC-8"))
    },
}  # fmt: skip
"""An attempt, what is answered, what is asked, and what comes of it: a reference, an error, or how long to wait."""


def test_there_is_one_issue_whatever_people_and_a_lagging_index_do(subtests: pytest.Subtests) -> None:
    """Whichever attempt it is: nothing is made twice, what people finished stays so, and nothing is taken for gone."""
    for name, (attempt, answers, asked, expected) in FLOWS.items():
        with subtests.test(name):
            told, result, _ = steps(attempt, *answers)
            assert ", ".join(told) == asked
            match result:
                case Receipt():
                    assert result.reference == expected
                case Unavailable() if result.retry_after:
                    assert result.retry_after == expected
                case _:
                    assert type(result) is expected


def test_a_resolution_takes_a_transition_to_a_done_status() -> None:
    """The first one, or the one of that name, id or status; the policy may name a resolution, a field of its screen."""
    answers = (shown(), WAYS, COMMENTED, WENT)
    for resolve, id in (
        ({"transition": "reject"}, "41"), ({"transition": "41"}, "41"), ({"transition": "No"}, "41"),
        ({"transition": "Done"}, "31"), ({}, "31"),
    ):  # fmt: skip
        assert steps(RESOLVED, *answers, resolve=resolve)[2] == {"transition": {"id": id}}
        written = steps(RESOLVED, *answers, resolve={**resolve, "resolution": "Won't Do"})[2]
        assert written == {"transition": {"id": id}, "fields": {"resolution": {"name": "Won't Do"}}}


def test_a_resolution_that_no_transition_takes_is_told_to_both() -> None:
    """Who works the issue reads a comment; who owns the workflow has a dead letter, which names what there is."""
    for resolve, open_ways in (
        ({}, ways()), ({}, ways(("11", "Start", TO_DO))), ({"transition": "Start"}, WAYS), ({"transition": "Gone"}, WAYS),
    ):  # fmt: skip
        asked, result, written = steps(RESOLVED, shown(), open_ways, COMMENTED, resolve=resolve)
        assert asked[-1] == "write 10042/comment"
        assert "reports that this is over" in str(written)
        assert isinstance(result, Rejected)
        assert "SEC-7 stays open" in str(result)
        assert result.authenticated
        assert ("Close, Reject" if open_ways is WAYS else "none") in str(result)


def test_priorities_are_the_customers_own() -> None:
    """What is not known is as urgent as Critical. A severity that is left out has none: it is for the project to say."""
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


def test_a_description_fits() -> None:
    """What Jira takes has its facts in tables; of what is too long the text is cut, and its links lead somewhere."""
    for length, is_cut in ((20_000, False), (40_000, True)):
        document = rich_briefing_of(a_briefing(a_notice(description="d" * length)))
        assert ("[cut]" in text_of(document)) == is_cut
        assert any(node["type"] == "table" for node in document["content"]) != is_cut
        assert "Accounts: root" in text_of(document) or not is_cut
        assert '"href":"https://portal.azure.com/#view/alerts/1"' in orjson.dumps(document).decode()


def test_an_issue_that_an_update_opens_says_first_what_happened() -> None:
    """Its readers know nothing of it yet; what is new of it comes behind."""
    changed = a_briefing(change=Change.UPDATED, background=Background(last=a_notice(severity="Medium")))
    paragraphs = [node for node in rich_briefing_of(changed)["content"] if node["type"] == "paragraph"]
    said = ["".join(piece.get("text", "") for piece in node["content"]) for node in paragraphs]
    assert changed.news
    assert said.index(changed.description) < said.index(changed.news[0])


def test_rich_text_has_no_empty_piece() -> None:
    """Jira refuses a text of no characters; empty lines part paragraphs."""
    assert rich("a\nb\n\n\n\n  \nc")["content"] == [
        {
            "type": "paragraph",
            "content": [{"type": "text", "text": "a"}, {"type": "hardBreak"}, {"type": "text", "text": "b"}],
        },
        {"type": "paragraph", "content": [{"type": "text", "text": "c"}]},
    ]


OF_OWNER = {"components": [{"name": "{owner.service}"}], "customfield_1": "{owner.group}", "customfield_2": "{type}"}
UNKNOWN = {"errorMessages": [], "errors": {"components": "Component name 'Payments' is not valid"}}


def test_what_owners_yaml_says_costs_nobody_the_issue() -> None:
    """A component that is not there is left out, with all else that the team says of itself; the issue says so."""
    told, result, last = steps(opened(), NONE, replied(400, UNKNOWN), CREATED, fields=OF_OWNER)
    assert told == ["search", "create", "create"]
    assert isinstance(result, Receipt)
    assert last["fields"].keys() >= {"customfield_2", "priority", "summary"}
    assert last["fields"].keys().isdisjoint({"components", "customfield_1"})
    assert "Jira refused this with components, customfield_1; check owners.yaml." in text_of(
        last["fields"]["description"]
    )


def test_where_something_else_is_refused_the_first_refusal_says_so() -> None:
    """It is a dead letter that names the field; also where the issue is refused without what the team says."""
    refusal = replied(400, {"errors": {"customfield_2": "too long"}})
    for fields in (OF_OWNER, {"customfield_2": "{type}"}):
        _, result, _ = steps(opened(), NONE, refusal, fields=fields)
        assert isinstance(result, Rejected)
        assert "customfield_2: too long" in str(result)
    answers = [replied(400, UNKNOWN), replied(400, {"errors": {"components": "Component is required"}})]
    _, result, _ = steps(opened(), NONE, *answers, fields=OF_OWNER)
    assert "'Payments' is not valid" in str(result)


@pytest.mark.parametrize("answer", [NONE, replied(404, {"errorMessages": ["No"]}), replied(401)])
def test_a_token_that_is_over_is_noticed_though_the_answer_says_nothing(answer: Any) -> None:
    """Jira answers as to nobody: an empty search, an issue that is not there. Nothing is taken for gone."""
    headers = {"x-seraph-loginreason": "AUTHENTICATED_FAILED"}
    answer = type(answer)(status=answer.status, headers=headers, body=answer.body)
    for attempt in (opened(), RESOLVED):
        asked, result, _ = steps(attempt, answer)
        assert len(asked) == 1
        assert isinstance(result, Unauthorized)


def test_a_429_that_names_an_instant_is_heeded() -> None:
    """Some refusals say when the limit is over instead of how long to wait; where both are named, `Retry-After` counts."""
    waits = {
        "2026-11-24T12:01Z": 30.0, "2026-11-24T12:00:40+00:00": 10.0, "2026-11-24T12:00:40": 10.0, "2026-11-24T11:00Z": 0.0,
        "2027-11-24T12:00Z": 31_535_970.0, "1795521640": 10.0, "soon": None, "": None,
    }  # fmt: skip
    for written, wait in waits.items():
        for retry_after in ({}, {"retry_after": "7"}):
            _, result, _ = steps(opened(), replied(429, None, x_ratelimit_reset=written, **retry_after))
            assert isinstance(result, Unavailable)
            assert result.retry_after == (7.0 if retry_after else wait), written
    for waited, wait in (("7", SETTLED), ("700", 700.0)):  # what it may have made all the same is to be found by then
        _, result, _ = steps(opened(), NONE, replied(429, None, retry_after=waited))
        assert isinstance(result, Unavailable)
        assert (result.retry_after, result.is_crowded) == (wait, True)


def test_an_id_cannot_leave_the_issues() -> None:
    """Whatever a receipt holds stays one step of the path."""
    opening = Receipt(handles={"id": "../../evil?x=1#"})
    asks, _ = converse(a_destination("jira"), [later(Change.RESOLVED, opening)], in_turn(GONE, NONE))
    assert isinstance(asks[0], HttpRequest)
    assert urlsplit(asks[0].url).path == "/rest/api/3/issue/..%2F..%2Fevil%3Fx%3D1%23"
