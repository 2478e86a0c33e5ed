"""Jira Cloud's REST API v3, as far as issues of signals need it, and what its answers mean.

https://developer.atlassian.com/cloud/jira/platform/rest/v3/ (requests)
https://developer.atlassian.com/cloud/jira/platform/search-and-reconcile/ (how far a search lags)
https://developer.atlassian.com/cloud/jira/platform/rate-limiting/ (429 and its headers)
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import quote

from router.destinations.base import is_handle
from router.destinations.config import Auth
from router.destinations.requests import JSON, Exchange, authorized, error_for, excerpt_of, json_object
from router.destinations.wording.facts import find_time
from router.destinations.wording.fitting import json_bytes
from router.domain.conversation import HttpAnswer, HttpRequest
from router.domain.deliveries import Attempt
from router.domain.errors import DeliveryError, Rejected, Unauthorized, Unavailable

NAME = "jira"

SETTLED = 60.0
"""Seconds after which a search finds what was created: https://developer.atlassian.com/cloud/jira/platform/search-and-reconcile/"""

_MOST = 10  # issues that a look-up is shown
# What only the config decides, so that every issue meets the same refusal.
_CONFIGURED = frozenset({"project", "issuetype", "priority"})
# Whole sentences of Jira's: what they quote may be a text of the alert's.
_OF_THE_PROJECT = re.compile(
    r"(?:\w+: )?(?:Field '\w+' cannot be set\. It is not on the appropriate screen, or unknown\."
    r"|The value '[^']*' does not exist for the field 'project'\.)",
    re.IGNORECASE,
)
# Credentials that do not count are answered as an anonymous user's: an empty search, a 404.
# https://github.com/MrRefactoring/jira.js/issues/418
_NOBODY = re.compile(r"AUTHENTICATED_FAILED|AUTHENTICATION_DENIED", re.IGNORECASE)
_EPOCH = re.compile(r"\d{10}")


class Issue(NamedTuple):
    """An issue by its id and its key; `created` is None where that was not asked for."""

    id: str
    key: str
    is_done: bool
    created: datetime | None = None


class Transition(NamedTuple):
    """A transition that is open to an issue now, and the status that it leads to."""

    id: str
    name: str
    status: str


class Site:
    """One Jira site, at the base URL of its REST API. Whatever goes wrong is raised as a DeliveryError."""

    def __init__(self, base: str, auth: Auth) -> None:
        self.address = f"{base}/rest/api/3"
        self._auth = auth

    def look_up(
        self, project: str, label: str, attempt: Attempt, *, with_done: bool = False
    ) -> Exchange[Sequence[str]]:
        """The ids of the issues under a label that the index has as not done, oldest first; it lags, so read them.

        `with_done` are those that are done as well, the latest first.
        """
        order = "ORDER BY created DESC" if with_done else "AND statusCategory != Done ORDER BY created ASC"
        jql = f'project = "{project}" AND labels = "{label}" {order}'
        wanted = {"jql": jql, "fields": ["status"], "maxResults": _MOST}
        body = yield from self._ask("POST", "/search/jql", attempt, wanted, told="issues", is_of_the_site=True)
        return [found["id"] for found in _objects_in(body["issues"]) if isinstance(found.get("id"), str)]

    def read(self, id: str, attempt: Attempt) -> Exchange[Issue | None]:
        """The issue as it is now, or None where it was deleted or may not be seen."""
        try:
            body = yield from self._ask("GET", f"{_issue(id)}?fields=status,created", attempt, told="id")
        except Rejected as refused:
            if refused.status == 404:
                return None
            raise
        found = body.get("fields")
        fields = found if isinstance(found, dict) else {}
        issue = _issue_in(body, is_done=_is_done(fields.get("status")))
        return issue._replace(created=find_time(fields.get("created")))

    def create(self, fields: Mapping[str, Any], attempt: Attempt) -> Exchange[Issue]:
        """A new issue. Where it is not known whether it was made, it is tried again when a search would find it."""
        asked = self._ask("POST", "/issue", attempt, {"fields": fields}, told="id", is_of_the_site=True)
        try:
            body = yield from asked
        except Unavailable as lost:
            wait = max(SETTLED, lost.retry_after or 0.0)
            raise Unavailable(str(lost), retry_after=wait, is_crowded=lost.is_crowded) from lost
        return _issue_in(body, is_done=False)

    def comment(self, issue: Issue, document: Mapping[str, Any], attempt: Attempt) -> Exchange[None]:
        """Adds a comment."""
        yield from self._ask("POST", f"{_issue(issue.id)}/comment", attempt, {"body": document}, told="id")

    def ways_to_done(self, issue: Issue, attempt: Attempt) -> Exchange[Sequence[Transition]]:
        """The transitions that are open to the account now and lead to a status of the category Done."""
        body = yield from self._ask("GET", f"{_issue(issue.id)}/transitions", attempt, told="transitions")
        ways = _objects_in(body["transitions"])
        return [
            Transition(str(way.get("id")), str(way.get("name")), str(way["to"].get("name")))
            for way in ways
            if isinstance(way.get("to"), dict) and _is_done(way["to"])
        ]

    def go(self, issue: Issue, way: Transition, resolution: str | None, attempt: Attempt) -> Exchange[None]:
        """Takes an issue through a transition."""
        body: dict[str, Any] = {"transition": {"id": way.id}}
        if resolution is not None:
            body["fields"] = {"resolution": {"name": resolution}}
        yield from self._ask("POST", f"{_issue(issue.id)}/transitions", attempt, body)

    def _ask(
        self,
        method: str,
        path: str,
        attempt: Attempt,
        body: Mapping[str, Any] | None = None,
        *,
        told: str | None = None,
        is_of_the_site: bool = False,
    ) -> Exchange[dict[str, Any]]:
        """The answer's object, in which `told` stands; without `told`, success is an answer without content (204)."""
        content = json_bytes(body) if body is not None else b""
        headers = {**JSON, "accept": "application/json"}
        request = HttpRequest(method=method, url=f"{self.address}{path}", headers=headers, body=content)
        answer = yield from authorized(request, self._auth, attempt, NAME)
        if (error := _find_error(answer, attempt, is_of_the_site=is_of_the_site)) is not None:
            raise error
        said = json_object(answer)
        if said.get(told) is None if told is not None else answer.status != 204:
            # A page for people, as a sign-in or a proxy shows it.
            raise Unavailable(
                f"{NAME}: answered {answer.status} without what was asked for; is it a Jira at that address?"
            )
        return said


def _find_error(answer: HttpAnswer, attempt: Attempt, *, is_of_the_site: bool) -> DeliveryError | None:
    """What an answer means; a 404 of what every site has is about the address, and not about one issue."""
    if _NOBODY.search(answer.headers.get("x-seraph-loginreason", "")):
        return Unauthorized(
            f"{NAME}: answered {answer.status} as to an anonymous user; check its credentials, a token may be over"
        )
    body = json_object(answer)
    words = list(_words_in(body))
    if 200 <= answer.status < 300:
        said = excerpt_of("; ".join(words), attempt)
        text = f"{NAME}: answered {answer.status} around an error ({said})"
        return Rejected(text, status=answer.status) if words else None
    error = error_for(replace(answer, body=json_bytes({"errors": words})) if words else answer, NAME, attempt)
    match error:
        case Rejected(status=400) if _is_configured(body, words):
            return Unauthorized(
                f"{error}; check project, issue_type, priorities and fields, and what the account may do there"
            )
        case Rejected(status=404) if is_of_the_site:
            return Unauthorized(f"{error}; check the address")
        case Rejected(status=409):
            # https://blog.developer.atlassian.com/change-notice-jira-cloud-transition-issue-api-to-support-http-409-conflict-error-code/
            return Unavailable(str(error))
        case Unavailable(retry_after=None, is_crowded=is_crowded):
            return Unavailable(str(error), retry_after=_reset_in(answer, attempt.now), is_crowded=is_crowded)
    return error


def _is_configured(body: Mapping[str, Any], words: Sequence[str]) -> bool:
    errors = body.get("errors")
    named = errors if isinstance(errors, dict) else {}
    return not _CONFIGURED.isdisjoint(named) or any(_OF_THE_PROJECT.fullmatch(text) for text in words)


def _words_in(body: Mapping[str, Any]) -> Sequence[str]:
    """What Jira says for itself: `errorMessages`, and `errors` by field."""
    messages, errors = body.get("errorMessages"), body.get("errors")
    general = [text for text in messages if isinstance(text, str)] if isinstance(messages, list) else []
    return general + ([f"{field}: {text}" for field, text in errors.items()] if isinstance(errors, dict) else [])


def _reset_in(answer: HttpAnswer, now: datetime) -> float | None:
    """The seconds until `X-RateLimit-Reset`, an instant; some refusals name it instead of `Retry-After`."""
    written = answer.headers.get("x-ratelimit-reset", "").strip()
    reset = datetime.fromtimestamp(int(written), UTC) if _EPOCH.fullmatch(written) else find_time(written)
    return max((reset - now).total_seconds(), 0.0) if reset is not None else None


def _objects_in(value: object) -> Sequence[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _issue(id: str) -> str:
    return f"/issue/{quote(id, safe='')}"


def _issue_in(body: Mapping[str, Any], *, is_done: bool) -> Issue:
    id, key = body["id"], body.get("key")
    if not is_handle(id):
        raise Unavailable(f"{NAME}: answered with an issue whose id is none; is it a Jira at that address?")
    return Issue(id, str(key) if is_handle(key) else id, is_done)


def _is_done(status: object) -> bool:
    """Whether a status is in the category Done, whose key is the same in every language; in doubt it is not."""
    category = status.get("statusCategory") if isinstance(status, dict) else None
    return isinstance(category, dict) and category.get("key") == "done"
