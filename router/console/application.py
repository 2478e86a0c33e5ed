"""Makes the console of its views and actions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from router.app.destination_readiness import Unready
from router.app.rules import Rules
from router.app.signal_life import DestinationFacts
from router.console.rendering import STATIC, Pages
from router.console.status import read_status
from router.destinations.wording.masking import masked
from router.domain.errors import RouterError, StoreError
from router.domain.readable import one_line
from router.store.store import Store

type Document = Mapping[str, Any]
type Read = Callable[[Console, Request], Awaitable[Document]]
type Form = Mapping[str, str]
type Act = Callable[[Console, Form, Request], Awaitable[Effect | Done]]

MOST_POSTED = 64 * 1024
"""Bytes of a form: far more than a reason and a few hundred ids."""


class Console(NamedTuple):
    """What views ask and actions change.

    Attributes:
        facts: what the rules and the settings say of destinations.
        unready: the destinations that cannot be asked, where it is here that they are asked.
        author: who acts, as it stands on record.
    """

    store: Store
    rules: Rules
    facts: DestinationFacts
    unready: Sequence[Unready]
    author: str


class View(NamedTuple):
    """A page: its path, its template, and what reads its document."""

    path: str
    template: str
    read: Read


class Effect(NamedTuple):
    """What an action would do, to be confirmed: a document, the template that shows it, and a status where it is refused."""

    template: str
    document: Document
    status: int = 200


class Elsewhere(Exception):
    """What a view raises whose page is another one: there who asks is led, with a query."""

    def __init__(self, path: str, **query: str) -> None:
        super().__init__(path)
        self.path, self.query = path, query


class Done(NamedTuple):
    """What an action did: the page to go on with, and which of `DONE` that page says."""

    path: str
    code: str


class Action(NamedTuple):
    """What a form posts to. It returns an Effect until the form says `confirm`."""

    path: str
    act: Act


DONE = {
    "silenced": "The silence is made.",
    "extended": "The silence goes on.",
    "ended": "The silence is ended.",
    "redriven": "They are owed again.",
    "discarded": "They are discarded.",
    "retaken": "They were taken in again.",
    "held": "The destination is held.",
    "released": "The destination is asked again.",
}
"""What pages say of an action that was done, by the code in their URL: a link can put no other words there."""


def new_console(console: Console, views: Sequence[View], actions: Sequence[Action], pages: Pages) -> Starlette:
    """Return the application: each view under its path, and as JSON under the same path with `.json`."""
    routes = [Route(STATIC + "{name}", pages.file), Route("/favicon.ico", _no_icon)]
    for view in views:
        routes += [
            Route(f"{view.path}.json", partial(_show_document, console, view)),
            Route(view.path, partial(_show_page, console, view, pages)),
        ]
    routes += [Route(one.path, partial(_act, console, one, pages), methods=["POST"]) for one in actions]
    routes.append(Route("/", partial(_go_on, pages)))
    handlers: dict[Any, Any] = {
        Elsewhere: partial(_lead_on, pages),
        HTTPException: partial(_show_http_error, pages),
        RouterError: partial(_show_error, pages),
        Exception: partial(_show_fault, pages),
    }
    return Starlette(routes=routes, exception_handlers=handlers)


async def _show_page(console: Console, view: View, pages: Pages, request: Request) -> Response:
    document = await view.read(console, request)
    status = await read_status(console)
    return pages.render(
        request, view.template, document, status=status, done=DONE.get(request.query_params.get("done", ""))
    )


async def _show_document(console: Console, view: View, request: Request) -> Response:
    return Response(orjson.dumps(await view.read(console, request)), media_type="application/json")


async def _act(console: Console, action: Action, pages: Pages, request: Request) -> Response:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_POSTED:
            raise HTTPException(413, "The form is too long.")
    form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    found = await action.act(console, form, request)
    if isinstance(found, Done):
        return RedirectResponse(pages.path(found.path, done=found.code), 303)
    return pages.render(request, found.template, found.document, found.status)


async def _go_on(pages: Pages, request: Request) -> Response:
    return RedirectResponse(pages.path("/alerts"), 303)


async def _lead_on(pages: Pages, request: Request, found: Elsewhere) -> Response:
    suffix = ".json" if request.url.path.endswith(".json") else ""
    return RedirectResponse(pages.path(f"{found.path}{suffix}", found.query), 303)


async def _no_icon(request: Request) -> Response:
    return Response(status_code=204)


async def _show_http_error(pages: Pages, request: Request, error: HTTPException) -> Response:
    words = error.detail if error.status_code != 404 or error.detail != "Not Found" else "There is no such page."
    return _error(pages, request, error.status_code, words)


async def _show_error(pages: Pages, request: Request, error: RouterError) -> Response:
    return _error(pages, request, 503 if isinstance(error, StoreError) else 400, one_line(masked(str(error))))


async def _show_fault(pages: Pages, request: Request, error: Exception) -> Response:
    return _error(pages, request, 500, "This page failed; the program's log says why.")


def _error(pages: Pages, request: Request, code: int, words: str) -> Response:
    if request.url.path.endswith(".json"):
        return JSONResponse({"error": words}, code)
    return pages.error(request, code, words)
