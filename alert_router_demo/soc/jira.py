"""A double of Jira Cloud's REST API v3: plain creations, and a search whose index lags behind them.

https://developer.atlassian.com/cloud/jira/platform/rest/v3/
https://developer.atlassian.com/cloud/jira/platform/search-and-reconcile/
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson
from aiohttp import web

from alert_router_demo.soc.endpoint import Endpoint, Handler, RefusedRequest, json_answer

PATHS = ("", "/ex/jira/{cloud}")  # a site's own, and api.atlassian.com's
SUMMARY, LABEL, RICH = 255, 255, 32_767  # characters
PRIORITIES = ("Highest", "High", "Medium", "Low", "Lowest")
_NOBODY = {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}
_NO_ISSUE = "Issue does not exist or you do not have permission to see it."
_CONDITION = re.compile(r'(project|labels) = "([^"]*)"|(statusCategory) != (Done)')


class IssueStatus(NamedTuple):
    """A status of an issue.

    Attributes:
        name: what people call it.
        category: the key of its category: `new`, `indeterminate` or `done`.
    """

    name: str
    category: str


TO_DO, IN_PROGRESS, DONE = (
    IssueStatus("To Do", "new"),
    IssueStatus("In Progress", "indeterminate"),
    IssueStatus("Done", "done"),
)


class WorkflowTransition(NamedTuple):
    """A transition of the workflow that is open from any status.

    Attributes:
        id, name: how the API knows it, and what people call it.
        to: the status that it leads to.
    """

    id: str
    name: str
    to: IssueStatus


TRANSITIONS = (
    WorkflowTransition("11", "Back", TO_DO),
    WorkflowTransition("21", "Start", IN_PROGRESS),
    WorkflowTransition("31", "Close", DONE),
)
SCREEN = {"summary", "description", "priority", "labels", "components", "project", "issuetype"}
"""The fields that may be set when an issue is created."""

ON_CLOSE = {"resolution"}
"""Those that a transition may set."""


@dataclass(slots=True)
class IssueRecord:
    """One issue.

    Attributes:
        id, key: its number and its name.
        fields: what it was created with.
        status: its status.
        comments: the text of each comment.
        resolution: its resolution, where a transition set one.
        created: when it was created, as the API writes it.
    """

    id: str
    key: str
    fields: Mapping[str, Any]
    status: IssueStatus = TO_DO
    comments: list[str] = field(default_factory=list)
    resolution: str | None = None
    created: str = "2026-11-24T12:00:30.000+0000"

    @property
    def is_open(self) -> bool:
        """Whether its status is in another category than Done."""
        return self.status.category != "done"


class JiraDouble(Endpoint):
    """One site with the project SEC, for users with an API token, and for an OAuth client; others are answered as nobody.

    Attributes:
        is_lagging: whether searches see what was there at the last `catch_up`.
        issues: the issues, in the order of their creation.
        tokens: the bearer tokens that are valid: those of users, and those that the OAuth client was given.
    """

    name = "jira"
    holds = "issues"

    def __init__(self, users: Mapping[str, str], client: tuple[str, str] | None = None) -> None:
        super().__init__()
        self.is_lagging = False
        self.issues: list[IssueRecord] = []
        self.tokens = set(users.values())
        self._client = client
        self._index: list[tuple[str, list[str], bool]] = []
        pairs = (f"{user}:{token}".encode() for user, token in users.items())
        self._known = {f"Basic {base64.b64encode(pair).decode()}" for pair in pairs}

    @property
    def open(self) -> list[IssueRecord]:
        """The issues that are not done."""
        return [issue for issue in self.issues if issue.is_open]

    def close_by_hand(self) -> None:
        """Finishes whatever is open, as people do."""
        for issue in self.open:
            issue.status = DONE
        self._changed()

    def catch_up(self) -> None:
        """Lets searches see what is there now."""
        self._index = [(issue.id, issue.fields["labels"], issue.is_open) for issue in self.issues]

    def _changed(self) -> None:
        if not self.is_lagging:
            self.catch_up()

    def count(self) -> int:
        """Gives how many issues there are."""
        return len(self.issues)

    def routes(self) -> Iterable[web.RouteDef]:
        """Gives the paths of the API, and of the authority that gives tokens."""
        yield web.post("/oauth/token", self._give_token)
        for path in PATHS:
            api = f"{path}/rest/api/3"
            yield web.post(f"{api}/search", self._removed)
            yield web.post(f"{api}/search/jql", self._for_somebody(self._search))
            yield web.post(f"{api}/issue", self._for_somebody(self._create))
            yield web.get(f"{api}/issue/{{id}}", self._for_somebody(self._read), allow_head=False)
            yield web.post(f"{api}/issue/{{id}}/comment", self._for_somebody(self._comment))
            yield web.get(
                f"{api}/issue/{{id}}/transitions", self._for_somebody(self._list_transitions), allow_head=False
            )
            yield web.post(f"{api}/issue/{{id}}/transitions", self._for_somebody(self._transition))

    def error_body(self, status: int, message: str, errors: Mapping[str, str] | None = None) -> Any:
        """Gives `{"errorMessages", "errors"}`."""
        return {"errorMessages": [message] if message else [], "errors": dict(errors or {})}

    def _for_somebody(self, handler: Handler) -> Handler:
        async def answered(request: web.Request) -> web.StreamResponse:
            shown = request.headers.get("Authorization", "")
            if shown in self._known or shown.removeprefix("Bearer ") in self.tokens:
                return await handler(request)
            if shown.startswith("Bearer "):
                return self.error(401, "Unauthorized")
            if request.path.endswith("/search/jql"):
                return json_answer({"issues": [], "isLast": True}, headers=_NOBODY)
            return self.error(404 if request.method == "GET" else 401, _NO_ISSUE, headers=_NOBODY)

        return answered

    async def _give_token(self, request: web.Request) -> web.Response:
        form = await request.post()
        if self._client is None or (form.get("client_id"), form.get("client_secret")) != self._client:
            return json_answer({"error": "access_denied"}, 401)
        token = secrets.token_hex(16)
        self.tokens.add(token)
        return json_answer({"access_token": token, "expires_in": 3600, "token_type": "Bearer"})

    async def _removed(self, request: web.Request) -> web.Response:
        return self.error(410, "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API.")

    async def _search(self, request: web.Request) -> web.Response:
        body = await self._body_of(request)
        wanted = {found[1] or found[3]: found[2] or found[4] for found in _CONDITION.finditer(body["jql"])}
        if wanted.get("project") not in ("SEC", "10001"):
            raise self._refusal(f"The value '{wanted.get('project')}' does not exist for the field 'project'.")
        found = [
            id
            for id, labels, is_open in self._index
            if wanted["labels"] in labels and (is_open or "statusCategory" not in wanted)
        ]
        more: dict[str, Any] = {"fields": {}} if body.get("fields") else {}
        shown = [{"id": id} | more for id in found[: body.get("maxResults", 50)]]
        return json_answer({"issues": shown, "isLast": True})

    async def _create(self, request: web.Request) -> web.Response:
        fields = (await self._body_of(request))["fields"]
        problems = dict(_problems_of(fields))
        if problems:
            raise RefusedRequest(400, self.error_body(400, "", problems))
        number = 10_000 + len(self.issues)
        issue = IssueRecord(str(number), f"SEC-{number - 9_999}", fields)
        self.issues.append(issue)
        self._changed()
        return json_answer({"id": issue.id, "key": issue.key, "self": str(request.url)}, 201)

    async def _read(self, request: web.Request) -> web.Response:
        issue = self._issue_of(request)
        return json_answer(
            {"id": issue.id, "key": issue.key, "fields": {"status": _shown(issue.status), "created": issue.created}}
        )

    async def _comment(self, request: web.Request) -> web.Response:
        issue = self._issue_of(request)
        document = (await self._body_of(request))["body"]
        problem = _problem_of_rich(document)
        if problem:
            raise RefusedRequest(400, self.error_body(400, "", {"comment": problem}))
        issue.comments.append(text_of(document))
        return json_answer({"id": str(len(issue.comments))}, 201)

    async def _list_transitions(self, request: web.Request) -> web.Response:
        self._issue_of(request)
        shown = [{"id": one.id, "name": one.name, "to": _shown(one.to), "isAvailable": True} for one in TRANSITIONS]
        return json_answer({"expand": "transitions", "transitions": shown})

    async def _transition(self, request: web.Request) -> web.Response:
        issue = self._issue_of(request)
        body = await self._body_of(request)
        transition = next((one for one in TRANSITIONS if one.id == body["transition"]["id"]), None)
        if transition is None:
            raise self._refusal("It seems that you have tried to perform a workflow operation that is not valid.")
        fields = body.get("fields", {})
        if not set(fields) <= ON_CLOSE:
            raise RefusedRequest(400, self.error_body(400, "", dict.fromkeys(fields, _off_screen("resolution"))))
        issue.status = transition.to
        issue.resolution = fields.get("resolution", {}).get("name")
        self._changed()
        return web.Response(status=204)

    def _issue_of(self, request: web.Request) -> IssueRecord:
        issue = next((issue for issue in self.issues if request.match_info["id"] in (issue.id, issue.key)), None)
        if issue is None:
            raise RefusedRequest(404, self.error_body(404, _NO_ISSUE))
        return issue

    async def _body_of(self, request: web.Request) -> dict[str, Any]:
        try:
            return dict(orjson.loads(await request.read()))
        except orjson.JSONDecodeError as broken:
            raise self._refusal("There was an error parsing JSON. Check that your request body is valid.") from broken

    def _refusal(self, message: str) -> RefusedRequest:
        return RefusedRequest(400, self.error_body(400, message))


def text_of(document: Any) -> str:
    """Gives the text of a rich text, a line for each break."""
    if document.get("type") == "hardBreak":
        return "\n"
    ends = "\n" if document.get("type") in ("heading", "paragraph", "codeBlock") else ""
    return str(document.get("text", "")) + "".join(text_of(piece) for piece in document.get("content", [])) + ends


def _shown(status: IssueStatus) -> dict[str, Any]:
    return {"name": status.name, "statusCategory": {"key": status.category, "name": status.category}}


def _off_screen(name: str) -> str:
    return f"Field '{name}' cannot be set. It is not on the appropriate screen, or unknown."


def _problems_of(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in fields:
        if name not in SCREEN:
            yield name, _off_screen(name)
    if fields["project"] not in ({"key": "SEC"}, {"id": "10001"}):
        yield "project", "valid project is required"
    if fields["issuetype"] not in ({"name": "Task"}, {"id": "10004"}):
        yield "issuetype", "Specify a valid issue type"
    summary = fields.get("summary", "")
    if not summary or "\n" in summary or len(summary) > SUMMARY:
        yield "summary", f"Summary must be one line of less than {SUMMARY} characters."
    if "priority" in fields and fields["priority"].get("name") not in PRIORITIES:
        yield "priority", "Specify the Priority (name) in the string format"
    if any(" " in label or len(label) > LABEL for label in fields.get("labels", [])):
        yield "labels", "The label contains spaces which is invalid."
    problem = _problem_of_rich(fields.get("description"))
    if problem:
        yield "description", problem


def _problem_of_rich(document: Any) -> str | None:
    if not isinstance(document, dict) or (document.get("type"), document.get("version")) != ("doc", 1):
        return "Operation value must be an Atlassian Document (see the Atlassian Document Format)"
    if not _is_sound(document):
        return "INVALID_INPUT"
    too_long = len(text_of(document)) > RICH
    return f"The entered text is too long. It exceeds the allowed limit of {RICH:,} characters." if too_long else None


_INLINE = frozenset({"text", "hardBreak"})
_BLOCKS = frozenset({"paragraph", "bulletList", "codeBlock", "heading"})
_MAY_HOLD = {
    "doc": _BLOCKS | {"table"},
    "paragraph": _INLINE,
    "heading": _INLINE,
    "codeBlock": frozenset({"text"}),
    "bulletList": frozenset({"listItem"}),
    "listItem": frozenset({"paragraph", "bulletList", "codeBlock"}),
    "table": frozenset({"tableRow"}),
    "tableRow": frozenset({"tableCell", "tableHeader"}),
    "tableCell": _BLOCKS,
    "tableHeader": _BLOCKS,
}
"""What each node may hold: https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/"""

_MUST_HOLD = frozenset({"bulletList", "listItem", "table", "tableRow", "tableCell", "tableHeader"})


def _is_sound(piece: Mapping[str, Any]) -> bool:
    type, content = piece.get("type"), piece.get("content", [])
    match type:
        case "text":
            return bool(piece.get("text")) and all(map(_is_link, piece.get("marks", [])))
        case "hardBreak":
            return True
        case "heading" if piece.get("attrs", {}).get("level") not in range(1, 7):
            return False
        case str() if type in _MAY_HOLD:
            if (type in _MUST_HOLD and not content) or (type == "codeBlock" and any("marks" in one for one in content)):
                return False
            return all(one.get("type") in _MAY_HOLD[type] and _is_sound(one) for one in content)
        case _:
            return False


def _is_link(mark: Mapping[str, Any]) -> bool:
    return mark.get("type") == "link" and str(mark.get("attrs", {}).get("href", "")).startswith("https://")
