"""What stands around objects in answers of Azure: refusals, recordings, batches, rows. Pure.

`az` prints bare lists and `{"value": [...]}`, Resource Graph objects or a table. Answers are recorded with their request, come
in batches, and may be refusals.
https://learn.microsoft.com/azure/governance/resource-graph/concepts/work-with-data
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from router.coverage.fields import find, find_list, find_text

_ERROR = {"code", "message", "details", "target", "innererror", "additionalinfo"}
"""The fields of an error of ARM. https://learn.microsoft.com/rest/api/resources/resources/list#errorresponse"""

_REFUSED = 400
"""From which status on an answer of HTTP is a refusal."""


def refusal_in(body: Mapping[str, object]) -> str | None:
    """What an answer says that went wrong; None for one in which nothing did."""
    error = find(body, "error")
    if isinstance(error, str) and error.strip() and not find_text(body, "id"):
        return error.strip()
    # Older versions of the API, and some front doors, have no `error` around it.
    said = error if isinstance(error, Mapping) else body if {name.lower() for name in body} <= _ERROR else {}
    code, message = find_text(said, "code"), find_text(said, "message")
    is_said = bool(code or message) if said is error else bool(code and message)
    return ": ".join(filter(None, (code, message))) if is_said else None


def answers_in(body: Mapping[str, object]) -> Iterator[tuple[str, object]] | None:
    """The answers in a recording of requests or of a batch; None where it is none."""
    response = find(body, "response")
    if isinstance(response, Mapping) and find(response, "body") is not None:
        return iter([("response.body", find(response, "body"))])
    responses = find(body, "responses")
    if isinstance(responses, Mapping):
        answers = ((f"responses.{status}.body", find(one, "body")) for status, one in list(responses.items())[:1])
        return ((part, answer) for part, answer in answers if answer is not None)
    if isinstance(responses, list):
        return (
            (f"responses[{number}].{part}", answer)
            for number, one in enumerate(responses)
            for part, answer in _answer_of_batch(one)
        )
    if find_text(body, "uri") and find_text(body, "method"):
        return iter([("body", find(body, "body"))])
    # The other side of a recording: what was asked is no answer.
    return iter(()) if isinstance(find(body, "request"), Mapping) else None


def _answer_of_batch(response: object) -> Iterator[tuple[str, object]]:
    """The answer in one response of a batch; what was refused without a word is refused all the same."""
    part = next((name for name in ("content", "body") if isinstance(find(response, name), Mapping | list)), None)
    if part is not None:
        yield part, find(response, part)
        return
    status = find_text(response, "httpStatusCode") or find_text(response, "status") or ""
    if status.isascii() and status.isdigit() and int(status[:4]) >= _REFUSED:
        yield "status", {"error": {"code": status}}


def rows_in(body: Mapping[str, object]) -> tuple[str, list[object]] | None:
    """The rows of an answer of ARM or Resource Graph, and under which name they stand; None where it is no such answer."""
    if find_text(body, "type"):  # a resource of a kind that has a list of that name
        return None
    if (value := find_list(body, "value")) is not None:
        return "value", value
    if (data := find_list(body, "data")) is not None:
        return "data", data
    columns, rows = find_list(body, "data", "columns"), find_list(body, "data", "rows")
    if columns is None or rows is None:
        return None
    names = [find_text(column, "name") or "" if isinstance(column, Mapping) else "" for column in columns]
    return "data.rows", [dict(zip(names, row, strict=False)) for row in rows if isinstance(row, list)]
